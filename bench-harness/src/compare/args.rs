//! The flags of `compare`.

use std::path::PathBuf;

/// Which comparison to run, and where to put it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Scenario to run; may be repeated [default: all, see --list]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub scenario: Vec<String>,

    /// Rival to compare with, or NAME=COMMAND for a program of one's own; may be repeated
    /// [default: all, see --list]
    #[arg(long, value_name = "NAME")]
    pub rival: Vec<String>,

    /// Who is compared with them: a rival's name, or NAME=COMMAND
    #[arg(long, value_name = "NAME", default_value = "wakering")]
    pub subject: String,

    /// Run the cells that say most, for a shorter time: five minutes for all of them
    #[arg(long)]
    pub quick: bool,

    /// Seconds for each duel [default: the scenario's]
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,

    /// Length of a slice in milliseconds
    #[arg(long, value_name = "MS", default_value = "50",
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub slice_ms: u64,

    /// Write the raw figures as JSON, after every duel
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub json: Option<PathBuf>,

    /// Go on with the comparison in this file: run what it lacks, and add it
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,

    /// With --resume: run again what is named, and put it in the place of what the file has
    #[arg(long, requires = "resume")]
    pub again: bool,

    /// Write one page with tables and plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Run nothing: print the tables of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "resume", "quick"])]
    pub render: Option<PathBuf>,

    /// With --render: put the tables into this document, between its two marks
    #[arg(long, value_name = "DOCUMENT", requires = "render")]
    pub into: Option<PathBuf>,

    /// Folder of the rivals' sources [default: the one of the repository]
    #[arg(long, value_name = "FOLDER")]
    pub rivals: Option<PathBuf>,

    /// Take the rivals' programs as they are
    #[arg(long)]
    pub no_build: bool,

    /// Print scenarios and rivals
    #[arg(long)]
    pub list: bool,
}
