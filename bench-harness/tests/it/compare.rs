//! The verb `compare`, with scripts in the place of runtimes: they speak as the rivals do, and cost
//! nothing to build.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{complaint, run};

/// Answers every slice after a while with a hundred operations.
const GOOD: &str = "#!/bin/sh
echo ready
while read verb number; do
    case $verb in
        slice) sleep 0.01; echo done 100 10000000 ;;
        allocations) echo 5 ;;
    esac
done
";

/// The same, with a warning.
const WARNING: &str = "#!/bin/sh
echo the limit is low >&2
exec ${0%/*}/good
";

/// Has a word to say before it ends.
const BAD: &str = "#!/bin/sh
echo no such luck >&2
exit 3
";

/// A folder with scripts, which is taken for the rivals' workspace.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("Cargo.toml"), "").expect("it can be written");
    for (name, script) in [("good", GOOD), ("warning", WARNING), ("bad", BAD)] {
        let path = folder.path().join(name);
        fs::write(&path, script).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    folder
}

fn compare(folder: &Path, arguments: &str) -> Output {
    let at = folder.display();
    run(&format!(
        "compare --no-build --rivals {at} --subject subject={at}/good --seconds 0.01 --slice-ms 10 \
         {arguments}"
    ))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn rows(path: &Path) -> Vec<(String, String)> {
    let record: Value = serde_json::from_slice(&fs::read(path).expect("it is there"))
        .expect("it is whole after every duel");
    let rows = record["rows"].as_array().expect("rows are a list");
    let word = |row: &Value, key: &str| row[key].as_str().expect("names are text").to_owned();
    rows.iter().map(|row| (word(row, "scenario"), word(row, "rival"))).collect()
}

#[test]
fn a_comparison_goes_on_where_it_stopped_and_leaves_out_who_fails() {
    // Given a comparison of one rival, which is kept in a file
    let folder = folder();
    let (at, json) = (folder.path().display(), folder.path().join("record.json"));
    let one = format!("--scenario yield --rival one={at}/good");
    let output = compare(folder.path(), &format!("{one} --json {}", json.display()));
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(text(&output).contains("| one | "), "{}", text(&output));
    assert_eq!(rows(&json), [("yield".into(), "one".into())]);

    // When it goes on with a second rival, and with one that fails
    let html = folder.path().join("page.html");
    let more = format!("{one} --rival two={at}/warning --rival three={at}/bad");
    let files = format!("--resume {} --html {}", json.display(), html.display());
    let output = compare(folder.path(), &format!("{more} {files}"));

    // Then only the second is run, the third is named, and everything is shown
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let said = complaint(&output);
    assert!(said.contains("yield, three: left out: no such luck"), "{said}");
    assert!(said.contains("two: the limit is low"), "{said}");
    let text = text(&output);
    assert!(text.contains("subject   / two") && !text.contains("subject   / one"), "{text}");
    assert!(text.contains("| one | ") && text.contains("| two | "), "{text}");
    assert_eq!(rows(&json), [("yield".into(), "one".into()), ("yield".into(), "two".into())]);
    assert!(fs::read_to_string(html).expect("the page is there").contains("<svg"));

    // And the file can be shown again without running anything
    let output = run(&format!("compare --render {}", json.display()));
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(self::text(&output).contains("| two | "));
}

#[test]
fn what_is_measured_again_takes_the_place_of_what_the_file_has() {
    // Given a comparison in two scenarios, one of which a rival was left out of
    let folder = folder();
    let (at, json) = (folder.path().display(), folder.path().join("record.json"));
    let rivals = format!("--rival one={at}/good --rival bad={at}/bad");
    let first = format!("--scenario yield,channel {rivals} --json {}", json.display());
    let output = compare(folder.path(), &first);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let before = fs::read_to_string(&json).expect("it is there");

    // When one of them is measured again
    let again = format!("--scenario channel {rivals} --again --resume {}", json.display());
    let output = compare(folder.path(), &again);

    // Then that one is run, nothing else is, and each duel is there once
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(text(&output).starts_with("channel "), "{}", text(&output));
    assert_eq!(rows(&json), [("yield".into(), "one".into()), ("channel".into(), "one".into())]);
    let after = fs::read_to_string(&json).expect("it is there");
    let line = |text: &str, name: &str| {
        let name = format!("\"scenario\":\"{name}\"");
        text.lines().find(|line| line.contains(&name)).expect("there is a row").to_owned()
    };
    assert_eq!(line(&before, "yield"), line(&after, "yield"));
    assert_ne!(line(&before, "channel"), line(&after, "channel"));

    // And what was left out is still told, for both
    assert_eq!(after.matches("no such luck").count(), 2, "{after}");
}

#[test]
fn a_rival_that_does_not_build_stops_no_other() {
    // Given a workspace without any package
    let folder = folder();
    let at = folder.path().display();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").expect("it can be written");

    // When one of them is asked for, and a program that needs no building
    let output = run(&format!(
        "compare --rivals {at} --subject subject={at}/good --seconds 0.01 --slice-ms 10 --scenario \
         yield --rival tokio --rival one={at}/good"
    ));

    // Then it is named, and the other is compared
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("everything, tokio: left out: "), "{said}");
    assert!(text(&output).contains("| one | "), "{}", text(&output));
}

#[test]
fn nothing_to_compare_is_a_failure() {
    let folder = folder();
    let at = folder.path().display();
    let output = compare(folder.path(), &format!("--scenario yield --rival bad={at}/bad"));
    assert_eq!(output.status.code(), Some(1));
    let said = complaint(&output);
    assert!(said.contains("nothing could be compared"), "{said}");
}

#[test]
fn bad_arguments_end_with_2_and_one_line() {
    let folder = folder();
    let empty = tempfile::tempdir().expect("there is room");
    for (arguments, said) in [
        ("--scenario ehco", "--scenario ehco: there are echo"),
        ("--rival tokyo", "--rival tokyo: there are raw-uring"),
        ("--rival mine=", "NAME=COMMAND"),
        ("--slice-ms 0", "--slice-ms"),
        ("--render /no/such/file", "/no/such/file: No such file"),
        ("--resume /no/such/file", "--resume /no/such/file: No such file"),
        ("--json /no/such/folder/x", "/no/such/folder/x"),
        ("--html /no/such/folder/x", "/no/such/folder/x"),
        ("--into x", "--render"),
        ("--again", "--resume"),
        ("--resume Cargo.toml", "it is no comparison"),
        ("--resume ../docs/report.schema.json", "it is no comparison"),
    ] {
        let output = compare(folder.path(), arguments);
        let complaint = complaint(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.contains(said), "`{complaint}` does not say `{said}`");
    }
    let output = run(&format!("compare --rivals {}", empty.path().display()));
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("come with the repository"), "{}", complaint(&output));
}

#[test]
fn scenarios_and_rivals_are_listed() {
    let output = run("compare --list");
    assert_eq!(output.status.code(), Some(0));
    for name in ["echo", "read-direct", "glommio", "raw-epoll"] {
        assert!(text(&output).contains(name), "{name} is not in\n{}", text(&output));
    }
}
