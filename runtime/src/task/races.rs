//! The races of a task: wakes, cancellation, joining and the end.
//!
//! Home is played by the test, which holds the key and looks at its inbox when it pleases.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wakering_ring_driver::Deliver;

use super::cell::{self, Joiner, Progress, TaskRef};
use super::state::Wake;
use super::{JoinError, Parcel, TaskInfo};
use crate::home::{AtHome, HomeKey, Inbox};
use crate::model::{Woken, atomic, finish, model, thread};
use crate::primitive::Mutex;

use atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the messages that the home thread has not looked at.
struct Letterbox(Mutex<usize>);

impl Inbox for Letterbox {
    fn push(&self, _message: Arc<dyn Deliver>) -> Result<(), Arc<dyn Deliver>> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
}

struct Home {
    letters: Arc<Letterbox>,
    _at_home: AtHome,
    key: HomeKey,
}

impl Home {
    fn new() -> Home {
        let letters = Arc::new(Letterbox(Mutex::new(0)));
        let key = HomeKey::new(letters.clone(), Arc::new(|_| {}));
        Home { letters, _at_home: key.enter(), key }
    }

    fn spawn<F: Future + 'static>(&self, future: F) -> (TaskRef, Joiner<F::Output>) {
        let here = Location::caller();
        alone(cell::new(&self.key, || TaskInfo::new(None, here), future))
    }

    /// A task whose cell keeps `name` until it is freed.
    fn spawn_named<F: Future + 'static>(
        &self,
        name: &Arc<String>,
        future: F,
    ) -> (TaskRef, Joiner<F::Output>) {
        let info = TaskInfo::new(Some(name.clone()), Location::caller());
        alone(cell::new(&self.key, || info, future))
    }

    /// What the executor does with a task that comes out of its queue.
    fn turn(&self, task: &TaskRef) -> bool {
        let waker = task.waker();
        let progress = task.advance(&self.key, &mut Context::from_waker(&waker));
        if progress == Progress::Ended {
            task.clone().complete(&self.key);
        }
        progress == Progress::Ended
    }

    /// Looks at the inbox; the task is over afterwards, or waits.
    fn look(&self) -> (usize, bool) {
        let letters = std::mem::take(&mut *self.letters.0.lock().unwrap());
        let mut ended = false;
        if letters > 0 {
            for task in self.key.home().take_called(Vec::new()) {
                if task.header().arrive() == Wake::Push {
                    ended |= self.turn(&task);
                }
            }
        }
        (letters, ended)
    }
}

/// A task that nobody else keeps.
fn alone<T>(([task, _kept], joiner): ([TaskRef; 2], Joiner<T>)) -> (TaskRef, Joiner<T>) {
    (task, joiner)
}

/// An output that counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls until there is an output, giving the others their turn in between.
fn join<T>(joiner: &mut Joiner<T>) -> Result<T, JoinError> {
    finish(|cx| joiner.poll(cx))
}

