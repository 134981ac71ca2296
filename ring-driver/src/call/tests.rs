//! Requests as plain calls on real files, pipes and sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::{ffi::CString, fs, path::Path};

use super::*;
use crate::address::SocketAddress;

fn number(fd: &impl AsRawFd) -> Number {
    Number(fd.as_raw_fd())
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap()
}

fn adopt(result: i32) -> OwnedFd {
    assert!(result >= 0, "{}", io::Error::from_raw_os_error(-result));
    // SAFETY: just made by a call of this test.
    unsafe { OwnedFd::from_raw_fd(result) }
}

fn recv(fd: Number, buf: &mut [u8]) -> Request {
    Request::Recv { fd, buf: buf.as_mut_ptr(), len: buf.len() as u32, flags: 0 }
}

fn send(fd: Number, buf: &[u8]) -> Request {
    Request::Send { fd, buf: buf.as_ptr(), len: buf.len() as u32, flags: 0 }
}

/// The file mode flags that say whether calls wait.
fn is_nonblocking(fd: &impl AsRawFd) -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

#[test]
fn a_file_is_made_filled_measured_renamed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("a"), dir.path().join("b"));
    let (old, new) = (c_path(&path), c_path(&other));
    let cwd = Number::CWD;

    let flags = libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC;
    let open = Request::OpenAt { dir: cwd, path: old.as_ptr(), flags, mode: 0o600 };
    assert_eq!(open.class(), Class::Blocking);
    let file = adopt(call(&open));
    let fd = number(&file);

    let text = b"0123456789";
    let buf = text.as_ptr();
    assert_eq!(call(&Request::Write { fd, buf, len: 10, offset: Some(2) }), 10);
    let segments = [
        libc::iovec { iov_base: buf.cast_mut().cast(), iov_len: 1 },
        libc::iovec { iov_base: buf.cast_mut().cast(), iov_len: 2 },
    ];
    let (segments, count) = (segments.as_ptr(), 2);
    assert_eq!(call(&Request::WriteVectored { fd, segments, count, offset: Some(0) }), 3);
    assert_eq!(call(&Request::Fsync { fd, data_only: true }), 0);
    assert_eq!(call(&Request::Fsync { fd, data_only: false }), 0);
    assert_eq!(fs::read(&path).unwrap(), b"001123456789");

    assert_eq!(call(&Request::Ftruncate { fd, len: 5 }), 0);
    assert_eq!(call(&Request::Fallocate { fd, mode: 0, offset: 0, len: 8 }), 0);
    let mut target = [9; 6];
    let (buf, len) = (target.as_mut_ptr(), 6);
    assert_eq!(call(&Request::Read { fd, buf, len, offset: Some(3) }), 5);
    assert_eq!(target, *b"12\0\0\0\x09");

    // SAFETY: plain integers.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    let (out, mask) = (&raw mut stat, libc::STATX_SIZE);
    assert_eq!(call(&Request::Statx { dir: cwd, path: old.as_ptr(), flags: 0, mask, out }), 0);
    assert_eq!(stat.stx_size, 8);

    let (old, new) = (old.as_ptr(), new.as_ptr());
    let rename = Request::RenameAt { old_dir: cwd, old, new_dir: cwd, new, flags: 0 };
    assert_eq!(call(&rename), 0);
    assert_eq!(call(&rename), -libc::ENOENT);
    let unlink = Request::UnlinkAt { dir: cwd, path: new, flags: 0 };
    assert_eq!(call(&unlink), 0);
    assert_eq!(call(&Request::MkdirAt { dir: cwd, path: new, mode: 0o700 }), 0);
    assert!(other.is_dir());
    assert_eq!(call(&unlink), -libc::EISDIR);
    let flags = libc::AT_REMOVEDIR;
    assert_eq!(call(&Request::UnlinkAt { dir: cwd, path: new, flags }), 0);

    let fd = Number(file.into_raw_fd());
    assert_eq!(call(&Request::Close { fd }), 0);
    assert_eq!(call(&Request::Fsync { fd, data_only: false }), -libc::EBADF);
}

