//! Pipes in memory, and with them the checker that every stream has to pass.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::task::{Context, Poll};

use futures_util::future::{join, poll_immediate};
use wakering_runtime::io::{
    AsyncBufRead, AsyncRead, AsyncWrite, BufResult, DuplexStream, IoBuf, IoBufMut, Sink, Source,
    duplex, split,
};
use wakering_runtime::task::yield_now;
use wakering_runtime::testing::check_stream;
use wakering_runtime::{run, spawn};

/// Given a peer that sent one byte and closed, when read twice, then the byte comes and after it
/// the end for ever.
#[test]
fn case_k01_the_end_is_the_end_for_ever() {
    run(async {
        let (mut near, mut far) = duplex(8);
        far.write_all("x").await.unwrap();
        drop(far);
        let (n, buf) = near.read(vec![0; 8]).await.unwrap();
        assert_eq!((n, &buf[..]), (1, &b"x"[..]));
        for _ in 0..3 {
            assert_eq!(near.read(vec![0; 8]).await.unwrap().0, 0);
            assert!(near.fill_buf().await.unwrap().is_empty());
        }
    });
}

#[test]
fn a_pipe_in_memory_is_a_stream() {
    for capacity in [64, 1000, 1 << 20] {
        run(check_stream(async || duplex(capacity)));
    }
}

#[test]
fn a_pipe_of_one_byte_works_too() {
    run(async {
        let (mut near, mut far) = duplex(0);
        let (sent, received) =
            join(near.write_all("byte by byte"), far.read_exact(vec![0; 12])).await;
        assert_eq!(sent.unwrap().0, 12);
        assert_eq!(received.unwrap().1, b"byte by byte");
    });
}

/// Takes the bytes out of the stream before the future is done, as an implementation must not.
struct Lossy(DuplexStream);

impl AsyncRead for Lossy {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        let read = self.0.read(buf).await;
        yield_now().await;
        read
    }
}

impl AsyncWrite for Lossy {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        self.0.write(buf).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

impl Source for Lossy {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.0.poll_fill(cx)
    }

    fn consume(&mut self, n: usize) {
        Source::consume(&mut self.0, n);
    }
}

impl Sink for Lossy {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.queue(bytes)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

#[test]
#[should_panic(expected = "bytes came of 20000")]
fn the_checker_notices_a_stream_that_loses_what_a_dropped_read_took() {
    run(check_stream(async || {
        let (near, far) = duplex(1000);
        (Lossy(near), Lossy(far))
    }));
}

#[test]
fn a_writer_waits_at_the_capacity_and_goes_on_when_there_is_room() {
    run(async {
        let (mut near, mut far) = duplex(10);
        assert_eq!(near.write(vec![1; 30]).await.unwrap().0, 10);
        assert!(poll_immediate(pin!(near.write(vec![2; 1]))).await.is_none());

        let writer = spawn(async move { near.write(vec![3; 30]).await.map(|(n, _)| (n, near)) });
        yield_now().await;
        assert!(!writer.is_finished());
        assert_eq!(far.read(vec![0; 4]).await.unwrap().0, 4);
        let (n, near) = writer.await.unwrap().unwrap();
        assert_eq!(n, 4);
        drop(near);
        let (_, rest) = far.read_to_end(Vec::new()).await.unwrap();
        assert_eq!(rest, [1, 1, 1, 1, 1, 1, 3, 3, 3, 3]);
    });
}

#[test]
fn a_sink_takes_more_than_its_mark_and_is_flushed_when_it_is_below_again() {
    run(async {
        let (mut near, mut far) = duplex(10);
        near.queue(&[5; 25]).unwrap();
        assert!(poll_immediate(poll_fn(|cx| near.poll_ready(cx))).await.is_none());
        assert!(poll_immediate(poll_fn(|cx| near.poll_flush(cx))).await.is_none());
        far.read_exact(vec![0; 15]).await.unwrap();
        poll_fn(|cx| near.poll_flush(cx)).await.unwrap();
        assert!(poll_immediate(poll_fn(|cx| near.poll_ready(cx))).await.is_none());
        far.read_exact(vec![0; 1]).await.unwrap();
        poll_fn(|cx| near.poll_ready(cx)).await.unwrap();
    });
}

#[test]
fn both_sides_that_are_parked_learn_that_the_other_end_has_gone() {
    run(async {
        let (near, far) = duplex(4);
        let (mut read, mut write) = split(near);
        let reader = spawn(async move { read.read(vec![0; 8]).await });
        let writer = spawn(async move { write.write_all(vec![0; 8]).await });
        yield_now().await;
        assert!(!reader.is_finished() && !writer.is_finished());
        drop(far);
        assert_eq!(reader.await.unwrap().unwrap().0, 0);
        let failure = writer.await.unwrap().unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(failure.buf.len(), 8);
    });
}
