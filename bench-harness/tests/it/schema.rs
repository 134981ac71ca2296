//! Every JSON report keeps to `docs/report.schema.json`.
//!
//! The validator knows the part of JSON Schema that the schema uses and refuses words it does not
//! know, so that no rule can be written down and silently not be checked.

use serde_json::{Map, Value, json};

use crate::program;
use crate::server::{self, OK, Server};

const SCHEMA: &str = include_str!("../../../docs/report.schema.json");

/// Checks `value` against `schema`; every violation is named by its place.
fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    check(schema, schema, value, "$")
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let rules = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => return Err(format!("{at} is not allowed")),
        Value::Object(rules) => rules,
        _ => panic!("{at}: {schema} is no schema"),
    };
    for (rule, wanted) in rules {
        let holds = match rule.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = wanted.as_str().expect("a reference is a text");
                let target = root.pointer(pointer.trim_start_matches('#'));
                check(root, target.expect(pointer), value, at)?;
                true
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().expect("a list").contains(value),
            "type" => match wanted.as_str().expect("a text") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "number" => value.is_number(),
                "integer" => value.is_u64() || value.is_i64(),
                other => panic!("unknown type {other}"),
            },
            "minimum" => value.as_f64() >= wanted.as_f64(),
            "minLength" => {
                value.as_str().map(|text| text.chars().count() as u64) >= wanted.as_u64()
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            "required" => {
                let missing = wanted
                    .as_array()
                    .expect("a list")
                    .iter()
                    .find(|key| value.get(key.as_str().expect("keys are texts")).is_none());
                match missing {
                    Some(key) => return Err(format!("{at} has no {key}")),
                    None => true,
                }
            }
            "properties" | "additionalProperties" => {
                members(root, rules, value, at)?;
                true
            }
            "propertyNames" => {
                assert_eq!(wanted, &json!({ "pattern": "^[1-5][0-9][0-9]$" }), "the one pattern");
                value
                    .as_object()
                    .into_iter()
                    .flat_map(Map::keys)
                    .all(|key| key.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)))
            }
            unknown => panic!("the validator does not know `{unknown}`"),
        };
        if !holds {
            return Err(format!("{at} = {value} violates {rule}: {wanted}"));
        }
    }
    Ok(())
}

fn members(
    root: &Value,
    rules: &Map<String, Value>,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let others = rules.get("additionalProperties").unwrap_or(&Value::Bool(true));
    for (key, member) in value.as_object().into_iter().flatten() {
        let schema = rules.get("properties").and_then(|known| known.get(key)).unwrap_or(others);
        check(root, schema, member, &format!("{at}.{key}"))?;
    }
    Ok(())
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

#[test]
fn reports_of_all_kinds_are_valid() {
    let good = Server::answering(OK);
    let silent = Server::start(server::hold);
    let folder = tempfile::tempdir().expect("a folder");
    let hgrm = folder.path().join("x.hgrm");
    for (arguments, status) in [
        (format!("{} -n 100 -c 2 --warmup 0", good.url()), 0),
        (format!("{} -R 100 -d 500ms -c 2 --warmup 100ms -H A:b", good.url()), 0),
        (format!("{} -n 10 --data x --no-keepalive --hgrm {}", good.url(), hgrm.display()), 0),
        (format!("{} -c 1 -d 200ms --timeout 100ms --warmup 0", silent.url()), 3),
        (format!("http://127.0.0.1:{}/", server::closed_port()), 3),
        ("-d 300ms --warmup 0".to_owned(), 0),
    ] {
        let (found, report) = program::report(&arguments);
        assert_eq!(found, status, "{arguments}: {report}");
        validate(&schema(), &report).unwrap_or_else(|error| panic!("{arguments}: {error}"));
    }
}

#[test]
fn the_validator_finds_violations() {
    let server = Server::answering(OK);
    let (_status, report) = program::report(&format!("{} -n 10 -c 1 --warmup 0", server.url()));
    let broken = |pointer: &str, value: Option<Value>| {
        let mut broken = report.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = broken.pointer_mut(parent).expect(pointer).as_object_mut().expect("an object");
        match value {
            Some(value) => parent.insert(key.to_owned(), value),
            None => parent.remove(key),
        };
        validate(&schema(), &broken).expect_err(pointer)
    };
    assert!(broken("/sent", None).contains("has no \"sent\""));
    assert!(broken("/sent", Some(json!(null))).contains("$.sent"));
    assert!(broken("/sent", Some(json!(-1))).contains("minimum"));
    assert!(broken("/sent", Some(json!(1.5))).contains("integer"));
    assert!(broken("/extra", Some(json!(1))).contains("$.extra is not allowed"));
    assert!(broken("/schema", Some(json!("bench-harness/2"))).contains("const"));
    assert!(broken("/latency/service/p/50", None).contains("$.latency.service.p"));
    assert!(broken("/status/999", Some(json!(1))).contains("propertyNames"));
    let error = json!([{ "class": "bad luck", "count": 1, "example": "x" }]);
    assert!(broken("/errors", Some(error)).contains("$.errors[0].class"));
}
