//! How a file is opened: std's builder, with its names, its meaning and its errors.

use std::io;
use std::path::Path;

use wakering_ring_driver::Fd;
use wakering_ring_driver::op::{self, OpenHow};

use crate::File;
use crate::failure::on;

/// Options for opening a file, as [`std::fs::OpenOptions`] has them.
///
/// ```
/// use wakering_fs::OpenOptions;
/// use wakering_runtime::io::AsyncWrite;
///
/// wakering_runtime::run(async {
///     let path = std::env::temp_dir().join(format!("wakering-log-{}", std::process::id()));
///     for line in ["one\n", "two\n"] {
///         let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
///         log.write_all(line).await?;
///     }
///     assert_eq!(wakering_fs::read_to_string(&path).await?, "one\ntwo\n");
///     wakering_fs::remove_file(&path).await
/// })
/// # .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(OpenHow);

impl OpenOptions {
    /// Nothing is set.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let error = OpenOptions::new().open("/dev/null").await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// });
    /// ```
    pub fn new() -> OpenOptions {
        OpenOptions(OpenHow::default())
    }

    /// Whether the content may be read.
    ///
    /// ```
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     assert!(OpenOptions::new().read(true).open("/dev/null").await.is_ok());
    /// });
    /// ```
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.0.read = read;
        self
    }

    /// Whether the content may be written; what is there stays where it is not overwritten.
    ///
    /// ```
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let null = OpenOptions::new().write(true).open("/dev/null").await?;
    ///     assert_eq!(null.write_at("gone", 0).await?.0, 4);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.0.write = write;
        self
    }

    /// Whether every write goes to the end of the file, also if others append to it at the same
    /// time. Implies write access.
    ///
    /// ```
    /// use wakering_fs::{OpenOptions, read, write};
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-append-{}", std::process::id()));
    ///     write(&path, "content").await?;
    ///     let file = OpenOptions::new().append(true).open(&path).await?;
    ///     file.write_at("!", 0).await?;
    ///     assert_eq!(read(&path).await?, b"content!");
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.0.append = append;
        self
    }

    /// Whether a file that is there is emptied. Needs write access.
    ///
    /// ```
    /// use wakering_fs::{OpenOptions, read, write};
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-cut-{}", std::process::id()));
    ///     write(&path, "content").await?;
    ///     OpenOptions::new().write(true).truncate(true).open(&path).await?;
    ///     assert_eq!(read(&path).await?, b"");
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.0.truncate = truncate;
        self
    }

    /// Whether a file that is not there is created. Needs write or append access.
    ///
    /// ```
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-made-{}", std::process::id()));
    ///     OpenOptions::new().write(true).create(true).open(&path).await?;
    ///     assert!(wakering_fs::exists(&path).await?);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.0.create = create;
        self
    }

    /// Whether the file must be created, so that one that is there is an error (`AlreadyExists`).
    /// `create` and `truncate` then count for nothing.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let opened = OpenOptions::new().write(true).create_new(true).open("/dev/null").await;
    ///     assert_eq!(opened.unwrap_err().kind(), ErrorKind::AlreadyExists);
    /// });
    /// ```
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.0.create_new = create_new;
        self
    }

    /// The permission bits of a file that is created, before the umask; 0o666 if nothing is said.
    ///
    /// ```
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-secret-{}", std::process::id()));
    ///     let mut options = OpenOptions::new();
    ///     let file = options.write(true).create_new(true).mode(0o600).open(&path).await?;
    ///     assert_eq!(file.metadata().await?.mode() & 0o777, 0o600);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode = mode;
        self
    }

    /// Further flags of open(2), as the system numbers them; bits of the access mode are ignored.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::OpenOptions;
    ///
    /// # #[cfg(target_arch = "x86_64")]
    /// wakering_runtime::run(async {
    ///     const O_DIRECTORY: i32 = 0o200_000;
    ///     let mut options = OpenOptions::new();
    ///     let opened = options.read(true).custom_flags(O_DIRECTORY).open("/dev/null").await;
    ///     assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotADirectory);
    /// });
    /// ```
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags = flags;
        self
    }

    /// Whether the page cache is bypassed (`O_DIRECT`): buffers, offsets and lengths must then be
    /// multiples of the device's block, as an [`AlignedBuf`](crate::AlignedBuf) is. Anything else
    /// is `InvalidInput`.
    ///
    /// ```no_run
    /// use wakering_fs::{AlignedBuf, OpenOptions};
    ///
    /// wakering_runtime::run(async {
    ///     let disk = OpenOptions::new().read(true).direct(true).open("/dev/vda").await?;
    ///     let (n, block) = disk.read_at(AlignedBuf::new(4096), 0).await?;
    ///     assert_eq!(n, block.len());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn direct(&mut self, direct: bool) -> &mut OpenOptions {
        self.0.direct = direct;
        self
    }

    /// Opens the file at `path`.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use wakering_fs::OpenOptions;
    ///
    /// wakering_runtime::run(async {
    ///     let nonsense = OpenOptions::new().read(true).truncate(true).open("/dev/null").await;
    ///     assert_eq!(nonsense.unwrap_err().kind(), ErrorKind::InvalidInput);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// Those of std's `open`: `InvalidInput` if the options contradict each other or the path has a
    /// zero byte in it, `NotFound`, `AlreadyExists`, `PermissionDenied`, `IsADirectory`, …
    ///
    /// # Cancellation
    ///
    /// **Weak**: the file may be created or emptied all the same. Its descriptor is closed.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_OPENAT`, 5.6; elsewhere openat(2) on the pool.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let fd = self.open_fd(path).await?;
        Ok(File::new(fd, path, self.0.append))
    }

    pub(crate) async fn open_fd(&self, path: &Path) -> io::Result<Fd> {
        op::open(None, path, self.0).await.map_err(on("open", path))
    }
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}
