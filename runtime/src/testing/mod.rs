//! Helpers for tests of this crate and of those above it: the driver's own, and checkers that every
//! implementation of something has to pass. Behind the feature `testing`.

/// What every byte stream keeps.
mod stream;

pub use stream::check_stream;
pub use wakering_ring_driver::testing::*;
