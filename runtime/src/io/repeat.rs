//! A reader that never ends, for bodies of a given size and for tests.

use std::fmt;
use std::io;
use std::task::{Context, Poll};

use wakering_ring_driver::buffer::{BufResult, IoBufMut};

use super::{AsyncRead, Source, read_from};

/// How many bytes are shown at a time.
const SHOWN: usize = 8 * 1024;

/// Makes a reader that gives `byte` for ever. It never waits, so put a [`take`](AsyncRead::take)
/// around it.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, repeat};
///
/// wakering_runtime::run(async {
///     let (_, text) = repeat(b'z').take(3).read_to_string(String::new()).await?;
///     assert_eq!(text, "zzz");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn repeat(byte: u8) -> Repeat {
    Repeat { bytes: vec![byte; SHOWN].into() }
}

/// A reader that never ends, made by [`repeat`].
///
/// ```
/// use wakering_runtime::io::{AsyncRead, Repeat, repeat};
///
/// wakering_runtime::run(async {
///     let mut zeros: Repeat = repeat(0);
///     assert_eq!(zeros.read_exact(vec![1; 20_000]).await?.1, vec![0; 20_000]);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub struct Repeat {
    bytes: Box<[u8]>,
}

impl Source for Repeat {
    fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(&self.bytes))
    }

    fn consume(&mut self, n: usize) {
        assert!(n <= SHOWN, "consumed more than was shown");
    }
}

impl AsyncRead for Repeat {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        read_from(self, buf).await
    }
}

impl fmt::Debug for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeat").field("byte", &self.bytes[0]).finish()
    }
}
