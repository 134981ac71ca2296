//! Buffers of which a ring is told in advance: they are like any others, only cheaper.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use wakering_ring_driver::op::{self, OpenHow};
use wakering_ring_driver::testing::{Limit, drop_privileges, in_child, limit, patience};
use wakering_ring_driver::{AlignedBuf, Config, Driver, IoBuf, IoBufMut};

use crate::{block_on, driver};

const PAGE: usize = 4096;

pub(crate) fn masked(mask: &str) -> Driver {
    let lane = std::env::var("WAKERING_CAPS").unwrap_or_default();
    let mut config = Config::default();
    config.mask = Some(format!("{lane},{mask}").parse().expect(mask));
    Driver::new(&config).expect("a driver")
}

/// Writes a page from `buf` and reads it back, directly if the file system can.
async fn round_trip(buf: AlignedBuf) -> std::io::Result<AlignedBuf> {
    round_trip_in(tempfile::tempdir()?.path(), buf).await
}

async fn round_trip_in(dir: &Path, buf: AlignedBuf) -> std::io::Result<AlignedBuf> {
    let path = dir.join("file");
    let mut how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
    how.direct = true;
    let file = match op::open(None, &path, how).await {
        Ok(file) => file,
        Err(_) => op::open(None, &path, OpenHow { direct: false, ..how }).await?,
    };
    let mut buf = buf;
    buf.overwrite(&[7; PAGE]);
    let (n, mut buf) = op::write_at(&file, buf, PAGE as u64).await?;
    assert_eq!(n, PAGE);
    let mut expected = [0; PAGE];
    fs::File::open(&path)?.read_exact_at(&mut expected, PAGE as u64)?;
    assert_eq!(expected, [7; PAGE]);
    buf.overwrite(&[1; PAGE]);
    let (n, buf) = op::read_at(&file, buf, PAGE as u64).await?;
    assert_eq!((n, &buf[..]), (PAGE, &[7; PAGE][..]));
    Ok(buf)
}

/// Given registered buffers; when files are written from and read into them, whole and in part;
/// then the ring's own operations for that are used where it has them, and the bytes are right.
#[test]
fn registered_buffers_are_read_into_and_written_from() {
    for mask in ["", "-registered_buffers", "-read_fixed", "-write_fixed"] {
        let driver = masked(mask);
        block_on(&driver, async {
            let mut bufs = AlignedBuf::registered(3, PAGE)?;
            let there = driver.capabilities().registered_buffers;
            assert!(bufs.iter().all(|buf| buf.is_registered() == there && buf.is_empty()));
            for _ in 0..3 {
                let buf = round_trip(bufs.remove(0)).await?;
                bufs.push(buf);
            }
            let counters = driver.counters();
            let expected = if there { 3 } else { 0 };
            assert_eq!(counters.used("write_fixed"), expected, "{mask}: {counters:?}");
            assert!(counters.beyond(&driver.capabilities()).is_empty());

            let buf = bufs.remove(0);
            assert_eq!(buf[..], [7; PAGE], "the neighbours have not been touched");
            let dir = tempfile::tempdir()?;
            let how = OpenHow { read: true, write: true, create: true, ..OpenHow::default() };
            let file = op::open(None, dir.path().join("part"), how).await?;
            let (n, _) = op::write_at(&file, buf.slice(100..200), 0).await?;
            assert_eq!(n, 100);
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    }
}

/// Given more blocks of buffers than the ring can know of, one after the other; when the earlier
/// ones are gone; then there is room for the later ones, and their bytes are right although their
/// addresses have been others' before.
#[test]
fn what_is_gone_makes_room() {
    let driver = driver();
    block_on(&driver, async {
        for _ in 0..200 {
            let mut bufs = AlignedBuf::registered(2, PAGE)?;
            assert_eq!(bufs[0].is_registered(), driver.capabilities().registered_buffers);
            round_trip(bufs.remove(1)).await?;
        }
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
}

/// Given more blocks than the ring can know of, all of them in use; then the rest is not
/// registered, and works all the same.
#[test]
fn what_finds_no_room_is_not_registered() {
    let driver = driver();
    block_on(&driver, async {
        let mut kept = Vec::new();
        for _ in 0..70 {
            kept.extend(AlignedBuf::registered(1, PAGE)?);
        }
        let registered = kept.iter().filter(|buf| buf.is_registered()).count();
        assert_eq!(registered, if driver.capabilities().registered_buffers { 64 } else { 0 });
        round_trip(kept.remove(69)).await?;
        round_trip(kept.remove(0)).await?;
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
}

/// Given registered buffers that outlive their driver; when another thread has them, and another
/// driver uses them; then they are memory like any other.
#[test]
fn registered_buffers_outlive_their_driver() {
    let first = driver();
    let buf = block_on(&first, async { AlignedBuf::registered(1, PAGE).unwrap().remove(0) });
    assert_eq!(first.shutdown(patience(Duration::from_secs(10))).leaked, 0);
    drop(first);
    let other = std::thread::spawn(move || {
        let driver = driver();
        block_on(&driver, round_trip(buf)).unwrap();
        driver.counters().used("write_fixed")
    });
    assert_eq!(other.join().unwrap(), 0);
}

/// Given a process that may lock 64 KiB; when it registers 16 MiB; then the reason is told, and the
/// buffers are used unregistered.
#[test]
fn too_little_lockable_memory_registers_nothing() {
    let name = "registered::too_little_lockable_memory_registers_nothing";
    in_child(name, || {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        limit(Limit::LockedMemory, 64 << 10);
        drop_privileges(65534);
        let driver = driver();
        block_on(&driver, async {
            let mut bufs = AlignedBuf::registered(4096, PAGE)?;
            assert!(bufs.iter().all(|buf| !buf.is_registered()));
            round_trip_in(dir.path(), bufs.remove(4000)).await?;
            assert_eq!(driver.counters().used("write_fixed"), 0);
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    });
}

/// Given nobody's thread, or no buffers at all; then there is an error, or none.
#[test]
fn registering_takes_a_driver() {
    assert!(AlignedBuf::registered(1, PAGE).is_err());
    let driver = driver();
    assert!(block_on(&driver, async { AlignedBuf::registered(0, PAGE) }).unwrap().is_empty());
}
