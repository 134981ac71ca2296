//! hyper on our streams, seen from the client's side.
//!
//! Every test has a limit in time, because what goes wrong with a connection is that somebody waits
//! for ever.

mod connection;
mod io;
mod server;
