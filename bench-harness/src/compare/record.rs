//! The raw figures, in a file that is whole after every duel.
//!
//! A row a line, so that a difference between two files can be read. Everything that is shown is
//! made from this file, so that it can be made again.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duel::Slice;
use crate::machine::host::Host;

/// The name of the form.
const SCHEMA: &str = "bench-harness-compare/1";

/// A comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub schema: String,
    pub kernel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    pub cores: usize,
    /// The commit of the repository, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    pub quick: bool,
    pub slice_ms: u64,
    pub contestants: Vec<Version>,
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    #[serde(default)]
    pub rows: Vec<Row>,
}

/// A contestant and what it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub name: String,
    pub version: Option<String>,
}

/// What could not be measured, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub what: String,
    pub rival: String,
    pub reason: String,
}

/// One duel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub scenario: String,
    pub cell: String,
    pub subject: String,
    pub rival: String,
    /// The commit, where it is not that of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Neighbouring slices of subject and rival: operations, nanoseconds, nanoseconds of processor
    /// time, each.
    pub pairs: Vec<[u64; 6]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paced: Option<Paced>,
    /// System calls for an operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<[f64; 2]>,
    /// Allocations for an operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocations: Option<[f64; 2]>,
    /// Resident memory at the end, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<[u64; 2]>,
    /// Resident memory for a connection or task, in bytes, where that is what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<[f64; 2]>,
}

/// Slices of an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paced {
    /// Operations a second.
    pub rate: f64,
    /// Neighbouring slices: median and 99th percentile in nanoseconds, each.
    pub pairs: Vec<[u64; 4]>,
    /// Pairs that are not among them, because the client had lost its processor.
    #[serde(default)]
    pub late: u32,
}

