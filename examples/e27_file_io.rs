//! File I/O: all JSON files of a folder are read at once, and a report of them is written.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wakering::fs;
use wakering::task::gather;

/// The files of a folder that end in `.json`, by name.
async fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut entries, mut found) = (fs::read_dir(folder).await?, Vec::new());
    while let Some(entry) = entries.next_entry().await? {
        found.push(entry.path());
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    found.sort();
    Ok(found)
}

async fn summary(path: PathBuf) -> io::Result<Value> {
    let content: Value = serde_json::from_slice(&fs::read(&path).await?)?;
    let keys = content.as_object().map_or(0, |object| object.len());
    Ok(json!({ "file": path.file_name().map(|name| name.to_string_lossy()), "keys": keys }))
}

#[wakering::main]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, content) in [
        ("settings.json", r#"{ "colour": "green", "size": 3, "shape": "round" }"#),
        ("empty.json", "{}"),
        ("people.json", r#"{ "ann": 34, "bob": 28 }"#),
        ("notes.txt", "This is no JSON."),
    ] {
        fs::write(folder.path().join(name), content).await?;
    }

    let summaries = gather(json_files(folder.path()).await?.into_iter().map(summary)).await?;
    let report = folder.path().join("report.txt");
    fs::write(&report, serde_json::to_string_pretty(&summaries)?).await?;
    println!("{}", fs::read_to_string(&report).await?);
    Ok(())
}
