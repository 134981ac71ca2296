//! The comparison's programs on smol: an executor of one thread, driven by the reactor's.

#![forbid(unsafe_code)]

/// Servers.
mod serve;
/// Files, by its pool of threads.
mod files;

use std::cell::OnceCell;
use std::future::Future;
use std::io;
use std::time::Duration;

use smol::{LocalExecutor, Task};
use stage::{Job, Runtime, repeat};

thread_local! {
    static EXECUTOR: OnceCell<&'static LocalExecutor<'static>> = const { OnceCell::new() };
}

fn main() -> io::Result<()> {
    let job = Job::from_args();
    let executor: &'static LocalExecutor<'static> = Box::leak(Box::default());
    EXECUTOR.with(|cell| _ = cell.set(executor));
    smol::block_on(executor.run(async {
        match job {
            Job::Echo(buffer) => serve::echo(buffer).await,
            Job::Http => serve::http().await,
            Job::Udp(buffer) => serve::udp(buffer).await,
            Job::FanOut(buffer) => serve::fan_out(buffer).await,
            Job::Repeat(what) => {
                spawn(repeat::run::<Smol>(what)).await;
                Ok(())
            }
            Job::Files { .. } => files::run(job).await,
            job => job.cannot(),
        }
    }))
}

/// Spawns a task on this thread.
fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    EXECUTOR.with(|cell| cell.get().expect("main has set it").spawn(future))
}

struct Smol;

impl Runtime for Smol {
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn(future)
    }

    fn spawn_sleep(time: Duration) -> impl Future {
        spawn(smol::Timer::after(time))
    }

    async fn sleep(time: Duration) {
        smol::Timer::after(time).await;
    }

    async fn pass(count: u64, room: usize) -> u64 {
        let (sender, receiver) = smol::channel::bounded(room);
        let task = spawn(async move {
            for number in 0..count {
                let _ = sender.send(number).await;
            }
        });
        let mut sum = 0;
        while let Ok(number) = receiver.recv().await {
            sum += number;
        }
        task.await;
        sum
    }
}
