//! All of it from several threads.

use std::sync::Arc;
use std::thread;

use wakering_runtime::sync::{
    Barrier, Condvar, Event, Mutex, Notify, OwnedMutexGuard, OwnedSemaphorePermit, Receiver,
    RwLock, Semaphore, Sender, channel, oneshot,
};
use wakering_runtime::task::yield_now;

use crate::within_bounds;

#[test]
fn what_is_shared_may_be() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>(_: T) {}
    shared::<(Barrier, Condvar, Event, Mutex<u8>, Notify, RwLock<u8>, Semaphore)>();
    shared::<Mutex<std::cell::Cell<u8>>>();
    shared::<(Sender<u8>, Receiver<u8>, oneshot::Sender<u8>, oneshot::Receiver<u8>)>();
    shared::<(OwnedMutexGuard<u8>, OwnedSemaphorePermit)>();
    let (mutex, semaphore) = (Mutex::new(1), Semaphore::new(1));
    sent((mutex.lock(), semaphore.acquire(), Event::new().set()));
}

#[test]
fn a_mutex_counts_right_on_several_threads() {
    const ROUNDS: u32 = 500;
    let mutex = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let mutex = mutex.clone();
            thread::spawn(move || {
                within_bounds(async {
                    for _ in 0..ROUNDS {
                        let mut guard = mutex.lock().await;
                        let before = *guard;
                        yield_now().await;
                        *guard = before + 1;
                    }
                })
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(Arc::into_inner(mutex).unwrap().into_inner(), 3 * ROUNDS);
}

#[test]
fn items_cross_threads_once_each() {
    const ITEMS: u64 = 1000;
    let (sender, receiver) = channel(3);
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let mut receiver = receiver.clone();
            thread::spawn(move || {
                within_bounds(async {
                    let mut received = Vec::new();
                    while let Some(n) = receiver.recv().await {
                        received.push(n);
                    }
                    received
                })
            })
        })
        .collect();
    drop(receiver);
    let senders: Vec<_> = (0..2)
        .map(|id| {
            let sender = sender.clone();
            thread::spawn(move || {
                within_bounds(async {
                    for n in 0..ITEMS {
                        sender.send(id * ITEMS + n).await.unwrap();
                    }
                })
            })
        })
        .collect();
    drop(sender);
    for thread in senders {
        thread.join().unwrap();
    }
    let mut all = Vec::new();
    for thread in receivers {
        all.extend(thread.join().unwrap());
    }
    all.sort();
    assert_eq!(all, (0..2 * ITEMS).collect::<Vec<_>>());
}
