//! A connection between programs of this machine.

use std::io;
use std::net::Shutdown;
use std::ops::RangeBounds;
use std::os::fd::OwnedFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use wakering_ring_driver::buffer::{BufResult, IoBufMut};
use wakering_ring_driver::op::{Domain, SocketKind};
use wakering_ring_driver::option::PeerCredentials;
use wakering_ring_driver::{Driver, Fd, PooledBuf, Sharing, op, option};

use super::{failed, of_path, shown};
use crate::address::unix;
use crate::detached::Detached;
use crate::send_file::send_file;
use crate::side::{ReadSide, delegate_stream};
use crate::split::{OwnedReadHalf, OwnedWriteHalf, Split, split};

/// A connection over a Unix socket.
///
/// It reads and writes through `AsyncRead` and `AsyncWrite`; what borrows bytes or queues them uses
/// `Source` and `Sink`. Dropping it closes it in the background: what was queued or written still
/// leaves, for up to 5 s.
///
/// ```
/// use wakering_net::UnixStream;
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let (mut ours, mut theirs) = UnixStream::pair()?;
///     ours.write_all("hello").await?;
///     drop(ours);
///     assert_eq!(theirs.read_to_end(Vec::new()).await?.1, b"hello");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct UnixStream {
    read: ReadSide,
}

delegate_stream!(read UnixStream, read);
delegate_stream!(write UnixStream, read.fd);

impl Split for UnixStream {
    fn into_side(self) -> ReadSide {
        self.read
    }

