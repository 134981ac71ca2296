//! The runtime from outside: one module a behaviour.

mod alloc;

mod blocking;
mod callbacks;
mod cancel;
mod debug;
mod dump;
mod cancel_token;
mod cancel_on;
mod eager;
mod fairness;
mod group_limit;
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
mod spawn;
mod sync;
mod stream;
mod task_local;
mod time;
mod together;

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use wakering_ring_driver::testing::patience;
use wakering_runtime::Runtime;
use wakering_runtime::time::timeout;

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

/// The message of a panic.
#[track_caller]
fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast::<&str>().expect("a panic with a message").to_string(),
    }
}
