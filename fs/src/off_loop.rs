//! System calls that have no operation, on a thread of the pool.
//!
//! What runs there owns all that it uses. Once begun it runs to its end whether or not anybody
//! waits for it, and the task is over only after that, as with an operation that waits for a disk.

use std::io;

use wakering_runtime::blocking::unblock;

/// Runs `call` on the pool. If nobody waits any more, it runs all the same once it has begun.
pub(crate) async fn off_loop<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    unblock(call).await
}
