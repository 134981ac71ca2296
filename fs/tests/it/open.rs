//! Options, each combination of them against std's on the same file.

use std::fs as std_fs;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use wakering_fs::OpenOptions;
use wakering_runtime::testing::{open_descriptors, skip};

use crate::{run, temp_dir};

/// Sets the six options by the bits of a number, on our builder or on std's.
macro_rules! options {
    ($options:ty, $bits:expr) => {{
        let on = |n: u32| $bits & (1 << n) != 0;
        let mut options = <$options>::new();
        options.read(on(0)).write(on(1)).append(on(2)).truncate(on(3)).create(on(4));
        options.create_new(on(5)).mode(0o640);
        options
    }};
}

/// What became of a file: whether it was opened, what it holds, who may use it.
fn outcome(opened: Result<(), ErrorKind>, path: &Path) -> impl PartialEq + std::fmt::Debug {
    let mode = std_fs::metadata(path).ok().map(|metadata| metadata.permissions().mode());
    (opened, std_fs::read(path).ok(), mode)
}

#[test]
fn every_combination_of_options_does_what_it_does_in_std() {
    let dir = temp_dir();
    let (ours, stds) = (dir.path().join("ours"), dir.path().join("stds"));
    run(async {
        for bits in 0..64u32 {
            for content in [None, Some("content")] {
                for path in [&ours, &stds] {
                    let _ = std_fs::remove_file(path);
                    if let Some(content) = content {
                        std_fs::write(path, content).unwrap();
                    }
                }
                let opened = options!(OpenOptions, bits).open(&ours).await;
                let ours = outcome(opened.map(drop).map_err(|error| error.kind()), &ours);
                let opened = options!(std_fs::OpenOptions, bits).open(&stds);
                let stds = outcome(opened.map(drop).map_err(|error| error.kind()), &stds);
                assert_eq!(ours, stds, "options {bits:06b} on {content:?}");
            }
        }
    });
}

#[test]
fn the_directions_that_were_not_asked_for_are_closed() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, "content").unwrap();
    run(async {
        let reader = OpenOptions::new().read(true).open(&path).await.unwrap();
        assert_eq!(reader.read_at(vec![0; 7], 0).await.unwrap().1, b"content");
        assert!(reader.write_at("x", 0).await.is_err());
        let writer = OpenOptions::new().write(true).open(&path).await.unwrap();
        assert_eq!(writer.write_at("C", 0).await.unwrap().0, 1);
        assert!(writer.read_at(vec![0; 7], 0).await.is_err());
    });
    assert_eq!(std_fs::read(&path).unwrap(), b"Content");
}

#[test]
fn custom_flags_reach_the_kernel() {
    // O_NONBLOCK, O_WRONLY | O_RDWR: the access mode is not theirs to say.
    const NONBLOCK: i32 = 0o4000;
    const ACCESS: i32 = 0o3;
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, "").unwrap();
    run(async {
        let mut options = OpenOptions::new();
        let _file = options.read(true).custom_flags(NONBLOCK | ACCESS).open(&path).await.unwrap();
        let flags = open_flags(&path);
        assert_eq!(flags & (NONBLOCK | ACCESS), NONBLOCK, "{flags:o}");
    });
}

#[test]
fn direct_is_one_flag_more() {
    let dir = temp_dir();
    let path = dir.path().join("file");
    std_fs::write(&path, "").unwrap();
    run(async {
        let file = OpenOptions::new().read(true).open(&path).await.unwrap();
        let plain = open_flags(&path);
        file.close().await.unwrap();
        let file = OpenOptions::new().read(true).direct(true).open(&path).await;
        if file.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidInput) {
            return skip("direct_is_one_flag_more", "open with O_DIRECT: the file system has none");
        }
        file.as_ref().unwrap();
        let direct = open_flags(&path);
        assert_eq!((direct & plain, (direct & !plain).count_ones()), (plain, 1), "{direct:o}");
    });
}

#[test]
fn programs_that_are_started_do_not_inherit_files() {
    const CLOEXEC: i32 = 0o2000000;
    let dir = temp_dir();
    let path = dir.path().join("private");
    run(async {
        let _file = wakering_fs::File::create(&path).await.unwrap();
        let flags = open_flags(&path);
        assert_eq!(flags & CLOEXEC, CLOEXEC, "{flags:o}");
    });
}

/// The flags of open(2) with which this process has the file at `path` open.
fn open_flags(path: &Path) -> i32 {
    let path = path.canonicalize().unwrap();
    let open = open_descriptors();
    let number = open.iter().find(|(_, target)| Path::new(target) == path).expect("is open").0;
    let info = std_fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
    i32::from_str_radix(flags.trim(), 8).unwrap()
}
