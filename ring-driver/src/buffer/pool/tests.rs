//! The pool against a model of it, with the test in the part of the kernel.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn shape(group: u16, working_set: u16, entries: u16, size: usize) -> Shape {
    Shape { group, first: 0, entries, working_set, headroom: 0, size }
}

fn ring(group: u16, working_set: u16, entries: u16, size: usize) -> io::Result<BufPool> {
    BufPool::ring(shape(group, working_set, entries, size))
}

/// Receives `bytes` as the kernel would.
fn receive(pool: &BufPool, bytes: &[u8]) -> Option<(u16, PooledBuf)> {
    let (id, address, len) = pool.select()?;
    assert!(bytes.len() <= len);
    // SAFETY: The buffer is picked and not taken yet, so nobody else reaches it.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address, bytes.len()) };
    Some((id, pool.take(id, bytes.len())))
}

fn published_tail(pool: &BufPool) -> u16 {
    let Form::Ring(ring) = &pool.shared.form else { panic!("no ring") };
    ring.shared_tail().load(Ordering::Acquire)
}

#[derive(Clone, Debug)]
enum Step {
    Receive(Vec<u8>),
    Drop(usize),
    Consume(usize, usize),
    IntoVec(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..16).prop_map(Step::Receive),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(which, n)| Step::Consume(which, n)),
        1 => any::<usize>().prop_map(Step::IntoVec),
    ]
}

proptest! {
    #[test]
    fn a_buffer_has_one_owner_and_comes_back_once(steps in vec(step(), 0..200)) {
        let pool = ring(1, 4, 4, 16).unwrap();
        let mut posted = VecDeque::from([0u16, 1, 2, 3]);
        let mut held: Vec<(u16, PooledBuf, Vec<u8>)> = Vec::new();
        for step in steps {
            match step {
                Step::Receive(bytes) => match receive(&pool, &bytes) {
                    Some((id, buf)) => {
                        prop_assert_eq!(Some(id), posted.pop_front());
                        held.push((id, buf, bytes));
                    }
                    None => prop_assert!(posted.is_empty()),
                },
                Step::Drop(which) if !held.is_empty() => {
                    let (id, buf, _) = held.swap_remove(which % held.len());
                    drop(buf);
                    posted.push_back(id);
                }
                Step::Consume(which, n) if !held.is_empty() => {
                    let which = which % held.len();
                    let (_, buf, bytes) = &mut held[which];
                    let n = n % (bytes.len() + 1);
                    buf.advance(n);
                    bytes.drain(..n);
                }
                Step::IntoVec(which) if !held.is_empty() => {
                    let (id, buf, bytes) = held.swap_remove(which % held.len());
                    prop_assert_eq!(buf.into_vec(), bytes);
                    posted.push_back(id);
                }
                _ => {}
            }
            for (_, buf, bytes) in &held {
                prop_assert_eq!(&buf[..], &bytes[..]);
            }
            prop_assert_eq!(usize::from(pool.available()), posted.len());
            let stats = pool.stats();
            prop_assert_eq!(stats.taken - stats.returned, held.len() as u64);
            prop_assert_eq!(u64::from(published_tail(&pool)), 4 + stats.returned);
        }
    }
}

#[test]
fn the_ring_goes_round_beyond_its_counters() {
    let pool = ring(0, 2, 2, 8).unwrap();
    for round in 0..70_000u32 {
        let (_, buf) = receive(&pool, &round.to_ne_bytes()).expect("one is always posted");
        assert_eq!(*buf, round.to_ne_bytes());
    }
    assert_eq!(pool.available(), 2);
    assert_eq!(published_tail(&pool), (70_002u32 % 65_536) as u16);
}

#[test]
fn a_buffer_outlives_its_pool() {
    let pool = ring(0, 2, 2, 8).unwrap();
    let (_, buf) = receive(&pool, b"still").unwrap();
    drop(pool);
    assert_eq!(*buf, *b"still");
}

#[test]
fn the_ring_is_laid_out_as_the_kernel_reads_it() {
    let pool = ring(7, 4, 4, 32).unwrap();
    assert_eq!(pool.ring_address() % 4096, 0);
    // SAFETY: Four entries of 16 bytes, all written when the pool was made.
    let words = unsafe { std::slice::from_raw_parts(pool.ring_address() as *const u64, 8) };
    for id in 0..4u16 {
        let [address, rest] = [words[usize::from(id) * 2], words[usize::from(id) * 2 + 1]];
        assert_eq!(address, pool.shared.address(id) as u64);
        assert_eq!((rest as u32, (rest >> 32) as u16), (32, id));
        assert_eq!((rest >> 48) as u16, if id == 0 { 4 } else { 0 }, "the tail, and only there");
    }
}

#[test]
#[should_panic(expected = "already taken")]
fn a_buffer_is_not_handed_out_twice() {
    let pool = ring(0, 2, 2, 8).unwrap();
    let (id, _buf) = receive(&pool, b"mine").unwrap();
    pool.take(id, 4);
}

#[test]
#[should_panic(expected = "buffer 2 of 2")]
fn an_unknown_buffer_is_refused() {
    ring(0, 2, 2, 8).unwrap().take(2, 0);
}

#[test]
#[should_panic(expected = "9 bytes in a buffer of 8")]
fn more_bytes_than_fit_are_refused() {
    ring(0, 2, 2, 8).unwrap().take(0, 9);
}

