//! Medians of ratios, and how sure they are.
//!
//! The interval of a median comes from the order of the figures alone: of `n` figures, how many lie
//! below the true median is a matter of `n` coins. So nothing is assumed about how they spread. The
//! interval of several medians' geometric mean comes from drawing the figures again, by a fixed
//! seed: the same figures always give the same interval.

/// How often figures are drawn again.
const DRAWS: usize = 1_000;

/// A figure, and where the true one lies with 95 % probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// The median of `figures`, if there are any.
    pub fn of(figures: &[f64]) -> Option<Estimate> {
        let sorted = sorted(figures)?;
        let outside = outside(sorted.len());
        let (low, high) = (sorted[outside], sorted[sorted.len() - 1 - outside]);
        Some(Estimate { value: median(&sorted), low, high })
    }

    /// The geometric mean of the medians of several sets of figures, none of which is empty.
    pub fn of_medians(sets: &[Vec<f64>]) -> Option<Estimate> {
        let medians: Option<Vec<f64>> =
            sets.iter().map(|set| sorted(set).map(|set| median(&set))).collect();
        let value = geometric_mean(&medians.filter(|medians| !medians.is_empty())?);
        let mut random = Random(0x5eed);
        let mut drawn: Vec<f64> = Vec::with_capacity(DRAWS);
        for _ in 0..DRAWS {
            let medians = sets.iter().map(|set| {
                let mut again: Vec<f64> =
                    set.iter().map(|_| set[random.below(set.len())]).collect();
                again.sort_by(f64::total_cmp);
                median(&again)
            });
            drawn.push(geometric_mean(&medians.collect::<Vec<_>>()));
        }
        drawn.sort_by(f64::total_cmp);
        let (low, high) = (drawn[DRAWS / 40], drawn[DRAWS - 1 - DRAWS / 40]);
        Some(Estimate { value, low, high })
    }
}

/// The middle of figures, if there are any.
pub fn middle(figures: &[f64]) -> Option<f64> {
    sorted(figures).map(|sorted| median(&sorted))
}

fn sorted(figures: &[f64]) -> Option<Vec<f64>> {
    let mut sorted: Vec<f64> = figures.iter().copied().filter(|one| one.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then_some(sorted)
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[half - 1] + sorted[half]) / 2.0,
        _ => sorted[half],
    }
}

fn geometric_mean(figures: &[f64]) -> f64 {
    (figures.iter().map(|one| one.ln()).sum::<f64>() / figures.len() as f64).exp()
}

/// How many of `n` figures may be left out at either end, so that the rest spans the true median
/// with at least 95 % probability: the largest `k` for which `k` coins of `n` or fewer show heads
/// with less than 2.5 %, counted from zero.
fn outside(n: usize) -> usize {
    let mut term = 0.5_f64.powi(n as i32);
    if term == 0.0 {
        // Beyond a thousand figures the coins are as good as normal.
        return (n as f64 / 2.0 - 0.98 * (n as f64).sqrt()).floor() as usize;
    }
    let (mut sum, mut k) = (term, 0);
    while sum < 0.025 && k < n / 2 {
        k += 1;
        term *= (n - k + 1) as f64 / k as f64;
        sum += term;
    }
    // Below `k`, `k` figures are left out; the first of the rest is at place `k - 1` or 0.
    k.saturating_sub(1)
}

/// Numbers without an order, always the same ones.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_median_is_that_of_the_table() {
        // Given how many figures a table of the binomial distribution leaves out at either end
        for (n, left_out) in [(5, 0), (6, 0), (8, 0), (9, 1), (20, 5), (50, 17), (100, 39)] {
            assert_eq!(outside(n), left_out, "{n}");
        }
        // And beyond what halves a float to nothing
        assert_eq!(outside(10_000), 4_902);
    }

    #[test]
    fn a_median_lies_in_its_interval() {
        let figures: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        let expected = Estimate { value: 5.0, low: 2.0, high: 8.0 };
        assert_eq!(Estimate::of(&figures), Some(expected));
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[2.0]).unwrap().low, 2.0);
        assert_eq!(middle(&[4.0, 1.0, f64::NAN, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn a_geometric_mean_takes_each_set_alike() {
        let sets = [vec![2.0; 30], vec![0.5; 3]];
        let mean = Estimate::of_medians(&sets).unwrap();
        assert!((mean.value - 1.0).abs() < 1e-12 && (mean.high - mean.low).abs() < 1e-12);
        assert_eq!(Estimate::of_medians(&[]), None);
        assert_eq!(Estimate::of_medians(&[vec![]]), None);
    }

    #[test]
    fn the_interval_of_a_mean_covers_what_the_figures_came_from() {
        // Given figures around 1.1 and 0.9, and a spread of five percent
        let mut random = Random(7);
        let mut around = |middle: f64| -> Vec<f64> {
            (0..101).map(|_| middle * (0.95 + random.below(1_001) as f64 / 10_000.0)).collect()
        };
        let sets = [around(1.1), around(0.9)];

        // When their mean is estimated
        let mean = Estimate::of_medians(&sets).unwrap();

        // Then it is near the true one, and as sure as two hundred figures allow
        let truth = (1.1_f64 * 0.9).sqrt();
        assert!(mean.low < truth && truth < mean.high, "{mean:?}");
        assert!(mean.high - mean.low < 0.02, "{mean:?}");
    }
}
