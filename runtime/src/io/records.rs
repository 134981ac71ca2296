//! Records and lines, one after the other.
//!
//! The iterators own the record that is being read and the knowledge that one was too long, so
//! dropping a future of theirs loses nothing, and a record over the limit is one error, not the
//! end: the next call passes over its rest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::cut::Cutter;
use super::{AsyncBufRead, Source};

/// The records of a stream, made by [`AsyncBufRead::records`]. Of a [`Source`], it is also a
/// [`Stream`].
///
/// ```
/// use wakering_runtime::io::AsyncBufRead;
///
/// wakering_runtime::run(async {
///     let reader: &[u8] = b"k=v;k2=v2;";
///     let mut pairs = reader.records(b";", 64);
///     let mut count = 0;
///     while let Some(pair) = pairs.next_record().await? {
///         assert!(pair.contains(&b'='));
///         count += 1;
///     }
///     assert_eq!(count, 2);
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Records<R> {
    reader: R,
    cutter: Cutter,
}

impl<R> Records<R> {
    pub(super) fn new(reader: R, separator: &[u8], limit: usize) -> Records<R> {
        Records { reader, cutter: Cutter::new(separator, limit) }
    }

    /// The reader, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// let reader: &[u8] = b"a;b";
    /// assert_eq!(reader.records(b";", 9).get_ref(), b"a;b");
    /// ```
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader; what has come of an unfinished record is dropped.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"a;b;c";
    ///     let mut records = reader.records(b";", 9);
    ///     records.next_record().await?;
    ///     assert_eq!(records.into_inner(), b"b;c");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: AsyncBufRead> Records<R> {
    /// The next record, or `None` at the end of the stream.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"short;much too long;short again";
    ///     let mut records = reader.records(b";", 11);
    ///     assert_eq!(records.next_record().await?, Some(b"short".to_vec()));
    ///     assert!(records.next_record().await.is_err());
    ///     assert_eq!(records.next_record().await?, Some(b"short again".to_vec()));
    ///     assert_eq!(records.next_record().await?, None);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with. `InvalidInput` if the separator is empty. `InvalidData` if the
    /// record is longer than the limit; the call after that gives the next record.
    ///
    /// # Cancellation
    ///
    /// **Strict**.
    pub async fn next_record(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.cutter.check()?;
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(self.cutter.finish());
            }
            let (used, record) = self.cutter.cut(chunk);
            self.reader.consume(used);
            if let Some(record) = record {
                return record.map(Some);
            }
        }
    }
}

impl<R: Source + Unpin> Stream for Records<R> {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Records { reader, cutter } = self.get_mut();
        cutter.check()?;
        loop {
            let chunk = ready!(reader.poll_fill(cx))?;
            if chunk.is_empty() {
                return Poll::Ready(cutter.finish().map(Ok));
            }
            let (used, record) = cutter.cut(chunk);
            Source::consume(reader, used);
            if let Some(record) = record {
                return Poll::Ready(Some(record));
            }
        }
    }
}

/// The lines of a stream, made by [`AsyncBufRead::lines`]. Of a [`Source`], it is also a
/// [`Stream`].
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_runtime::io::AsyncBufRead;
///
/// wakering_runtime::run(async {
///     let reader: &[u8] = b"one\ntwo\n";
///     let lines: Vec<String> = reader.lines(80).map(Result::unwrap).collect().await;
///     assert_eq!(lines, ["one", "two"]);
/// });
/// ```
#[derive(Debug)]
pub struct Lines<R>(Records<R>);

impl<R> Lines<R> {
    pub(super) fn new(reader: R, limit: usize) -> Lines<R> {
        Lines(Records::new(reader, b"\n", limit))
    }

    /// The reader, to look at.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// let reader: &[u8] = b"a\nb";
    /// assert_eq!(reader.lines(9).get_ref(), b"a\nb");
    /// ```
    pub fn get_ref(&self) -> &R {
        self.0.get_ref()
    }

    /// The reader; what has come of an unfinished line is dropped.
    ///
    /// ```
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"header\nbody";
    ///     let mut lines = reader.lines(80);
    ///     lines.next_line().await?;
    ///     assert_eq!(lines.into_inner(), b"body");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn into_inner(self) -> R {
        self.0.into_inner()
    }
}

impl<R: AsyncBufRead> Lines<R> {
    /// The next line, or `None` at the end of the stream.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_runtime::io::AsyncBufRead;
    ///
    /// wakering_runtime::run(async {
    ///     let reader: &[u8] = b"one\n\xff\nthree\n";
    ///     let mut lines = reader.lines(80);
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    ///     assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("three"));
    ///     assert_eq!(lines.next_line().await?, None);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What the stream failed with. `InvalidData` if the line is longer than the limit or not
    /// UTF-8; the call after that gives the next line.
    ///
    /// # Cancellation
    ///
    /// **Strict**.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        self.0.next_record().await?.map(text).transpose()
    }
}

impl<R: Source + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let record = ready!(Pin::new(&mut self.get_mut().0).poll_next(cx));
        Poll::Ready(record.map(|record| record.and_then(text)))
    }
}

/// A line without what is left of its ending.
fn text(mut line: Vec<u8>) -> io::Result<String> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
