//! What the small things cost on this machine: `cargo run --release -p wakering-runtime --example measure`.
//! With an argument, only what has that in its name.
//!
//! Each figure is the median of several runs. On a machine that does other work at the same time
//! they say little; lateness of a sleep includes the time the kernel takes to run the thread again.

use std::future::poll_fn;
use std::hint;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::cpu_time;
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::sync::local;
use wakering_runtime::task::{self, yield_now};
use wakering_runtime::time::{Instant, sleep, timeout};
use wakering_runtime::{Runtime, SetupError, spawn};

fn main() -> Result<(), SetupError> {
    let runtime = Runtime::new()?;
    let only = std::env::args().nth(1).unwrap_or_default();
    let wants = |name: &str| name.contains(&only);
    let per_op = |name: &str, count: u32, took: &mut dyn FnMut() -> Duration| {
        if !wants(name) {
            return;
        }
        let mut runs: Vec<_> = (0..11).map(|_| took()).collect();
        runs.sort();
        println!(
            "{name:<44} {:>8.0} ns",
            runs[runs.len() / 2].as_nanos() as f64 / f64::from(count)
        );
    };

    const MANY: u32 = 100_000;
    const OPERATIONS: u32 = 10_000_000 / 11;
    per_op("spawn and join, one task at a time", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY {
                spawn(async {}).await.unwrap();
            }
        })
    });
    per_op("spawn and join, 1000 tasks at a time", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY / 1000 {
                let tasks: Vec<_> = (0..1000).map(|_| spawn(async {})).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        })
    });
    per_op("spawn and join, 10000 tasks at a time", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY / 10_000 {
                let tasks: Vec<_> = (0..10_000).map(|_| spawn(async {})).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        })
    });
    per_op("the same tasks in a group", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY / 10_000 {
                task::group(async |group| {
                    for _ in 0..10_000 {
                        drop(group.spawn(async { Ok::<_, ()>(()) }));
                    }
                    Ok(())
                })
                .await
                .unwrap();
            }
        })
    });
    per_op("the same futures in a scope", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY / 10_000 {
                task::scope(async |scope| {
                    for _ in 0..10_000 {
                        drop(scope.spawn(async {}));
                    }
                })
                .await;
            }
        })
    });
    per_op("yield_now, one task", MANY, &mut || {
        timed(&runtime, async {
            let task = spawn(async {
                for _ in 0..MANY {
                    yield_now().await;
                }
            });
            task.await.unwrap();
        })
    });
    per_op("yield_now, 1000 tasks", MANY, &mut || {
        timed(&runtime, async {
            let task = || async {
                for _ in 0..MANY / 1000 {
                    yield_now().await;
                }
            };
            let tasks: Vec<_> = (0..1000).map(|_| spawn(task())).collect();
            for task in tasks {
                task.await.unwrap();
            }
        })
    });
    per_op("a local channel, an item", MANY, &mut || timed(&runtime, pass_on(MANY)));
    per_op("a local oneshot and a task that sends", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY {
                let (sender, receiver) = local::oneshot::channel();
                spawn(async move { sender.send(1).unwrap() });
                receiver.await.unwrap();
            }
        })
    });
    per_op("nop, 64 at a time", OPERATIONS, &mut || timed(&runtime, nops(OPERATIONS)));
    per_op("a timeout that does not expire", MANY, &mut || {
        timed(&runtime, async {
            for _ in 0..MANY {
                timeout(Duration::from_secs(5), yield_now()).await.unwrap();
            }
        })
    });
    for running in [100, 100_000] {
        let name = format!("start and drop a sleep among {running}");
        per_op(&name, MANY, &mut || runtime.block_on(start_and_drop(running, MANY)));
    }
    per_op("100,000 tasks that sleep, processor time", MANY, &mut || {
        let used = cpu_time();
        runtime.block_on(sleepers(MANY));
        cpu_time() - used
    });
    per_op("cancel and drain a receive, 1000 tasks at once", 1000, &mut || {
        runtime.block_on(cancel_receives(1000))
    });
    per_op("a wake from another thread and back", 10_000, &mut || ping_pong(&runtime, 10_000));

    const LATENESS: &str = "lateness of a lone sleep of 1 ms";
    if wants(LATENESS) {
        let mut late: Vec<_> = (0..300).map(|_| runtime.block_on(lateness())).collect();
        late.sort();
        let (median, p90) = (late[late.len() / 2], late[late.len() * 9 / 10]);
        println!("{LATENESS:<44} {median:>8.1?}, p90 {p90:.1?}");
    }
    const SIZE: &str = "a sleeping task among a million";
    if wants(SIZE) {
        println!("{SIZE:<44} {:>8} bytes", runtime.block_on(bytes_of_sleepers(1_000_000)));
    }
    Ok(())
}

