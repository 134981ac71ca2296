//! The adapter by itself, as hyper calls it.
//!
//! hyper hides how much of a body it has handed over; asked directly, the adapter cannot.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;

use wakering_http::Io;
use wakering_http::hyper::rt::Write;
use wakering_runtime::io::duplex;
use wakering_runtime::run;

#[test]
fn a_write_takes_a_piece_and_not_a_whole_large_body() {
    run(async {
        let (near, _far) = duplex(1 << 20);
        let mut io = Io::new(near);
        let body = vec![b'x'; 1 << 18];
        let n = poll_fn(|cx| Pin::new(&mut io).poll_write(cx, &body)).await.unwrap();
        assert_eq!(n, 1 << 16);

        let slices = [IoSlice::new(&body[..100]), IoSlice::new(&body), IoSlice::new(&body)];
        let n = poll_fn(|cx| Pin::new(&mut io).poll_write_vectored(cx, &slices)).await.unwrap();
        assert_eq!(n, 1 << 16);
    });
}
