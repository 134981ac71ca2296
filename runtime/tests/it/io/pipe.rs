//! Pipes: bytes in order through the kernel, whoever drops what.

use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::task::Poll;

use futures_util::future::join;
use wakering_runtime::io::{AsyncBufRead, AsyncRead, AsyncWrite, PipeReader, PipeWriter, Sink};
use wakering_runtime::io::{Source, pipe};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::sleep;

use crate::within_bounds;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Given more than a pipe holds, written directly or queued; when the other end reads; then all of
/// it arrives in order, and the end after it.
#[test]
fn what_does_not_fit_waits_for_the_reader() {
    within_bounds(async {
        let sent = bytes(1_000_000);
        let (mut reader, mut writer) = pipe().unwrap();
        let write = async {
            writer.write_all(sent.clone()).await.unwrap();
            drop(writer);
        };
        let (read, ()) = join(reader.read_to_end(Vec::new()), write).await;
        assert!(read.unwrap().1 == sent);

        let (mut reader, mut writer) = pipe().unwrap();
        writer.queue(&sent).unwrap();
        let write = async {
            writer.queue(b"!").unwrap();
            writer.flush().await.unwrap();
            writer.write_all("?").await.unwrap();
            AsyncWrite::shutdown(&mut writer).await.unwrap();
        };
        let (read, ()) = join(reader.read_to_end(Vec::new()), write).await;
        let (_, received) = read.unwrap();
        assert!(received.starts_with(&sent) && received.ends_with(b"!?"));
        assert_eq!(received.len(), sent.len() + 2);
    });
}

/// Given a writer that is dropped with bytes in its queue; when nobody asks for a flush; then they
/// arrive.
#[test]
fn what_is_queued_leaves_also_if_the_writer_is_dropped() {
    within_bounds(async {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.queue(b"the last ").unwrap();
        writer.queue(b"words").unwrap();
        drop(writer);
        assert_eq!(reader.read_to_end(Vec::new()).await.unwrap().1, b"the last words");
    });
}

/// Given a reader that has waited for its own buffer and gives up; when it reads into one of the
/// caller's instead, or looks again; then no byte is lost and the order kept.
#[test]
fn looking_and_reading_take_turns() {
    within_bounds(async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut reader = PipeReader::from_std(reader).unwrap();
        for round in 0..3 {
            let waits = poll_fn(|cx| Poll::Ready(reader.poll_fill(cx).is_pending())).await;
            assert!(waits);
            yield_now().await;
            writer.write_all(b"abcdef").unwrap();
            match round {
                0 => {
                    let (_, first) = reader.read(vec![0; 2]).await.unwrap();
                    assert_eq!(first, b"ab");
                    assert_eq!(reader.read_exact(vec![0; 4]).await.unwrap().1, b"cdef");
                }
                1 => {
                    assert_eq!(reader.fill_buf().await.unwrap(), b"abcdef");
                    Source::consume(&mut reader, 1);
                    let parts = vec![vec![0; 2], vec![0; 9]];
                    let (n, parts) = reader.read_vectored(parts).await.unwrap();
                    assert_eq!((n, &parts[0][..], &parts[1][..]), (5, &b"bc"[..], &b"def"[..]));
                }
                _ => {
                    let parts = vec![vec![0; 6]];
                    assert_eq!(reader.read_vectored(parts).await.unwrap().1, [b"abcdef"]);
                }
            }
        }
        drop(writer);
        assert!(reader.fill_buf().await.unwrap().is_empty());
        assert!(reader.fill_buf().await.unwrap().is_empty(), "the end stays the end");
    });
}

/// Given a read that was dropped while it waited; when bytes come; then the next read has them.
#[test]
fn a_dropped_read_loses_no_byte() {
    within_bounds(async {
        let (mut reader, mut writer) = pipe().unwrap();
        {
            let mut read = pin!(reader.read(vec![0; 4]));
            let waits = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await;
            assert!(waits);
            sleep(std::time::Duration::from_millis(1)).await;
            writer.write_all("ab").await.unwrap();
        }
        writer.write_all("cd").await.unwrap();
        assert_eq!(reader.read_exact(vec![0; 4]).await.unwrap().1, b"abcd");
    });
}

/// Given a reader that has gone, and bytes that are queued for it; when the pipe goes to std; then it is
/// told that they were not written.
#[test]
fn a_queued_write_that_fails_is_told() {
    within_bounds(async {
        let (reader, mut writer) = pipe().unwrap();
        drop(reader);
        yield_now().await;
        writer.queue(b"lost").unwrap();
        assert_eq!(writer.into_std().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

/// Given a reader with bytes that it was shown and has not consumed; when both ends go to std; then
/// they go along, what comes later is std's, and a shared end stays.
#[test]
fn ends_go_to_std_with_all_that_came() {
    within_bounds(async {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.write_all("shown").await.unwrap();
        reader.fill_buf().await.unwrap();
        Source::consume(&mut reader, 2);
        let (mut std, received) = reader.into_std().await.unwrap();
        assert_eq!(received, b"own");

        let mut writer = writer.into_std().await.unwrap();
        writer.write_all(b"later").unwrap();
        let mut later = [0; 5];
        std.read_exact(&mut later).unwrap();
        assert_eq!(&later, b"later");

        let mut reader = PipeReader::from_std(std).unwrap();
        let mut writer = PipeWriter::from_std(writer).unwrap();
        let shared = writer.as_fd().unwrap().clone();
        writer.write_all("again").await.unwrap();
        let refused = writer.into_std().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
        drop(shared);
        assert_eq!(reader.read_to_end(Vec::new()).await.unwrap().1, b"again");
    });
}

/// Given a pipe without a reader; when bytes are written or queued; then that is told as
/// `BrokenPipe`, and a shutdown after it is quiet.
#[test]
fn a_pipe_without_a_reader_is_broken() {
    within_bounds(async {
        let (reader, mut writer) = pipe().unwrap();
        drop(reader);
        let failure = writer.write_all("hello").await.unwrap_err();
        assert_eq!(failure.error.kind(), ErrorKind::BrokenPipe);
        writer.queue(b"hello").unwrap();
        assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        AsyncWrite::shutdown(&mut writer).await.unwrap();
        assert_eq!(writer.queue(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        AsyncWrite::shutdown(&mut writer).await.unwrap();
    });
}

/// Given a file and devices, which standard streams may be as well; when they are read, written to
/// and queued for; then they are streams like any pipe, though nothing can wait for them.
#[test]
fn files_and_devices_are_streams_too() {
    within_bounds(async {
        let exe = File::open("/proc/self/exe").unwrap();
        let mut exe = PipeReader::from_std(exe).unwrap();
        assert!(exe.fill_buf().await.unwrap().starts_with(b"\x7fELF"));
        Source::consume(&mut exe, 1);
        assert_eq!(exe.read_exact(vec![0; 3]).await.unwrap().1, b"ELF");

        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let mut writer = PipeWriter::from_std(null.try_clone().unwrap()).unwrap();
        writer.queue(b"nobody").unwrap();
        writer.flush().await.unwrap();
        assert_eq!(writer.write("reads").await.unwrap().0, 5);
        writer.close().await.unwrap();
        let mut reader = PipeReader::from_std(null).unwrap();
        assert_eq!(reader.read(vec![0; 1]).await.unwrap().0, 0);
    });
}
