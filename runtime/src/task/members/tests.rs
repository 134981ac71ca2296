//! Members against a small model, and woken from elsewhere.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use wakering_ring_driver::testing::patience;

use super::*;

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// What a member does when it is polled, as told from outside.
#[derive(Default)]
struct Script {
    waker: RefCell<Option<Waker>>,
    polls: Cell<u32>,
    is_done: Cell<bool>,
}

fn member(index: usize, script: &Rc<Script>) -> Boxed<usize> {
    let script = script.clone();
    Box::pin(poll_fn(move |cx| {
        script.polls.update(|polls| polls + 1);
        *script.waker.borrow_mut() = Some(cx.waker().clone());
        if script.is_done.get() { Poll::Ready(index) } else { Poll::Pending }
    }))
}

#[test]
fn a_set_without_members_is_over() {
    let members = Members::<Boxed<()>>::new();
    assert!(members.poll_next(&mut Context::from_waker(Waker::noop())).is_ready());
}

/// Given a member that wakes itself in each poll, when the set is polled, then everybody who was
/// ready has one turn, and whoever polls is told to come again.
#[test]
fn a_member_that_is_always_ready_has_one_turn_a_round() {
    let polls = Rc::new(Cell::new(0));
    let greedy = polls.clone();
    let members = Members::<Boxed<()>>::new();
    members.insert(Box::pin(poll_fn(move |cx| {
        greedy.update(|polls| polls + 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    })));
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    for round in 1..=3 {
        assert!(members.poll_next(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!((polls.get(), count.get()), (round, round));
    }
}

#[test]
fn members_that_complete_in_one_round_come_in_the_order_of_their_wakes() {
    let scripts = [(); 3].map(|()| Rc::new(Script::default()));
    let members: Members<_> =
        scripts.iter().enumerate().map(|(index, script)| member(index, script)).collect();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(members.poll_next(&mut cx).is_pending());
    for index in [2, 0, 1] {
        scripts[index].is_done.set(true);
        scripts[index].waker.take().unwrap().wake();
    }
    for expected in [2, 0, 1] {
        let Poll::Ready(Some(index)) = members.poll_next(&mut cx) else { panic!() };
        assert_eq!(index, expected);
    }
    assert!(members.is_empty());
}

/// Given wakers of members, when the set is gone, then they wake nobody and keep nothing but
/// themselves.
#[test]
fn wakers_that_outlive_the_set_keep_no_member() {
    let script = Rc::new(Script::default());
    let count = Arc::new(Count::default());
    let members = Members::new();
    members.insert(member(0, &script));
    let waker = Waker::from(count.clone());
    assert!(members.poll_next(&mut Context::from_waker(&waker)).is_pending());
    let (own, ready) = (script.waker.take().unwrap(), Arc::downgrade(&members.ready));
    // Rung, and named in the queue.
    own.wake_by_ref();
    assert_eq!(count.get(), 1);
    assert!(members.poll_next(&mut Context::from_waker(&waker)).is_pending());
    drop(script.waker.take());
    drop(members);
    assert_eq!(Rc::strong_count(&script), 1, "the member is gone");
    own.wake_by_ref();
    assert_eq!(count.get(), 1);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    drop(own);
    assert_eq!(ready.strong_count(), 0, "queue and bells kept each other");
}

/// Members whose drops panic end one by one.
#[test]
fn drops_that_panic_are_one_panic() {
    struct Bad(Arc<Count>);
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.clone().wake();
            panic!("dropped");
        }
    }
    let count = Arc::new(Count::default());
    let members = Members::<Boxed<()>>::new();
    for _ in 0..3 {
        let bad = Bad(count.clone());
        members.insert(Box::pin(async move {
            let _bad = bad;
            std::future::pending().await
        }));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(members))).is_err());
    assert_eq!(count.get(), 3);
}

/// Another thread sets a flag, in no order with anything else, and then wakes; the member looks
/// at the flag when it is polled. Each flag is seen, whether or not the wake finds the member
/// woken already.
#[test]
fn no_wake_from_afar_is_lost() {
    let (sender, wakers) = mpsc::channel::<(Waker, Arc<AtomicUsize>)>();
    let other = thread::spawn(move || {
        for (waker, flag) in wakers {
            for value in 1..=20 {
                flag.store(value, Ordering::Relaxed);
                waker.wake_by_ref();
            }
        }
    });
    let end = Instant::now() + patience(Duration::from_millis(500));
    let mut rounds = 0;
    while Instant::now() < end {
        rounds += 1;
        let flag = Arc::new(AtomicUsize::new(0));
        let (seen, sender) = (flag.clone(), sender.clone());
        let members = Members::<Boxed<()>>::new();
        let mut is_sent = false;
        members.insert(Box::pin(poll_fn(move |cx| {
            if !std::mem::replace(&mut is_sent, true) {
                sender.send((cx.waker().clone(), seen.clone())).unwrap();
            }
            if seen.load(Ordering::Relaxed) == 20 { Poll::Ready(()) } else { Poll::Pending }
        })));
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut known = 0;
        let bound = Instant::now() + patience(Duration::from_secs(10));
        while members.poll_next(&mut Context::from_waker(&waker)).is_pending() {
            while count.get() == known {
                assert!(Instant::now() < bound, "round {rounds}: a wake was lost");
                std::hint::spin_loop();
            }
            known = count.get();
        }
    }
    drop(sender);
    other.join().unwrap();
    assert!(rounds > 10, "{rounds} rounds are no race");
}

