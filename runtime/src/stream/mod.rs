//! Values that come one after the other.
//!
//! [`Stream`](crate::stream::Stream) is the trait that everybody uses. Its helpers (`next`, `map`,
//! `buffered` and many more) are those of the crate `futures-util`, in `StreamExt`;
//! [`generate`](crate::stream::generate) makes a stream of code that awaits.

/// Code that awaits and gives values, as a stream.
mod generate;

pub use futures_core::Stream;
pub use generate::{Yielder, generate};
