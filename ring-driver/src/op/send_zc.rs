//! Sending without copying: the kernel reads the bytes where they lie until the peer has them.
//!
//! Such a send ends twice. The first completion tells how much was sent, and the next send may
//! begin; the second, perhaps much later, that the kernel reads the buffer no longer. So the future
//! gives the count and, in place of the buffer, a second future.
//!
//! To borrow costs more than to copy where little is sent, and where the kernel copies all the
//! same, on the way to a receiver on this machine say. It tells, and from then on the socket's
//! sends copy.

#![allow(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::transfer::{keep, length};
use super::{Lane, Op, Operation, Send, send};
use crate::backend::Backend;
use crate::buffer::{BufError, BufResult, IoBuf};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf, WeakFd};
use crate::request::{Number, Request};

/// From how many bytes on borrowing is cheaper than copying.
const BORROWED_MIN: usize = 32 * 1024;

/// The operation of [`send_zc`], where it borrows.
#[derive(Debug)]
pub struct SendZc<B> {
    buf: B,
    /// The kernel may hold the buffer for longer than anybody the socket.
    socket: WeakFd,
}

/// Sends `buf` on a connected socket, if possible from where it lies: the buffer comes back in a
/// second step, by [`Lent`], when the peer has all of it.
///
/// It is sent by copying, as by [`send`](super::send()), and is back at once: if it is short; on
/// other sockets than those of TCP; where the kernel has copied on this socket before all the same.
///
/// ```
/// use std::net::SocketAddr;
/// use wakering_ring_driver::op::{self, Domain, SocketKind};
/// use wakering_ring_driver::option;
///
/// # wakering_ring_driver::testing::block_on(async {
/// let listener = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::bind(&listener, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// op::listen(&listener, 16).await?;
/// let client = op::socket(Domain::V4, SocketKind::Stream).await?;
/// op::connect(&client, option::local_address(&listener)?).await?;
/// let (server, _) = op::accept(&listener).await?;
///
/// let (sent, lent) = op::send_zc(&client, vec![7; 40_000]).await?;
/// let mut received = 0;
/// while received < sent {
///     received += op::recv(&server, vec![0; 64 * 1024]).await?.0;
/// }
/// assert_eq!(lent.await, vec![7; 40_000]);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// As [`send`](super::send()). `OutOfMemory` if more is lent than the process may lock
/// (`RLIMIT_MEMLOCK`), but only if nobody waits for it: it is else sent by copying.
///
/// # Cancellation
/// **Strict**: a submitted send belongs to the socket and finishes; the next one waits for it. The
/// buffer is dropped when the kernel reads it no longer.
///
/// # Kernel
/// `IORING_OP_SEND_ZC` with `MSG_WAITALL`, 6.2; elsewhere as `send`.
pub fn send_zc<B: IoBuf>(fd: &Fd, buf: B) -> ZeroCopy<B> {
    let stage = match buf.len() >= BORROWED_MIN && can_borrow(fd) {
        true => Stage::Borrowing(Op::on(fd, SendZc { buf, socket: fd.downgrade() })),
        false => Stage::Copying(send(fd, buf)),
    };
    ZeroCopy { fd: fd.clone(), stage }
}

/// Whether a send on `fd` may borrow.
fn can_borrow(fd: &Fd) -> bool {
    fd.driver().with(|core| {
        if !core.backend.capabilities().send_zc {
            return false;
        }
        let state = &mut core.descriptors[fd.index()];
        let number = state.number;
        *state.can_borrow.get_or_insert_with(|| is_tcp(&mut core.backend, number))
    })
}

/// Other protocols refuse to borrow, and whoever is refused may be gone by then.
fn is_tcp(backend: &mut Backend, fd: Number) -> bool {
    let (mut protocol, mut len) = (0i32, size_of::<i32>() as u32);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PROTOCOL);
    let (value, len) = ((&raw mut protocol).cast(), &raw mut len);
    let asked = backend.call_now(&Request::GetSockOpt { fd, level, name, value, len });
    asked.errno().is_none() && protocol == libc::IPPROTO_TCP
}

/// A send on `fd` has shown that borrowing is in vain.
fn stop_borrowing(fd: &Fd) {
    fd.driver().with(|core| core.descriptors[fd.index()].can_borrow = Some(false));
}

