//! `bench-harness` as its users see it: the program, its flags, its output, its exit status.
//!
//! Every test runs the program itself, found beside the test binary, against servers of its own on
//! free loopback ports.

// `pub` is what a module shows to its neighbours.
#![allow(unreachable_pub)]

/// The program, run by a test.
mod program;
/// Servers that answer well, badly or late.
mod server;

/// The verb `compare`.
mod compare;
/// The verb `doctor`, and the backend that the report names.
mod doctor;
/// What the program says and how it ends when its arguments are bad or its target is away.
mod exit;
/// The six faults.
mod faults;
/// Ctrl-C.
mod interrupt;
/// Open and closed loop, budgets, connections.
mod load;
/// The main job: no arguments at all.
mod main_job;
/// Pipe, terminal, files.
mod output;
/// The JSON report against its schema.
mod schema;
/// The verb `serve`.
mod serve;
/// A stalled server is not hidden.
mod stall;
