//! Reading and writing at offsets.
//!
//! Such an operation needs no position, so any number of them may run at once on one file.

use std::io;

use wakering_ring_driver::op;
use wakering_ring_driver::{BufError, BufResult, IoBuf, IoBufMut, Slice};

use crate::File;
use crate::failure::{on, with_buf};

impl File {
    /// Reads from `offset` (bytes from the start of the file) into `buf`: overwrites it from its
    /// start, up to its capacity, and sets its length to what it got.
    ///
    /// `Ok((0, _))` means that the file ends at or before `offset`, and nothing else.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let zeros = File::open("/dev/zero").await?;
    ///     let (n, buf) = zeros.read_at(vec![1; 4], 1 << 40).await?;
    ///     assert_eq!((n, buf), (4, vec![0; 4]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `buf` has no capacity; `IsADirectory`; `NotSeekable` for pipes and
    /// sockets; what pread(2) says.
    ///
    /// # Cancellation
    ///
    /// **Strict**: the file keeps what was read. The buffer is lost.
    ///
    /// # Kernel
    ///
    /// preadv2(2) where the page cache has all of it and nothing else is to be handed over; else
    /// `IORING_OP_READ`, 5.6, or pread(2) on the pool.
    pub async fn read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        if let Err(error) = self.has_offsets("read") {
            return Err(BufError::new(error, buf));
        }
        op::read_at(&self.shared.fd, buf, offset).await.map_err(with_buf("read", &self.shared.path))
    }

    /// Reads from `offset` until `buf` is filled up to its capacity, and says how much that is.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let exe = File::open("/proc/self/exe").await?;
    ///     let (_, magic) = exe.read_exact_at(vec![0; 4], 0).await?;
    ///     assert_eq!(magic, b"\x7fELF");
    ///
    ///     let end = exe.metadata().await?.len();
    ///     let failed = exe.read_exact_at(vec![0; 4], end - 1).await.unwrap_err();
    ///     assert_eq!(failed.error.kind(), ErrorKind::UnexpectedEof);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read_at`](File::read_at); `UnexpectedEof` if the file ends first.
    ///
    /// # Cancellation
    ///
    /// **Strict**: the file keeps what was read. The buffer is lost.
    pub async fn read_exact_at<B: IoBufMut>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        let wanted = buf.capacity();
        let (mut buf, mut filled) = (buf, 0);
        while filled < wanted {
            let part = buf.slice(filled..);
            let (n, part) = self
                .read_at(part, offset.saturating_add(filled as u64))
                .await
                .map_err(|failed| failed.map_buf(Slice::into_inner))?;
            buf = part.into_inner();
            filled += n;
            if n == 0 {
                let text = format!("the file ends after {filled} of {wanted} bytes");
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                return Err(with_buf("read", &self.shared.path)(BufError::new(error, buf)));
            }
        }
        Ok((filled, buf))
    }

    /// Reads from `offset` into several buffers, each filled up to its capacity before the next.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let exe = File::open("/proc/self/exe").await?;
    ///     let (n, parts) = exe.read_vectored_at(vec![vec![0; 1], vec![0; 3]], 0).await?;
    ///     assert_eq!((n, parts.concat()), (4, b"\x7fELF".to_vec()));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`read_at`](File::read_at).
    ///
    /// # Cancellation
    ///
    /// **Strict**: the file keeps what was read. The buffers are lost.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_READV`, 5.1; elsewhere preadv(2) on the pool.
    pub async fn read_vectored_at<B: IoBufMut>(
        &self,
        bufs: Vec<B>,
        offset: u64,
    ) -> BufResult<usize, Vec<B>> {
        if let Err(error) = self.has_offsets("read") {
            return Err(BufError::new(error, bufs));
        }
        let read = op::read_vectored_at(&self.shared.fd, bufs, offset);
        read.await.map_err(with_buf("read", &self.shared.path))
    }

    /// Writes `buf` at `offset` (bytes from the start of the file) and says how much of it was
    /// written: all, as a rule, but less where the disk gets full in between. A gap before `offset`
    /// reads as zeros.
    ///
    /// A file opened for appending takes the bytes at its end, whatever the offset.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-gap-{}", std::process::id()));
    ///     File::create(&path).await?.write_at("x", 3).await?;
    ///     assert_eq!(wakering_fs::read(&path).await?, b"\0\0\0x");
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`, `FileTooLarge`; `NotSeekable` for pipes and sockets; what pwrite(2) says.
    ///
    /// # Cancellation
    ///
    /// **Weak**: what was submitted may be written all the same, also later than what is written
    /// next.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_WRITE`, 5.6; elsewhere pwrite(2) on the pool.
    pub async fn write_at<B: IoBuf>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        if let Err(error) = self.has_offsets("write") {
            return Err(BufError::new(error, buf));
        }
        let write = op::write_at(&self.shared.fd, buf, offset);
        write.await.map_err(with_buf("write", &self.shared.path))
    }

    /// Writes all of `buf` at `offset`, and says how much that is.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let full = File::options().write(true).open("/dev/full").await?;
    ///     let failed = full.write_all_at("x", 0).await.unwrap_err();
    ///     assert_eq!((failed.error.kind(), failed.buf), (ErrorKind::StorageFull, "x"));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write_at`](File::write_at); a part may have been written before.
    ///
    /// # Cancellation
    ///
    /// **Weak**: a part may be written, also later than what is written next.
    pub async fn write_all_at<B: IoBuf>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        let len = buf.len();
        let (mut buf, mut written) = (buf, 0);
        while written < len {
            let part = buf.slice(written..len);
            let (n, part) = self
                .write_at(part, offset.saturating_add(written as u64))
                .await
                .map_err(|failed| failed.map_buf(Slice::into_inner))?;
            buf = part.into_inner();
            written += n;
            if n == 0 {
                let text = format!("the file takes no more after {written} of {len} bytes");
                let error = io::Error::new(io::ErrorKind::WriteZero, text);
                return Err(with_buf("write", &self.shared.path)(BufError::new(error, buf)));
            }
        }
        Ok((written, buf))
    }

    /// Writes several buffers one after the other from `offset` on, and says how much was written.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-writev-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     assert_eq!(file.write_vectored_at(vec!["head", "body"], 0).await?.0, 8);
    ///     assert_eq!(wakering_fs::read(&path).await?, b"headbody");
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`write_at`](File::write_at).
    ///
    /// # Cancellation
    ///
    /// **Weak**: what was submitted may be written all the same, also later than what is written
    /// next.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_WRITEV`, 5.1; elsewhere pwritev(2) on the pool.
    pub async fn write_vectored_at<B: IoBuf>(
        &self,
        bufs: Vec<B>,
        offset: u64,
    ) -> BufResult<usize, Vec<B>> {
        if let Err(error) = self.has_offsets("write") {
            return Err(BufError::new(error, bufs));
        }
        let write = op::write_vectored_at(&self.shared.fd, bufs, offset);
        write.await.map_err(with_buf("write", &self.shared.path))
    }

    /// Lets an operation at an offset through unless the file has none: the ring would take what
    /// comes next.
    #[inline]
    fn has_offsets(&self, operation: &'static str) -> io::Result<()> {
        let kind = self.file_type()?;
        match kind.is_fifo() || kind.is_socket() {
            true => Err(on(operation, &self.shared.path)(io::ErrorKind::NotSeekable.into())),
            false => Ok(()),
        }
    }
}
