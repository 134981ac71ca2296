//! The races of whoever waits: coming, being called, going away.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Barrier, Condvar, Event, Mutex, Notify, RwLock, Semaphore, channel, oneshot};
use crate::model::{Woken, finish, model, thread};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    finish(|cx| future.as_mut().poll(cx))
}

/// A future that waits, and may be sent.
type Parked<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Lets `future` wait, with a waker that counts.
fn park<T>(future: impl Future<Output = T> + Send + 'static) -> (Parked<T>, Arc<Woken>) {
    let (mut future, woken): (Parked<T>, Arc<Woken>) = (Box::pin(future), Arc::default());
    let waker = Waker::from(woken.clone());
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    (future, woken)
}

fn is_ready<T>(parked: &mut Parked<T>) -> bool {
    parked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn a_mutex_has_one_holder_and_publishes_what_it_did() {
    model(|| {
        let mutex = Arc::new(Mutex::new(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let mutex = mutex.clone();
                thread::spawn(move || *block_on(mutex.lock()) += 1)
            })
            .collect();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*mutex.try_lock().unwrap(), 2);
    });
}

#[test]
fn a_writer_is_alone_and_readers_see_what_it_wrote() {
    model(|| {
        let lock = Arc::new(RwLock::new((0, 0)));
        let writer = {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut value = block_on(lock.write());
                value.0 += 1;
                value.1 += 1;
            })
        };
        let value = block_on(lock.read());
        assert_eq!(value.0, value.1);
        drop(value);
        writer.join().unwrap();
        assert_eq!(*lock.try_read().unwrap(), (1, 1));
    });
}

#[test]
fn a_permit_reaches_the_next_when_the_first_goes_away_meanwhile() {
    model(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let acquire = |semaphore: Arc<Semaphore>| async move {
            semaphore.acquire().await.unwrap().forget();
        };
        let (first, _) = park(acquire(semaphore.clone()));
        let (mut second, woken) = park(acquire(semaphore.clone()));
        let leaves = thread::spawn(move || drop(first));
        semaphore.add_permits(1);
        leaves.join().unwrap();
        assert_eq!(woken.count(), 1);
        assert!(is_ready(&mut second));
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn a_set_event_is_never_missed() {
    model(|| {
        let event = Arc::new(Event::new());
        let other = event.clone();
        let waits = thread::spawn(move || block_on(other.wait()));
        event.set();
        waits.join().unwrap();
    });
}

#[test]
fn a_notification_reaches_the_next_when_the_first_goes_away_meanwhile() {
    model(|| {
        let notify = Arc::new(Notify::new());
        let wait = |notify: Arc<Notify>| async move { notify.notified().await };
        let (first, _) = park(wait(notify.clone()));
        let other = notify.clone();
        let leaves = thread::spawn(move || drop(first));
        let tells = thread::spawn(move || other.notify_one());
        block_on(notify.notified());
        leaves.join().unwrap();
        tells.join().unwrap();
    });
}

#[test]
fn a_condition_is_seen_by_whoever_unlocked_to_wait_for_it() {
    model(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = shared.clone();
        let changes = thread::spawn(move || {
            *block_on(other.0.lock()) = true;
            other.1.notify_one();
        });
        let guard = block_on(async {
            let guard = shared.0.lock().await;
            shared.1.wait_for(guard, |is_true| *is_true).await
        });
        assert!(*guard);
        drop(guard);
        changes.join().unwrap();
    });
}

#[test]
fn the_parties_of_a_barrier_meet() {
    model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let other = barrier.clone();
        let comes = thread::spawn(move || block_on(other.wait()).unwrap());
        let mine = block_on(barrier.wait()).unwrap();
        assert_eq!(mine + comes.join().unwrap(), 1);
    });
}

#[test]
fn what_is_sent_arrives_before_the_end() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let sends = thread::spawn(move || {
            for n in 0..2 {
                block_on(sender.send(n)).unwrap();
            }
        });
        assert_eq!(block_on(receiver.recv()), Some(0));
        assert_eq!(block_on(receiver.recv()), Some(1));
        assert_eq!(block_on(receiver.recv()), None);
        sends.join().unwrap();
    });
}

#[test]
fn an_item_is_not_lost_when_its_receiver_goes_away_meanwhile() {
    model(|| {
        let (sender, mut receiver) = channel(1);
        let mut other = receiver.clone();
        let (first, _) = park(async move { receiver.recv().await });
        let leaves = thread::spawn(move || drop(first));
        let sends = thread::spawn(move || sender.try_send(1).unwrap());
        assert_eq!(block_on(other.recv()), Some(1));
        leaves.join().unwrap();
        sends.join().unwrap();
    });
}

#[test]
fn one_value_arrives_or_comes_back() {
    model(|| {
        let (sender, mut receiver) = oneshot::channel();
        let sends = thread::spawn(move || sender.send(1));
        let polled = Pin::new(&mut receiver).poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_pending() {
            receiver.close();
        }
        let value = match polled {
            Poll::Ready(value) => value.ok(),
            Poll::Pending => receiver.try_recv().ok(),
        };
        match sends.join().unwrap() {
            Ok(()) => assert_eq!(value, Some(1)),
            Err(back) => assert_eq!((back, value), (1, None)),
        }
    });
}
