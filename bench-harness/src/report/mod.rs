//! What a run says at its end: text for people, JSON for programs, a distribution for plotters.

/// The latency distribution as HdrHistogram's tools read it.
pub mod hgrm;
/// The report for programs.
pub mod json;
/// A distribution in one line of blocks.
mod spectrum;
/// The report for people.
pub mod text;

use wakering::driver::Driver;

use crate::cli::RunArgs;
use crate::exchange::target::Target;
use crate::load::Outcome;
use crate::load::histogram::Histogram;
use crate::machine::affinity::Division;
use crate::machine::host::Host;

/// Everything there is to report.
#[derive(Debug)]
pub struct Report<'a> {
    /// The flags, defaults filled in.
    pub args: &'a RunArgs,
    /// What was loaded.
    pub target: &'a Target,
    /// Whether that was the embedded server.
    pub embedded: bool,
    /// Which processors the two sides had, if they were kept apart.
    pub division: Option<Division>,
    /// The machine.
    pub host: Host,
    /// What the runtime stands on.
    pub environment: Environment,
    /// What was measured.
    pub outcome: Outcome,
}

/// What the load's runtime stands on.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Environment {
    /// Its backend.
    pub backend: &'static str,
    /// What of the kernel that backend uses.
    pub capabilities: Vec<String>,
}

impl Environment {
    /// The environment of `driver`.
    pub fn of(driver: &Driver) -> Environment {
        let capabilities = driver.capabilities().to_string();
        Environment {
            backend: driver.backend(),
            capabilities: capabilities.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

impl Report<'_> {
    /// The latency that answers for the run: with a schedule the intended one, which a stalled
    /// server cannot hide from, otherwise the service latency.
    pub fn headline(&self) -> &Histogram {
        match &self.outcome.tally.open {
            Some(open) => &open.intended,
            None => &self.outcome.tally.service,
        }
    }
}

#[cfg(test)]
mod sample;
