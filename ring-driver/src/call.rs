//! The same requests as plain system calls: the one table from request to call.
//!
//! Effects that never wait are called in place, on every backend. Everything else is called where
//! its [`Class`] says, if a ring lacks the operation or there is no ring. Results are the kernel's
//! own: a count or number, or the negated errno.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::time::Duration;

use crate::request::{Number, Request};

/// One request in as many calls as it takes.
mod attempt;

pub(crate) use attempt::Attempt;

/// Where a request may be carried out by a plain call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// On the loop, once the descriptor shows one of these events of poll(2).
    Readiness(u32),
    /// Nothing tells when: on the pool if the descriptor waits, on the loop again and again if it
    /// does not.
    Untold,
    /// On the pool: it waits for a disk, or for nobody knows what.
    Blocking,
    /// On the loop, at once: it waits for nothing, or has no plain call at all.
    None,
}

impl Class {
    pub(crate) const READABLE: Class = Class::Readiness(libc::POLLIN as u32);
    pub(crate) const WRITABLE: Class = Class::Readiness(libc::POLLOUT as u32);
}

impl Request {
    /// What has to be waited for, and where, before this may be called.
    pub(crate) fn class(&self) -> Class {
        match *self {
            Request::Read { offset: None, .. }
            | Request::ReadVectored { offset: None, .. }
            | Request::Accept { .. }
            | Request::AcceptMulti { .. }
            | Request::Recv { .. }
            | Request::RecvPooled { .. }
            | Request::RecvMulti { .. }
            | Request::RecvMsg { .. }
            | Request::RecvMsgMulti { .. } => Class::READABLE,
            // A Unix socket has room for us all the time, and does not say when its peer has.
            Request::SendMsg { message, .. } if names_unix(message) => Class::Untold,
            Request::Write { offset: None, .. }
            | Request::WriteVectored { offset: None, .. }
            | Request::Send { .. }
            | Request::SendZc { .. }
            | Request::SendMsg { .. } => Class::WRITABLE,
            // Nor when it has room to queue us.
            Request::Connect { address, .. } if is_unix(address) => Class::Untold,
            Request::Connect { .. } => Class::WRITABLE,
            Request::Poll { events, .. } => Class::Readiness(events),
            Request::Read { .. }
            | Request::Write { .. }
            | Request::ReadVectored { .. }
            | Request::WriteVectored { .. }
            | Request::Fsync { .. }
            | Request::Ftruncate { .. }
            | Request::Fallocate { .. }
            | Request::Fchmod { .. }
            | Request::OpenAt { .. }
            | Request::Close { .. }
            | Request::Statx { .. }
            | Request::UnlinkAt { .. }
            | Request::RenameAt { .. }
            | Request::MkdirAt { .. }
            | Request::LinkAt { .. }
            | Request::SymlinkAt { .. }
            | Request::ReadlinkAt { .. } => Class::Blocking,
            // It waits for either end, and does not say for which.
            Request::Splice { .. } => Class::Untold,
            Request::Nop
            | Request::Socket { .. }
            | Request::Bind { .. }
            | Request::Listen { .. }
            | Request::Shutdown { .. }
            | Request::Timeout { .. }
            | Request::Cancel { .. }
            | Request::MsgRing { .. }
            | Request::GetSockName { .. }
            | Request::GetPeerName { .. }
            | Request::SetSockOpt { .. }
            | Request::GetSockOpt { .. } => Class::None,
        }
    }
}

/// Makes the system call and waits as long as it takes, whatever the mode of the descriptor, which
/// others may have switched. For threads that may wait.
pub(crate) fn call_and_wait(request: &Request) -> i32 {
    loop {
        let result = call(request);
        if !matches!(-result, libc::EAGAIN | libc::EINPROGRESS | libc::EALREADY) {
            return result;
        }
        match (request.class(), *request) {
            (_, Request::Splice { from, to, .. }) => {
                poll(from.0, libc::POLLIN as u32, -1);
                poll(to.0, libc::POLLOUT as u32, -1);
            }
            (Class::Readiness(events), _) => {
                poll(request.fd().0, events, -1);
            }
            (Class::Untold, _) => std::thread::sleep(Duration::from_millis(1)),
            (Class::Blocking | Class::None, _) => return result,
        }
    }
}

