//! Files on wakering: reads and writes at offsets, `depth` tasks at once.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use stage::files::{LARGE_READ, Offsets, SMALL_READ, share, small_file};
use stage::{Console, Files, Job};
use wakering::driver::AlignedBuf;
use wakering::fs::{self, File};

/// Works on files until nobody asks any more.
pub async fn run(job: Job) -> io::Result<()> {
    let Job::Files { what, folder, depth } = job else { job.cannot() };
    let length = fs::metadata(folder.join("large")).await?.len();
    let file = match what {
        Files::WriteSequential => File::create(folder.join("written")).await?,
        Files::ReadDirect => {
            File::options().read(true).direct(true).open(folder.join("large")).await?
        }
        // Small files are opened one by one.
        _ => File::open(folder.join("large")).await?,
    };
    let file = Rc::new(file);
    // The ring knows of them in advance; between slices they lie here.
    let pages = match what {
        Files::ReadCached | Files::ReadDirect => AlignedBuf::registered(depth, SMALL_READ)?,
        _ => Vec::new(),
    };
    if pages.iter().any(|page| !page.is_registered()) {
        eprintln!(
            "the ring does not know its buffers in advance: see `ulimit -l`, and with \
             WAKERING_DEBUG=1 why"
        );
    }
    let pages = Rc::new(RefCell::new(pages));
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let workers = (0..depth).map(|worker| {
            let share = share(count, depth, worker);
            let (file, folder, pages) = (file.clone(), folder.clone(), pages.clone());
            wakering::spawn(async move {
                match what {
                    Files::ReadSmall => small(folder, worker, share).await,
                    Files::ReadCached | Files::ReadDirect => {
                        let buffer =
                            pages.borrow_mut().pop().expect("there is one for each worker");
                        let offsets = Offsets::of_reader(length, worker);
                        let buffer = random(&file, buffer, offsets, share).await?;
                        pages.borrow_mut().push(buffer);
                        Ok(())
                    }
                    _ => sequential(&file, what, length, share).await,
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.map_err(io::Error::other)??;
        }
        console.done(count);
    }
    Ok(())
}

async fn random(
    file: &File,
    mut buffer: AlignedBuf,
    mut offsets: Offsets,
    count: u64,
) -> io::Result<AlignedBuf> {
    for _ in 0..count {
        let n;
        (n, buffer) = file.read_at(buffer, offsets.next()).await?;
        assert_eq!(n, SMALL_READ, "the file is long enough");
    }
    Ok(buffer)
}

async fn sequential(file: &File, what: Files, length: u64, count: u64) -> io::Result<()> {
    let mut buffer = vec![1; LARGE_READ];
    for at in 0..count {
        let offset = at * LARGE_READ as u64 % length;
        (_, buffer) = match what {
            Files::WriteSequential => file.write_all_at(buffer, offset).await?,
            _ => file.read_exact_at(buffer, offset).await?,
        };
    }
    Ok(())
}

async fn small(folder: PathBuf, worker: usize, count: u64) -> io::Result<()> {
    for at in 0..count {
        fs::read(small_file(&folder, worker, at)).await?;
    }
    Ok(())
}
