//! One request in as many plain calls as it takes.
//!
//! A ring goes on with a send until all of it is sent, if it was asked to (`MSG_WAITALL`), and so
//! does a blocking call. A call that must not wait sends what fits, so the rest is sent by further
//! calls: dropping the future of a send must not cut it short here either.

#![allow(unsafe_code)]

use std::borrow::Borrow;

use super::{Mode, call_without_blocking};
use crate::request::Request;

/// How far a request has come. It is borrowed as long as it need not wait.
pub(crate) struct Attempt<R = Request> {
    request: R,
    mode: Mode,
    /// Bytes sent so far.
    done: u32,
}

impl Attempt<&Request> {
    /// The same, to go on later.
    pub(crate) fn keep(&self) -> Attempt {
        Attempt { request: *self.request, mode: self.mode, done: self.done }
    }
}

impl<R: Borrow<Request>> Attempt<R> {
    /// A request about a descriptor in that mode.
    pub(crate) fn new(request: R, mode: Mode) -> Attempt<R> {
        Attempt { request, mode, done: 0 }
    }

    /// What is being attempted.
    pub(crate) fn request(&self) -> &Request {
        self.request.borrow()
    }

    /// Goes on without waiting. `None` asks to go on once the descriptor shows the events of the
    /// request's class.
    #[inline(always)]
    pub(crate) fn proceed(&mut self) -> Option<i32> {
        loop {
            let result = match self.done {
                0 => call_without_blocking(self.request(), self.mode),
                done => send_rest(self.request(), done, self.mode),
            };
            match result {
                again if again == -libc::EAGAIN => return None,
                sent @ 1.. if self.done as usize + (sent as usize) < wanted(self.request()) => {
                    self.done += sent as u32;
                }
                last => return Some(self.ended_by(last)),
            }
        }
    }

    /// What the whole came to if `last` was the result of its last part: an error is left for the
    /// next send to meet, as the kernel does it.
    pub(crate) fn ended_by(&self, last: i32) -> i32 {
        match (self.done, last) {
            (0, last) => last,
            (done, ..0) => done as i32,
            (done, sent) => done as i32 + sent,
        }
    }
}

/// How many bytes must have been sent before the request is complete; none if any number will do.
#[inline]
fn wanted(request: &Request) -> usize {
    match *request {
        Request::Send { len, flags, .. } | Request::SendZc { len, flags, .. }
            if flags & libc::MSG_WAITALL != 0 =>
        {
            len as usize
        }
        Request::SendMsg { message, flags, .. } if flags & libc::MSG_WAITALL != 0 => {
            length(message)
        }
        _ => 0,
    }
}

/// The length of all segments of a message.
#[inline(never)]
fn length(message: *const libc::msghdr) -> usize {
    // SAFETY: whoever made the request vouches for the header.
    segments(unsafe { &*message }).iter().map(|segment| segment.iov_len).sum()
}

#[cold]
fn send_rest(request: &Request, done: u32, mode: Mode) -> i32 {
    match *request {
        Request::Send { fd, buf, len, flags } | Request::SendZc { fd, buf, len, flags } => {
            // SAFETY: less than `len` bytes have been sent, so this is within the buffer.
            let buf = unsafe { buf.add(done as usize) };
            call_without_blocking(&Request::Send { fd, buf, len: len - done, flags }, mode)
        }
        Request::SendMsg { fd, message, flags } => {
            // SAFETY: whoever made the request vouches for the header.
            let mut rest = unsafe { *message };
            let mut left = without_front(segments(&rest), done as usize);
            rest.msg_iov = left.as_mut_ptr();
            rest.msg_iovlen = left.len() as _;
            // What travels beside the bytes went with the first of them.
            rest.msg_controllen = 0;
            let rest = Request::SendMsg { fd, message: &raw const rest, flags };
            call_without_blocking(&rest, mode)
        }
        _ => unreachable!("only sends have a rest: {request:?}"),
    }
}

fn segments(message: &libc::msghdr) -> &[libc::iovec] {
    if message.msg_iov.is_null() {
        return &[];
    }
    // SAFETY: whoever made the request vouches for as many segments as the header says.
    unsafe { std::slice::from_raw_parts(message.msg_iov, message.msg_iovlen as _) }
}

