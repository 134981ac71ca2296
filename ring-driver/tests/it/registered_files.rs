//! Files of which a ring is told because they are used often: they are like any others, only
//! cheaper.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use wakering_ring_driver::op::{self, OpenHow};
use wakering_ring_driver::testing::{in_child, patience};
use wakering_ring_driver::{Driver, Fd, Sharing};

use crate::registered::masked;
use crate::{block_on, driver};

/// More than it takes to tell the ring of a file.
const OFTEN: u64 = 100;

const HOW: OpenHow = OpenHow {
    read: true,
    write: true,
    append: false,
    truncate: false,
    create: true,
    create_new: false,
    direct: false,
    custom_flags: 0,
    mode: 0o666,
};

/// Writes each of the first bytes of a file by itself.
async fn use_often(file: &Fd, byte: u8) -> io::Result<()> {
    for offset in 0..OFTEN {
        assert_eq!(op::write_at(file, vec![byte], offset).await?.0, 1);
    }
    Ok(())
}

fn is_full_of(path: &Path, byte: u8) -> bool {
    fs::read(path).unwrap() == vec![byte; OFTEN as usize]
}

/// Given a file that is used often; then the ring looks it up no more if it is able to know of it,
/// and the bytes are right.
#[test]
fn a_file_that_is_used_often_is_registered() {
    for mask in ["", "-registered_files"] {
        let (driver, dir) = (masked(mask), tempfile::tempdir().unwrap());
        let path = dir.path().join("file");
        block_on(&driver, async {
            let file = op::open(None, &path, HOW).await?;
            assert_eq!(op::write_at(&file, "once", 0).await?.0, 4);
            assert_eq!(driver.counters().used("FIXED_FILE"), 0, "once is not often");
            use_often(&file, b'x').await?;
            let counters = driver.counters();
            let there = driver.capabilities().registered_files;
            assert_eq!(counters.used("FIXED_FILE") > 0, there, "{mask}: {counters:?}");
            assert!(counters.beyond(&driver.capabilities()).is_empty());
            Ok::<_, io::Error>(())
        })
        .unwrap();
        assert!(is_full_of(&path, b'x'));
    }
}

/// Given more files than the ring can know of, one after the other under few numbers, each used
/// often; then each has its own bytes, and also the last one finds a place.
#[test]
fn a_number_that_is_used_again_means_the_new_file() {
    let (driver, dir) = (driver(), tempfile::tempdir().unwrap());
    let path = |turn: u8| dir.path().join(turn.to_string());
    block_on(&driver, async {
        let mut numbers = Vec::new();
        let mut before = 0;
        for turn in 0..150 {
            before = driver.counters().used("FIXED_FILE");
            let file = op::open(None, path(turn), HOW).await?;
            numbers.push(file.os_number());
            use_often(&file, turn).await?;
            file.close().await?;
        }
        let different: HashSet<_> = numbers.iter().collect();
        assert!(different.len() < numbers.len(), "no number was used again: {numbers:?}");
        let is_registered = driver.counters().used("FIXED_FILE") > before;
        assert_eq!(is_registered, driver.capabilities().registered_files);
        Ok::<_, io::Error>(())
    })
    .unwrap();
    assert!((0..150).all(|turn| is_full_of(&path(turn), turn)));
}

/// Given more files at once than the ring can know of, all used often; then the rest is not
/// registered, and each has its own bytes.
#[test]
fn what_finds_no_room_is_looked_up() {
    let (driver, dir) = (driver(), tempfile::tempdir().unwrap());
    let path = |number: u8| dir.path().join(number.to_string());
    block_on(&driver, async {
        let mut files = Vec::new();
        for number in 0..80 {
            let file = op::open(None, path(number), HOW).await?;
            use_often(&file, number).await?;
            files.push(file);
        }
        Ok::<_, io::Error>(())
    })
    .unwrap();
    assert!((0..80).all(|number| is_full_of(&path(number), number)));
}

/// Given a locked file that was used often; when it is closed, given back and dropped, or its driver
/// ends; then nobody holds it open any more, and so the lock is free.
#[test]
fn a_registered_file_is_let_go_of_with_its_descriptor() {
    // A child that another test has forked holds the file open until it becomes its own program.
    in_child("registered_files::a_registered_file_is_let_go_of_with_its_descriptor", || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let locked = |driver: &Driver| {
            let file =
                File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.unwrap();
            file.try_lock().expect("whoever had it has let go of it");
            Fd::adopt(driver, file.into(), Sharing::Shared).unwrap()
        };
        for _ in 0..3 {
            let driver = driver();
            let file = block_on(&driver, async {
                let file = locked(&driver);
                use_often(&file, 1).await?;
                file.close().await?;

                let file = locked(&driver);
                use_often(&file, 2).await?;
                drop(file.detach().await.expect("the only handle"));

                let file = locked(&driver);
                use_often(&file, 3).await?;
                drop(file);

                let file = locked(&driver);
                use_often(&file, 4).await?;
                let is_registered = driver.counters().used("FIXED_FILE") > 0;
                assert_eq!(is_registered, driver.capabilities().registered_files);
                Ok::<_, io::Error>(file)
            })
            .unwrap();
            driver.shutdown(patience(Duration::from_secs(10)));
            drop(file);
            assert!(is_full_of(&path, 4));
        }
    });
}
