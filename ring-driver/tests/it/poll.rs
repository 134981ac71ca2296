//! What only the backend without a ring could get wrong: edges that are told once, modes of
//! descriptors, numbers that somebody else closes, and a loop that asks the kernel instead of
//! looking into memory shared with it. Everything else runs on it as it does on a ring.

#![allow(unsafe_code)]

use std::future::{Future, poll_fn};
use std::io::{self, Write, pipe};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::op::{self, Domain, Interest, OpenHow, SocketKind};
use wakering_ring_driver::testing::{in_child, open_descriptors, patience};
use wakering_ring_driver::{Backend, Config, Driver, Fd, Instant, Sharing, SocketAddress, Wait};

use crate::{Wakes, adopt, block_on, poll_once, settle};

fn driver() -> Driver {
    let mut config = Config::default();
    config.backend = Backend::Poll;
    Driver::new(&config).expect("there is always epoll")
}

fn flags(fd: BorrowedFd<'_>) -> i32 {
    // SAFETY: takes a number and no memory.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0, "{}", io::Error::last_os_error());
    flags
}

fn is_nonblocking(fd: BorrowedFd<'_>) -> bool {
    flags(fd) & libc::O_NONBLOCK != 0
}

fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) {
    let rest = flags(fd) & !libc::O_NONBLOCK;
    let flags = if nonblocking { rest | libc::O_NONBLOCK } else { rest };
    // SAFETY: takes numbers and no memory.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }, 0);
}

fn room(len: usize) -> Vec<u8> {
    Vec::with_capacity(len)
}

/// A connection over loopback: who is driven, and a blocking peer.
fn connection(driver: &Driver) -> (Fd, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_nodelay(true).unwrap();
    (adopt(driver, listener.accept().unwrap().0), peer)
}

/// Given the backend; when all kinds of operations have run; then no ring was used for any.
#[test]
fn nothing_of_a_ring_is_used() {
    let driver = driver();
    assert_eq!((driver.backend(), driver.capabilities().to_string().as_str()), ("poll", ""));
    block_on(&driver, crate::masks::every_operation(&driver)).unwrap();
    let counters = driver.counters();
    assert_eq!(counters.operations().count(), 0, "{counters:?}");
    assert!(counters.setup_flags.is_empty(), "{counters:?}");
    assert!(counters.pool_calls > 0 && counters.readiness_calls > 0, "{counters:?}");
}

/// Given a pipe, a socket and a listener that others share, in either mode; when they are read,
/// written, accepted from, waited for and closed; then their mode is what it was at any time.
#[test]
fn what_is_shared_keeps_its_mode() {
    for nonblocking in [false, true] {
        let driver = driver();
        let shared = |fd: &dyn AsFd| {
            let copy = fd.as_fd().try_clone_to_owned().unwrap();
            set_nonblocking(copy.as_fd(), nonblocking);
            Fd::adopt(&driver, copy, Sharing::Shared).unwrap()
        };
        let (reader, writer) = pipe().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let kept: [&dyn AsFd; 5] = [&reader, &writer, &ours, &theirs, &listener];
        let fds = kept.map(shared);
        let unchanged = |when: &str| {
            for fd in kept {
                assert_eq!(is_nonblocking(fd.as_fd()), nonblocking, "{when}");
            }
        };
        unchanged("adopted");
        let wakes = Arc::new(Wakes::default());
        let [from_pipe, to_pipe, to_socket, from_socket, incoming] = &fds;
        let mut reading = op::read(from_pipe, room(8));
        let mut receiving = op::recv(from_socket, room(8));
        let mut accepting = op::accept(incoming);
        assert!(poll_once(&driver, &mut reading, &wakes).is_pending());
        assert!(poll_once(&driver, &mut receiving, &wakes).is_pending());
        assert!(poll_once(&driver, &mut accepting, &wakes).is_pending());
        unchanged("waited for");
        block_on(&driver, async {
            op::write(to_pipe, "pipe").await.unwrap();
            op::send(to_socket, "socket").await.unwrap();
            let address = listener.local_addr().unwrap();
            let peer = thread::spawn(move || TcpStream::connect(address).unwrap());
            assert_eq!(reading.await.unwrap().1, b"pipe");
            assert_eq!(receiving.await.unwrap().1, b"socket");
            accepting.await.unwrap();
            peer.join().unwrap();
        });
        unchanged("used");
        drop(fds);
        assert_eq!(driver.shutdown(Duration::from_secs(5)).leaked, 0);
        unchanged("closed");
    }
}

