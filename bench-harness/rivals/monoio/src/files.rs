//! Files on monoio: reads at offsets, `depth` tasks at once.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;

use monoio::buf::IoBufMut;
use monoio::fs::File;
use stage::files::{LARGE_READ, Offsets, SMALL_READ, aligned, share, small_file};
use stage::{Console, Files, Job};

/// Works on files until nobody asks any more.
pub async fn run(job: Job) -> io::Result<()> {
    let Job::Files { what, folder, depth } = job else { job.cannot() };
    let mut options = OpenOptions::new();
    let file = match what {
        Files::WriteSequential => {
            options.write(true).create(true).truncate(true).open(folder.join("written"))?
        }
        Files::ReadDirect => {
            options.read(true).custom_flags(libc::O_DIRECT).open(folder.join("large"))?
        }
        _ => options.read(true).open(folder.join("large"))?,
    };
    let file = Rc::new(File::from_std(file)?);
    let length = std::fs::metadata(folder.join("large"))?.len();
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let workers = (0..depth).map(|worker| {
            let share = share(count, depth, worker);
            let (file, folder) = (file.clone(), folder.clone());
            monoio::spawn(async move {
                match what {
                    Files::ReadSmall => {
                        for at in 0..share {
                            monoio::fs::read(small_file(&folder, worker, at)).await?;
                        }
                        Ok(())
                    }
                    Files::ReadCached | Files::ReadDirect => {
                        random(&file, Offsets::of_reader(length, worker), share).await
                    }
                    _ => sequential(&file, what, length, share).await,
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await?;
        }
        console.done(count);
    }
    Ok(())
}

async fn random(file: &File, mut offsets: Offsets, count: u64) -> io::Result<()> {
    let (memory, place) = aligned(SMALL_READ);
    let mut buffer = memory.slice_mut(place);
    for _ in 0..count {
        let (read, back) = file.read_at(buffer, offsets.next()).await;
        assert_eq!(read?, SMALL_READ, "the file is long enough");
        buffer = back;
    }
    Ok(())
}

async fn sequential(file: &File, what: Files, length: u64, count: u64) -> io::Result<()> {
    let mut buffer = vec![1; LARGE_READ];
    for at in 0..count {
        let offset = at * LARGE_READ as u64 % length;
        let (done, back) = match what {
            Files::WriteSequential => file.write_all_at(buffer, offset).await,
            _ => file.read_exact_at(buffer, offset).await,
        };
        done?;
        buffer = back;
    }
    Ok(())
}
