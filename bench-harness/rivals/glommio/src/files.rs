//! Files on glommio: reads at offsets, `depth` tasks at once; past the page cache by its own kind
//! of file, whose buffers are registered.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use glommio::io::{BufferedFile, DmaFile};
use stage::files::{LARGE_READ, Offsets, SMALL_READ, share};
use stage::{Console, Files, Job};

enum Open {
    Buffered(BufferedFile),
    Direct(DmaFile),
}

/// Works on files until nobody asks any more.
pub async fn run(job: Job) -> io::Result<()> {
    let Job::Files { what, ref folder, depth } = job else { job.cannot() };
    let large: PathBuf = folder.join("large");
    let length = std::fs::metadata(&large)?.len();
    let file = match what {
        Files::ReadDirect => Open::Direct(DmaFile::open(&large).await?),
        Files::ReadCached | Files::ReadSequential => {
            Open::Buffered(BufferedFile::open(&large).await?)
        }
        Files::WriteSequential => {
            Open::Buffered(BufferedFile::create(folder.join("written")).await?)
        }
        // It has no function for a whole file.
        Files::ReadSmall => job.cannot(),
    };
    let file = Rc::new(file);
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let workers = (0..depth).map(|worker| {
            let share = share(count, depth, worker);
            let file = file.clone();
            let mut offsets = Offsets::of_reader(length, worker);
            glommio::spawn_local(async move {
                for at in 0..share {
                    let next = at * LARGE_READ as u64 % length;
                    match (&*file, what) {
                        (Open::Direct(file), _) => {
                            file.read_at_aligned(offsets.next(), SMALL_READ).await?;
                        }
                        (Open::Buffered(file), Files::ReadCached) => {
                            file.read_at(offsets.next(), SMALL_READ).await?;
                        }
                        (Open::Buffered(file), Files::WriteSequential) => {
                            // It takes the buffer and does not give it back.
                            file.write_at(vec![1; LARGE_READ], next).await?;
                        }
                        (Open::Buffered(file), _) => {
                            file.read_at(next, LARGE_READ).await?;
                        }
                    }
                }
                io::Result::Ok(())
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await?;
        }
        console.done(count);
    }
    Ok(())
}
