//! The table that people read: a row for each kernel and lane, and what was skipped where and why.

use std::collections::BTreeMap;

use super::outcome::{Outcome, Row};

const HEAD: [&str; 7] = ["kernel", "backend", "tier", "passed", "failed", "skipped", "seconds"];

/// The table, and below it the skips: each reason once, with the kernels and backends that gave it.
pub(super) fn render(outcomes: &[(String, Outcome)]) -> String {
    let mut lines = vec![HEAD.map(str::to_string)];
    for (name, outcome) in outcomes {
        let kernel = outcome.release.as_ref().unwrap_or(name);
        lines.extend(outcome.rows.iter().map(|row| cells(kernel, row)));
        if outcome.rows.is_empty() {
            let mut cells = HEAD.map(|_| "-".to_string());
            cells[0].clone_from(kernel);
            lines.push(cells);
        }
    }
    let mut text = grid(&lines);
    let mut reasons: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (name, outcome) in outcomes {
        for row in &outcome.rows {
            for (id, reason) in &row.tally.skips {
                reasons.entry((id, reason)).or_default().push(format!("{name} {}", row.backend));
            }
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nskipped:\n");
    }
    for ((id, reason), places) in reasons {
        text.push_str(&format!("- {id}: {reason} ({})\n", places.join(", ")));
    }
    text
}

fn cells(kernel: &str, row: &Row) -> [String; 7] {
    [
        kernel.to_string(),
        row.backend.clone(),
        row.tier.clone(),
        row.tally.ran().to_string(),
        row.tally.failed.to_string(),
        row.tally.skipped().len().to_string(),
        format!("{:.0}", row.seconds),
    ]
}

/// Rows under a head, as Markdown has them.
fn grid(lines: &[[String; 7]]) -> String {
    let width = |column: usize| lines.iter().map(|cells| cells[column].len()).max().unwrap_or(0);
    let mut text = String::new();
    for (at, cells) in lines.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            text.push_str(&format!("| {cell:<width$} ", width = width(column)));
        }
        text.push_str("|\n");
        if at == 0 {
            (0..cells.len()).for_each(|column| {
                text.push_str(&format!("|{}", "-".repeat(width(column) + 2)));
            });
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::Tally;

    fn outcome(release: &str, tier: &str, skip: &str) -> Outcome {
        let skips = [(skip.to_string(), "no such thing".to_string())].into();
        let tally = Tally { passed: 12, failed: 1, skips, ..Tally::default() };
        let (backend, tier) = ("uring".to_string(), tier.to_string());
        Outcome {
            release: Some(release.to_string()),
            rows: vec![Row { backend, tier, tally, seconds: 3.4 }],
            complaints: Vec::new(),
        }
    }

    #[test]
    fn rows_stand_under_their_heads_and_reasons_once() {
        let outcomes = [
            ("5.10".to_string(), outcome("5.10.0-46-cloud-amd64", "T0", "a")),
            ("6.1".to_string(), outcome("6.1.0", "T2", "a")),
            ("7.3".to_string(), Outcome::default()),
        ];
        assert_eq!(
            render(&outcomes),
            "\
| kernel                | backend | tier | passed | failed | skipped | seconds |
|-----------------------|---------|------|--------|--------|---------|---------|
| 5.10.0-46-cloud-amd64 | uring   | T0   | 11     | 1      | 1       | 3       |
| 6.1.0                 | uring   | T2   | 11     | 1      | 1       | 3       |
| 7.3                   | -       | -    | -      | -      | -       | -       |

skipped:
- a: no such thing (5.10 uring, 6.1 uring)
"
        );
    }
}
