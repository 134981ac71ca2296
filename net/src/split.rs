//! One stream as two halves that two tasks may own.
//!
//! A descriptor has two sides from the start, so taking a stream apart costs no more than a second
//! handle: the halves share no lock, and each reads or writes as fast as the whole.

use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::RangeBounds;

use wakering_ring_driver::buffer::{BufError, IoBuf};
use wakering_ring_driver::op::Lent;
use wakering_ring_driver::{Fd, PooledBuf, op, option};

use crate::address::{inet, unix};
use crate::send_file::send_file;
use crate::side::{ReadSide, delegate_stream};
use crate::{TcpStream, UnixStream};

/// The receiving half of a stream, made by [`TcpStream::into_split`] or
/// [`UnixStream::into_split`].
///
/// ```
/// use wakering_net::{OwnedReadHalf, UnixStream};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let (ours, mut theirs) = UnixStream::pair()?;
///     let (mut read, _write): (OwnedReadHalf<UnixStream>, _) = ours.into_split();
///     theirs.write_all("hello").await?;
///     assert_eq!(read.read(Vec::with_capacity(16)).await?.1, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf<S = TcpStream> {
    side: ReadSide,
    stream: PhantomData<S>,
}

/// The sending half of a stream, made by [`TcpStream::into_split`] or [`UnixStream::into_split`].
///
/// Dropping it tells the peer that nothing more will come, once what was queued or written has
/// left.
///
/// ```
/// use wakering_net::UnixStream;
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let (ours, mut theirs) = UnixStream::pair()?;
///     let (_read, mut write) = ours.into_split();
///     write.write_all("bye").await?;
///     drop(write);
///     assert_eq!(theirs.read_to_end(Vec::new()).await?.1, b"bye");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf<S = TcpStream> {
    fd: Fd,
    /// Not set any more once the halves are together again.
    ends_stream: bool,
    stream: PhantomData<S>,
}

delegate_stream!(read OwnedReadHalf<S>, side, <S>);
delegate_stream!(write OwnedWriteHalf<S>, fd, <S>);

/// What can be taken apart and put together.
pub trait Split: Sized {
    fn into_side(self) -> ReadSide;
    fn of_side(read: ReadSide) -> Self;
}

pub(crate) fn split<S: Split>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let side = stream.into_side();
    let fd = side.fd.clone();
    let write = OwnedWriteHalf { fd, ends_stream: true, stream: PhantomData };
    (OwnedReadHalf { side, stream: PhantomData }, write)
}

impl<S: Split> OwnedReadHalf<S> {
    /// Puts the two halves of one stream together again.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, theirs) = UnixStream::pair()?;
    ///     let (read, write) = ours.into_split();
    ///     let (other, _) = theirs.into_split();
    ///     let failed = other.reunite(write).expect_err("halves of two streams");
    ///     assert!(read.reunite(failed.write).is_ok());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Both halves, if they are not of the same stream.
    pub fn reunite(self, mut write: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !self.side.fd.is_same(&write.fd) {
            return Err(ReuniteError { read: self, write });
        }
        write.ends_stream = false;
        drop(write);
        Ok(S::of_side(self.side))
    }
}

impl OwnedWriteHalf<TcpStream> {
    /// Writes `buf` from where it lies, without copying it: as [`TcpStream::write_zero_copy`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancellation
    /// **Weak**, as there.
    pub async fn write_zero_copy<B: IoBuf>(
        &mut self,
        buf: B,
    ) -> Result<(usize, Lent<B>), BufError<B>> {
        op::send_zc(&self.fd, buf).await
    }
}

impl<S> OwnedWriteHalf<S> {
    /// Sends `range` of `file`, as far as the file goes: as [`TcpStream::send_file`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Cancellation
    /// **Weak**, as there.
    pub async fn send_file(
        &mut self,
        file: impl AsRef<Fd>,
        range: impl RangeBounds<u64>,
    ) -> io::Result<u64> {
        send_file(&self.fd, file.as_ref(), range).await
    }
}

impl<S> OwnedReadHalf<S> {
    /// The next bytes in the memory into which they were received; an empty buffer is the end. As
    /// [`TcpStream::recv`].
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::AsyncWrite;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, mut theirs) = UnixStream::pair()?;
    ///     let (mut read, _write) = ours.into_split();
    ///     theirs.write_all("hello").await?;
    ///     assert_eq!(*read.recv().await?, *b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What recv(2) says.
    ///
    /// # Cancellation
    /// **Strict**.
    pub fn recv(&mut self) -> impl Future<Output = io::Result<PooledBuf>> {
        self.side.recv()
    }
}

impl<S> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.ends_stream {
            self.fd.end_after_output();
        }
    }
}

/// Defines the addresses of both halves of `$stream`.
macro_rules! addresses {
    ($half:ident, $($fd:ident).+, $stream:ty, $address:ty, $convert:ident) => {
        impl $half<$stream> {
            /// The address of this side.
            ///
            /// # Errors
            /// What getsockname(2) says.
            pub fn local_addr(&self) -> io::Result<$address> {
                $convert(option::local_address(&self.$($fd).+)?)
            }

            /// The address of the other side.
            ///
            /// # Errors
            /// `NotConnected`.
            pub fn peer_addr(&self) -> io::Result<$address> {
                $convert(option::peer_address(&self.$($fd).+)?)
            }
        }
    };
}

addresses!(OwnedReadHalf, side.fd, TcpStream, SocketAddr, inet);
addresses!(OwnedWriteHalf, fd, TcpStream, SocketAddr, inet);
addresses!(OwnedReadHalf, side.fd, UnixStream, std::os::unix::net::SocketAddr, unix);
addresses!(OwnedWriteHalf, fd, UnixStream, std::os::unix::net::SocketAddr, unix);

/// Two halves of different streams, given back by [`OwnedReadHalf::reunite`].
///
/// ```
/// use wakering_net::UnixStream;
///
/// wakering_runtime::run(async {
///     let (read, _write) = UnixStream::pair()?.0.into_split();
///     let (_read, write) = UnixStream::pair()?.0.into_split();
///     let error = read.reunite(write).expect_err("halves of two streams");
///     assert!(error.to_string().contains("different streams"));
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ReuniteError<S = TcpStream> {
    /// What was asked.
    pub read: OwnedReadHalf<S>,
    /// What did not fit to it.
    pub write: OwnedWriteHalf<S>,
}

impl<S> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the halves belong to different streams: reunite those that one into_split made",
        )
    }
}

impl<S: fmt::Debug> Error for ReuniteError<S> {}
