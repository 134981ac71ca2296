//! Buffers in front of readers and writers: against a model, with errors, and dropped on the way.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{join, poll_immediate};
use proptest::prelude::*;
use wakering_runtime::io::{
    AsyncBufRead, AsyncRead, AsyncWrite, BufError, BufReader, BufResult, BufWriter, DuplexStream,
    IoBuf, IoBufMut, duplex, repeat,
};
use wakering_runtime::run;
use wakering_runtime::task::yield_now;

use super::chunks;

/// Given buffers with a limit, when 1 MB is read to the end, then all of it comes and no buffer
/// grew over its limit.
#[test]
fn case_k06_reading_to_the_end_keeps_the_buffers_small() {
    run(async {
        const SENT: usize = 1_000_000;
        let (mut near, far) = duplex(4096);
        let most = Rc::new(Cell::new(0));
        let watched = Watched { inner: far, most: most.clone() };
        let writer = async {
            near.write_all(vec![7; SENT]).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let mut reader = BufReader::with_capacity(1000, watched);
        let pipe = async {
            let mut received = 0;
            loop {
                let shown = reader.fill_buf().await.unwrap();
                assert!(shown.len() <= 1000);
                let n = shown.len();
                if n == 0 {
                    break received;
                }
                received += n;
                reader.consume(n);
            }
        };
        assert_eq!(join(writer, pipe).await.1, SENT);
        assert!(most.get() <= 4096, "the pipe held {} bytes", most.get());

        let (_, all) = repeat(7).take(SENT as u64).read_to_end(Vec::new()).await.unwrap();
        assert!(all.len() == SENT && all.iter().all(|byte| *byte == 7));
    });
}

/// Remembers how much the source below ever showed at once.
struct Watched {
    inner: DuplexStream,
    most: Rc<Cell<usize>>,
}

impl AsyncRead for Watched {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        let shown = self.inner.fill_buf().await.unwrap().len();
        self.most.set(self.most.get().max(shown));
        self.inner.read(buf).await
    }
}

#[test]
fn a_buffered_reader_survives_an_error_and_a_dropped_read() {
    struct Moody(u32);
    impl AsyncRead for Moody {
        async fn read<B: IoBufMut>(&mut self, mut buf: B) -> BufResult<usize, B> {
            self.0 += 1;
            match self.0 {
                1 => std::future::pending().await,
                2 => {
                    buf.overwrite(b"half-read");
                    Err(BufError::new(ErrorKind::TimedOut.into(), buf))
                }
                _ => Ok((buf.overwrite(b"whole"), buf)),
            }
        }
    }
    run(async {
        let mut reader = BufReader::with_capacity(16, Moody(0));
        assert!(poll_immediate(pin!(reader.fill_buf())).await.is_none());
        assert_eq!(reader.fill_buf().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(reader.buffer().is_empty());
        assert_eq!(reader.fill_buf().await.unwrap(), b"whole");
    });
}

/// A writer that takes what its script says, one number a call; an error where that is `None`.
struct Stingy {
    taken: Rc<RefCell<Vec<u8>>>,
    script: VecDeque<Option<usize>>,
}

impl AsyncWrite for Stingy {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        yield_now().await;
        let Some(most) = self.script.pop_front().unwrap_or(Some(usize::MAX)) else {
            let error = io::Error::from(ErrorKind::StorageFull);
            return Err(BufError::new(error, buf));
        };
        let n = buf.len().min(most);
        self.taken.borrow_mut().extend_from_slice(&buf.as_slice()[..n]);
        Ok((n, buf))
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_buffered_writer_keeps_what_an_error_left_and_tries_again() {
    run(async {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let script = [Some(3), None, Some(0)].into();
        let mut writer = BufWriter::with_capacity(16, Stingy { taken: taken.clone(), script });
        writer.write_all("0123456789").await.unwrap();
        assert!(taken.borrow().is_empty());

        assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!((&taken.borrow()[..], writer.buffer()), (&b"012"[..], &b"3456789"[..]));
        assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::WriteZero);
        writer.flush().await.unwrap();
        assert_eq!(&taken.borrow()[..], b"0123456789");
        assert!(writer.buffer().is_empty());

        writer.write_all(vec![b'x'; 16]).await.unwrap();
        assert_eq!(taken.borrow().len(), 26, "a write as large as the buffer passes it by");
    });
}

#[test]
fn write_all_says_when_a_writer_takes_nothing() {
    run(async {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let mut writer = Stingy { taken: taken.clone(), script: [Some(2), Some(0)].into() };
        let failure = writer.write_all("abcd").await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.buf), (ErrorKind::WriteZero, "abcd"));
        assert_eq!(&taken.borrow()[..], b"ab");
    });
}

#[test]
fn all_of_many_buffers_is_written_piece_by_piece() {
    run(async {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let script = [Some(1), Some(3), Some(2)].into();
        let mut writer = Stingy { taken: taken.clone(), script };
        let (n, bufs) = writer.write_all_vectored(vec!["abc", "", "def", "ghi"]).await.unwrap();
        assert_eq!((n, bufs), (9, vec!["abc", "", "def", "ghi"]));
        assert_eq!(&taken.borrow()[..], b"abcdefghi");

        writer.script = [Some(2), Some(0)].into();
        let failure = writer.write_all_vectored(vec!["ab", "cd"]).await.unwrap_err();
        assert_eq!((failure.error.kind(), failure.buf), (ErrorKind::WriteZero, vec!["ab", "cd"]));
        assert_eq!(&taken.borrow()[9..], b"ab");
    });
}