/// Makes the system call, and waits as far as the descriptor does. A signal does not cut it short.
pub(crate) fn call(request: &Request) -> i32 {
    match *request {
        // Linux frees the number before a signal can interrupt anything: to try again could close
        // somebody else's.
        // SAFETY: whoever made the request gave the number up.
        Request::Close { fd } => once(unsafe { libc::close(fd.0) } as isize),
        Request::Poll { fd, events } => poll(fd.0, events, -1),
        _ => call_with(request, 0),
    }
}

/// What a call does on a descriptor that is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It waits, as the ring wants it.
    Waiting,
    /// It says `EAGAIN`, as epoll wants it.
    Nonblocking,
    /// Whatever the others want who use the same open file: it stays as it is.
    Shared,
}

/// Makes the system call of a request of class [`Readiness`](Class::Readiness) or
/// [`Untold`](Class::Untold) without ever waiting: `-EAGAIN` asks to call again later. Other
/// requests are called as they are.
#[inline(always)]
pub(crate) fn call_without_blocking(request: &Request, mode: Mode) -> i32 {
    match *request {
        Request::Recv { .. } | Request::Send { .. } | Request::SendZc { .. } => {
            call_with(request, libc::MSG_DONTWAIT)
        }
        _ => call_carefully(request, mode),
    }
}

/// The same for those that take no flag against waiting.
#[inline(never)]
fn call_carefully(request: &Request, mode: Mode) -> i32 {
    match *request {
        Request::Poll { fd, events } => match poll(fd.0, events, 0) {
            0 => -libc::EAGAIN,
            result => result,
        },
        Request::Connect { fd, .. } => {
            let result = match mode {
                Mode::Nonblocking => call(request),
                Mode::Waiting | Mode::Shared => without_blocking(fd.0, || call(request)),
            };
            match -result {
                // On its way. Asked again when the socket can be written to, Linux tells how it
                // went.
                libc::EINPROGRESS | libc::EALREADY => -libc::EAGAIN,
                _ => result,
            }
        }
        _ if mode == Mode::Nonblocking => call_with(request, libc::MSG_DONTWAIT),
        _ if mode == Mode::Shared
            && let Some(result) = transfer_now(request) =>
        {
            result
        }
        Request::Read { fd, offset: None, .. } | Request::ReadVectored { fd, offset: None, .. } => {
            ready(fd.0, libc::POLLIN).unwrap_or_else(|| call(request))
        }
        Request::Write { fd, buf, len, offset: None } => {
            let len = len.min(PIPE_BUF);
            let cut = Request::Write { fd, buf, len, offset: None };
            ready(fd.0, libc::POLLOUT).unwrap_or_else(|| call(&cut))
        }
        Request::WriteVectored { fd, segments, count, offset: None } => {
            let cut = first_segments(fd, segments, count);
            ready(fd.0, libc::POLLOUT).unwrap_or_else(|| call(&cut))
        }
        // That of a shared listener may wait, even if a connection was there a moment ago.
        Request::Accept { .. } | Request::AcceptMulti { .. } if mode == Mode::Shared => {
            -libc::EAGAIN
        }
        Request::Accept { fd, .. } | Request::AcceptMulti { fd } => {
            without_blocking(fd.0, || call(request))
        }
        _ => call_with(request, libc::MSG_DONTWAIT),
    }
}

