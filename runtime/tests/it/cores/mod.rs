//! Several cores: what is made over there runs there, and what ends it here has ended it there.

mod tasks;
mod children;
mod start;
mod end;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::time::Instant;
use wakering_runtime::{Builder, Runtime};

use crate::{MS, OnDrop, bounded};

/// Three cores, whatever the machine has.
fn crowd() -> Runtime {
    Builder::new().crowded(3).build().expect("three rings can be had")
}

/// Runs a test on three cores, within half a minute.
fn on_cores<F: Future>(future: F) -> F::Output {
    let runtime = crowd();
    let output = runtime.block_on(bounded(Box::pin(future)));
    let report = runtime.close();
    assert!(report.is_clean(), "{report}");
    output
}

/// Counts, on whatever thread.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A value whose drop counts.
    fn guard(&self) -> OnDrop<impl FnOnce() + Send + use<>> {
        let count = self.clone();
        OnDrop(Some(move || {
            count.0.fetch_add(1, Ordering::SeqCst);
        }))
    }
}

/// Receives from a socket on which nothing comes: an operation that only the kernel can end.
async fn receive_nothing() -> Result<(), &'static str> {
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let driver = Driver::current().unwrap();
    let fd = Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap();
    let _ = op::recv(&fd, vec![0; 8]).await;
    Ok(())
}

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// What has been joined is listed for a moment longer.
#[track_caller]
fn assert_threads(expected: usize) {
    let end = Instant::now() + patience(Duration::from_secs(1));
    while threads() != expected && Instant::now() < end {
        thread::sleep(MS);
    }
    assert_eq!(threads(), expected, "all threads are joined");
}
