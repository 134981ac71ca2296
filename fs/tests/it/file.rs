//! An open file: what is read and written at offsets and from the cursor, what it is to the disk,
//! and how it comes and goes.

use std::io::{ErrorKind, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use wakering_fs::{AlignedBuf, File, OpenOptions, Permissions};
use wakering_ring_driver::{Failure, IoBuf, IoBufMut};
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::spawn;
use wakering_runtime::task::yield_now;
use wakering_runtime::testing::{in_child, open_descriptors, patience, skip};
use wakering_runtime::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{run, temp_dir};

/// An empty file that is open in both directions, and outlives its name.
async fn scratch() -> File {
    let dir = temp_dir();
    File::create_new(dir.path().join("scratch")).await.unwrap()
}

#[test]
fn reads_end_where_the_file_ends() {
    run(async {
        let file = scratch().await;
        file.write_all_at("0123456789", 0).await.unwrap();
        assert_eq!(file.read_at(vec![0; 4], 8).await.unwrap(), (2, b"89".to_vec()));
        assert_eq!(file.read_at(vec![0; 4], 10).await.unwrap(), (0, vec![]));
        assert_eq!(file.read_at(vec![0; 4], 1 << 40).await.unwrap(), (0, vec![]));
        // Capacity alone counts, not the length.
        let (n, buf) = file.read_at(Vec::with_capacity(4), 0).await.unwrap();
        assert_eq!((n, buf), (4, b"0123".to_vec()));
    });
}

#[test]
fn a_target_without_room_is_refused_and_comes_back() {
    run(async {
        let mut file = scratch().await;
        let failed = file.read_at(Vec::new(), 0).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (ErrorKind::InvalidInput, vec![]));
        let failed = file.read(vec![1, 2].spare()).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::InvalidInput);
        assert_eq!(failed.buf.into_inner(), [1, 2]);
    });
}

#[test]
fn a_part_of_a_buffer_is_filled_and_the_rest_left_alone() {
    run(async {
        let file = scratch().await;
        file.write_all_at("abcdef", 0).await.unwrap();
        let (n, part) = file.read_at(vec![b'-'; 8].slice(2..5), 1).await.unwrap();
        assert_eq!((n, &*part), (3, &b"bcd"[..]));
        assert_eq!(part.into_inner(), b"--bcd---");
        let (n, _) = file.write_at("0123456789".slice(4..6), 0).await.unwrap();
        assert_eq!(n, 2);
        assert_eq!(file.read_exact_at(vec![0; 6], 0).await.unwrap().1, b"45cdef");
    });
}

#[test]
fn exact_transfers_say_how_far_they_came() {
    run(async {
        let file = scratch().await;
        assert_eq!(file.write_all_at(vec![7; 100_000], 5).await.unwrap().0, 100_000);
        let (n, buf) = file.read_exact_at(vec![1; 100_005], 0).await.unwrap();
        assert_eq!(n, 100_005);
        assert!(buf[..5] == [0; 5] && buf[5..].iter().all(|&byte| byte == 7));
        let failed = file.read_exact_at(vec![1; 10], 100_000).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(failed.buf[..5], [7; 5]);
        assert_eq!(file.read_exact_at(Vec::new(), 0).await.unwrap().0, 0);
        assert_eq!(file.write_all_at("", 0).await.unwrap().0, 0);
    });
}

#[test]
fn any_number_of_operations_at_offsets_run_at_once() {
    run(async {
        let file = Rc::new(scratch().await);
        let writers: Vec<_> = (0..64u8)
            .map(|n| {
                let file = file.clone();
                spawn(async move { file.write_all_at(vec![n; 512], u64::from(n) * 512).await })
            })
            .collect();
        for writer in writers {
            assert_eq!(writer.await.unwrap().unwrap().0, 512);
        }
        let (_, all) = file.read_exact_at(vec![0; 64 * 512], 0).await.unwrap();
        assert!(all.chunks(512).zip(0u8..).all(|(chunk, n)| chunk == [n; 512]));
    });
}

