//! The comparison's programs on wakering: the subject, which all others are compared with.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files.
mod files;
/// Connections that arrive unevenly.
mod skew;

use std::future::Future;
use std::io;
use std::time::Duration;

use stage::{Job, Runtime, repeat};
use wakering::sync::local;

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let mut builder = wakering::Builder::new();
    if let Job::Skew { skewed } = job {
        return skew::run(skewed);
    }
    if let Job::Cores(cores) = job {
        builder = builder.cores(cores);
    }
    builder.build()?.block_on(async {
        match job {
            Job::Echo(_) => serve::echo().await,
            Job::Http => serve::http().await,
            Job::Cores(_) => serve::http_on_cores().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(_) => serve::fan_out().await,
            Job::Repeat(what) => {
                wakering::spawn(repeat::run::<Wakering>(what)).await.map_err(io::Error::other)
            }
            Job::Files { .. } => files::run(job).await,
            Job::Skew { .. } => unreachable!("it has runtimes of its own"),
        }
    })
}

struct Wakering;

impl Runtime for Wakering {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = wakering::spawn(future);
        async { task.await.expect("the task does not panic") }
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        wakering::spawn(wakering::time::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        wakering::time::sleep(time)
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, mut receiver) = local::channel(room);
        let task = wakering::spawn(async move {
            for number in 0..count {
                let _ = sender.send(number).await;
            }
        });
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        task.await.expect("the task does not panic");
        sum
    }
}
