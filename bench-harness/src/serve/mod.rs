//! `bench-harness serve`: an httpbin on the runtime.
//!
//! It answers as httpbin 0.10.4 does behind gunicorn, byte for byte where the answer is JSON, so
//! that clients and load generators can be tried against known behaviour. Pages for people are in
//! words of our own, and where httpbin fails with status 500 on bad input, this server answers 400
//! with a sentence; `cargo xtask httpbin-oracle` compares the two. Handlers are plain functions
//! from a [`call::Call`] to a [`reply::Reply`]. The way of a request: [`service`] reads its body,
//! [`router`] finds the handler, the handler decides, [`service`] waits if that was decided, hyper
//! writes.

/// Bodies, whole or streamed.
mod body;
/// A request as handlers see it.
mod call;
/// The server's life: address, signals, end.
mod lifetime;
/// What handlers answer.
mod reply;
/// The list of endpoints.
mod router;
/// What all endpoints have in common.
mod service;

/// `/basic-auth` and `/bearer`.
mod auth;
/// `/base64`.
mod base64;
/// Conditional requests.
mod cache;
/// `/gzip` and `/deflate`.
mod compressed;
/// Cookies.
mod cookies;
/// `/delay`.
mod delay;
/// `/drip`.
mod drip;
/// Endpoints that show the request.
mod echo;
/// Servers that fail.
mod faults;
/// Random bytes.
mod octets;
/// Endpoints for benchmarks.
mod own;
/// Documents that never change.
mod pages;
/// `/range`.
mod range;
/// `/redirect` and its steps.
mod redirect;
/// `/response-headers`.
mod response_headers;
/// `/status`.
mod status;
/// `/stream`.
mod stream;

/// The body of a request, taken apart.
mod form;
/// JSON as Python prints it.
mod json;
/// Multipart bodies.
mod multipart;
/// Numbers as Python reads them.
mod number;
/// Names with values.
mod pairs;
/// Percent-encoding.
mod percent;
/// Random numbers.
mod random;

#[cfg(test)]
mod tests;

pub use lifetime::{Args, main};
