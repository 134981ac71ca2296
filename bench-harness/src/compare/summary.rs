//! What the figures say: ratios of subject to rival, by metric.

use super::record::{Record, Row};
use super::scenario::{Cell, Family, SCENARIOS, Scenario};
use super::statistics::{Estimate, middle};

/// On the losing side by so much counts as behind.
const TOLERANCE: f64 = 0.02;

/// What is compared of two contestants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Operations a second.
    Rate,
    /// Time for an operation.
    Time,
    /// Processor time for an operation.
    Cpu,
    /// Median latency at half load.
    P50,
    /// 99th percentile of the latency at half load.
    P99,
    /// Resident memory for a connection or task.
    Each,
}

/// Whether the subject wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies on the winning side.
    Ahead,
    /// It does not, nor on the losing side by more than the tolerance.
    Level,
    Behind,
}

impl Metric {
    /// What tables call it.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Rate => "Operations a second",
            Metric::Time => "Time for an operation",
            Metric::Cpu => "Processor time for an operation",
            Metric::P50 => "Median latency at half load",
            Metric::P99 => "99th percentile of the latency at half load",
            Metric::Each => "Resident memory for each",
        }
    }

    /// What its figures are counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Rate => "1/s",
            Metric::Time | Metric::Cpu => "µs",
            Metric::P50 | Metric::P99 => "µs",
            Metric::Each => "bytes",
        }
    }

    /// Whether less is better.
    pub fn is_cost(self) -> bool {
        self != Metric::Rate
    }

    /// The metrics of a family.
    pub fn of(family: Family) -> &'static [Metric] {
        match family {
            Family::Echo | Family::Http => &[Metric::Cpu, Metric::Rate, Metric::P50, Metric::P99],
            Family::Network => &[Metric::Cpu, Metric::Rate],
            Family::Tasks => &[Metric::Time, Metric::Cpu],
            Family::Files => &[Metric::Cpu, Metric::Rate],
            Family::Memory => &[Metric::Each],
            Family::Cores | Family::Generators => &[Metric::Cpu, Metric::Rate],
        }
    }

    /// Both contestants' figures, pair by pair.
    fn figures(self, row: &Row) -> Vec<[f64; 2]> {
        let pairs = || row.pairs.iter().map(|pair| pair.map(|figure| figure as f64));
        let paced = |at: usize| -> Vec<[f64; 2]> {
            let pairs = row.paced.iter().flat_map(|paced| &paced.pairs);
            pairs.map(|pair| [pair[at] as f64 / 1e3, pair[at + 2] as f64 / 1e3]).collect()
        };
        match self {
            Metric::Rate => {
                pairs().map(|[a, at, _, b, bt, _]| [a / at * 1e9, b / bt * 1e9]).collect()
            }
            Metric::Time => {
                pairs().map(|[a, at, _, b, bt, _]| [at / a / 1e3, bt / b / 1e3]).collect()
            }
            // The waking thread spins in the same process.
            Metric::Cpu if row.scenario == "wake" => Vec::new(),
            Metric::Cpu => {
                pairs().map(|[a, _, ac, b, _, bc]| [ac / a / 1e3, bc / b / 1e3]).collect()
            }
            Metric::P50 => paced(0),
            Metric::P99 => paced(1),
            Metric::Each => row.each.into_iter().collect(),
        }
    }

    /// The ratios of the pairs, subject to rival.
    fn ratios(self, row: &Row) -> Vec<f64> {
        let figures = self.figures(row).into_iter().filter(|[a, b]| *a > 0.0 && *b > 0.0);
        figures.map(|[a, b]| a / b).collect()
    }

    /// The estimate of the ratio.
    pub fn ratio(self, row: &Row) -> Option<Estimate> {
        Estimate::of(&self.ratios(row))
    }

    /// Both contestants' medians.
    pub fn medians(self, row: &Row) -> Option<[f64; 2]> {
        let (a, b): (Vec<f64>, Vec<f64>) =
            self.figures(row).into_iter().map(|[a, b]| (a, b)).unzip();
        Some([middle(&a)?, middle(&b)?])
    }

    /// The estimate over several rows, each counting alike; none of one row alone.
    pub fn mean(self, rows: &[&Row]) -> Option<Estimate> {
        let sets: Vec<Vec<f64>> = rows.iter().map(|row| self.ratios(row)).collect();
        if sets.len() < 2 || sets.iter().any(Vec::is_empty) {
            return None;
        }
        Estimate::of_medians(&sets)
    }

    /// What a ratio says about the subject.
    pub fn verdict(self, ratio: Estimate) -> Verdict {
        let (ahead, behind) = match self.is_cost() {
            true => (ratio.high < 1.0, ratio.low > 1.0 + TOLERANCE),
            false => (ratio.low > 1.0, ratio.high < 1.0 - TOLERANCE),
        };
        match (ahead, behind) {
            (true, _) => Verdict::Ahead,
            (_, true) => Verdict::Behind,
            _ => Verdict::Level,
        }
    }
}

/// The rows of a family: which cells they are of, and which rivals, each in its order.
pub struct Group<'a> {
    pub family: Family,
    pub cells: Vec<(&'static Scenario, &'static Cell)>,
    pub rivals: Vec<&'a str>,
    record: &'a Record,
    pub subject: &'a str,
}

