//! A distribution in one line: block characters over a logarithmic scale of time.
//!
//! The line has a fixed number of columns, so it fits every terminal. Heights are proportional to
//! counts, but whatever occurred at all is visible: the rare slow request is what one looks for.

use crate::load::histogram::Histogram;

/// Columns of the scale.
const COLUMNS: usize = 48;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the distribution from its smallest to its largest sample; empty if it has none.
pub fn draw(histogram: &Histogram) -> String {
    let mut columns = [0u64; COLUMNS];
    let low = (histogram.min().max(1) as f64).ln();
    let width = ((histogram.max().max(1) as f64).ln() - low).max(f64::MIN_POSITIVE);
    for (value, count) in histogram.recorded() {
        let along = ((value.max(1) as f64).ln() - low) / width;
        // A recorded value is the upper end of its bucket and may lie a little beyond the scale.
        let column = (along * COLUMNS as f64) as usize;
        columns[column.min(COLUMNS - 1)] += count;
    }
    let highest = columns.iter().copied().max().unwrap_or_default();
    let block = |&count: &u64| match count {
        0 => BLOCKS[0],
        _ => BLOCKS[(count as f64 / highest as f64 * 8.0).ceil() as usize],
    };
    columns.iter().map(block).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(samples: &[(u64, u64)]) -> Vec<char> {
        let mut histogram = Histogram::new();
        for &(value, times) in samples {
            (0..times).for_each(|_| histogram.record(value));
        }
        draw(&histogram).chars().collect()
    }

    #[test]
    fn the_rarest_sample_is_visible_at_its_place() {
        let line = of(&[(1_000, 1_000_000), (31_623, 500_000), (1_000_000, 1)]);
        assert_eq!(line.len(), COLUMNS);
        assert_eq!(line[0], '█');
        assert_eq!(line[COLUMNS / 2], '▄');
        assert_eq!(line[COLUMNS - 1], '▁');
        assert_eq!(line.iter().filter(|&&block| block != ' ').count(), 3);
    }

    #[test]
    fn one_value_or_none_is_no_trouble() {
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[(0, 5)]), ['█']);
        assert!(of(&[(12_345, 5)]).contains(&'█'));
    }
}
