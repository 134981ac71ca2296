//! Who is compared: the programs in the rivals' workspace, one package each, and what else is named
//! on the command line.
//!
//! One that does not build, or is not there, is named and left out; nothing is guessed about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contestant {
    pub name: String,
    /// What starts it; the job follows.
    pub command: Vec<String>,
    /// What it stands on, as the rivals' lock file has it.
    pub version: Option<String>,
    pub is_reference: bool,
}

/// One of the workspace.
struct Known {
    name: &'static str,
    package: &'static str,
    /// In front of the job.
    words: &'static [&'static str],
    /// The package whose version is told.
    stands_on: &'static str,
    is_reference: bool,
}

/// The name of the subject when it is its own rival.
pub const ITSELF: &str = "itself";

/// The references, by name: the second one judges the first.
pub const REFERENCES: [&str; 2] = ["raw-uring", "raw-epoll"];

const fn rival(name: &'static str, package: &'static str, stands_on: &'static str) -> Known {
    Known { name, package, words: &[], stands_on, is_reference: false }
}

const fn reference(name: &'static str, stands_on: &'static str) -> Known {
    Known { name, package: name, words: &[], stands_on, is_reference: true }
}

const KNOWN: &[Known] = &[
    reference(REFERENCES[0], "io-uring"),
    reference(REFERENCES[1], "rustix"),
    rival("tokio", "rival-tokio", "tokio"),
    Known { words: &["multi"], ..rival("tokio-multi", "rival-tokio", "tokio") },
    rival("monoio", "rival-monoio", "monoio"),
    rival("compio", "rival-compio", "compio"),
    rival("glommio", "rival-glommio", "glommio"),
    rival("tokio-uring", "rival-tokio-uring", "tokio-uring"),
    rival("smol", "rival-smol", "smol"),
    rival("wakering", "rival-wakering", "wakering"),
];

/// The client of all servers.
pub const CLIENT: &str = "client";

/// What `--subject` or `--rival` names, before it is built.
#[derive(Debug, Clone)]
pub enum Named {
    Known(usize),
    Own { name: String, command: Vec<String> },
}

impl Named {
    /// Reads `NAME`, or `NAME=COMMAND`, whose words are separated by spaces.
    pub fn parse(flag: &str, word: &str) -> Result<Named, String> {
        if let Some((name, command)) = word.split_once('=') {
            let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            let name = name.to_owned();
            return match command.is_empty() || name.is_empty() {
                true => Err(format!("{flag} {word}: NAME=COMMAND needs both")),
                false => Ok(Named::Own { name, command }),
            };
        }
        match KNOWN.iter().position(|known| known.name == word) {
            Some(at) => Ok(Named::Known(at)),
            None => Err(format!("{flag} {word}: there are {}", names().join(", "))),
        }
    }

    /// All that there are, but for the subject.
    pub fn all_but(subject: &str) -> Vec<Named> {
        let others = |at: &usize| KNOWN[*at].name != subject && KNOWN[*at].name != "wakering";
        (0..KNOWN.len()).filter(others).map(Named::Known).collect()
    }

    pub fn name(&self) -> &str {
        match self {
            Named::Known(at) => KNOWN[*at].name,
            Named::Own { name, .. } => name,
        }
    }
}

/// The names that may stand alone.
pub fn names() -> Vec<&'static str> {
    KNOWN.iter().map(|known| known.name).collect()
}

/// The rivals' workspace.
pub struct Workshop {
    folder: PathBuf,
    build: bool,
    /// The text of the lock file, which knows versions.
    lock: String,
}

