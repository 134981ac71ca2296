//! The comparison's programs on tokio, on one thread or, with `multi` in front of the job, on a
//! thread for each processor that the program may use.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files, by tokio's own pool of threads.
mod files;

use std::future::Future;
use std::io;
use std::time::Duration;

use stage::{Job, Runtime, repeat};
use tokio::sync::mpsc;

fn main() -> io::Result<()> {
    let multi = std::env::args().nth(1).is_some_and(|word| word == "multi");
    let mut builder = match multi {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let job = Job::from_args_after(usize::from(multi));
    builder.enable_all().build()?.block_on(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Http => serve::http().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                tokio::spawn(repeat::run::<Tokio>(what)).await.map_err(io::Error::other)
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    })
}

struct Tokio;

impl Runtime for Tokio {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(future);
        async { task.await.expect("the task does not panic") }
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        tokio::spawn(tokio::time::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(time)
    }

    fn pass(count: u64, room: usize) -> impl Future<Output = u64> {
        async move {
            let (sender, mut receiver) = mpsc::channel(room);
            tokio::spawn(async move {
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
}
