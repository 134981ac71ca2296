//! Taking operations back: the outcome is what really happened, no request to end one is lost, and
//! whichever of completion and cancellation wins, nothing is lost with it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_ring_driver::testing::{patience, ring_or_skip};
use wakering_ring_driver::{Backend, Config, Driver, Fd, Instant, Wait};

use crate::world::World;
use crate::{Wakes, adopt, block_on, driver, poll_once, settle};

const CANCELLED: Option<i32> = Some(libc::ECANCELED);

/// A ring as small as it gets.
fn tiny(entries: u32) -> Driver {
    let mut config = Config::default();
    (config.entries, config.completions) = (entries, 2 * entries);
    Driver::new(&config).unwrap()
}

/// U04. Given 1,000 operations in flight and a submission queue of one or eight entries; when all
/// are dropped in one turn; then each is cancelled, and none waits for its hour to be over.
#[test]
fn case_u04_a_full_queue_loses_no_cancellation() {
    for entries in [1, 8] {
        let driver = tiny(entries);
        let wakes = Arc::new(Wakes::default());
        let mut timers: Vec<_> =
            (0..1000).map(|_| op::timeout(Duration::from_secs(3600))).collect();
        for timer in &mut timers {
            assert!(poll_once(&driver, timer, &wakes).is_pending());
        }
        driver.turn(Wait::Now);
        assert_eq!(driver.counters().in_flight, 1000);
        drop(timers);
        settle(&driver);
        let counters = driver.counters();
        assert_eq!(counters.cancels, 1000);
        if driver.backend() == "uring" {
            assert_eq!(counters.used("async_cancel"), 1000);
        }
        assert_eq!(driver.shutdown(Duration::from_secs(5)).leaked, 0);
    }
}

/// U04 again, with futures that wait for the outcome.
#[test]
fn case_u04_each_of_a_thousand_cancellations_is_answered() {
    let driver = tiny(4);
    let wakes = Arc::new(Wakes::default());
    let mut taken_back = Vec::new();
    for _ in 0..1000 {
        let mut timer = op::timeout(Duration::from_secs(3600));
        assert!(poll_once(&driver, &mut timer, &wakes).is_pending());
        taken_back.push(timer.cancel());
    }
    for cancel in &mut taken_back {
        assert!(poll_once(&driver, cancel, &wakes).is_pending());
    }
    for cancel in taken_back {
        let error = block_on(&driver, cancel).unwrap_err();
        assert_eq!(error.raw_os_error(), CANCELLED);
    }
    assert_eq!(driver.counters().in_flight, 0);
}

/// Given a receive that nothing comes for, one whose bytes are there, one that waits behind another
/// and one that never began; when each is taken back; then the outcome is what happened, and the
/// buffer comes back with it.
#[test]
fn the_outcome_is_what_really_happened() {
    let driver = driver();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&driver, ours);
    let wakes = Arc::new(Wakes::default());

    let failed = block_on(&driver, op::recv(&fd, vec![1; 4]).cancel()).unwrap_err();
    assert_eq!((failed.error.raw_os_error(), failed.buf), (CANCELLED, vec![1; 4]));
    assert_eq!(driver.counters().submitted, 0, "it never began");

    let mut first = op::recv(&fd, vec![2; 4]);
    assert!(poll_once(&driver, &mut first, &wakes).is_pending());
    let mut second = op::recv(&fd, vec![3; 4]);
    assert!(poll_once(&driver, &mut second, &wakes).is_pending());
    let failed = block_on(&driver, second.cancel()).unwrap_err();
    assert_eq!((failed.error.raw_os_error(), failed.buf), (CANCELLED, vec![3; 4]));
    let failed = block_on(&driver, first.cancel()).unwrap_err();
    assert_eq!((failed.error.raw_os_error(), failed.buf), (CANCELLED, vec![2; 4]));

    let mut late = op::recv(&fd, vec![4; 4]);
    assert!(poll_once(&driver, &mut late, &wakes).is_pending());
    driver.turn(Wait::Now);
    theirs.write_all(b"late").unwrap();
    driver.turn(Wait::Now);
    let (count, buf) = block_on(&driver, late.cancel()).unwrap();
    assert_eq!((count, buf), (4, b"late".to_vec()));
}

