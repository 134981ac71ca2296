//! The comparison's programs on compio, as it comes, with as many entries as the others.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files.
mod files;

use std::future::Future;
use std::io;
use std::time::Duration;

use compio::driver::ProactorBuilder;
use compio::runtime::RuntimeBuilder;
use local_sync::mpsc::bounded;
use stage::{Job, Runtime, repeat};

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let mut proactor = ProactorBuilder::new();
    proactor.capacity(4096);
    RuntimeBuilder::new().with_proactor(proactor).build()?.block_on(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Http => serve::http().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                let task = compio::runtime::spawn(repeat::run::<Compio>(what));
                task.await.map_err(|_| io::Error::other("the task has panicked"))
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    })
}

struct Compio;

impl Runtime for Compio {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = compio::runtime::spawn(future);
        async { task.await.ok().expect("the task does not panic") }
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        compio::runtime::spawn(compio::time::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        compio::time::sleep(time)
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, mut receiver) = bounded::channel(room);
        let task = compio::runtime::spawn(async move {
            for number in 0..count {
                let _ = sender.send(number).await;
            }
        });
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        task.await.ok().expect("the task does not panic");
        sum
    }
}
