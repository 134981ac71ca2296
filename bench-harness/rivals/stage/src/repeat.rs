//! What is repeated without a network, the same on every runtime: each tells only how it spawns
//! and sleeps.

use std::future::Future;
use std::time::Duration;

use crate::console::Console;
use crate::job::Repeat;
use crate::wake::Caller;
use crate::yield_once;

/// A runtime, as far as it differs from the others.
pub trait Runtime {
    /// Spawns a task; what is returned resolves when it has ended.
    fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns a task that sleeps, as small as can be; what is returned resolves when it has ended, to
    /// whatever the runtime says of it.
    fn spawn_sleep(time: Duration) -> impl Future;

    /// Sleeps.
    fn sleep(time: Duration) -> impl Future<Output = ()>;

    /// Passes the numbers below `count` from a task to this one, through a channel of `room`.
    fn pass(count: u64, room: usize) -> impl Future<Output = u64>;
}

/// Repeats, slice by slice, until nobody asks any more.
///
/// Programs run it in a task: a runtime may do more for the future that it was started with, such as
/// looking at the kernel each time that one waits.
pub async fn run<R: Runtime>(repeat: Repeat) {
    let mut console = Console::ready(repeat.unit());
    let caller = (repeat == Repeat::Wake).then(Caller::new);
    let mut sleeping = Vec::new();
    while let Some(count) = console.next_slice() {
        let mut counted = None;
        match repeat {
            Repeat::SpawnAwait => {
                for _ in 0..count {
                    R::spawn(async {}).await;
                }
            }
            Repeat::SpawnBatch => {
                let unit = repeat.unit();
                let mut tasks = Vec::with_capacity(unit as usize);
                for _ in 0..count / unit {
                    tasks.extend((0..unit).map(|_| R::spawn(async {})));
                    for task in tasks.drain(..) {
                        task.await;
                    }
                }
            }
            Repeat::Yield => {
                let task = R::spawn(async move {
                    for _ in 0..count {
                        yield_once().await;
                    }
                });
                task.await;
            }
            Repeat::Channel => {
                let sum = R::pass(count, 128).await;
                assert_eq!(sum, count * (count - 1) / 2, "the channel loses numbers");
            }
            Repeat::Timers => {
                // Prime to 100,000, so that neighbours have deadlines far from each other.
                let sleep =
                    |at: u64| R::spawn_sleep(Duration::from_micros(1 + at * 7_919 % 100_000));
                for task in (0..count).map(sleep).collect::<Vec<_>>() {
                    let _ = task.await;
                }
            }
            Repeat::Sleep => {
                let mut late = Duration::ZERO;
                for _ in 0..count {
                    let start = std::time::Instant::now();
                    R::sleep(Duration::from_millis(1)).await;
                    late += start.elapsed().saturating_sub(Duration::from_millis(1));
                }
                counted = Some(late);
            }
            Repeat::Wake => {
                let caller = caller.as_ref().expect("the caller is there for this");
                let mut time = Duration::ZERO;
                for _ in 0..count {
                    time += caller.wake().await;
                }
                counted = Some(time);
            }
            Repeat::Sleeping => {
                let hour = Duration::from_secs(3_600);
                sleeping.extend((0..count).map(|_| R::spawn_sleep(hour)));
                // Long enough for each to have been polled, and shorter than an hour.
                R::sleep(Duration::from_millis(500)).await;
            }
        }
        match counted {
            Some(time) => console.done_in(count, time),
            None => console.done(count),
        }
    }
}
