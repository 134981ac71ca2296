//! The conformance cases, and the tests that are named after them: `case_r01_…` is a test of R01.
//!
//! The table in `tests/README.md` tells where each case is tested. It is right if it names just the
//! files that have such tests.

use std::collections::BTreeSet;

/// Where the table is.
pub(super) const TABLE: &str = "tests/README.md";

/// An id, and a file with a test of it.
pub(super) type Case = (String, String);

/// The cases of which the file at `path` has a test.
pub(super) fn tested(path: &str, text: &str) -> BTreeSet<Case> {
    let names = text.lines().filter_map(|line| line.trim_start().split_once("fn case_"));
    let ids = names.filter_map(|(before, name)| {
        let (id, _) = name.split_once('_')?;
        let is_function = before.is_empty() || before == "async ";
        (is_function && is_id(&id.to_uppercase())).then(|| id.to_uppercase())
    });
    ids.map(|id| (id, path.to_string())).collect()
}

/// The cases that the rows of the table list: an id, and files in backquotes.
pub(super) fn listed(text: &str) -> BTreeSet<Case> {
    let rows = text.lines().filter_map(|line| {
        let (id, files) = line.strip_prefix("| ")?.split_once(" | ")?;
        is_id(id).then_some((id, files))
    });
    rows.flat_map(|(id, files)| {
        // What is between the first quotes, the next ones, and so on.
        let files = files.split('`').skip(1).step_by(2);
        files.map(move |file| (id.to_string(), file.to_string()))
    })
    .collect()
}

/// A letter and two digits.
fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 3 && bytes[0].is_ascii_uppercase() && bytes[1..].iter().all(u8::is_ascii_digit)
}

/// How the table differs from the tests that there are.
pub(super) fn complaints(listed: &BTreeSet<Case>, tested: &BTreeSet<Case>) -> Vec<String> {
    let without_test = listed
        .difference(tested)
        .map(|(id, file)| format!("{TABLE}: no test `case_{}_…` in {file}", id.to_lowercase()));
    let without_row = tested.difference(listed);
    let without_row = without_row.map(|(id, file)| format!("{TABLE} lacks `{file}` at {id}"));
    without_test.chain(without_row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written such that no line of it looks like a test of this file.
    const TESTS: &str = "#[test]\nfn case_r01_a_value_comes_back() {}\n    async fn \
        case_x12_deeper() {}\n/// As fn case_r02_ does.\nfn \
        case_of_its_own() {}\nin_child(\"case_r03_in_a_string\")";

    #[test]
    fn tests_are_found_by_their_names() {
        let found: Vec<String> = tested("it.rs", TESTS).into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, ["R01", "X12"]);
    }

    #[test]
    fn a_table_names_the_files_that_have_tests_and_no_others() {
        let table = "| id | files |\n|---|---|\n| R01 | `it.rs`, `gone.rs` |\n| where | `what` |";
        assert_eq!(
            complaints(&listed(table), &tested("it.rs", TESTS)),
            [
                "tests/README.md: no test `case_r01_…` in gone.rs",
                "tests/README.md lacks `it.rs` at X12",
            ]
        );
        let table = "| R01 | `it.rs` |\n| X12 | `it.rs` |";
        assert!(complaints(&listed(table), &tested("it.rs", TESTS)).is_empty());
    }
}
