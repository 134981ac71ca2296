//! Which crate may name which: ours strictly downwards, others' only where they belong.
//!
//! A new arrow, or a new crate of others, is an architecture change. It comes in a commit of its
//! own that says why, and that commit changes the table here.

use std::collections::BTreeSet;

use serde_json::Value;

/// What one crate may depend on, besides itself.
struct Arrow {
    from: &'static str,
    ours: &'static [&'static str],
    others: &'static [&'static str],
}

const DRIVER: &str = "wakering-ring-driver";
const RUNTIME: &str = "wakering-runtime";
const NET: &str = "wakering-net";
const FS: &str = "wakering-fs";
const HTTP: &str = "wakering-http";
const MACROS: &str = "wakering-macros";

const ARROWS: &[Arrow] = &[
    Arrow { from: DRIVER, ours: &[], others: &["bytes", "io-uring", "libc", "loom", "slab"] },
    Arrow {
        from: RUNTIME,
        ours: &[DRIVER],
        others: &["futures-core", "loom", "pin-project-lite", "slab"],
    },
    Arrow { from: NET, ours: &[DRIVER, RUNTIME], others: &["futures-core"] },
    Arrow { from: FS, ours: &[DRIVER, RUNTIME], others: &["futures-core"] },
    Arrow {
        from: HTTP,
        ours: &[DRIVER, RUNTIME, NET],
        others: &["bytes", "http", "http-body", "hyper"],
    },
    // It names the facade in what it expands to, and nothing in what it is.
    Arrow { from: MACROS, ours: &[], others: &[] },
    Arrow { from: "wakering", ours: &[DRIVER, RUNTIME, NET, FS, HTTP, MACROS], others: &[] },
    Arrow {
        from: "bench-harness",
        ours: &["wakering"],
        others: &[
            "base64",
            "bytes",
            "clap",
            "flate2",
            "futures-util",
            "hdrhistogram",
            "http",
            "http-body",
            "http-body-util",
            "httparse",
            "httpdate",
            "hyper",
            "indicatif",
            "rustix",
            "serde",
            "serde_json",
            "signal-hook",
        ],
    },
    // For the filter under which `forbid-uring` starts its command.
    Arrow { from: "xtask", ours: &[DRIVER], others: &["flate2", "serde_json"] },
];

/// How many crates a user of the facade builds at most.
const CRATES_MAX: usize = 15;

/// What nobody gets who did not ask for it.
const UNASKED: &[&str] = &["hyper", "tokio", "mio", "rustls"];

/// What is wrong with the dependencies that `cargo metadata` tells of.
pub(super) fn complaints(metadata: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    for package in array(&metadata["packages"]) {
        let from = package["name"].as_str().unwrap_or_default();
        let Some(arrow) = ARROWS.iter().find(|arrow| arrow.from == from) else {
            complaints
                .push(format!("{from} is not in the table of arrows (xtask/src/tidy/arrows.rs)"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let to = dependency["name"].as_str().unwrap_or_default();
            let ours = ARROWS.iter().any(|arrow| arrow.from == to);
            let for_tests = dependency["kind"] == "dev";
            let fine = match (ours, for_tests) {
                (true, false) => arrow.ours.contains(&to),
                (true, true) => arrow.ours.contains(&to) || to == from,
                (false, false) => arrow.others.contains(&to),
                (false, true) => true,
            };
            if !fine {
                complaints.push(format!("{from} must not depend on {to}"));
            }
        }
    }
    complaints
}

/// What is wrong with the crates that `cargo tree` lists for a user of the facade.
pub(super) fn tree_complaints(tree: &str) -> Vec<String> {
    let crates: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let mut complaints = Vec::new();
    if crates.len() > CRATES_MAX {
        let list = crates.iter().copied().collect::<Vec<_>>().join(", ");
        complaints.push(format!(
            "`cargo add wakering` builds {} crates, at most {CRATES_MAX} are allowed: {list}",
            crates.len()
        ));
    }
    for unasked in UNASKED.iter().filter(|name| crates.contains(*name)) {
        complaints.push(format!("`cargo add wakering` builds {unasked}, which nobody asked for"));
    }
    complaints
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(from: &str, to: &str, kind: Value) -> Vec<String> {
        complaints(&json!({
            "packages": [{"name": from, "dependencies": [{"name": to, "kind": kind}]}]
        }))
    }

    #[test]
    fn arrows_point_down() {
        assert!(of(NET, RUNTIME, Value::Null).is_empty());
        assert_eq!(of(RUNTIME, NET, Value::Null), [format!("{RUNTIME} must not depend on {NET}")]);
        assert_eq!(of(RUNTIME, NET, json!("dev")).len(), 1);
        assert_eq!(of(FS, NET, Value::Null).len(), 1);
        assert_eq!(of("bench-harness", RUNTIME, Value::Null).len(), 1);
        assert!(of(RUNTIME, RUNTIME, json!("dev")).is_empty());
        assert!(of("wakering", MACROS, Value::Null).is_empty());
        assert_eq!(of(MACROS, RUNTIME, Value::Null).len(), 1);
        assert_eq!(of("wakering-new", RUNTIME, Value::Null).len(), 1);
    }

    #[test]
    fn crates_of_others_stay_where_they_belong() {
        assert!(of(DRIVER, "libc", Value::Null).is_empty());
        assert_eq!(of(NET, "libc", Value::Null).len(), 1);
        assert_eq!(of(RUNTIME, "tokio", Value::Null).len(), 1);
        assert!(of(NET, "proptest", json!("dev")).is_empty());
    }

    #[test]
    fn the_arrows_have_no_cycle() {
        for (at, arrow) in ARROWS.iter().enumerate() {
            let above: Vec<&str> = ARROWS[at..].iter().map(|arrow| arrow.from).collect();
            assert!(arrow.ours.iter().all(|to| !above.contains(to)), "{}", arrow.from);
        }
    }

    #[test]
    fn a_user_builds_few_crates_and_none_unasked() {
        let tree = "wakering v0.1.0 (/somewhere)\nlibc v0.2.1\nlibc v0.2.1 (*)\n";
        assert!(tree_complaints(tree).is_empty());
        assert_eq!(tree_complaints(&format!("{tree}tokio v1.0.0\n")).len(), 1);
        let many: String = (0..16).map(|at| format!("crate{at} v1.0.0\n")).collect();
        assert!(tree_complaints(&many)[0].contains("builds 16 crates"));
    }
}
