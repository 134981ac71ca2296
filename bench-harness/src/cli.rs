//! The command line, as plain structs.
//!
//! `bench-harness [URL]` is `bench-harness run [URL]`. Each flag is documented by its comment,
//! which is its help text; each is one key of `config` in the JSON report. A bad argument ends in
//! one line on standard error and status 2.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::compare;
use crate::exchange::request::{Header, parse_method};
use crate::exchange::target::Target;
use crate::quantity::{parse_count, parse_duration, parse_positive_duration};
use crate::serve;

/// An HTTP load generator and an httpbin-style server, both on the wakering runtime.
///
/// Without a verb it runs a load; without a URL it starts its own server as a child process and
/// loads that. Exit status: 0 good; 1 internal error; 2 unusable arguments; 3 target unreachable or
/// not one good response; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "bench-harness", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Option<Verb>,
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Load a target and report (the default)
    Run(Box<RunArgs>),
    /// Serve HTTP in the manner of httpbin
    Serve(ServeArgs),
    /// Compare wakering with other runtimes, and with loops by hand
    ///
    /// Both contestants of a duel live at once and work in turn, in short slices; what is told are
    /// ratios of neighbouring slices, subject to rival, with intervals of 95 %. The rivals are built
    /// from the repository. One that does not build, or fails, is named and left out. Exit status:
    /// 0 if something was compared.
    Compare(Box<compare::Args>),
    /// Show what the runtime stands on here: backend, io_uring, limits
    ///
    /// Says which backend a runtime gets, why there is no io_uring if there is none, and what mends
    /// it. Exit status: 0 if a runtime can be had, 1 if not.
    Doctor,
}

/// The server's own arguments, and one for when it is embedded.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub serve: serve::Args,
    /// End when standard input does, so that no embedded server outlives its parent.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

/// One load, one report.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Target, such as http://127.0.0.1:8080/get [default: an embedded server's /get]
    pub url: Option<Target>,

    /// Connections in total, split evenly over the threads
    #[arg(short, long, value_name = "N", default_value = "64", value_parser = parse_count)]
    pub connections: u64,

    /// How long to measure: 10s, 500ms, 2m [default: 10s, unless -n is given]
    #[arg(short, long, short_alias = 'z', value_name = "TIME", conflicts_with = "requests",
          value_parser = parse_positive_duration)]
    pub duration: Option<Duration>,

    /// Measure this many requests instead of a duration; k and m are thousands and millions
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_count)]
    pub requests: Option<u64>,

    /// Requests a second in total, sent on schedule whatever the server does (open loop)
    #[arg(short = 'R', long, visible_short_alias = 'q', value_name = "N",
          value_parser = parse_count)]
    pub rate: Option<u64>,

    /// Threads, each with a runtime of its own
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = parse_count)]
    pub threads: u64,

    /// Let completions wait for each other for so long, 200us if nothing is said: less work a request, longer latencies
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "200us", value_parser = parse_positive_duration)]
    pub batch: Option<Duration>,

    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long, visible_short_alias = 'm', value_name = "METHOD",
          value_parser = parse_method)]
    pub method: Option<String>,

    /// A header line `Name: value`; may be repeated
    #[arg(short = 'H', long, value_name = "LINE")]
    pub header: Vec<Header>,

    /// Body of every request
    #[arg(long, value_name = "TEXT", conflicts_with = "data_file")]
    pub data: Option<String>,

    /// File with the body of every request
    #[arg(long, value_name = "FILE")]
    pub data_file: Option<PathBuf>,

    /// Longest time from sending a request to the end of its response
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_positive_duration)]
    pub timeout: Duration,

    /// Longest time to establish a connection
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_positive_duration)]
    pub connect_timeout: Duration,

    /// Load that is not measured, before the load that is
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub warmup: Duration,

    /// A new connection for every request
    #[arg(long)]
    pub no_keepalive: bool,

    /// Write the report as JSON; `-` is standard output, and moves the text to standard error
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the latency distribution in HdrHistogram's text format
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,

    /// Neither text report nor progress
    #[arg(long)]
    pub quiet: bool,
}

impl RunArgs {
    /// The method, as it follows from the other flags if it was not given.
    pub fn method(&self) -> &str {
        match &self.method {
            Some(method) => method,
            None if self.data.is_some() || self.data_file.is_some() => "POST",
            None => "GET",
        }
    }

