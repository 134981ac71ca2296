//! A file as a stream: reading and writing from a position that is ours, not the kernel's.
//!
//! The kernel's own file position moves when an operation is carried out, also if nobody is there
//! any more to be told. Ours moves when the result is taken, so a dropped read has not happened. A
//! dropped write may still be on its way: the next one waits for it on the descriptor's write side,
//! so that it cannot be overtaken by what came before.

use std::io::{self, SeekFrom};

use wakering_ring_driver::op;
use wakering_ring_driver::{BufError, BufResult, IoBuf, IoBufMut};
use wakering_runtime::io::{AsyncRead, AsyncWrite};

use crate::File;
use crate::failure::{on, with_buf};

impl File {
    /// Moves the cursor, and says where it is then (in bytes from the start). It may be moved
    /// behind the end: writing there leaves a gap that reads as zeros.
    ///
    /// ```
    /// use std::io::SeekFrom;
    /// use wakering_fs::File;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut exe = File::open("/proc/self/exe").await?;
    ///     assert_eq!(exe.seek(SeekFrom::Start(1)).await?, 1);
    ///     assert_eq!(exe.read(vec![0; 3]).await?.1, b"ELF");
    ///     assert_eq!(exe.seek(SeekFrom::Current(-4)).await?, 0);
    ///     assert!(exe.seek(SeekFrom::Current(-1)).await.is_err());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` if that is before the start; `NotSeekable` for pipes, sockets and devices of
    /// characters; `Unsupported` from the end of a block device.
    ///
    /// # Cancellation
    ///
    /// **Strict**: the cursor stays where it is.
    pub async fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let target = self.target(position).await.map_err(on("seek", &self.shared.path))?;
        self.shared.cursor.set(target);
        Ok(target)
    }

    /// Moves the cursor to the start.
    ///
    /// ```
    /// use wakering_fs::File;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut exe = File::open("/proc/self/exe").await?;
    ///     let (_, first) = exe.read(vec![0; 4]).await?;
    ///     exe.rewind().await?;
    ///     assert_eq!(exe.read(vec![0; 4]).await?.1, first);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`seek`](File::seek).
    ///
    /// # Cancellation
    ///
    /// **Strict**: the cursor stays where it is.
    pub async fn rewind(&mut self) -> io::Result<()> {
        self.seek(SeekFrom::Start(0)).await.map(drop)
    }

    /// Where the cursor is, in bytes from the start.
    ///
    /// ```
    /// use wakering_fs::File;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut exe = File::open("/proc/self/exe").await?;
    ///     exe.read_exact(vec![0; 4]).await?;
    ///     assert_eq!(exe.stream_position().await?, 4);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`seek`](File::seek).
    ///
    /// # Cancellation
    ///
    /// **Strict**: nothing changes.
    pub async fn stream_position(&self) -> io::Result<u64> {
        self.target(SeekFrom::Current(0)).await.map_err(on("seek", &self.shared.path))
    }

    async fn target(&self, position: SeekFrom) -> io::Result<u64> {
        if self.file_type()?.is_stream() {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        let target = match position {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.shared.cursor.get().checked_add_signed(by),
            SeekFrom::End(by) => {
                let metadata = self.metadata().await?;
                if metadata.file_type().is_block_device() {
                    let message = "the file system does not know where a block device ends";
                    return Err(io::Error::new(io::ErrorKind::Unsupported, message));
                }
                metadata.len().checked_add_signed(by)
            }
        };
        // The kernel counts offsets in signed numbers.
        target.filter(|&target| i64::try_from(target).is_ok()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a position before the start or too far away",
            )
        })
    }

    /// Where an operation at the cursor begins; `None` for a stream.
    fn start(&self) -> io::Result<Option<u64>> {
        let stream = self.file_type()?.is_stream();
        Ok((!stream).then(|| self.shared.cursor.get()))
    }

    /// Moves the cursor behind what has been transferred.
    fn advance(&self, start: Option<u64>, n: usize) {
        if let Some(start) = start {
            self.shared.cursor.set(start.saturating_add(n as u64));
        }
    }
}

/// Reads from the cursor and moves it. Pipes, sockets and devices of characters give what comes
/// next.
///
/// **Strict**: a dropped read has not happened. What it took out of a pipe or terminal goes to the
/// next one.
impl AsyncRead for File {
    async fn read<B: IoBufMut>(&mut self, buf: B) -> BufResult<usize, B> {
        let (fd, path) = (&self.shared.fd, &self.shared.path);
        let start = match self.start() {
            Ok(start) => start,
            Err(error) => return Err(BufError::new(error, buf)),
        };
        let read = match start {
            Some(offset) => op::read_at(fd, buf, offset).await,
            None => op::read(fd, buf).await,
        };
        let (n, buf) = read.map_err(with_buf("read", path))?;
        self.advance(start, n);
        Ok((n, buf))
    }

    async fn read_vectored<B: IoBufMut>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        let (fd, path) = (&self.shared.fd, &self.shared.path);
        let start = match self.start() {
            Ok(start) => start,
            Err(error) => return Err(BufError::new(error, bufs)),
        };
        let read = match start {
            Some(offset) => op::read_vectored_at(fd, bufs, offset).await,
            None => op::read_vectored(fd, bufs).await,
        };
        let (n, bufs) = read.map_err(with_buf("read", path))?;
        self.advance(start, n);
        Ok((n, bufs))
    }
}

/// Writes at the cursor and moves it. On a file opened for appending the bytes go to the end, and
/// the cursor, which then only reading uses, stays where it is.
///
/// **Weak**: a dropped write may reach the file, but the cursor has not moved, so that the next one
/// goes to the same place, after it. On pipes, sockets and devices of characters, and at the end of
/// a file, it comes before the next one.
impl AsyncWrite for File {
    async fn write<B: IoBuf>(&mut self, buf: B) -> BufResult<usize, B> {
        let (fd, path) = (&self.shared.fd, &self.shared.path);
        let start = match self.start() {
            Ok(start) => start,
            Err(error) => return Err(BufError::new(error, buf)),
        };
        let write = match start {
            Some(offset) => op::write_at_in_turn(fd, buf, offset).await,
            None => op::write(fd, buf).await,
        };
        let (n, buf) = write.map_err(with_buf("write", path))?;
        self.advance(start.filter(|_| !self.shared.append), n);
        Ok((n, buf))
    }

    async fn write_vectored<B: IoBuf>(&mut self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        let (fd, path) = (&self.shared.fd, &self.shared.path);
        let start = match self.start() {
            Ok(start) => start,
            Err(error) => return Err(BufError::new(error, bufs)),
        };
        let write = match start {
            Some(offset) => op::write_vectored_at_in_turn(fd, bufs, offset).await,
            None => op::write_vectored(fd, bufs).await,
        };
        let (n, bufs) = write.map_err(with_buf("write", path))?;
        self.advance(start.filter(|_| !self.shared.append), n);
        Ok((n, bufs))
    }

    /// Does nothing: a completed write is with the kernel, and that it is on the storage only
    /// [`sync_data`](File::sync_data) can tell.
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: nobody waits for the end of a file, and a pipe ends when it is dropped or
    /// closed.
    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}
