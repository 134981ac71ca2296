//! Sleeping, ticking, and not waiting longer.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op::{self, Domain, SocketKind};
use wakering_ring_driver::testing::{CheckingBuf, patience, ring_or_skip};
use wakering_ring_driver::{Backend, Driver, Fd, Sharing, Wait};
use wakering_runtime::blocking::unblock;
use wakering_runtime::task::{with_cleanup, yield_now};
use wakering_runtime::time::{
    Deadline, Elapsed, Instant, Interval, MissedTickBehavior, Sleep, interval, sleep, sleep_until,
    timeout, timeout_at,
};
use wakering_runtime::{Builder, spawn};

use crate::{MS, Witness, alloc, bounded, played, runtime, stubborn, within_bounds};

/// Given sleeps of 30, 10, 20, 20 and 20 ms, when they run, then they end in the order of their
/// deadlines, equal ones in the order in which they began, and none early.
#[test]
fn case_z01_sleeps_end_by_deadline_and_never_early() {
    let order = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        // All of them sleep before the first one ends.
        let start = Instant::now() + patience(50 * MS);
        let twenty = start + 20 * MS;
        let deadlines = [
            ("30", start + 30 * MS),
            ("10", start + 10 * MS),
            ("a", twenty),
            ("b", twenty),
            ("c", twenty),
        ];
        let tasks = deadlines.map(|(name, deadline)| {
            let order = order.clone();
            spawn(async move {
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline, "{name} is early");
                order.borrow_mut().push(name);
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*order.borrow(), ["10", "a", "b", "c", "30"]);
}

#[test]
fn a_hundred_thousand_sleeps_wake_in_the_order_of_their_deadlines() {
    // They are to sleep all before the first one ends, which takes a slow machine longer.
    let leads = [200, 800, 3200, 12_800, 51_200].map(Duration::from_millis);
    assert!(leads.into_iter().any(sleep_a_hundred_thousand_times), "this machine is too slow");
}

/// False if some had not begun after `lead`.
fn sleep_a_hundred_thousand_times(lead: Duration) -> bool {
    const COUNT: usize = 100_000;
    let runtime = runtime();
    let before = alloc::bytes();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut woken = Vec::new();
    let mut in_time = false;
    runtime.block_on(async {
        let base = Instant::now() + lead;
        let order = Rc::new(RefCell::new(Vec::with_capacity(COUNT)));
        let tasks: Vec<_> = (0..COUNT)
            .map(|_| {
                // xorshift
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let deadline = base + Duration::from_micros(1000 + seed % 99_000);
                let order = order.clone();
                spawn(async move {
                    sleep_until(deadline).await;
                    assert!(Instant::now() >= deadline, "early");
                    order.borrow_mut().push(deadline);
                })
            })
            .collect();
        spawn(yield_now()).await.unwrap();
        in_time = Instant::now() < base;
        if in_time {
            for task in tasks {
                task.await.unwrap();
            }
            woken = order.take();
        }
    });
    if in_time {
        assert_eq!(woken.len(), COUNT);
        assert!(woken.is_sorted());
    }
    drop(woken);
    drop(runtime);
    let kept = alloc::bytes() - before;
    assert!(kept <= 0, "{kept} bytes are lost");
    in_time
}

/// Given a million timers of which 99 of 100 are cancelled, when the rest is still pending, then the
/// memory of the others is back.
#[test]
fn case_z04_cancelled_timers_give_their_memory_back() {
    const COUNT: usize = 1_000_000;
    let runtime = runtime();
    let before = alloc::bytes();
    runtime.block_on(poll_fn(|cx| {
        let mut sleeps: Vec<Option<Sleep>> = (0..COUNT)
            .map(|at| Some(sleep(Duration::from_secs(3600) + Duration::from_micros(at as u64))))
            .collect();
        let of_the_futures = alloc::bytes() - before;
        for sleep in sleeps.iter_mut().flatten() {
            assert!(Pin::new(sleep).poll(cx).is_pending());
        }
        let full = alloc::bytes() - before - of_the_futures;
        assert_eq!(runtime.metrics().timers, COUNT);
        for (at, sleep) in sleeps.iter_mut().enumerate() {
            if at % 100 != 0 {
                *sleep = None;
            }
        }
        let kept = alloc::bytes() - before - of_the_futures;
        assert_eq!(runtime.metrics().timers, COUNT / 100);
        println!("{full} bytes for {COUNT} timers, {kept} for the {} left", COUNT / 100);
        assert!(kept * 5 < full, "{kept} of {full} bytes are kept for a hundredth of the timers");
        drop(sleeps);
        assert!(alloc::bytes() - before < 64 * 1024);
        Poll::Ready(())
    }));
}

/// Given a sleep without an end and one of ages, when they are cancelled, then they end like any
/// other.
#[test]
fn case_z03_a_sleep_for_ever_is_cancelled_like_any_other() {
    within_bounds(async {
        let endless = spawn(sleep(Duration::MAX));
        let far = spawn(sleep(Duration::from_secs(u64::MAX / 4)));
        sleep(MS).await;
        assert!(!endless.is_finished() && !far.is_finished());
        assert!(endless.cancel() && far.cancel());
        assert!(endless.await.unwrap_err().is_cancelled());
        assert!(far.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_sleep_that_is_over_before_it_begins_does_not_wait() {
    let runtime = runtime();
    runtime.block_on(async {
        assert!(futures_util::poll!(pin!(sleep(Duration::ZERO))).is_ready());
        assert!(futures_util::poll!(pin!(sleep_until(Instant::now() - MS))).is_ready());
    });
    assert_eq!(runtime.metrics().timers, 0);
}

#[test]
fn a_dropped_sleep_is_forgotten() {
    let runtime = runtime();
    runtime.block_on(async {
        let mut pending = pin!(sleep(Duration::from_secs(60)));
        assert!(futures_util::poll!(pending.as_mut()).is_pending());
        assert_eq!(runtime.metrics().timers, 1);
        pending.set(sleep(Duration::ZERO));
        assert_eq!(runtime.metrics().timers, 0);
    });
}

#[test]
fn a_sleep_polled_by_another_runtime_wakes_there() {
    let (first, second) = (runtime(), runtime());
    let mut sleep = sleep(patience(100 * MS));
    first.block_on(async { assert!(futures_util::poll!(&mut sleep).is_pending()) });
    assert_eq!(first.metrics().timers, 1);
    second.block_on(async {
        assert!(futures_util::poll!(&mut sleep).is_pending());
        assert_eq!((first.metrics().timers, second.metrics().timers), (0, 1));
        bounded(sleep).await;
    });
}

#[test]
fn a_sleep_that_is_reset_follows_its_new_deadline() {
    within_bounds(async {
        let mut watchdog = sleep(Duration::from_secs(60));
        assert!(futures_util::poll!(&mut watchdog).is_pending());
        let deadline = Instant::now() + 2 * MS;
        watchdog.reset(deadline);
        (&mut watchdog).await;
        assert!(Instant::now() >= deadline);
        watchdog.reset(Instant::now() + Duration::from_secs(60));
        assert!(futures_util::poll!(&mut watchdog).is_pending(), "it runs again");
    });
}

/// Given sleeps of 10 ms, 1 ms and so on to 0.1 ns, when they run one after the other, then the loop
/// has gone round at most twenty times, and none was early.
#[test]
fn case_z02_sleeps_of_any_length_cost_few_turns() {
    let runtime = runtime();
    let start = runtime.metrics().driver.waits;
    runtime.block_on(async {
        for exponent in 2..=10 {
            let length = Duration::from_secs_f64(10f64.powi(-exponent));
            let begun = Instant::now();
            sleep(length).await;
            assert!(begun.elapsed() >= length, "early");
        }
    });
    let waits = runtime.metrics().driver.waits - start;
    assert!(waits <= 20, "{waits} waits for 9 sleeps");
}

/// Given two thousand sleeps of 20 to 40 ms, each due 10 µs after another one; when they run; then
/// the loop gets up for them no more than once in 200 µs, and none is early.
#[test]
fn long_sleeps_that_end_close_together_cost_few_turns() {
    const COUNT: u32 = 2000;
    let runtime = runtime();
    let sleeping = runtime.block_on(bounded(async {
        let start = Instant::now() + patience(20 * MS);
        let sleeps: Vec<_> = (0..COUNT)
            .map(|number| {
                let deadline = start + 20 * MS + number * Duration::from_micros(10);
                spawn(async move {
                    sleep_until(deadline).await;
                    assert!(Instant::now() >= deadline, "{number} is early");
                })
            })
            .collect();
        sleep_until(start + 10 * MS).await;
        let begun = (Instant::now(), Driver::current().unwrap().counters().waits);
        for sleep in sleeps {
            sleep.await.unwrap();
        }
        begun
    }));
    let (begun, waits) = sleeping;
    let waits = runtime.metrics().driver.waits - waits;
    let most = begun.elapsed().as_micros() as u64 / 200 + 10;
    assert!(waits <= most, "the loop slept {waits} times, not {most}");
}

#[test]
fn a_value_that_is_ready_in_the_poll_that_finds_the_time_over_wins() {
    within_bounds(async {
        assert_eq!(timeout(Duration::ZERO, async { 42 }).await, Ok(42));
        let past = Instant::now() - MS;
        assert_eq!(timeout_at(past, async { 42 }).await, Ok(42));
        let polls = Cell::new(0);
        let never = poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        assert!(timeout(Duration::ZERO, never).await.is_err());
        assert_eq!(polls.get(), 1, "a zero timeout polls once");
    });
}

#[test]
fn futures_of_timeouts_and_cleanups_hold_their_bodies_once() {
    let body = || async {
        let large = [0_u8; 4096];
        yield_now().await;
        large.len()
    };
    let single = size_of_val(&body());
    let nested = timeout(MS, timeout(MS, with_cleanup(timeout(MS, body()), async |_| {})));
    assert!(size_of_val(&nested) < single + 1024, "{} of {single}", size_of_val(&nested));
}

/// Given a timeout whose time is over from the start; when it is awaited; then its body is polled
/// once, gets what is there, and the kernel sees nothing of what it would have to wait for.
#[test]
fn case_o03_a_timeout_without_time_hands_nothing_to_the_kernel() {
    let (runtime, memory, fd) = played();
    runtime.block_on(async {
        let limits = [Instant::now(), Instant::now() - MS];
        for limit in limits {
            assert!(timeout_at(limit, op::recv(&fd, vec![0; 8])).await.is_err());
            assert!(timeout_at(limit, op::send(&fd, b"nothing".to_vec())).await.is_err());
            assert!(timeout_at(limit, op::nop()).await.is_err());
        }
        assert!(timeout(Duration::ZERO, op::recv(&fd, vec![0; 8])).await.is_err());
        assert!(memory.next_request().is_none(), "the kernel has seen something");
        assert_eq!(timeout(Duration::ZERO, async { 42 }).await, Ok(42));

        // What a receive that was dropped has brought is there already.
        let mut dropped = op::recv(&fd, vec![0; 8]);
        assert!(futures_util::poll!(&mut dropped).is_pending());
        memory.next_request().unwrap().receive(b"bytes");
        sleep(patience(5 * MS)).await;
        drop(dropped);
        let (n, _) = timeout(Duration::ZERO, op::recv(&fd, vec![0; 8])).await.unwrap().unwrap();
        assert_eq!(n, 5);

        // A body that gives itself more time starts what was held.
        let deadline = Deadline::at(Instant::now());
        let body = async {
            let received = op::recv(&fd, vec![0; 8]);
            deadline.reset(Instant::now() + patience(Duration::from_secs(5)));
            received.await.unwrap().0
        };
        let sender = spawn({
            let memory = memory.clone();
            async move {
                loop {
                    if let Some(request) = memory.next_request() {
                        break request.receive(b"late");
                    }
                    yield_now().await;
                }
            }
        });
        assert_eq!(deadline.limit(body).await, Ok(4));
        sender.await.unwrap();
    });
}

/// Given a receive under a timeout, when its bytes have come and its time is over before the loop
/// looks, then the bytes win, also if the task is polled for another reason before that.
#[test]
fn case_o11_a_completion_that_is_there_wins_against_its_timeout() {
    within_bounds(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let driver = Driver::current().unwrap();
        let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
        let limit = patience(20 * MS);
        for _ in 0..5 {
            let waker: Rc<Cell<Option<Waker>>> = Rc::default();
            let (reader, own) = (fd.clone(), waker.clone());
            let task = spawn(async move {
                let mut limited = pin!(timeout(limit, op::recv(&reader, vec![0; 8])));
                let received = poll_fn(|cx| {
                    own.set(Some(cx.waker().clone()));
                    limited.as_mut().poll(cx)
                });
                received.await.map(|received| received.unwrap().0)
            });
            yield_now().await;
            driver.turn(Wait::Now);
            far.write_all(b"in time").unwrap();
            thread::sleep(limit + MS);
            waker.take().unwrap().wake();
            assert_eq!(task.await.unwrap(), Ok(7));
        }
    });
}

/// The kernel, played by the test, does not give the operation back for a while.
#[test]
fn an_expired_timeout_drops_its_body_and_waits_for_what_that_left_behind() {
    let (runtime, memory, fd) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    let (buf, lent) = CheckingBuf::new(8);
    let kernel = memory.clone();
    runtime.block_on(async {
        let body = async move {
            let _guard = guard;
            let _ = op::recv(&fd, buf).await;
        };
        let limit = patience(20 * MS);
        let mut limited = pin!(timeout(limit, body));
        assert!(futures_util::poll!(limited.as_mut()).is_pending());
        sleep(2 * limit).await;
        assert!(futures_util::poll!(limited.as_mut()).is_pending(), "the kernel has the buffer");
        assert_eq!(witness.drops(), 1, "the body is gone");
        assert!(!lent.is_dropped());
        kernel.next_request().unwrap().receive(b"late");
        assert!(limited.await.is_err());
        assert!(lent.is_dropped());
    });
}

/// Given a disk that does not answer, when the timeout around a read expires, then it does not wait
/// for the disk, which has the buffer; the task does.
#[test]
fn an_expired_timeout_leaves_the_disk_to_its_task() {
    let (runtime, memory, fd) = stubborn();
    let (buf, lent) = CheckingBuf::new(8);
    let kernel = memory.clone();
    runtime.block_on(async {
        let expired = Rc::new(Cell::new(false));
        let seen = expired.clone();
        let task = spawn(async move {
            let read = timeout(60_000 * MS, op::read_at(&fd, buf, 0));
            assert!(timeout(patience(20 * MS), read).await.is_err());
            seen.set(true);
        });
        bounded(async {
            while !expired.get() {
                sleep(MS).await
            }
        })
        .await;
        assert!(!lent.is_dropped() && !task.is_finished(), "the kernel has the buffer");
        kernel.next_request().unwrap().receive(b"late");
        task.await.unwrap();
        assert!(lent.is_dropped());
    });
}

/// Given a ring that cannot connect, so that a connect which nobody answers blocks a thread of the
/// pool, when the timeout around it expires, then it does not wait for that thread.
#[test]
fn an_expired_timeout_leaves_system_calls_to_the_pool() {
    if !ring_or_skip("time::an_expired_timeout_leaves_system_calls_to_the_pool") {
        return;
    }
    let mask = std::env::var("WAKERING_CAPS").unwrap_or_default() + ",-connect";
    let ring = Builder::new().backend(Backend::Uring).capabilities(mask.parse().unwrap());
    let runtime = ring.build().unwrap();
    runtime.block_on(async {
        // Unix sockets alone wait for room in the queue of whom they connect to.
        let address =
            SocketAddr::from_abstract_name(format!("full-{}", std::process::id())).unwrap();
        let [listener, first, second] =
            [(); 3].map(|()| op::socket(Domain::Unix, SocketKind::Stream).now().unwrap());
        op::bind(&listener, &address).await.unwrap();
        op::listen(&listener, 0).await.unwrap();
        bounded(op::connect(&first, &address)).await.unwrap();
        let connecting = timeout(patience(20 * MS), op::connect(&second, &address));
        assert!(bounded(connecting).await.is_err(), "the queue has no room");
        // Which ends the call in the pool, for which the runtime waits.
        bounded(op::accept(&listener)).await.unwrap();
        drop(bounded(op::accept(&listener)).await.unwrap());
    });
}

/// Given a closure that blocks, when the timeout around it expires, then it goes on alone.
#[test]
fn an_expired_timeout_leaves_closures_to_the_pool() {
    let (begin, begun) = mpsc::channel();
    let (release, blocked) = mpsc::channel();
    let (finish, finished) = mpsc::channel();
    within_bounds(async {
        let mut body = unblock(move || {
            begin.send(()).unwrap();
            blocked.recv().unwrap();
            finish.send(()).unwrap();
        });
        assert!(futures_util::poll!(&mut body).is_pending());
        begun.recv_timeout(patience(Duration::from_secs(10))).unwrap();
        assert!(timeout(MS, body).await.is_err());
        assert!(finished.try_recv().is_err(), "it still runs");
        release.send(()).unwrap();
    });
    finished.recv_timeout(patience(Duration::from_secs(10))).unwrap();
}

#[test]
fn a_timeout_that_is_dropped_leaves_its_orphans_to_its_task() {
    let (runtime, memory, fd) = stubborn();
    let kernel = memory.clone();
    runtime.block_on(async {
        let task = spawn(async move {
            let mut limited = Box::pin(timeout(60_000 * MS, op::read_at(&fd, vec![0; 8], 0)));
            assert!(futures_util::poll!(limited.as_mut()).is_pending());
            drop(limited);
        });
        let request = timeout(patience(10_000 * MS), async {
            loop {
                sleep(2 * MS).await;
                if let Some(request) = kernel.next_request() {
                    return request;
                }
            }
        });
        let request = request.await.unwrap();
        assert!(!task.is_finished(), "the task waits for what the timeout left behind");
        request.receive(b"late");
        task.await.unwrap();
    });
}

#[test]
fn the_shorter_of_two_nested_timeouts_ends_the_body() {
    within_bounds(async {
        let inner = timeout(MS, timeout(60_000 * MS, pending::<()>())).await;
        assert!(inner.is_err());
        let outer = timeout(60_000 * MS, timeout(MS, pending::<()>())).await;
        assert!(matches!(outer, Ok(Err(Elapsed { .. }))));
    });
}

/// The times from the start at which an interval of 20 ms ticks, if nobody asks in time for the tick
/// that follows the first one.
async fn ticks_after_a_pause(behavior: MissedTickBehavior) -> (Interval, [Duration; 4]) {
    let mut interval = interval(20 * MS);
    interval.set_missed_tick_behavior(behavior);
    let start = interval.tick().await;
    thread::sleep(50 * MS);
    let mut ticks = [Duration::ZERO; 4];
    for tick in &mut ticks {
        *tick = interval.tick().await - start;
        assert!(start.elapsed() >= *tick, "early");
    }
    (interval, ticks)
}

#[test]
fn missed_ticks_come_late_or_not_at_all() {
    within_bounds(async {
        let (_, burst) = ticks_after_a_pause(MissedTickBehavior::Burst).await;
        assert_eq!(burst, [20 * MS, 40 * MS, 60 * MS, 80 * MS]);

        let (_, delay) = ticks_after_a_pause(MissedTickBehavior::Delay).await;
        assert_eq!(delay[0], 20 * MS);
        assert!(delay[1] >= 70 * MS && delay[2] >= delay[1] + 20 * MS);

        let (_, skip) = ticks_after_a_pause(MissedTickBehavior::Skip).await;
        assert_eq!(skip[0], 20 * MS);
        assert!(skip[1] >= 60 * MS, "those that were missed do not come");
        assert!(skip.iter().all(|tick| tick.as_nanos() % (20 * MS).as_nanos() == 0), "{skip:?}");
    });
}

#[test]
fn a_tick_that_was_not_awaited_to_its_end_is_the_next_one() {
    within_bounds(async {
        let period = patience(100 * MS);
        let mut interval = interval(period);
        let first = interval.tick().await;
        assert!(timeout(MS, interval.tick()).await.is_err());
        assert_eq!(interval.tick().await, first + period);
    });
}

#[test]
fn a_blocked_loop_makes_sleeps_late_but_not_lost() {
    within_bounds(async {
        let start = Instant::now();
        let tasks: Vec<_> = (1..=10).map(|n| spawn(sleep(n * MS))).collect();
        yield_now().await;
        thread::sleep(20 * MS);
        for task in tasks {
            task.await.unwrap();
        }
        assert!(start.elapsed() < patience(Duration::from_secs(5)));
    });
}

#[test]
fn a_driver_that_sleeps_past_writes_still_keeps_deadlines() {
    // A byte that comes while the loop sleeps must not disturb the timer that it sleeps for.
    within_bounds(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let driver = Driver::current().unwrap();
        let fd = Fd::adopt(&driver, near.into(), Sharing::Private).unwrap();
        let reader = spawn(async move {
            let mut sum = 0;
            while sum < 10 {
                sum += op::recv(&fd, vec![0; 1]).await.unwrap().0;
            }
        });
        let writer = thread::spawn(move || {
            for _ in 0..10 {
                thread::sleep(MS);
                far.write_all(b"x").unwrap();
            }
        });
        let deadline = Instant::now() + 15 * MS;
        sleep_until(deadline).await;
        assert!(Instant::now() >= deadline);
        reader.await.unwrap();
        writer.join().unwrap();
    });
}