/// Reads or writes a stream without waiting, whatever the mode of its descriptor. `None` where it
/// is something else that is asked for, or the kernel cannot do that with this kind of file: with
/// pipes it can since 6.4 ("pipe: set FMODE_NOWAIT on pipes").
fn transfer_now(request: &Request) -> Option<i32> {
    // All ones stand for the stream's own position; the call takes it in two halves.
    const HERE: libc::c_long = -1;
    let one = |buf: *const u8, len: u32| libc::iovec {
        iov_base: buf.cast_mut().cast(),
        iov_len: len as usize,
    };
    let (fd, own, lent) = match *request {
        Request::Read { fd, buf, len, offset: None } => (fd, Some(one(buf, len)), None),
        Request::Write { fd, buf, len, offset: None } => (fd, Some(one(buf, len)), None),
        Request::ReadVectored { fd, segments, count, offset: None }
        | Request::WriteVectored { fd, segments, count, offset: None } => {
            (fd, None, Some((segments, count)))
        }
        _ => return None,
    };
    let reads = matches!(request, Request::Read { .. } | Request::ReadVectored { .. });
    let number = if reads { libc::SYS_preadv2 } else { libc::SYS_pwritev2 };
    let (segments, count) = lent.unwrap_or((own.as_ref().map_or(ptr::null(), ptr::from_ref), 1));
    // SAFETY: whoever made the request vouches for the segments; one of ours lives across the call.
    let result = retry(|| unsafe {
        libc::syscall(number, fd.0, segments, count, HERE, HERE, libc::RWF_NOWAIT) as isize
    });
    (result != -libc::EOPNOTSUPP).then_some(result)
}

/// Reads from a file without waiting for a disk, if all that is asked for is in the page cache, or
/// all up to the end of the file.
pub(crate) fn read_cached(fd: Number, buf: *mut u8, len: u32, offset: u64) -> Option<i32> {
    let segment = libc::iovec { iov_base: buf.cast(), iov_len: len as usize };
    let (number, flags) = (libc::SYS_preadv2, libc::RWF_NOWAIT);
    // Beyond, offsets are negative to the kernel, and one of them means something else.
    let offset = i64::try_from(offset).ok()?;
    // The offset goes in two halves. Where the first one holds it all, the other is ignored.
    let (low, high) = (offset as libc::c_ulong, (offset >> 32) as libc::c_ulong);
    // SAFETY: whoever made the request vouches for the buffer; the segment lives across the call.
    let read = once(unsafe {
        libc::syscall(number, fd.0, &raw const segment, 1, low, high, flags) as isize
    });
    // What is missing is not in the cache, or not in the file. Linux 5.9 and 5.10 may say 0 in both
    // cases.
    let is_at_end = || len_of_file(fd).is_some_and(|len| len <= offset as u64 + read as u64);
    (read == len as i32 || read >= 0 && is_at_end()).then_some(read)
}

/// What a pipe or terminal that can be written to takes at once.
///
/// The mode of such a descriptor is left alone, because it may be shared with other processes
/// (standard streams are). Where the kernel cannot be told with the call not to wait, reads and
/// writes ask first: the one reader of what is there does not wait, and neither does the one writer
/// of at most this much.
const PIPE_BUF: u32 = libc::PIPE_BUF as u32;

/// As many whole segments as such a descriptor takes at once, or the beginning of the first.
fn first_segments(fd: Number, segments: *const libc::iovec, count: u32) -> Request {
    // SAFETY: whoever made the request vouches for `count` segments.
    let all = unsafe { std::slice::from_raw_parts(segments, count as usize) };
    let mut room = PIPE_BUF as usize;
    let fits = |segment: &&libc::iovec| {
        let left = room.checked_sub(segment.iov_len);
        room = left.unwrap_or(room);
        left.is_some()
    };
    match (all.iter().take_while(fits).count() as u32, all.first()) {
        (0, Some(first)) => {
            Request::Write { fd, buf: first.iov_base.cast(), len: PIPE_BUF, offset: None }
        }
        (count, _) => Request::WriteVectored { fd, segments, count, offset: None },
    }
}

/// Whether a call would find the event, or an error.
pub(crate) fn is_ready(fd: RawFd, event: i16) -> bool {
    ready(fd, event).is_none()
}

/// Whether the descriptor is that of a file with content, wherever it lies.
pub(crate) fn is_regular_file(fd: RawFd) -> bool {
    len_of_file(Number(fd)).is_some()
}

/// The length of a file with content.
fn len_of_file(fd: Number) -> Option<u64> {
    // SAFETY: zeros are a value of this struct of integers, of which the kernel writes one.
    let (result, stat) = unsafe {
        let mut stat: libc::stat64 = std::mem::zeroed();
        (libc::fstat64(fd.0, &raw mut stat), stat)
    };
    let is_file = result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFREG;
    is_file.then_some(stat.st_size as u64)
}

