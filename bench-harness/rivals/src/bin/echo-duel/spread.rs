//! The middle of some figures, and how far they spread.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

/// Median and quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    /// The spread of `figures`, of which there is at least one.
    pub fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        // Between two figures the value is interpolated.
        let at = |part: f64| {
            let place = part * (figures.len() - 1) as f64;
            let (below, above) = (place.floor() as usize, place.ceil() as usize);
            figures[below] + (figures[above] - figures[below]) * place.fract()
        };
        Spread { median: at(0.5), low: at(0.25), high: at(0.75) }
    }

    /// The three figures.
    pub fn json(&self) -> Value {
        json!({ "median": self.median, "p25": self.low, "p75": self.high })
    }
}

impl Display for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        let Spread { median, low, high } = self;
        write!(f, "{median:.digits$}   [{low:.digits$}, {high:.digits$}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { median: 2.5, low: 1.75, high: 3.25 });
        assert_eq!(format!("{spread:.2}"), "2.50   [1.75, 3.25]");
        assert_eq!(Spread::of(vec![7.0]).median, 7.0);
    }
}
