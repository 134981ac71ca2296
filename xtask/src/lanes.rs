//! What a lane of tests came to, and whether that is what was expected.
//!
//! A lane is the whole test suite under one environment. A test that cannot be run somewhere prints
//! `SKIP id: probe and reason` and counts as passed for the test runner, so it is counted here:
//! `.ci/skips.txt` lists which tests may be skipped in which lane. Everything else is a failure: a
//! skip that is not listed, and a lane that really ran fewer tests than the default lane less the
//! skips that are listed.

use std::collections::BTreeSet;

use crate::version::Version;

/// The lane without any environment, which the others are compared with.
pub(crate) const DEFAULT: &str = "default";

/// What a lane came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
    /// How many of those that passed are examples of the documents.
    pub(crate) documents: usize,
    /// The ids that printed SKIP, with what they said.
    pub(crate) skips: BTreeSet<(String, String)>,
}

impl Tally {
    /// Reads what the test runner printed.
    pub(crate) fn read(output: &str) -> Tally {
        let mut tally = Tally::default();
        for line in output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                tally.passed += count(counts, "passed");
                tally.failed += count(counts, "failed");
                tally.ignored += count(counts, "ignored");
            } else if let Some(skip) = line.strip_prefix("SKIP ") {
                let (id, reason) = skip.split_once(": ").unwrap_or((skip, "no reason given"));
                tally.skips.insert((id.to_string(), reason.to_string()));
            } else if is_document(line) {
                tally.documents += 1;
            }
        }
        tally
    }

    pub(crate) fn skipped(&self) -> BTreeSet<&str> {
        self.skips.iter().map(|(id, _)| id.as_str()).collect()
    }

    /// How many tests did what they are there for.
    pub(crate) fn ran(&self) -> usize {
        self.passed.saturating_sub(self.skipped().len())
    }

    /// The skips that are not allowed.
    pub(crate) fn unlisted(&self, allowed: &BTreeSet<String>) -> Vec<String> {
        let unlisted = self.skips.iter().filter(|(id, _)| !allowed.contains(id));
        let what = "was skipped and is not listed in .ci/skips.txt";
        unlisted.map(|(id, reason)| format!("`{id}` {what}: {reason}")).collect()
    }

    /// What is wrong with this lane, given the skips that are allowed in it and the default lane.
    pub(crate) fn check(
        &self,
        allowed: &BTreeSet<String>,
        default: Option<&Tally>,
    ) -> Result<String, String> {
        let mut wrong = self.unlisted(allowed);
        if self.passed == 0 {
            wrong.push("not one test passed".to_string());
        }
        if self.failed > 0 {
            wrong.push(format!("{} tests failed", self.failed));
        }
        if let Some(default) = default {
            let left_out = if self.documents == 0 { default.documents } else { 0 };
            let expected = default.passed.saturating_sub(left_out + allowed.len());
            if self.ran() < expected {
                wrong.push(format!("only {} tests ran, expected at least {expected}", self.ran()));
            }
        }
        let note = format!(
            "{} passed, {} of them skipped, {} ignored",
            self.passed,
            self.skipped().len(),
            self.ignored
        );
        if wrong.is_empty() { Ok(note) } else { Err(format!("{note}\n{}", wrong.join("\n"))) }
    }
}

/// Whether a line says that an example of the documents has passed: such a test is called by its
/// place.
fn is_document(line: &str) -> bool {
    line.starts_with("test ") && line.contains(" (line ") && line.ends_with("... ok")
}

/// What the test runner says of the tests that failed, without all the others.
pub(crate) fn failures(output: &str) -> String {
    const LINES: usize = 400;
    let mut inside = false;
    let lines = output.lines().filter(|line| {
        inside |= *line == "failures:";
        let shown = inside;
        inside &= !line.starts_with("test result: ");
        shown
    });
    lines.take(LINES).collect::<Vec<_>>().join("\n")
}

/// The number in front of `what` in `ok. 3 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    let pair = words.windows(2).find(|pair| pair[1] == what);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

/// Where tests run, as `.ci/skips.txt` sees it.
pub(crate) struct Place<'a> {
    pub(crate) lanes: &'a [&'a str],
    pub(crate) kernel: Option<Version>,
}

impl Place<'_> {
    /// Whether it is what `word` names: `*` for every place, a lane, `6.1` for a kernel, or `<6.0`
    /// for older ones.
    fn is(&self, word: &str) -> Result<bool, String> {
        if let Some(version) = word.strip_prefix('<') {
            let version = version.parse()?;
            return Ok(self.kernel.is_some_and(|kernel| kernel < version));
        }
        let is_kernel = || word.parse().is_ok_and(|version| self.kernel == Some(version));
        Ok(word == "*" || self.lanes.contains(&word) || is_kernel())
    }
}