/// Whether reads of the descriptor bypass the page cache.
pub(crate) fn is_direct(fd: Number) -> bool {
    // SAFETY: no memory is involved.
    let flags = unsafe { libc::fcntl(fd.0, libc::F_GETFL) };
    flags >= 0 && flags & libc::O_DIRECT != 0
}

/// Whether the descriptor is that of a TCP socket.
#[cold]
pub(crate) fn is_tcp(fd: Number) -> bool {
    let is = |name, expected: i32| {
        let (mut said, mut len) = (0i32, size_of::<i32>() as u32);
        let (value, len) = ((&raw mut said).cast(), &raw mut len);
        let ask = Request::GetSockOpt { fd, level: libc::SOL_SOCKET, name, value, len };
        call(&ask) == 0 && said == expected
    };
    is(libc::SO_PROTOCOL, libc::IPPROTO_TCP) && is(libc::SO_TYPE, libc::SOCK_STREAM)
}

/// `None` if the descriptor is ready, `-EAGAIN` or what else the answer is if it is not.
fn ready(fd: RawFd, event: i16) -> Option<i32> {
    match poll(fd, event as u32, 0) {
        0 => Some(-libc::EAGAIN),
        errno @ ..0 => Some(errno),
        _ => None,
    }
}

/// Makes a call that has no flag against waiting on a descriptor that does not wait for its length.
///
/// The mode belongs to the open file, so others who use the same one would see it change. Listeners
/// that are not shared and connecting sockets have no other users: they are private to the driver,
/// which makes one call at a time. An operation of the ring that is in flight on the same socket
/// looks at the mode only when it is submitted, on this same thread.
fn without_blocking(fd: RawFd, call: impl FnOnce() -> i32) -> i32 {
    let changed = match switch_nonblocking(fd, true) {
        Ok(changed) => changed,
        Err(error) => return error.raw_os_error().map_or(-libc::EINVAL, |errno| -errno),
    };
    let result = call();
    if changed {
        // What could be switched on a moment ago can be switched off.
        let _ = switch_nonblocking(fd, false);
    }
    result
}

/// Sets or clears `O_NONBLOCK` on the open file behind `fd`.
pub(crate) fn set_nonblocking(fd: RawFd, nonblocking: bool) -> io::Result<()> {
    switch_nonblocking(fd, nonblocking).map(drop)
}

/// The same; whether that changed anything.
fn switch_nonblocking(fd: RawFd, nonblocking: bool) -> io::Result<bool> {
    // SAFETY: no memory is involved.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = match nonblocking {
        true => flags | libc::O_NONBLOCK,
        false => flags & !libc::O_NONBLOCK,
    };
    // SAFETY: as above.
    if wanted != flags && unsafe { libc::fcntl(fd, libc::F_SETFL, wanted) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(wanted != flags)
}

/// All calls that need no special care, with `more` flags for those that take `MSG_*`. What streams
/// do all the time is called from where it is asked for.
#[inline(always)]
fn call_with(request: &Request, more: i32) -> i32 {
    match *request {
        Request::Recv { fd, buf, len, flags } => {
            let flags = flags | more;
            // SAFETY: as in `call_once`.
            retry(|| unsafe { libc::recv(fd.0, buf.cast(), len as usize, flags) })
        }
        // A plain call gives the bytes back when it returns, and so copies them.
        Request::Send { fd, buf, len, flags } | Request::SendZc { fd, buf, len, flags } => {
            let flags = flags | more | libc::MSG_NOSIGNAL;
            // SAFETY: as in `call_once`.
            retry(|| unsafe { libc::send(fd.0, buf.cast(), len as usize, flags) })
        }
        _ => retry(|| call_once(request, more)),
    }
}

