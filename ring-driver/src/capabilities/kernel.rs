//! Versions of Linux, as bounds of what a kernel can have.
//!
//! They serve to pretend to be an older kernel, and to document. What a ring can do is asked of the
//! ring.

use std::fmt;

/// A version by its two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kernel(pub(super) u8, pub(super) u8);

impl Kernel {
    /// Before everything.
    pub(super) const NONE: Kernel = Kernel(0, 0);
    /// The class T0: 5.10.162 took over the io_uring of 5.15 without the operations that came with
    /// it, which makes it that of 5.14.
    pub(super) const T0: Kernel = Kernel(5, 14);
    /// The class T1.
    pub(super) const T1: Kernel = Kernel(6, 0);
    /// After everything.
    pub(super) const ANY: Kernel = Kernel(u8::MAX, u8::MAX);

    /// Whether what this one brought is in `last`.
    pub(super) const fn is_in(self, last: Kernel) -> bool {
        self.0 < last.0 || self.0 == last.0 && self.1 <= last.1
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}
