//! Multishots that bring more than anybody fetches: the kernel is stopped, nothing is lost, and who
//! comes for the next item notices nothing.

use std::future::poll_fn;
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;

use wakering_ring_driver::op::{self, accept, accept_multi, recv, recv_multi};
use wakering_ring_driver::testing::skip;
use wakering_ring_driver::{Driver, Wait};

use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

/// How many connections wait before a series is stopped.
const ACCEPTED_AHEAD: usize = 16;
/// How many chunks wait.
const CHUNKS_AHEAD: usize = 8;

fn poll_next<O: op::MultiOperation>(
    driver: &Driver,
    series: &mut op::Multi<O>,
) -> Poll<Option<std::io::Result<O::Item>>> {
    let mut next = poll_fn(|cx| series.poll_next(cx));
    poll_once(driver, &mut next, &Arc::new(Wakes::default()))
}

/// Given a forgotten series with fewer items than would stop it; when somebody else accepts; then
/// they are served to them at once.
#[test]
fn a_forgotten_series_holds_nothing_back() {
    let (driver, memory) = Driver::memory().unwrap();
    let listener = memory.descriptor(&driver);
    let mut series = accept_multi(&listener);
    assert!(poll_next(&driver, &mut series).is_pending());
    let submitted = memory.next_request().unwrap();
    std::mem::forget(series);
    let wakes = Arc::new(Wakes::default());
    let mut waiting = accept(&listener);
    assert!(poll_once(&driver, &mut waiting, &wakes).is_pending());
    for _ in 0..2 {
        submitted.accept_more();
    }
    driver.turn(Wait::Now);
    assert_eq!(wakes.count(), 1);
    assert!(poll_once(&driver, &mut waiting, &wakes).is_ready());
    assert!(poll_once(&driver, &mut accept(&listener), &wakes).is_ready());
    assert_eq!(memory.in_flight(), 1, "it goes on");
}

/// Given a forgotten series; when it has brought as many items as may wait; then it is cancelled,
/// again if the kernel was too busy to notice, and later accepts get them all.
#[test]
fn a_forgotten_series_is_stopped() {
    let (driver, memory) = Driver::memory().unwrap();
    memory.set_cancel_wins(false);
    let listener = memory.descriptor(&driver);
    let mut series = accept_multi(&listener);
    assert!(poll_next(&driver, &mut series).is_pending());
    let submitted = memory.next_request().unwrap();
    std::mem::forget(series);
    for items in 1..=3 * ACCEPTED_AHEAD {
        submitted.accept_more();
        driver.turn(Wait::Now);
        driver.turn(Wait::Now);
        let asked = (items + 1).saturating_sub(ACCEPTED_AHEAD) as u64;
        assert_eq!(driver.counters().cancels, asked, "{items}");
    }
    submitted.complete(-libc::ECANCELED);
    driver.turn(Wait::Now);
    let wakes = Arc::new(Wakes::default());
    for _ in 0..3 * ACCEPTED_AHEAD {
        assert!(poll_once(&driver, &mut accept(&listener), &wakes).is_ready());
    }
    let mut waiting = accept(&listener);
    assert!(poll_once(&driver, &mut waiting, &wakes).is_pending());
    assert!(memory.next_request().is_some(), "the kernel is asked again");
}

/// Given a series that was stopped because its holder was slow; when the holder comes back; then it
/// gets every item, in order, and the series goes on.
#[test]
fn a_stopped_series_goes_on_for_its_holder() {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    let mut series = recv_multi(&fd).unwrap();
    assert!(poll_next(&driver, &mut series).is_pending());
    let submitted = memory.next_request().unwrap();
    for byte in 0..CHUNKS_AHEAD {
        submitted.receive_more(&[byte as u8]);
    }
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    driver.turn(Wait::Now);
    assert_eq!(memory.in_flight(), 0, "it was stopped");
    for byte in 0..CHUNKS_AHEAD {
        let Poll::Ready(Some(Ok(item))) = poll_next(&driver, &mut series) else {
            panic!("item {byte} is missing")
        };
        assert_eq!(*item, [byte as u8]);
        assert_eq!(memory.in_flight(), 0, "there are enough for now");
    }
    assert!(poll_next(&driver, &mut series).is_pending());
    memory.next_request().expect("the series goes on").receive_more(b"!");
    driver.turn(Wait::Now);
    let Poll::Ready(Some(Ok(item))) = poll_next(&driver, &mut series) else { panic!("no item") };
    assert_eq!(*item, *b"!");
}

