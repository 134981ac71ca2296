//! Pipes, which have no offsets and may keep a reader waiting for ever.

use std::cell::Cell;
use std::fs::File as StdFile;
use std::io::{ErrorKind, PipeReader, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use wakering_fs::{File, OpenOptions};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::spawn;
use wakering_runtime::testing::patience;
use wakering_runtime::time::{interval, sleep, timeout};

use crate::run;

fn file(pipe: PipeReader) -> File {
    File::from_std(StdFile::from(OwnedFd::from(pipe))).unwrap()
}

#[test]
fn what_a_dropped_read_took_from_a_pipe_leaves_with_it() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    run(async {
        let mut file = file(reader);
        assert!(crate::polled(1, file.read(vec![0; 8])).await.is_none());
        writer.write_all(b"late").unwrap();
        // Whether the read was cancelled first or got the bytes, they are there once.
        sleep(Duration::from_millis(20)).await;
        let (mut std, mut bytes) = file.into_std().await.expect("no clone");
        drop(writer);
        std::io::Read::read_to_end(&mut std, &mut bytes).unwrap();
        assert_eq!(bytes, b"late");
    });
}

#[test]
fn waiting_for_a_pipe_does_not_hold_up_the_loop() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    run(async {
        let mut file = file(reader);
        let ticks = Rc::new(Cell::new(0));
        let counted = ticks.clone();
        let ticker = spawn(async move {
            let mut ticks = interval(Duration::from_millis(1));
            loop {
                ticks.tick().await;
                counted.set(counted.get() + 1);
            }
        });
        let has_read = Rc::new(Cell::new(false));
        let first_read = has_read.clone();
        let reader = spawn(async move {
            let (_, first) = file.read(vec![0; 16]).await?;
            first_read.set(true);
            let (_, rest) = file.read_to_end(Vec::new()).await?;
            let position = file.stream_position().await.unwrap_err();
            let seek = file.seek(SeekFrom::Start(0)).await.unwrap_err();
            let at_offset = file.read_at(vec![0; 1], 0).await.unwrap_err().error;
            for error in [position, seek, at_offset] {
                assert_eq!(error.kind(), ErrorKind::NotSeekable);
            }
            Ok::<_, std::io::Error>((first, rest))
        });
        timeout(patience(Duration::from_secs(10)), async {
            while ticks.get() < 20 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("the ticker goes on while the read waits");
        assert!(!reader.is_finished());
        writer.write_all(b"first").unwrap();
        while ticks.get() < 40 || !has_read.get() {
            sleep(Duration::from_millis(1)).await;
        }
        writer.write_all(b"rest").unwrap();
        drop(writer);
        let (first, rest) = reader.await.unwrap().unwrap();
        assert_eq!((&first[..], &rest[..]), (&b"first"[..], &b"rest"[..]));
        ticker.cancel();
    });
}

#[test]
fn a_pipe_is_opened_by_its_path_and_written_to() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    run(async {
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let mut file = OpenOptions::new().write(true).open(path).await.unwrap();
        drop(writer);
        let thread = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut all).map(|_| all)
        });
        // More than a pipe holds.
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let (n, sent) = file.write_all(sent).await.unwrap();
        assert_eq!(n, 1_000_000);
        let failed = file.write_at("x", 0).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::NotSeekable);
        file.close().await.unwrap();
        assert!(thread.join().unwrap().unwrap() == sent);
    });
}
