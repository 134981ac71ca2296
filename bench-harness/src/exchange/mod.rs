//! One exchange on the wire, without the wire: no module here does any I/O.

/// Where requests go.
pub mod target;
/// What is sent.
pub mod request;
/// What comes back.
pub mod response;
/// A body whose length nobody said beforehand.
mod chunked;