#[test]
fn the_plain_form_reuses_up_to_its_bound() {
    let pool = BufPool::plain(shape(0, 2, 2, 8));
    assert_eq!((pool.has_ring(), pool.available(), pool.ring_address()), (false, 0, 0));
    assert_eq!(pool.select(), None);
    let lent: Vec<_> = (0..3).map(|_| pool.lend()).collect();
    let addresses: Vec<_> = lent.iter().map(|vector| vector.bytes.as_ptr()).collect();
    for mut vector in lent {
        assert!(vector.bytes.is_empty() && vector.bytes.capacity() == 8);
        vector.bytes.extend_from_slice(b"abc");
        let mut buf = pool.wrap(vector);
        buf.advance(1);
        assert_eq!(*buf, *b"bc");
    }
    let again = [pool.lend(), pool.lend()];
    let is_known = |vector: &Vector| addresses[..2].contains(&vector.bytes.as_ptr());
    assert!(again.iter().all(|vector| vector.bytes.is_empty() && is_known(vector)));
    assert_eq!(pool.lend().bytes.capacity(), 8);
    assert_eq!(pool.stats(), PoolStats { reused: 2, allocated: 4, ..PoolStats::default() });
}

#[test]
fn a_ring_lends_vectors_when_it_is_empty() {
    let pool = ring(0, 1, 1, 8).unwrap();
    let _held = receive(&pool, b"x").unwrap();
    assert!(pool.select().is_none());
    let mut vector = pool.lend();
    vector.bytes.extend_from_slice(b"y");
    assert_eq!(*pool.wrap(vector), *b"y");
    assert_eq!(pool.available(), 0);
    assert!(pool.lend().bytes.is_empty());
    let stats = pool.stats();
    assert_eq!((stats.allocated, stats.reused), (1, 1));
}

/// Given somebody who holds the whole working set; when there is to be more; then spare buffers are
/// posted until there are none, and what comes back beyond the working set is spare again.
#[test]
fn a_pool_grows_while_buffers_are_held_and_shrinks_afterwards() {
    let pool = ring(0, 2, 8, 8).unwrap();
    let mut held: Vec<_> = Vec::new();
    for round in 0..8u8 {
        if pool.available() == 0 {
            assert!(receive(&pool, b"x").is_none() && pool.grow());
        }
        held.push(receive(&pool, &[round]).unwrap().1);
    }
    assert!(!pool.grow(), "there are eight in all");
    assert!(held.iter().enumerate().all(|(round, buf)| **buf == [round as u8]));
    held.clear();
    assert_eq!(pool.available(), 2);
    assert_eq!((pool.stats().grown, pool.stats().returned), (6, 8));
    assert!(pool.grow() && pool.available() == 3);
}

#[test]
fn the_default_is_bounded_to_2_mib_in_use_and_16_in_all() {
    let Shape { working_set, entries, size, .. } = Traffic::Streams.shape();
    assert_eq!(usize::from(working_set) * size, 2 << 20);
    assert_eq!(usize::from(entries) * size, 16 << 20);
    let Shape { entries, size, .. } = BufPool::for_calls().unwrap().shared.shape;
    assert_eq!(usize::from(entries) * size, 16 << 20);
    let datagrams = Traffic::Datagrams.shape();
    assert!(usize::from(datagrams.entries) * datagrams.stride() < 17 << 20);
}

/// Given the pools of streams and of datagrams; when each has a buffer taken; then its number is
/// that pool's only, and what is written about a datagram lies before it.
#[test]
fn each_pool_knows_its_own_buffers() {
    let [streams, datagrams] =
        [Traffic::Streams, Traffic::Datagrams].map(|traffic| BufPool::with_ring(traffic).unwrap());
    let (of_stream, address, len) = streams.select().unwrap();
    assert!(streams.owns(of_stream) && !datagrams.owns(of_stream));
    assert_eq!(streams.take(of_stream, 0).head(), b"");
    assert_eq!((address as usize % 4096, len), (0, BufPool::SIZE));
    let (id, address, len) = datagrams.select().unwrap();
    assert!(datagrams.owns(id) && !streams.owns(id));
    assert_eq!(len, BufPool::HEADROOM + PooledBuf::SIZE_MAX);
    // SAFETY: the buffer is picked and not taken yet, so nobody else reaches it.
    unsafe { std::ptr::write_bytes(address, 1, BufPool::HEADROOM) };
    // SAFETY: as above; the last byte that it can receive.
    unsafe { address.add(len - 1).write(2) };
    let longest = datagrams.take(id, PooledBuf::SIZE_MAX);
    assert_eq!(longest.head(), [1; BufPool::HEADROOM]);
    assert_eq!((longest[0], longest.last()), (0, Some(&2)));
    assert_eq!(longest.len(), PooledBuf::SIZE_MAX);
    drop(longest);
    assert_eq!(datagrams.available(), 64);
}

/// Given a pool for plain calls; when it receives; then into the spare buffer that was used last, one
/// that brings nothing stays spare, and none is lent twice.
#[test]
fn a_call_receives_into_the_buffer_that_was_used_last() {
    let pool = ring(0, 0, 2, 8).unwrap();
    let place = Cell::new(std::ptr::null_mut());
    let receive = |said: i32| {
        pool.receive(|buf, len| {
            assert_eq!(len, 8);
            place.set(buf);
            said
        })
    };
    assert_eq!(receive(-libc::EAGAIN).unwrap().unwrap_err(), -libc::EAGAIN);
    let spare = place.get();
    assert!(receive(0).unwrap().unwrap().is_empty());
    let first = receive(8).unwrap().unwrap();
    assert_eq!((place.get(), first.as_ptr()), (spare, spare.cast_const()));
    let second = receive(1).unwrap().unwrap();
    assert_ne!(place.get(), spare);
    assert!(receive(1).is_none(), "both are taken");
    drop((second, first));
    assert!(receive(-libc::EAGAIN).unwrap().is_err());
    assert_eq!(place.get(), spare, "it was dropped last");
    assert_eq!((pool.stats().taken, pool.stats().returned, pool.available()), (2, 2, 0));
}