/// Given private descriptors that operations have switched; when they are detached; then they wait,
/// as std expects.
#[test]
fn what_is_given_away_waits() {
    let driver = driver();
    let (reader, writer) = pipe().unwrap();
    let (reader, writer) = (adopt(&driver, reader), adopt(&driver, writer));
    let detached: Vec<OwnedFd> = block_on(&driver, async {
        op::write(&writer, "x").await.unwrap();
        op::read(&reader, room(1)).await.unwrap();
        let reader = reader.detach().await.unwrap().0;
        vec![reader, writer.detach().await.unwrap().0]
    });
    for fd in &detached {
        assert!(!is_nonblocking(fd.as_fd()));
    }
}

/// Given descriptors that are lent for a wait and closed by their owner afterwards; when the next
/// one has the same number; then its own events are told.
#[test]
fn a_number_that_comes_again_is_watched_anew() {
    in_child("poll::a_number_that_comes_again_is_watched_anew", || {
        let driver = driver();
        let wakes = Arc::new(Wakes::default());
        let mut numbers = Vec::new();
        for round in 0..20 {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            numbers.push(ours.as_raw_fd());
            let ours = Rc::new(ours);
            let mut ready = op::poll(ours.clone(), Interest::READABLE);
            assert!(poll_once(&driver, &mut ready, &wakes).is_pending(), "round {round}");
            if round % 2 == 0 {
                theirs.write_all(b"!").unwrap();
                assert!(block_on(&driver, ready).unwrap().readable);
            } else {
                drop(ready);
                settle(&driver);
            }
            assert_eq!(Rc::strong_count(&ours), 1, "nothing of it is left in the driver");
        }
        numbers.dedup();
        assert!(numbers.len() < 20, "numbers come again");
    });
}

