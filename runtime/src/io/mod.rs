//! Streams of bytes: one poll-shaped primitive, and what people like to use on top of it.
//!
//! A byte stream is a [`Source`], a [`Sink`] or both. These own their buffers, so a poll never
//! borrows memory of the caller for longer than the call, and a dropped future leaves nothing
//! behind that could be lost or written to. TCP and Unix streams, pipes, [`duplex`] and TLS
//! implement them, and what is written against poll-shaped traits (hyper, rustls, other runtimes'
//! adapters) sits on them without a box per operation.
//!
//! | trait | you call | who owns the memory |
//! |---|---|---|
//! | [`AsyncRead`], [`AsyncWrite`] | `read(buf)`, `write_all(buf)`, `read_exact(buf)`, … | the operation, while it lasts: `let (n, buf) = s.read(buf).await?` |
//! | [`AsyncBufRead`] | `read_line(&mut line, limit)`, `lines(limit)`, `records(…)`, … | the reader; what you get is a copy or a look |
//! | [`Source`], [`Sink`] | `poll_fill`, `consume`; `queue`, `poll_flush` | the stream |
//!
//! Every `Source` is an `AsyncBufRead`. What can only be read with a buffer of the caller's, a file
//! for example, becomes one in a [`BufReader`].
//!
//! ```
//! use wakering_runtime::io::{AsyncBufRead, AsyncWrite, duplex};
//!
//! wakering_runtime::run(async {
//!     let (mut near, mut far) = duplex(64);
//!     near.write_all("first\nsecond\n").await?;
//!     near.shutdown().await?;
//!
//!     let mut lines = (&mut far).lines(80);
//!     assert_eq!(lines.next_line().await?.as_deref(), Some("first"));
//!     assert_eq!(lines.next_line().await?.as_deref(), Some("second"));
//!     assert_eq!(lines.next_line().await?, None);
//!     Ok::<_, std::io::Error>(())
//! })
//! # .unwrap();
//! ```
//!
//! # Cancellation
//!
//! Each function says what dropping its future loses. **Strict**: nothing; dropping it and calling
//! again is the same as not dropping it. **Weak**: something, which is named there.
//!
//! [`Source`]: crate::io::Source
//! [`Sink`]: crate::io::Sink
//! [`AsyncRead`]: crate::io::AsyncRead
//! [`AsyncWrite`]: crate::io::AsyncWrite
//! [`AsyncBufRead`]: crate::io::AsyncBufRead
//! [`BufReader`]: crate::io::BufReader
//! [`duplex`]: crate::io::duplex()

/// What leads to a stream is one.
mod through;
/// The primitive of everything that can be read.
mod source;
/// The primitive of everything that can be written.
mod sink;
/// Reading into buffers of the caller.
mod read;
/// Writing from buffers of the caller.
mod write;
/// Looking into the reader's buffer: lines, records.
mod buf_read;
/// Where a record ends, whatever the chunks it comes in.
mod cut;
/// Records and lines, one after the other.
mod records;
/// A buffer in front of a reader.
mod buf_reader;
/// A buffer in front of a writer.
mod buf_writer;
/// From a reader to a writer until the end.
mod copy;
/// One stream as two halves.
mod split;
/// A stream in memory.
mod duplex;
/// A stream through the kernel, within the process or to another.
mod pipe;
/// What the process was started with.
mod stdio;
/// A reader that has ended.
mod empty;
/// A writer that keeps nothing.
mod discard;
/// A reader that never ends.
mod repeat;
/// A reader that ends early.
mod take;
/// Two readers as one.
mod chain;

pub use buf_read::AsyncBufRead;
pub use buf_reader::BufReader;
pub use buf_writer::BufWriter;
pub use chain::Chain;
pub use copy::copy;
pub use discard::{Discard, sink};
pub use duplex::{DuplexStream, duplex};
pub use empty::{Empty, empty};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use read::AsyncRead;
pub use records::{Lines, Records};
pub use repeat::{Repeat, repeat};
pub use sink::{Sink, write_to};
pub use source::{Source, read_from};
pub use split::{ReadHalf, ReuniteError, WriteHalf, split};
pub use stdio::{stderr, stdin, stdout};
pub use take::Take;
pub use wakering_ring_driver::PooledBuf;
pub use wakering_ring_driver::buffer::{BufError, BufResult, IoBuf, IoBufMut, Slice};
pub use write::AsyncWrite;