/// What may be done to a buffered reader.
#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Look(usize),
    Until(Vec<u8>, usize),
    Exact(usize),
    Drop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let separator = proptest::collection::vec(b'a'..=b'b', 1..3);
    let step = prop_oneof![
        (1..40usize).prop_map(Step::Read),
        (0..40usize).prop_map(Step::Look),
        (separator, 0..30usize).prop_map(|(separator, limit)| Step::Until(separator, limit)),
        (1..20usize).prop_map(Step::Exact),
        Just(Step::Drop),
    ];
    proptest::collection::vec(step, 0..40)
}

proptest! {
    /// Whatever is done to it in whatever order, a buffered reader gives the bytes of its stream,
    /// each once.
    #[test]
    fn a_buffered_reader_is_a_window_that_moves_over_its_stream(
        stream in proptest::collection::vec(b'a'..=b'c', 0..300),
        sizes in proptest::collection::vec(1..30usize, 1..6),
        capacity in 1..40usize,
        steps in steps(),
    ) {
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let piece;
            (piece, rest) = rest.split_at(rest.len().min(*size));
            if piece.is_empty() {
                break;
            }
            pieces.push(piece);
        }
        let mut reader = BufReader::with_capacity(capacity, chunks(&pieces));
        let mut left = &stream[..];
        run(async {
            for step in steps {
                match step {
                    Step::Read(room) => {
                        let (n, buf) = reader.read(Vec::with_capacity(room)).await.unwrap();
                        prop_assert_eq!(&buf, &left[..n]);
                        prop_assert!(n <= room && (n > 0 || left.is_empty()));
                        left = &left[n..];
                    }
                    Step::Look(most) => {
                        let shown = reader.fill_buf().await.unwrap();
                        prop_assert!(left.starts_with(shown) && shown.len() <= capacity);
                        prop_assert!(!shown.is_empty() || left.is_empty());
                        let used = shown.len().min(most);
                        AsyncBufRead::consume(&mut reader, used);
                        left = &left[used..];
                    }
                    Step::Until(separator, limit) => {
                        let mut record = Vec::new();
                        let read = reader.read_until(&separator, &mut record, limit).await;
                        prop_assert_eq!(&record, &left[..record.len()]);
                        left = &left[record.len()..];
                        let at = record.windows(separator.len()).position(|w| w == separator);
                        match read {
                            Ok(n) => {
                                prop_assert_eq!(n, record.len());
                                let ended = at.map(|at| at + separator.len()) == Some(n);
                                prop_assert!(ended || (at.is_none() && left.is_empty()));
                                prop_assert!(at.is_none_or(|at| at <= limit));
                            }
                            Err(error) => {
                                prop_assert_eq!(error.kind(), ErrorKind::InvalidData);
                                prop_assert_eq!((at, record.len()),
(None, limit + separator.len()));
                            }
                        }
                    }
                    Step::Exact(len) => match reader.read_exact(vec![0; len]).await {
                        Ok((_, buf)) => {
                            prop_assert_eq!(&buf, &left[..len]);
                            left = &left[len..];
                        }
                        Err(failure) => {
                            prop_assert_eq!(failure.error.kind(), ErrorKind::UnexpectedEof);
                            prop_assert!(left.len() < len);
                            left = &[];
                        }
                    },
                    Step::Drop => {
                        let look = poll_immediate(pin!(reader.fill_buf())).await;
                        if let Some(shown) = look {
                            prop_assert!(left.starts_with(shown.unwrap()));
                        }
                    }
                }
            }
            let (_, end) = reader.read_to_end(Vec::new()).await.unwrap();
            prop_assert_eq!(end, left);
            Ok(())
        })?;
    }

    /// Whatever is written in whatever pieces, a buffered writer hands it on in order, and all of
    /// it once flushed.
    #[test]
    fn a_buffered_writer_changes_no_byte(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..30),
        capacity in 0..50usize,
        script in proptest::collection::vec((1..30usize).prop_map(Some), 0..40),
    ) {
        let taken = Rc::new(RefCell::new(Vec::new()));
        let inner = Stingy { taken: taken.clone(), script: script.into() };
        let mut writer = BufWriter::with_capacity(capacity, inner);
        run(async {
            let mut written = 0;
            for (at, piece) in pieces.iter().enumerate() {
                if at % 3 == 0 {
                    let (head, tail) = piece.split_at(piece.len() / 2);
                    let halves = vec![head.to_vec(), tail.to_vec()];
 let (n, _) = writer.write_vectored(halves).await.unwrap();
                    written += n;
                    writer.write_all(piece[n..].to_vec()).await.unwrap();
                    written += piece.len() - n;
                } else {
                    written += writer.write_all(piece.clone()).await.unwrap().0;
                }
                assert!(writer.buffer().len() <= capacity);
                assert_eq!(taken.borrow().len() + writer.buffer().len(), written);
            }
            writer.flush().await.unwrap();
        });
        prop_assert_eq!(&*taken.borrow(), &pieces.concat());
    }
}
