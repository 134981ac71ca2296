//! A small run made by hand, for the tests of all reports.

use std::time::Duration;

use clap::Parser;

use super::{Environment, Report};
use crate::cli::Cli;
use crate::load::Outcome;
use crate::load::failure::{Class, Failure};
use crate::load::tally::{Tally, Times};
use crate::machine::affinity::Division;
use crate::machine::host::Host;
use crate::machine::usage::Usage;

/// Calls `with` on the report of two good responses and a malformed one, in one second: of an open
/// loop with an embedded server, or of a closed loop without one.
pub fn with_report(open: bool, with: impl FnOnce(&Report<'_>)) {
    let flags = match open {
        true => "-R 3 --batch --data a=b --json - --hgrm x",
        false => "-c 2 -t 2",
    };
    let line = format!("bench-harness http://localhost:8080/get -d 1s {flags}");
    let args = Cli::parse_from(line.split_whitespace()).run;
    let usage = |ms| Usage {
        user: Duration::from_millis(ms),
        sys: Duration::from_millis(2 * ms),
        max_rss: 5_000_000,
    };
    let report = Report {
        args: &args,
        target: args.url.as_ref().expect("given above"),
        embedded: open,
        division: open.then(|| Division { server: 0, client: vec![1] }),
        host: Host { kernel: "6.1.0".into(), cpu: None, cores: 2 },
        environment: Environment { backend: "memory", capabilities: vec!["ext_arg".into()] },
        outcome: Outcome {
            tally: tally(open),
            duration_ns: 1_000_000_000,
            planned: open.then_some(3),
            interrupted: false,
            client: Some(usage(10)),
            server: open.then(|| usage(20)),
        },
    };
    with(&report);
}

fn tally(open: bool) -> Tally {
    let end_ns = 1_000_000_000;
    let mut tally = Tally::new(open);
    for (sent_ns, done_ns) in [(100, 300), (200, 400)] {
        let due_ns = open.then_some(0);
        let times = Times { due_ns, free_ns: 0, begun_ns: sent_ns, sent_ns, done_ns };
        tally.response(times, end_ns, 200, (50, 20));
    }
    let failure = Failure::new(Class::Parse, "the peer sent a malformed status line");
    tally.failure(500, end_ns, &failure, (10, 20));
    tally
}
