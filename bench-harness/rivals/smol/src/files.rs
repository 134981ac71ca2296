//! Files on smol: `unblock` and a positioned read or write, because its files have neither positions
//! nor aligned buffers; whole files by `smol::fs::read`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use stage::files::{Aligned, LARGE_READ, Offsets, SMALL_READ, share, small_file};
use stage::{Console, Files, Job};

use crate::spawn;

/// Works on files until nobody asks any more.
pub async fn run(job: Job) -> io::Result<()> {
    let Job::Files { what, folder, depth } = job else { job.cannot() };
    let mut options = OpenOptions::new();
    let file = match what {
        Files::ReadSmall => None,
        Files::WriteSequential => {
            options.write(true).create(true).truncate(true);
            Some(options.open(folder.join("written"))?)
        }
        Files::ReadDirect => {
            options.read(true).custom_flags(libc::O_DIRECT);
            Some(options.open(folder.join("large"))?)
        }
        Files::ReadCached | Files::ReadSequential => {
            Some(options.read(true).open(folder.join("large"))?)
        }
    };
    let file = file.map(Arc::new);
    let length = std::fs::metadata(folder.join("large"))?.len();
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let workers = (0..depth).map(|worker| {
            let share = share(count, depth, worker);
            let (file, folder) = (file.clone(), folder.clone());
            spawn(async move {
                match (what, file) {
                    (Files::ReadSmall, _) => {
                        for at in 0..share {
                            smol::fs::read(small_file(&folder, worker, at)).await?;
                        }
                        Ok(())
                    }
                    (Files::ReadCached | Files::ReadDirect, Some(file)) => {
                        random(file, Offsets::of_reader(length, worker), share).await
                    }
                    (_, Some(file)) => sequential(file, what, length, share).await,
                    (_, None) => unreachable!("all others have a file"),
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

async fn random(file: Arc<File>, mut offsets: Offsets, count: u64) -> io::Result<()> {
    let mut buffer = Aligned::new(SMALL_READ);
    for _ in 0..count {
        let (file, offset) = (file.clone(), offsets.next());
        buffer = smol::unblock(move || {
            file.read_exact_at(buffer.bytes(), offset)?;
            io::Result::Ok(buffer)
        })
        .await?;
    }
    Ok(())
}

async fn sequential(file: Arc<File>, what: Files, length: u64, count: u64) -> io::Result<()> {
    let mut buffer = Aligned::new(LARGE_READ);
    for at in 0..count {
        let (file, offset) = (file.clone(), at * LARGE_READ as u64 % length);
        buffer = smol::unblock(move || {
            match what {
                Files::WriteSequential => file.write_all_at(buffer.bytes(), offset)?,
                _ => file.read_exact_at(buffer.bytes(), offset)?,
            }
            io::Result::Ok(buffer)
        })
        .await?;
    }
    Ok(())
}