    fn of_side(read: ReadSide) -> UnixStream {
        UnixStream { read }
    }
}

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    ///
    /// wakering_runtime::run(async {
    ///     let error = UnixStream::connect("/nowhere").await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    ///     assert!(error.to_string().starts_with("connect /nowhere: "));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `ConnectionRefused` if nobody listens there any more; `InvalidInput` if the path
    /// is longer than 107 bytes. All name the path.
    ///
    /// # Cancellation
    /// **Strict**: the attempt is given up and its socket closed.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&of_path("connect", path.as_ref())?).await
    }

    /// Connects to an address, which may be an abstract name.
    ///
    /// # Errors
    /// As [`connect`](UnixStream::connect).
    ///
    /// # Cancellation
    /// **Strict**: the attempt is given up and its socket closed.
    pub async fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        let attempt = async {
            let fd = op::socket(Domain::Unix, SocketKind::Stream).now()?;
            op::connect(&fd, address).await?;
            Ok(UnixStream::from_fd(fd))
        };
        attempt.await.map_err(failed("connect", shown(address)))
    }

    /// Two streams that are connected to each other.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut ours, mut theirs) = UnixStream::pair()?;
    ///     ours.write_all("hello").await?;
    ///     assert_eq!(theirs.read(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; at the limit of descriptors.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, two) = net::UnixStream::pair()?;
        Ok((UnixStream::from_std(one)?, UnixStream::from_std(two)?))
    }

    /// The stream on a connected descriptor of a driver; the inverse of
    /// [`as_fd`](UnixStream::as_fd).
    pub fn from_fd(fd: Fd) -> UnixStream {
        UnixStream { read: ReadSide::of(fd) }
    }

    /// Takes the stream apart into halves that two tasks may own.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, mut theirs) = UnixStream::pair()?;
    ///     let (mut read, mut write) = ours.into_split();
    ///     write.write_all("ping").await?;
    ///     theirs.write_all("pong").await?;
    ///     assert_eq!(theirs.read(vec![0; 8]).await?.1, b"ping");
    ///     assert_eq!(read.read(vec![0; 8]).await?.1, b"pong");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<UnixStream>, OwnedWriteHalf<UnixStream>) {
        split(self)
    }

    /// The next bytes in the memory into which they were received, without a copy; an empty buffer
    /// is the end of the stream.
    ///
    /// The buffer is one of the runtime's pool. Drop it, or send it on, as soon as its bytes are
    /// dealt with; who keeps it makes others wait for memory.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut ours, mut theirs) = UnixStream::pair()?;
    ///     ours.write_all("echo").await?;
    ///     let bytes = theirs.recv().await?;
    ///     assert_eq!(*bytes, *b"echo");
    ///     theirs.write_all(bytes).await?;
    ///     assert_eq!(ours.read(vec![0; 8]).await?.1, b"echo");
    ///     drop(ours);
    ///     assert!(theirs.recv().await?.is_empty());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What recv(2) says.
    ///
    /// # Cancellation
    /// **Strict**: bytes that come while nobody waits are given to the next read.
    ///
    /// # Kernel
    /// A multishot receive into provided buffers, 6.0, which goes on between calls; on older
    /// kernels one receive after the other.
    pub fn recv(&mut self) -> impl Future<Output = io::Result<PooledBuf>> {
        self.read.recv()
    }

    /// Copies what comes next without taking it.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut ours, mut theirs) = UnixStream::pair()?;
    ///     ours.write_all("hello").await?;
    ///     assert_eq!(theirs.peek(vec![0; 2]).await?.1, b"he");
    ///     assert_eq!(theirs.read(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if `buf` has no capacity; what recv(2) says.
    ///
    /// # Cancellation
    /// **Strict.**
    pub async fn peek<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        self.read.peek(buf).await
    }

    /// Who is at the other end, as it was when the connection was made.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, _theirs) = UnixStream::pair()?;
    ///     assert_eq!(ours.peer_cred()?.pid, Some(std::process::id()));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn peer_cred(&self) -> io::Result<PeerCredentials> {
        option::peer_credentials(&self.read.fd)
    }

    /// Sends `range` of `file` (bytes from its start), as far as the file goes, after all that was
    /// queued or written before. Says how many bytes that was.
    ///
    /// ```
    /// use wakering_net::{UnixStream};
    /// use wakering_ring_driver::op::{self, OpenHow};
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("page");
    /// # std::fs::write(&path, "head body tail").unwrap();
    /// wakering_runtime::run(async {
    ///     let (mut ours, mut theirs) = UnixStream::pair()?;
    ///     // A `File` of wakering's does as well.
    ///     let file = op::open(None, &path, OpenHow { read: true, ..OpenHow::default() }).await?;
    ///     assert_eq!(ours.send_file(&file, 5..9).await?, 4);
    ///     assert_eq!(ours.send_file(&file, 10..).await?, 4);
    ///     ours.close().await?;
    ///     assert_eq!(theirs.read_to_end(Vec::new()).await?.1, b"bodytail");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// What is written to the file before the peer has the bytes may reach it in their place.
    ///
    /// # Errors
    /// As `write`. An error of reading the file names it as such; what was read before has been
    /// sent.
    ///
    /// # Cancellation
    /// **Weak**: how much was sent is not known.
    pub async fn send_file(
        &mut self,
        file: impl AsRef<Fd>,
        range: impl RangeBounds<u64>,
    ) -> io::Result<u64> {
        send_file(&self.read.fd, file.as_ref(), range).await
    }

    /// Shuts down one direction or both, at once; what is queued for sending is not waited for. The
    /// method of `AsyncWrite` of this name flushes first.
    ///
    /// ```
    /// use std::net::Shutdown;
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, mut theirs) = UnixStream::pair()?;
    ///     ours.shutdown_now(Shutdown::Write)?;
    ///     assert_eq!(theirs.read(vec![0; 1]).await?.0, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What shutdown(2) says.
    pub fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        op::shutdown(&self.read.fd, how).now()
    }

    /// Sends what is queued (for up to 5 s), ends parked operations and closes the connection. When
    /// this completes it is closed.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, Sink};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut ours, mut theirs) = UnixStream::pair()?;
    ///     ours.queue(b"the last words")?;
    ///     ours.close().await?;
    ///     assert_eq!(theirs.read_to_end(Vec::new()).await?.1, b"the last words");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What a queued send came to.
    ///
    /// # Cancellation
    /// **Strict**: the closing goes on in the background.
    pub async fn close(self) -> io::Result<()> {
        self.read.close().await
    }

    /// Closes the connection at once and throws away what is queued.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, mut theirs) = UnixStream::pair()?;
    ///     ours.abort();
    ///     assert_eq!(theirs.read(vec![0; 1]).await?.0, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn abort(self) {
        self.read.fd.abort();
    }

    /// The address of this side.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        unix(option::local_address(&self.read.fd)?)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        unix(option::peer_address(&self.read.fd)?)
    }

    /// The error that the socket holds, which is thereby cleared (`SO_ERROR`).
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        option::take_error(&self.read.fd)
    }

    /// Takes over a connection of std's.
    ///
    /// ```
    /// use std::os::unix::net;
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::AsyncWrite;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, _theirs) = net::UnixStream::pair()?;
    ///     UnixStream::from_std(ours)?.write_all("hello").await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(stream), Sharing::Private)?;
        Ok(UnixStream::from_fd(fd))
    }

    /// Gives the connection to std, with the bytes that were received and that nobody has read.
    /// What is queued is sent first.
    ///
    /// ```
    /// use std::io::Write;
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let (ours, mut theirs) = UnixStream::pair()?;
    ///     let (mut std, received) = ours.into_std().await?;
    ///     assert!(received.is_empty());
    ///     std.write_all(b"hello")?;
    ///     assert_eq!(theirs.read(vec![0; 9]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ResourceBusy` where the descriptor is shared, by a clone of [`as_fd`](UnixStream::as_fd)
    /// say. Where the connection has failed and nobody has been told, with bytes received before or
    /// not: std would find the end of the stream in its place. [`detach`](UnixStream::detach) keeps
    /// both.
    ///
    /// # Cancellation
    /// **Weak**: the connection is closed.
    pub async fn into_std(self) -> io::Result<(net::UnixStream, Vec<u8>)> {
        let (owned, bytes) = self.read.into_std().await?;
        Ok((net::UnixStream::from(owned), bytes))
    }

    /// Takes the connection out of this runtime, so that it may be sent to another core. What is
    /// queued is sent first.
    ///
    /// ```
    /// use wakering_net::UnixStream;
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let (mut ours, theirs) = UnixStream::pair()?;
    ///     ours.write_all("hello").await?;
    ///     let mut theirs = theirs.detach().await?.attach()?;
    ///     assert_eq!(theirs.read_exact(vec![0; 5]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Where the descriptor is shared, by a clone of [`as_fd`](UnixStream::as_fd) say.
    ///
    /// # Cancellation
    /// **Weak**: the connection is closed.
    pub async fn detach(self) -> io::Result<Detached<UnixStream>> {
        Ok(Detached::new(self.read.detach().await?))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.read.fd
    }
}
