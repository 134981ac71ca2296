//! Rows of files and directories. They share one folder: what is dropped goes on in the background.

use std::cell::Cell;
use std::path::PathBuf;

use tempfile::TempDir;
use wakering::driver::testing::in_child;
use wakering::fs::{self, File, OpenOptions};

use crate::row;

/// A folder with a file in it.
struct Folder {
    dir: TempDir,
    fresh: Cell<u32>,
}

impl Folder {
    fn new() -> Folder {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "0123456789").unwrap();
        Folder { dir, fresh: Cell::new(0) }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("file")
    }

    /// A name that nobody has used.
    fn fresh(&self) -> PathBuf {
        self.fresh.update(|number| number + 1);
        self.dir.path().join(self.fresh.get().to_string())
    }

    /// A file of that kind.
    fn fresh_file(&self) -> PathBuf {
        let path = self.fresh();
        std::fs::write(&path, "0123456789").unwrap();
        path
    }

    /// A folder of that kind.
    fn fresh_folder(&self) -> PathBuf {
        let path = self.fresh();
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// A file of that kind, open.
    fn open(&self) -> File {
        let mut options = std::fs::OpenOptions::new();
        File::from_std(options.read(true).write(true).open(self.fresh_file()).unwrap()).unwrap()
    }
}

#[test]
fn files() {
    in_child("files::files", || {
        let here = Folder::new();
        row("fs::File::open", async || File::open(here.file()).await.unwrap());
        row("fs::File::create", async || File::create(here.fresh()).await.unwrap());
        row("fs::File::create_new", async || File::create_new(here.fresh()).await.unwrap());
        row("fs::OpenOptions::open", async || {
            OpenOptions::new().append(true).open(here.fresh_file()).await.unwrap()
        });
        row("fs::File::close", async || here.open().close().await.unwrap());
        row("fs::File::into_std", async || here.open().into_std().await.unwrap());
        row("fs::File::metadata", async || here.open().metadata().await.unwrap());
        row("fs::File::set_permissions", async || {
            let file = here.open();
            let permissions = file.metadata().await.unwrap().permissions();
            file.set_permissions(permissions).await.unwrap();
        });
        row("fs::File::sync_all", async || here.open().sync_all().await.unwrap());
        row("fs::File::sync_data", async || here.open().sync_data().await.unwrap());
        row("fs::File::set_len", async || here.open().set_len(3).await.unwrap());
        row("fs::File::allocate", async || here.open().allocate(0, 4096).await);
    });
}

#[test]
fn reading_and_writing() {
    in_child("files::reading_and_writing", || {
        let here = Folder::new();
        row("fs::File::read_at", async || here.open().read_at(vec![0; 4], 2).await.unwrap());
        row("fs::File::read_exact_at", async || here.open().read_exact_at(vec![0; 4], 2).await);
        row("fs::File::read_vectored_at", async || {
            here.open().read_vectored_at(vec![vec![0; 4]], 2).await.unwrap()
        });
        row("fs::File::write_at", async || here.open().write_at("ab", 2).await.unwrap());
        row("fs::File::write_all_at", async || here.open().write_all_at("ab", 2).await.unwrap());
        row("fs::File::write_vectored_at", async || {
            here.open().write_vectored_at(vec!["ab"], 2).await.unwrap()
        });
        row("fs::File::seek", async || here.open().seek(std::io::SeekFrom::End(-1)).await.unwrap());
        row("fs::File::rewind", async || here.open().rewind().await.unwrap());
        row("fs::File::stream_position", async || here.open().stream_position().await.unwrap());
        row("fs::read_to_string", async || fs::read_to_string(here.file()).await.unwrap());
        row("fs::write", async || fs::write(here.fresh(), "text").await.unwrap());
        row("fs::copy", async || fs::copy(here.file(), here.fresh()).await.unwrap());
    });
}

#[test]
fn names() {
    in_child("files::names", || {
        let here = Folder::new();
        row("fs::metadata", async || fs::metadata(here.file()).await.unwrap());
        row("fs::symlink_metadata", async || fs::symlink_metadata(here.file()).await.unwrap());
        row("fs::exists", async || fs::exists(here.file()).await.unwrap());
        row("fs::set_permissions", async || {
            let path = here.fresh_file();
            let permissions = fs::metadata(&path).await.unwrap().permissions();
            fs::set_permissions(&path, permissions).await.unwrap();
        });
        row("fs::canonicalize", async || fs::canonicalize(here.file()).await.unwrap());
        row("fs::rename", async || fs::rename(here.fresh_file(), here.fresh()).await.unwrap());
        row("fs::hard_link", async || fs::hard_link(here.file(), here.fresh()).await.unwrap());
        row("fs::symlink", async || fs::symlink(here.file(), here.fresh()).await.unwrap());
        row("fs::read_link", async || {
            let link = here.fresh();
            std::os::unix::fs::symlink(here.file(), &link).unwrap();
            fs::read_link(link).await.unwrap()
        });
        row("fs::remove_file", async || fs::remove_file(here.fresh_file()).await.unwrap());
    });
}

#[test]
fn directories() {
    in_child("files::directories", || {
        let here = Folder::new();
        row("fs::create_dir", async || fs::create_dir(here.fresh()).await.unwrap());
        row("fs::create_dir_all", async || {
            fs::create_dir_all(here.fresh().join("a/b")).await.unwrap()
        });
        row("fs::remove_dir", async || fs::remove_dir(here.fresh_folder()).await.unwrap());
        row("fs::remove_dir_all", async || fs::remove_dir_all(here.fresh_folder()).await.unwrap());
        row("fs::read_dir", async || fs::read_dir(here.dir.path()).await.unwrap());
        let entry = async || {
            let mut listing = fs::read_dir(here.dir.path()).await.unwrap();
            listing.next_entry().await.unwrap().expect("there is a file")
        };
        row("fs::ReadDir::next_entry", entry);
        row("fs::DirEntry::file_type", async || entry().await.file_type().await.unwrap());
        row("fs::DirEntry::metadata", async || entry().await.metadata().await.unwrap());
    });
}