/// The segments behind the first `done` bytes.
fn without_front(segments: &[libc::iovec], mut done: usize) -> Vec<libc::iovec> {
    let mut left = Vec::with_capacity(segments.len());
    for segment in segments {
        let gone = done.min(segment.iov_len);
        done -= gone;
        if gone < segment.iov_len {
            let iov_base = segment.iov_base.wrapping_byte_add(gone);
            left.push(libc::iovec { iov_base, iov_len: segment.iov_len - gone });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Sender, channel};
    use std::thread::{JoinHandle, spawn};

    use super::*;
    use crate::call::{Class, call};
    use crate::request::Number;

    /// Carries a request out while another thread reads, from the first wait on; how often it had
    /// to wait, and the result.
    fn drive(ours: &UnixStream, request: Request, reader: &Sender<()>) -> (u32, i32) {
        let mut attempt = Attempt::new(request, Mode::Waiting);
        let Class::Readiness(events) = attempt.request().class() else { panic!("{request:?}") };
        let mut waits = 0;
        loop {
            match attempt.proceed() {
                Some(result) => return (waits, result),
                None => {
                    waits += 1;
                    reader.send(()).unwrap();
                    let fd = Number(ours.as_raw_fd());
                    assert!(call(&Request::Poll { fd, events }) > 0);
                }
            }
        }
    }

    /// Reads all that there is, once it is told to begin.
    fn reader(mut theirs: UnixStream) -> (Sender<()>, JoinHandle<Vec<u8>>) {
        let (sender, receiver) = channel();
        let thread = spawn(move || {
            let _ = receiver.recv();
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).unwrap();
            all
        });
        (sender, thread)
    }

    #[test]
    fn all_of_a_send_is_sent() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (start, reader) = reader(theirs);
        let bytes: Vec<u8> = (0..4 << 20).map(|n| (n / 1000) as u8).collect();
        let (fd, buf, len) = (Number(ours.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32);
        let send = Request::Send { fd, buf, len, flags: libc::MSG_WAITALL };
        let (waits, result) = drive(&ours, send, &start);
        assert!(waits > 0, "a socket that takes 4 MiB at once shows nothing");
        assert_eq!(result, len as i32);
        drop(ours);
        assert!(reader.join().unwrap() == bytes);
    }

    #[test]
    fn all_segments_of_a_send_are_sent_in_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (start, reader) = reader(theirs);
        let parts: Vec<Vec<u8>> = (1..40u8).map(|n| vec![n; usize::from(n) * 5000]).collect();
        let mut segments: Vec<libc::iovec> = parts
            .iter()
            .map(|part| libc::iovec {
                iov_base: part.as_ptr().cast_mut().cast(),
                iov_len: part.len(),
            })
            .collect();
        // SAFETY: null pointers and zero lengths are valid.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        (header.msg_iov, header.msg_iovlen) = (segments.as_mut_ptr(), segments.len() as _);
        let (fd, message) = (Number(ours.as_raw_fd()), &raw const header);
        let (waits, result) =
            drive(&ours, Request::SendMsg { fd, message, flags: libc::MSG_WAITALL }, &start);
        assert!(waits > 0);
        drop(ours);
        let whole = parts.concat();
        assert_eq!(result as usize, whole.len());
        assert!(reader.join().unwrap() == whole);
    }

    #[test]
    fn what_was_sent_before_an_error_counts() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bytes = vec![1; 4 << 20];
        let (fd, buf, len) = (Number(ours.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32);
        let request = Request::Send { fd, buf, len, flags: libc::MSG_WAITALL };
        let mut attempt = Attempt::new(request, Mode::Waiting);
        assert_eq!(attempt.proceed(), None);
        drop(theirs);
        let sent = attempt.proceed().unwrap();
        assert!((1..len as i32).contains(&sent), "{sent}");
        assert_eq!(attempt.ended_by(-libc::ECANCELED), sent);
        assert_eq!(Attempt::new(request, Mode::Waiting).proceed(), Some(-libc::EPIPE));
        assert_eq!(
            Attempt::new(request, Mode::Waiting).ended_by(-libc::ECANCELED),
            -libc::ECANCELED
        );
    }

    #[test]
    fn without_the_wish_a_part_will_do() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let bytes = vec![1; 4 << 20];
        let (fd, buf, len) = (Number(ours.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32);
        let sent = Attempt::new(Request::Send { fd, buf, len, flags: 0 }, Mode::Waiting)
            .proceed()
            .unwrap();
        assert!((1..len as i32).contains(&sent), "{sent}");
    }
}
