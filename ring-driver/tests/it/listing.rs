//! What can be seen of what is in flight.

use std::sync::Arc;
use std::time::Duration;

use wakering_ring_driver::op::{nop, read_at, recv, send};
use wakering_ring_driver::{AccountId, Driver, Wait};

use crate::world::World;
use crate::{Wakes, poll_once};

/// Given operations on a side, on the other and on none; when somebody asks; then each is listed
/// with who pays, its descriptor and its age, and not after its end.
#[test]
fn what_is_in_flight_is_listed_with_its_payer() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let number = fd.os_number();
    let wakes = Arc::new(Wakes::default());
    let account = driver.open_account(AccountId::ROOT);
    driver.charge_to(account);

    let mut receive = recv(&fd, vec![0; 8]);
    let mut write = send(&fd, vec![1; 8]);
    let mut free = read_at(&fd, vec![0; 8], 0);
    assert!(poll_once(&driver, &mut receive, &wakes).is_pending());
    assert!(poll_once(&driver, &mut write, &wakes).is_pending());
    assert!(poll_once(&driver, &mut free, &wakes).is_pending());
    driver.charge_to(AccountId::ROOT);
    std::thread::sleep(Duration::from_millis(30));
    // Dated by the last reading of the clock.
    driver.now();
    let mut late = nop();
    assert!(poll_once(&driver, &mut late, &wakes).is_pending());

    let mut flights = driver.flights();
    flights.sort_by_key(|flight| flight.operation);
    let seen: Vec<_> = (flights.iter())
        .map(|flight| (flight.operation, flight.descriptor, flight.account))
        .collect();
    let root = AccountId::ROOT;
    assert_eq!(
        seen,
        [
            ("nop", None, root),
            ("read", number, account),
            ("recv", number, account),
            ("send", number, account)
        ]
    );
    assert!(flights.iter().all(|flight| !flight.is_abandoned));
    for flight in &flights[1..] {
        assert!(flight.age >= Duration::from_millis(29), "{flight:?}");
    }
    assert!(flights[0].age < flights[1].age, "{flights:?}");

    drop(receive);
    let is_abandoned = |name| {
        driver.flights().iter().any(|flight| flight.operation == name && flight.is_abandoned)
    };
    assert!(is_abandoned("recv") && !is_abandoned("send"));
    for _ in 0..4 {
        if let Some(request) = memory.next_request() {
            request.complete(0);
        }
    }
    driver.turn(Wait::Now);
    assert_eq!(driver.flights(), []);
    driver.close_account(account);
    assert_eq!(driver.accounts(), [root], "the account is free when its send is over");
}

/// Given two operations that are asked to end; when the kernel is in time for one and late for the
/// other; then one cancellation has won and one has lost.
#[test]
fn cancellations_that_win_are_told_from_those_that_lose() {
    let world = World::new();

    for wins in [true, false] {
        world.memory.set_cancel_wins(wins);
        let mut receive = recv(&world.fd, vec![0; 8]);
        let request = world.submit(&mut receive);
        drop(receive);
        world.turn();
        if !wins {
            request.complete(0);
        }
        world.turn();
    }
    let counters = world.driver.counters();
    assert_eq!((counters.cancels, counters.cancels_won, counters.cancels_lost), (2, 1, 1));
}

/// Given requests that complete one by one and five at once; when they are taken in; then the
/// batches are counted by their size.
#[test]
fn completions_are_counted_by_batches() {
    let world = World::new();
    for size in [1, 5, 1] {
        let mut reads: Vec<_> = (0..size).map(|_| read_at(&world.fd, vec![0; 8], 0)).collect();
        for read in &mut reads {
            world.waits(read);
        }
        while let Some(request) = world.memory.next_request() {
            request.complete(0);
        }
        world.turn();
        assert!(reads.iter_mut().all(|read| world.poll(read).is_ready()));
    }
    let counters = world.driver.counters();
    assert_eq!(counters.batch_sizes[..4], [2, 0, 1, 0]);
    assert_eq!((counters.batch_sizes.iter().sum::<u64>(), counters.completions), (3, 7));
}

/// Given a receive that somebody awaits and one that nobody does; when their descriptors are
/// closed; then the former is noted, if that was asked for.
#[test]
fn closing_under_somebody_is_noted() {
    for watch in [false, true] {
        let (driver, memory) = Driver::memory().unwrap();
        let wakes = Arc::new(Wakes::default());
        if watch {
            driver.watch_closing();
        }
        let (used, left) = (memory.descriptor(&driver), memory.descriptor(&driver));
        let number = used.os_number();
        let mut awaited = recv(&used, vec![0; 8]);
        let mut dropped = recv(&left, vec![0; 8]);
        assert!(poll_once(&driver, &mut awaited, &wakes).is_pending());
        assert!(poll_once(&driver, &mut dropped, &wakes).is_pending());
        drop(dropped);
        drop(left);
        used.abort();
        let noted = driver.take_closed_in_use();
        let noted: Vec<_> = noted.iter().map(|it| (it.operation, it.descriptor)).collect();
        assert_eq!(noted, if watch { vec![("recv", number)] } else { vec![] });
        assert_eq!(driver.take_closed_in_use(), [], "once");
    }
}
