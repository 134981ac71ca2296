//! Receiving again and again, each time into whichever buffer of the driver's pool is next.

#![allow(unsafe_code)]

use std::io;

use super::transfer::keep;
use super::{Lane, Multi, MultiOperation, Operation};
use crate::buffer::{BufPool, PooledBuf, Traffic};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

/// The operation of [`recv_multi`].
#[derive(Debug)]
pub struct RecvMulti {
    pool: BufPool,
}

/// Receives the bytes of a stream as they come, until it ends (an empty buffer) or an error.
///
/// The kernel reads some buffers ahead, whether or not anybody takes the items. So does
/// [`Fd::poll_fill`], which starts again by itself and does without where the kernel cannot.
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use wakering_ring_driver::{Driver, Fd, Sharing, op};
///
/// # wakering_ring_driver::testing::block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let ours = Fd::adopt(&Driver::current()?, ours.into(), Sharing::Private)?;
/// theirs.write_all(b"hello")?;
/// drop(theirs);
/// if let Ok(mut stream) = op::recv_multi(&ours) {
///     assert_eq!(*stream.next().await.expect("bytes")?, *b"hello");
///     assert!(stream.next().await.expect("the end")?.is_empty());
/// }
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// ENOBUFS when all buffers of the pool are taken: drop some, and start again. `Unsupported` where
/// the kernel has no multishot receive.
///
/// # Cancellation
/// **Strict**: bytes that nobody has taken are given to the next receive.
///
/// # Kernel
/// `IORING_OP_RECV` with `IORING_RECV_MULTISHOT` and provided buffers, 6.0. Kernels that forget an
/// end which comes together with the last bytes, as some of 6.17 and 6.18 do, count as without.
pub fn recv_multi(fd: &Fd) -> io::Result<Multi<RecvMulti>> {
    if !fd.driver().capabilities().multishot_recv {
        let message = "receiving by multishot needs Linux 6.0: receive one buffer at a time";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    let pool = fd.driver().buf_pool(Traffic::Streams)?;
    if !pool.has_ring() {
        let message = "receiving by multishot needs provided buffers, for which there was no memory: \
                       raise the limit of locked memory (`ulimit -l`)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(Multi::on(fd, RecvMulti { pool }))
}

// SAFETY: nothing of `self` is lent; the pool's memory belongs to the pool, which `self` keeps
// alive.
unsafe impl Operation for RecvMulti {
    type Output = io::Result<PooledBuf>;

    const NAME: &'static str = "recv";
    const LANE: Lane = Lane::Read;

    fn request(&mut self, fd: Number) -> Request {
        Request::RecvMulti { fd, group: self.pool.group() }
    }

    fn complete(self, outcome: Outcome, _driver: &Driver) -> Self::Output {
        received(outcome, |id, len| self.pool.take(id, len))
    }

    fn fail(self, error: io::Error) -> Self::Output {
        Err(error)
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        match received(outcome, |id, len| self.pool.take_aside(id, len)) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => shelf.chunks.push_back(bytes),
            Err(_) => keep(outcome, shelf),
        }
    }
}

// SAFETY: as above.
unsafe impl MultiOperation for RecvMulti {
    type Item = PooledBuf;
    type Taken = PooledBuf;

    fn take(shelf: &mut Shelf) -> Option<PooledBuf> {
        shelf.next_chunk()
    }

    fn item(bytes: PooledBuf, _driver: &Driver) -> PooledBuf {
        bytes
    }
}

/// The bytes that a completion brought. Any completion may name a buffer, which then has to go
/// home.
fn received(outcome: Outcome, take: impl FnOnce(u16, usize) -> PooledBuf) -> io::Result<PooledBuf> {
    let len = outcome.result().max(0) as usize;
    let bytes = outcome.buffer_id().map(|id| take(id, len));
    outcome.value()?;
    Ok(bytes.unwrap_or_default())
}