/// Given operations that the ring lacks, carried out after readiness or on the pool; when they are
/// taken back; then the one that waits ends, and the one that runs gives its outcome.
#[test]
fn emulated_operations_are_taken_back_too() {
    let driver = without("-recv,-fsync");
    let wakes = Arc::new(Wakes::default());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = adopt(&driver, ours);

    let mut receive = op::recv(&fd, vec![1; 4]);
    assert!(poll_once(&driver, &mut receive, &wakes).is_pending());
    driver.turn(Wait::Now);
    let failed = block_on(&driver, receive.cancel()).unwrap_err();
    assert_eq!((failed.error.raw_os_error(), failed.buf), (CANCELLED, vec![1; 4]));
    theirs.write_all(b"next").unwrap();
    assert_eq!(block_on(&driver, op::recv(&fd, vec![0; 4])).unwrap().1, b"next");

    let file = adopt(&driver, tempfile::tempfile().unwrap());
    let mut sync = op::fsync(&file);
    assert!(poll_once(&driver, &mut sync, &wakes).is_pending());
    block_on(&driver, sync.cancel()).unwrap();
    assert_eq!(driver.counters().pool_calls, 1);
    assert_eq!(driver.shutdown(Duration::from_secs(5)).leaked, 0);
}

/// Given a receive emulated by readiness whose poll has completed for nothing, since somebody else
/// took the bytes; when it is cancelled between the poll's completion and its being looked at; then
/// it ends all the same.
#[test]
fn a_cancellation_between_two_polls_is_not_lost() {
    if !ring_or_skip("cancel::a_cancellation_between_two_polls_is_not_lost") {
        return;
    }
    // A ring that completes a poll while nobody looks.
    let mut config = Config::default();
    config.backend = Backend::Uring;
    config.mask = Some("-recv,-defer_taskrun,-coop_taskrun".parse().unwrap());
    let driver = Driver::new(&config).unwrap();
    let wakes = Arc::new(Wakes::default());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut thief = ours.try_clone().unwrap();
    let fd = adopt(&driver, ours);
    for _ in 0..100 {
        let mut receive = op::recv(&fd, vec![1; 4]);
        assert!(poll_once(&driver, &mut receive, &wakes).is_pending());
        driver.turn(Wait::Now);
        theirs.write_all(b"gone").unwrap();
        let mut cancel = receive.cancel();
        assert!(poll_once(&driver, &mut cancel, &wakes).is_pending());
        thief.read_exact(&mut [0; 4]).unwrap();
        let failed = block_on(&driver, cancel).unwrap_err();
        assert_eq!(failed.error.raw_os_error(), CANCELLED);
    }
}

/// The default driver without `names`.
fn without(names: &str) -> Driver {
    let lane = std::env::var("WAKERING_CAPS").unwrap_or_default();
    let mut config = Config::default();
    config.mask = Some(format!("{lane},{names}").parse().unwrap());
    Driver::new(&config).unwrap()
}

/// A ring to race on.
struct Course {
    driver: Driver,
    /// Whether there has to be a turn between an operation and its cancellation.
    turns: bool,
}

/// Two kinds of ring. One completes operations while nobody looks, so that a request to cancel
/// meets the completion inside the kernel. With the other nothing completes outside of a turn,
/// where a cancellation always comes first.
fn courses() -> [Course; 2] {
    [
        Course { driver: without("-defer_taskrun,-coop_taskrun"), turns: false },
        Course { driver: driver(), turns: true },
    ]
}

impl Course {
    /// Hands `future` to the kernel, and lets `rival` complete it within `delay`, or not.
    fn start(&self, future: &mut (impl Future + Unpin), rival: &Rival, delay: Duration) {
        assert!(poll_once(&self.driver, future, &Arc::default()).is_pending());
        self.driver.turn(Wait::Now);
        rival.act();
        spin(delay);
        if self.turns {
            self.driver.turn(Wait::Now);
        }
    }
}

