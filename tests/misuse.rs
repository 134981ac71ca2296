//! What is used wrongly across crates: each gets an error in words, and nothing else is taken down.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use wakering::Runtime;
use wakering::driver::RuntimeError;
use wakering::fs::File;
use wakering::io::{AsyncRead, AsyncWrite, pipe};
use wakering::net::{TcpListener, TcpStream, UdpSocket, UnixStream};

/// The objects of a runtime that wait in the kernel.
struct Objects {
    listener: TcpListener,
    tcp: TcpStream,
    peer: TcpStream,
    unix: UnixStream,
    udp: UdpSocket,
    file: File,
    pipe: (wakering::io::PipeReader, wakering::io::PipeWriter),
}

async fn objects() -> io::Result<Objects> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let tcp = TcpStream::connect(listener.local_addr()?).await?;
    Ok(Objects {
        peer: listener.accept().await?.0,
        tcp,
        listener,
        unix: UnixStream::pair()?.0,
        udp: UdpSocket::bind("127.0.0.1:0").await?,
        file: File::open("/proc/self/status").await?,
        pipe: pipe()?,
    })
}

impl Objects {
    /// Everything that is asked of them fails for the reason `expected`, in words that say it.
    async fn refuse(&mut self, expected: RuntimeError) {
        refused("accept", expected, self.listener.accept().await);
        refused("read", expected, self.tcp.read(vec![0; 8]).await.map_err(io::Error::from));
        refused("write", expected, self.tcp.write("x").await.map_err(io::Error::from));
        refused("unix", expected, self.unix.read(vec![0; 8]).await.map_err(io::Error::from));
        refused("udp", expected, self.udp.recv(vec![0; 8]).await.map_err(io::Error::from));
        refused("file", expected, self.file.read(vec![0; 8]).await.map_err(io::Error::from));
        refused("pipe", expected, self.pipe.0.read(vec![0; 8]).await.map_err(io::Error::from));
        refused("into", expected, self.pipe.1.write("x").await.map_err(io::Error::from));
    }
}

#[track_caller]
fn refused<T: Debug>(what: &str, expected: RuntimeError, outcome: io::Result<T>) {
    let error = outcome.expect_err(what);
    assert_eq!(RuntimeError::of(&error), Some(expected), "{what}: {error}");
    assert!(error.to_string().ends_with(&expected.to_string()), "{what}: {error}");
}

async fn polled<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn runtime() -> Runtime {
    Runtime::new().unwrap_or_else(|error| panic!("{error}"))
}

/// Given sockets, files and pipes of one runtime; when they are used under another one; then each
/// says so, and at home they work as before. When their runtime has ended; then they say that.
#[test]
fn what_belongs_to_another_runtime_says_so() {
    let (home, abroad) = (runtime(), runtime());
    let mut objects = home.block_on(objects()).unwrap();
    abroad.block_on(objects.refuse(RuntimeError::WrongRuntime));
    home.block_on(async {
        objects.peer.write_all("still").await.unwrap();
        assert_eq!(objects.tcp.read(vec![0; 8]).await.unwrap().1, b"still");
        assert!(objects.file.read(vec![0; 8]).await.unwrap().0 > 0);
    });
    assert!(home.close().is_clean());
    abroad.block_on(async {
        let error = objects.tcp.read(vec![0; 8]).await.unwrap_err().error;
        let refused = RuntimeError::of(&error);
        let reasons = [Some(RuntimeError::WrongRuntime), Some(RuntimeError::RuntimeGone)];
        assert!(reasons.contains(&refused), "{error}");
    });
    drop(objects);
    assert!(abroad.close().is_clean());
}

/// Given a read that has begun under one runtime; when another one polls it; then that panics with
/// the reason instead of waiting for ever, and the next read at home gets the bytes.
#[test]
fn a_read_that_has_begun_elsewhere_says_so() {
    let (home, abroad) = (runtime(), runtime());
    let (mut near, mut far) = home.block_on(async { UnixStream::pair() }).unwrap();
    let mut read = Box::pin(near.read(vec![0; 8]));
    assert!(home.block_on(polled(&mut read)).is_pending());
    let poll = AssertUnwindSafe(|| abroad.block_on(polled(&mut read)).is_pending());
    let panic = catch_unwind(poll).expect_err("nobody here can end it");
    let text = panic.downcast::<String>().expect("a text");
    assert!(text.ends_with(&RuntimeError::WrongRuntime.to_string()), "{text}");
    assert_eq!(abroad.block_on(async { 42 }), 42);
    drop(read);
    home.block_on(async {
        far.write_all("bytes").await.unwrap();
        assert_eq!(near.read(vec![0; 8]).await.unwrap().1, b"bytes");
    });
    drop((near, far));
    assert!(home.close().is_clean() && abroad.close().is_clean());
}