#[test]
fn a_wake_is_never_lost_and_publishes_what_was_written_before_it() {
    model(|| {
        let home = Home::new();
        let is_ready = Arc::new(AtomicBool::new(false));
        let seen = is_ready.clone();
        let (task, joiner) = home.spawn(poll_fn(move |_| {
            if seen.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
        let waker = task.waker().clone();
        let other = thread::spawn(move || {
            is_ready.store(true, Ordering::Relaxed);
            waker.wake();
        });
        let ended = home.turn(&task);
        other.join().unwrap();
        let (letters, ended_later) = home.look();
        assert!(ended ^ ended_later, "it ends once");
        assert!(letters <= 1);
        assert!(joiner.is_done());
    });
}

#[test]
fn a_future_that_borrows_from_itself_is_woken_and_polled_where_it_lies() {
    model(|| {
        let home = Home::new();
        let (task, mut joiner) = home.spawn(async {
            let words = String::from("in place");
            let borrowed = words.as_str();
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                let waker = cx.waker().clone();
                thread::spawn(move || waker.wake());
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            borrowed.len()
        });
        let mut ended = home.turn(&task);
        while !ended {
            thread::yield_now();
            ended = home.look().1;
        }
        assert_eq!(join(&mut joiner).unwrap(), 8);
    });
}

#[test]
fn two_wakers_queue_a_task_once() {
    model(|| {
        let home = Home::new();
        let (task, _joiner) = home.spawn(poll_fn(|_| Poll::<()>::Pending));
        assert!(!home.turn(&task));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let waker = task.waker().clone();
                thread::spawn(move || waker.wake_by_ref())
            })
            .collect();
        let (early, _) = home.look();
        for other in others {
            other.join().unwrap();
        }
        let (late, _) = home.look();
        assert!((1..=2).contains(&(early + late)));
        assert!(early <= 1 && late <= 1, "queued twice");
    });
}

#[test]
fn a_cancellation_from_afar_takes_effect_or_comes_too_late() {
    model(|| {
        let home = Home::new();
        let is_ready = Arc::new(AtomicBool::new(false));
        let seen = is_ready.clone();
        let (task, mut joiner) = home.spawn(poll_fn(move |_| {
            if seen.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
        let waker = task.waker().clone();
        let canceller = thread::spawn(move || {
            is_ready.store(true, Ordering::Relaxed);
            waker.wake();
            let first = joiner.cancel();
            assert!(!joiner.cancel(), "only the first request counts");
            (first, join(&mut joiner))
        });
        let mut ended = home.turn(&task);
        while !ended {
            thread::yield_now();
            ended |= home.look().1;
        }
        let (was_first, output) = canceller.join().unwrap();
        assert!(!home.look().1, "it ends once");
        match output {
            Ok(()) => {}
            Err(error) => assert!(error.is_cancelled() && was_first),
        }
    });
}

#[test]
fn whoever_joins_is_woken_or_finds_the_output() {
    model(|| {
        let home = Home::new();
        let (task, mut joiner) = home.spawn(async { 42 });
        let other = thread::spawn(move || {
            let first = Arc::new(Woken::default());
            let waker = Waker::from(first.clone());
            match joiner.poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => output,
                // Another waker takes the place of the first, which may or may not be woken.
                Poll::Pending => join(&mut joiner),
            }
        });
        assert!(home.turn(&task));
        assert_eq!(other.join().unwrap().unwrap(), 42);
    });
}

#[test]
fn an_output_is_dropped_once_whoever_goes_first() {
    model(|| {
        let home = Home::new();
        let drops = Arc::new(AtomicUsize::new(0));
        let output = Counted(drops.clone());
        let (task, mut joiner) = home.spawn(async move { output });
        let other = thread::spawn(move || {
            let waker = Waker::from(Arc::new(Woken::default()));
            if let Poll::Ready(output) = joiner.poll(&mut Context::from_waker(&waker)) {
                drop(output);
            }
            drop(joiner);
        });
        assert!(home.turn(&task));
        other.join().unwrap();
        drop(task);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_parcel_is_taken_in_or_refused() {
    model(|| {
        let home = Home::new();
        let drops = Arc::new(AtomicUsize::new(0));
        let captured = Counted(drops.clone());
        let info = TaskInfo::new(None, Location::caller());
        let make = move || async move { drop(captured) };
        let (task, mut joiner) = cell::new_parcel(home.key.home(), info, make);
        let parcel = Parcel(task.clone());
        let other = thread::spawn(move || drop(parcel));
        let is_ours = task.header().claim_parcel();
        if is_ours {
            assert!(home.turn(&task));
        }
        other.join().unwrap();
        let output = joiner.poll(&mut Context::from_waker(Waker::noop()));
        match output {
            Poll::Ready(Ok(())) => assert!(is_ours),
            Poll::Ready(Err(error)) => assert!(error.is_runtime_gone() && !is_ours),
            Poll::Pending => panic!("nobody has decided its fate"),
        }
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn references_that_change_sides_free_the_cell_in_the_end() {
    model(|| {
        let home = Home::new();
        let name = Arc::new(String::from("kept by the cell"));
        let (task, joiner) = home.spawn_named(&name, async {});
        let waker = task.waker().clone();
        let (here, there) = (waker.clone(), waker.clone());
        let other = thread::spawn(move || {
            let more = there.clone();
            drop(there);
            more
        });
        drop(joiner);
        drop(here);
        assert!(home.turn(&task));
        drop(task);
        drop(other.join().unwrap());
        assert_eq!(Arc::strong_count(&name), 2, "somebody refers to it still");
        drop(waker);
        assert_eq!(Arc::strong_count(&name), 1, "the cell is not freed");
    });
}

#[test]
fn the_last_reference_is_dropped_by_one_of_those_who_drop_it_at_the_same_time() {
    model(|| {
        let home = Home::new();
        let name = Arc::new(String::from("kept by the cell"));
        let (task, joiner) = home.spawn_named(&name, async {});
        let waker = task.waker().clone();
        let others = [thread::spawn(move || drop(waker)), thread::spawn(move || drop(joiner))];
        assert!(home.turn(&task));
        drop(task);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(Arc::strong_count(&name), 1, "the cell is not freed");
    });
}

#[test]
fn a_handle_that_waited_at_home_waits_elsewhere() {
    model(|| {
        let home = Home::new();
        let (task, mut joiner) = home.spawn(async { 42 });
        let woken = Waker::from(Arc::new(Woken::default()));
        assert!(joiner.poll(&mut Context::from_waker(&woken)).is_pending());
        let other = thread::spawn(move || join(&mut joiner));
        assert!(home.turn(&task));
        assert_eq!(other.join().unwrap().unwrap(), 42);
    });
}

#[test]
fn a_handle_that_comes_home_goes_on_there() {
    model(|| {
        let home = Home::new();
        let name = Arc::new(String::from("kept by the cell"));
        let (task, mut joiner) = home.spawn_named(&name, async { 42 });
        let caller = task.waker().clone();
        let other = thread::spawn(move || {
            let woken = Waker::from(Arc::new(Woken::default()));
            assert!(joiner.poll(&mut Context::from_waker(&woken)).is_pending());
            caller.wake();
            joiner
        });
        let mut joiner = other.join().unwrap();
        assert!(home.turn(&task));
        assert!(!home.look().1, "it ends once");
        drop(task);
        assert_eq!(join(&mut joiner).unwrap(), 42);
        drop(joiner);
        assert_eq!(Arc::strong_count(&name), 1, "the cell is not freed");
    });
}

#[cfg(loom)]
#[test]
#[should_panic(expected = "Causality violation")]
fn loom_detects_what_these_tests_are_about() {
    /// Shared as if somebody had seen to it that nobody touches it at the same time.
    struct Racy(crate::primitive::UnsafeCell<u32>);
    #[allow(unsafe_code)]
    // SAFETY: none; loom is asked to notice.
    unsafe impl Sync for Racy {}
    #[allow(unsafe_code)]
    // SAFETY: as above.
    unsafe impl Send for Racy {}

    model(|| {
        let racy = Arc::new(Racy(crate::primitive::UnsafeCell::new(0)));
        let other = {
            let racy = racy.clone();
            thread::spawn(move || racy.0.with_mut(|_| {}))
        };
        racy.0.with_mut(|_| {});
        other.join().unwrap();
    });
}
