//! The test programs that a guest runs: built once, listed, and without what only a debugger reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::Options;
use super::guest::DOCTOR;

/// What runs in guests, by package.
pub(super) const PACKAGES: &[&str] =
    &["wakering-ring-driver", "wakering-runtime", "wakering-net", "wakering-fs", "wakering"];

/// A test program.
#[derive(Debug)]
pub(super) struct Program {
    /// The folder of its package and its own name: `net/it`.
    pub(super) name: String,
    pub(super) file: PathBuf,
    /// The tests that it runs, under the filter that is in force.
    pub(super) tests: BTreeSet<String>,
}

/// All of them, and what tells backend and tier.
pub(super) struct Built {
    pub(super) programs: Vec<Program>,
    pub(super) doctor: PathBuf,
    /// The programs in which there is no test, or none that passes the filter.
    pub(super) empty: Vec<String>,
}

/// Builds what the packages of `options` have, and puts what is to run of it into `folder`.
pub(super) fn build(root: &Path, options: &Options, folder: &Path) -> Result<Built, String> {
    let Options { packages, filter, .. } = options;
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
    let doctor = folder.join(DOCTOR);
    let mut built = Built { programs: Vec::new(), doctor, empty: Vec::new() };
    for (name, executable) in executables(&compile(root, packages)?, root) {
        let package = name.split('/').next().unwrap_or_default();
        if name == DOCTOR {
            strip(&executable, &built.doctor)?;
        } else if packages.iter().any(|wanted| short(wanted) == package) && options.runs(&name) {
            let tests = list(&executable, filter)?;
            if tests.is_empty() {
                built.empty.push(name);
                continue;
            }
            let file = folder.join(name.replace('/', "-"));
            strip(&executable, &file)?;
            built.programs.push(Program { name, file, tests });
        }
    }
    if built.programs.is_empty() {
        return Err(format!("no test passes the filter {filter:?}"));
    }
    Ok(built)
}

/// What cargo says of each thing it has built, one JSON a line. The facade is always built, because
/// what tells backend and tier is an example of it.
fn compile(root: &Path, packages: &[&str]) -> Result<String, String> {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["test", "--no-run", "--message-format", "json"]);
    command.args(["-p", "wakering"]).args(packages.iter().flat_map(|package| ["-p", package]));
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the tests do not build\n{text}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a package is called in names of programs: its folder, and the facade by its name.
fn short(package: &str) -> &str {
    package.strip_prefix("wakering-").unwrap_or(package)
}

/// The names of the test programs, and of the one that tells backend and tier, and where they are;
/// in the order of the names.
fn executables(messages: &str, root: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = messages
        .lines()
        .filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let executable = PathBuf::from(message["executable"].as_str()?);
            let kind = message["target"]["kind"][0].as_str()?;
            let target = message["target"]["name"].as_str()?;
            if kind == "example" {
                return (target == DOCTOR).then(|| (DOCTOR.to_string(), executable));
            }
            if message["profile"]["test"] != true {
                return None;
            }
            let manifest = Path::new(message["manifest_path"].as_str()?);
            let folder = manifest.parent()?.strip_prefix(root).ok()?.to_str()?;
            let folder = if folder.is_empty() { "wakering" } else { folder };
            let target = if kind == "lib" { kind } else { target };
            Some((format!("{folder}/{target}"), executable))
        })
        .collect();
    found.sort();
    found
}

/// A copy without symbols and debug information, which would be most of what a guest has to load.
fn strip(from: &Path, to: &Path) -> Result<(), String> {
    let status = Command::new("strip").arg("-o").args([to, from]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("strip {from:?}: {status}")),
        Err(error) => Err(format!("cannot run strip, which comes with a C compiler: {error}")),
    }
}

/// The tests that a program would run.
fn list(program: &Path, filter: &[String]) -> Result<BTreeSet<String>, String> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).args(filter).output();
    let output = output.map_err(|error| format!("cannot run {program:?}: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the test programs do not take the filter {filter:?}: {text}"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_are_called_by_folder_and_target() {
        let artifact = |folder: &str, kind: &str, name: &str, test: bool| {
            json!({
                "manifest_path": format!("/here/{folder}Cargo.toml"),
                "target": {"kind": [kind], "name": name},
                "profile": {"test": test},
                "executable": format!("/here/target/{name}-1"),
            })
            .to_string()
        };
        let messages = [
            artifact("net/", "test", "it", true),
            artifact("net/", "lib", "wakering_net", true),
            artifact("", "example", "doctor", false),
            artifact("", "example", "echo", false),
            artifact("", "test", "cost", true),
            json!({"reason": "build-finished"}).to_string(),
        ];
        let found = executables(&messages.join("\n"), Path::new("/here"));
        let expected = [
            ("doctor", "doctor-1"),
            ("net/it", "it-1"),
            ("net/lib", "wakering_net-1"),
            ("wakering/cost", "cost-1"),
        ];
        let expected =
            expected.map(|(name, file)| (name.to_string(), Path::new("/here/target").join(file)));
        assert_eq!(found, expected);
    }
}
