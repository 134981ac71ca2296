//! What a round trip costs: enters into the kernel and allocations. Whatever counts something of
//! the whole process runs in a child of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream as Peer;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use wakering::driver::Driver;
use wakering::driver::testing::in_child;
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, TcpStream};
use wakering::task::yield_now;

/// Counts allocations of the whole process.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: passes everything on to the system's allocator and counts on the way.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const MESSAGE: [u8; 64] = [7; 64];

/// Echoes and counts its round trips.
async fn echo(mut stream: TcpStream, round_trips: Rc<Cell<u64>>) -> std::io::Result<()> {
    let mut buf = Vec::with_capacity(4096);
    loop {
        let (n, filled) = stream.read(buf).await?;
        if n == 0 {
            return Ok(());
        }
        (_, buf) = stream.write_all(filled).await?;
        round_trips.set(round_trips.get() + 1);
    }
}

fn enters() -> u64 {
    Driver::current().expect("a runtime is running").counters().enters
}

/// Given 64 connections whose tasks wait in `read`; when all become ready at once; then their 64
/// round trips cost at most 8 enters, but for one every 100 µs where they take so long.
#[test]
fn sixty_four_round_trips_cost_at_most_eight_enters() {
    wakering::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let round_trips = Rc::new(Cell::new(0));
        let mut peers = Vec::new();
        let mut spent: Vec<(u64, u64)> = Vec::new();
        for _ in 0..64 {
            peers.push(Peer::connect(address).unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            wakering::spawn(echo(stream, round_trips.clone()));
        }
        for round in 1..=20 {
            // The tasks are parked once nothing has happened for a while.
            wakering::time::sleep(std::time::Duration::from_millis(20)).await;
            for peer in &mut peers {
                peer.write_all(&MESSAGE).unwrap();
            }
            let (before, start) = (enters(), Instant::now());
            while round_trips.get() < 64 * round {
                yield_now().await;
            }
            // The loop looks up every 100 µs, whatever it has to do.
            let looks = start.elapsed().as_micros() as u64 / 100;
            spent.push((enters() - before, looks.max(8)));
            for peer in &mut peers {
                let mut reply = [0; 64];
                peer.read_exact(&mut reply).unwrap();
                assert_eq!(reply, MESSAGE);
            }
        }
        // A round in which the machine held the thread up says nothing, so most have to be good.
        let good = spent.iter().filter(|(enters, allowed)| enters <= allowed).count();
        assert!(good > spent.len() / 2, "64 round trips took (enters, allowed): {spent:?}");
    });
}

/// Runs an echo server against one peer that plays ping-pong, and calls `measure` in the middle of
/// it and at its end.
fn ping_pong(round_trips: u64, mut measure: impl FnMut()) {
    wakering::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let peer = thread::spawn(move || {
            let mut peer = Peer::connect(address).unwrap();
            peer.set_nodelay(true).unwrap();
            let mut reply = [0; 64];
            for _ in 0..2 * round_trips {
                peer.write_all(&MESSAGE).unwrap();
                peer.read_exact(&mut reply).unwrap();
                assert_eq!(reply, MESSAGE);
            }
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buf = Vec::with_capacity(4096);
        for round_trip in 0..2 * round_trips {
            if round_trip == round_trips {
                measure();
            }
            let (n, filled) = stream.read(buf).await.unwrap();
            assert_eq!(n, 64);
            (_, buf) = stream.write_all(filled).await.unwrap();
        }
        measure();
        peer.join().unwrap();
    });
}

/// Given one connection; when it plays ping-pong; then a round trip costs at most two enters: one
/// that sends, one that waits.
#[test]
fn a_lone_round_trip_costs_at_most_two_enters() {
    let mut marks = Vec::new();
    ping_pong(1000, || marks.push(enters()));
    let spent = marks[1] - marks[0];
    assert!(spent <= 2 * 1000 + 2, "1,000 round trips took {spent} enters");
}

/// Given a connection in its steady state; when it goes on; then nothing in the process allocates.
#[test]
fn round_trips_do_not_allocate() {
    in_child("round_trips_do_not_allocate", || {
        let mut marks = Vec::with_capacity(2);
        ping_pong(10_000, || marks.push(ALLOCATIONS.load(Ordering::Relaxed)));
        assert_eq!(marks[1] - marks[0], 0, "10,000 round trips allocated");
    });
}
