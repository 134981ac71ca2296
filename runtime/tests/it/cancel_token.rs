//! Telling many that they shall stop.

use std::cell::RefCell;
use std::future::{pending, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_ring_driver::testing::CheckingBuf;
use wakering_runtime::spawn;
use wakering_runtime::task::{CancelToken, yield_now};
use wakering_runtime::time::timeout;

use crate::{Witness, assert_waits, bounded, stubborn, within_bounds};

#[test]
fn a_token_wakes_all_who_wait_in_their_order() {
    let order = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let token = CancelToken::new();
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let (cancelled, order) = (token.cancelled(), order.clone());
                spawn(async move {
                    cancelled.await;
                    order.borrow_mut().push(n);
                })
            })
            .collect();
        yield_now().await;
        assert!(order.borrow().is_empty());
        token.clone().cancel();
        for task in tasks {
            task.await.unwrap();
        }
        token.cancelled().await;
    });
    assert_eq!(*order.borrow(), [0, 1, 2]);
}

/// Given a family of tokens, when one is cancelled, then those below it are, those above and beside it
/// are not, also if a token between two is gone.
#[test]
fn a_token_is_cancelled_with_those_above_it() {
    let root = CancelToken::new();
    let (middle, beside) = (root.child_token(), root.child_token());
    let below = middle.child_token();
    let lone = root.child_token().child_token();
    middle.cancel();
    assert!(below.is_cancelled());
    assert!(![&root, &beside, &lone].into_iter().any(CancelToken::is_cancelled));
    within_bounds(async {
        let waiting = spawn(lone.cancelled());
        yield_now().await;
        root.cancel();
        waiting.await.unwrap();
    });
    assert!(beside.is_cancelled() && lone.is_cancelled());
    assert!(beside.child_token().is_cancelled(), "born cancelled");
}

#[test]
fn tokens_and_waits_that_are_gone_leave_nothing_behind() {
    let root = CancelToken::new();
    let kept = root.child_token();
    within_bounds(async {
        for _ in 0..100 {
            let child = root.child_token();
            assert!(timeout(Duration::ZERO, child.cancelled()).await.is_err());
            assert!(timeout(Duration::ZERO, root.cancelled()).await.is_err());
        }
    });
    let expected = "CancelToken { is_cancelled: false, waiting: 0, children: 1 }";
    assert_eq!(format!("{root:?}"), expected);
    drop(kept);
    assert!(format!("{root:?}").contains("children: 0"));
}

#[test]
fn a_deep_family_is_cancelled_and_dropped_without_recursion() {
    let root = CancelToken::new();
    let deepest = (0..200_000).fold(root.clone(), |token, _| token.child_token());
    let gone = (0..200_000).fold(CancelToken::new(), |token, _| token.child_token());
    drop(gone);
    root.cancel();
    assert!(deepest.is_cancelled());
    drop(root);
    drop(deepest);
}

/// Given a waker that comes back to the token when it is woken or dropped, when the token is cancelled or
/// waited for with another waker, then nothing is locked for ever.
#[test]
fn a_waker_may_come_back_to_its_token() {
    struct ComesBack(CancelToken);
    impl Wake for ComesBack {
        fn wake(self: Arc<Self>) {
            self.0.cancel();
            assert!(self.0.child_token().is_cancelled());
        }
    }
    impl Drop for ComesBack {
        fn drop(&mut self) {
            drop(self.0.child_token());
        }
    }
    let token = CancelToken::new();
    let mut cancelled = pin!(token.cancelled());
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(ComesBack(token.clone())));
        let polled = cancelled.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    token.cancel();
    assert_eq!(cancelled.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

#[test]
fn a_token_may_be_cancelled_from_any_thread() {
    within_bounds(async {
        for _ in 0..100 {
            let token = CancelToken::new();
            let (child, guard) = (token.child_token(), token.drop_guard());
            let elsewhere = thread::spawn(move || drop(guard));
            child.cancelled().await;
            elsewhere.join().unwrap();
        }
    });
}

/// Given a future with a receive that the kernel does not give back for a while, when the token is
/// cancelled, then the future is dropped, and there is no value once the kernel is done.
#[test]
fn what_runs_until_cancelled_is_dropped_and_drained() {
    let (runtime, memory, fd) = stubborn();
    let witness = Witness::default();
    let guard = witness.guard();
    let (buf, lent) = CheckingBuf::new(8);
    runtime.block_on(bounded(async {
        let token = CancelToken::new();
        let body = async {
            let _guard = guard;
            op::recv(&fd, buf).await.map(drop)
        };
        let mut running = pin!(token.run_until_cancelled(body));
        assert!(futures_util::poll!(running.as_mut()).is_pending());
        token.cancel();
        assert_waits(running.as_mut()).await;
        assert_eq!(witness.drops(), 1);
        assert!(!lent.is_dropped());
        memory.next_request().unwrap().receive(b"late");
        assert!(running.await.is_none());
        assert!(lent.is_dropped());
    }));
}

/// Given a token that is cancelled, when a future is run that has a value at once, then the value is not
/// lost.
#[test]
fn a_value_wins_against_a_cancelled_token() {
    within_bounds(async {
        let token = CancelToken::new();
        token.cancel();
        assert_eq!(token.run_until_cancelled(ready(42)).await, Some(42));
        assert_eq!(token.run_until_cancelled(pending::<()>()).await, None);
        let both = CancelToken::new();
        let body = async {
            yield_now().await;
            both.cancel();
            42
        };
        assert_eq!(both.run_until_cancelled(body).await, Some(42));
    });
}