#[derive(Clone, Debug)]
enum Step {
    Insert,
    Wake(usize),
    /// Says that a member is done, and wakes it.
    Finish(usize),
    /// Wakes by the wakers that members had before they were over, too.
    WakeOld(usize),
    WakeAll,
    Poll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Insert),
        4 => any::<usize>().prop_map(Step::Wake),
        2 => any::<usize>().prop_map(Step::Finish),
        2 => any::<usize>().prop_map(Step::WakeOld),
        1 => Just(Step::WakeAll),
        5 => Just(Step::Poll),
    ]
}

/// What the model knows of a member.
struct Known {
    script: Rc<Script>,
    is_woken: bool,
    is_over: bool,
}

proptest! {
    /// Given any order of steps, a member is polled once for all the wakes before that, and not
    /// without one; it completes if it was told to; whoever polls is woken whenever there is
    /// something to do; and in the end nothing is kept.
    #[test]
    fn a_set_does_what_its_model_does(steps in proptest::collection::vec(step(), 0..200)) {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let members = Members::new();
        let mut known: Vec<Known> = Vec::new();
        let mut old: Vec<Waker> = Vec::new();
        // How often whoever polls had been woken when it last found nothing to do.
        let mut left_at = None;
        for step in steps {
            let alive: Vec<usize> =
                (0..known.len()).filter(|&index| !known[index].is_over).collect();
            let pick = |at: usize| alive.get(at % alive.len().max(1)).copied();
            let wake = |known: &mut Known| {
                if let Some(waker) = &*known.script.waker.borrow() {
                    waker.wake_by_ref();
                    known.is_woken = true;
                }
            };
            match step {
                Step::Insert => {
                    let script = Rc::new(Script::default());
                    members.insert(member(known.len(), &script));
                    known.push(Known { script, is_woken: true, is_over: false });
                }
                Step::Wake(at) => {
                    if let Some(index) = pick(at) {
                        wake(&mut known[index]);
                    }
                }
                Step::Finish(at) => {
                    if let Some(index) = pick(at) {
                        known[index].script.is_done.set(true);
                        wake(&mut known[index]);
                    }
                }
                Step::WakeOld(at) => {
                    if let Some(waker) = old.get(at % old.len().max(1)) {
                        waker.wake_by_ref();
                    }
                }
                Step::WakeAll => {
                    members.wake_all();
                    alive.iter().for_each(|&index| known[index].is_woken = true);
                }
                Step::Poll => {
                    let before: Vec<u32> =
                        known.iter().map(|known| known.script.polls.get()).collect();
                    let mut over = Vec::new();
                    let all = loop {
                        match members.poll_next(&mut Context::from_waker(&waker)) {
                            Poll::Ready(Some(index)) => over.push(index),
                            Poll::Ready(None) => break true,
                            Poll::Pending => break false,
                        }
                    };
                    for (index, known) in known.iter_mut().enumerate() {
                        let polls = known.script.polls.get() - before[index];
                        let expected = u32::from(known.is_woken && !known.is_over);
                        prop_assert_eq!(polls, expected, "polls of {}", index);
                        let completes = expected == 1 && known.script.is_done.get();
                        prop_assert_eq!(over.contains(&index), completes);
                        known.is_over |= completes;
                        known.is_woken = false;
                        if completes {
                            old.extend(known.script.waker.take());
                            prop_assert_eq!(Rc::strong_count(&known.script), 1);
                        }
                    }
                    prop_assert_eq!(all, known.iter().all(|known| known.is_over));
                    left_at = (!all).then(|| count.get());
                }
            }
            let has_work = known.iter().any(|known| known.is_woken && !known.is_over);
            if let Some(left_at) = left_at.filter(|_| has_work) {
                prop_assert!(count.get() > left_at, "a wake was lost");
            }
            prop_assert_eq!(members.len(), known.iter().filter(|k| !k.is_over).count());
        }
        let ready = Arc::downgrade(&members.ready);
        drop(members);
        drop(waker);
        prop_assert_eq!(Arc::strong_count(&count), 1);
        for known in &known {
            prop_assert_eq!(Rc::strong_count(&known.script), 1);
            known.script.waker.take();
        }
        drop(old);
        prop_assert_eq!(ready.strong_count(), 0);
    }
}
