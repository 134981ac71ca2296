//! Sending a buffer as a whole.
//!
//! The kernel takes all of it in one send, as a rule. So the future is that send and little else:
//! every task that echoes or answers has room for one, also while it waits for something to send.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, Slice};
use wakering_ring_driver::{Fd, op};

/// Sends all of `buf`.
pub(crate) fn send_all<B: IoBuf>(fd: &Fd, buf: B) -> SendAll<'_, B> {
    let stage = match buf.is_empty() {
        true => Stage::Nothing(Some(buf)),
        false => Stage::Whole(op::send(fd, buf)),
    };
    SendAll { fd, stage }
}

pub(crate) struct SendAll<'fd, B: IoBuf> {
    fd: &'fd Fd,
    stage: Stage<B>,
}

enum Stage<B: IoBuf> {
    Nothing(Option<B>),
    Whole(op::Op<op::Send<B>>),
    /// The kernel has taken less, which is rare.
    Rest(Pin<Box<dyn Future<Output = BufResult<usize, B>>>>),
}

impl<B: IoBuf> Future for SendAll<'_, B> {
    type Output = BufResult<usize, B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let SendAll { fd, stage } = self.get_mut();
        if let Stage::Whole(send) = stage {
            match ready!(Pin::new(send).poll(cx)) {
                Ok((sent, buf)) if sent < buf.len() => {
                    *stage = Stage::Rest(Box::pin(send_rest(fd.clone(), buf, sent)));
                }
                done => return Poll::Ready(done),
            }
        }
        match stage {
            Stage::Nothing(buf) => {
                let buf = buf.take().expect("what has ended is not polled again");
                Poll::Ready(Ok((0, buf)))
            }
            Stage::Rest(rest) => rest.as_mut().poll(cx),
            Stage::Whole(_) => unreachable!("it has been left just now"),
        }
    }
}

// A buffer is never pinned: an operation that has it is moved to where it stays.
impl<B: IoBuf> Unpin for SendAll<'_, B> {}

async fn send_rest<B: IoBuf>(fd: Fd, mut buf: B, mut sent: usize) -> BufResult<usize, B> {
    let len = buf.len();
    while sent < len {
        let n;
        (n, buf) = match op::send(&fd, buf.slice(sent..len)).await {
            Ok((n, rest)) => (n, rest.into_inner()),
            Err(failure) => return Err(failure.map_buf(Slice::into_inner)),
        };
        if n == 0 {
            let text = format!("the stream took only {sent} of {len} bytes");
            return Err(BufError::new(io::Error::new(io::ErrorKind::WriteZero, text), buf));
        }
        sent += n;
    }
    Ok((len, buf))
}
