//! The latency distribution in the text format of HdrHistogram, in milliseconds.
//!
//! Its plotters draw the percentile spectrum from it, several files over one another if wished.

use std::io::{self, Write};

use crate::load::histogram::Histogram;

/// Writes the distribution.
pub fn write(out: &mut impl Write, histogram: &Histogram) -> io::Result<()> {
    let ms = |ns: f64| ns / 1e6;
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    writeln!(out)?;
    for step in histogram.steps() {
        let (value, quantile) = (ms(step.value_ns as f64), step.quantile);
        write!(out, "{value:>12.6} {quantile:>14.12} {:>10}", step.count)?;
        match quantile < 1.0 {
            true => writeln!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?,
            false => writeln!(out)?,
        }
    }
    let (mean, deviation) = (ms(histogram.mean()), ms(histogram.deviation()));
    writeln!(out, "#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]")?;
    let max = ms(histogram.max() as f64);
    writeln!(out, "#[Max     = {max:>12.6}, Total count    = {:>12}]", histogram.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_to_the_largest_sample() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|us| histogram.record(us * 1_000));
        let mut out = Vec::new();
        write(&mut out, &histogram).unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert!(rows.len() > 20);
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] < pair[1][1]));
        let last = rows.last().unwrap();
        assert_eq!(last.len(), 3, "the last row has no 1/(1-1)");
        assert!((last[0] - 1.0).abs() < 0.001 && last[1] == 1.0 && last[2] == 1_000.0);
        assert!(text.contains("#[Mean    =     0.5005"), "{text}");
    }
}
