//! The machine that each kernel gets: a busybox, the test programs, and a plan of what to run.
//!
//! All of it lies in memory, in the file system that the kernel is started with. It is the same for
//! all kernels, so it is made once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cpio::Cpio;
use super::programs::Program;

/// What a guest runs first.
const INIT: &str = include_str!("guest.init");

/// How many times longer than on a quiet machine the tests are to wait under emulation.
const PATIENCE: &str = "20";

/// For how long a program may run.
pub(super) const LIMIT: u64 = 900;

/// The name under which the guest runs what tells backend and tier.
pub(super) const DOCTOR: &str = "doctor";

/// What a guest is to run.
pub(super) struct Plan<'a> {
    pub(super) doctor: &'a Path,
    pub(super) programs: &'a [Program],
    /// The backends, each of which is a lane.
    pub(super) backends: &'a [&'static str],
    /// What the test programs are told beside.
    pub(super) filter: &'a [String],
}

impl Plan<'_> {
    /// The file system of a guest that carries it out.
    pub(super) fn pack(&self, busybox: &Path) -> Result<Vec<u8>, String> {
        let mut cpio = Cpio::default();
        for folder in ["bin", "dev", "proc", "sys", "tmp", "etc", "t"] {
            cpio.folder(folder);
        }
        cpio.file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n");
        cpio.file("etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n");
        cpio.file("init", INIT.as_bytes());
        cpio.file("plan", self.script().as_bytes());
        cpio.copy("bin/busybox", busybox)?;
        cpio.link("bin/sh", "busybox");
        cpio.copy(&format!("t/{DOCTOR}"), self.doctor)?;
        let mut files = vec![busybox, self.doctor];
        for (at, program) in self.programs.iter().enumerate() {
            cpio.copy(&path(at), &program.file)?;
            files.push(&program.file);
        }
        let mut folders = BTreeSet::new();
        for library in libraries(&files)? {
            for folder in library.ancestors().skip(1).collect::<Vec<_>>().iter().rev() {
                if folder.parent().is_some() && folders.insert(folder.to_path_buf()) {
                    cpio.folder(&folder.to_string_lossy());
                }
            }
            cpio.copy(&library.to_string_lossy(), &library)?;
        }
        Ok(cpio.finish())
    }

    /// The plan as the guest's shell reads it.
    fn script(&self) -> String {
        // The machine is the tests' own: they may put its switches.
        let guest = "export WAKERING_TEST_GUEST=1";
        let mut script = format!("export WAKERING_TEST_PATIENCE={PATIENCE}\n{guest}\n");
        for backend in self.backends {
            // The ring is what a program gets that asks for nothing.
            script.push_str(&match *backend {
                "uring" => "unset WAKERING_BACKEND\n".to_string(),
                other => format!("export WAKERING_BACKEND={other}\n"),
            });
            script.push_str(&format!("if run {backend} {DOCTOR} {LIMIT} /t/{DOCTOR}; then\n"));
            for (at, program) in self.programs.iter().enumerate() {
                let (name, path) = (quoted(&program.name), path(at));
                let filter: String =
                    self.filter.iter().map(|word| format!(" {}", quoted(word))).collect();
                script.push_str(&format!(
                    "run {backend} {name} {LIMIT} /{path} --show-output{filter}\n"
                ));
            }
            script.push_str("fi\n");
        }
        script
    }
}

/// Where the program at `at` lies in the guest.
fn path(at: usize) -> String {
    format!("t/{at}")
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The shared libraries that `files` are started with.
fn libraries(files: &[&Path]) -> Result<BTreeSet<PathBuf>, String> {
    let mut libraries = BTreeSet::new();
    for file in files {
        let output = Command::new("ldd").arg(file).output();
        let output = output.map_err(|error| format!("cannot run ldd: {error}"))?;
        // It fails for a program that needs none.
        libraries.extend(absolute(&String::from_utf8_lossy(&output.stdout)));
    }
    Ok(libraries)
}

/// The paths in what `ldd` prints.
fn absolute(text: &str) -> impl Iterator<Item = PathBuf> {
    text.split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_runs_every_program_if_it_has_a_runtime() {
        let program = |name: &str| Program {
            name: name.to_string(),
            file: PathBuf::new(),
            tests: BTreeSet::new(),
        };
        let plan = Plan {
            doctor: Path::new("doctor"),
            programs: &[program("net/it"), program("fs/it")],
            backends: &["uring", "poll"],
            filter: &["don't".to_string()],
        };
        let script = plan.script();
        let uring = script.find("unset WAKERING_BACKEND\nif run uring doctor").unwrap();
        let poll = script.find("export WAKERING_BACKEND=poll\nif run poll doctor").unwrap();
        assert!(uring < poll);
        assert_eq!(script.matches(r"/t/1 --show-output 'don'\''t'").count(), 2, "{script}");
        assert!(script.contains("run poll 'fs/it' 900 /t/1 "), "{script}");
    }

    #[test]
    fn libraries_are_the_paths_that_the_loader_names() {
        let text = "\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x7f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x7f)\n";
        let paths: Vec<PathBuf> = absolute(text).collect();
        let expected = ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(paths, expected.map(PathBuf::from));
        assert_eq!(absolute("/t/program:\n").count(), 0);
    }
}
