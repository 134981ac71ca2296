//! Whether each public future has a row in the table of those that are dropped at every await.
//!
//! Whoever adds an `async fn` forgets what happens when it is dropped halfway; the table does not.
//! What is public and gives a future is read off rustdoc's JSON, and the table's rows name what
//! they drop: `net::TcpStream::read`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The crates whose futures people await; those of the driver are dropped by its own tests.
pub(crate) const CRATES: [&str; 3] = ["runtime", "net", "fs"];

/// Where rustdoc writes, apart from everything else so that nothing is built twice.
pub(crate) const TARGET: &str = "target/futures";

const TABLE: &str = "tests/drop_at_every_await";

/// Compares the JSON that lies under [`TARGET`] with the table. Says how many futures there are, or
/// which have no row, and which rows have no future.
pub(crate) fn compare(root: &Path) -> Result<String, String> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let mut there = BTreeSet::new();
    for name in CRATES {
        let path = root.join(TARGET).join(format!("doc/wakering_{name}.json"));
        let json = serde_json::from_str(&read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        there.extend(futures(name, &json));
    }
    let table = root.join(TABLE);
    let mut rows = BTreeSet::new();
    for entry in fs::read_dir(&table).map_err(|error| format!("cannot list {TABLE}: {error}"))? {
        let path = entry.map_err(|error| format!("cannot list {TABLE}: {error}"))?.path();
        rows.extend(named(&read(&path)?));
    }
    let without_row = there.difference(&rows).map(|name| format!("{name} has no row in {TABLE}"));
    let without_future = rows.difference(&there).map(|name| format!("{TABLE}: no future {name}"));
    let complaints: Vec<String> = without_row.chain(without_future).collect();
    match complaints.is_empty() {
        true => Ok(format!("{} futures", there.len())),
        false => Err(complaints.join("\n")),
    }
}

/// The public futures of a crate: functions that are `async` or return `impl Future`, by whom they
/// belong to, and types that are futures. What implements a trait is not named again.
fn futures(name: &str, json: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let items = || json["index"].as_object().into_iter().flat_map(|index| index.values());
    let mut owned = BTreeSet::new();
    for item in items() {
        let (implementation, definition) = (&item["inner"]["impl"], &item["inner"]["trait"]);
        let owner = match (implementation.is_object(), definition.is_object()) {
            (true, _) => last(&implementation["for"]["resolved_path"]["path"]),
            (_, true) => item["name"].as_str(),
            _ => continue,
        };
        let of = &implementation["trait"];
        if last(&of["path"]) == Some("Future") {
            found.extend(owner.map(|owner| format!("{name}::{owner}")));
        }
        let members = [&implementation["items"], &definition["items"]];
        for id in members.into_iter().filter_map(Value::as_array).flatten() {
            owned.insert(id.to_string());
            let member = &json["index"][id.to_string()];
            if of.is_null() && gives_future(member) {
                let function = member["name"].as_str().unwrap_or_default();
                found.extend(owner.map(|owner| format!("{name}::{owner}::{function}")));
            }
        }
    }
    for item in items() {
        if gives_future(item) && !owned.contains(&item["id"].to_string()) {
            found.extend(item["name"].as_str().map(|function| format!("{name}::{function}")));
        }
    }
    found
}

fn gives_future(item: &Value) -> bool {
    let function = &item["inner"]["function"];
    let bounds = function["sig"]["output"]["impl_trait"].as_array();
    function["header"]["is_async"] == true
        || bounds
            .into_iter()
            .flatten()
            .any(|bound| last(&bound["trait_bound"]["trait"]["path"]) == Some("Future"))
}

/// The last name of a path.
fn last(path: &Value) -> Option<&str> {
    path.as_str()?.rsplit("::").next()
}

/// The futures that a part of the table names, each a string of its own.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |text: &&str| {
        let (first, rest) = text.split_once("::").unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        CRATES.contains(&first) && !rest.is_empty() && rest.chars().all(is_word)
    };
    text.split('"').filter(is_name).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(id: u32, name: &str, is_async: bool, output: Value) -> Value {
        let header = json!({ "is_async": is_async });
        let inner = json!({ "function": { "header": header, "sig": { "output": output } } });
        json!({ "id": id, "name": name, "inner": inner })
    }

    #[test]
    fn futures_are_async_functions_and_those_that_say_so_and_types() {
        let future =
            json!({ "impl_trait": [{ "trait_bound": { "trait": { "path": "Future" } } }] });
        let of = |path: &str| json!({ "resolved_path": { "path": path } });
        let json = json!({ "index": {
            "1": function(1, "lookup", true, Value::Null),
            "2": function(2, "plain", false, of("Sleep")),
            "3": function(3, "connect", true, Value::Null),
            "4": function(4, "read", false, future.clone()),
            "5": function(5, "read", true, Value::Null),
            "6": function(6, "timeout", false, future),
            "7": { "id": 7, "inner": { "impl":
                { "for": of("crate::TcpStream"), "trait": null, "items": [3] } } },
            "8": { "id": 8, "name": "AsyncRead", "inner": { "trait": { "items": [4] } } },
            "9": { "id": 9, "inner": { "impl":
                { "for": of("TcpStream"), "trait": { "path": "AsyncRead" }, "items": [5] } } },
            "10": { "id": 10, "inner": { "impl":
                { "for": of("Sleep"), "trait": { "path": "std::future::Future" }, "items": [] } } },
        } });
        let found: Vec<String> = futures("net", &json).into_iter().collect();
        let expected =
            ["net::AsyncRead::read", "net::Sleep", "net::TcpStream::connect", "net::lookup"];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4..], ["net::timeout"]);
    }

    #[test]
    fn rows_are_strings_that_begin_with_a_crate() {
        let text = r#"row("net::TcpStream::read", read); use fs::File; panic!("fs::read fails");
            row("fs::read", || "text"); row("http::serve", x)"#;
        let found: Vec<String> = named(text).into_iter().collect();
        assert_eq!(found, ["fs::read", "net::TcpStream::read"]);
    }
}