impl Workshop {
    /// The one in `folder`, or in the repository that this program was built in.
    pub fn open(folder: Option<&Path>, build: bool) -> Result<Workshop, String> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals"),
        };
        if !folder.join("Cargo.toml").is_file() {
            return Err(format!(
                "the rivals are not in {}: they come with the repository, not with the program; \
                 give --rivals FOLDER",
                folder.display()
            ));
        }
        let lock = fs::read_to_string(folder.join("Cargo.lock")).unwrap_or_default();
        Ok(Workshop { folder, build, lock })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds it, if it is ours to build.
    pub fn contestant(&self, named: &Named) -> Result<Contestant, String> {
        let known = match named {
            Named::Own { name, command } => {
                let (name, command) = (name.clone(), command.clone());
                return Ok(Contestant { name, command, version: None, is_reference: false });
            }
            Named::Known(at) => &KNOWN[*at],
        };
        let program = self.program(known.package)?;
        let words = known.words.iter().map(|word| (*word).to_owned());
        Ok(Contestant {
            name: known.name.to_owned(),
            command: std::iter::once(program).chain(words).collect(),
            version: version(&self.lock, known.stands_on),
            is_reference: known.is_reference,
        })
    }

    /// Builds a package; returns its program.
    pub fn program(&self, package: &str) -> Result<String, String> {
        if self.build {
            let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
                .args(["build", "--release", "--quiet", "--package", package])
                .current_dir(&self.folder)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| format!("cargo cannot be started: {error}"))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("it does not build: {}", first_error(&said)));
            }
        }
        let target = std::env::var_os("CARGO_TARGET_DIR").filter(|_| self.build);
        let target = target.map_or_else(|| self.folder.join("target"), PathBuf::from);
        let program = target.join("release").join(package);
        match program.is_file() {
            true => Ok(program.to_string_lossy().into_owned()),
            false => Err(format!("{} is not there: leave --no-build out", program.display())),
        }
    }
}

/// The line of cargo's that says most.
fn first_error(said: &str) -> &str {
    let mut lines = said.lines().map(str::trim);
    lines.find(|line| line.starts_with("error")).unwrap_or("cargo does not say why")
}

/// The version of a package in a lock file, the newest if there are several: others stand on the
/// older ones.
fn version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.rsplit_once(&name)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_or_comes_with_a_command() {
        assert_eq!(Named::parse("--rival", "tokio").unwrap().name(), "tokio");
        let Named::Own { name, command } = Named::parse("--rival", "mine=a/b c=d").unwrap() else {
            panic!("it comes with a command");
        };
        assert_eq!((name.as_str(), command), ("mine", vec!["a/b".to_owned(), "c=d".to_owned()]));
        let error = Named::parse("--rival", "tokyo").unwrap_err();
        assert!(error.starts_with("--rival tokyo: there are raw-uring, "), "{error}");
        assert!(Named::parse("--rival", "mine=").is_err());
    }

    #[test]
    fn everybody_is_compared_but_the_subject() {
        let names: Vec<String> =
            Named::all_but("tokio").iter().map(|named| named.name().to_owned()).collect();
        assert!(names.contains(&"smol".to_owned()) && !names.contains(&"tokio".to_owned()));
    }

    #[test]
    fn versions_come_from_the_lock_file() {
        let package = |version| format!("[[package]]\nname = \"smol\"\nversion = \"{version}\"\n");
        let lock = format!("{}source = \"x\"\n\n{}", package("1.3.0"), package("2.0.2"));
        assert_eq!(version(&lock, "smol").as_deref(), Some("2.0.2"));
        assert_eq!(version(&lock, "tokio"), None);
    }

    #[test]
    fn a_failed_build_is_told_in_one_line() {
        let said = "warning: unused\nerror[E0433]: no `x` in the root\n --> src/main.rs:1:5\n";
        assert_eq!(first_error(said), "error[E0433]: no `x` in the root");
    }

    #[test]
    fn without_the_sources_there_is_a_remedy() {
        let error = Workshop::open(Some(Path::new("/no/such/folder")), true).err().unwrap();
        assert!(error.contains("/no/such/folder") && error.contains("--rivals"), "{error}");
    }
}