/// A thread that does something when told to.
struct Rival {
    tell: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Rival {
    fn new(mut act: impl FnMut() + Send + 'static) -> Rival {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || told.into_iter().for_each(|()| act()));
        Rival { tell: Some(tell), thread: Some(thread) }
    }

    fn act(&self) {
        self.tell.as_ref().unwrap().send(()).unwrap();
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        drop(self.tell.take());
        let _ = self.thread.take().unwrap().join();
    }
}

fn spin(time: Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Repeats `round`, which says whether the completion won, until each side has won at least one
/// round in a hundred of at least 1,000. The time that the cancellation waits is drawn anew each
/// round, around a middle that moves against whoever leads.
fn race(name: &str, mut round: impl FnMut(Duration) -> bool) {
    let (mut completed, mut cancelled) = (0u64, 0u64);
    let mut middle = 20_000.0f64;
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let end = Instant::now() + patience(Duration::from_secs(30));
    loop {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let spread = (state % 2048) as f64 / 1024.0;
        match round(Duration::from_nanos((middle * spread) as u64)) {
            true => {
                completed += 1;
                middle = (middle * 0.98).max(100.0);
            }
            false => {
                cancelled += 1;
                middle = (middle * 1.02).min(5e6);
            }
        }
        let rounds = completed + cancelled;
        if rounds >= 1000 && completed.min(cancelled) * 100 >= rounds {
            return println!("{name}: {completed} completed, {cancelled} were cancelled");
        }
        assert!(Instant::now() < end, "{name}: {completed} completed, {cancelled} were cancelled");
    }
}

/// The bytes 1, 2, 3 and so on: who sends one, and the end on which they arrive.
fn numbers(driver: &Driver) -> (Rival, Fd) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let mut number = 0u8;
    let rival = Rival::new(move || {
        number = number.wrapping_add(1);
        theirs.write_all(&[number]).unwrap();
    });
    (rival, adopt(driver, ours))
}

/// K12. Given a receive that is taken back as its byte arrives; when either wins; then the byte is
/// there: as the outcome, or for the next receive.
#[test]
fn case_k12_a_byte_that_races_its_cancellation_is_not_lost() {
    for course in courses() {
        let driver = &course.driver;
        let (rival, fd) = numbers(driver);
        let mut expected = 0u8;
        race("a receive taken back", |delay| {
            expected = expected.wrapping_add(1);
            let mut receive = op::recv(&fd, vec![0]);
            course.start(&mut receive, &rival, delay);
            match block_on(driver, receive.cancel()) {
                Ok((1, buf)) => {
                    assert_eq!(buf, [expected]);
                    true
                }
                Err(failed) => {
                    assert_eq!(failed.error.raw_os_error(), CANCELLED);
                    let (_, buf) = block_on(driver, op::recv(&fd, vec![0])).unwrap();
                    assert_eq!(buf, [expected]);
                    false
                }
                Ok(other) => panic!("{other:?}"),
            }
        });
    }
}

/// K12 once more, by dropping the future. That the receive completed shows in its successor not
/// asking the kernel.
#[test]
fn case_k12_a_byte_that_races_the_drop_is_not_lost() {
    for course in courses() {
        let driver = &course.driver;
        let (rival, fd) = numbers(driver);
        let mut expected = 0u8;
        race("a receive dropped", |delay| {
            expected = expected.wrapping_add(1);
            let mut receive = op::recv(&fd, vec![0]);
            course.start(&mut receive, &rival, delay);
            drop(receive);
            settle(driver);
            let asked = driver.counters().submitted;
            let (_, buf) = block_on(driver, op::recv(&fd, vec![0])).unwrap();
            assert_eq!(buf, [expected]);
            driver.counters().submitted == asked
        });
    }
}

/// W06. Given an accept that is dropped as a client connects; when either wins; then the client is
/// given to the next accept.
#[test]
fn case_w06_a_client_that_races_the_drop_of_accept_is_served() {
    for course in courses() {
        let driver = &course.driver;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = adopt(driver, listener);
        let (tell, clients) = mpsc::channel();
        let rival = Rival::new(move || tell.send(TcpStream::connect(address).unwrap()).unwrap());
        race("an accept dropped", |delay| {
            let mut accept = op::accept(&listener);
            course.start(&mut accept, &rival, delay);
            drop(accept);
            settle(driver);
            let asked = driver.counters().submitted;
            let (server, peer) = block_on(driver, op::accept(&listener)).unwrap();
            let served = driver.counters().submitted == asked;
            let mut client = clients.recv().unwrap();
            assert_eq!(peer.to_inet(), client.local_addr().ok());
            // A reset frees the port at once; thousands of rounds would use them up otherwise.
            server.abort();
            driver.turn(Wait::Now);
            assert!(client.read(&mut [0]).is_err());
            served
        });
    }
}

/// Given a timer that is taken back as its time is over; when either wins; then the outcome says
/// which, and nothing stays behind.
#[test]
fn a_timer_that_races_its_cancellation_ends_once() {
    let driver = driver();
    let wakes = Arc::new(Wakes::default());
    race("a timer taken back", |delay| {
        let mut timer = op::timeout(Duration::from_micros(100));
        assert!(poll_once(&driver, &mut timer, &wakes).is_pending());
        driver.turn(Wait::Now);
        spin(delay);
        let ended = match block_on(&driver, timer.cancel()) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.raw_os_error(), CANCELLED);
                false
            }
        };
        let counters = driver.counters();
        assert_eq!((counters.in_flight, counters.stale), (0, 0));
        ended
    });
}

