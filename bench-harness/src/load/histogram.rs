//! Latencies in constant memory: 1 ns to 60 s with three significant digits.
//!
//! A thin layer over `hdrhistogram` that fixes range and precision once, so that histograms of
//! different threads can always be added, and that records without ever failing: what is above the
//! range counts at its upper end.

use hdrhistogram::Histogram as Hdr;

/// The upper end of the range.
const MAX_NS: u64 = 60_000_000_000;

/// The quantiles every report quotes.
pub const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

/// A distribution of nanoseconds; about 216 KiB whatever it holds.
#[derive(Debug, Clone)]
pub struct Histogram(Hdr<u64>);

/// One step of the cumulative distribution.
pub struct Step {
    /// The value that `quantile` of the samples do not exceed.
    pub value_ns: u64,
    /// That part of the samples, from 0 to 1.
    pub quantile: f64,
    /// How many samples that is.
    pub count: u64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Histogram {
        Histogram(Hdr::new_with_bounds(1, MAX_NS, 3).expect("these bounds are valid"))
    }

    /// Adds a sample.
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Adds all samples of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The smallest sample.
    pub fn min(&self) -> u64 {
        self.0.min()
    }

    /// The largest sample.
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// The mean of the samples.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// The standard deviation of the samples.
    pub fn deviation(&self) -> f64 {
        self.0.stdev()
    }

    /// The value that `quantile` of the samples do not exceed.
    pub fn at(&self, quantile: f64) -> u64 {
        // A bucket's upper end may lie above the largest sample, which nobody would understand.
        self.0.value_at_quantile(quantile).min(self.max())
    }

    /// The values that occur, ascending and rounded to three digits, and how often.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }

    /// The distribution in steps that get finer towards the largest sample.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        self.0.iter_quantiles(5).scan(0, |count, step| {
            *count += step.count_since_last_iteration();
            Some(Step {
                value_ns: step.value_iterated_to().min(self.max()),
                quantile: step.quantile_iterated_to(),
                count: *count,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_three_digits() {
        let mut histogram = Histogram::new();
        for us in 1..=100_000u64 {
            histogram.record(us * 1_000);
        }
        assert_eq!(histogram.count(), 100_000);
        for quantile in QUANTILES {
            let exact = quantile * 100_000.0 * 1e3;
            let error = (histogram.at(quantile) as f64 - exact).abs() / exact;
            assert!(error < 0.001, "{quantile}: {error}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        let mut histogram = Histogram::new();
        histogram.record(0);
        histogram.record(u64::MAX);
        assert_eq!(histogram.count(), 2);
        assert_eq!(histogram.min(), 0);
        assert!(histogram.max() >= MAX_NS && histogram.max() < MAX_NS / 1000 * 1001);
    }

    #[test]
    fn no_quantile_exceeds_the_largest_sample() {
        let mut histogram = Histogram::new();
        histogram.record(1_000_001);
        assert!(histogram.at(0.9999) <= histogram.max());
    }

    #[test]
    fn merging_adds_samples() {
        let (mut one, mut two) = (Histogram::new(), Histogram::new());
        one.record(10);
        two.record(20);
        two.record(30);
        one.merge(&two);
        assert_eq!((one.count(), one.min(), one.max()), (3, 10, 30));
        assert_eq!(one.recorded().collect::<Vec<_>>(), [(10, 1), (20, 1), (30, 1)]);
    }

    #[test]
    fn steps_end_with_all_samples() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|ns| histogram.record(ns));
        let last = histogram.steps().last().unwrap();
        assert_eq!((last.count, last.value_ns), (1_000, 1_000));
        assert_eq!(last.quantile, 1.0);
    }
}