#[test]
fn several_buffers_are_read_and_written_in_order() {
    run(async {
        let mut file = scratch().await;
        assert_eq!(file.write_vectored_at(vec!["ab", "", "cde"], 1).await.unwrap().0, 5);
        let targets = vec![vec![0; 1], vec![], vec![0; 3], vec![0; 9]];
        let (n, parts) = file.read_vectored_at(targets, 0).await.unwrap();
        assert_eq!(n, 6);
        assert_eq!(parts, [b"\0".to_vec(), vec![], b"abc".to_vec(), b"de".to_vec()]);

        // More than the kernel takes at once: the rest is left for the next call.
        let many = vec!["x"; 2000];
        let (n, _) = file.write_vectored(many).await.unwrap();
        assert!((1..=2000).contains(&n));
        assert_eq!(file.stream_position().await.unwrap(), n as u64);
        file.rewind().await.unwrap();
        let (n, parts) = file.read_vectored(vec![vec![0; 2], vec![0; 2]]).await.unwrap();
        assert_eq!((n, parts.concat()), (4, b"xxxx".to_vec()));
        assert_eq!(file.stream_position().await.unwrap(), 4);

        let failed = file.read_vectored_at(vec![Vec::<u8>::new()], 0).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::InvalidInput);
        assert_eq!(file.write_vectored_at(Vec::<Vec<u8>>::new(), 0).await.unwrap().0, 0);
    });
}

#[test]
fn the_cursor_moves_with_what_is_transferred() {
    run(async {
        let mut file = scratch().await;
        file.write_all("hello world").await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 11);
        assert_eq!(file.read(vec![0; 8]).await.unwrap().0, 0);
        assert_eq!(file.seek(SeekFrom::End(-5)).await.unwrap(), 6);
        assert_eq!(file.read(vec![0; 8]).await.unwrap().1, b"world");
        assert_eq!(file.seek(SeekFrom::Current(-11)).await.unwrap(), 0);
        file.write_all("J").await.unwrap();
        // What is done at offsets does not move it.
        file.write_at("!", 11).await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 1);
        file.rewind().await.unwrap();
        let (_, all) = file.read_to_string(String::new()).await.unwrap();
        assert_eq!(all, "Jello world!");
        file.flush().await.unwrap();
        file.shutdown().await.unwrap();
    });
}

