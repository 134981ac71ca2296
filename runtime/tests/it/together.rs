//! Several futures in one task: gathered, settled, raced, and waited for.

use std::cell::{Cell, RefCell};
use std::future::{Future, Ready, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_ring_driver::testing::{CheckingBuf, patience};
use wakering_runtime::task::{
    Attempt, FutureSet, When, completed, gather, race, race_staggered, settle, shield, wait,
    yield_now,
};
use wakering_runtime::time::{Elapsed, Instant, sleep, timeout, timeout_at};
use wakering_runtime::{run, spawn};

use crate::{MS, Witness, after, assert_waits, bounded, message, stubborn, within_bounds};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Given futures that take 20, 10 and 15 ms, when they are gathered, then their values are in the order
/// of the futures, after the time of the slowest.
#[test]
fn case_g01_values_come_in_the_order_of_the_futures() {
    within_bounds(async {
        let start = Instant::now();
        let futures = [20, 10, 15].map(async |ms| Ok::<_, ()>(after(ms * MS, ms).await));
        assert_eq!(gather(futures).await, Ok(vec![20, 10, 15]));
        assert!(start.elapsed() >= 20 * MS);
        assert!(start.elapsed() < patience(10_000 * MS));
    });
}

/// Given a future that fails after 10 ms and one with a receive in the kernel, when they are gathered,
/// then the second is dropped, and the error is there once the kernel has given the buffer back.
#[test]
fn case_g02_an_error_comes_out_after_the_siblings_were_drained() {
    let (runtime, kernel, fd) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    let (buf, lent) = CheckingBuf::new(8);
    runtime.block_on(bounded(async {
        let start = Instant::now();
        let receiving = Box::pin(async {
            let _guard = guard;
            op::recv(&fd, buf).await.map(drop).map_err(|_| "the receive")
        });
        let failing = Box::pin(async { Err(after(10 * MS, "the failing one").await) });
        let mut gathered =
            pin!(gather::<[Boxed<'_, Result<(), _>>; 2], _, _>([receiving, failing]));
        while witness.drops() == 0 {
            assert!(futures_util::poll!(gathered.as_mut()).is_pending());
            sleep(MS).await;
        }
        assert!(start.elapsed() >= 10 * MS);
        assert_waits(gathered.as_mut()).await;
        assert!(!lent.is_dropped());
        kernel.next_request().unwrap().receive(b"late");
        assert_eq!(gathered.await, Err("the failing one"));
        assert!(lent.is_dropped());
    }));
}

/// Given a task that gathers futures which have something in the kernel, when it is cancelled, then all
/// of them are dropped, and the task is over when the kernel is done with them.
#[test]
fn case_g04_cancelling_whoever_gathers_ends_all() {
    let (runtime, kernel, fd) = stubborn();
    let witness = Witness::default();
    let guards = [(); 3].map(|()| witness.guard());
    runtime.block_on(bounded(async {
        let mut task = spawn(async move {
            let futures = guards.into_iter().map(async |guard| {
                let _guard = guard;
                op::read_at(&fd, vec![0; 8], 0).await.map(drop)
            });
            gather(futures).await
        });
        yield_now().await;
        assert_eq!(kernel.in_flight(), 3);
        assert!(task.cancel());
        for left in (0..3).rev() {
            sleep(MS).await;
            assert_eq!(witness.drops(), 3);
            assert!(futures_util::poll!(&mut task).is_pending(), "the kernel has buffers");
            kernel.next_request().unwrap().receive(b"late");
            assert_eq!(kernel.in_flight(), left);
        }
        assert!(task.await.unwrap_err().is_cancelled());
    }));
}

/// Given a task that gathers a shielded future and another one, when it is cancelled, then the other one
/// is dropped, and the task is over once the shielded one has come to its end.
#[test]
fn case_g05_a_shielded_future_that_is_gathered_comes_to_its_end() {
    within_bounds(async {
        let witness = Witness::default();
        let guard = witness.guard();
        let ended = Rc::new(Cell::new(false));
        let inner = ended.clone();
        let mut task = spawn(async move {
            let committing = Box::pin(shield(async move {
                sleep(5 * MS).await;
                inner.set(true);
                Ok::<_, ()>(())
            }));
            let waiting = Box::pin(async {
                let _guard = guard;
                pending().await
            });
            gather::<[Boxed<'_, _>; 2], _, _>([committing, waiting]).await
        });
        yield_now().await;
        assert!(task.cancel());
        yield_now().await;
        assert!(futures_util::poll!(&mut task).is_pending());
        assert_eq!((witness.drops(), ended.get()), (1, false));
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(ended.get());
    });
}

#[test]
fn nothing_gathered_is_ready_at_once() {
    let nothing: [Ready<Result<(), ()>>; 0] = [];
    assert_eq!(run(gather(nothing)), Ok(vec![]));
    let nothing: [Ready<()>; 0] = [];
    assert!(run(settle(nothing)).is_empty());
}

#[test]
fn gathered_futures_run_in_their_task_beside_each_other_and_may_borrow() {
    within_bounds(async {
        let log = RefCell::new(Vec::new());
        let futures = ["a", "b"].map(async |name| {
            log.borrow_mut().push(format!("{name} begins"));
            yield_now().await;
            log.borrow_mut().push(format!("{name} ends"));
            Ok::<_, ()>(wakering_runtime::task::current().map(|task| task.id()))
        });
        assert_eq!(gather(futures).await, Ok(vec![None, None]), "`block_on` is no task");
        assert_eq!(*log.borrow(), ["a begins", "b begins", "a ends", "b ends"]);
    });
}

#[test]
fn the_first_error_in_time_comes_out() {
    within_bounds(async {
        let futures = [60_000, 2, 1].map(async |ms| Err::<(), _>(after(ms * MS, ms).await));
        assert_eq!(gather(futures).await, Err(1));
    });
}

/// Given ten thousand futures that are woken one by one, when they are gathered, then each is polled
/// once to begin and once when it was woken.
#[test]
fn each_future_is_polled_when_it_was_woken_only() {
    const FUTURES: usize = 10_000;
    within_bounds(async {
        let polls = Rc::new(Cell::new(0));
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let futures: Vec<_> = (0..FUTURES)
            .map(|index| {
                let (polls, wakers, mut begun) = (polls.clone(), wakers.clone(), false);
                poll_fn(move |cx| {
                    polls.update(|polls| polls + 1);
                    if std::mem::replace(&mut begun, true) {
                        return Poll::Ready(Ok::<_, ()>(index));
                    }
                    wakers.borrow_mut().push(cx.waker().clone());
                    Poll::Pending
                })
            })
            .collect();
        let gathered = spawn(gather(futures));
        while wakers.borrow().len() < FUTURES {
            yield_now().await;
        }
        let woken = wakers.take();
        for chunk in woken.chunks(100) {
            chunk.iter().for_each(Waker::wake_by_ref);
            yield_now().await;
        }
        assert_eq!(gathered.await.unwrap(), Ok((0..FUTURES).collect()));
        assert_eq!(polls.get(), 2 * FUTURES);
    });
}

/// Given a future that panics beside one with something in the kernel, when a task gathers them, then
/// the other one is dropped, and the panic comes out of the task after the kernel is done.
#[test]
fn a_panic_comes_out_after_the_siblings_were_drained() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(bounded(async {
        let mut task = spawn(async move {
            let reading = Box::pin(async { op::read_at(&fd, vec![0; 8], 0).await.map(drop) });
            let panicking = Box::pin(async {
                yield_now().await;
                panic!("out")
            });
            gather::<[Boxed<'_, _>; 2], _, _>([reading, panicking]).await
        });
        assert_waits(&mut task).await;
        kernel.next_request().unwrap().receive(b"late");
        assert_eq!(message(task.await.unwrap_err().into_panic().unwrap()), "out");
    }));
}

#[test]
fn settling_keeps_every_outcome_in_its_place() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("cleanup failed");
        }
    }
    within_bounds(async {
        let line = line!() + 1;
        let outcomes = settle([0, 1, 2, 3].map(async |member| {
            let _fails = (member == 3).then(|| Fails);
            sleep((4 - member) * MS).await;
            assert!(member != 1, "no luck");
            if member == 0 { Err("an error is a value") } else { Ok(member) }
        }))
        .await;
        let [first, second, third, fourth] = outcomes.try_into().unwrap();
        assert_eq!(first.unwrap(), Err("an error is a value"));
        let error = second.unwrap_err();
        assert_eq!(error.task().name(), Some("member 1 of settle"));
        assert_eq!(error.task().location().file(), file!());
        assert_eq!(error.task().location().line(), line);
        assert_eq!(message(error.into_panic().unwrap()), "no luck");
        assert_eq!(third.unwrap(), Ok(2), "it went on");
        assert_eq!(message(fourth.unwrap_err().into_panic().unwrap()), "cleanup failed");
    });
}

/// Given a race of a value and a receive that the kernel does not give back for a while, when the value
/// is there, then the receive is dropped, and the value comes out once the kernel is done.
#[test]
fn a_race_drops_and_drains_the_losers() {
    let (runtime, kernel, fd) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    runtime.block_on(bounded(async {
        let losing = Box::pin(async {
            let _guard = guard;
            op::recv(&fd, vec![0; 8]).await.map_or(0, |(n, _)| n)
        });
        let mut racing = pin!(race::<[Boxed<'_, usize>; 2]>([losing, Box::pin(ready(42))]));
        assert_waits(racing.as_mut()).await;
        assert_eq!(witness.drops(), 1);
        kernel.next_request().unwrap().receive(b"late");
        assert_eq!(racing.await, 42);
    }));
}

#[test]
fn the_first_of_those_that_are_ready_at_once_wins_a_race() {
    assert_eq!(run(race([1, 2, 3].map(ready))), 1);
    let nobody: [Ready<()>; 0] = [];
    let panic = catch_unwind(AssertUnwindSafe(|| run(race(nobody)))).unwrap_err();
    assert!(message(panic).contains("no futures"));
}

/// Given a staggered race in which the first attempt hangs, when the second one, begun 10 ms later,
/// gives a value, then that comes out, the first has been dropped, and the list says so.
#[test]
fn case_g09_a_staggered_race_begins_the_next_when_one_hangs() {
    let witness = Witness::default();
    let delay = 10 * MS;
    within_bounds(async {
        let start = Instant::now();
        let begun = RefCell::new(Vec::new());
        let makers = ["hangs", "answers", "never begins"].map(|name| {
            let (begun, witness) = (&begun, &witness);
            async move || {
                let _guard = witness.guard();
                begun.borrow_mut().push((name, start.elapsed()));
                if name == "hangs" { pending().await } else { Ok::<_, ()>(name) }
            }
        });
        let (winner, attempts) = race_staggered(delay, makers).await;
        assert_eq!(winner, Some("answers"));
        assert_eq!(attempts, [Attempt::Dropped, Attempt::Won]);
        assert_eq!(witness.drops(), 2);
        let begun = begun.take();
        assert_eq!([begun[0].0, begun[1].0], ["hangs", "answers"]);
        assert!(begun[1].1 >= delay && begun[0].1 < begun[1].1);
    });
}

#[test]
fn a_staggered_race_begins_the_next_at_once_when_one_fails() {
    within_bounds(async {
        let hour = Duration::from_secs(3600);
        let makers = [1, 2, 3].map(|n| {
            async move || {
                yield_now().await;
                Err::<(), _>(n)
            }
        });
        let (winner, attempts) = race_staggered(hour, makers).await;
        assert_eq!((winner, attempts), (None, [1, 2, 3].map(Attempt::Failed).to_vec()));
    });
}

/// Given two tasks in a set, when the first is done, then waiting for the first returns it alone, and the
/// other one runs on and can be waited for.
#[test]
fn case_g06_waiting_for_the_first_leaves_the_others_running() {
    within_bounds(async {
        let (release, ticks) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
        let (released, ticking) = (release.clone(), ticks.clone());
        let slow = spawn(async move {
            while !released.get() {
                ticking.update(|ticks| ticks + 1);
                sleep(MS).await;
            }
            "slow"
        });
        let mut set = completed([slow, spawn(after(2 * MS, "quick"))]);
        let ended = wait(&mut set, When::First, None).await;
        assert_eq!(ended.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["quick"]);
        let seen = ticks.get();
        while ticks.get() < seen + 3 {
            sleep(MS).await;
        }
        assert_eq!(set.len(), 1);
        assert!(!set.iter_mut().next().unwrap().is_finished());

        let deadline = Instant::now() + 2 * MS;
        assert!(wait(&mut set, When::All, Some(deadline)).await.is_empty(), "no error, no output");
        assert!(Instant::now() >= deadline);
        release.set(true);
        let rest = wait(&mut set, When::All, None).await;
        assert_eq!(rest.into_iter().map(Result::unwrap).collect::<Vec<_>>(), ["slow"]);
        assert!(set.is_empty());
        assert!(wait(&mut set, When::First, None).await.is_empty(), "nothing to wait for");
    });
}

#[test]
fn waiting_for_an_error_takes_values_along() {
    within_bounds(async {
        let mut set = completed([1, 2, 3, 60_000].map(async |ms: u32| {
            sleep(ms * MS).await;
            if ms == 2 { Err(ms) } else { Ok(ms) }
        }));
        let ended = wait(&mut set, When::FirstError, None).await;
        assert_eq!(ended[..2], [Ok(1), Err(2)]);
        assert_eq!(ended.len() + set.len(), 4);
        assert!(!set.is_empty());
    });
}

/// Given a wait that has seen outputs, when it is dropped, then they are given by whoever asks next.
#[test]
fn a_wait_that_is_dropped_loses_no_output() {
    within_bounds(async {
        let release = Cell::new(false);
        let mut set = completed([1, 2, 3].map(async |n| {
            while n == 3 && !release.get() {
                sleep(MS).await;
            }
            sleep(n * MS).await;
            Ok::<_, ()>(n)
        }));
        assert!(timeout(5 * MS, wait(&mut set, When::All, None)).await.is_err());
        assert_eq!(set.len(), 3);
        assert_eq!(set.next().await, Some(Ok(1)));
        assert_eq!(wait(&mut set, When::First, None).await, [Ok(2)]);
        assert!(timeout(MS, set.next()).await.is_err());
        release.set(true);
        assert_eq!(set.next().await, Some(Ok(3)));
        assert_eq!(set.next().await, None);
    });
}

/// Given four futures and a time for all, when it is over, then what was ready before came in the order
/// of completion, and after it there is an error; what was not ready goes on.
#[test]
fn case_g08_a_timeout_on_completed_futures_comes_after_those_that_were_ready() {
    within_bounds(async {
        let (late, never) = (patience(40 * MS), 60_000 * MS);
        let members = [(4, late), (3, never), (2, 2 * MS)];
        let mut set = completed(members.map(async |(name, delay)| after(delay, name).await));
        let deadline = Instant::now() + patience(200 * MS);
        let mut items = Vec::new();
        let error: Elapsed = loop {
            match timeout_at(deadline, set.next()).await {
                Ok(item) => items.push(item.unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(items, [2, 4]);
        assert!(!error.to_string().is_empty() && Instant::now() >= deadline);
        assert_eq!(set.len(), 1);
    });
}

/// Given operations of two members in the kernel, when a timeout around the next output is over, then it
/// returns at once, without ending either.
#[test]
fn a_timeout_around_the_next_output_leaves_the_members_alone() {
    let (runtime, kernel, fd) = stubborn();
    runtime.block_on(bounded(async {
        let mut set = FutureSet::new();
        set.extend([0, 8].map(|offset| op::read_at(&fd, vec![0; 8], offset)));
        assert!(timeout(patience(20 * MS), set.next()).await.is_err());
        assert_eq!(kernel.in_flight(), 2);
        kernel.next_request().unwrap().receive(b"bytes");
        assert_eq!(timeout(patience(1000 * MS), set.next()).await.unwrap().unwrap().unwrap().0, 5);
        assert_eq!(kernel.in_flight(), 1, "the other one is still wanted");
        kernel.next_request().unwrap().receive(b"more");
        assert_eq!(set.next().await.unwrap().unwrap().0, 4);
    }));
}
