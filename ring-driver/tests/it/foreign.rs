//! Wakers are foreign code in all that they do: being cloned, woken or dropped, they may use the
//! driver of whoever keeps them.

#![allow(unsafe_code)]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use wakering_ring_driver::op::{accept_multi, recv, recv_msg, send};
use wakering_ring_driver::{AccountId, Driver, Orphans, Wait, op};

static CLONES: AtomicUsize = AtomicUsize::new(0);

/// Two kinds, so that neither takes the other for itself.
static KINDS: [u8; 2] = [0; 2];

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |kind| {
        CLONES.fetch_add(1, Ordering::Relaxed);
        use_driver(kind);
        RawWaker::new(kind, &TABLE)
    },
    use_driver,
    use_driver,
    use_driver,
);

fn use_driver(_: *const ()) {
    if let Ok(driver) = Driver::current() {
        assert!(driver.counters().enters < u64::MAX);
    }
}

fn waker(kind: usize) -> Waker {
    let kind = ptr::from_ref(&KINDS[kind]).cast();
    // SAFETY: the functions of the table take any pointer, on any thread.
    unsafe { Waker::from_raw(RawWaker::new(kind, &TABLE)) }
}

/// Polls by one waker and then by the other; the second poll's outcome.
fn poll_twice<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let [first, second] = [0, 1].map(waker);
    assert!(poll(&mut Context::from_waker(&first)).is_pending());
    let before = CLONES.load(Ordering::Relaxed);
    let polled = poll(&mut Context::from_waker(&second));
    assert!(CLONES.load(Ordering::Relaxed) > before, "nobody remembers who polled last");
    polled
}

fn twice<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_twice(|cx| Pin::new(&mut *future).poll(cx))
}

/// Given wakers that use the driver while they are cloned, woken and dropped; when everything that
/// waits is polled by one and then by another; then each is remembered, and nothing is borrowed
/// twice.
#[test]
fn a_waker_may_use_the_driver_while_it_is_cloned() {
    let (driver, memory) = Driver::memory().unwrap();
    memory.set_cancel_wins(false);
    let _entered = driver.enter();
    let [stream, other, listener, closing] = [(); 4].map(|()| memory.descriptor(&driver));

    let mut first = recv(&stream, vec![0; 8]);
    assert!(twice(&mut first).is_pending());
    let mut queued = recv_msg(&stream, op::DatagramBuffer::new());
    assert!(twice(&mut queued).is_pending());
    let mut sending = send(&stream, "bytes");
    assert!(twice(&mut sending).is_pending());
    let mut behind = send(&stream, "more");
    assert!(twice(&mut behind).is_pending());
    let mut free = op::nop();
    assert!(twice(&mut free).is_pending());
    let mut series = accept_multi(&listener);
    assert!(poll_twice(|cx| series.poll_next(cx)).is_pending());
    assert!(poll_twice(|cx| other.poll_fill(cx)).is_pending());
    other.queue(&[0; 64 * 1024]).unwrap();
    assert!(poll_twice(|cx| other.poll_ready(cx)).is_pending());

    let account = driver.open_account(AccountId::ROOT);
    let payer = driver.charge_to(account);
    let mut orphan = op::nop();
    assert!(twice(&mut orphan).is_pending());
    drop(orphan);
    driver.charge_to(payer);
    let drained = |cx: &mut Context<'_>| driver.poll_drained(account, Orphans::All, cx);
    assert!(poll_twice(drained).is_pending());

    let mut parked = recv(&closing, vec![0; 8]);
    assert!(twice(&mut parked).is_pending());
    let mut close = Box::pin(closing.close());
    assert!(twice(&mut close).is_pending());

    // All of them are told.
    driver.turn(Wait::Now);
    while let Some(submitted) = memory.next_request() {
        submitted.complete(-libc::ECANCELED);
    }
    driver.turn(Wait::Now);
    assert!(is_ready(&mut free));
    assert!(is_ready(&mut poll_fn(drained)));
    assert!(is_ready(&mut close));
}

fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(&waker(0))).is_ready()
}
