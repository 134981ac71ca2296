//! A writer that keeps nothing, for where one is needed and nobody wants the bytes.
//!
//! The function has std's name; the type has not, because here [`Sink`] is the trait.

use std::io;
use std::task::{Context, Poll};

use wakering_ring_driver::buffer::{BufResult, IoBuf};

use super::{AsyncWrite, Sink};

/// Makes a writer that takes everything and keeps nothing.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, copy, repeat, sink};
///
/// wakering_runtime::run(async {
///     let mut body = repeat(0).take(1 << 20);
///     assert_eq!(copy(&mut body, &mut sink()).await?, 1 << 20);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn sink() -> Discard {
    Discard(())
}

/// A writer that keeps nothing, made by [`sink`].
///
/// ```
/// use wakering_runtime::io::{Discard, sink};
///
/// /// A logger that may be switched off.
/// struct Logger(Option<Discard>);
///
/// assert!(Logger(Some(sink())).0.is_some());
/// ```
#[derive(Debug)]
pub struct Discard(());

impl Sink for Discard {
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn queue(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Discard {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        Ok((buf.len(), buf))
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}
