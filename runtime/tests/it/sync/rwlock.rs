//! Readers and writers.

use std::sync::Arc;

use wakering_runtime::sync::{OwnedRwLockWriteGuard, RwLock};

use super::Probe;

#[test]
fn readers_share_and_a_writer_is_alone() {
    let lock = RwLock::new(1);
    let readers = [(); 3].map(|()| Probe::new(lock.read()).ready());
    assert!(lock.try_write().is_err());
    let mut writer = Probe::parked(lock.write());
    drop(readers);
    assert_eq!(writer.wakes(), 1);
    let guard = writer.poll();
    assert!(guard.is_ready());
    assert!(lock.try_read().is_err());
}

#[test]
fn a_reader_does_not_overtake_a_waiting_writer() {
    let lock = RwLock::new(1);
    let reader = lock.try_read().unwrap();
    let writer = Probe::parked(lock.write());
    let late = Probe::parked(lock.read());
    assert!(lock.try_read().is_err());
    drop(reader);
    let mut guard = writer.ready();
    *guard += 1;
    assert_eq!(late.wakes(), 0);
    drop(guard);
    assert_eq!(*late.ready(), 2);
}

#[test]
fn a_cancelled_writer_lets_readers_pass() {
    let lock = RwLock::new(1);
    let _reader = lock.try_read().unwrap();
    let writer = Probe::parked(lock.write());
    let late = [(); 2].map(|()| Probe::parked(lock.read()));
    drop(writer);
    let guards = late.map(Probe::ready);
    assert_eq!(*guards[0] + *guards[1], 2);
}

#[test]
fn a_writer_that_goes_on_as_a_reader_lets_no_writer_in_between() {
    let lock = Arc::new(RwLock::new(1));
    let writer = Probe::new(RwLock::write_owned(lock.clone())).ready();
    let mut next = Probe::parked(lock.write());
    let reader = OwnedRwLockWriteGuard::downgrade(writer);
    assert!(next.poll().is_pending());
    assert_eq!(*reader, 1);
    drop(reader);
    assert!(next.poll().is_ready());
    drop(next);
    assert!(lock.try_write().is_ok());
}
