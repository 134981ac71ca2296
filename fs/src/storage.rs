//! An open file as a thing on the disk: whether it is there after a power cut, how long it is, what
//! is known about it, and who may use it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use wakering_ring_driver::op::{self, Allocation};

use crate::failure::on;
use crate::{File, Metadata};

impl File {
    /// Waits until the content and all metadata are on the storage.
    ///
    /// Only writes that have completed before are covered. An error is told once, by whichever sync
    /// comes first after it; what it concerned may be lost.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-sync-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     file.write_all_at("safe", 0).await?;
    ///     file.sync_all().await?;
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What fsync(2) says; `InvalidInput` for what has no storage, such as a pipe.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the sync runs to its end, and an error that it meets is told to nobody.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_FSYNC`, 5.1; elsewhere fsync(2) on the pool.
    pub async fn sync_all(&self) -> io::Result<()> {
        op::fsync(&self.shared.fd).await.map_err(on("fsync", &self.shared.path))
    }

    /// As [`sync_all`](File::sync_all), but without metadata that reading the content back does not
    /// need, such as times.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-data-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     file.write_all_at("safe", 0).await?;
    ///     file.sync_data().await?;
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As in [`sync_all`](File::sync_all).
    ///
    /// # Cancellation
    ///
    /// As in [`sync_all`](File::sync_all).
    pub async fn sync_data(&self) -> io::Result<()> {
        op::fdatasync(&self.shared.fd).await.map_err(on("fdatasync", &self.shared.path))
    }

    /// Cuts the file off after `len` bytes, or extends it to `len` bytes that read as zeros. The
    /// cursor stays.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-len-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     file.write_all_at("abcdef", 0).await?;
    ///     file.set_len(2).await?;
    ///     file.set_len(3).await?;
    ///     assert_eq!(wakering_fs::read(&path).await?, b"ab\0");
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the file is not open for writing; `FileTooLarge`; what ftruncate(2) says.
    ///
    /// # Cancellation
    ///
    /// **Weak**: the length may be set all the same.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_FTRUNCATE`, 6.9; elsewhere ftruncate(2) on the pool.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        op::ftruncate(&self.shared.fd, len).await.map_err(on("ftruncate", &self.shared.path))
    }

    /// Reserves storage for the `len` bytes from `offset` on, so that writing there cannot fail for
    /// lack of it. The file grows to hold them; they read as zeros where nothing was.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-room-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     file.allocate(0, 64 * 1024).await?;
    ///     assert_eq!(file.metadata().await?.len(), 64 * 1024);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `StorageFull`; `InvalidInput` if `len` is 0; `Unsupported` where the file system cannot do
    /// it.
    ///
    /// # Cancellation
    ///
    /// **Weak**: it may be reserved all the same.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_FALLOCATE`, 5.6; elsewhere fallocate(2) on the pool.
    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let allocate = op::fallocate(&self.shared.fd, offset, len, Allocation::Extend);
        allocate.await.map_err(on("fallocate", &self.shared.path))
    }

    /// Asks about the file.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let null = File::open("/dev/null").await?;
    ///     assert!(null.metadata().await?.file_type().is_char_device());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What statx(2) says.
    ///
    /// # Cancellation
    ///
    /// **Strict**: nothing changes.
    ///
    /// # Kernel
    ///
    /// `IORING_OP_STATX`, 5.6; elsewhere statx(2) on the pool.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let stat = op::stat(&self.shared.fd).await.map_err(on("stat", &self.shared.path))?;
        Ok(Metadata::new(stat))
    }

    /// Says who may do what with the file.
    ///
    /// ```
    /// use wakering_fs::File;
    ///
    /// wakering_runtime::run(async {
    ///     let path = std::env::temp_dir().join(format!("wakering-chmod-{}", std::process::id()));
    ///     let file = File::create(&path).await?;
    ///     let mut permissions = file.metadata().await?.permissions();
    ///     permissions.set_readonly(true);
    ///     file.set_permissions(permissions).await?;
    ///     assert_eq!(file.metadata().await?.mode() & 0o222, 0);
    ///     wakering_fs::remove_file(&path).await
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `PermissionDenied` if the file is another user's.
    ///
    /// # Cancellation
    ///
    /// **Weak**: they may be set all the same.
    ///
    /// # Kernel
    ///
    /// fchmod(2) on the pool.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        let chmod = op::fchmod(&self.shared.fd, permissions.mode());
        chmod.await.map_err(on("fchmod", &self.shared.path))
    }
}
