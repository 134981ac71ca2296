//! Futures dropped at every await, with whatever they have in flight: no memory is written to late,
//! no descriptor and no byte is lost, and what was dropped does not overtake what comes after it.

use std::fs as std_fs;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use wakering_fs::{self as fs, AlignedBuf, File, OpenOptions};
use wakering_ring_driver::{Driver, IoBuf, IoBufMut};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::testing::{CheckingBuf, in_child, open_descriptors, patience, skip};
use wakering_runtime::time::{sleep, timeout};

use crate::{polled, polled_beside_others, run, temp_dir};

/// More polls than any of these functions needs.
const POLLS_MAX: usize = 64;

/// Polls what `make` makes 0, 1, 2, … times and drops it, until it gets ready.
async fn drop_at_every_await<F: Future>(what: &str, make: impl Fn() -> F) {
    for polls in 0..=POLLS_MAX {
        if polled(polls, make()).await.is_some() {
            println!("{what}: ready after {polls} polls");
            return;
        }
    }
    panic!("{what} was not ready after {POLLS_MAX} polls");
}

/// Every function that opens something, dropped at every await: all descriptors are closed.
#[test]
fn no_descriptor_is_lost_wherever_a_future_is_dropped() {
    in_child("cancel::no_descriptor_is_lost_wherever_a_future_is_dropped", || {
        let dir = temp_dir();
        let path = |name: &str| dir.path().join(name);
        std_fs::write(path("there"), vec![1; 100_000]).unwrap();
        run(async {
            // Whatever the runtime opens for itself is open now.
            fs::read(path("there")).await.unwrap();
            let mut listing = fs::read_dir(dir.path()).await.unwrap();
            listing.next_entry().await.unwrap();
            drop(listing);
            let before = open_descriptors();

            drop_at_every_await("open", || File::open(path("there"))).await;
            drop_at_every_await("create", || File::create(path("new"))).await;
            drop_at_every_await("read", || fs::read(path("there"))).await;
            drop_at_every_await("read_to_string", || fs::read_to_string(path("there"))).await;
            drop_at_every_await("write", || fs::write(path("new"), vec![2; 100_000])).await;
            drop_at_every_await("copy", || fs::copy(path("there"), path("copy"))).await;
            drop_at_every_await("read_dir", || async {
                fs::read_dir(dir.path()).await.unwrap().next_entry().await.unwrap();
            })
            .await;
            drop_at_every_await("sync", || async {
                File::open(path("there")).await.unwrap().sync_all().await.unwrap();
            })
            .await;
            drop_at_every_await("close", || async {
                File::open(path("there")).await.unwrap().close().await.unwrap();
            })
            .await;
            drop_at_every_await("into_std", || async {
                File::open(path("there")).await.unwrap().into_std().await.unwrap();
            })
            .await;

            let settled = async {
                while open_descriptors() != before {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let settled = timeout(patience(Duration::from_secs(10)), settled).await;
            assert!(settled.is_ok(), "{before:?} became {:?}", open_descriptors());
        });
    });
}

#[test]
fn directory_functions_end_whole_or_not_at_all() {
    let dir = temp_dir();
    let path = |name: &str| dir.path().join(name);
    run(async {
        drop_at_every_await("create_dir_all", || fs::create_dir_all(path("a/b/c"))).await;
        drop_at_every_await("metadata", || fs::metadata(path("a/b"))).await;
        drop_at_every_await("canonicalize", || fs::canonicalize(path("a"))).await;
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        drop_at_every_await("read_link", || fs::read_link(path("link"))).await;
        std_fs::write(path("from"), "content").unwrap();
        for polls in 0..POLLS_MAX {
            let done = polled(polls, fs::rename(path("from"), path("to"))).await.is_some();
            // Whichever it was, the file has one of its names.
            let settled = async {
                while path("from").exists() == path("to").exists() {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(patience(Duration::from_secs(5)), settled).await.expect("one name");
            if done {
                break;
            }
            sleep(Duration::from_millis(2)).await;
            let _ = std_fs::rename(path("to"), path("from"));
        }
        assert_eq!(std_fs::read(path("to")).unwrap(), b"content");
        drop_at_every_await("remove_dir_all", || async {
            let _ = fs::remove_dir_all(path("a")).await;
        })
        .await;
        assert!(!path("a").exists());
    });
}

/// Opens `path` past the page cache, if the file system can, so that reads are not done at once.
async fn uncached(path: &Path) -> Option<File> {
    OpenOptions::new().read(true).direct(true).open(path).await.ok()
}

#[test]
fn a_buffer_in_flight_is_nobody_elses() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, vec![1; 1 << 20]).unwrap();
    run(async {
        let file = OpenOptions::new().read(true).write(true).open(&path).await.unwrap();
        let direct = uncached(&path).await;
        if direct.is_none() {
            skip("cancel::direct", "open with O_DIRECT: the file system has none");
        }
        for polls in 1..4 {
            let (target, read) = CheckingBuf::new(1 << 20);
            drop(polled(polls, file.read_at(target, 0)).await);
            let (source, written) = CheckingBuf::of(&vec![2; 1 << 20]);
            drop(polled(polls, file.write_at(source, 0)).await);
            let mut witnesses = vec![read, written];
            if let Some(direct) = &direct {
                let (target, read) = CheckingBuf::new(1 << 20);
                drop(polled(polls, direct.read_at(target, 0)).await);
                witnesses.push(read);
            }
            for witness in witnesses {
                let ended = async {
                    while !witness.is_dropped() {
                        sleep(Duration::from_millis(1)).await;
                    }
                };
                timeout(patience(Duration::from_secs(10)), ended).await.expect("it ends");
                sleep(Duration::from_millis(5)).await;
                witness.assert_untouched();
            }
        }
    });
}

#[test]
fn the_end_of_the_runtime_waits_for_what_is_in_flight() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, vec![1; 1 << 20]).unwrap();
    let mut witnesses = Vec::new();
    for _ in 0..10 {
        run(async {
            let file = Rc::new(File::options().read(true).write(true).open(&path).await.unwrap());
            let direct = uncached(&path).await;
            for _ in 0..8 {
                let (target, read) = CheckingBuf::new(1 << 17);
                let (source, written) = CheckingBuf::of(&vec![2; 1 << 17]);
                drop(polled(2, file.read_at(target, 0)).await);
                drop(polled(2, file.write_at(source, 0)).await);
                if let Some(direct) = &direct {
                    let (target, read) = CheckingBuf::new(1 << 17);
                    drop(polled(1, direct.read_at(target, 0)).await);
                    witnesses.push(read);
                }
                witnesses.extend([read, written]);
            }
        });
        for witness in witnesses.drain(..) {
            witness.assert_untouched();
        }
    }
}

