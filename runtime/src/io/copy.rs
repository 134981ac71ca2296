//! From a reader to a writer until the end, through one buffer.

use std::io;

use wakering_ring_driver::buffer::IoBuf;

use super::{AsyncRead, AsyncWrite};
use crate::task::yield_now;

/// The size of the one buffer: large enough that the cost of an operation does not show.
const CHUNK: usize = 64 * 1024;

/// How many chunks are moved before others get a turn, should neither side ever have to wait.
const CHUNKS_PER_TURN: u32 = 16;

/// Copies from `reader` to `writer` until the reader ends, flushes, and says how many bytes that
/// was.
///
/// It allocates one buffer of 64 KiB, and nothing a round. The writer is not shut down.
///
/// ```
/// use wakering_runtime::io::copy;
///
/// wakering_runtime::run(async {
///     let mut reader: &[u8] = b"from here to there";
///     let mut writer = Vec::new();
///     assert_eq!(copy(&mut reader, &mut writer).await?, 18);
///     assert_eq!(writer, b"from here to there");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
///
/// # Errors
///
/// Those of the reader and the writer; what was read before has been written unless the writer
/// failed.
///
/// # Cancellation
///
/// **Weak**: bytes that were read and not yet written are lost, at most 64 KiB.
pub async fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead + ?Sized,
    W: AsyncWrite + ?Sized,
{
    let mut buf = Vec::with_capacity(CHUNK);
    let mut copied = 0;
    for round in 1u32.. {
        let n;
        (n, buf) = reader.read(buf).await?;
        if n == 0 {
            break;
        }
        let (_, chunk) = writer.write_all(buf.slice(..n)).await?;
        buf = chunk.into_inner();
        copied += n as u64;
        if round % CHUNKS_PER_TURN == 0 {
            yield_now().await;
        }
    }
    writer.flush().await?;
    Ok(copied)
}
