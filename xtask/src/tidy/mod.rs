//! What the tree looks like: arrows between crates, openings of files, things that are
//! absent, and cases that are tested.
//!
//! These are the rules that a reader relies on and no compiler checks. Each rule is a function from
//! text to complaints, so that each has a test that shows it complaining.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which crate may name which.
mod arrows;
/// Where conformance cases are tested.
mod cases;
/// What may stand in a file, and how it opens.
mod sources;

/// Files that are longer than this are listed, because they may hold more than one concept.
const LONG: usize = 600;

/// Checks, prints what is worth knowing, and fails with all that is wrong.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let note = check(root)?;
    println!("tidy: {note}");
    Ok(())
}

/// Says what was checked, or everything that is wrong.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let mut complaints = arrows::complaints(&metadata(root)?);
    complaints.extend(arrows::tree_complaints(&tree(root)?));
    let files = files(root)?;
    let mut long = Vec::new();
    let (mut listed, mut tested) = (BTreeSet::new(), BTreeSet::new());
    for file in &files {
        // A file that is listed and gone is being deleted; one that is no text has no words in it.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        complaints.extend(sources::complaints(file, &text));
        if file == cases::TABLE {
            listed = cases::listed(&text);
        }
        if file.ends_with(".rs") {
            tested.extend(cases::tested(file, &text));
        }
        let lines = text.lines().count();
        if lines > LONG && file.ends_with(".rs") {
            long.push(format!("{file} ({lines} lines)"));
        }
    }
    complaints.extend(cases::complaints(&listed, &tested));
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let long = if long.is_empty() { String::new() } else { format!(", long: {}", long.join(", ")) };
    Ok(format!("{} files{long}", files.len()))
}

/// What cargo knows of the workspace.
pub(crate) fn metadata(root: &Path) -> Result<Value, String> {
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    let text = output(Command::new("cargo").args(args).current_dir(root))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// The packages that a user of the facade builds, one a line.
fn tree(root: &Path) -> Result<String, String> {
    let args = ["tree", "-p", "wakering", "-e", "normal,build", "--prefix", "none"];
    output(Command::new("cargo").args(args).current_dir(root))
}

/// The files of the repository, as paths from its root: those that git knows, and those that it
/// would add.
fn files(root: &Path) -> Result<Vec<String>, String> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = output(Command::new("git").args(args).current_dir(root));
    // A copy without its history, such as a packed crate, is looked through instead.
    let mut files = match listed {
        Ok(text) => text.lines().map(str::to_string).collect(),
        Err(_) => {
            let mut found = Vec::new();
            walk(root, Path::new(""), &mut found);
            found
        }
    };
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path: PathBuf = folder.join(entry.file_name());
        let hidden = entry.file_name() == ".git" || entry.file_name() == "target";
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !hidden => walk(root, &path, found),
            Ok(kind) if kind.is_file() => found.push(path.to_string_lossy().into_owned()),
            _ => {}
        }
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
