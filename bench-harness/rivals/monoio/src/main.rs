//! The comparison's programs on monoio, as it comes: its io_uring driver and its timer.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files.
mod files;

use std::future::Future;
use std::io;
use std::time::Duration;

use local_sync::mpsc::bounded;
use stage::{Job, Runtime, repeat};

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let builder = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new();
    builder.with_entries(4096).enable_timer().build()?.block_on(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Http => serve::http().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                monoio::spawn(repeat::run::<Monoio>(what)).await;
                Ok(())
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    })
}

struct Monoio;

impl Runtime for Monoio {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        monoio::spawn(future)
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        monoio::spawn(monoio::time::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        monoio::time::sleep(time)
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, mut receiver) = bounded::channel(room);
        monoio::spawn(async move {
            for number in 0..count {
                let _ = sender.send(number).await;
            }
        });
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        sum
    }
}
