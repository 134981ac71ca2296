//! What the figures say, as tables that can be read as text and as Markdown.

use super::contestant::{ITSELF, REFERENCES};
use super::record::{Record, Row};
use super::statistics::Estimate;
use super::summary::{Group, Metric, Verdict, groups};

/// The marks of a document between which the tables stand.
pub const MARKS: [&str; 2] = ["<!-- tables: begin -->", "<!-- tables: end -->"];

/// How the tables are to be read.
pub const LEGEND: &str = "Ratios are those of the subject to the rival: median of the paired \
    slices, and its interval of 95 %. Bold is behind: the interval lies wholly more than 2 % on the \
    losing side. `=` is neither ahead nor behind. `itself` is the subject against itself: what \
    differs from 1 there is error.";

/// All tables.
pub fn markdown(record: &Record) -> String {
    let mut text = format!("{}\n\n{LEGEND}\n", provenance(record));
    if let Some(line) = reference(record) {
        text.push_str(&format!("\n{line}\n"));
    }
    for group in groups(record) {
        text.push_str(&format!("\n### {}\n", heading(record, &group)));
        text.push_str(&format!("\n{}\n", about(&group)));
        for metric in group.metrics(record) {
            if let Some(table) = ratios(record, &group, *metric) {
                let title = format!("{}, {} / rival", metric.title(), group.subject);
                text.push_str(&format!("\n{title}:\n\n{table}"));
            }
        }
        if let Some(line) = late(&group) {
            text.push_str(&format!("\n{line}\n"));
        }
        if !group.is_main(record) {
            continue;
        }
        let first = Metric::of(group.family)[0];
        if let Some(table) = medians(record, &group, first) {
            let (title, unit) = (first.title(), first.unit());
            let title = format!("{title}, {} and rival in the same run, {unit}", group.subject);
            text.push_str(&format!("\n{title}:\n\n{table}"));
        }
        if let Some(table) = counts(record, &group) {
            let title = "System calls, allocations for an operation, and resident MiB";
            let subject = group.subject;
            text.push_str(&format!("\n{title}, {subject} and rival:\n\n{table}"));
        }
    }
    if !record.left_out.is_empty() {
        text.push_str("\n### Left out\n\n");
        for left_out in &record.left_out {
            text.push_str(&format!(
                "- {}, {}: {}\n",
                left_out.what, left_out.rival, left_out.reason
            ));
        }
    }
    text
}

/// `document` with the tables of `record` between its marks; or what it lacks.
pub fn put_into(document: &str, record: &Record) -> Result<String, String> {
    let [begin, end] = MARKS;
    let lacks = || format!("it lacks the lines `{begin}` and `{end}`");
    let (before, rest) = document.split_once(begin).ok_or_else(lacks)?;
    let (_, after) = rest.split_once(end).ok_or_else(lacks)?;
    Ok(format!("{before}{begin}\n\n{}\n{end}{after}", markdown(record)))
}

/// Where the figures come from.
pub fn provenance(record: &Record) -> String {
    let cpu = record.cpu.as_deref().unwrap_or("unknown processor");
    let mut commit = record.commit.as_ref().map(|commit| format!(", commit {commit}"));
    let others = record.other_commits();
    if !others.is_empty() {
        let of = others.join(", ");
        commit = Some(format!("{}, in part {of}", commit.unwrap_or_default()));
    }
    let quick = if record.quick { ", a quick run" } else { "" };
    format!(
        "Linux {}, {} × {cpu}, slices of {} ms{quick}{}.",
        record.kernel,
        record.cores,
        record.slice_ms,
        commit.unwrap_or_default()
    )
}

/// Whether the reference counts: only while its processor time is within 5 % of the other's.
pub fn reference(record: &Record) -> Option<String> {
    let [one, other] = REFERENCES;
    let groups = groups(record);
    let group = groups.iter().find(|group| group.subject == one)?;
    let rows = group.whole(other)?;
    let mean = Metric::Cpu.mean(&rows).or_else(|| Metric::Cpu.ratio(rows[0]))?;
    let counts = if mean.value <= 1.05 { "counts" } else { "does not count" };
    Some(format!(
        "The reference {one} {counts}: its processor time is {} of {other}'s.",
        plain(mean)
    ))
}

