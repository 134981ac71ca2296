//! fork(2) without exec: the child may begin anew, and what it drops is nobody's business but its
//! own.

#![allow(unsafe_code)]

use std::future::poll_fn;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use wakering_ring_driver::pool::{Class, Pool};
use wakering_ring_driver::signal::{Listener, SignalKind};
use wakering_ring_driver::testing::{
    forked, in_child, patience, send, send_to_thread, this_thread,
};
use wakering_ring_driver::{Backend, Config, Driver, Fd, RuntimeError, Wait, op};

use crate::{Wakes, adopt, block_on, driver, poll_once};

/// Given a driver with a receive in flight and a pool with idle threads; when a forked child uses its
/// copies and drops them; then its operations are refused, nothing hangs, and a new driver and a new
/// pool work there; while the parent's receive gets its bytes.
#[test]
fn a_child_touches_nothing_of_its_parent() {
    in_child("fork::a_child_touches_nothing_of_its_parent", || touches_nothing(driver));
}

/// The same without a ring: here child and parent share the instance of epoll, and what the child
/// took out of it would be gone for its parent.
#[test]
fn a_child_touches_nothing_of_its_parent_on_poll() {
    in_child("fork::a_child_touches_nothing_of_its_parent_on_poll", || {
        touches_nothing(|| {
            let mut config = Config::default();
            config.backend = Backend::Poll;
            Driver::new(&config).expect("there is always epoll")
        });
    });
}

fn touches_nothing(driver: impl Fn() -> Driver) {
    let parents = driver();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&parents, ours);
    let wakes = Arc::new(Wakes::default());
    let mut receive = op::recv(&fd, vec![0; 4]);
    assert!(poll_once(&parents, &mut receive, &wakes).is_pending());
    parents.turn(Wait::Now);
    let pool = Pool::shared();
    pool.submit(Class::User, Box::new(|| {})).unwrap();
    while pool.counters(Class::User).idle == 0 {
        std::thread::yield_now();
    }
    drop(pool);

    let mut in_child = Some((parents, fd, receive));
    let status = forked(|| {
        let (parents, fd, receive) = in_child.take().unwrap();
        let error = block_on(&parents, op::nop()).unwrap_err();
        assert_eq!(RuntimeError::of(&error), Some(RuntimeError::ForkedChild));
        let error = block_on(&parents, op::recv(&fd, vec![0; 4])).unwrap_err().error;
        assert_eq!(RuntimeError::of(&error), Some(RuntimeError::ForkedChild));
        drop(receive);
        parents.turn(Wait::Now);
        drop(Fd::clone(&fd));
        drop(fd);
        assert_eq!(parents.shutdown(Duration::from_secs(5)).leaked, 0);
        drop(parents);

        let anew = driver();
        block_on(&anew, op::timeout(Duration::from_millis(1))).unwrap();
        let (tell, told) = mpsc::channel();
        let job = move || tell.send(()).unwrap();
        Pool::shared().submit(Class::User, Box::new(job)).unwrap();
        told.recv_timeout(patience(Duration::from_secs(10))).unwrap();
        assert_eq!(anew.shutdown(Duration::from_secs(5)).threads, 0);
    });
    assert_eq!(status, 0, "the child has panicked or was killed");

    let (parents, fd, receive) = in_child.unwrap();
    theirs.write_all(b"ours").unwrap();
    assert_eq!(block_on(&parents, receive).unwrap().1, b"ours");
    drop(fd);
    assert_eq!(parents.shutdown(Duration::from_secs(5)).leaked, 0);
}

/// Given a descriptor for which all was received ahead; when a forked child wants it back; then it gets
/// the handle instead, and the parent gets both.
#[test]
fn a_child_gets_no_descriptor_of_its_parent_back() {
    in_child("fork::a_child_gets_no_descriptor_of_its_parent_back", || {
        let parents = driver();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let fd = adopt(&parents, ours);
        let mut fill = poll_fn(|cx| fd.poll_fill(cx));
        assert!(poll_once(&parents, &mut fill, &Arc::new(Wakes::default())).is_pending());
        parents.turn(Wait::Now);
        theirs.write_all(b"ours").unwrap();
        drop(theirs);
        // Until nothing is in flight any more.
        parents.turn(Wait::Now);
        parents.turn(Wait::Now);
        let mut in_child = Some(fd);
        let status = forked(|| {
            let fd = in_child.take().unwrap();
            let detached = block_on(&parents, fd.detach());
            drop(detached.expect_err("it is the parent's"));
        });
        assert_eq!(status, 0, "the child has panicked or was killed");
        let (owned, left) = block_on(&parents, in_child.unwrap().detach()).unwrap();
        let (mut owned, mut all) = (UnixStream::from(owned), left.bytes);
        owned.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"ours");
    });
}

/// Given a process that listens to a signal, when a forked child gets it, then its parent is not
/// told; when the child listens itself, then it is told, and not its copy of the parent's listener.
#[test]
fn a_child_s_signals_are_none_of_its_parent_s() {
    in_child("fork::a_child_s_signals_are_none_of_its_parent_s", || {
        let kind = SignalKind::user_defined1();
        let mut parents = Listener::new(kind).unwrap();
        let status = forked(|| {
            send(kind, std::process::id());
            assert!(!parents.take());
            let mut own = Listener::new(kind).unwrap();
            send(kind, std::process::id());
            assert!(own.take() && !parents.take());
        });
        assert_eq!(status, 0);
        assert!(!parents.take());
        send_to_thread(kind, this_thread());
        assert!(parents.take());
    });
}