#[test]
fn an_empty_socket_is_waited_for_and_a_full_one_too() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = number(&ours);
    let mut buf = [0; 4];
    let request = recv(fd, &mut buf);
    assert_eq!(request.class(), Class::Readiness(libc::POLLIN as u32));
    assert_eq!(call_without_blocking(&request, Mode::Waiting), -libc::EAGAIN);
    theirs.write_all(b"abc").unwrap();
    assert_eq!(call_without_blocking(&request, Mode::Waiting), 3);
    assert_eq!(buf, *b"abc\0");

    let much = vec![7; 1 << 20];
    let request = send(fd, &much);
    assert_eq!(request.class(), Class::Readiness(libc::POLLOUT as u32));
    let sent = call_without_blocking(&request, Mode::Waiting);
    assert!((1..1 << 20).contains(&sent), "{sent}");
    assert_eq!(call_without_blocking(&request, Mode::Waiting), -libc::EAGAIN);
    theirs.read_exact(&mut vec![0; sent as usize]).unwrap();
    assert!(call_without_blocking(&request, Mode::Waiting) > 0);

    drop(theirs);
    assert_eq!(call_without_blocking(&request, Mode::Waiting), -libc::EPIPE, "and no signal");
    assert_eq!(call(&recv(fd, &mut buf)), -libc::ECONNRESET);
}

#[test]
fn a_pipe_keeps_its_mode_and_never_makes_anybody_wait() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    let mut buf = [0; 4];
    let (target, len) = (buf.as_mut_ptr(), 4);
    let read = Request::Read { fd: number(&reader), buf: target, len, offset: None };
    assert_eq!(call_without_blocking(&read, Mode::Waiting), -libc::EAGAIN);
    writer.write_all(b"xyz").unwrap();
    assert_eq!(call_without_blocking(&read, Mode::Waiting), 3);

    let much = vec![1; 1 << 20];
    let (fd, source) = (number(&writer), much.as_ptr());
    let write = Request::Write { fd, buf: source, len: 1 << 20, offset: None };
    let segment = libc::iovec { iov_base: source.cast_mut().cast(), iov_len: 1 << 20 };
    let segments = &raw const segment;
    let vectored = Request::WriteVectored { fd, segments, count: 1, offset: None };
    let mut total = 0;
    loop {
        match call_without_blocking(
            if total % 8192 == 0 { &write } else { &vectored },
            Mode::Waiting,
        ) {
            n @ 1.. => total += n as usize,
            stop => break assert_eq!(stop, -libc::EAGAIN),
        }
    }
    assert!((4096..1 << 20).contains(&total), "{total}");
    assert!(!is_nonblocking(&reader) && !is_nonblocking(&writer));
    reader.read_exact(&mut vec![0; total]).unwrap();
    drop(writer);
    assert_eq!(call_without_blocking(&read, Mode::Waiting), 0, "the end");
}

#[test]
fn a_listener_without_clients_is_waited_for_and_stays_blocking() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fd = number(&listener);
    let mut peer = SocketAddress::empty();
    let (address, len) = peer.as_out_ptrs();
    let accept = Request::Accept { fd, address, len };
    assert_eq!(call_without_blocking(&accept, Mode::Waiting), -libc::EAGAIN);
    assert_eq!(call_without_blocking(&Request::AcceptMulti { fd }, Mode::Waiting), -libc::EAGAIN);
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let accepted = adopt(call_without_blocking(&accept, Mode::Waiting));
    assert_eq!(peer.to_inet(), Some(client.local_addr().unwrap()));
    assert!(!is_nonblocking(&listener) && !is_nonblocking(&accepted));
    // SAFETY: no memory is involved.
    let flags = unsafe { libc::fcntl(accepted.as_raw_fd(), libc::F_GETFD) };
    assert_ne!(flags & libc::FD_CLOEXEC, 0);
}

fn tcp() -> OwnedFd {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    adopt(call(&Request::Socket { domain: libc::AF_INET, kind, protocol: 0 }))
}

fn connect(fd: Number, address: &SocketAddress) -> Request {
    Request::Connect { fd, address: address.as_ptr(), len: address.len() }
}

/// What a backend does with a request of class `Readiness`.
fn drive(request: &Request) -> i32 {
    let Class::Readiness(events) = request.class() else { panic!("{request:?}") };
    loop {
        match call_without_blocking(request, Mode::Waiting) {
            result if result == -libc::EAGAIN => {
                assert!(call(&Request::Poll { fd: request.fd(), events }) > 0);
            }
            result => return result,
        }
    }
}

#[test]
fn a_connection_is_made_or_refused_without_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = SocketAddress::from(listener.local_addr().unwrap());
    let socket = tcp();
    assert_eq!(drive(&connect(number(&socket), &address)), 0);
    assert_eq!(call(&connect(number(&socket), &address)), -libc::EISCONN);
    assert!(!is_nonblocking(&socket));
    let mut peer = SocketAddress::empty();
    let (out, len) = peer.as_out_ptrs();
    assert_eq!(call(&Request::GetPeerName { fd: number(&socket), address: out, len }), 0);
    assert_eq!(peer.to_inet(), address.to_inet());

    drop(listener);
    let socket = tcp();
    assert_eq!(drive(&connect(number(&socket), &address)), -libc::ECONNREFUSED);
    let socket = tcp();
    assert_eq!(call(&connect(number(&socket), &address)), -libc::ECONNREFUSED);
}

