//! The whole way up on a backend whose other end the test holds: a `TcpStream` echoes, and nothing
//! of it knows that there is no kernel.

use std::cell::Cell;
use std::rc::Rc;

use wakering::driver::Driver;
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::TcpStream;
use wakering::task::yield_now;

/// Given a stream on the memory backend; when the test completes its requests short, in parts and
/// late; then it echoes what came, in order.
#[test]
fn a_tcp_stream_echoes_without_a_kernel() {
    let (driver, memory) = Driver::memory().unwrap();
    let runtime = wakering::Builder::new().build_on(driver.clone());
    let mut stream = TcpStream::from_fd(memory.descriptor(&driver));
    let done = Rc::new(Cell::new(false));
    let ended = done.clone();
    runtime.block_on(async {
        wakering::spawn(async move {
            let mut buf = Vec::with_capacity(8);
            loop {
                let (n, filled) = stream.read(buf).await.unwrap();
                if n == 0 {
                    break;
                }
                (_, buf) = stream.write_all(filled).await.unwrap();
            }
            ended.set(true);
        });
        let mut to_send = b"completions in any order".as_slice();
        let mut echoed = Vec::new();
        while !done.get() {
            yield_now().await;
            let Some(request) = memory.next_request() else { continue };
            match request.name().as_str() {
                "recv" => {
                    let part = to_send.len().min(5);
                    let taken = request.receive(&to_send[..part]);
                    to_send = &to_send[taken..];
                }
                "send" => {
                    // Short: the rest has to be sent again.
                    let bytes = request.bytes();
                    let part = bytes.len().div_ceil(2);
                    echoed.extend_from_slice(&bytes[..part]);
                    request.complete(part as i32);
                }
                other => panic!("an echo needs no {other}"),
            }
        }
        assert_eq!(echoed, b"completions in any order");
    });
    drop(runtime);
    assert_eq!(memory.in_flight(), 0);
    assert_eq!(memory.closed(), 1);
}
