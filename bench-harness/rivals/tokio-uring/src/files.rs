//! Files on tokio-uring: reads at offsets, `depth` tasks at once.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use stage::files::{LARGE_READ, Offsets, SMALL_READ, aligned, share, small_file};
use stage::{Console, Files, Job};
use tokio_uring::buf::BoundedBuf;
use tokio_uring::fs::File;

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
    let file = Rc::new(File::from_std(file));
    let length = std::fs::metadata(folder.join("large"))?.len();
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let workers = (0..depth).map(|worker| {
            let share = share(count, depth, worker);
            let (file, folder) = (file.clone(), folder.clone());
            tokio_uring::spawn(async move {
                match what {
                    Files::ReadSmall => {
                        for at in 0..share {
                            whole(&small_file(&folder, worker, at)).await?;
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
            worker.await.map_err(io::Error::other)??;
        }
        console.done(count);
    }
    Ok(())
}

async fn random(file: &File, mut offsets: Offsets, count: u64) -> io::Result<()> {
    let (mut memory, place) = aligned(SMALL_READ);
    for _ in 0..count {
        let (read, back) = file.read_at(memory.slice(place.clone()), offsets.next()).await;
        assert_eq!(read?, SMALL_READ, "the file is long enough");
        memory = back.into_inner();
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

/// It has no function for a whole file; this is one.
async fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path).await?;
    let mut bytes = Vec::new();
    loop {
        let (read, buffer) = file.read_at(vec![0; 8192], bytes.len() as u64).await;
        let n = read?;
        bytes.extend_from_slice(&buffer[..n]);
        if n == 0 {
            file.close().await?;
            return Ok(bytes);
        }
    }
}
