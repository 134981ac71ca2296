//! Integration tests: hyper on our streams, seen from the client's side.

mod connection;
mod server;