/// The numbers that epoll watches in this process, which has one driver.
fn watched() -> Vec<i32> {
    let descriptors = open_descriptors();
    let epoll = descriptors.iter().find(|(_, target)| target.ends_with("[eventpoll]"));
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", epoll.unwrap().0)).unwrap();
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    lines.map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

/// Given a copy of a descriptor that stays open when the driver closes its own; then the copy is no
/// longer watched, which closing alone would not end.
#[test]
fn a_copy_that_stays_open_is_not_watched() {
    in_child("poll::a_copy_that_stays_open_is_not_watched", || {
        let driver = driver();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let _copy = ours.try_clone().unwrap();
        let number = ours.as_raw_fd();
        let before = watched();
        let fd = adopt(&driver, ours);
        let mut receiving = op::recv(&fd, room(8));
        assert!(poll_once(&driver, &mut receiving, &Arc::new(Wakes::default())).is_pending());
        assert!(watched().contains(&number));
        drop(receiving);
        block_on(&driver, fd.close()).unwrap();
        assert_eq!(watched(), before);
    });
}

/// Given a peer that sends and ends at any moment, on TCP and on a Unix socket; when receives leave
/// room; then all bytes come and then the end, each time.
#[test]
fn the_end_is_told_however_close_it_comes_behind_the_bytes() {
    let driver = driver();
    for round in 0..300u64 {
        let (tcp, mut peer) = connection(&driver);
        let pause = Duration::from_nanos(round * 500);
        let sender = thread::spawn(move || {
            peer.write_all(b"first").unwrap();
            thread::sleep(pause);
            peer.write_all(b"last").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            peer
        });
        let all = block_on(&driver, async {
            let mut all = Vec::new();
            loop {
                let (n, buf) = op::recv(&tcp, room(64)).await?;
                match n {
                    0 => return Ok::<_, io::Error>(all),
                    _ => all.extend_from_slice(&buf),
                }
            }
        });
        assert_eq!(all.unwrap(), b"firstlast", "round {round}");
        drop(sender.join().unwrap());
    }
}

/// Given urgent data in the middle of a stream, where receives stop short; when it is read on; then
/// nothing is waited for that is there already.
#[test]
fn a_receive_that_stops_at_urgent_data_is_no_last_one() {
    let driver = driver();
    let (fd, mut peer) = connection(&driver);
    for round in 0..50 {
        peer.write_all(b"before").unwrap();
        // SAFETY: one byte, which lives across the call.
        let sent = unsafe { libc::send(peer.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
        peer.write_all(b"behind").unwrap();
        let mut all = Vec::new();
        while all.len() < 12 {
            all.extend(block_on(&driver, op::recv(&fd, room(64))).unwrap().1);
        }
        assert_eq!(all, b"beforebehind", "round {round}");
    }
}

/// Given messages with control data between them on a Unix socket, where receives stop short; when
/// it is read on; then nothing is waited for that is there already.
#[test]
fn a_receive_that_stops_at_control_data_is_no_last_one() {
    let driver = driver();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (ours, theirs) = (adopt(&driver, ours), adopt(&driver, theirs));
    block_on(&driver, async {
        for _ in 0..20 {
            for part in ["one", "two", "three"] {
                let file = std::fs::File::open("/dev/null")?;
                let control = vec![op::ControlMessage::Rights(vec![file.into()])];
                op::send_msg(&theirs, part, None, control).await?;
            }
            let mut all = Vec::new();
            while all.len() < 11 {
                all.extend(op::recv(&ours, room(64)).await?.1);
            }
            assert_eq!(all, b"onetwothree");
        }
        Ok::<_, io::Error>(())
    })
    .unwrap();
}

/// Given a Unix listener without room, of which nothing tells when it has some; when a connection
/// is asked for; then it waits without a thread of the pool, can be taken back, and is made once
/// there is room.
#[test]
fn a_unix_connection_waits_for_room() {
    let driver = driver();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let socket = || op::socket(Domain::Unix, SocketKind::Stream);
    let address = SocketAddress::from(
        &std::os::unix::net::SocketAddr::from_pathname(&path).expect("a short path"),
    );
    block_on(&driver, async {
        let listener = socket().await?;
        op::bind(&listener, address).await?;
        op::listen(&listener, 0).await?;
        let first = socket().await?;
        op::connect(&first, address).await?;
        let (taken_back, second) = (socket().await?, socket().await?);
        let wakes = Arc::new(Wakes::default());
        let mut connecting = op::connect(&taken_back, address);
        assert!(poll_once(&driver, &mut connecting, &wakes).is_pending());
        let error = connecting.cancel().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));

        let mut connecting = op::connect(&second, address);
        assert!(poll_once(&driver, &mut connecting, &wakes).is_pending());
        op::timeout(Duration::from_millis(20)).await?;
        assert!(poll_once(&driver, &mut connecting, &wakes).is_pending(), "there is no room");
        op::accept(&listener).await?;
        connecting.await?;
        op::accept(&listener).await?;
        assert_eq!(driver.counters().pool_calls, 0);
        Ok::<_, io::Error>(())
    })
    .unwrap();
}

/// Given a file on a disk that is read at its own position, as standard input may be; then that
/// happens on the pool, since the loop would wait for the disk.
#[test]
fn a_file_without_an_offset_is_read_on_the_pool() {
    let driver = driver();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "content").unwrap();
    block_on(&driver, async {
        let file = op::open(None, &path, OpenHow { read: true, ..OpenHow::default() }).await?;
        let calls = driver.counters().pool_calls;
        assert_eq!(op::read(&file, room(3)).await?.1, b"con");
        assert_eq!(op::read(&file, room(8)).await?.1, b"tent");
        assert_eq!(driver.counters().pool_calls, calls + 2);
        Ok::<_, io::Error>(())
    })
    .unwrap();
}

