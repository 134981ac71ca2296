//! Streams out of code that awaits.

use std::cell::Cell;
use std::future::pending;
use std::panic::AssertUnwindSafe;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use wakering_runtime::stream::{Yielder, generate};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{Runtime, join, select, spawn};

use crate::{MS, Witness, message, within_bounds};

/// Given a generator that notes how far it is, when values are asked for one by one, then it begins
/// with the first question and goes on with each, not before.
#[test]
fn a_generator_goes_on_when_it_is_asked() {
    within_bounds(async {
        let at = Cell::new(0);
        let mut numbers = generate(async |numbers| {
            for number in 1..=3 {
                at.set(number);
                sleep(MS).await;
                numbers.emit(number * 10).await;
            }
            at.set(4);
        });
        yield_now().await;
        assert_eq!(at.get(), 0, "nobody has asked");
        for number in 1..=3 {
            assert_eq!(numbers.next().await, Some(number * 10));
            sleep(2 * MS).await;
            assert_eq!(at.get(), number, "it went on by itself");
        }
        assert_eq!(numbers.next().await, None);
        assert_eq!(at.get(), 4);
        assert_eq!(numbers.next().await, None, "a stream that is over stays over");
    });
}

/// Given items that may fail, when one does, then helpers for such streams end there.
#[test]
fn items_may_be_results() {
    within_bounds(async {
        let parsed = |texts: &'static [&str]| {
            generate(async move |numbers: &Yielder<Result<u8, std::num::ParseIntError>>| {
                for text in texts {
                    numbers.emit(text.parse()).await;
                }
            })
        };
        assert_eq!(parsed(&["1", "2"]).try_collect::<Vec<_>>().await, Ok(vec![1, 2]));
        let mut fails = parsed(&["1", "x", "3"]);
        assert_eq!(fails.try_next().await, Ok(Some(1)));
        assert!(fails.try_next().await.is_err());
        assert_eq!(fails.try_next().await, Ok(Some(3)), "what an error means is for the caller");
    });
}

/// Given a body that waits or has emitted, when its stream is dropped, then what it holds is.
#[test]
fn a_dropped_stream_drops_its_body() {
    within_bounds(async {
        let witness = Witness::default();
        let stream = |guard| {
            generate(async move |values| {
                let _guard = guard;
                values.emit(1).await;
                pending::<()>().await;
            })
        };
        drop(stream(witness.guard()));
        assert_eq!(witness.drops(), 1);
        let mut emitted = stream(witness.guard());
        assert_eq!(emitted.next().await, Some(1));
        drop(emitted);
        assert_eq!(witness.drops(), 2);
        let mut waits = stream(witness.guard());
        assert_eq!(waits.next().await, Some(1));
        assert!(timeout(MS, waits.next()).await.is_err());
        drop(waits);
        assert_eq!(witness.drops(), 3);
        let mut returns = generate(async |values: &Yielder<()>| {
            let _guard = witness.guard();
            let _ = values;
        });
        assert_eq!(returns.next().await, None);
        assert_eq!(witness.drops(), 4, "a body that has returned is dropped before its stream");
        drop(returns);
    });
}

/// Given a wait for the next value that is dropped again and again, when the value comes, then it is
/// the next one all the same.
#[test]
fn waiting_for_the_next_value_is_strict() {
    within_bounds(async {
        let mut numbers = generate(async |numbers| {
            for number in 0..5 {
                for _ in 0..5 {
                    yield_now().await;
                }
                numbers.emit(number).await;
            }
        });
        let (mut received, mut given_up) = (Vec::new(), 0);
        loop {
            select! {
                biased;
                number = numbers.next() => match number {
                    Some(number) => received.push(number),
                    None => break,
                },
                () = yield_now() => given_up += 1,
            }
        }
        assert_eq!(received, [0, 1, 2, 3, 4]);
        assert!(given_up >= 5, "{given_up}");
    });
}

/// Given futures of one body that emit beside each other, polled together or by wakers of their own,
/// when values are asked for, then each comes once.
#[test]
fn emitting_takes_turns() {
    within_bounds(async {
        let three = async |values: &Yielder<u32>, first: u32| {
            for number in first..first + 3 {
                values.emit(number).await;
            }
        };
        let joined = generate(async |values| {
            join!(three(values, 0), three(values, 10));
        });
        let mut joined: Vec<_> = joined.collect().await;
        joined.sort();
        assert_eq!(joined, [0, 1, 2, 10, 11, 12]);

        let unordered = generate(async |values| {
            let all: FuturesUnordered<_> = (0..4).map(|n| three(values, 10 * n)).collect();
            all.collect::<Vec<()>>().await;
        });
        let mut unordered: Vec<_> = unordered.collect().await;
        unordered.sort();
        assert_eq!(unordered, [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32]);
    });
}

/// Given an emit that is given up after its value has changed hands, when the stream is asked, then
/// the value comes.
#[test]
fn what_was_emitted_is_the_streams() {
    within_bounds(async {
        let numbers = generate(async |numbers| {
            assert!(numbers.emit(1).now_or_never().is_none());
            assert!(numbers.emit(2).now_or_never().is_none(), "there is no room before 1 is taken");
        });
        assert_eq!(numbers.collect::<Vec<_>>().await, [1]);
    });
}

/// Given a consumer that asks for values without waiting in between, when it counts its polls, then
/// there is about one a value: nobody is woken for nothing.
#[test]
fn an_emit_wakes_nobody() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let consumer = spawn(async {
            let mut numbers = generate(async |numbers| {
                for number in 0..1000 {
                    numbers.emit(number).await;
                }
            });
            while numbers.next().await.is_some() {}
        });
        consumer.await.unwrap();
    });
    let polls = runtime.metrics().polls;
    assert!(polls <= 2, "{polls} polls");
}

#[test]
fn a_panic_of_the_body_is_that_of_whoever_asks() {
    within_bounds(async {
        let mut numbers = generate(async |numbers| {
            numbers.emit(1).await;
            panic!("in the body");
        });
        assert_eq!(numbers.next().await, Some(1));
        let panic = AssertUnwindSafe(numbers.next()).catch_unwind().await;
        assert_eq!(message(panic.unwrap_err()), "in the body");
    });
}
