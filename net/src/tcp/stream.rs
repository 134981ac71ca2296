//! A connection.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::ops::RangeBounds;
use std::os::fd::OwnedFd;
use std::time::Duration;

use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut};
use wakering_ring_driver::op::Lent;
use wakering_ring_driver::{Driver, Fd, PooledBuf, Sharing, op, option};

use super::TcpSocket;
use crate::address::inet;
use crate::detached::Detached;
use crate::resolve::{ToSocketAddrs, resolve};
use crate::send_file::send_file;
use crate::side::{ReadSide, delegate_stream};
use crate::split::{OwnedReadHalf, OwnedWriteHalf, Split, split};

/// A TCP connection.
///
/// It reads and writes through `AsyncRead` and `AsyncWrite`; what borrows bytes or queues them uses
/// `Source` and `Sink`.
///
/// Dropping it closes it in the background: what was queued or written still leaves, for up to 5 s.
///
/// ```
/// use wakering_net::{TcpListener, TcpStream};
/// use wakering_runtime::io::{AsyncRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _) = listener.accept().await?;
///     server.write_all("welcome").await?;
///     drop(server);
///     let (_, text) = client.read_to_string(String::new()).await?;
///     assert_eq!(text, "welcome");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct TcpStream {
    read: ReadSide,
}

delegate_stream!(read TcpStream, read);
delegate_stream!(write TcpStream, read.fd);

impl Split for TcpStream {
    fn into_side(self) -> ReadSide {
        self.read
    }

    fn of_side(read: ReadSide) -> TcpStream {
        TcpStream { read }
    }
}