/// Given a Unix socket that sends to another one by name, whose queue is full; when it waits; then
/// the loop sleeps meanwhile, although the sender's own socket has room all the time, and the message
/// goes out once the other one is read.
#[test]
fn a_full_queue_of_another_socket_is_not_asked_without_end() {
    let driver = driver();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let sender = adopt(&driver, UnixDatagram::unbound().unwrap());
    let to = SocketAddress::from(&std::os::unix::net::SocketAddr::from_pathname(&path).unwrap());
    let wakes = Arc::new(Wakes::default());
    let mut sending = loop {
        let mut sending = op::send_msg(&sender, "x", Some(to), vec![]);
        if poll_once(&driver, &mut sending, &wakes).is_pending() {
            break sending;
        }
    };
    let looks = driver.counters().enters;
    block_on(&driver, op::timeout(Duration::from_millis(200))).unwrap();
    let looks = driver.counters().enters - looks;
    assert!(looks < 50, "{looks} looks in 200 ms");
    assert!(poll_once(&driver, &mut sending, &wakes).is_pending());
    receiver.recv(&mut [0; 8]).unwrap();
    assert_eq!(block_on(&driver, sending).unwrap().0, 1);
}

/// Given a number that is none of a descriptor, as the one that stands for the working directory;
/// when it is waited for; then that is an error, and nothing stays behind.
#[test]
fn what_is_no_descriptor_is_refused() {
    let driver = driver();
    // SAFETY: nothing is done with it but to say that it is none.
    let directory = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };
    let error = block_on(&driver, op::poll(directory, Interest::READABLE)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert_eq!(driver.counters().in_flight, 0);
}

/// Given a listener in either mode on which another process has handles too; when that one takes
/// the connection that we were told of; then the loop goes on, and we get the next one.
#[test]
fn a_connection_that_another_process_takes_does_not_stop_the_loop() {
    for nonblocking in [false, true] {
        let driver = driver();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        set_nonblocking(listener.as_fd(), nonblocking);
        let address = listener.local_addr().unwrap();
        let copy = listener.try_clone().unwrap();
        let shared = Fd::adopt(&driver, copy.into(), Sharing::Shared).unwrap();
        let mut accepting = op::accept(&shared);
        assert!(poll_once(&driver, &mut accepting, &Arc::new(Wakes::default())).is_pending());
        let first = TcpStream::connect(address).unwrap();
        drop(listener.accept().unwrap());
        block_on(&driver, op::timeout(Duration::from_millis(5))).unwrap();
        let second = TcpStream::connect(address).unwrap();
        let (_, peer) = block_on(&driver, accepting).unwrap();
        assert_eq!(peer.to_inet(), second.local_addr().ok());
        drop(first);
    }
}

/// Given two who wait for the same descriptor, one of them without an operation on it; when it is
/// ready; then both are told.
#[test]
fn an_edge_is_told_to_everybody() {
    let driver = driver();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let copy = Rc::new(ours);
    let wakes = Arc::new(Wakes::default());
    let mut first = op::poll(copy.clone(), Interest::READABLE);
    let mut second = op::poll(copy.clone(), Interest { readable: true, writable: false });
    assert!(poll_once(&driver, &mut first, &wakes).is_pending());
    assert!(poll_once(&driver, &mut second, &wakes).is_pending());
    theirs.send(b"x").unwrap();
    assert!(block_on(&driver, first).unwrap().readable);
    assert!(block_on(&driver, second).unwrap().readable);
}

