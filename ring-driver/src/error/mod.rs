//! What goes wrong, and what mends it.
//!
//! Three questions, three types. [`SetupError`]: why is there no ring or no driver? It looks at the
//! machine and tells a container profile from a sysctl from a limit. [`Failure`]: which operation
//! failed on what? It travels inside an `io::Error`.
//! [`RuntimeError`]: may this thread, at this time, use that object at all? It travels there too.

mod evidence;
mod failure;
mod runtime;
mod setup;

pub(crate) use evidence::Evidence;
pub use failure::Failure;
pub use runtime::RuntimeError;
pub use setup::{SetupCause, SetupError};
