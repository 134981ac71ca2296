//! What it costs, and whose code runs when.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use wakering_runtime::sync::{Event, Mutex, Notify, RwLock, Semaphore, channel, local};

use super::Probe;
use crate::alloc::calls;
use crate::within_bounds;

#[test]
fn what_need_not_wait_allocates_nothing() {
    within_bounds(async {
        let (mutex, lock, semaphore) = (Mutex::new(0), RwLock::new(0), Semaphore::new(2));
        let (event, notify, (sender, mut receiver)) = (Event::new(), Notify::new(), channel(1));
        event.set();
        let mut round = async || {
            *mutex.lock().await += 1;
            *lock.write().await += 1;
            assert!(*lock.read().await > 0);
            drop(semaphore.acquire_many(2).await.unwrap());
            event.wait().await;
            notify.notify_one();
            notify.notified().await;
            sender.send(1).await.unwrap();
            assert_eq!(receiver.recv().await, Some(1));
        };
        // The queue of a channel grows once.
        round().await;
        let before = calls();
        for _ in 0..100 {
            round().await;
        }
        assert_eq!(calls() - before, 0);
    });
}

#[test]
fn waiting_in_a_list_that_was_used_allocates_nothing() {
    let event = Event::new();
    let mut probes: Vec<_> = (0..40).map(|_| Probe::new(event.wait())).collect();
    let (used, fresh) = probes.split_at_mut(20);
    for probe in used.iter_mut() {
        assert!(probe.poll().is_pending());
    }
    event.set();
    event.clear();
    for probe in used {
        assert!(probe.poll().is_ready());
    }
    let before = calls();
    for probe in fresh {
        assert!(probe.poll().is_pending());
    }
    assert_eq!(calls() - before, 0);
}

thread_local! {
    static SEMAPHORE: Rc<local::Semaphore> = Rc::new(local::Semaphore::new(0));
}

/// A waker that looks at the semaphore whenever it is woken or dropped, which a lock that is held
/// would not let it.
struct Nosy;

impl Nosy {
    fn look(&self) {
        SEMAPHORE.with(|semaphore| assert!(semaphore.try_acquire_many(9).is_err()));
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

#[test]
fn wakers_are_woken_and_dropped_when_no_lock_is_held() {
    let semaphore = SEMAPHORE.with(Rc::clone);
    let nosy = || Waker::from(Arc::new(Nosy));
    let mut acquire = Box::pin(semaphore.acquire());
    // Each takes the place of the one before, which nobody else has.
    for _ in 0..2 {
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
    }
    drop(acquire);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
    for acquire in &mut waiting {
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
    }
    semaphore.add_permits(2);
    drop(waiting);
    assert_eq!(semaphore.available_permits(), 2);
    semaphore.forget_permits(2);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
    for acquire in &mut waiting {
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
    }
    semaphore.close();
    for mut acquire in waiting {
        assert!(acquire.as_mut().poll(&mut Context::from_waker(&nosy())).is_ready());
    }
}