    /// How long to measure, unless a number of requests ends the run.
    pub fn duration(&self) -> Option<Duration> {
        match self.requests {
            Some(_) => None,
            None => Some(self.duration.unwrap_or(Duration::from_secs(10))),
        }
    }

    /// Checks what no flag can be checked for alone.
    fn check(&self) -> Result<(), String> {
        if self.threads > self.connections {
            return Err(format!(
                "--threads {} is more than --connections {}: every thread needs a connection",
                self.threads, self.connections
            ));
        }
        if self.connections > 1_000_000 {
            return Err("--connections is more than 1,000,000".into());
        }
        Ok(())
    }
}

impl Cli {
    /// Parses the process's arguments; `Err` is the status to exit with, everything being said.
    pub fn from_env() -> Result<Cli, ExitCode> {
        let refuse = |text: &str| {
            eprintln!("bench-harness: {text}");
            ExitCode::from(2)
        };
        match Cli::try_parse() {
            Ok(cli) => match cli.check() {
                Ok(()) => Ok(cli),
                Err(text) => Err(refuse(&text)),
            },
            Err(help) if !help.use_stderr() => {
                // Nobody is left to tell if standard output is closed.
                let _ = help.print();
                Err(ExitCode::SUCCESS)
            }
            Err(error) => Err(refuse(&one_line(&error.to_string()))),
        }
    }

    fn check(&self) -> Result<(), String> {
        match &self.verb {
            None => self.run.check(),
            Some(Verb::Run(run)) => run.check(),
            Some(Verb::Serve(_) | Verb::Compare(_) | Verb::Doctor) => Ok(()),
        }
    }
}

/// The first paragraph of clap's message; the others repeat the usage.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = paragraph.split_whitespace().skip_while(|w| *w == "error:").collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<RunArgs, String> {
        let words = std::iter::once("bench-harness").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| one_line(&error.to_string()))?;
        cli.check()?;
        match cli.verb {
            None => Ok(cli.run),
            Some(Verb::Run(run)) => Ok(*run),
            Some(verb) => Err(format!("{verb:?}")),
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_manual() {
        let args = run("").unwrap();
        assert_eq!((args.connections, args.threads), (64, 1));
        assert_eq!(args.duration(), Some(Duration::from_secs(10)));
        assert_eq!(args.timeout, Duration::from_secs(5));
        assert_eq!(args.connect_timeout, Duration::from_secs(2));
        assert_eq!(args.warmup, Duration::from_secs(2));
        assert_eq!((args.rate, args.requests, args.method()), (None, None, "GET"));
    }

    #[test]
    fn run_is_the_default_verb() {
        for line in ["-c 8 http://h/x -n 20k -R 1k", "run http://h/x -n 20k -c 8 -q 1000"] {
            let args = run(line).unwrap();
            assert_eq!(args.url.as_ref().unwrap().to_string(), "http://h/x");
            assert_eq!((args.connections, args.requests), (8, Some(20_000)));
            assert_eq!((args.rate, args.duration()), (Some(1_000), None));
        }
        assert!(run("serve").unwrap_err().starts_with("Serve("));
        assert_eq!(run("doctor").unwrap_err(), "Doctor");
    }

    #[test]
    fn a_body_makes_a_post_unless_told_otherwise() {
        assert_eq!(run("--data a=b").unwrap().method(), "POST");
        assert_eq!(run("--data a=b -X PUT").unwrap().method(), "PUT");
        assert_eq!(run("-z 3s").unwrap().duration(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn bad_arguments_end_in_one_line_that_says_why() {
        for (line, said) in [
            ("-c 0", "at least 1"),
            ("-c many", "number"),
            ("-t 65", "--connections 64"),
            ("-d 0s", "longer than zero"),
            ("-d 5s -n 7", "cannot be used with"),
            ("-d 5x", "`x`"),
            ("https://h/", "plain http://"),
            ("rnu", "http://rnu"),
            ("--frobnicate", "--frobnicate"),
            ("-H nonsense", "Name: value"),
            ("--data a --data-file b", "cannot be used with"),
            ("-c 2m", "1,000,000"),
        ] {
            let error = run(line).expect_err(line);
            assert!(error.contains(said) && !error.contains('\n'), "{line}: {error}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
