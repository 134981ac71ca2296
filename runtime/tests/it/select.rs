//! The first of several futures, and what the code around it may do then.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use wakering_ring_driver::testing::patience;
use wakering_runtime::io::{AsyncRead, AsyncWrite, duplex};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{Instant, interval, sleep, sleep_until, timeout};
use wakering_runtime::{run, select};

use crate::{MS, Witness, message, parked, within_bounds};

/// Given branches of different types, when one is ready, then its handler has its output, and all
/// futures have been dropped by then.
#[test]
fn the_first_that_is_ready_is_handled_and_the_others_are_dropped() {
    within_bounds(async {
        let witness = Witness::default();
        let waits = async |guard| {
            pending::<()>().await;
            drop(guard);
        };
        let mut text = String::from("lent");
        let length = select! {
            () = waits(witness.guard()) => 0,
            () = waits(witness.guard()) => { 1 }
            lent = async { text.push('!'); &mut text } => {
                // Neither is borrowed any more, nor alive.
                assert_eq!(witness.drops(), 2);
                lent.len()
            },
            _ = pending::<Vec<u8>>() => unreachable!(),
        };
        assert_eq!((length, text.as_str()), (5, "lent!"));
    });
}

/// Given patterns that bind by move, mutably, by reference and not at all, when outputs fit, then
/// handlers get what they bind.
#[test]
fn patterns_bind_as_in_a_match() {
    within_bounds(async {
        let moved = select! { Some(text) = ready(Some(String::from("moved"))) => text };
        assert_eq!(moved, "moved");
        let changed = select! { mut text = ready(String::from("a")) => { text.push('b'); text } };
        assert_eq!(changed, "ab");
        let seen = select! { (ref text, _) = ready((String::from("abc"), 1)) => text.len() };
        assert_eq!(seen, 3);
        let number = select! { 1 | 2 = ready(2) => "few", _ = ready(()), if false => "never" };
        assert_eq!(number, "few");
        let whole = select! { all @ [_, .., _] = ready([1, 2, 3]) => all };
        assert_eq!(whole, [1, 2, 3]);
    });
}

/// Given outputs that do not fit their patterns, when they come, then their branches are disabled and
/// the others go on; when nothing is left, `else` runs.
#[test]
fn what_does_not_fit_disables_its_branch() {
    within_bounds(async {
        let polls = Cell::new(0);
        let counted = poll_fn(|_| {
            polls.update(|polls| polls + 1);
            Poll::Ready(None::<i32>)
        });
        let got = select! {
            biased;
            Some(number) = counted => number,
            () = sleep(2 * MS) => -1,
        };
        assert_eq!((got, polls.get()), (-1, 1), "a branch that is disabled is polled again");
        let got = select! {
            Some(number) = ready(None::<i32>) => number,
            Ok(number) = async { yield_now().await; Err::<i32, ()>(()) } => number,
            else => 42,
        };
        assert_eq!(got, 42);
    });
}

/// Given conditions, when they are false, then their futures are made and not polled.
#[test]
fn a_false_condition_disables_its_branch() {
    within_bounds(async {
        let order = RefCell::new(Vec::new());
        let note = |what: &'static str| order.borrow_mut().push(what);
        let made = |what| {
            note(what);
            async move { note("polled") }
        };
        let got = select! {
            () = made("first future"), if { note("condition"); false } => 1,
            () = made("second future"), if true => 2,
            else => 3,
        };
        assert_eq!(got, 2);
        assert_eq!(*order.borrow(), ["condition", "first future", "second future", "polled"]);
        let got = select! { () = ready(()), if got == 3 => 1, else => 2 };
        assert_eq!(got, 2);
    });
}