/// One of the other calls, which a signal may interrupt.
#[inline(never)]
fn call_once(request: &Request, more: i32) -> isize {
    // SAFETY: here and in the calls below. Every pointer in a request is valid, with the length
    // that stands beside it, for as long as the call takes: it points into an operation in flight
    // (see `Operation`), or into memory that whoever calls with a request of their own keeps alive.
    unsafe {
        match *request {
            Request::Nop => 0,
            Request::Read { fd, buf, len, offset: None } => {
                libc::read(fd.0, buf.cast(), len as usize)
            }
            Request::Read { fd, buf, len, offset: Some(offset) } => {
                libc::pread64(fd.0, buf.cast(), len as usize, offset as i64)
            }
            Request::Write { fd, buf, len, offset: None } => {
                libc::write(fd.0, buf.cast(), len as usize)
            }
            Request::Write { fd, buf, len, offset: Some(offset) } => {
                libc::pwrite64(fd.0, buf.cast(), len as usize, offset as i64)
            }
            Request::ReadVectored { fd, segments, count, offset: None } => {
                libc::readv(fd.0, segments, count as i32)
            }
            Request::ReadVectored { fd, segments, count, offset: Some(offset) } => {
                libc::preadv64(fd.0, segments, count as i32, offset as i64)
            }
            Request::WriteVectored { fd, segments, count, offset: None } => {
                libc::writev(fd.0, segments, count as i32)
            }
            Request::WriteVectored { fd, segments, count, offset: Some(offset) } => {
                libc::pwritev64(fd.0, segments, count as i32, offset as i64)
            }
            Request::Fsync { fd, data_only: false } => libc::fsync(fd.0) as isize,
            Request::Fsync { fd, data_only: true } => libc::fdatasync(fd.0) as isize,
            Request::Ftruncate { fd, len } => libc::ftruncate64(fd.0, len as i64) as isize,
            Request::Fallocate { fd, mode, offset, len } => {
                libc::fallocate64(fd.0, mode, offset as i64, len as i64) as isize
            }
            Request::Fchmod { fd, mode } => libc::fchmod(fd.0, mode) as isize,
            Request::OpenAt { dir, path, flags, mode } => {
                libc::openat(dir.0, path, flags, mode) as isize
            }
            Request::Statx { dir, path, flags, mask, out } => {
                libc::statx(dir.0, path, flags, mask, out) as isize
            }
            Request::UnlinkAt { dir, path, flags } => libc::unlinkat(dir.0, path, flags) as isize,
            Request::RenameAt { old_dir, old, new_dir, new, flags } => {
                libc::renameat2(old_dir.0, old, new_dir.0, new, flags) as isize
            }
            Request::MkdirAt { dir, path, mode } => libc::mkdirat(dir.0, path, mode) as isize,
            Request::LinkAt { old_dir, old, new_dir, new } => {
                libc::linkat(old_dir.0, old, new_dir.0, new, 0) as isize
            }
            Request::SymlinkAt { target, dir, path } => {
                libc::symlinkat(target, dir.0, path) as isize
            }
            Request::ReadlinkAt { dir, path, buf, len } => {
                libc::readlinkat(dir.0, path, buf.cast(), len as usize)
            }
            Request::Splice { from, from_offset, to, to_offset, len } => {
                let offset = |offset: Option<u64>| offset.map(|offset| offset as i64);
                let (mut from_offset, mut to_offset) = (offset(from_offset), offset(to_offset));
                let pointer = |offset: &mut Option<i64>| {
                    offset.as_mut().map_or(ptr::null_mut(), ptr::from_mut::<i64>)
                };
                let (read_at, write_at) = (pointer(&mut from_offset), pointer(&mut to_offset));
                let flags =
                    if more & libc::MSG_DONTWAIT == 0 { 0 } else { libc::SPLICE_F_NONBLOCK };
                libc::splice(from.0, read_at, to.0, write_at, len as usize, flags)
            }
            Request::Socket { domain, kind, protocol } => {
                libc::socket(domain, kind, protocol) as isize
            }
            Request::Bind { fd, address, len } => libc::bind(fd.0, address, len) as isize,
            Request::Listen { fd, backlog } => libc::listen(fd.0, backlog) as isize,
            // One that a signal interrupts goes on; asking again waits for its end.
            Request::Connect { fd, address, len } => libc::connect(fd.0, address, len) as isize,
            Request::Accept { fd, address, len } => {
                libc::accept4(fd.0, address, len, libc::SOCK_CLOEXEC) as isize
            }
            Request::AcceptMulti { fd } => {
                let (address, len) = (ptr::null_mut(), ptr::null_mut());
                libc::accept4(fd.0, address, len, libc::SOCK_CLOEXEC) as isize
            }
            Request::RecvMsg { fd, message, flags } => libc::recvmsg(fd.0, message, flags | more),
            Request::SendMsg { fd, message, flags } => {
                let flags = flags | more | libc::MSG_NOSIGNAL;
                match (*message).msg_controllen == 0 && (*message).msg_iovlen == 1 {
                    // The kernel has no header and segments to copy first.
                    true => {
                        let (part, name) = (*(*message).msg_iov, (*message).msg_name.cast());
                        let name_len = (*message).msg_namelen;
                        libc::sendto(fd.0, part.iov_base, part.iov_len, flags, name, name_len)
                    }
                    false => libc::sendmsg(fd.0, message, flags),
                }
            }
            Request::Shutdown { fd, how } => libc::shutdown(fd.0, how) as isize,
            Request::GetSockName { fd, address, len } => {
                libc::getsockname(fd.0, address, len) as isize
            }
            Request::GetPeerName { fd, address, len } => {
                libc::getpeername(fd.0, address, len) as isize
            }
            Request::SetSockOpt { fd, level, name, value, len } => {
                libc::setsockopt(fd.0, level, name, value.cast(), len) as isize
            }
            Request::GetSockOpt { fd, level, name, value, len } => {
                libc::getsockopt(fd.0, level, name, value.cast(), len) as isize
            }
            // Buffers are provided to a ring. Whoever asks takes this answer as "none is left" and
            // goes on without.
            Request::RecvPooled { .. }
            | Request::RecvMulti { .. }
            | Request::RecvMsgMulti { .. } => fail(libc::ENOBUFS),
            Request::Timeout { .. } | Request::Cancel { .. } | Request::MsgRing { .. } => {
                fail(libc::EOPNOTSUPP)
            }
            Request::Close { .. }
            | Request::Poll { .. }
            | Request::Recv { .. }
            | Request::Send { .. }
            | Request::SendZc { .. } => unreachable!("it is called elsewhere: {request:?}"),
        }
    }
}

