//! One echo of a TCP stream on a kernel that the test plays: the layers above the backend know
//! nothing of rings.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use wakering_net::TcpStream;
use wakering_ring_driver::Driver;
use wakering_runtime::Builder;
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink, Source};
use wakering_runtime::task::yield_now;

/// Given a stream on a descriptor of the test's; when the test delivers bytes, short sends and the
/// end; then the echo is exact.
#[test]
fn an_echo_runs_on_the_memory_backend() {
    let (driver, memory) = Driver::memory().unwrap();
    let runtime = Builder::new().build_on(driver.clone());
    let fd = memory.descriptor(&driver);
    runtime.block_on(async {
        let done = Rc::new(Cell::new(false));
        let finished = done.clone();
        let echo = wakering_runtime::spawn(async move {
            let mut stream = TcpStream::from_fd(fd);
            let (n, buf) = stream.read(Vec::with_capacity(64)).await?;
            assert_eq!((n, buf.as_slice()), (5, b"hello".as_slice()));
            stream.write_all(buf).await?;
            let shown = std::future::poll_fn(|cx| stream.poll_fill(cx).map_ok(<[u8]>::to_vec));
            let shown = shown.await?;
            stream.consume(shown.len());
            stream.queue(&shown)?;
            stream.flush().await?;
            assert_eq!(stream.read(vec![0; 8]).await?.0, 0);
            finished.set(true);
            io::Result::Ok(())
        });
        let mut sent = Vec::new();
        let mut received = 0;
        while !done.get() {
            yield_now().await;
            let Some(request) = memory.next_request() else { continue };
            match request.name().as_str() {
                "send" => {
                    // One byte at a time, which is a kernel's good right.
                    sent.push(request.bytes()[0]);
                    request.complete(1);
                }
                "recv" | "recvmulti" => {
                    received += 1;
                    match received {
                        1 => assert_eq!(request.receive(b"hello"), 5),
                        2 => assert_eq!(request.receive(b"world"), 5),
                        _ => request.complete(0),
                    }
                }
                other => panic!("an unexpected {other}"),
            }
        }
        echo.await.unwrap().unwrap();
        assert_eq!(sent, b"helloworld");
    });
    drop(runtime);
    assert_eq!(memory.in_flight(), 0);
    assert_eq!(memory.closed(), 1);
}