#[test]
fn without_an_else_it_panics_when_nothing_is_left() {
    let panic = catch_unwind(AssertUnwindSafe(|| {
        within_bounds(async {
            select! {
                Some(()) = ready(None) => {}
                () = pending(), if false => {}
            }
        })
    }));
    let text = message(panic.unwrap_err());
    assert_eq!(text, "all branches of a `select!` are disabled, and it has no `else`");
}

/// Given handlers in a loop of a fallible function, when they break with a label or without, go on,
/// await, fail or return, then they do so around the macro.
#[test]
fn handlers_belong_to_the_code_around_them() {
    async fn rounds(fail_at: u32, return_at: u32) -> Result<&'static str, std::num::ParseIntError> {
        let mut round = 0;
        'outer: loop {
            loop {
                round += 1;
                select! {
                    () = ready(()), if round == 1 => continue,
                    () = ready(()), if round == 2 => { continue 'outer }
                    () = ready(()), if round == 3 => break,
                    () = ready(()), if round == fail_at => {
                        "no number".parse::<u32>()?;
                    }
                    () = ready(()), if round == return_at => return Ok("returned"),
                    () = ready(()), if round > 10 => break 'outer,
                    else => yield_now().await,
                }
            }
            assert_eq!(round, 3);
        }
        Ok("broken")
    }
    within_bounds(async {
        assert!(rounds(5, 6).await.is_err());
        assert_eq!(rounds(0, 5).await, Ok("returned"));
        assert_eq!(rounds(0, 0).await, Ok("broken"));
        // So do expressions of futures.
        let fails = async {
            select! { () = sleep(MS * "x".parse::<u32>()?) => {} }
            Ok::<(), std::num::ParseIntError>(())
        };
        assert!(fails.await.is_err());
    });
}

/// Given a future that is selected by reference, when another branch wins, then it goes on in the
/// next round where it was.
#[test]
fn futures_by_reference_survive() {
    within_bounds(async {
        let mut work = pin!(async {
            for _ in 0..3 {
                sleep(2 * MS).await;
            }
            "done"
        });
        let mut once = sleep(MS);
        let (mut ticks, mut slept) = (interval(MS), false);
        let done = loop {
            select! {
                done = &mut work => break done,
                () = &mut once, if !slept => slept = true,
                _ = ticks.tick() => {}
            }
        };
        assert_eq!((done, slept), ("done", true));
    });
}

/// Given a read that loses every round against a tick, when its bytes come one by one, then none is
/// lost: it is Strict.
#[test]
fn a_strict_future_may_lose_every_round() {
    within_bounds(async {
        let (mut near, mut far) = duplex(4);
        let mut received = Vec::new();
        let mut to_send = (0..50).collect::<Vec<u8>>().into_iter();
        while received.len() < 50 {
            select! {
                read = near.read(Vec::with_capacity(4)) => received.extend(read.unwrap().1),
                () = yield_now() => {
                    if let Some(byte) = to_send.next() {
                        far.write_all(vec![byte]).await.unwrap();
                    }
                }
            }
        }
        assert_eq!(received, (0..50).collect::<Vec<u8>>());
    });
}

/// Given branches that are all always ready, when one is selected many times, then each wins about
/// as often as the others; under `biased;` only the first does.
#[test]
fn chance_decides_unless_it_is_biased() {
    within_bounds(async {
        let mut wins = [0; 4];
        for _ in 0..4000 {
            select! {
                () = ready(()) => wins[0] += 1,
                () = ready(()) => wins[1] += 1,
                () = ready(()) => wins[2] += 1,
                () = ready(()) => wins[3] += 1,
            }
        }
        assert!(wins.iter().all(|wins| (700..1300).contains(wins)), "{wins:?}");
        for _ in 0..100 {
            select! {
                biased;
                () = ready(()) => {}
                () = ready(()) => panic!("the first one was ready"),
            }
        }
    });
}

