//! The comparison's programs on tokio-uring, as it comes, with as many entries as the others.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files.
mod files;

use std::future::Future;
use std::io;
use std::time::Duration;

use stage::{Job, Runtime, repeat};
use tokio::sync::mpsc;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    tokio_uring::builder().entries(4096).start(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                let task = tokio_uring::spawn(repeat::run::<TokioUring>(what));
                task.await.map_err(io::Error::other)
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    })
}

struct TokioUring;

impl Runtime for TokioUring {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio_uring::spawn(future);
        async { task.await.expect("the task does not panic") }
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        tokio_uring::spawn(tokio::time::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(time)
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, mut receiver) = mpsc::channel(room);
        tokio_uring::spawn(async move {
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
