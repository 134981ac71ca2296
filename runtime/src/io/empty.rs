//! A reader that has ended, for where one is needed and there is nothing to read.

use std::io;
use std::task::{Context, Poll};

use wakering_ring_driver::buffer::{BufResult, IoBufMut};

use super::{AsyncRead, Source, read_from};

/// Makes a reader that is at its end.
///
/// ```
/// use wakering_runtime::io::{AsyncRead, empty};
///
/// wakering_runtime::run(async {
///     assert_eq!(empty().read(vec![0; 8]).await?.0, 0);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub fn empty() -> Empty {
    Empty(())
}

/// A reader that is at its end, made by [`empty`].
///
/// ```
/// use wakering_runtime::io::{AsyncBufRead, Empty, empty};
///
/// wakering_runtime::run(async {
///     let mut nothing: Empty = empty();
///     assert_eq!(nothing.fill_buf().await?, b"");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Empty(());

impl Source for Empty {
    fn poll_fill(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(&[]))
    }

    fn consume(&mut self, n: usize) {
        assert_eq!(n, 0, "consumed more than was shown");
    }
}

impl AsyncRead for Empty {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        read_from(self, buf).await
    }
}
