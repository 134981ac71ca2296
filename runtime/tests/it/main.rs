//! The runtime from outside: one module a behaviour.

mod io;