#[test]
fn the_cursor_may_be_behind_the_end_but_not_before_the_start() {
    run(async {
        let mut file = scratch().await;
        assert_eq!(file.seek(SeekFrom::End(3)).await.unwrap(), 3);
        assert_eq!(file.read(vec![0; 1]).await.unwrap().0, 0);
        file.write_all("x").await.unwrap();
        assert_eq!(file.read_exact_at(vec![1; 4], 0).await.unwrap().1, b"\0\0\0x");
        for wrong in [SeekFrom::Current(-5), SeekFrom::End(-5), SeekFrom::Start(u64::MAX)] {
            assert_eq!(file.seek(wrong).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(file.stream_position().await.unwrap(), 4);
    });
}

#[test]
fn appended_bytes_go_to_the_end_whoever_appends() {
    let dir = temp_dir();
    let path = dir.path().join("log");
    run(async {
        let open = || async {
            OpenOptions::new().read(true).append(true).create(true).open(&path).await.unwrap()
        };
        let (mut one, mut two) = (open().await, open().await);
        for _ in 0..3 {
            one.write_all("1").await.unwrap();
            two.write_all("2").await.unwrap();
        }
        one.write_at("at the end", 0).await.unwrap();
        // Reading has a cursor of its own.
        assert_eq!(one.read_to_string(String::new()).await.unwrap().1, "121212at the end");
    });
}

#[test]
fn clones_share_the_cursor() {
    run(async {
        let mut file = scratch().await;
        let mut same = file.try_clone().unwrap();
        file.write_all("abc").await.unwrap();
        same.write_all("def").await.unwrap();
        same.seek(SeekFrom::Start(2)).await.unwrap();
        assert_eq!(file.read(vec![0; 2]).await.unwrap().1, b"cd");
        assert_eq!(same.read(vec![0; 2]).await.unwrap().1, b"ef");
    });
}

#[test]
fn files_of_std_come_and_go_with_their_position() {
    let dir = temp_dir();
    let path = dir.path().join("std");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"abc").unwrap();
    run(async {
        let mut file = File::from_std(file).unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 3);
        file.write_all("def").await.unwrap();
        // The name is found out for the messages.
        let error = file.read(vec![0; 1]).await.unwrap_err().error;
        let resolved = path.canonicalize().unwrap();
        assert_eq!(Failure::of(&error).unwrap().object(), resolved.to_str().unwrap());

        let clone = file.try_clone().unwrap();
        let file = file.into_std().await.expect_err("a clone is left");
        drop(clone);
        let (mut file, unread) = file.into_std().await.expect("no clone is left");
        assert!(unread.is_empty());
        file.write_all(b"ghi").unwrap();
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"abcdefghi");
}

#[test]
fn lengths_are_cut_extended_and_reserved() {
    run(async {
        let file = scratch().await;
        file.write_all_at("abcdef", 0).await.unwrap();
        file.set_len(3).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 3);
        file.set_len(5).await.unwrap();
        assert_eq!(file.read_exact_at(vec![1; 5], 0).await.unwrap().1, b"abc\0\0");
        match file.allocate(0, 10_000).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                skip("lengths_are_cut_extended_and_reserved", "fallocate: the file system cannot");
            }
            allocated => {
                allocated.unwrap();
                let metadata = file.metadata().await.unwrap();
                assert_eq!(metadata.len(), 10_000);
                assert!(metadata.blocks() * 512 >= 10_000);
            }
        }
        assert_eq!(file.allocate(0, 0).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
    });
}

#[test]
fn metadata_is_what_std_says() {
    use std::os::unix::fs::MetadataExt;
    let dir = temp_dir();
    let path = dir.path().join("file");
    run(async {
        let file = File::create(&path).await.unwrap();
        file.write_all_at(vec![1; 5000], 0).await.unwrap();
        file.set_permissions(Permissions::from_mode(0o604)).await.unwrap();
        let (ours, std) = (file.metadata().await.unwrap(), std::fs::metadata(&path).unwrap());
        assert_eq!((ours.len(), ours.mode(), ours.ino()), (5000, 0o100604, std.ino()));
        assert_eq!((ours.uid(), ours.gid()), (std.uid(), std.gid()));
        assert_eq!((ours.dev(), ours.rdev()), (std.dev(), std.rdev()));
        assert_eq!((ours.nlink(), ours.blksize()), (std.nlink(), std.blksize()));
        assert_eq!(ours.permissions(), std.permissions());
        assert_eq!(ours.modified().unwrap(), std.modified().unwrap());
        assert_eq!(ours.accessed().unwrap(), std.accessed().unwrap());
        assert_eq!(ours.created().ok(), std.created().ok());
        let changed =
            SystemTime::UNIX_EPOCH + Duration::new(std.ctime() as u64, std.ctime_nsec() as u32);
        assert_eq!(ours.changed(), changed);
        assert!(ours.is_file() && !ours.is_dir() && !ours.is_symlink());
    });
}