/// The groups of a record in which there is anything; each has one subject.
pub fn groups(record: &Record) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for scenario in SCENARIOS {
        for cell in scenario.cells {
            let here = |row: &&Row| row.scenario == scenario.name && row.cell == cell.name;
            for row in record.rows.iter().filter(here) {
                let at = groups
                    .iter()
                    .position(|g| g.family == scenario.family && g.subject == row.subject);
                let at = at.unwrap_or_else(|| {
                    let (family, subject) = (scenario.family, row.subject.as_str());
                    let (cells, rivals) = (Vec::new(), Vec::new());
                    groups.push(Group { family, cells, rivals, record, subject });
                    groups.len() - 1
                });
                let group = &mut groups[at];
                if !group.cells.iter().any(|(_, known)| std::ptr::eq(*known, cell)) {
                    group.cells.push((scenario, cell));
                }
                if !group.rivals.contains(&row.rival.as_str()) {
                    group.rivals.push(&row.rival);
                }
            }
        }
    }
    // The subject's own tables first; what judges a reference follows.
    groups.sort_by_key(|group| !group.is_main(record));
    groups
}

impl<'a> Group<'a> {
    /// What it is called.
    pub fn title(&self) -> &'static str {
        match self.family {
            Family::Echo => "TCP echo",
            Family::Http => "HTTP",
            Family::Network => "Fan-out, churn, datagrams",
            Family::Tasks => "Tasks, timers, channels",
            Family::Files => "Files",
            Family::Memory => "Memory",
            Family::Cores => "Two cores",
            Family::Generators => "Load generators",
        }
    }

    /// Whether it is of the comparison's subject, and not of one reference against the other.
    pub fn is_main(&self, record: &Record) -> bool {
        record.rows.first().is_some_and(|row| row.subject == self.subject)
    }

    /// What is shown of it: of the references, what they are judged by.
    pub fn metrics(&self, record: &Record) -> &'static [Metric] {
        let all = Metric::of(self.family);
        if self.is_main(record) { all } else { &all[..1] }
    }

    /// The row of a cell and a rival.
    pub fn row(&self, scenario: &Scenario, cell: &Cell, rival: &str) -> Option<&'a Row> {
        let names = [scenario.name, cell.name, self.subject, rival];
        self.record
            .rows
            .iter()
            .find(|row| names == [&*row.scenario, &*row.cell, &*row.subject, &*row.rival])
    }

    /// All of its rows.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> {
        let each = self.cells.iter().flat_map(|cell| self.rivals.iter().map(move |r| (cell, r)));
        each.filter_map(|((scenario, cell), rival)| self.row(scenario, cell, rival))
    }

    /// All rows of a rival, in the order of the cells; none if one is missing.
    pub fn whole(&self, rival: &str) -> Option<Vec<&'a Row>> {
        self.cells.iter().map(|(scenario, cell)| self.row(scenario, cell, rival)).collect()
    }

    /// Whether a mean over its cells means anything: they are all of one scenario.
    pub fn has_mean(&self) -> bool {
        self.cells.len() > 1
            && self.cells.iter().all(|(scenario, _)| scenario.name == self.cells[0].0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::sample;
    use super::*;

    #[test]
    fn ratios_are_those_of_the_pairs() {
        // Given a row in which the subject costs 100 ns and the rival 120 ns
        let record = sample::record();
        let row = &record.rows[0];

        // Then the ratios say so, and who is ahead
        let cpu = Metric::Cpu.ratio(row).unwrap();
        assert!((cpu.value - 100.0 / 120.0).abs() < 1e-3, "{cpu:?}");
        assert_eq!(Metric::Cpu.verdict(cpu), Verdict::Ahead);
        let rate = Metric::Rate.ratio(row).unwrap();
        assert!((rate.value - 1_000.0 / 900.0).abs() < 1e-9);
        assert_eq!(Metric::Rate.verdict(rate), Verdict::Ahead);
        assert!((Metric::P99.ratio(row).unwrap().value - 0.8).abs() < 1e-9);
        assert_eq!(Metric::Each.ratio(row), None);
        let [a, b] = Metric::Cpu.medians(row).unwrap();
        assert!((a - 0.1).abs() < 1e-3 && (b - 0.12).abs() < 1e-3);
    }

    #[test]
    fn who_is_behind_by_less_than_two_percent_is_level() {
        let ratio = |low: f64, high: f64| Estimate { value: (low + high) / 2.0, low, high };
        for (low, high, cost, rate) in [
            (0.90, 0.95, Verdict::Ahead, Verdict::Behind),
            (0.97, 0.99, Verdict::Ahead, Verdict::Level),
            (0.99, 1.01, Verdict::Level, Verdict::Level),
            (1.01, 1.05, Verdict::Level, Verdict::Ahead),
            (1.03, 1.05, Verdict::Behind, Verdict::Ahead),
        ] {
            assert_eq!(Metric::Cpu.verdict(ratio(low, high)), cost, "{low} {high}");
            assert_eq!(Metric::Rate.verdict(ratio(low, high)), rate, "{low} {high}");
        }
    }

    #[test]
    fn a_mean_takes_all_cells_of_a_rival() {
        let record = sample::record();
        let groups = groups(&record);
        assert_eq!(groups.len(), 1);
        let group = &groups[0];
        assert_eq!((group.subject, &group.rivals[..]), ("wakering", &["tokio", "itself"][..]));
        let mean = Metric::Cpu.mean(&group.whole("tokio").unwrap()).unwrap();
        // 100/120 in one cell, 100/83 in the other.
        assert!((mean.value - 1.0).abs() < 5e-3, "{mean:?}");
        assert!(group.has_mean() && group.whole("smol").is_none());
    }
}
