//! The report for people: what was run, how it went, how long it took, what it cost.
//!
//! Every line fits 80 columns unless an example of an error or a URL is longer. A percentile is
//! quoted only if at least ten samples lie beyond it; with fewer it is an accident.

use std::fmt::{self, Display, Formatter};

use super::{Report, spectrum};
use crate::load::histogram::{Histogram, QUANTILES};
use crate::machine::usage::Usage;
use crate::quantity::{bytes, count, rate, round_time, time};

/// Samples that must lie beyond a percentile for it to be quoted.
const SAMPLES_BEYOND: f64 = 10.0;

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.header(f)?;
        writeln!(f)?;
        self.requests(f)?;
        self.latency(f)?;
        self.cost(f)?;
        self.results(f)
    }
}

impl Report<'_> {
    fn header(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let args = self.args;
        let version = env!("CARGO_PKG_VERSION");
        write!(f, "bench-harness {version}  {} {}", args.method(), self.target)?;
        writeln!(f, "{}", if self.embedded { "  (embedded server)" } else { "" })?;
        match args.rate {
            Some(per_s) => write!(f, "open loop {}/s", count(per_s))?,
            None => write!(f, "closed loop")?,
        }
        write!(f, " · {}", plural(args.connections, "connection"))?;
        if args.no_keepalive {
            write!(f, ", a new one each request")?;
        }
        write!(f, " · {}", plural(args.threads, "thread"))?;
        write!(f, " · warm-up {} + ", round_time(ns(args.warmup)))?;
        match (args.duration(), args.requests) {
            (Some(duration), _) => writeln!(f, "{}", round_time(ns(duration)))?,
            (None, requests) => writeln!(f, "{}", plural(requests.unwrap_or(0), "request"))?,
        }
        if let Some(gather) = args.batch {
            let gather = round_time(ns(gather));
            writeln!(f, "batched: each latency may be longer by up to {gather}")?;
        }
        write!(f, "wakering on {}, Linux {}", self.environment.backend, self.host.kernel)?;
        match &self.division {
            Some(division) => {
                let client: Vec<_> = division.client.iter().map(ToString::to_string).collect();
                writeln!(f, " · server on cpu {}, load on {}", division.server, client.join(","))
            }
            None if self.embedded => writeln!(f, " · both sides share one processor"),
            None => writeln!(f),
        }
    }

    fn requests(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (tally, total) = (&self.outcome.tally, self.outcome.tally.total());
        write!(f, "  requests   {} sent   ", count(tally.sent))?;
        write!(f, "{} ok   {} failed", count(total.ok), count(total.failed))?;
        match self.outcome.requests_per_s() {
            Some(per_s) => writeln!(f, "   {}/s", rate(per_s))?,
            None => writeln!(f)?,
        }
        if self.outcome.interrupted {
            let measured = round_time(self.outcome.duration_ns);
            writeln!(f, "  stopped    interrupted after {measured} of measuring")?;
        }
        self.schedule(f)
    }

    /// Whether the open loop kept to its plan, and whose fault it is if not.
    fn schedule(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (tally, outcome) = (&self.outcome.tally, &self.outcome);
        let (Some(planned), Some(open)) = (outcome.planned, &tally.open) else { return Ok(()) };
        let done = tally.inside.ok + tally.inside.failed;
        let missing = planned.saturating_sub(done);
        let (Some(offered), Some(achieved)) = (outcome.per_s(planned), outcome.per_s(done)) else {
            return Ok(());
        };
        write!(f, "  schedule   ")?;
        // What is still under way at the end is no sign of lateness.
        if missing <= self.args.connections.max(planned / 100) {
            writeln!(f, "✓ {}/s of {}/s: kept", rate(achieved), rate(offered))?;
        } else {
            let late = open.lag.at(0.99) * 10 > open.intended.at(0.99);
            let who = if late { "generator" } else { "server" };
            write!(f, "✗ {}/s of {}/s: ", rate(achieved), rate(offered))?;
            writeln!(f, "the {who} could not keep up")?;
        }
        match planned.saturating_sub(tally.sent) {
            0 => Ok(()),
            unsent => writeln!(f, "             {} were due but never sent", count(unsent)),
        }
    }

    fn latency(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tally = &self.outcome.tally;
        if tally.service.count() == 0 {
            return Ok(());
        }
        let columns = ["min", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"];
        write!(f, "  latency  ")?;
        columns.iter().try_for_each(|name| write!(f, "{name:>8}"))?;
        writeln!(f)?;
        if let Some(open) = &tally.open {
            row(f, "intended", &open.intended)?;
        }
        row(f, "service", &tally.service)?;
        if let Some(open) = &tally.open {
            row(f, "lag", &open.lag)?;
        }
        let headline = self.headline();
        let (low, high) = (time(headline.min()), time(headline.max()));
        writeln!(f, "  spectrum   {low} {} {high}", spectrum::draw(headline))
    }

    fn cost(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let outcome = &self.outcome;
        let done = outcome.tally.inside.ok + outcome.tally.inside.failed;
        let sides: Vec<(&str, Usage)> = [("server", outcome.server), ("client", outcome.client)]
            .into_iter()
            .filter_map(|(side, usage)| usage.map(|usage| (side, usage)))
            .collect();
        // The kernel counts in ticks of 10 ms: what is shorter is not measured.
        let measured = sides.iter().all(|(_, usage)| !usage.cpu().is_zero());
        if done > 0 && measured && !sides.is_empty() {
            write!(f, "  cpu/req ")?;
            let each = |usage: &Usage| ns(usage.cpu()) / done;
            for (side, usage) in &sides {
                write!(f, "   {side} {}", time(each(usage)))?;
            }
            match sides.len() {
                1 => writeln!(f)?,
                _ => {
                    let sum = sides.iter().map(|(_, usage)| each(usage)).sum();
                    writeln!(f, "   sum {}", time(sum))?;
                }
            }
        }
        if !sides.is_empty() {
            write!(f, "  memory  ")?;
            sides
                .iter()
                .try_for_each(|(side, usage)| write!(f, "   {side} {}", bytes(usage.max_rss)))?;
            writeln!(f)?;
        }
        let total = outcome.tally.total();
        if total.bytes_in + total.bytes_out == 0 {
            return Ok(());
        }
        write!(f, "  bytes   ")?;
        for (way, amount, inside) in [
            ("in", total.bytes_in, outcome.tally.inside.bytes_in),
            ("out", total.bytes_out, outcome.tally.inside.bytes_out),
        ] {
            write!(f, "   {way} {}", bytes(amount))?;
            if let Some(per_s) = outcome.per_s(inside) {
                write!(f, " ({}/s)", bytes(per_s as u64))?;
            }
        }
        writeln!(f)
    }

    fn results(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tally = &self.outcome.tally;
        if tally.statuses().next().is_some() {
            write!(f, "  status  ")?;
            for (status, times) in tally.statuses() {
                write!(f, "   {status} × {}", count(times))?;
            }
            writeln!(f)?;
        }
        if tally.failures.total() == 0 {
            return writeln!(f, "  errors     none");
        }
        writeln!(f, "  errors     {:<20}{:>10}  example", "class", "count")?;
        for (class, entry) in tally.failures.entries() {
            write!(f, "             {:<20}{:>10}", class.name(), count(entry.count))?;
            writeln!(f, "  {}", entry.example)?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, name: &str, histogram: &Histogram) -> fmt::Result {
    write!(f, "   {name:<8}{:>8}", time(histogram.min()))?;
    for quantile in QUANTILES {
        match histogram.count() as f64 * (1.0 - quantile) >= SAMPLES_BEYOND {
            true => write!(f, "{:>8}", time(histogram.at(quantile)))?,
            false => write!(f, "{:>8}", "n/a")?,
        }
    }
    let mean = histogram.mean().round() as u64;
    writeln!(f, "{:>8}{:>8}", time(histogram.max()), time(mean))
}

fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

fn ns(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use crate::report::sample;

    fn text(open: bool) -> String {
        let mut text = String::new();
        sample::with_report(open, |report| text = report.to_string());
        text
    }

    #[test]
    fn an_open_loop_shows_schedule_and_three_latencies() {
        let text = text(true);
        for line in [
            "POST http://localhost:8080/get  (embedded server)\n",
            "open loop 3/s · 64 connections · 1 thread · warm-up 2 s + 1 s\n",
            "batched: each latency may be longer by up to 200 µs\n",
            "wakering on memory, Linux 6.1.0 · server on cpu 0, load on 1\n",
            "  requests   3 sent   2 ok   1 failed   2.0/s\n",
            "  schedule   ✓ 3.0/s of 3.0/s: kept\n",
            "\n   intended  300 ns     n/a     n/a     n/a     n/a     n/a  400 ns  350 ns\n",
            "\n   service   200 ns",
            "\n   lag ",
            "  cpu/req    server 20.0 ms   client 10.0 ms   sum 30.0 ms\n",
            "  bytes      in 110 B (110 B/s)   out 60 B (60 B/s)\n",
            "  status     200 × 2\n",
            "             parse                        1  the peer sent a malformed status line\n",
        ] {
            assert!(text.contains(line), "no {line:?} in\n{text}");
        }
    }

    #[test]
    fn a_closed_loop_shows_service_latency_alone() {
        let text = text(false);
        assert!(text.contains("closed loop · 2 connections · 2 threads"), "{text}");
        assert!(text.contains("\n   service") && text.contains("  cpu/req    client"), "{text}");
        for word in ["schedule", "intended", "lag", "sum", "server"] {
            assert!(!text.contains(word), "{word} in\n{text}");
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        let (open, closed) = (text(true), text(false));
        for line in open.lines().chain(closed.lines()).filter(|line| !line.contains("the peer")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