/// Given a series that brings many items in one turn; when its holder takes them before the next;
/// then it is not stopped.
#[test]
fn a_series_whose_items_are_taken_is_not_stopped() {
    let (driver, memory) = Driver::memory().unwrap();
    let listener = memory.descriptor(&driver);
    let mut series = accept_multi(&listener);
    assert!(poll_next(&driver, &mut series).is_pending());
    let submitted = memory.next_request().unwrap();
    for _ in 0..5 {
        for _ in 0..3 * ACCEPTED_AHEAD {
            submitted.accept_more();
        }
        driver.turn(Wait::Now);
        while poll_next(&driver, &mut series).is_ready() {}
    }
    assert_eq!(driver.counters().cancels, 0);
}

/// Given a series on a real listener that is forgotten; when many clients connect one after the
/// other; then the kernel stops accepting, and the next accepts get every client.
#[test]
fn the_kernel_stops_accepting_for_a_forgotten_series() {
    const CLIENTS: usize = 100;
    let driver = driver();
    if !driver.capabilities().multishot_accept {
        let id = "the_kernel_stops_accepting_for_a_forgotten_series";
        return skip(id, "the ring has no multishot accept");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listener = adopt(&driver, listener);
    let mut series = accept_multi(&listener);
    assert!(poll_next(&driver, &mut series).is_pending());
    std::mem::forget(series);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(&[number as u8]).unwrap();
        clients.push(client);
        driver.turn(Wait::Now);
    }
    settle(&driver);
    let accepted = driver.counters().completions;
    assert!(accepted < CLIENTS as u64 / 2, "{accepted} completions");
    block_on(&driver, async {
        for number in 0..CLIENTS {
            let (client, _) = accept(&listener).await.unwrap();
            assert_eq!(recv(&client, vec![0; 8]).await.unwrap().1, [number as u8]);
        }
    });
}

/// Given a series on a real stream whose holder does not come; when the peer sends as much as it can;
/// then the peer is held up, and the holder gets every byte in order once it comes.
#[test]
fn the_kernel_stops_receiving_for_a_slow_holder() {
    let driver = driver();
    if !driver.capabilities().multishot_recv {
        let id = "the_kernel_stops_receiving_for_a_slow_holder";
        return skip(id, "the ring has no multishot receive");
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = adopt(&driver, ours);
    theirs.set_nonblocking(true).unwrap();
    let mut series = recv_multi(&ours).unwrap();
    let mut sent = 0u32;
    let mut full = 0;
    assert!(poll_next(&driver, &mut series).is_pending());
    while full < 3 {
        match theirs.write(&sent.to_ne_bytes()) {
            Ok(count) => {
                assert_eq!(count, 4);
                sent += 1;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => full += 1,
            Err(error) => panic!("{error}"),
        }
        driver.turn(Wait::Now);
    }
    settle(&driver);
    let received = driver.counters().completions;
    assert!(received < 2 * CHUNKS_AHEAD as u64, "{received} completions");
    drop(theirs);
    block_on(&driver, async {
        let mut bytes = Vec::new();
        while bytes.len() < 4 * sent as usize {
            bytes.extend_from_slice(&series.next().await.expect("it goes on").unwrap());
        }
        assert!(bytes.chunks_exact(4).eq((0..sent).map(u32::to_ne_bytes)), "out of order");
        let end = series.next().await.expect("the end").unwrap();
        assert!(end.is_empty());
    });
}