// SAFETY: the pointer leads into the buffer, which is owned, stays at its address and is only read.
unsafe impl<B: IoBuf> Operation for SendZc<B> {
    type Output = BufResult<usize, B>;

    const NAME: &'static str = "send_zc";
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        let (buf, len) = (self.buf.as_ptr(), length(self.buf.len()));
        Request::SendZc { fd, buf, len, flags: libc::MSG_WAITALL | libc::MSG_NOSIGNAL }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        if outcome.was_copied()
            && let Some(fd) = self.socket.upgrade()
        {
            stop_borrowing(&fd);
        }
        Ok((outcome.result() as usize, self.buf))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(BufError::new(error, self.buf))
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}

/// The future of [`send_zc`]: how many bytes were sent, and the buffer, which the kernel may still
/// read.
///
/// # Cancellation
/// That of [`send_zc`].
#[must_use = "an operation does nothing until it is awaited"]
pub struct ZeroCopy<B: IoBuf> {
    fd: Fd,
    stage: Stage<B>,
}

enum Stage<B: IoBuf> {
    Copying(Op<Send<B>>),
    Borrowing(Op<SendZc<B>>),
    Over,
}

impl<B: IoBuf> Unpin for ZeroCopy<B> {}

impl<B: IoBuf> Future for ZeroCopy<B> {
    type Output = Result<(usize, Lent<B>), BufError<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ZeroCopy { fd, stage } = self.get_mut();
        loop {
            match std::mem::replace(stage, Stage::Over) {
                Stage::Copying(mut op) => {
                    let Poll::Ready(sent) = Pin::new(&mut op).poll(cx) else {
                        *stage = Stage::Copying(op);
                        return Poll::Pending;
                    };
                    return Poll::Ready(sent.map(|(n, buf)| (n, Lent(Whose::Ours(Some(buf))))));
                }
                Stage::Borrowing(mut op) => {
                    if let Some(outcome) = op.lent() {
                        let sent = outcome.result() as usize;
                        return Poll::Ready(Ok((sent, Lent(Whose::Kernel(op)))));
                    }
                    match Pin::new(&mut op).poll(cx) {
                        Poll::Pending => {
                            *stage = Stage::Borrowing(op);
                            return Poll::Pending;
                        }
                        Poll::Ready(Err(failed)) if is_about_lending(&failed.error) => {
                            stop_borrowing(fd);
                            *stage = Stage::Copying(send(fd, failed.buf));
                        }
                        Poll::Ready(sent) => {
                            let ours = |(n, buf)| (n, Lent(Whose::Ours(Some(buf))));
                            return Poll::Ready(sent.map(ours));
                        }
                    }
                }
                Stage::Over => panic!("an operation was polled after it had completed"),
            }
        }
    }
}

/// Whether a send has failed because the kernel cannot borrow so much, and would not by copying.
fn is_about_lending(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::ENOBUFS | libc::EOPNOTSUPP))
}

/// A buffer that has been sent, and that the kernel may still read. Awaiting it gives the buffer
/// back when it does not.
///
/// That takes as long as the peer's acknowledgement. Who sends one buffer after the other need not
/// wait: the next send may begin at once, from another one. It does not keep the socket open.
///
/// # Cancellation
/// **Strict** for what was sent. The buffer is dropped as soon as the kernel reads it no longer; if
/// the driver ends before that, it is leaked, and counted.
#[must_use = "the buffer is dropped with this"]
pub struct Lent<B: IoBuf>(Whose<B>);

enum Whose<B: IoBuf> {
    Ours(Option<B>),
    Kernel(Op<SendZc<B>>),
}

impl<B: IoBuf> Unpin for Lent<B> {}

impl<B: IoBuf> fmt::Debug for Lent<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_back = matches!(self.0, Whose::Ours(_));
        f.debug_struct("Lent").field("is_back", &is_back).finish()
    }
}

impl<B: IoBuf> Future for Lent<B> {
    type Output = B;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B> {
        match &mut self.get_mut().0 {
            Whose::Ours(buf) => {
                Poll::Ready(buf.take().expect("a lent buffer was polled after it had come back"))
            }
            Whose::Kernel(op) => Poll::Ready(match ready!(Pin::new(op).poll(cx)) {
                Ok((_, buf)) => buf,
                Err(failed) => failed.buf,
            }),
        }
    }
}
