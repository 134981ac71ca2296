//! A way to end all threads early, from a thread that runs no runtime.

use std::future::poll_fn;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Poll, Waker};

/// Asked for once, seen by everybody.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Stop {
    /// Wakes everybody who waits, now and later.
    pub fn ask(&self) {
        self.asked.store(true, SeqCst);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(|e| e.into_inner()));
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        poll_fn(|cx| {
            // Under the lock, so that an `ask` in between finds either the flag read or the waker.
            let mut waiting = self.waiting.lock().unwrap_or_else(|e| e.into_inner());
            if self.asked.load(SeqCst) {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