/// The kernel of this machine.
pub(crate) fn own_kernel() -> Option<Version> {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.parse().ok()
}

/// The ids that may be skipped at `place`, according to the text of `.ci/skips.txt`: lines of
/// places with commas between them and an id; `#` starts a comment.
pub(crate) fn allowed(text: &str, place: &Place<'_>) -> Result<BTreeSet<String>, String> {
    let mut allowed = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        let wrong = |what: &str| format!(".ci/skips.txt:{}: {what}", at + 1);
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [places, id] => {
                for word in places.split(',') {
                    if place.is(word).map_err(|error| wrong(&error))? {
                        allowed.insert((*id).to_string());
                    }
                }
            }
            _ => return Err(wrong("expected places and an id")),
        }
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a ... ok
successes:
---- b stdout ----
SKIP b: the ring has no multishot_recv
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
SKIP b: the ring has no multishot_recv
test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
";

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn results_of_all_binaries_are_added_and_skips_are_counted_once() {
        let tally = Tally::read(OUTPUT);
        assert_eq!((tally.passed, tally.failed, tally.ignored, tally.ran()), (43, 2, 1, 42));
        let skip = ("b".to_string(), "the ring has no multishot_recv".to_string());
        assert_eq!(tally.skips, BTreeSet::from([skip]));
    }

    #[test]
    fn failures_are_shown_without_the_rest() {
        let output = "running 2 tests\n\nsuccesses:\nfine\nfailures:\n\n---- b stdout ----\nwhy\n\n\
                      failures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed\nrunning 1 test\n";
        let failures = failures(output);
        assert!(failures.starts_with("failures:") && failures.contains("why"));
        assert!(!failures.contains("fine") && !failures.contains("running"));
    }

    #[test]
    fn a_lane_is_good_only_if_nothing_is_missing_that_is_not_listed() {
        let default = Tally { passed: 10, ..Tally::default() };
        let skips = BTreeSet::from([("s".to_string(), "why".to_string())]);
        let lane = Tally { passed: 10, skips, ..Tally::default() };

        assert!(lane.check(&ids(&["s"]), Some(&default)).is_ok());
        let unlisted = lane.check(&ids(&[]), Some(&default)).unwrap_err();
        assert!(unlisted.contains("`s` was skipped") && unlisted.contains("only 9 tests ran"));

        let fewer = Tally { passed: 8, ..Tally::default() };
        assert!(fewer.check(&ids(&["s"]), Some(&default)).unwrap_err().contains("only 8 tests"));
        let failed = Tally { passed: 10, failed: 1, ..Tally::default() };
        assert!(failed.check(&ids(&[]), None).unwrap_err().contains("1 tests failed"));
        assert!(Tally::default().check(&ids(&[]), None).is_err());
    }

    #[test]
    fn a_lane_may_leave_out_all_examples_of_the_documents_and_no_other_test() {
        let output = "test a ... ok\ntest src/lib.rs - b (line 3) ... ok\n\
                      test src/lib.rs - c (line 9) - compile fail ... ok\n\
                      test result: ok. 3 passed; 0 failed; 0 ignored\n";
        let whole = Tally::read(output);
        assert_eq!((whole.passed, whole.documents), (3, 2));
        let without = Tally { passed: 1, ..Tally::default() };
        assert!(without.check(&ids(&[]), Some(&whole)).is_ok());
        let few = Tally { passed: 2, documents: 1, ..Tally::default() };
        assert!(few.check(&ids(&[]), Some(&whole)).unwrap_err().contains("only 2 tests ran"));
    }

    #[test]
    fn the_list_names_places_and_ids() {
        let text = "# why\n* everywhere # here too\nt0,<6.0 old\nguest,t1 small\n6.17 odd\n";
        let of = |lanes: &[&str], kernel: Option<&str>| {
            let kernel = kernel.map(|kernel| kernel.parse().unwrap());
            allowed(text, &Place { lanes, kernel })
        };
        assert_eq!(of(&["t0"], None), Ok(ids(&["everywhere", "old"])));
        assert_eq!(of(&["t1"], None), Ok(ids(&["everywhere", "small"])));
        assert_eq!(of(&["guest"], Some("5.19.1")), Ok(ids(&["everywhere", "old", "small"])));
        assert_eq!(of(&["uring"], Some("6.0")), Ok(ids(&["everywhere"])));
        assert_eq!(of(&["uring"], Some("6.17.8")), Ok(ids(&["everywhere", "odd"])));
        let here = Place { lanes: &[], kernel: None };
        for (wrong, says) in [("t0", "expected places"), ("* a b", "expected"), ("<six a", "six")] {
            let error = allowed(wrong, &here).unwrap_err();
            assert!(error.starts_with(".ci/skips.txt:1: ") && error.contains(says), "{error}");
        }
    }
}
