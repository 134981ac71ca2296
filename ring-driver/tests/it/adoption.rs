//! The sides of a descriptor on the memory backend: what is abandoned is adopted, what was brought is put back, and there
//! is never a second operation beside the first. The test plays the kernel, so each order of events is exact.

use wakering_ring_driver::op::{accept, accept_multi, peek, recv, send};
use wakering_ring_driver::{Driver, Wait};

use crate::world::World;

/// Given a dropped receive; when the next one comes in the same turn; then it rides on the first and gets its bytes.
#[test]
fn a_dropped_receive_is_adopted_by_the_next_one() {
    let world = World::new();

    let mut first = recv(&world.fd, Vec::with_capacity(8));
    let submitted = world.submit(&mut first);
    drop(first);

    let mut second = recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut second);
    world.turn();
    assert!(world.memory.next_request().is_none(), "no receive is submitted beside the first");
    assert_eq!(world.memory.in_flight(), 1, "and the first was not cancelled");

    assert_eq!(submitted.receive(b"hello"), 5);
    world.turn();
    assert_eq!(world.wakes.count(), 1);
    let (n, buf) = world.ended(&mut second).unwrap();
    assert_eq!((n, buf.as_slice()), (5, b"hello".as_slice()));
    assert_eq!(world.driver.counters().adopted, 1);
}

/// Given a dropped receive; when nobody asks again in that turn; then it is cancelled, and its buffer dropped.
#[test]
fn an_orphan_is_cancelled_at_the_end_of_the_turn() {
    let world = World::new();

    let mut first = recv(&world.fd, vec![0; 8]);
    world.waits(&mut first);
    drop(first);
    assert_eq!(world.memory.in_flight(), 1, "not inside the drop");
    world.turn();
    assert_eq!(world.memory.in_flight(), 0);
    world.turn();
    assert_eq!(world.driver.counters().in_flight, 0);
    assert_eq!(world.wakes.count(), 0);
}

/// Given a cancel that comes too late; when the receive brings bytes all the same; then the next receive gets them first.
#[test]
fn what_a_lost_cancel_brings_is_put_back() {
    let world = World::stubborn();

    let mut first = recv(&world.fd, vec![0; 8]);
    let submitted = world.submit(&mut first);
    drop(first);
    world.turn();
    submitted.receive(b"late");
    world.turn();

    // Two reads with small buffers: the put-back is served in order and in parts.
    let mut second = recv(&world.fd, Vec::with_capacity(3));
    let (n, buf) = world.ended(&mut second).unwrap();
    assert!(n >= 3 && buf.starts_with(b"lat"), "{n} {buf:?}");
    assert!(world.memory.next_request().is_none());
}

/// Given a cancel that comes too late; when it was a look that brings bytes; then the next receive is not given them
/// beside the kernel, which still has them.
#[test]
fn what_was_only_looked_at_is_not_put_back() {
    let world = World::stubborn();

    let mut look = peek(&world.fd, vec![0; 8]);
    let submitted = world.submit(&mut look);
    drop(look);
    world.turn();
    submitted.receive(b"still there");
    world.turn();

    let mut recv = recv(&world.fd, vec![0; 8]);
    assert!(world.poll(&mut recv).is_pending(), "the kernel is asked");
    assert_eq!(world.memory.next_request().unwrap().receive(b"still"), 5);
    world.turn();
    assert_eq!(world.ended(&mut recv).unwrap().1, b"still");
}

/// Given an error that only the abandoned receive was told; when the next one comes; then it is told.
#[test]
fn an_error_that_the_kernel_tells_once_is_put_back() {
    let world = World::stubborn();

    let mut first = recv(&world.fd, vec![0; 8]);
    let submitted = world.submit(&mut first);
    drop(first);
    submitted.complete(-104);
    world.turn();

    let mut second = recv(&world.fd, vec![7; 8]);
    let failed = world.ended(&mut second).unwrap_err();
    assert_eq!(failed.error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(failed.buf, vec![7; 8], "the buffer comes back as it was");
}

/// Given a receive whose future is forgotten; when its bytes come; then the next receive gets them: forgotten is dropped.
#[test]
fn a_forgotten_receive_holds_nothing_back() {
    let world = World::new();

    let mut first = recv(&world.fd, Vec::with_capacity(8));
    let submitted = world.submit(&mut first);
    std::mem::forget(first);

    let mut second = recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut second);
    submitted.receive(b"ours");
    world.turn();
    let (n, buf) = world.ended(&mut second).unwrap();
    assert_eq!((n, buf.as_slice()), (4, b"ours".as_slice()));
}

