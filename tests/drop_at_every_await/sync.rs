//! What tasks wait for from each other: after each drop everything that was handed out is back, and
//! everything that was sent is there.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use wakering::sync::{
    Barrier, Condvar, Event, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, channel,
    oneshot, watch,
};
use wakering::task::yield_now;

use crate::{drop_after, for_every_k};

/// Drops what acquires `n` of the permits that come one by one.
fn permits<T, F>(name: &str, n: usize, acquire: impl Fn(Arc<Semaphore>) -> F)
where
    F: Future<Output = T>,
{
    for_every_k(name, async |k| {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut added = 0;
        let output = drop_after(k, acquire(semaphore.clone()), || {
            semaphore.add_permits(1);
            added += 1;
        })
        .await;
        let completed = output.is_some();
        assert_eq!(semaphore.available_permits(), if completed { added - n } else { added });
        drop(output);
        assert_eq!(semaphore.available_permits(), added);
        completed
    });
}

#[test]
fn a_semaphore_loses_no_permit() {
    permits("runtime::Semaphore::acquire", 1, async |semaphore| {
        semaphore.acquire().await.unwrap().forget();
        Back(semaphore, 1)
    });
    permits("runtime::Semaphore::acquire_many", 3, async |semaphore| {
        semaphore.acquire_many(3).await.unwrap().forget();
        Back(semaphore, 3)
    });
    permits("runtime::Semaphore::acquire_owned", 1, Semaphore::acquire_owned);
    permits("runtime::Semaphore::acquire_many_owned", 3, |semaphore| {
        Semaphore::acquire_many_owned(semaphore, 3)
    });
}

/// Gives permits back that were forgotten because they had borrowed the semaphore.
struct Back(Arc<Semaphore>, usize);

impl Drop for Back {
    fn drop(&mut self) {
        self.0.add_permits(self.1);
    }
}

/// Drops what waits for a mutex that somebody else has until the second poll.
fn turns<T, F: Future<Output = T>>(name: &str, lock: impl Fn(Arc<Mutex<u32>>) -> F) {
    for_every_k(name, async |k| {
        let mutex = Arc::new(Mutex::new(0));
        let held = RefCell::new(mutex.try_lock().ok());
        let completed = drop_after(k, lock(mutex.clone()), || drop(held.take())).await.is_some();
        drop(held.take());
        assert!(mutex.try_lock().is_ok());
        completed
    });
}

#[test]
fn a_mutex_is_free_afterwards() {
    turns("runtime::Mutex::lock", async |mutex| *mutex.lock().await);
    turns("runtime::Mutex::lock_owned", Mutex::lock_owned);
}

/// Drops what waits for a lock that somebody else writes to until the second poll.
fn access<T, F: Future<Output = T>>(name: &str, enter: impl Fn(Arc<RwLock<u32>>) -> F) {
    for_every_k(name, async |k| {
        let lock = Arc::new(RwLock::new(0));
        let held = RefCell::new(lock.try_write().ok());
        let completed = drop_after(k, enter(lock.clone()), || drop(held.take())).await.is_some();
        drop(held.take());
        assert!(lock.try_write().is_ok());
        completed
    });
}

#[test]
fn an_rwlock_is_free_afterwards() {
    access("runtime::RwLock::read", async |lock| *lock.read().await);
    access("runtime::RwLock::write", async |lock| *lock.write().await);
    access("runtime::RwLock::read_owned", RwLock::read_owned);
    access("runtime::RwLock::write_owned", RwLock::write_owned);
}

/// Drops what waits for a change of a value that is counted up before each poll.
fn changes<T, F>(name: &str, wait: impl Fn(Arc<(Mutex<u32>, Condvar)>) -> F)
where
    F: Future<Output = T>,
{
    for_every_k(name, async |k| {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let completed = drop_after(k, wait(shared.clone()), || {
            *shared.0.try_lock().expect("it is free while one waits") += 1;
            shared.1.notify_one();
        })
        .await
        .is_some();
        assert!(shared.0.try_lock().is_ok());
        completed
    });
}

#[test]
fn a_condition_leaves_its_mutex_free() {
    changes("runtime::Condvar::wait", async |shared| {
        let (mutex, changed) = &*shared;
        drop(changed.wait(mutex.lock().await).await);
    });
    changes("runtime::Condvar::wait_for", async |shared| {
        let (mutex, changed) = &*shared;
        drop(changed.wait_for(mutex.lock().await, |count| *count == 3).await);
    });
}

