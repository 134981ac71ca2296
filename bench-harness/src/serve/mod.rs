//! `bench-harness serve`: an httpbin on the runtime.
//!
//! It answers as httpbin 0.10.4 does behind gunicorn, byte for byte where the answer is JSON, so
//! that clients and load generators can be tried against known behaviour. Pages for people are in
//! words of our own, and where httpbin fails with status 500 on bad input, this server answers 400
//! with a sentence; `cargo xtask httpbin-oracle` compares the two. Handlers are plain functions
//! from a `call::Call` to a `reply::Reply`. The way of a request: `service` reads its body,
//! `router` finds the handler, the handler decides, `service` waits if that was decided, hyper
//! writes.

/// The server's life: address, signals, end.
mod lifetime;
/// What all endpoints have in common.
mod service;
/// The list of endpoints.
mod router;
/// A request as handlers see it.
mod call;
/// What handlers answer.
mod reply;
/// Bodies, whole or streamed.
mod body;

/// Endpoints that show the request.
mod echo;
/// `/status`.
mod status;
/// `/redirect` and its steps.
mod redirect;
/// `/delay`.
mod delay;
/// `/drip`.
mod drip;
/// `/stream`.
mod stream;
/// Random bytes.
mod octets;
/// `/range`.
mod range;
/// `/base64`.
mod base64;
/// Cookies.
mod cookies;
/// `/basic-auth` and `/bearer`.
mod auth;
/// Conditional requests.
mod cache;
/// `/response-headers`.
mod response_headers;
/// `/gzip` and `/deflate`.
mod compressed;
/// Documents that never change.
mod pages;
/// Endpoints for benchmarks.
mod own;
/// Servers that fail.
mod faults;

/// JSON as Python prints it.
mod json;
/// Names with values.
mod pairs;
/// Percent-encoding.
mod percent;
/// The body of a request, taken apart.
mod form;
/// Multipart bodies.
mod multipart;
/// Numbers as Python reads them.
mod number;
/// Random numbers.
mod random;

#[cfg(test)]
mod tests;

pub use lifetime::{Args, main};