/// Waits up to `timeout` ms (-1: for ever) for any of `events`; the events that are there, 0 when
/// the time is over.
pub(crate) fn poll(fd: RawFd, events: u32, timeout: i32) -> i32 {
    let mut entry = libc::pollfd { fd, events: events as i16, revents: 0 };
    // SAFETY: one entry, which lives throughout the call.
    let result = retry(|| unsafe { libc::poll(&raw mut entry, 1, timeout) } as isize);
    match result {
        1.. if entry.revents == libc::POLLNVAL => -libc::EBADF,
        1.. => i32::from(entry.revents),
        result => result,
    }
}

/// Whether a message goes to a Unix socket by its name.
fn names_unix(message: *const libc::msghdr) -> bool {
    // SAFETY: whoever made the request vouches for the header, which is there.
    !message.is_null() && is_unix(unsafe { (*message).msg_name }.cast())
}

fn is_unix(address: *const libc::sockaddr) -> bool {
    // SAFETY: whoever made the request vouches for an address, and each begins with its family.
    !address.is_null() && i32::from(unsafe { (*address).sa_family }) == libc::AF_UNIX
}

fn retry(mut call: impl FnMut() -> isize) -> i32 {
    loop {
        match once(call()) {
            result if result == -libc::EINTR => {}
            result => return result,
        }
    }
}

/// The result of a call in the kernel's own form.
fn once(result: isize) -> i32 {
    match result {
        // No call transfers more than fits (`MAX_RW_COUNT`).
        0.. => result as i32,
        _ => -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO),
    }
}

/// What a failing call does.
fn fail(errno: i32) -> isize {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = errno };
    -1
}

#[cfg(test)]
mod tests;
