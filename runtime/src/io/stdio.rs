//! The standard streams of this process.
//!
//! They are shared with whoever started it: the shell reads the same terminal, and `a | b` and its
//! neighbours hold the same pipes. So they are used in the mode in which they are, which is never
//! changed, and closing one of these streams closes a duplicate of the descriptor.

use std::io;
use std::os::fd::AsFd;

use wakering_ring_driver::{Driver, Fd, Sharing};

use super::{PipeReader, PipeWriter};

/// Standard input as a stream: a terminal, a pipe, a file or a socket.
///
/// Make one and keep it: what it has read ahead goes with it, as with [`std::io::stdin`]'s buffer,
/// which is another one.
///
/// ```no_run
/// use wakering_runtime::io::{AsyncBufRead, stdin};
///
/// wakering_runtime::run(async {
///     let mut lines = stdin()?.lines(4096);
///     while let Some(line) = lines.next_line().await? {
///         println!("{}", line.to_uppercase());
///     }
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// Outside of a runtime; where standard input is closed; at the limit of descriptors.
///
/// # Kernel
/// Before 5.19 reading on a ring is `WouldBlock` where nothing is there and somebody else has set
/// standard input not to wait.
pub fn stdin() -> io::Result<PipeReader> {
    Ok(PipeReader::from_fd(share(io::stdin())?))
}

/// Standard output as a stream. What [`print!`] has not yet written is in another buffer: flush
/// that before the first byte that shall come after it.
///
/// ```
/// use wakering_runtime::io::{AsyncWrite, stdout};
///
/// wakering_runtime::run(async {
///     stdout()?.write_all("hello\n").await?;
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// Outside of a runtime; where standard output is closed; at the limit of descriptors.
pub fn stdout() -> io::Result<PipeWriter> {
    Ok(PipeWriter::from_fd(share(io::stdout())?))
}

/// Standard error as a stream.
///
/// ```
/// use wakering_runtime::io::{AsyncWrite, stderr};
///
/// wakering_runtime::run(async {
///     stderr()?.write_all("something is wrong\n").await?;
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
/// Outside of a runtime; where standard error is closed; at the limit of descriptors.
pub fn stderr() -> io::Result<PipeWriter> {
    Ok(PipeWriter::from_fd(share(io::stderr())?))
}

fn share(stream: impl AsFd) -> io::Result<Fd> {
    let driver = Driver::current()?;
    Fd::adopt(&driver, stream.as_fd().try_clone_to_owned()?, Sharing::Shared)
}