impl TcpStream {
    /// Connects to the first of the addresses that answers.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let port = listener.local_addr()?.port();
    ///     let stream = TcpStream::connect(("localhost", port)).await?;
    ///     assert_eq!(stream.peer_addr()?.port(), port);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// That of the last address, with the address: `ConnectionRefused`, `TimedOut`.
    ///
    /// # Cancellation
    /// **Strict**: the attempt is given up and its socket closed.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = None;
        for address in resolve(address).await? {
            let attempt = async { TcpSocket::of(&address)?.connect(address).await };
            match attempt.await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("resolving gives at least one address"))
    }

    /// The stream on a connected descriptor of a driver; the inverse of
    /// [`as_fd`](TcpStream::as_fd).
    pub fn from_fd(fd: Fd) -> TcpStream {
        TcpStream { read: ReadSide::of(fd) }
    }

    /// Takes the stream apart into halves that two tasks may own.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
    ///     let (mut read, mut write) = ours.into_split();
    ///     write.write_all("ping").await?;
    ///     theirs.write_all("pong").await?;
    ///     assert_eq!(theirs.read(vec![0; 8]).await?.1, b"ping");
    ///     assert_eq!(read.read(vec![0; 8]).await?.1, b"pong");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split(self)
    }

    /// The next bytes in the memory into which they were received, without a copy; an empty buffer
    /// is the end of the stream.
    ///
    /// The buffer is one of the runtime's pool. Drop it, or send it on, as soon as its bytes are
    /// dealt with; who keeps it makes others wait for memory.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
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
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
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
    /// **Strict**.
    pub async fn peek<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        self.read.peek(buf).await
    }

    /// Writes `buf` from where it lies, without copying it: the buffer comes back in a second step,
    /// when the peer has acknowledged all of it. The next write need not wait for that.
    ///
    /// What is shorter than 32 KiB, and all that goes to a peer on this machine, is copied as by
    /// `write`, and the buffer is back at once.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
    ///     let (sent, lent) = ours.write_zero_copy(vec![7; 40_000]).await?;
    ///     assert_eq!(theirs.read_exact(vec![0; 40_000]).await?.0, sent);
    ///     assert_eq!(lent.await, vec![7; 40_000]);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As `write`.
    ///
    /// # Cancellation
    /// **Weak**, as `write`: a write that was begun is not cut short, and how much of it was done
    /// is not known then.
    ///
    /// # Kernel
    /// `IORING_OP_SEND_ZC`, 6.2; elsewhere it copies.
    pub async fn write_zero_copy<B: IoBuf>(
        &mut self,
        buf: B,
    ) -> Result<(usize, Lent<B>), BufError<B>> {
        op::send_zc(&self.read.fd, buf).await
    }

    /// Sends `range` of `file` (bytes from its start), as far as the file goes, after all that was
    /// queued or written before. Says how many bytes that was.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_ring_driver::op::{self, OpenHow};
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("page");
    /// # std::fs::write(&path, "head body tail").unwrap();
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
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
    ///
    /// # Kernel
    /// Behind the first 2 MiB `IORING_OP_SPLICE` through a pipe, 5.7, if the socket has room for much;
    /// it holds 1 MiB, of the 64 MiB that the pipes of a user may hold together. The beginning, and
    /// elsewhere all of it, is read and sent.
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
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
    ///     ours.shutdown_now(Shutdown::Write)?;
    ///     assert_eq!(theirs.read(vec![0; 1]).await?.0, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        op::shutdown(&self.read.fd, how).now()
    }

    /// Sends what is queued (for up to 5 s), ends parked operations and closes the connection. When
    /// this completes it is closed.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, Sink};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
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

    /// Closes the connection at once: what is queued is thrown away and the peer sees a reset.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut theirs, _) = listener.accept().await?;
    ///     ours.abort();
    ///     let failed = theirs.read(vec![0; 1]).await.unwrap_err();
    ///     assert_eq!(failed.error.kind(), std::io::ErrorKind::ConnectionReset);
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
        inet(option::local_address(&self.read.fd)?)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        inet(option::peer_address(&self.read.fd)?)
    }

    /// Sends small pieces at once instead of gathering them (`TCP_NODELAY`).
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_theirs, _) = listener.accept().await?;
    ///     ours.set_nodelay(true)?;
    ///     assert!(ours.nodelay()?);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        option::set_nodelay(&self.read.fd, nodelay)
    }

    /// Whether small pieces are sent at once.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn nodelay(&self) -> io::Result<bool> {
        option::nodelay(&self.read.fd)
    }

    /// How many routers a packet may pass, 1 to 255.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_theirs, _) = listener.accept().await?;
    ///     ours.set_ttl(9)?;
    ///     assert_eq!(ours.ttl()?, 9);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        option::set_ttl(&self.read.fd, ttl)
    }

    /// What [`set_ttl`](TcpStream::set_ttl) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn ttl(&self) -> io::Result<u32> {
        option::ttl(&self.read.fd)
    }

    /// How long closing may wait for unsent data; `Some(ZERO)` resets the connection (`SO_LINGER`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_theirs, _) = listener.accept().await?;
    ///     ours.set_linger(Some(Duration::ZERO))?;
    ///     assert_eq!(ours.linger()?, Some(Duration::ZERO));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What setsockopt(2) says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        option::set_linger(&self.read.fd, linger)
    }

    /// What [`set_linger`](TcpStream::set_linger) has set.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        option::linger(&self.read.fd)
    }

    /// The error that the socket holds, which is thereby cleared (`SO_ERROR`).
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (_theirs, _) = listener.accept().await?;
    ///     assert!(ours.take_error()?.is_none());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        option::take_error(&self.read.fd)
    }

    /// Takes over a connection of std's.
    ///
    /// ```
    /// use wakering_net::TcpStream;
    /// use wakering_runtime::io::AsyncWrite;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    ///     let std = std::net::TcpStream::connect(listener.local_addr()?)?;
    ///     let mut stream = TcpStream::from_std(std)?;
    ///     stream.write_all("hello").await?;
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Outside of a runtime; where its mode cannot be changed.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let fd = Fd::adopt(&Driver::current()?, OwnedFd::from(stream), Sharing::Private)?;
        Ok(TcpStream::from_fd(fd))
    }

    /// Gives the connection to std, with the bytes that were received and that nobody has read.
    /// What is queued is sent first.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::AsyncWrite;
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (theirs, _) = listener.accept().await?;
    ///     ours.write_all("hello").await?;
    ///     let (std, received) = theirs.into_std().await?;
    ///     // What had not been received yet is still in the socket.
    ///     let mut buf = [0; 8];
    ///     let left = if received.is_empty() { std.peek(&mut buf)? } else { 0 };
    ///     assert_eq!(received.len() + left, 5);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Where the descriptor is shared, by a clone of [`as_fd`](TcpStream::as_fd) say. Where the
    /// connection has failed and nobody has been told, with bytes received before or not: std would
    /// find the end of the stream in its place. [`detach`](TcpStream::detach) keeps both.
    ///
    /// # Cancellation
    /// **Weak**: the connection is closed.
    pub async fn into_std(self) -> io::Result<(std::net::TcpStream, Vec<u8>)> {
        let (owned, bytes) = self.read.into_std().await?;
        Ok((std::net::TcpStream::from(owned), bytes))
    }

    /// Takes the connection out of this runtime, so that it may be sent to another core. What is
    /// queued is sent first.
    ///
    /// ```
    /// use wakering_net::{TcpListener, TcpStream};
    /// use wakering_runtime::io::{AsyncRead, AsyncWrite};
    ///
    /// wakering_runtime::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let mut ours = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (theirs, _) = listener.accept().await?;
    ///     ours.write_all("hello").await?;
    ///     let mut theirs = theirs.detach().await?.attach()?;
    ///     assert_eq!(theirs.read_exact(vec![0; 5]).await?.1, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// Where the descriptor is shared, by a clone of [`as_fd`](TcpStream::as_fd) say.
    ///
    /// # Cancellation
    /// **Weak**: the connection is closed.
    pub async fn detach(self) -> io::Result<Detached<TcpStream>> {
        Ok(Detached::new(self.read.detach().await?))
    }

    /// The descriptor, for operations of the driver.
    pub fn as_fd(&self) -> &Fd {
        &self.read.fd
    }
}