/// Given somebody whose operations are always over at once; when others wait for the kernel and for
/// a time; then they are served all the same.
#[test]
fn who_is_always_answered_starves_nobody() {
    let driver = driver();
    let (fd, mut peer) = connection(&driver);
    let mut receiving = op::recv(&fd, room(8));
    let mut timer = op::timeout(Duration::from_millis(5));
    let (mut received, mut rung, mut sent, mut answers) = (false, false, false, 0u64);
    let end = Instant::now() + patience(Duration::from_secs(20));
    let others = poll_fn(|cx| {
        received |= !received && Pin::new(&mut receiving).poll(cx).is_ready();
        rung |= !rung && Pin::new(&mut timer).poll(cx).is_ready();
        if received && rung { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut others = Box::pin(others);
    let busy = poll_fn(|cx| {
        let mut nop = op::nop();
        while Pin::new(&mut nop).poll(cx).is_ready() {
            answers += 1;
            nop = op::nop();
        }
        if answers >= 1000 && !std::mem::replace(&mut sent, true) {
            peer.write_all(b"x").unwrap();
        }
        answers += 1;
        assert!(Instant::now() < end, "they have not been served after {answers} answers");
        // It always has something to do.
        cx.waker().wake_by_ref();
        others.as_mut().poll(cx)
    });
    block_on(&driver, busy);
    assert!(answers > 1000, "{answers}");
}

/// Given a listener that is watched; when many connections come at once; then none waits for an
/// edge that has gone by.
#[test]
fn connections_that_come_together_are_all_accepted() {
    let driver = driver();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let listener = adopt(&driver, listener);
    let wakes = Arc::new(Wakes::default());
    let mut first = op::accept(&listener);
    assert!(poll_once(&driver, &mut first, &wakes).is_pending());
    let clients: Vec<_> = (0..50).map(|_| UnixStream::connect(&path).unwrap()).collect();
    block_on(&driver, async {
        first.await?;
        for _ in 1..clients.len() {
            op::accept(&listener).await?;
        }
        Ok::<_, io::Error>(())
    })
    .unwrap();
}

/// Given two connections that are read in turn, and a reader who waits; when their messages come;
/// then they lie in the same buffer, one after the other, and the wait is no operation.
#[test]
fn all_streams_are_read_into_the_buffer_that_was_used_last() {
    let driver = driver();
    let ((one, mut theirs), (other, mut others)) = (connection(&driver), connection(&driver));
    let wakes = Arc::new(Wakes::default());
    let mut buffers = Vec::new();
    for round in 0..20u8 {
        for (fd, peer) in [(&one, &mut theirs), (&other, &mut others)] {
            let mut fill = poll_fn(|cx| fd.poll_fill(cx));
            assert!(poll_once(&driver, &mut fill, &wakes).is_pending());
            assert_eq!(driver.counters().in_flight, 0);
            peer.write_all(&[round; 20_000]).unwrap();
            let bytes = block_on(&driver, fill).unwrap();
            assert_eq!(*bytes, [round; 20_000]);
            buffers.push(bytes.as_ptr());
        }
    }
    buffers.dedup();
    assert_eq!(buffers.len(), 1);
}

/// Given many streams with bytes that are there already; when one task reads all of them; then the
/// turn comes in between, and afterwards the others are read too.
#[test]
fn a_reader_who_always_finds_bytes_lets_the_turn_come() {
    let driver = driver();
    let pairs: Vec<_> = (0..300).map(|_| UnixStream::pair().unwrap()).collect();
    let mut streams: Vec<_> = (pairs.into_iter())
        .map(|(ours, mut theirs)| {
            theirs.write_all(b"x").unwrap();
            (adopt(&driver, ours), theirs, false)
        })
        .collect();
    let mut read_all = poll_fn(|cx| {
        for (fd, _, is_read) in streams.iter_mut().filter(|(.., is_read)| !is_read) {
            *is_read = fd.poll_fill(cx).map_ok(|bytes| assert_eq!(*bytes, *b"x"))?.is_ready();
        }
        match streams.iter().all(|&(.., is_read)| is_read) {
            true => Poll::Ready(io::Result::Ok(())),
            false => Poll::Pending,
        }
    });
    let wakes = Arc::new(Wakes::default());
    assert!(poll_once(&driver, &mut read_all, &wakes).is_pending(), "all at once");
    driver.turn(Wait::Now);
    assert!(wakes.count() > 0);
    block_on(&driver, read_all).unwrap();
}
