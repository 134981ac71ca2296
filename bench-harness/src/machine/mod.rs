//! The machine the measurement runs on: what it is, which part each side gets, what each side used.

/// Which processors the two sides run on.
pub mod affinity;
/// Kernel, processor and limits.
pub mod host;
/// Processor time and memory of a process.
pub mod usage;
