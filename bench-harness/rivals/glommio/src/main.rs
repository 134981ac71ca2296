//! The comparison's programs on glommio, as it comes, on no processor in particular.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files.
mod files;

use std::future::Future;
use std::io;
use std::time::Duration;

use glommio::channels::local_channel;
use glommio::{LocalExecutorBuilder, Placement};
use stage::{Job, Runtime, repeat};

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let executor = LocalExecutorBuilder::new(Placement::Unbound).make()?;
    executor.run(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Http => serve::http().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                glommio::spawn_local(repeat::run::<Glommio>(what)).await;
                Ok(())
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    })
}

struct Glommio;

impl Runtime for Glommio {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        glommio::spawn_local(future)
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        glommio::spawn_local(glommio::timer::sleep(time))
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> {
        glommio::timer::sleep(time)
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, receiver) = local_channel::new_bounded(room);
        let task = glommio::spawn_local(async move {
            for number in 0..count {
                let _ = sender.send(number).await;
            }
        });
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        task.await;
        sum
    }
}
