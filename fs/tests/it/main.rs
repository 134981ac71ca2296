//! Files and directories on the real kernel, one module a behaviour.
//!
//! Every test has a directory of its own. What counts or changes something of the whole process
//! runs in a child.

/// What is left of a dropped future: nothing that hurts.
mod cancel;
/// Copies, where they are not as easy as that.
mod copy;
/// Directories and names.
mod dir;
/// What goes wrong, and what is said about it.
mod errors;
/// An open file: at offsets and from a cursor.
mod file;
/// Options, against std's.
mod open;
/// A kernel that does less than it was asked for.
mod short;
/// Pipes.
mod stream;
/// Whole files, also those that change under the reader.
mod whole;

use std::future::{Future, poll_fn};
use std::io;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tempfile::TempDir;
use wakering_fs::metadata;
use wakering_ring_driver::Failure;
use wakering_runtime::testing::patience;
use wakering_runtime::time::timeout;

fn temp_dir() -> TempDir {
    tempfile::tempdir().expect("a directory for temporary files")
}

/// Runs `body`, which must end in time.
#[track_caller]
fn run<T>(body: impl Future<Output = T>) -> T {
    wakering_runtime::run(timeout(patience(Duration::from_secs(30)), body)).expect("in time")
}

/// Polls `future` at most `polls` times and drops it then, with whatever it has in flight. The
/// output, if it was ready before.
async fn polled<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// As [`polled`], while somebody else asks for something in the same turns: what is alone in a turn
/// may be answered on the spot.
async fn polled_beside_others<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let both = poll_fn(|cx| {
        let _ = pin!(metadata(".")).poll(cx);
        future.as_mut().poll(cx)
    });
    polled(polls, both).await
}

/// What an error says, to be compared: kind, errno, operation, object.
fn said(error: &io::Error) -> (io::ErrorKind, Option<i32>, &'static str, String) {
    let failure = Failure::of(error).expect("the error names operation and object");
    (error.kind(), failure.errno(), failure.operation(), failure.object().to_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
