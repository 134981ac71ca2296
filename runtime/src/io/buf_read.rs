//! Looking into the reader's own buffer, and the records and lines that this makes possible.
//!
//! What has come of a record stays with somebody who outlives the future: the caller's vector in
//! [`read_until`](AsyncBufRead::read_until) and [`read_line`](AsyncBufRead::read_line), the
//! iterator in [`records`](AsyncBufRead::records) and [`lines`](AsyncBufRead::lines). So all of
//! these are *Strict*. It is also why `read_line` gives bytes: half a character cannot be kept in a
//! `String`. `lines` gives Strings.

use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, Waker};

use super::cut::{self, Progress};
use super::{Lines, Records, Source};

/// Reads through a buffer that the reader owns.
///
/// Every [`Source`] is one, and so is a [`BufReader`](super::BufReader) of anything.
///
/// ```
/// use wakering_runtime::io::AsyncBufRead;
///
/// wakering_runtime::run(async {
///     let mut reader: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
///     let mut line = Vec::new();
///     while reader.read_until(b"\r\n", &mut line, 8000).await? > 2 {
///         assert_eq!(line, b"GET / HTTP/1.0\r\n");
///         line.clear();
///     }
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
pub trait AsyncBufRead {
    /// Gives a look at the bytes that have arrived; waits only if there are none. Empty means that
    /// the stream has ended.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"abc";
    ///     assert_eq!(reader.fill_buf().await?, b"abc");
    ///     AsyncBufRead::consume(&mut reader, 2);
    ///     assert_eq!(reader.fill_buf().await?, b"c");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with.
    ///
    /// # Cancellation
    ///
    /// **Strict**.
    fn fill_buf(&mut self) -> impl Future<Output = io::Result<&[u8]>>;

    /// Says that the first `n` of the bytes shown have been dealt with.
    ///
    /// # Panics
    ///
    /// May panic if `n` is more than what the last [`fill_buf`](AsyncBufRead::fill_buf) showed.
    fn consume(&mut self, n: usize);

    /// Reads up to and including the next `separator` and appends it all to `record`; says how many
    /// bytes that was.
    ///
    /// `record` is the record so far: empty for a new one, or what an earlier call, dropped before
    /// it was done, has left in it. `limit` is how many bytes it may hold in front of the
    /// separator. The stream may end without a separator: `record` then does not end with one, and
    /// `Ok(0)` says that nothing has come since.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"a--b-c--d";
    ///     let mut record = Vec::new();
    ///     assert_eq!(reader.read_until(b"--", &mut record, 100).await?, 3);
    ///     assert_eq!(record, b"a--");
    ///     record.clear();
    ///     assert_eq!(reader.read_until(b"--", &mut record, 100).await?, 5);
    ///     assert_eq!(record, b"b-c--");
    ///     record.clear();
    ///     assert_eq!(reader.read_until(b"--", &mut record, 100).await?, 1);
    ///     assert_eq!(record, b"d");
    ///     assert_eq!(reader.read_until(b"--", &mut record, 100).await?, 0);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with. `InvalidInput` if `separator` is empty. `InvalidData` if the
    /// record is longer than `limit`: `record` then holds its beginning, and the rest is still to
    /// be read. [`records`](AsyncBufRead::records) passes over that rest by itself.
    ///
    /// # Cancellation
    ///
    /// **Strict**: what has come stays in `record`; pass it to the next call.
    fn read_until(
        &mut self,
        separator: &[u8],
        record: &mut Vec<u8>,
        limit: usize,
    ) -> impl Future<Output = io::Result<usize>> {
        async move {
            cut::check(separator)?;
            let before = record.len();
            loop {
                let chunk = self.fill_buf().await?;
                if chunk.is_empty() {
                    return Ok(record.len() - before);
                }
                let (used, progress) = cut::extend(record, chunk, separator, limit);
                self.consume(used);
                match progress {
                    Progress::Partial => {}
                    Progress::Complete => return Ok(record.len() - before),
                    Progress::TooLong => return Err(cut::too_long(limit)),
                }
            }
        }
    }

    /// Reads up to and including the next `\n`: [`read_until`](AsyncBufRead::read_until) with that
    /// separator.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut reader: &[u8] = b"1234567\n12345678\n";
    ///     let mut line = Vec::new();
    ///     assert_eq!(reader.read_line(&mut line, 7).await?, 8);
    ///     assert_eq!(line, b"1234567\n");
    ///
    ///     line.clear();
    ///     let error = reader.read_line(&mut line, 7).await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::InvalidData);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read_until`](AsyncBufRead::read_until); [`lines`](AsyncBufRead::lines) passes over
    /// the rest of a line that is too long.
    ///
    /// # Cancellation
    ///
    /// **Strict**: what has come stays in `line`; pass it to the next call.
    fn read_line(
        &mut self,
        line: &mut Vec<u8>,
        limit: usize,
    ) -> impl Future<Output = io::Result<usize>> {
        self.read_until(b"\n", line, limit)
    }

    /// The records between separators, one after the other, without the separators; none longer
    /// than `limit` bytes.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"a\0\0b";
    ///     let mut fields = reader.records(b"\0", 100);
    ///     assert_eq!(fields.next_record().await?, Some(b"a".to_vec()));
    ///     assert_eq!(fields.next_record().await?, Some(b"".to_vec()));
    ///     assert_eq!(fields.next_record().await?, Some(b"b".to_vec()));
    ///     assert_eq!(fields.next_record().await?, None);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    fn records(self, separator: &[u8], limit: usize) -> Records<Self>
    where
        Self: Sized,
    {
        Records::new(self, separator, limit)
    }

    /// The lines, one after the other, without `\n` or `\r\n`; none longer than `limit` bytes.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"one\r\ntwo";
    ///     let mut lines = reader.lines(100);
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
    ///     assert_eq!(lines.next_line().await?, None);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    fn lines(self, limit: usize) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines::new(self, limit)
    }
}

impl<S: Source> AsyncBufRead for S {
    async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        poll_fn(|cx| self.poll_fill(cx).map_ok(|_| ())).await?;
        // The borrow checker does not let the loop above give out the bytes themselves, so they are
        // asked for again.
        match self.poll_fill(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(shown) => shown,
            Poll::Pending => {
                panic!("a Source shows again what it has shown until that is consumed")
            }
        }
    }

    fn consume(&mut self, n: usize) {
        Source::consume(self, n);
    }
}