#[test]
fn direct_io_takes_aligned_buffers_and_nothing_else() {
    let dir = temp_dir();
    let path = dir.path().join("direct");
    run(async {
        let mut options = OpenOptions::new();
        let file = match options.read(true).write(true).create(true).direct(true).open(&path).await
        {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return skip("direct_io", "open with O_DIRECT: the file system has none");
            }
            file => file.unwrap(),
        };
        let mut block = AlignedBuf::new(8192);
        block.resize(8192, 7);
        let (n, block) = file.write_at(block, 0).await.unwrap();
        assert_eq!(n, 8192);
        let (n, part) = file.read_at(block.slice(4096..), 4096).await.unwrap();
        assert_eq!((n, &part[..]), (4096, &[7; 4096][..]));
        let mut block = part.into_inner();

        block.clear();
        let (n, block) = file.read_at(block, 0).await.unwrap();
        assert_eq!((n, block.len()), (8192, 8192));
        assert_eq!(file.read_at(block, 8192).await.unwrap().0, 0);

        let off = AlignedBuf::new(8192).slice(..1).into_inner();
        match file.read_at(off.spare(), 1).await {
            Err(failed) => assert_eq!(failed.error.kind(), ErrorKind::InvalidInput),
            // tmpfs takes anything.
            Ok(_) => skip("direct_io_unaligned", "the file system accepts any offset"),
        }
    });
}

#[test]
fn closing_is_for_all_handles_and_tells_how_it_went() {
    run(async {
        let file = scratch().await;
        let clone = file.try_clone().unwrap();
        file.close().await.unwrap();
        assert!(clone.read_at(vec![0; 1], 0).await.is_err());
        assert!(clone.sync_all().await.is_err());
    });
}

#[test]
fn dropped_files_leave_no_descriptor() {
    in_child("file::dropped_files_leave_no_descriptor", || {
        run(async {
            let file = scratch().await;
            file.sync_all().await.unwrap();
            drop(file);
            let before = open_descriptors();
            for _ in 0..100 {
                let file = scratch().await;
                let clone = file.try_clone().unwrap();
                file.write_all_at("x", 0).await.unwrap();
                drop((file, clone));
            }
            let settled = async {
                while open_descriptors() != before {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(patience(Duration::from_secs(5)), settled).await.expect("all are closed");
        });
    });
}

/// How long this thread has been ready to run and did not, because others did.
fn starved() -> Duration {
    // Where the kernel does not count that, nothing is forgiven.
    let counts = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let starved = counts.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(starved.unwrap_or(0))
}

/// Given 1,000 files, when all are read at once, then each gives its exact bytes, and meanwhile a
/// ticker of 1 ms is late by more than 25 ms in at most 1 % of its ticks, but for the time in which
/// the machine ran something else.
#[test]
fn case_f02_a_thousand_files_at_once() {
    let output = in_child("file::case_f02_a_thousand_files_at_once", || {
        let dir = temp_dir();
        let content = |n: usize| vec![n as u8; 100 + n * 7];
        for n in 0..1000 {
            std::fs::write(dir.path().join(n.to_string()), content(n)).unwrap();
        }
        run(async {
            let late = Rc::new(std::cell::RefCell::new(Vec::new()));
            let lateness = late.clone();
            let ticker = spawn(async move {
                let mut ticks = interval(Duration::from_millis(1));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                let mut before = starved();
                loop {
                    let due = ticks.tick().await;
                    let now = starved();
                    lateness.borrow_mut().push(due.elapsed().saturating_sub(now - before));
                    before = now;
                }
            });
            sleep(Duration::from_millis(5)).await;
            while late.borrow().len() < 300 {
                let mut reads = Vec::new();
                for n in 0..1000 {
                    let path = dir.path().join(n.to_string());
                    reads.push(spawn(async move {
                        assert!(wakering_fs::read(path).await.unwrap() == content(n), "file {n}");
                    }));
                    // What this task does itself is not to make the ticker late.
                    if n % 32 == 0 {
                        yield_now().await;
                    }
                }
                for read in reads {
                    read.await.unwrap();
                    yield_now().await;
                }
            }
            ticker.cancel();
            let mut late = late.borrow().clone();
            late.sort();
            let p99 = late[late.len() - 1 - late.len() / 100];
            println!("{} ticks, p99 late by {p99:?}", late.len());
            assert!(p99 < patience(Duration::from_millis(25)), "the ticker is late by {p99:?}");
        });
    });
    println!("{output}");
}
