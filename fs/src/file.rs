//! An open file: where it comes from, what it is, how it ends.
//!
//! Its content is reached in two ways, each in a file of its own: at [offsets](crate::offset), and
//! from a [cursor](crate::cursor). What it is to the disk is in [storage](crate::storage).

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use wakering_ring_driver::{Driver, Fd, Sharing, op};

use crate::failure::on;
use crate::{FileType, OpenOptions};

/// An open file.
///
/// It is read and written in two ways, which may be mixed:
/// - *at an offset*, by [`read_at`](File::read_at) and its like: any number of operations at once,
///   on `&self`;
/// - *from a cursor*, as a stream, by [`AsyncRead`](wakering_runtime::io::AsyncRead),
///   [`AsyncWrite`](wakering_runtime::io::AsyncWrite) and [`seek`](File::seek): one after the
///   other, on `&mut self`. The cursor is the `File`'s own and moves only when an operation has
///   completed, so that dropping a read loses nothing.
///
/// Pipes, sockets and devices of characters have no offsets: there the cursor's operations take
/// what comes next, without holding up the loop however long that takes.
///
/// Dropping it closes it in the background; [`close`](File::close) tells how that went. Only
/// [`sync_all`](File::sync_all) and [`sync_data`](File::sync_data) say that something is on the
/// storage.
///
/// ```
/// use wakering_fs::File;
/// use wakering_runtime::io::AsyncRead;
///
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-file-{}", std::process::id()));
///     let mut file = File::options().read(true).write(true).create_new(true).open(&path).await?;
///     file.write_all_at("some text", 0).await?;
///     let (_, word) = file.read_at(Vec::with_capacity(16), 5).await?;
///     assert_eq!(word, b"text");
///     let (_, all) = file.read_to_string(String::new()).await?;
///     assert_eq!(all, "some text");
///     wakering_fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
pub struct File {
    pub(crate) shared: Rc<Shared>,
}

/// What the clones of a file have in common.
pub(crate) struct Shared {
    pub(crate) fd: Fd,
    pub(crate) path: PathBuf,
    /// Where the next stream-like operation begins, in bytes.
    pub(crate) cursor: Cell<u64>,
    /// Whether writes go to the end, wherever the cursor is.
    pub(crate) append: bool,
    /// Asked for when it matters first: opening tells only that there is something.
    pub(crate) file_type: Cell<Option<FileType>>,
}

impl File {
    pub(crate) fn new(fd: Fd, path: &Path, append: bool) -> File {
        let shared = Shared {
            fd,
            path: path.to_owned(),
            cursor: Cell::new(0),
            append,
            file_type: Cell::new(None),
        };
        File { shared: Rc::new(shared) }
    }

