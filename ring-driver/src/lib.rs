//! The kernel side of wakering: operations, and how each travels to the kernel and back.
//!
//! An operation ([`op`]) owns all it lends. On its first poll it moves into an in-flight slot, a
//! backend hands its request to the kernel, [`Driver::turn`] reaps the completion and wakes whoever
//! waits, and the next poll takes operation and outcome out of the slot. *From submission to the
//! final completion the kernel owns what the operation keeps; dropping the future drops only the
//! interest.*
//!
//! The backend is an io_uring or, where this machine gives none, epoll with plain system calls and
//! a thread pool. Operations, their outcomes and what dropping them loses are the same on both.
//!
//! This crate knows [`Waker`](core::task::Waker) as "someone to tell" and nothing of tasks, streams
//! or files. Programs use the crate `wakering`; what is here is for those who build on single
//! operations.
//!
//! ```
//! use std::task::{Context, Poll, Waker};
//! use wakering_ring_driver::{Config, Driver, Wait, op};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let driver = Driver::new(&Config::default())?;
//! let _entered = driver.enter();
//! let mut nop = op::nop();
//! let mut cx = Context::from_waker(Waker::noop());
//! let outcome = loop {
//!     match std::pin::Pin::new(&mut nop).poll(&mut cx) {
//!         Poll::Ready(outcome) => break outcome,
//!         Poll::Pending => driver.turn(Wait::Until(None)),
//!     }
//! };
//! assert!(outcome.is_ok());
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(target_os = "linux"))]
compile_error!("wakering waits on io_uring or epoll and runs on Linux only");

// In the order in which an operation travels; then what it needs on its way, what there is beside
// operations, what a driver is made from and tells of itself, and helpers.

/// 1. What we ask: one file an operation, and the future around it.
pub mod op;
/// 2. What may be lent to the kernel, and the buffers it may pick itself.
pub mod buffer;
/// 3. Descriptors: adopted, shared by their sides, closed when nothing names them any more.
pub mod fd;
/// 4. The question in a form that every backend understands.
mod request;
/// 5. Slots that the kernel owns until the final completion.
mod in_flight;
/// 6. Puts the parts together: submits, waits, reaps, wakes.
mod driver;
/// 7. Who carries requests out: the kernel's ring, epoll with plain system calls, or a test.
mod backend;
/// 8. The answer.
mod completion;

/// The same requests as plain system calls.
mod call;
/// The one thread pool of the process.
pub mod pool;
/// What other threads may do: leave a message and wake the loop.
mod remote;
/// Who pays for an operation: how many each account has in flight, and how many nobody waits for.
mod account;

/// Socket options by their own names.
pub mod option;
/// Socket addresses and paths in the form the kernel reads.
mod address;
/// Children: a descriptor for each, and what std cannot tell them.
pub mod process;
/// Signals of the system, as completions of those who listen.
pub mod signal;
/// The clock.
mod time;
/// Which processors a thread runs on.
pub mod affinity;

/// What a driver is made from.
mod config;
/// What this kernel can do, asked once.
mod capabilities;
/// Why there is no ring or no driver, which operation failed on what, and what mends it.
mod error;
/// The picture of this machine for people.
mod doctor;
/// What was used and how often.
mod counters;

/// std's synchronisation, or loom's.
mod primitive;
/// Whether this is still the process that something was made in.
mod fork;
/// Helpers for tests here and in the crates above.
#[cfg(feature = "testing")]
pub mod testing;

pub use account::{AccountId, Orphans, Recall};
pub use address::SocketAddress;
pub use buffer::{
    AlignedBuf, BufError, BufPool, BufResult, IoBuf, IoBufMut, PoolStats, PooledBuf, Slice,
};
pub use capabilities::{Capabilities, Mask, MaskError};
pub use config::{Backend, Config, is_debugging};
pub use counters::Counters;
pub use doctor::{Doctor, doctor};
pub use driver::{Debt, Drained, Driver, Entered, Flight, Wait};
pub use error::{Failure, RuntimeError, SetupCause, SetupError};
pub use fd::{Fd, Leftovers, Sharing, WeakFd};
pub use op::Op;
pub use remote::{Deliver, Message, Remote};
pub use time::Instant;