/// How many pairs of paced slices do not count; nothing if all do.
pub fn late(group: &Group<'_>) -> Option<String> {
    let (mut late, mut all) = (0, 0);
    for paced in group.rows().filter_map(|row| row.paced.as_ref()) {
        late += u64::from(paced.late);
        all += u64::from(paced.late) + paced.pairs.len() as u64;
    }
    let line = format!(
        "Of {} pairs of slices at half load, {} are left out: the client had lost its processor.",
        crate::quantity::count(all),
        crate::quantity::count(late)
    );
    (late > 0).then_some(line)
}

/// A group's name; that of another subject is told.
pub fn heading(record: &Record, group: &Group<'_>) -> String {
    match group.is_main(record) {
        true => group.title().to_owned(),
        false => format!("{}: {}", group.title(), group.subject),
    }
}

/// What one operation is.
pub fn about(group: &Group<'_>) -> String {
    let mut told = Vec::new();
    for (scenario, _) in &group.cells {
        let line = format!("`{}`: {}", scenario.name, scenario.about);
        if !told.contains(&line) {
            told.push(line);
        }
    }
    format!("An operation is, in {}.", told.join("; in "))
}

/// The ratios of a metric, a line for each rival; nothing if there are none.
fn ratios(record: &Record, group: &Group<'_>, metric: Metric) -> Option<String> {
    let cell = |row: &Row| metric.ratio(row).map(|ratio| marked(metric, ratio));
    let mean = |rival: &str| {
        let rows = group.whole(rival)?;
        metric.mean(&rows).map(|ratio| marked(metric, ratio))
    };
    table(record, group, cell, group.has_mean().then_some(&mean))
}

fn medians(record: &Record, group: &Group<'_>, metric: Metric) -> Option<String> {
    let cell = |row: &Row| {
        let [a, b] = metric.medians(row)?;
        Some(format!("{} / {}", number(a), number(b)))
    };
    table(record, group, cell, None)
}

fn counts(record: &Record, group: &Group<'_>) -> Option<String> {
    let cell = |row: &Row| {
        row.calls.or(row.allocations)?;
        let [a, b] = [0, 1].map(|side| {
            let calls = row.calls.map_or("?".into(), |calls| format!("{:.2}", calls[side]));
            let allocations =
                row.allocations.map_or("?".into(), |count| format!("{:.2}", count[side]));
            let resident = row.resident?[side] as f64 / f64::from(1 << 20);
            Some(format!("{calls}, {allocations}, {resident:.1}"))
        });
        Some(format!("{} / {}", a?, b?))
    };
    table(record, group, cell, None)
}

/// What a rival has in the column of the mean.
type Mean<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// A table of a line for each rival and a column for each cell, and perhaps one for the mean.
fn table(
    record: &Record,
    group: &Group<'_>,
    cell: impl Fn(&Row) -> Option<String>,
    mean: Option<&Mean<'_>>,
) -> Option<String> {
    let mut heads: Vec<String> = Vec::new();
    for (scenario, one) in &group.cells {
        heads.push(if group.has_mean() { one.name.to_owned() } else { one.title(scenario) });
    }
    if mean.is_some() {
        heads.push("geometric mean".into());
    }
    let mut text =
        format!("| rival | {} |\n|---|{}\n", heads.join(" | "), "--:|".repeat(heads.len()));
    let mut any = false;
    for rival in &group.rivals {
        let cells = group
            .cells
            .iter()
            .map(|(scenario, one)| group.row(scenario, one, rival).and_then(&cell));
        let cells = cells.chain(mean.map(|mean| mean(rival)));
        let cells: Vec<Option<String>> = cells.collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        any = true;
        let cells: Vec<String> =
            cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".into())).collect();
        text.push_str(&format!("| {} | {} |\n", versioned(record, rival), cells.join(" | ")));
    }
    any.then_some(text)
}

/// A rival with the version of what it stands on.
pub fn versioned(record: &Record, rival: &str) -> String {
    let known = record.contestants.iter().find(|known| known.name == rival);
    match known.and_then(|known| known.version.as_ref()).filter(|_| rival != ITSELF) {
        Some(version) => format!("{rival} {version}"),
        None => rival.to_owned(),
    }
}