#[test]
fn what_is_told_is_not_lost() {
    for_every_k("runtime::Notified", async |k| {
        let notify = Notify::new();
        let told = drop_after(k, notify.notified(), || notify.notify_one()).await.is_some();
        assert!(!notify.notified().enable());
        told
    });
    for_every_k("runtime::Event::wait", async |k| {
        let event = Event::new();
        drop_after(k, event.wait(), || event.set()).await.is_some()
    });
    for_every_k("runtime::Barrier::wait", async |k| {
        let barrier = Arc::new(Barrier::new(2));
        let output = drop_after(k, barrier.wait(), || {
            let other = barrier.clone();
            wakering::spawn(async move { other.wait().await });
        })
        .await;
        assert_eq!(barrier.waiting(), 0);
        output.is_some()
    });
}

#[test]
fn a_channel_loses_no_item_and_no_room() {
    for_every_k("runtime::Receiver::recv", async |k| {
        let (sender, mut receiver) = channel(8);
        let mut sent = 0;
        let first = drop_after(k, receiver.recv(), || {
            sender.try_send(sent).unwrap();
            sent += 1;
        })
        .await;
        let completed = first.is_some();
        let mut received: Vec<_> = first.flatten().into_iter().collect();
        received.extend(receiver.close_now());
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
        completed
    });
    for_every_k("runtime::Sender::send", async |k| {
        let (sender, mut receiver) = channel(1);
        sender.try_send(0).unwrap();
        let mut received = Vec::new();
        let sent = drop_after(k, sender.send(1), || received.extend(receiver.try_recv())).await;
        received.extend(receiver.close_now());
        assert_eq!(received, if sent.is_some() { vec![0, 1] } else { vec![0] });
        sent.is_some()
    });
    for_every_k("runtime::Sender::reserve", async |k| {
        let (sender, mut receiver) = channel(1);
        sender.try_send(0).unwrap();
        let permit = drop_after(k, sender.reserve(), || {
            let _ = receiver.try_recv();
        })
        .await;
        let completed = permit.is_some();
        drop(permit);
        let _ = receiver.try_recv();
        assert_eq!(sender.capacity(), 1);
        completed
    });
}

#[test]
fn a_single_value_is_not_lost() {
    for_every_k("runtime::Receiver", async |k| {
        let (sender, mut receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let value = drop_after(k, &mut receiver, || {
            let sender: oneshot::Sender<u8> = sender.take().unwrap();
            sender.send(1).unwrap();
        })
        .await;
        if let Some(sender) = sender {
            sender.send(1).unwrap();
        }
        let completed = value.is_some();
        assert_eq!(value.or(receiver.try_recv().ok().map(Ok)), Some(Ok(1)));
        completed
    });
    for_every_k("runtime::Sender::closed", async |k| {
        let (mut sender, mut receiver) = oneshot::channel::<u8>();
        drop_after(k, sender.closed(), || receiver.close()).await.is_some()
    });
}

#[test]
fn what_goes_to_all_is_not_lost() {
    for_every_k("runtime::Receiver::recv", async |k| {
        let (sender, mut receiver) = broadcast::channel(8);
        let mut sent = 0;
        let first = drop_after(k, receiver.recv(), || {
            sender.send(sent).unwrap();
            sent += 1;
        })
        .await;
        let completed = first.is_some();
        let mut received: Vec<u32> = first.into_iter().flatten().collect();
        received.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
        assert_eq!(received, (0..sent).collect::<Vec<_>>());
        completed
    });
    for_every_k("runtime::Receiver::changed", async |k| {
        let (sender, mut receiver) = watch::channel(0);
        let changed = drop_after(k, receiver.changed(), || sender.send_modify(|n| *n += 1)).await;
        assert_eq!(receiver.has_changed(), Ok(false));
        changed.is_some()
    });
    for_every_k("runtime::Receiver::wait_for", async |k| {
        let (sender, mut receiver) = watch::channel(0);
        let wait = async { *receiver.wait_for(|n| *n == 3).await.unwrap() };
        let found = drop_after(k, wait, || sender.send_modify(|n| *n += 1)).await;
        assert_eq!(*sender.borrow() == 3, found.is_some());
        found.is_some()
    });
}

#[test]
fn a_cell_is_filled_or_can_be() {
    for_every_k("runtime::OnceCell::get_or_init", async |k| {
        let cell = OnceCell::new();
        let make = async || {
            yield_now().await;
            1
        };
        let completed = drop_after(k, cell.get_or_init(make), || {}).await.is_some();
        assert_eq!(cell.set(2).is_err(), completed);
        completed
    });
    for_every_k("runtime::OnceCell::get_or_try_init", async |k| {
        let cell = OnceCell::new();
        let make = async || {
            yield_now().await;
            Ok::<_, ()>(1)
        };
        let completed = drop_after(k, cell.get_or_try_init(make), || {}).await.is_some();
        assert_eq!(cell.set(2).is_err(), completed);
        completed
    });
}
