//! The report for programs, in the form of `docs/report.schema.json`.
//!
//! Times are integers of nanoseconds and amounts integers of bytes. What does not apply to a run is
//! absent, never null or zero, so a reader never takes "not measured" for "nothing".

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Environment, Report};
use crate::load::histogram::{Histogram, QUANTILES};
use crate::machine::host::Host;
use crate::machine::usage;

/// Writes the report and a line feed.
pub fn write(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Document::of(report))?;
    writeln!(out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool,
    host: &'a Host,
    config: Config<'a>,
    env: &'a Environment,
    sent: u64,
    ok: u64,
    failed: u64,
    duration_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests_per_s: Option<f64>,
    bytes: Bytes,
    latency: Latencies,
    status: BTreeMap<u16, u64>,
    errors: Vec<ErrorLine<'a>>,
    usage: Usages,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// One key for each long flag, and the target.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Config<'a> {
    url: String,
    connections: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
    threads: u64,
    method: &'a str,
    header: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_file: Option<String>,
    timeout: u64,
    connect_timeout: u64,
    warmup: u64,
    batch: bool,
    no_keepalive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hgrm: Option<String>,
    quiet: bool,
}

#[derive(Serialize)]
struct Bytes {
    r#in: u64,
    out: u64,
}

#[derive(Serialize)]
struct Latencies {
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    intended: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<Latency>,
}

#[derive(Serialize)]
struct Latency {
    count: u64,
    min: u64,
    mean: u64,
    max: u64,
    p: Quantiles,
}

#[derive(Serialize)]
struct Quantiles {
    #[serde(rename = "50")]
    p50: u64,
    #[serde(rename = "90")]
    p90: u64,
    #[serde(rename = "99")]
    p99: u64,
    #[serde(rename = "99.9")]
    p99_9: u64,
    #[serde(rename = "99.99")]
    p99_99: u64,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    class: &'static str,
    count: u64,
    example: &'a str,
}

#[derive(Serialize)]
struct Usages {
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Usage>,
}

#[derive(Serialize)]
struct Usage {
    user_ns: u64,
    sys_ns: u64,
    max_rss: u64,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report<'_>) -> Document<'a> {
        let outcome = &report.outcome;
        let tally = &outcome.tally;
        let total = tally.total();
        let open = tally.open.as_ref();
        Document {
            schema: "bench-harness/1",
            tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
            host: &report.host,
            config: Config::of(report),
            env: &report.environment,
            sent: tally.sent,
            ok: total.ok,
            failed: total.failed,
            duration_ns: outcome.duration_ns,
            requests_per_s: outcome.requests_per_s(),
            bytes: Bytes { r#in: total.bytes_in, out: total.bytes_out },
            latency: Latencies {
                service: Latency::of(&tally.service),
                intended: open.and_then(|open| Latency::of(&open.intended)),
                lag: open.and_then(|open| Latency::of(&open.lag)),
            },
            status: tally.statuses().collect(),
            errors: tally
                .failures
                .entries()
                .map(|(class, entry)| ErrorLine {
                    class: class.name(),
                    count: entry.count,
                    example: &entry.example,
                })
                .collect(),
            usage: Usages {
                client: outcome.client.map(Usage::of),
                server: outcome.server.map(Usage::of),
            },
        }
    }
}

impl<'a> Config<'a> {
    fn of(report: &'a Report<'_>) -> Config<'a> {
        let args = report.args;
        let path = |path: &std::path::PathBuf| path.display().to_string();
        Config {
            url: report.target.to_string(),
            connections: args.connections,
            duration: args.duration().map(ns),
            requests: args.requests,
            rate: args.rate,
            threads: args.threads,
            method: args.method(),
            header: args.header.iter().map(ToString::to_string).collect(),
            data: args.data.as_deref(),
            data_file: args.data_file.as_ref().map(path),
            timeout: ns(args.timeout),
            connect_timeout: ns(args.connect_timeout),
            warmup: ns(args.warmup),
            batch: args.batch,
            no_keepalive: args.no_keepalive,
            json: args.json.as_ref().map(path),
            hgrm: args.hgrm.as_ref().map(path),
            quiet: args.quiet,
        }
    }
}

impl Latency {
    fn of(histogram: &Histogram) -> Option<Latency> {
        if histogram.count() == 0 {
            return None;
        }
        let [p50, p90, p99, p99_9, p99_99] = QUANTILES.map(|quantile| histogram.at(quantile));
        Some(Latency {
            count: histogram.count(),
            min: histogram.min(),
            mean: histogram.mean().round() as u64,
            max: histogram.max(),
            p: Quantiles { p50, p90, p99, p99_9, p99_99 },
        })
    }
}

impl Usage {
    fn of(usage: usage::Usage) -> Usage {
        Usage { user_ns: ns(usage.user), sys_ns: ns(usage.sys), max_rss: usage.max_rss }
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::report::sample;

    fn document(open: bool) -> Value {
        let mut out = Vec::new();
        sample::with_report(open, |report| super::write(&mut out, report).unwrap());
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn figures_stand_where_the_schema_says() {
        let document = document(true);
        assert_eq!(document["schema"], "bench-harness/1");
        assert_eq!(document["sent"], 3);
        assert_eq!((&document["ok"], &document["failed"]), (&json!(2), &json!(1)));
        assert_eq!(document["requests_per_s"], 2.0);
        assert_eq!(document["bytes"], json!({"in": 110, "out": 60}));
        assert_eq!(document["latency"]["service"]["count"], 2);
        assert_eq!(document["latency"]["intended"]["p"]["99.99"], 400);
        assert_eq!(document["status"], json!({"200": 2}));
        assert_eq!(document["errors"][0]["class"], "parse");
        assert_eq!(document["usage"]["server"]["user_ns"], 20_000_000);
        assert_eq!(document["config"]["connect-timeout"], 2_000_000_000u64);
    }

    #[test]
    fn what_does_not_apply_is_absent() {
        let closed = document(false);
        for (object, key) in [
            (&closed["latency"], "intended"),
            (&closed["latency"], "lag"),
            (&closed["usage"], "server"),
            (&closed["config"], "requests"),
            (&closed["config"], "rate"),
            (&closed["config"], "data"),
        ] {
            assert!(object.is_object() && object.get(key).is_none(), "{key}: {object}");
        }
        assert!(!closed.to_string().contains("null"));
    }

    #[test]
    fn every_long_flag_is_a_key() {
        use clap::CommandFactory;
        let (open, closed) = (document(true), document(false));
        let command = crate::cli::Cli::command();
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        // The samples set what is set by neither default; the last two exclude others.
        for flag in
            flags.filter(|flag| !["help", "version", "requests", "data-file"].contains(flag))
        {
            let found = [&open, &closed].iter().any(|d| d["config"].get(flag).is_some());
            assert!(found, "--{flag} is not in config");
        }
    }
}
