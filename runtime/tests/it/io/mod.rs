//! Streams: what all of them keep, lines and records, buffers against a model, and small ones.

mod buffered;
mod duplex;
mod lines;
mod parts;
mod pipe;
mod stdio;

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use wakering_runtime::io::{AsyncRead, BufResult, IoBufMut, Source, read_from};

/// A source that shows its chunks one by one, and lets its reader wait once in front of each.
struct Chunks {
    chunks: VecDeque<Vec<u8>>,
    waited: bool,
}

fn chunks(chunks: &[&[u8]]) -> Chunks {
    Chunks { chunks: chunks.iter().map(|chunk| chunk.to_vec()).collect(), waited: false }
}

impl Source for Chunks {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        if !self.waited {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.chunks.front().map_or(&[], Vec::as_slice)))
    }

    fn consume(&mut self, n: usize) {
        let Some(chunk) = self.chunks.front_mut() else { return assert_eq!(n, 0) };
        chunk.drain(..n);
        if chunk.is_empty() {
            self.chunks.pop_front();
            self.waited = false;
        }
    }
}

impl AsyncRead for Chunks {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        read_from(self, buf).await
    }
}
