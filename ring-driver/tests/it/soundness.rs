//! What a program without `unsafe` might try: nobody's memory, descriptor, byte or wake-up comes to
//! harm by it.

use std::os::unix::net::{UnixDatagram, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wakering_ring_driver::op::{self, DatagramBuffer};
use wakering_ring_driver::{AccountId, Driver, Wait};

use crate::world::World;
use crate::{Wakes, adopt, driver, poll_once, settle};

/// Given a close that waits for queued bytes; when another handle aborts; then the close ends.
#[test]
fn an_abort_ends_a_close_that_waits_for_output() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let wakes = Arc::new(Wakes::default());
    let entered = driver.enter();
    fd.queue(b"never sent").unwrap();
    drop(entered);
    let mut close = Box::pin(fd.clone().close());
    assert!(poll_once(&driver, &mut close, &wakes).is_pending());
    fd.abort();
    assert_eq!(wakes.count(), 1);
    assert!(poll_once(&driver, &mut close, &wakes).is_ready());
    assert_eq!(memory.closed(), 1);
}

/// Given a dropped handle with queued bytes; when the driver ends without time to send them; then
/// the descriptor is closed.
#[test]
fn what_has_no_time_to_be_sent_does_not_keep_its_descriptor_open() {
    let driver = driver();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&driver, ours);
    let entered = driver.enter();
    fd.queue(b"never sent").unwrap();
    drop((fd, entered));
    assert_eq!(driver.shutdown(Duration::ZERO).leaked, 0);
    assert_eq!(driver.counters().descriptors, 0);
    theirs.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(std::io::Read::read(&mut &theirs, &mut [0; 8]).unwrap(), 0);
}

/// Given a thread that forgot to leave its driver; when it ends; then the driver ends with it, and
/// the process does not.
#[test]
fn a_driver_that_was_never_left_ends_with_its_thread() {
    let thread = std::thread::spawn(|| {
        let driver = driver();
        std::mem::forget(driver.enter());
        driver.remote().clone()
    });
    let remote = thread.join().unwrap();
    assert!(format!("{remote:?}").contains("closed: true"), "{remote:?}");
}

/// Given a stream that is known to be readable, and a receive that has taken its next bytes and is
/// not polled; when somebody else reads; then these bytes come first.
#[test]
fn what_a_receive_has_taken_comes_before_what_is_still_to_be_read() {
    let world = World::new();
    let _entered = world.driver.enter();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(world.fd.poll_fill(&mut cx).is_pending());
    // It asks again as long as the pool has a buffer to spare.
    let readiness = loop {
        let request = world.memory.next_request().unwrap();
        if request.name() == "poll" {
            break request;
        }
        request.complete(-libc::ENOBUFS);
        world.turn();
        assert!(world.fd.poll_fill(&mut cx).is_pending());
    };
    readiness.complete(1);
    world.turn();

    let mut receive = op::recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut receive);
    world.memory.next_request().unwrap().receive(b"first");
    world.turn();
    let Poll::Ready(Ok(bytes)) = world.fd.poll_fill(&mut cx) else {
        panic!("the first bytes are here")
    };
    assert_eq!(*bytes, *b"first");
}

/// Given a receive whose message went to somebody else; when it receives again; then it has as much
/// room as its owner gave it.
#[test]
fn a_receive_that_was_robbed_keeps_its_room() {
    let driver = driver();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let ours = adopt(&driver, ours);
    let wakes = Arc::new(Wakes::default());
    let large = vec![7; 100 << 10];
    let mut slow = op::recv_msg(&ours, DatagramBuffer::with_capacity(large.len()));
    assert!(poll_once(&driver, &mut slow, &wakes).is_pending());
    theirs.send(&large).unwrap();
    settle(&driver);
    let mut quick = op::recv_msg(&ours, DatagramBuffer::with_capacity(large.len()));
    let Poll::Ready(Ok(first)) = poll_once(&driver, &mut quick, &wakes) else {
        panic!("a message")
    };
    assert_eq!(first.data(), large);

    assert!(poll_once(&driver, &mut slow, &wakes).is_pending());
    theirs.send(&large).unwrap();
    settle(&driver);
    let Poll::Ready(Ok(second)) = poll_once(&driver, &mut slow, &wakes) else {
        panic!("a message")
    };
    assert!(!second.truncated);
    assert_eq!(second.data(), large);
}

/// Given a kernel played by safe code; when it makes up a descriptor that may be somebody else's,
/// or a message that would show old control data; then it is refused.
#[test]
fn who_plays_the_kernel_gives_away_nothing_real() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let wakes = Arc::new(Wakes::default());
    let mut accept = op::accept(&fd);
    assert!(poll_once(&driver, &mut accept, &wakes).is_pending());
    let request = memory.next_request().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| request.complete(1))).is_err());

    let fd = memory.descriptor(&driver);
    let mut receive = op::recv_msg(&fd, DatagramBuffer::new());
    assert!(poll_once(&driver, &mut receive, &wakes).is_pending());
    let request = memory.next_request().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| request.complete(0))).is_err());
    // What was taken out of this world and not answered is not waited for.
    driver.shutdown(Duration::ZERO);
}

/// Given two operations that complete in one turn, the first with a waker that panics; when the
/// driver turns; then the panic comes out, and the second one's waker was woken all the same.
#[test]
fn a_panicking_waker_does_not_keep_others_from_being_woken() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let driver = driver();
    let wakes = Arc::new(Wakes::default());
    let (mut first, mut second) = (op::timeout(Duration::ZERO), op::timeout(Duration::ZERO));
    let entered = driver.enter();
    let panics = Waker::from(Arc::new(Panics));
    let polled = std::pin::Pin::new(&mut first);
    assert!(Future::poll(polled, &mut Context::from_waker(&panics)).is_pending());
    drop(entered);
    assert!(poll_once(&driver, &mut second, &wakes).is_pending());
    let turned = catch_unwind(AssertUnwindSafe(|| driver.turn(Wait::Until(None))));
    assert!(turned.is_err());
    assert_eq!(wakes.count(), 1);
    assert!(matches!(poll_once(&driver, &mut second, &wakes), Poll::Ready(Ok(()))));
}

/// Given an operation that the kernel was handed, and that was given up by a panic before anybody
/// had noted it, since an account pays that there is not; when another one begins, and the first has
/// its completion; then that does not end the other, which still has what it has lent.
#[test]
fn a_completion_of_what_a_panic_gave_up_ends_nobody_else() {
    let world = World::new();
    let stranger = Driver::memory().unwrap().0.open_account(AccountId::ROOT);
    let payer = world.driver.charge_to(stranger);
    let mut given_up = op::nop();
    let begun = catch_unwind(AssertUnwindSafe(|| world.poll(&mut given_up)));
    assert!(begun.is_err());
    let given_up = world.memory.next_request().expect("the kernel has it");
    world.driver.charge_to(payer);

    let mut receive = op::recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut receive);
    given_up.complete(0);
    world.turn();
    world.waits(&mut receive);
    world.memory.next_request().unwrap().receive(b"bytes");
    world.turn();
    assert_eq!(world.ended(&mut receive).unwrap().1, b"bytes");
}
