//! Waiting for something else than bytes: readiness and time.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wakering_ring_driver::Wait;
use wakering_ring_driver::op::{self, Interest};

use crate::{Wakes, poll_once};

/// Given a foreign descriptor; when it becomes ready; then the one who waits is told for what.
#[test]
fn readiness_of_a_foreign_descriptor_is_told() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = Rc::new(ours);
        let both = Interest { readable: true, writable: true };
        assert_eq!(op::poll(Rc::clone(&ours), both).await?, Interest::WRITABLE);
        let wakes = Arc::new(Wakes::default());
        let mut poll = op::poll(Rc::clone(&ours), Interest::READABLE);
        assert!(poll_once(&driver, &mut poll, &wakes).is_pending());
        theirs.write_all(b"!")?;
        assert_eq!(poll.await?, Interest::READABLE);
        drop(theirs);
        assert!(op::poll(Rc::clone(&ours), both).await?.readable);
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given timers; when they are awaited; then none is early, a long one can be taken back, and the
/// longest is accepted.
#[test]
fn a_timer_is_never_early() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        for millis in [0, 1, 20] {
            let start = Instant::now();
            op::timeout(Duration::from_millis(millis)).await?;
            assert!(start.elapsed() >= Duration::from_millis(millis));
        }
        for long in [Duration::from_secs(3600), Duration::MAX] {
            let wakes = Arc::new(Wakes::default());
            let mut timeout = op::timeout(long);
            assert!(poll_once(&driver, &mut timeout, &wakes).is_pending());
            op::nop().await?;
            let outcome = timeout.cancel().await.unwrap_err();
            assert_eq!(outcome.raw_os_error(), Some(libc::ECANCELED), "{long:?}");
        }
        io::Result::Ok(())
    })
    .unwrap();
}

/// Given more operations that end while nobody looks than the kernel brings in one enter, none of
/// them on a stream; when there is one turn; then all of them are over.
#[test]
fn one_turn_takes_in_all_that_is_not_for_streams() {
    let driver = crate::driver();
    let wakes = Arc::new(Wakes::default());
    let mut timers: Vec<_> = (0..100).map(|_| op::timeout(Duration::from_millis(1))).collect();
    let _entered = driver.enter();
    assert!(timers.iter_mut().all(|timer| poll_once(&driver, timer, &wakes).is_pending()));
    driver.turn(Wait::Now);
    std::thread::sleep(Duration::from_millis(50));
    driver.turn(Wait::Now);
    let over = timers.iter_mut().map(|timer| poll_once(&driver, timer, &wakes).is_ready());
    assert_eq!(over.filter(|&is_over| is_over).count(), 100);
}