/// Given a send that was taken back, and nobody who waits for the outcome; when the next one comes;
/// then it is not told that it was cancelled.
#[test]
fn a_cancellation_is_no_news_for_the_next_send() {
    let world = World::new();
    let mut first = op::send(&world.fd, "first");
    world.waits(&mut first);
    let mut cancel = first.cancel();
    world.waits(&mut cancel);
    drop(cancel);
    world.turn();
    assert_eq!(world.memory.in_flight(), 0);
    let mut second = op::send(&world.fd, "second");
    let submitted = world.submit(&mut second);
    assert_eq!(submitted.bytes(), b"second");
    submitted.complete(6);
    world.turn();
    assert!(matches!(world.poll(&mut second), Poll::Ready(Ok((6, "second")))));
}

/// Given a receive that waits behind another one; when it is polled where it cannot run; then it no
/// longer counts as somebody who waits: the other one's drop leaves an orphan that is cancelled.
#[test]
fn an_operation_that_fails_in_the_queue_leaves_it() {
    let world = World::new();
    let mut first = op::recv(&world.fd, vec![1; 4]);
    world.waits(&mut first);
    let mut second = op::recv(&world.fd, vec![2; 4]);
    world.waits(&mut second);
    let elsewhere = self::driver();
    assert!(matches!(poll_once(&elsewhere, &mut second, &world.wakes), Poll::Ready(Err(_))));
    drop(first);
    world.turn();
    assert_eq!(world.memory.in_flight(), 0, "it was not cancelled");
}

/// Given a kernel that twice does not find what it is to cancel; when an operation is dropped, or
/// taken back; then it is asked again until the operation has ended, and not once more.
#[test]
fn a_cancellation_that_found_nothing_is_made_again() {
    let world = World::new();
    for is_dropped in [true, false] {
        world.memory.miss_cancels(2);
        let before = world.driver.counters().cancels;
        let mut receiving = op::recv(&world.fd, Vec::with_capacity(8));
        world.waits(&mut receiving);
        if is_dropped {
            drop(receiving);
            settle(&world.driver);
        } else {
            let error = block_on(&world.driver, receiving.cancel()).unwrap_err();
            assert_eq!(error.error.raw_os_error(), CANCELLED);
        }
        thread::sleep(Duration::from_millis(20));
        world.turn();
        let counters = world.driver.counters();
        assert_eq!((counters.cancels - before, counters.in_flight, counters.stale), (3, 0, 0));
    }
}

/// Given a kernel that never finds what it is to cancel; when an operation is dropped; then it is
/// asked less and less often.
#[test]
fn a_cancellation_that_finds_nothing_for_long_becomes_rare() {
    let world = World::new();
    world.memory.miss_cancels(u32::MAX);
    let mut receiving = op::recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut receiving);
    drop(receiving);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        world.driver.turn(Wait::Until(Some(begun + Duration::from_millis(200))));
    }
    // The pauses up to the last one sum up to less than twice that.
    let pauses = begun.elapsed().as_millis() as u64 / 5;
    let most = 2 + u64::from((pauses + 1).ilog2());
    let cancels = world.driver.counters().cancels;
    assert!((2..=most).contains(&cancels), "{cancels} of at most {most}");
    world.memory.miss_cancels(0);
    settle(&world.driver);
}

/// Given a cancellation that found nothing, and a loop that has other things to do; when its time
/// comes; then a turn is asked for.
#[test]
fn a_busy_loop_is_told_to_cancel_again() {
    let world = World::new();
    world.memory.miss_cancels(1);
    let mut receiving = op::recv(&world.fd, Vec::with_capacity(8));
    world.waits(&mut receiving);
    drop(receiving);
    let end = Instant::now() + patience(Duration::from_secs(10));
    while world.driver.counters().in_flight > 0 {
        assert!(Instant::now() < end, "the operation does not end");
        if world.driver.needs_turn() {
            world.turn();
        }
    }
}
