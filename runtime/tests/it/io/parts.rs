//! What is made of streams: halves, parts, chains and copies.

use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::future::join;
use wakering_runtime::io::{
    AsyncBufRead, AsyncRead, AsyncWrite, BufWriter, Sink, Source, copy, duplex, empty, repeat,
    sink, split,
};
use wakering_runtime::task::yield_now;
use wakering_runtime::{run, spawn};

use super::chunks;

#[test]
fn halves_read_and_write_at_the_same_time_and_become_whole_again() {
    run(async {
        let (near, mut far) = duplex(16);
        let (mut read, mut write) = split(near);
        let reader = spawn(async move {
            let (_, buf) = read.read_exact(vec![0; 1000]).await.unwrap();
            (read, buf)
        });
        let writer = spawn(async move {
            write.write_all(vec![b'w'; 1000]).await.unwrap();
            write
        });
        let (received, sent) = {
            let (mut far_read, mut far_write) = split(&mut far);
            let read = async { far_read.read_exact(vec![0; 1000]).await.unwrap().1 };
            join(read, async { far_write.write_all(vec![b'r'; 1000]).await.unwrap().0 }).await
        };
        assert_eq!((received, sent), (vec![b'w'; 1000], 1000));
        let (read, buf) = reader.await.unwrap();
        assert_eq!(buf, vec![b'r'; 1000]);

        let mut near = read.reunite(writer.await.unwrap()).unwrap();
        near.write_all("whole").await.unwrap();
        assert_eq!(far.read(vec![0; 16]).await.unwrap().1, b"whole");
    });
}

#[test]
fn halves_of_two_streams_do_not_fit_and_come_back() {
    let (near, far) = duplex(16);
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    let error = near_read.reunite(far_write).unwrap_err();
    assert!(error.to_string().contains("not of one stream"));
    assert!(error.0.is_pair_of(&near_write));
    assert!(error.0.reunite(near_write).is_ok());
    assert!(far_read.reunite(error.1).is_ok());
}

#[test]
fn copy_moves_everything_flushes_and_lets_others_run() {
    run(async {
        let sent: Vec<u8> = (0..300_000u32).map(|at| (at % 251) as u8).collect();
        let mut writer = BufWriter::new(Vec::new());
        let n = copy(&mut &sent[..], &mut writer).await.unwrap();
        assert_eq!(n, 300_000);
        assert!(writer.into_inner() == sent);
        assert_eq!(copy(&mut empty(), &mut sink()).await.unwrap(), 0);

        let turns = Rc::new(Cell::new(0));
        let counter = turns.clone();
        let other = spawn(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        copy(&mut repeat(0).take(64 << 20), &mut sink()).await.unwrap();
        assert!(turns.get() >= 10, "the other task ran {} times", turns.get());
        other.cancel();
    });
}

#[test]
fn a_part_of_a_stream_ends_where_it_should_and_leaves_the_rest() {
    run(async {
        let mut reader: &[u8] = b"headbodytail";
        let mut head = (&mut reader).take(4);
        let (n, buf) = head.read(vec![9; 100]).await.unwrap();
        assert_eq!((n, &buf[..], head.limit()), (4, &b"head"[..], 0));
        assert_eq!(head.read(buf).await.unwrap(), (0, Vec::new()));

        let mut body = (&mut reader).take(4);
        assert_eq!(body.fill_buf().await.unwrap(), b"body");
        Source::consume(&mut body, 3);
        assert_eq!(body.read(vec![0; 2]).await.unwrap(), (1, b"y".to_vec()));
        assert!(body.fill_buf().await.unwrap().is_empty());
        assert_eq!(reader, b"tail");

        let failure = (&mut reader).take(0).read(Vec::new()).await.unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_chain_is_one_stream_for_lines_and_for_reads() {
    run(async {
        let both = || chunks(&[b"on", b"e\ntw"]).chain(chunks(&[b"o\n"]));
        let lines: Vec<String> = both().lines(9).map(Result::unwrap).collect().await;
        assert_eq!(lines, ["one", "two"]);
        let (_, text) = both().read_to_string(String::new()).await.unwrap();
        assert_eq!(text, "one\ntwo\n");
    });
}

/// Given more than is copied in one go; when it is queued from several buffers; then a part of it is
/// taken, in order, and said so.
#[test]
fn what_is_queued_from_several_buffers_is_cut_where_it_would_be_held_twice() {
    let (head, body) = (b"head".to_vec(), vec![b'b'; 100_000]);
    let mut all = Vec::new();
    let taken = all.queue_vectored(&[IoSlice::new(&head), IoSlice::new(&body)]).unwrap();
    assert_eq!(taken, 64 * 1024);
    assert!(all == [&head[..], &body[..taken - 4]].concat());
    assert_eq!(all.queue_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])]).unwrap(), 0);
}

/// Takes one byte of several buffers, in a way of its own.
#[derive(Default)]
struct Slow(Vec<u8>);

impl Source for Slow {
    fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(&self.0))
    }

    fn consume(&mut self, n: usize) {
        self.0.drain(..n);
    }
}

impl Sink for Slow {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(cx)
    }

    fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.queue(bytes)
    }

    fn queue_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.queue(&bufs[0][..1])?;
        Ok(1)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}

/// Given a stream that takes several buffers in its own way; when it is written to through a pointer
/// or a half of it; then it is taken at its word.
#[test]
fn several_buffers_are_taken_as_the_stream_does_it() {
    fn taken(mut sink: impl Sink) -> usize {
        sink.queue_vectored(&[IoSlice::new(b"all")]).unwrap()
    }
    assert_eq!(taken(&mut Slow::default()), 1);
    assert_eq!(taken(Box::new(Slow::default())), 1);
    assert_eq!(taken(split(Slow::default()).1), 1);
}
