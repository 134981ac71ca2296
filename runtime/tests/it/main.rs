//! The runtime from outside: one module a behaviour.

mod alloc;

mod blocking;
mod callbacks;
mod cancel;
mod debug;
mod dump;
mod cancel_token;
mod cancel_on;
mod cleanup;
mod cores;
mod deadline;
mod eager;
mod fairness;
mod group;
mod handle;
mod io;
mod metrics;
mod join;
mod panic;
mod process;
mod paused;
mod run;
mod select;
mod signal;
mod scope;
mod shield;
mod spawn;
mod sync;
mod stream;
mod task_local;
mod time;
mod together;

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use futures_util::poll;
use wakering_ring_driver::testing::{Memory, patience};
use wakering_ring_driver::{Driver, Fd, op};
use wakering_runtime::task::yield_now;
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{Builder, Runtime};

const MS: Duration = Duration::from_millis(1);

/// Runs a test that is over in well under half a minute, or fails.
fn within_bounds<F: Future>(future: F) -> F::Output {
    // Boxed, since without optimisation each layer around a large future copies it on the stack.
    wakering_runtime::run(bounded(Box::pin(future)))
}

/// Fails if `future` takes half a minute.
async fn bounded<F: Future>(future: F) -> F::Output {
    let bound = patience(Duration::from_secs(30));
    timeout(bound, future).await.unwrap_or_else(|_| panic!("not ready after {bound:?}"))
}

fn runtime() -> Runtime {
    Runtime::new().expect("this machine offers a ring")
}

/// A runtime whose kernel is the test.
fn played() -> (Runtime, Memory, Fd) {
    let (driver, memory) = Driver::memory().unwrap();
    let fd = memory.descriptor(&driver);
    (Builder::new().build_on(driver), memory, fd)
}

/// The same, with a kernel that ends no operation because it is asked to.
fn stubborn() -> (Runtime, Memory, Fd) {
    let (runtime, memory, fd) = played();
    memory.set_cancel_wins(false);
    (runtime, memory, fd)
}

/// Tells how many of its guards were dropped.
#[derive(Clone, Default)]
struct Witness(Rc<Cell<usize>>);

impl Witness {
    /// A value that is to be dropped.
    fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    fn drops(&self) -> usize {
        self.0.get()
    }
}

struct Guard(Witness);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.update(|drops| drops + 1);
    }
}

/// Waits for ever, and keeps what it was given until it is dropped.
async fn parked<T>(_kept: impl Sized) -> T {
    pending().await
}

/// Counts its turns for ever, and keeps what it was given until it is dropped.
async fn counting<E>(turns: impl Deref<Target = Cell<u32>>, _kept: impl Sized) -> Result<(), E> {
    loop {
        turns.update(|turns| turns + 1);
        yield_now().await;
    }
}

/// Is ready with `value` after `delay`.
async fn after<T>(delay: Duration, value: T) -> T {
    sleep(delay).await;
    value
}

/// Calls when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

/// The message of a panic.
#[track_caller]
fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().expect("a panic with a message").to_string(),
    }
}

/// Receives into a buffer of its own, on a descriptor of its own, for ever.
async fn receive(kernel: &Memory) {
    let fd = kernel.descriptor(&Driver::current().unwrap());
    let _ = op::recv(&fd, vec![0; 8]).await;
}

/// As [`bounded`], against a kernel that the test plays: what takes too long gets everything back, so
/// that it can end and tell what was wrong.
async fn against<F: Future>(kernel: &Memory, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut over = sleep(patience(Duration::from_secs(5)));
    let mut is_over = false;
    poll_fn(|cx| {
        if !is_over && Pin::new(&mut over).poll(cx).is_ready() {
            eprintln!("this took too long: the kernel gives everything back");
            is_over = true;
        }
        if is_over {
            give_back(kernel);
            cx.waker().wake_by_ref();
        }
        future.as_mut().poll(cx)
    })
    .await
}

/// Fails if `future` is over although the kernel has something of it.
async fn assert_waits(future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..8 {
        assert!(poll!(future.as_mut()).is_pending(), "the kernel has the buffer");
        sleep(MS).await;
    }
    assert!(poll!(future.as_mut()).is_pending(), "the kernel has the buffer");
}

/// Lets the kernel give back all that it has.
fn give_back(kernel: &Memory) {
    while let Some(request) = kernel.next_request() {
        request.receive(b"late");
    }
}