    /// Opens the file at `path` for reading.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let error = File::open("/no/such/file").await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::NotFound);
    ///     assert!(error.to_string().starts_with("open /no/such/file"));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`].
    ///
    /// # Cancellation
    ///
    /// **Strict**: the descriptor is closed.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_OPENAT`, 5.6; elsewhere openat(2) on the pool.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).open(path).await
    }

    /// Opens the file at `path` for writing: creates it, or empties the one that is there.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-create-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     assert_eq!(file.metadata().await?.len(), 0);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`].
    ///
    /// # Cancellation
    ///
    /// **Weak**: the file may be created or emptied all the same.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().write(true).create(true).truncate(true).open(path).await
    }

    /// Creates the file at `path` for reading and writing; one that is there is an error.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let error = File::create_new("/dev/null").await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`OpenOptions::open`]; `AlreadyExists`.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the file may be created all the same.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).write(true).create_new(true).open(path).await
    }

    /// The same as [`OpenOptions::new`].
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let null = File::options().read(true).write(true).open("/dev/null").await?;
    ///     assert_eq!(null.write_at("gone", 0).await?.0, 4);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Another handle of the same open file, with the same cursor, as in std.
    ///
    /// Who reads from the cursor through both at the same time may get the same bytes twice.
    ///
    /// ```
    /// use wakering_fs::File;
    /// use wakering_runtime::io::AsyncRead;
    ///
    /// wakering_runtime::run(async {
    ///     let mut exe = File::open("/proc/self/exe").await?;
    ///     let mut same = exe.try_clone()?;
    ///     assert_eq!(exe.read(vec![0; 1]).await?.1, b"\x7f");
    ///     assert_eq!(same.read(vec![0; 3]).await?.1, b"ELF");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// None; the signature is std's.
    pub fn try_clone(&self) -> io::Result<File> {
        Ok(File { shared: Rc::clone(&self.shared) })
    }

    /// Hands a file of std's to the runtime of this thread. The cursor begins where the file's own
    /// position is.
    ///
    /// ```
    /// use std::io::{Seek, Write};
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-std-{}", std::process::id()));
    ///     let mut file = std::fs::File::create(&path)?;
    ///     file.write_all(b"12")?;
    ///     let file = File::from_std(file)?;
    ///     assert_eq!(file.stream_position().await?, 2);
    ///
    ///     let (mut file, unread) = file.into_std().await.expect("no other handle");
    ///     assert!(unread.is_empty());
    ///     assert_eq!(file.stream_position()?, 2);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `Unsupported` outside of a runtime.
    ///
    /// # Kernel
    ///
    /// A pipe or terminal keeps its mode, since others may use it too. Without io_uring it is asked
    /// with poll(2) before each read and write; if another process takes the bytes or the room in
    /// between, the loop waits for the next ones.
    pub fn from_std(mut file: std::fs::File) -> io::Result<File> {
        let number = file.as_raw_fd();
        let path = format!("/proc/self/fd/{number}");
        // The kernel knows the name, and looking it up there waits for no disk.
        let path = std::fs::read_link(&path).unwrap_or_else(|_| path.into());
        let driver = Driver::current().map_err(on("from_std", &path))?;
        // Asking for the position is how one learns whether there is any.
        let position = std::io::Seek::stream_position(&mut file).unwrap_or(0);
        // A pipe or terminal may be open elsewhere too, so its mode is left alone; a file's makes
        // no difference.
        let fd = Fd::adopt(&driver, file.into(), Sharing::Shared).map_err(on("from_std", &path))?;
        let file = File::new(fd, &path, false);
        file.shared.cursor.set(position);
        Ok(file)
    }

    /// Gives the file back as std's, at the position of the cursor, with what a dropped read took
    /// out of a pipe or terminal and nobody has read since; nothing, for other files.
    ///
    /// ```
    /// use std::io::Read;
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let file = File::open("/proc/self/exe").await?;
    ///     let clone = file.try_clone()?;
    ///     let file = file.into_std().await.expect_err("a clone is left");
    ///     drop(clone);
    ///
    ///     let (mut file, unread) = file.into_std().await.expect("no clone is left");
    ///     let mut magic = [0; 4];
    ///     file.read_exact(&mut magic)?;
    ///     assert_eq!((&magic, unread.len()), (b"\x7fELF", 0));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The file itself, while a clone or an operation in flight uses it.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the file is closed.
    pub async fn into_std(self) -> Result<(std::fs::File, Vec<u8>), File> {
        let shared = Rc::try_unwrap(self.shared).map_err(|shared| File { shared })?;
        let Shared { fd, path, cursor, append, file_type } = shared;
        match fd.detach().await {
            Ok((owned, leftovers)) => {
                let mut file = std::fs::File::from(owned);
                // Fails exactly where there is no position to set.
                let _ = std::io::Seek::seek(&mut file, io::SeekFrom::Start(cursor.get()));
                Ok((file, leftovers.bytes))
            }
            Err(fd) => {
                let shared = Shared { fd, path, cursor, append, file_type };
                Err(File { shared: Rc::new(shared) })
            }
        }
    }

    /// Closes the file, for its clones too, and tells how that went.
    ///
    /// Some file systems (network ones, quotas) tell only now that an earlier write has failed.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     File::open("/dev/null").await?.close().await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What close(2) says. The file is closed all the same.
    ///
    /// # Cancellation
    ///
    /// **Strict**: the file is closed in the background.
    pub async fn close(self) -> io::Result<()> {
        self.shared.fd.clone().close().await.map_err(on("close", &self.shared.path))
    }

    /// What kind of file it is; asks for it once.
    pub(crate) fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.shared.file_type.get() {
            return Ok(file_type);
        }
        let known = op::kind_and_len(&self.shared.fd);
        let (kind, _) = known.map_err(on("stat", &self.shared.path))?;
        let file_type = FileType::new(kind);
        self.shared.file_type.set(Some(file_type));
        Ok(file_type)
    }
}

/// The descriptor, for operations of the driver, and for sockets that send the file.
impl AsRef<Fd> for File {
    fn as_ref(&self) -> &Fd {
        &self.shared.fd
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.shared.fd)
            .field("path", &self.shared.path)
            .finish()
    }
}