/// Loopback connects at once, so the way over `EINPROGRESS` needs a listener whose queue is full.
#[test]
fn a_connection_that_takes_its_time_ends_as_it_must() {
    let socket = tcp();
    let any = SocketAddress::from(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (fd, own) = (number(&socket), any.as_ptr());
    assert_eq!(call(&Request::Bind { fd, address: own, len: any.len() }), 0);
    assert_eq!(call(&Request::Listen { fd, backlog: 0 }), 0);
    let mut name = SocketAddress::empty();
    let (out, len) = name.as_out_ptrs();
    assert_eq!(call(&Request::GetSockName { fd, address: out, len }), 0);

    let first = tcp();
    assert_eq!(drive(&connect(number(&first), &name)), 0);
    let second = tcp();
    let request = connect(number(&second), &name);
    assert_eq!(call_without_blocking(&request, Mode::Waiting), -libc::EAGAIN);
    assert_eq!(call_without_blocking(&request, Mode::Waiting), -libc::EAGAIN, "still on its way");
    // Room for the second, which the system finds out when it repeats its greeting after a second.
    drop(adopt(call(&Request::AcceptMulti { fd })));
    assert_eq!(drive(&request), 0);
    drop(first);
}

#[test]
fn nothing_tells_when_a_unix_socket_has_room_for_a_connection() {
    let name = std::os::unix::net::SocketAddr::from_pathname("/x").unwrap();
    let address = SocketAddress::from(&name);
    assert_eq!(connect(Number(0), &address).class(), Class::Untold);
}

#[test]
fn messages_keep_their_bounds() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let mut bytes = *b"abcdef";
    let mut segment = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 4 };
    // SAFETY: null pointers and zero lengths are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut segment, 1);
    let (fd, flags) = (number(&ours), 0);
    let receive = Request::RecvMsg { fd, message: &raw mut message, flags };
    assert_eq!(call_without_blocking(&receive, Mode::Waiting), -libc::EAGAIN);
    theirs.send(b"123456").unwrap();
    assert_eq!(call_without_blocking(&receive, Mode::Waiting), 4);
    assert_ne!(message.msg_flags & libc::MSG_TRUNC, 0);
    assert_eq!(bytes, *b"1234ef");
    assert_eq!(call(&Request::SendMsg { fd, message: &raw const message, flags }), 4);
    let mut back = [0; 8];
    assert_eq!(theirs.recv(&mut back).unwrap(), 4);
}

#[test]
fn readiness_is_told_and_waited_for() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (fd, events) = (number(&ours), libc::POLLIN as u32);
    let poll = Request::Poll { fd, events };
    assert_eq!(call_without_blocking(&poll, Mode::Waiting), -libc::EAGAIN);
    let waiting = std::thread::spawn(move || call(&poll_of(fd, events)));
    drop(theirs);
    assert_ne!(waiting.join().unwrap() & i32::from(libc::POLLHUP), 0);
    let closed = Request::Poll { fd: Number(1 << 20), events };
    assert_eq!(call_without_blocking(&closed, Mode::Waiting), -libc::EBADF);
}

/// Requests are not `Send`: those that lend memory must not be.
fn poll_of(fd: Number, events: u32) -> Request {
    Request::Poll { fd, events }
}

#[test]
fn what_has_no_plain_call_says_so() {
    let fd = Number(0);
    assert_eq!(call(&Request::Nop), 0);
    assert_eq!(call(&Request::RecvPooled { fd, group: 0 }), -libc::ENOBUFS);
    assert_eq!(call(&Request::RecvMulti { fd, group: 0 }), -libc::ENOBUFS);
    assert_eq!(call(&Request::Timeout { spec: ptr::null() }), -libc::EOPNOTSUPP);
}

#[test]
fn a_signal_does_not_cut_a_call_short() {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: a handler that does nothing, without SA_RESTART, for a signal that nobody else in
    // this process uses.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()), 0);
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = number(&ours);
    // SAFETY: names the calling thread.
    let thread = unsafe { libc::pthread_self() };
    let interrupter = std::thread::spawn(move || {
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(2));
            // SAFETY: the thread waits for this one, so it is alive.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
        }
        theirs.write_all(b"late").unwrap();
        theirs
    });
    let mut buf = [0; 8];
    assert_eq!(call(&recv(fd, &mut buf)), 4);
    interrupter.join().unwrap();
}
