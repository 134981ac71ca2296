//! Directories and names, also when others make, list and remove the same ones.

use std::collections::BTreeSet;
use std::fs as std_fs;
use std::io::ErrorKind;
use std::path::Path;

use wakering_fs::{
    canonicalize, create_dir, create_dir_all, exists, hard_link, metadata, read_dir, read_link,
    remove_dir, remove_dir_all, remove_file, rename, symlink, symlink_metadata, write,
};
use wakering_runtime::spawn;

use crate::{polled, run, temp_dir};

#[test]
fn directories_are_made_once_and_removed_when_empty() {
    let dir = temp_dir();
    let (path, inner) = (dir.path().join("dir"), dir.path().join("dir/inner"));
    run(async {
        assert_eq!(create_dir(&inner).await.unwrap_err().kind(), ErrorKind::NotFound);
        create_dir(&path).await.unwrap();
        assert_eq!(create_dir(&path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        create_dir(&inner).await.unwrap();
        assert_eq!(remove_dir(&path).await.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        remove_dir(&inner).await.unwrap();
        remove_dir(&path).await.unwrap();
        assert_eq!(remove_dir(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        write(&path, "").await.unwrap();
        assert_eq!(remove_dir(&path).await.unwrap_err().kind(), ErrorKind::NotADirectory);
    });
}

#[test]
fn missing_directories_are_made_on_the_way() {
    let dir = temp_dir();
    run(async {
        let winding = dir.path().join("x/y/../z/");
        create_dir_all(&winding).await.unwrap();
        assert!(metadata(dir.path().join("x/z")).await.unwrap().is_dir());
        let deep = dir.path().join("a/b/c/./d/");
        create_dir_all(&deep).await.unwrap();
        create_dir_all(&deep).await.unwrap();
        assert!(metadata(&deep).await.unwrap().is_dir());
        create_dir_all("").await.unwrap();
        create_dir_all("/").await.unwrap();
        create_dir_all("/proc/self").await.unwrap();

        let file = dir.path().join("file");
        write(&file, "").await.unwrap();
        assert_eq!(create_dir_all(&file).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let below = create_dir_all(file.join("x/y")).await.unwrap_err();
        assert_eq!(below.kind(), ErrorKind::NotADirectory);
    });
}

#[test]
fn the_same_directories_may_be_made_by_many() {
    let dir = temp_dir();
    run(async {
        for round in 0..20 {
            let path = dir.path().join(format!("{round}/a/b/c/d"));
            let makers: Vec<_> = (0..32).map(|_| spawn(create_dir_all(path.clone()))).collect();
            let rival = std::thread::spawn({
                let path = path.clone();
                move || std_fs::create_dir_all(path)
            });
            for maker in makers {
                maker.await.unwrap().unwrap();
            }
            rival.join().unwrap().unwrap();
            assert!(metadata(&path).await.unwrap().is_dir());
        }
    });
}

#[test]
fn a_tree_is_removed_without_following_links() {
    let dir = temp_dir();
    run(async {
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        create_dir_all(tree.join("x/y/z")).await.unwrap();
        create_dir(&outside).await.unwrap();
        write(outside.join("kept"), "").await.unwrap();
        write(tree.join("x/file"), "").await.unwrap();
        symlink(&outside, tree.join("x/link")).await.unwrap();
        remove_dir_all(&tree).await.unwrap();
        assert!(!exists(&tree).await.unwrap());
        assert!(exists(outside.join("kept")).await.unwrap());
        assert_eq!(remove_dir_all(&tree).await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn names_move_and_replace() {
    let dir = temp_dir();
    run(async {
        let (a, b, sub) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("sub"));
        write(&a, "a").await.unwrap();
        write(&b, "b").await.unwrap();
        create_dir(&sub).await.unwrap();
        rename(&a, &b).await.unwrap();
        assert_eq!(std_fs::read(&b).unwrap(), b"a");
        rename(&b, sub.join("c")).await.unwrap();
        assert_eq!(std_fs::read(sub.join("c")).unwrap(), b"a");
        assert_eq!(rename(&a, &b).await.unwrap_err().kind(), ErrorKind::NotFound);
        write(&a, "").await.unwrap();
        assert_eq!(rename(&a, &sub).await.unwrap_err().kind(), ErrorKind::IsADirectory);
        remove_file(&a).await.unwrap();
        assert_eq!(remove_file(&a).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(matches!(
            remove_file(&sub).await.unwrap_err().kind(),
            ErrorKind::IsADirectory | ErrorKind::PermissionDenied
        ));
    });
}

#[test]
fn links_are_told_apart_from_what_they_lead_to() {
    let dir = temp_dir();
    run(async {
        let (file, hard, soft) =
            (dir.path().join("file"), dir.path().join("hard"), dir.path().join("soft"));
        write(&file, "content").await.unwrap();
        hard_link(&file, &hard).await.unwrap();
        assert_eq!(metadata(&hard).await.unwrap().ino(), metadata(&file).await.unwrap().ino());
        symlink("file", &soft).await.unwrap();
        assert!(metadata(&soft).await.unwrap().is_file());
        assert!(symlink_metadata(&soft).await.unwrap().is_symlink());
        assert_eq!(read_link(&soft).await.unwrap(), Path::new("file"));
        assert_eq!(canonicalize(&soft).await.unwrap(), file.canonicalize().unwrap());

        assert_eq!(symlink("x", &soft).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(hard_link(&file, &hard).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read_link(&file).await.unwrap_err().kind(), ErrorKind::InvalidInput);

        remove_file(&file).await.unwrap();
        assert!(!exists(&soft).await.unwrap());
        assert!(symlink_metadata(&soft).await.is_ok());
        assert_eq!(canonicalize(&soft).await.unwrap_err().kind(), ErrorKind::NotFound);
        // What cannot be told is an error and not a no.
        symlink("loop", dir.path().join("loop")).await.unwrap();
        assert!(exists(dir.path().join("loop")).await.is_err());
    });
}

#[test]
fn a_listing_has_every_entry_once() {
    let dir = temp_dir();
    let names: BTreeSet<String> = (0..500).map(|n| format!("entry {n}")).collect();
    for name in &names {
        std_fs::write(dir.path().join(name), "").unwrap();
    }
    std_fs::create_dir(dir.path().join("sub")).unwrap();
    std::os::unix::fs::symlink("sub", dir.path().join("link")).unwrap();
    run(async {
        let mut entries = read_dir(dir.path()).await.unwrap();
        let mut files = BTreeSet::new();
        let mut others = 0;
        while let Some(entry) = entries.next_entry().await.unwrap() {
            assert_eq!(entry.path(), dir.path().join(entry.file_name()));
            let (kind, found) = (entry.file_type().await.unwrap(), entry.metadata().await.unwrap());
            assert_eq!((kind, entry.ino()), (found.file_type(), found.ino()));
            match entry.file_name().to_str().unwrap() {
                "sub" => assert!(kind.is_dir()),
                "link" => assert!(kind.is_symlink()),
                name => {
                    assert!(kind.is_file() && files.insert(name.to_owned()), "{name} came twice");
                    continue;
                }
            }
            others += 1;
        }
        assert!(files == names && others == 2);
        assert!(entries.next_entry().await.unwrap().is_none());
    });
}

#[test]
fn a_dropped_wait_for_an_entry_loses_none() {
    let dir = temp_dir();
    for n in 0..600 {
        std_fs::write(dir.path().join(n.to_string()), "").unwrap();
    }
    run(async {
        // The pool is sometimes so quick that there is nothing to drop.
        let mut dropped = 0;
        for _ in 0..200 {
            let mut entries = read_dir(dir.path()).await.unwrap();
            let mut found = BTreeSet::new();
            loop {
                let entry = match polled(1, entries.next_entry()).await {
                    Some(entry) => entry,
                    None => {
                        dropped += 1;
                        entries.next_entry().await
                    }
                };
                match entry.unwrap() {
                    Some(entry) => assert!(found.insert(entry.file_name().to_owned())),
                    None => break,
                }
            }
            assert_eq!(found.len(), 600);
            if dropped >= 10 {
                return;
            }
        }
        panic!("only {dropped} waits could be dropped");
    });
}

#[test]
fn only_directories_are_listed() {
    run(async {
        assert_eq!(read_dir("/no/such").await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read_dir("/dev/null").await.unwrap_err().kind(), ErrorKind::NotADirectory);
    });
}
