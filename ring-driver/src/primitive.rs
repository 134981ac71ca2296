//! std's synchronisation, or loom's.
//!
//! Whatever is shared between threads and small enough to be searched for all its interleavings
//! takes its primitives from here; under `--cfg loom` they are the model checker's. `Arc` stays
//! std's in both worlds: loom's cannot hold a trait object, and what is looked for here is the
//! order of messages, not the count of references.

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
