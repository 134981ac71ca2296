//! Whole files: of every size, without a size, growing, shrinking, too large; and their copies.

use std::fs as std_fs;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;

use wakering_fs::{read, read_to_string, write};

use crate::{polled_beside_others, run, temp_dir};

#[test]
fn files_of_every_size_come_whole() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    run(async {
        for size in [0, 1, 4095, 4096, 4097, 65_536, 1_000_003] {
            let content: Vec<u8> = (0..size).map(|n: usize| (n * 31) as u8).collect();
            write(&path, content.clone()).await.unwrap();
            assert!(std_fs::read(&path).unwrap() == content, "{size} bytes written");
            assert!(read(&path).await.unwrap() == content, "{size} bytes read");
        }
    });
}

#[test]
fn the_memory_taken_is_what_the_file_needs() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, vec![1; 1 << 20]).unwrap();
    run(async {
        let content = read(&path).await.unwrap();
        assert_eq!(content.len(), 1 << 20);
        assert!(content.capacity() < (1 << 20) + 64, "{}", content.capacity());
    });
}

#[test]
fn files_without_a_length_come_whole() {
    run(async {
        let path = "/proc/self/mountinfo";
        assert_eq!(std_fs::metadata(path).unwrap().len(), 0);
        assert_eq!(read_to_string(path).await.unwrap(), std_fs::read_to_string(path).unwrap());
        let status = read("/proc/self/status").await.unwrap();
        assert!(status.starts_with(b"Name:"));
    });
}

#[test]
fn pipes_are_read_to_their_end() {
    run(async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let thread = std::thread::spawn(move || {
            for n in 0..100u8 {
                writer.write_all(&[n; 1000])?;
            }
            Ok::<_, std::io::Error>(())
        });
        let all = read(path).await.unwrap();
        thread.join().unwrap().unwrap();
        drop(reader);
        assert!(all.chunks(1000).zip(0u8..).all(|(chunk, n)| chunk == [n; 1000]));
        assert_eq!(all.len(), 100_000);
    });
}

/// Changes the file once between each two polls of the read, and looks at what comes out.
fn changed_while_read(change: impl Fn(&std::path::Path)) -> Vec<usize> {
    let dir = temp_dir();
    let path = dir.path().join("file");
    run(async {
        let mut lens = Vec::new();
        for polls in 0.. {
            std_fs::write(&path, vec![b'a'; 10_000]).unwrap();
            let mut reading = std::pin::pin!(read(&path));
            let done = polled_beside_others(polls, reading.as_mut()).await;
            let ended = done.is_some();
            let content = match done {
                Some(content) => content,
                None => {
                    change(&path);
                    reading.await
                }
            };
            let content = content.unwrap();
            assert!(content.iter().all(|&byte| byte == b'a'));
            lens.push(content.len());
            if ended {
                break;
            }
        }
        lens
    })
}

#[test]
fn a_file_that_grows_is_read_to_its_new_end() {
    let lens = changed_while_read(|path| {
        let mut file = std_fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(&[b'a'; 20_000]).unwrap();
    });
    println!("{lens:?}");
    assert!(lens.iter().all(|len| [10_000, 30_000].contains(len)), "{lens:?}");
    assert!(lens.len() > 3, "it was changed at every await: {lens:?}");
    assert_eq!(lens.last(), Some(&10_000), "unchanged, it is as it was");
}

#[test]
fn a_file_that_shrinks_is_read_to_its_new_end() {
    let lens = changed_while_read(|path| {
        std_fs::OpenOptions::new().write(true).open(path).unwrap().set_len(3).unwrap();
    });
    println!("{lens:?}");
    assert!(lens.iter().all(|len| [10_000, 3].contains(len)), "{lens:?}");
    assert_eq!(lens.first(), Some(&3), "changed before the first poll");
    assert_eq!(lens.last(), Some(&10_000), "unchanged, it is as it was");
}

#[test]
fn more_than_memory_is_an_error() {
    let dir = temp_dir();
    let path = dir.path().join("huge");
    let file = std_fs::File::create(&path).unwrap();
    // The largest that the file system can count; no address space holds any of these.
    let huge = [1 << 62, 1 << 50, 1 << 47].into_iter().find(|&len| file.set_len(len).is_ok());
    if huge.is_none() {
        return wakering_runtime::testing::skip(
            "more_than_memory_is_an_error",
            "ftruncate: the file system takes no file of 128 TiB",
        );
    }
    run(async {
        assert_eq!(read(&path).await.unwrap_err().kind(), ErrorKind::OutOfMemory);
    });
}

#[test]
fn text_must_be_utf_8() {
    let dir = temp_dir();
    let path = dir.path().join("latin");
    run(async {
        write(&path, b"gr\xfcn").await.unwrap();
        let error = read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(crate::said(&error).3, crate::text(&path));
        write(&path, "grün").await.unwrap();
        assert_eq!(read_to_string(&path).await.unwrap(), "grün");
    });
}

#[test]
fn writing_replaces_what_was_there() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    run(async {
        write(&path, "a long first version").await.unwrap();
        write(&path, Box::<[u8]>::from(&b"short"[..])).await.unwrap();
        assert_eq!(read(&path).await.unwrap(), b"short");
    });
}

#[test]
fn a_copy_has_content_and_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let dir = temp_dir();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    run(async {
        let content: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
        write(&from, content.clone()).await.unwrap();
        write(&to, vec![9; 400_000]).await.unwrap();
        std_fs::set_permissions(&from, std_fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(wakering_fs::copy(&from, &to).await.unwrap(), 300_000);
        assert!(read(&to).await.unwrap() == content);
        assert_eq!(std_fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o640);

        assert!(wakering_fs::copy("/proc/self/status", &to).await.unwrap() > 0);
        assert!(read(&to).await.unwrap().starts_with(b"Name:"));
    });
}

#[test]
fn a_copy_to_itself_is_refused_and_harms_nothing() {
    let dir = temp_dir();
    let (path, link) = (dir.path().join("file"), dir.path().join("link"));
    run(async {
        write(&path, "precious").await.unwrap();
        wakering_fs::hard_link(&path, &link).await.unwrap();
        for same in [&path, &link] {
            let error = wakering_fs::copy(&path, same).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        let error = wakering_fs::copy(dir.path(), &link).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(read(&path).await.unwrap(), b"precious");
    });
}