impl Record {
    /// An empty one of this machine.
    pub fn new(host: Host, commit: Option<String>, quick: bool, slice_ms: u64) -> Record {
        let Host { kernel, cpu, cores } = host;
        let schema = SCHEMA.to_owned();
        let (contestants, left_out, rows) = (Vec::new(), Vec::new(), Vec::new());
        Record { schema, kernel, cpu, cores, commit, quick, slice_ms, contestants, left_out, rows }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Record, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| told(&error))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| told(&format!("it is no comparison: {error}")))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(SCHEMA) => serde_json::from_value(value).map_err(|error| told(&error)),
            Some(schema) => Err(told(&format!("its schema is `{schema}`, not `{SCHEMA}`"))),
            None => Err(told(&"it is no comparison: it has no `schema`")),
        }
    }

    /// Whether more figures may be added to it that are taken as `other` says; or why not.
    pub fn goes_on_with(&self, other: &Record) -> Result<(), String> {
        let differs = |what: &str, a: &str, b: &str| {
            Err(format!("it was measured with {what} {a}, and this is {b}: begin a new file"))
        };
        if self.kernel != other.kernel {
            return differs("kernel", &self.kernel, &other.kernel);
        }
        if self.cpu != other.cpu {
            let name = |cpu: &Option<String>| cpu.clone().unwrap_or_else(|| "unknown".into());
            return differs("processor", &name(&self.cpu), &name(&other.cpu));
        }
        if self.quick != other.quick {
            return differs("--quick", &self.quick.to_string(), &other.quick.to_string());
        }
        if self.slice_ms != other.slice_ms {
            return differs("--slice-ms", &self.slice_ms.to_string(), &other.slice_ms.to_string());
        }
        Ok(())
    }

    /// Whether this duel has been fought.
    pub fn has(&self, scenario: &str, cell: &str, subject: &str, rival: &str) -> bool {
        let names = [scenario, cell, subject, rival];
        self.rows
            .iter()
            .any(|row| names == [&*row.scenario, &*row.cell, &*row.subject, &*row.rival])
    }

    /// Takes a row in, in the place of the one of the same duel if there is one; `commit` is that of
    /// the programs.
    pub fn take(&mut self, mut row: Row, commit: Option<String>) {
        row.commit = if commit == self.commit { None } else { commit };
        let names =
            |row: &Row| [&row.scenario, &row.cell, &row.subject, &row.rival].map(String::clone);
        let same = names(&row);
        match self.rows.iter_mut().find(|old| names(old) == same) {
            Some(old) => *old = row,
            None => self.rows.push(row),
        }
    }

    /// The commits of rows that are not of the commit of the whole.
    pub fn other_commits(&self) -> Vec<&str> {
        let mut others: Vec<&str> =
            self.rows.iter().filter_map(|row| row.commit.as_deref()).collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    /// Notes what could not be measured, once.
    pub fn leave_out(&mut self, what: &str, rival: &str, reason: &str) {
        let (what, rival, reason) = (what.to_owned(), rival.to_owned(), reason.to_owned());
        let left_out = LeftOut { what, rival, reason };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// Writes all of it, in the place of what was there, or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        // What is no file cannot be replaced: a pipe, a device.
        let is_other = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        if is_other {
            return fs::write(path, self.text())
                .map_err(|error| format!("{}: {error}", path.display()));
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        fs::write(&beside, self.text())
            .and_then(|()| fs::rename(&beside, path))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let mut head = self.clone();
        let rows = std::mem::take(&mut head.rows);
        let mut text = serde_json::to_string_pretty(&head).expect("text and numbers can be JSON");
        // The head ends with its empty list of rows.
        let end = text.rfind("[]").expect("the list of rows is there, and last");
        text.truncate(end);
        let rows: Vec<String> = rows
            .iter()
            .map(|row| serde_json::to_string(row).expect("text and numbers can be JSON"))
            .collect();
        match rows.is_empty() {
            true => text.push_str("[]\n}\n"),
            false => text.push_str(&format!("[\n    {}\n  ]\n}}\n", rows.join(",\n    "))),
        }
        text
    }
}

impl Row {
    /// Notes pairs of slices.
    pub fn note_pairs(&mut self, pairs: &[[Slice; 2]]) {
        let three = |slice: &Slice| [slice.operations, slice.time_ns, slice.cpu_ns];
        self.pairs = pairs
            .iter()
            .map(|[a, b]| {
                let ([a0, a1, a2], [b0, b1, b2]) = (three(a), three(b));
                [a0, a1, a2, b0, b1, b2]
            })
            .collect();
    }

    /// Notes the latencies of paced slices.
    pub fn note_paced(&mut self, rate: f64, pairs: &[[Slice; 2]], late: u32) {
        let pairs = pairs.iter().filter_map(|[a, b]| {
            let (a, b) = (a.latency?, b.latency?);
            Some([a.median_ns, a.p99_ns, b.median_ns, b.p99_ns])
        });
        self.paced = Some(Paced { rate, pairs: pairs.collect(), late });
    }
}

#[cfg(test)]
pub mod sample {
    use super::*;

    /// A record of two rivals in two cells, in which the subject is ahead in one and behind in the
    /// other.
    pub fn record() -> Record {
        let host = Host { kernel: "6.1.0".into(), cpu: Some("A CPU".into()), cores: 2 };
        let mut record = Record::new(host, Some("abc1234".into()), false, 50);
        for (rival, cost) in [("tokio", 120), ("itself", 100)] {
            record.contestants.push(Version { name: rival.into(), version: Some("1.2.3".into()) });
            for (cell, cost) in [("64 B × 64", cost), ("64 B × 1", 10_000 / cost)] {
                let pair = |at: u64| [1_000, 50_000, 100 * 1_000 + at, 900, 50_000, cost * 900];
                let paced = Paced { rate: 5e3, pairs: vec![[10, 40, 10, 50]; 6], late: 1 };
                record.rows.push(Row {
                    scenario: "echo".into(),
                    cell: cell.into(),
                    subject: "wakering".into(),
                    rival: rival.into(),
                    commit: None,
                    pairs: (0..40).map(pair).collect(),
                    paced: Some(paced),
                    calls: Some([0.03, 2.1]),
                    allocations: Some([0.0, 0.0]),
                    resident: Some([3 << 20, 2 << 20]),
                    each: None,
                });
            }
        }
        record.leave_out("echo", "glommio", "it does not build: error: no such package");
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_a_row_is_a_line() {
        // Given a record in a file
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let record = sample::record();
        record.write(&path).unwrap();

        // Then it is the same when it is read, has a line for each row, and nothing lies beside it
        assert_eq!(Record::read(&path).unwrap(), record);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("\"pairs\"")).count(), 4);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        // And an empty one is read as well
        let empty = Record { rows: Vec::new(), ..record };
        empty.write(&path).unwrap();
        assert_eq!(Record::read(&path).unwrap(), empty);
    }

    #[test]
    fn a_comparison_goes_on_where_it_stopped_and_nowhere_else() {
        let record = sample::record();
        assert!(record.has("echo", "64 B × 64", "wakering", "tokio"));
        assert!(!record.has("echo", "64 B × 64", "wakering", "smol"));
        assert_eq!(record.goes_on_with(&record), Ok(()));
        let other = Record { kernel: "5.10".into(), ..record.clone() };
        let error = record.goes_on_with(&other).unwrap_err();
        assert!(error.contains("6.1.0") && error.contains("5.10"), "{error}");
        let other = Record { quick: true, ..record.clone() };
        assert!(record.goes_on_with(&other).is_err());
    }

    #[test]
    fn what_is_measured_again_takes_the_place_of_what_was() {
        // Given a row of a duel that the record has, and another one's, of a later commit
        let mut record = sample::record();
        let count = record.rows.len();
        let again = Row { pairs: vec![[1; 6]], ..record.rows[1].clone() };
        let new = Row { scenario: "udp".into(), ..again.clone() };

        // When both are taken in
        record.take(again, Some("def5678".into()));
        record.take(new, Some("abc1234".into()));

        // Then one has its place, the other is new, and the commits are told apart
        assert_eq!(record.rows.len(), count + 1);
        assert_eq!(record.rows[1].pairs, [[1; 6]]);
        assert_eq!(record.other_commits(), ["def5678"]);
        assert_eq!(record.rows[count].commit, None);
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        Record { schema: "other/1".into(), ..sample::record() }.write(&path).unwrap();
        assert!(Record::read(&path).unwrap_err().contains("other/1"));
        fs::write(&path, "{}").unwrap();
        assert!(Record::read(&path).unwrap_err().contains("it is no comparison"));
        fs::write(&path, "{").unwrap();
        assert!(Record::read(&path).unwrap_err().contains("record.json"));
        assert!(Record::read(&folder.path().join("none")).is_err());
    }
}