/// Given two receives that live at once; when bytes come; then whoever is polled first gets them, and the other gets its
/// buffer to work again instead of losing it.
#[test]
fn two_living_receives_share_in_order() {
    let world = World::new();

    let mut first = recv(&world.fd, Vec::with_capacity(8));
    let mut second = recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut first);
    world.waits(&mut second);
    world.memory.next_request().unwrap().receive(b"one");
    world.turn();
    let (_, buf) = world.ended(&mut second).unwrap();
    assert_eq!(buf, b"one");

    world.waits(&mut first);
    world.memory.next_request().expect("the first begins again").receive(b"two");
    world.turn();
    let (_, buf) = world.ended(&mut first).unwrap();
    assert_eq!(buf, b"two");
}

/// Given a dropped send; when the next send comes; then it waits, the first is not cut short, and bytes keep their order.
#[test]
fn a_dropped_send_finishes_and_the_next_one_waits() {
    let world = World::new();

    let mut first = send(&world.fd, b"first".to_vec());
    let submitted = world.submit(&mut first);
    drop(first);
    let mut second = send(&world.fd, b"second".to_vec());
    world.waits(&mut second);
    world.turn();
    assert!(world.memory.next_request().is_none());
    assert_eq!(world.memory.in_flight(), 1, "a submitted send is not cancelled");

    assert_eq!(submitted.bytes(), b"first");
    submitted.complete(5);
    world.turn();
    assert_eq!(world.wakes.count(), 1);
    world.waits(&mut second);
    assert_eq!(world.memory.next_request().unwrap().bytes(), b"second");
}

/// Given bytes queued in a turn; when the turn ends; then they leave in one send, and what a short send left follows.
#[test]
fn what_is_queued_in_a_turn_leaves_in_one_send() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let _entered = driver.enter();

    fd.queue(b"one ").unwrap();
    fd.queue(b"two").unwrap();
    assert!(memory.next_request().is_none(), "nothing leaves inside the turn");
    driver.turn(Wait::Now);
    let submitted = memory.next_request().unwrap();
    assert_eq!(submitted.bytes(), b"one two");
    fd.queue(b"!").unwrap();
    submitted.complete(4);
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    let rest = memory.next_request().expect("the rest of the short send goes first");
    assert_eq!(rest.bytes(), b"two");
    rest.complete(3);
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    assert_eq!(memory.next_request().unwrap().bytes(), b"!");
}

/// U03. Given a multishot accept with three connections that nobody fetched; when it is dropped; then the next accepts get
/// two of them, and the third is closed with the listener.
#[test]
fn case_u03_unfetched_connections_go_to_the_next_accept_or_are_closed() {
    let world = World::new();
    let entered = world.driver.enter();

    let mut accepting = accept_multi(&world.fd);
    let submitted = world.submit(&mut Box::pin(accepting.next()));
    for _ in 0..3 {
        submitted.accept_more();
    }
    world.turn();
    drop(accepting);

    for _ in 0..2 {
        drop(world.ended(&mut accept(&world.fd)).unwrap());
    }
    assert_eq!(world.memory.closed(), 2);
    drop(world.fd);
    drop(entered);
    world.driver.turn(Wait::Now);
    world.driver.turn(Wait::Now);
    assert_eq!(world.memory.closed(), 4, "the third connection and the listener");
}

/// Given a parked receive; when somebody closes the descriptor; then the receive ends with an error and gives its buffer
/// back, and only then is the number closed.
#[test]
fn closing_ends_a_parked_receive_first() {
    let world = World::new();

    let mut parked = recv(&world.fd, vec![1; 4]);
    world.waits(&mut parked);
    let mut close = Box::pin(world.fd.clone().close());
    world.waits(&mut close);
    assert_eq!(world.memory.closed(), 0);
    world.turn();
    world.ended(&mut close).unwrap();
    assert_eq!(world.memory.closed(), 1);
    let failed = world.ended(&mut parked).unwrap_err();
    assert_eq!(failed.buf, vec![1; 4]);
    let mut after = recv(&world.fd, vec![0; 4]);
    assert!(world.ended(&mut after).is_err());
}

/// Given a dropped handle with queued bytes; when the driver turns; then they are sent, and only then is the number closed.
#[test]
fn dropping_a_descriptor_flushes_it_first() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let entered = driver.enter();
    fd.queue(b"goodbye").unwrap();
    drop(fd);
    drop(entered);
    driver.turn(Wait::Now);
    let submitted = memory.next_request().unwrap();
    assert_eq!(submitted.bytes(), b"goodbye");
    assert_eq!(memory.closed(), 0);
    submitted.complete(7);
    driver.turn(Wait::Now);
    assert_eq!(memory.closed(), 1);
}
