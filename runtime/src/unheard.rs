//! Panics that are not worth telling.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls what may panic where nobody is to hear of it. With what it panics is not dropped: that is
/// foreign code, and may panic again.
pub(crate) fn unheard(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        mem::forget(payload);
    }
}