/// Given a branch that is always ready, when it runs in a loop beside a timer, then the timer gets
/// its turn.
#[test]
fn a_branch_that_is_always_ready_starves_no_other() {
    within_bounds(async {
        let end = Instant::now() + patience(5 * MS);
        let mut over = pin!(sleep_until(end));
        let mut rounds = 0u64;
        loop {
            select! {
                () = &mut over => break,
                () = async { yield_now().await } => rounds += 1,
            }
        }
        assert!(rounds > 0 && Instant::now() >= end);
    });
}

/// Given 32 branches, when each one in turn is the ready one, then it is the one that is handled.
#[test]
fn there_may_be_32_branches() {
    async fn at(branch: u32, ready: u32) -> u32 {
        poll_fn(|_| if branch == ready { Poll::Ready(branch) } else { Poll::Pending }).await
    }
    within_bounds(async {
        for i in 0..32 {
            let got = select! {
                n = at(0, i) => n, n = at(1, i) => n, n = at(2, i) => n, n = at(3, i) => n,
                n = at(4, i) => n, n = at(5, i) => n, n = at(6, i) => n, n = at(7, i) => n,
                n = at(8, i) => n, n = at(9, i) => n, n = at(10, i) => n, n = at(11, i) => n,
                n = at(12, i) => n, n = at(13, i) => n, n = at(14, i) => n, n = at(15, i) => n,
                n = at(16, i) => n, n = at(17, i) => n, n = at(18, i) => n, n = at(19, i) => n,
                n = at(20, i) => n, n = at(21, i) => n, n = at(22, i) => n, n = at(23, i) => n,
                n = at(24, i) => n, n = at(25, i) => n, n = at(26, i) => n, n = at(27, i) => n,
                n = at(28, i) => n, n = at(29, i) => n, n = at(30, i) => n, n = at(31, i) => n,
                else => 99,
            };
            assert_eq!(got, i);
        }
    });
}

/// Given selects in futures, handlers, conditions and `else`, when they run, then each has variables
/// and branches of its own.
#[test]
fn selects_nest() {
    within_bounds(async {
        let output = 1;
        let got = select! {
            n = async { select! { n = ready(output) => n + 1, else => 0 } } => {
                select! {
                    m = ready(n), if select! { yes = ready(true) => yes } => select! {
                        k = ready(m + output) => k,
                        () = pending() => 0,
                    },
                    else => select! { k = ready(0) => k },
                }
            }
        };
        assert_eq!(got, 3);
    });
}

/// Given a select that waits, when nothing is ready, then it is woken by whichever is first and
/// polls nothing in between.
#[test]
fn it_waits_without_spinning() {
    within_bounds(async {
        let polls = Cell::new(0);
        let counts = poll_fn(|_| {
            polls.update(|polls| polls + 1);
            Poll::<()>::Pending
        });
        select! {
            () = counts => unreachable!(),
            () = sleep(5 * MS) => {}
        }
        assert!(polls.get() <= 2, "{} polls", polls.get());
    });
}

/// Given a select under a timeout, when the time is over, then its futures are dropped.
#[test]
fn dropping_it_drops_its_futures() {
    within_bounds(async {
        let witness = Witness::default();
        let waits = parked::<()>(witness.guard());
        let selecting = async {
            select! { () = waits => {}, () = pending() => {} }
        };
        assert!(timeout(MS, selecting).await.is_err());
        assert_eq!(witness.drops(), 1);
    });
}

/// What is `Send` stays so: outputs live in no variable across an await.
#[test]
fn a_select_of_futures_that_may_be_sent_may_be_sent() {
    fn may_be_sent<F: Future + Send>(future: F) -> F {
        future
    }
    let not_to_be_sent = async { std::rc::Rc::new(1) };
    let selecting = may_be_sent(async {
        select! {
            n = ready(1) => n,
            () = pending() => 2,
        }
    });
    assert_eq!(run(selecting), 1);
    assert_eq!(
        run(async {
            select! { n = not_to_be_sent => *n }
        }),
        1
    );
}