fn marked(metric: Metric, ratio: Estimate) -> String {
    match metric.verdict(ratio) {
        Verdict::Ahead => plain(ratio),
        Verdict::Level => format!("{} =", plain(ratio)),
        Verdict::Behind => format!("**{}**", plain(ratio)),
    }
}

fn plain(ratio: Estimate) -> String {
    let Estimate { value, low, high } = ratio;
    match low == high {
        true => format!("{value:.2}"),
        false => format!("{value:.2} [{low:.2}, {high:.2}]"),
    }
}

/// Three digits, or all in front of the point.
fn number(figure: f64) -> String {
    match figure {
        figure if figure >= 100.0 => crate::quantity::count(figure.round() as u64),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure if figure >= 1.0 => format!("{figure:.2}"),
        figure => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::sample;
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_rival_and_marks_who_is_behind() {
        let text = markdown(&sample::record());
        let line = |start: &str| {
            text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"))
        };
        // Ahead in the second cell, behind in the first, which comes first in the list of scenarios.
        let tokio = line("| tokio 1.2.3 |");
        assert!(tokio.starts_with("| tokio 1.2.3 | **1.2"), "{tokio}");
        assert!(tokio.contains("| 0.83"), "{tokio}");
        assert!(line("| itself |").contains(" ="), "{text}");
        assert!(text.contains("0.03, 0.00, 3.0 / 2.10, 0.00, 2.0"), "{text}");
        assert!(text.contains("- echo, glommio: it does not build: error: no such package"));
        assert!(text.starts_with("Linux 6.1.0, 2 × A CPU, slices of 50 ms, commit abc1234."));
    }

    #[test]
    fn the_reference_counts_while_it_is_as_good_as_the_other() {
        // Given a record in which the references have fought each other
        let mut record = sample::record();
        assert_eq!(reference(&record), None);
        let mut rows: Vec<Row> = record.rows[..2].to_vec();
        for row in &mut rows {
            [row.subject, row.rival] = REFERENCES.map(str::to_owned);
        }
        record.rows.extend(rows);

        // Then one costs as much as the other, and the tables are apart
        let line = reference(&record).unwrap();
        assert!(line.starts_with("The reference raw-uring counts"), "{line}");
        assert!(markdown(&record).contains("### TCP echo: raw-uring\n"));

        // And when it costs more, it does not count
        for row in record.rows.iter_mut().filter(|row| row.subject == REFERENCES[0]) {
            row.pairs.iter_mut().for_each(|pair| pair[2] = pair[2] * 11 / 10);
        }
        let line = reference(&record).unwrap();
        assert!(line.starts_with("The reference raw-uring does not count"), "{line}");
    }

    #[test]
    fn tables_take_the_place_between_the_marks() {
        let record = sample::record();
        let document = format!("# Title\n\n{}\nstale\n{}\n\nThe end.\n", MARKS[0], MARKS[1]);
        let once = put_into(&document, &record).unwrap();
        assert!(once.contains("### TCP echo") && !once.contains("stale"));
        assert!(once.starts_with("# Title\n") && once.ends_with("\n\nThe end.\n"));
        assert_eq!(put_into(&once, &record).unwrap(), once);
        assert!(put_into("nothing", &record).unwrap_err().contains("tables: begin"));
    }

    #[test]
    fn the_tables_of_the_document_are_made_from_the_figures() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let record = Record::read(&docs.join("measurements/compare.json")).unwrap();
        let document = std::fs::read_to_string(docs.join("performance.md")).unwrap();
        assert!(
            put_into(&document, &record).unwrap() == document,
            "docs/performance.md is behind its figures: cargo run -p bench-harness -- compare \
             --render docs/measurements/compare.json --into docs/performance.md"
        );
    }

    #[test]
    fn numbers_have_the_digits_that_they_are_good_for() {
        let numbers = [0.0281, 1.234, 12.34, 123_456.7].map(number);
        assert_eq!(numbers, ["0.028", "1.23", "12.3", "123,457"]);
    }
}