async fn lateness() -> Duration {
    let deadline = Instant::now() + Duration::from_millis(1);
    sleep(Duration::from_millis(1)).await;
    deadline.elapsed()
}

/// What each of `count` tasks takes that sleep.
async fn bytes_of_sleepers(count: usize) -> usize {
    let before = resident_bytes();
    let _tasks: Vec<_> = (0..count).map(|_| spawn(sleep(Duration::from_secs(600)))).collect();
    yield_now().await;
    (resident_bytes() - before) / count
}

/// One task sends, the other receives.
async fn pass_on(items: u32) {
    let (sender, mut receiver) = local::channel(1024);
    let sending = spawn(async move {
        for item in 0..items {
            sender.send(item).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(item) = receiver.recv().await {
        sum += u64::from(item);
    }
    sending.await.unwrap();
    assert_eq!(sum, u64::from(items) * u64::from(items - 1) / 2);
}

/// Tasks that sleep for up to 100 ms each.
async fn sleepers(count: u32) {
    let micros = |at: u32| u64::from(at.wrapping_mul(2_654_435_761) % 100_000);
    let tasks: Vec<_> =
        (0..count).map(|at| spawn(sleep(Duration::from_micros(micros(at))))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Operations that cost nothing themselves, so that what is counted and charged beside them shows.
async fn nops(count: u32) {
    const BATCH: u32 = 64;
    let task = spawn(async move {
        let mut batch = Vec::with_capacity(BATCH as usize);
        for _ in 0..count / BATCH {
            batch.extend((0..BATCH).map(|_| op::nop()));
            poll_fn(|cx| {
                batch.retain_mut(|nop| Pin::new(nop).poll(cx).is_pending());
                if batch.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    });
    task.await.unwrap();
}

/// The processor time of `work`, which is less disturbed than time is by what else runs.
fn timed(runtime: &Runtime, work: impl Future<Output = ()>) -> Duration {
    let before = cpu_time();
    runtime.block_on(work);
    cpu_time() - before
}

/// Starts and drops `count` sleeps while `running` others run.
async fn start_and_drop(running: u32, count: u32) -> Duration {
    poll_fn(|cx| {
        let mut start = |micros: u32| {
            let mut sleep = sleep(Duration::from_secs(60) + Duration::from_micros(micros.into()));
            assert!(Pin::new(&mut sleep).poll(cx).is_pending());
            sleep
        };
        let _others: Vec<_> =
            (0..running).map(|at| start(at.wrapping_mul(7919) % 1_000_000)).collect();
        let begun = Instant::now();
        for at in 0..count {
            drop(start(at.wrapping_mul(104_729) % 1_000_000));
        }
        Poll::Ready(begun.elapsed())
    })
    .await
}

/// Ends `count` tasks, each of which waits for bytes.
async fn cancel_receives(count: usize) -> Duration {
    let driver = Driver::current().unwrap();
    let mut peers = Vec::new();
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (near, far) = UnixStream::pair().unwrap();
            peers.push(far);
            let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
            spawn(async move { op::recv(&fd, vec![0; 64]).await.map(|_| ()) })
        })
        .collect();
    sleep(Duration::from_millis(5)).await;
    let begun = Instant::now();
    for task in &tasks {
        assert!(task.cancel());
    }
    for task in tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    begun.elapsed()
}

/// A task and a thread wake each other in turn; the thread spins, the loop sleeps.
fn ping_pong(runtime: &Runtime, rounds: usize) -> Duration {
    let flag = Arc::new(AtomicBool::new(false));
    let theirs = flag.clone();
    let (sender, receiver) = mpsc::channel::<Waker>();
    let other = thread::spawn(move || {
        let waker = receiver.recv().unwrap();
        for _ in 0..rounds {
            while !theirs.load(Ordering::Acquire) {
                hint::spin_loop();
            }
            theirs.store(false, Ordering::Release);
            waker.wake_by_ref();
        }
    });
    let start = Instant::now();
    runtime.block_on(async move {
        let task = spawn(async move {
            let own = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            sender.send(own).unwrap();
            for _ in 0..rounds {
                flag.store(true, Ordering::Release);
                poll_fn(
                    |_| if flag.load(Ordering::Acquire) { Poll::Pending } else { Poll::Ready(()) },
                )
                .await;
            }
        });
        task.await.unwrap();
    });
    other.join().unwrap();
    start.elapsed()
}