#[test]
fn a_dropped_read_has_not_happened() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, "0123456789").unwrap();
    run(async {
        let mut file = File::open(&path).await.unwrap();
        let mut dropped = 0;
        let mut all = Vec::new();
        while all.len() < 10 {
            if let Some(read) = polled_beside_others(1, file.read(vec![0; 1])).await {
                all.extend(read.unwrap().1);
                continue;
            }
            dropped += 1;
            all.extend(file.read(vec![0; 1]).await.unwrap().1);
        }
        assert_eq!(all, b"0123456789");
        assert!(dropped > 0, "every read was ready at its first poll");
    });
}

#[test]
fn a_write_waits_for_the_one_that_was_dropped_before_it() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    let in_flight = || Driver::current().unwrap().counters().in_flight;
    run(async {
        let mut file = OpenOptions::new().write(true).create(true).open(&path).await.unwrap();
        assert!(file.metadata().await.unwrap().is_file());
        for round in 0..20u32 {
            file.rewind().await.unwrap();
            let before = in_flight();
            assert!(polled(1, file.write(vec![b'-'; 1 << 16])).await.is_none());
            assert_eq!(in_flight(), before + 1, "it was dropped in flight");
            assert_eq!(file.stream_position().await.unwrap(), 0, "the cursor has not moved");
            {
                let marker = format!("{round:08}");
                let mut next = pin!(file.write_vectored(vec![marker.clone(), marker]));
                assert!(polled(1, next.as_mut()).await.is_none());
                assert_eq!(in_flight(), before + 1, "the next one is not in flight yet");
                assert_eq!(next.await.unwrap().0, 16);
            }
            assert_eq!(file.stream_position().await.unwrap(), 16, "it has moved once");
            let found = std_fs::read(&path).unwrap();
            assert_eq!(found[..16], *format!("{round:08}{round:08}").as_bytes());
            assert_eq!(found.len(), 1 << 16);
            file.write_all("plain").await.unwrap();
        }
    });
}

#[test]
fn a_dropped_read_of_a_pipe_leaves_its_bytes_to_the_next() {
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().unwrap();
    run(async {
        let owned = std::os::fd::OwnedFd::from(reader);
        let mut file = File::from_std(std_fs::File::from(owned)).unwrap();
        assert!(file.metadata().await.unwrap().file_type().is_fifo());
        let mut all = Vec::new();
        let (mut before, mut after) = (0, 0);
        for n in 0..200u8 {
            // Dropped before the byte comes, and after.
            assert!(polled(1, file.read(vec![0; 4])).await.is_none());
            writer.write_all(&[n]).unwrap();
            match polled(usize::from(n % 3), file.read(vec![0; 4])).await {
                Some(read) => {
                    before += 1;
                    all.extend(read.unwrap().1);
                }
                None => {
                    after += 1;
                    all.extend(file.read(vec![0; 4]).await.unwrap().1);
                }
            }
        }
        println!("{before} reads were ready, {after} were dropped");
        assert!(all == (0..200).collect::<Vec<u8>>());
        assert!(before >= 2 && after >= 2);
    });
}

#[test]
fn a_dropped_copy_stops() {
    const LEN: u64 = 1 << 28;
    let dir = temp_dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std_fs::File::create(&from).unwrap().set_len(LEN).unwrap();
    let len = || std_fs::metadata(&to).map_or(0, |metadata| metadata.len());
    run(async {
        assert!(polled(1, fs::copy(&from, &to)).await.is_none());
        let mut before = None;
        while before != Some(len()) {
            before = Some(len());
            sleep(Duration::from_millis(100)).await;
        }
        assert!(len() < LEN / 4, "{} of {LEN} bytes were copied", len());
    });
}

#[test]
fn aligned_memory_is_safe_to_drop_too() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, vec![3; 1 << 16]).unwrap();
    run(async {
        let Some(file) = uncached(&path).await else {
            return skip("cancel::aligned", "open with O_DIRECT: the file system has none");
        };
        for polls in 0..4 {
            drop(polled(polls, file.read_at(AlignedBuf::new(1 << 16), 0)).await);
            drop(polled(polls, file.read_at(AlignedBuf::new(1 << 16).spare(), 0)).await);
        }
        let (n, block) = file.read_at(AlignedBuf::new(1 << 16), 0).await.unwrap();
        assert_eq!((n, block.as_slice()[n - 1]), (1 << 16, 3));
    });
}
