//! Rows of futures that run others within themselves, and of `select!`, `join!` and `try_join!`.

use std::time::Duration;

use futures_util::StreamExt;
use wakering::driver::testing::{StoppedClock, in_child};
use wakering::stream::{Stream, generate};
use wakering::task::yield_now;
use wakering::time::{advance, sleep};
use wakering::{fs, join, select, task_local, try_join};

use crate::row;

const MS: Duration = Duration::from_millis(1);

task_local! {
    static NUMBER: u32;
}

/// Two values, and between them waits for timers and files.
fn slow() -> impl Stream<Item = u32> + Unpin {
    generate(async |numbers| {
        sleep(MS).await;
        numbers.emit(1).await;
        fs::metadata(".").await.unwrap();
        numbers.emit(2).await;
    })
}

#[test]
fn values_and_generators() {
    in_child("inner::values_and_generators", || {
        row("runtime::LocalKey::scope", async || {
            let waits = async {
                sleep(MS).await;
                yield_now().await;
                NUMBER.get()
            };
            assert_eq!(NUMBER.scope(1, waits).await, 1);
            assert!(NUMBER.try_with(|_| ()).is_err());
        });
        row("runtime::Yielder::emit", async || slow().collect::<Vec<_>>().await);
    });
}

#[test]
fn paused_time() {
    in_child("inner::paused_time", || {
        let _clock = StoppedClock::new();
        // Of the feature `testing`, so that it is not among the futures which need a row.
        row("time::advance", async || advance(MS).await);
    });
}

#[test]
fn several_at_once() {
    in_child("inner::several_at_once", || {
        row("select!", async || {
            let (mut numbers, mut rounds) = (slow(), 0);
            loop {
                select! {
                    number = numbers.next() => if number.is_none() { break },
                    _ = fs::metadata(".") => rounds += 1,
                }
            }
            rounds
        });
        row("join!", async || join!(sleep(MS), fs::metadata("."), yield_now()));
        row("try_join!", async || {
            let fails = async {
                yield_now().await;
                fs::metadata("is not there").await
            };
            try_join!(fs::metadata("."), fails).unwrap_err()
        });
    });
}
