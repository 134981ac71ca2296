//! Each step: what it runs, and what makes its outcome good.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Run, Step};
use crate::lanes::{self, Place, Tally};
use crate::process::{self, End, Finished};
use crate::tidy::metadata;
use crate::{futures, matrix, oracle, tidy};

const fn daily(
    name: &'static str,
    limit: u64,
    run: fn(&mut Run<'_>) -> Result<String, String>,
) -> Step {
    Step { name, limit, weekly: false, run }
}

const fn weekly(
    name: &'static str,
    limit: u64,
    run: fn(&mut Run<'_>) -> Result<String, String>,
) -> Step {
    Step { name, limit, weekly: true, run }
}

/// All steps: the README's own commands first and last.
pub(super) const STEPS: &[Step] = &[
    daily("test", 20, |run| run.lane(lanes::DEFAULT, &[], &[], WHOLE)),
    daily("fmt", 2, |run| run.cargo("fmt", &["fmt", "--all", "--check"], &[])),
    daily("tidy", 2, |run| tidy::check(run.root)),
    daily("clippy", 10, clippy),
    daily("test-t0", 10, |run| run.lane("t0", &[], &[("WAKERING_CAPS", "t0")], PROGRAMS)),
    daily("test-t1", 10, |run| run.lane("t1", &[], &[("WAKERING_CAPS", "t1")], PROGRAMS)),
    daily("test-poll", 10, |run| run.lane("poll", &[], &[POLL, ON_POLL], PROGRAMS)),
    daily("test-forbidden", 10, |run| run.lane("forbidden", &FORBID_URING, &[ON_POLL], WHOLE)),
    daily("examples", 5, examples),
    daily("docs", 5, docs),
    daily("futures", 3, futures),
    daily("loom", 10, loom),
    daily("asan", 25, asan),
    daily("kernels", 20, kernels),
    daily("bench", 15, bench),
    weekly("matrix", 60, |run| kernel_matrix(run, matrix::Options::default(), "")),
    weekly("test-hidden", 10, |run| run.lane("hidden", &HIDE_URING, &[ON_POLL], WHOLE)),
    weekly("features", 30, features),
    weekly("publish", 30, publish),
    weekly("oracle", 15, |run| oracle::compare(run.root, oracle::SEED)),
    weekly("rivals", 30, rivals),
];

/// The README's command, and the test programs alone: examples of the documents, which are compiled
/// first, run on the ring and without one, and not again on its lower tiers.
const WHOLE: &[&str] = &[];
const PROGRAMS: &[&str] = &["--lib", "--bins", "--tests"];

/// Asks for the backend without a ring.
const POLL: (&str, &str) = ("WAKERING_BACKEND", "poll");

/// Tells the tests which backend they have to find themselves on.
const ON_POLL: (&str, &str) = ("WAKERING_TEST_BACKEND", "poll");

/// What cargo has to be told in front of a command that finds io_uring refused, or missing.
const FORBID_URING: [&str; 4] = ["xtask", "forbid-uring", "--", "cargo"];
const HIDE_URING: [&str; 5] = ["xtask", "forbid-uring", "enosys", "--", "cargo"];

impl Run<'_> {
    /// A command of cargo, for which a machine may be as slow as those of CI are.
    fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(self.root).args(args).env("CARGO_TERM_COLOR", "never");
        if std::env::var_os("WAKERING_TEST_PATIENCE").is_none() {
            command.env("WAKERING_TEST_PATIENCE", "4");
        }
        command.envs(env.iter().copied());
        command
    }

    /// Runs a command of cargo to the limit of the step and gives its output, however it ended.
    fn finish(&self, name: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Finished, String> {
        let mut command = self.command(args, env);
        process::run(&mut command, self.limit, &self.logs, name)
            .map_err(|error| format!("cannot run cargo {}: {error}", args.join(" ")))
    }

    /// Runs a command of cargo that has to succeed.
    fn cargo(&self, name: &str, args: &[&str], env: &[(&str, &str)]) -> Result<String, String> {
        self.good(&self.finish(name, args, env)?)
    }

    fn good(&self, finished: &Finished) -> Result<String, String> {
        match finished.end {
            End::Succeeded => Ok(String::new()),
            End::Failed => Err(finished.tail()),
            End::TimedOut => {
                Err(format!("took longer than {} s\n{}", self.limit.as_secs(), finished.tail()))
            }
        }
    }

    /// The README's command for the tests, in one environment: behind the words `around`, and with
    /// the variables `env`.
    fn lane(
        &mut self,
        lane: &'static str,
        around: &[&str],
        env: &[(&str, &str)],
        suite: &[&str],
    ) -> Result<String, String> {
        let name = format!("test-{lane}");
        let test = ["test", "--workspace", "--no-fail-fast"];
        let args = [around, &test, suite, &["--", "--show-output"]].concat();
        let finished = self.finish(&name, &args, env)?;
        self.judge(lane, &finished)
    }

    /// Whether a lane has ended well and ran what it should have run.
    fn judge(&mut self, lane: &'static str, finished: &Finished) -> Result<String, String> {
        let text = fs::read_to_string(self.root.join(".ci/skips.txt"))
            .map_err(|error| format!("cannot read .ci/skips.txt: {error}"))?;
        let lanes: &[&str] = match lane {
            "forbidden" | "hidden" => &["forbidden", "poll"],
            "asan-poll" => &["asan", "poll"],
            lane => &[lane],
        };
        let place = Place { lanes, kernel: lanes::own_kernel() };
        let allowed = lanes::allowed(&text, &place)?;
        let tally = Tally::read(&finished.stdout());
        let whole_suite = env_lane(lane);
        let default = self.lanes.get(lanes::DEFAULT).filter(|_| whole_suite);
        let checked = tally.check(&allowed, default);
        self.lanes.insert(lane, tally);
        let ended = match (self.good(finished), lanes::failures(&finished.stdout())) {
            (Ok(_), _) => return checked,
            (Err(text), failures) if failures.is_empty() => text,
            (Err(_), failures) => failures,
        };
        let (Ok(note) | Err(note)) = checked;
        Err(format!("{note}\n{ended}"))
    }
}

/// Whether a lane is the same suite under another environment, so that its numbers can be compared.
fn env_lane(lane: &str) -> bool {
    !matches!(lane, lanes::DEFAULT | "asan" | "asan-poll")
}

fn clippy(run: &mut Run<'_>) -> Result<String, String> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run.cargo("clippy", &args, &[])
}

/// Builds the examples with all features, and checks what they say and when.
fn examples(run: &mut Run<'_>) -> Result<String, String> {
    run.cargo("examples-build", &["build", "--examples", "--all-features"], &[])?;
    run.cargo("examples", &["test", "--all-features", "--test", "examples"], &[])
}

fn docs(run: &mut Run<'_>) -> Result<String, String> {
    let args = ["doc", "--workspace", "--no-deps", "--all-features"];
    run.cargo("docs", &args, &[("RUSTDOCFLAGS", "-D warnings")])
}

/// The compiler that is pinned writes JSON only if it is told that it may.
fn futures(run: &mut Run<'_>) -> Result<String, String> {
    for name in futures::CRATES {
        let package = format!("wakering-{name}");
        let args = ["rustdoc", "--quiet", "--lib", "--target-dir", futures::TARGET, "-p", &package];
        let json = ["--", "-Z", "unstable-options", "--output-format", "json"];
        run.cargo("futures", &[&args[..], &json].concat(), &[("RUSTC_BOOTSTRAP", "1")])?;
    }
    futures::compare(run.root)
}

/// The interleavings that need few preemptions. A folder of its own keeps the flags from rebuilding
/// everything else.
fn loom(run: &mut Run<'_>) -> Result<String, String> {
    let packages = ["-p", "wakering-ring-driver", "-p", "wakering-runtime"];
    let args = [&["test", "--release", "--lib"][..], &packages, &["--", "loom", "races"]].concat();
    let target = folder(run.root, "target/loom");
    let env = [
        ("RUSTFLAGS", "--cfg loom"),
        ("LOOM_MAX_PREEMPTIONS", "2"),
        ("CARGO_TARGET_DIR", target.as_str()),
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ];
    let finished = run.finish("loom", &args, &env)?;
    run.good(&finished)?;
    match Tally::read(&finished.stdout()).passed {
        0 => Err("no model was checked".to_string()),
        passed => Ok(format!("{passed} models")),
    }
}

/// AddressSanitizer, for what user space does wrong. The compiler has it behind an unstable flag
/// only, which RUSTC_BOOTSTRAP opens; std itself is not instrumented. Leaks are not looked for,
/// because tests forget futures on purpose.
fn asan(run: &mut Run<'_>) -> Result<String, String> {
    let host = host()?;
    let packages = ["-p", "wakering-ring-driver", "-p", "wakering-runtime", "-p", "wakering-net"];
    let tests = ["test", "--no-fail-fast", "--target", host.as_str()];
    let parts = [&["--lib", "--tests"][..], &packages].concat();
    let drops = ["-p", "wakering", "--test", "drop_at_every_await"];
    let target = folder(run.root, "target/asan");
    let env = [
        ("RUSTC_BOOTSTRAP", "1"),
        ("RUSTFLAGS", "-Zsanitizer=address"),
        ("ASAN_OPTIONS", "detect_leaks=0"),
        ("WAKERING_TEST_PATIENCE", "10"),
        ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
        ("CARGO_TARGET_DIR", target.as_str()),
    ];
    let mut said = Vec::new();
    for (lane, backend) in [("asan", &[][..]), ("asan-poll", &[POLL, ON_POLL])] {
        for what in [&parts[..], &drops] {
            // It measures memory, of which AddressSanitizer takes some for itself.
            let words = ["--", "--show-output", "--skip", "case_k08_"];
            let args = [&tests[..], what, &words].concat();
            let finished = run.finish("asan", &args, &[&env[..], backend].concat())?;
            said.push(run.judge(lane, &finished)?);
        }
    }
    Ok(said.join(", "))
}

/// The compiler's own target, which has to be named for its flags not to reach build scripts.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_string).ok_or_else(|| format!("rustc -vV names no host: {text}"))
}

/// The oldest kernel that is supported and the first on which the ring has all classes, with what a
/// driver, a runtime and sockets are made of, and every future dropped after each of its polls. Left
/// to `matrix` are the rest, and tests that no kernel is asked about, which take minutes under
/// emulation: of streams in memory, of who waits for whom, on one core or on several, of what is told of that,
/// and of a race.
fn kernels(run: &mut Run<'_>) -> Result<String, String> {
    const SKIPPED: [&str; 14] = [
        "io::",
        "cleanup::",
        "cores::",
        "deadline::",
        "debug::",
        "dump::",
        "group::",
        "metrics::",
        "scope::",
        "select::",
        "shield::",
        "sync::races::",
        "together::",
        "a_wake_that_comes_as_the_loop_goes_to_sleep",
    ];
    let words = ["5.10", "6.1", "--package", "wakering-ring-driver"];
    let packages = ["--package", "wakering-runtime", "--package", "wakering-net"];
    let drops = ["--package", "wakering", "--program", "wakering/drop_at_every_await", "--"];
    let skipped = SKIPPED.map(|name| ["--skip", name]).concat();
    let words = [&words[..], &packages, &drops, &skipped].concat();
    let left_out =
        format!("; left out: fs, the rest of the facade, tests called {}", SKIPPED.join(", "));
    kernel_matrix(run, matrix::Options::parse(&words)?, &left_out)
}

/// Tests on other kernels, where these can be had.
fn kernel_matrix(
    run: &mut Run<'_>,
    mut options: matrix::Options,
    left_out: &str,
) -> Result<String, String> {
    if let Some(why) = matrix::missing() {
        return Ok(format!("NOT RUN: {why}"));
    }
    options.limit = run.limit;
    Ok(matrix::run(run.root, &options)? + left_out)
}

/// The README's other command: the main job, on the best backend and, for a moment, without a ring.
fn bench(run: &mut Run<'_>) -> Result<String, String> {
    let best = main_job(run, "bench", "3s", None)?;
    let poll = main_job(run, "bench-poll", "1s", Some("poll"))?;
    Ok(format!("{best}; {poll}"))
}

/// Runs the main job, on `backend` if it is asked for.
fn main_job(
    run: &Run<'_>,
    name: &str,
    duration: &str,
    backend: Option<&str>,
) -> Result<String, String> {
    let args = ["run", "--release", "-p", "bench-harness", "--"];
    let options = ["--quiet", "--json", "-", "--duration", duration];
    let env: Vec<_> = backend.map(|backend| ("WAKERING_BACKEND", backend)).into_iter().collect();
    let finished = run.finish(name, &[&args[..], &options].concat(), &env)?;
    run.good(&finished)?;
    let report: Value = serde_json::from_str(&finished.stdout())
        .map_err(|error| format!("the report is no JSON: {error}\n{}", finished.tail()))?;
    judge_report(&report, backend).map_err(|wrong| format!("{wrong}\n{}", finished.tail()))
}

fn judge_report(report: &Value, asked: Option<&str>) -> Result<String, String> {
    let backend = report["env"]["backend"].as_str().ok_or("no backend is named")?;
    if asked.is_some_and(|asked| asked != backend) {
        return Err(format!("on {backend}, which was not asked for"));
    }
    let number = |key: &str| report[key].as_f64().ok_or_else(|| format!("no number `{key}`"));
    let (ok, failed, rate) = (number("ok")?, number("failed")?, number("requests_per_s")?);
    let errors = report["errors"].as_array().map_or(0, Vec::len);
    if ok <= 1000.0 || failed > 0.0 || errors > 0 {
        return Err(format!("{ok} good responses, {failed} failed, {errors} classes of errors"));
    }
    Ok(format!("{ok} good responses, {rate:.0}/s on {backend}"))
}

/// Every subset of every package's features compiles.
fn features(run: &mut Run<'_>) -> Result<String, String> {
    let metadata = metadata(run.root)?;
    let mut checked = 0;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let features: Vec<&str> = package["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(feature, _)| feature.as_str())
            .filter(|feature| *feature != "default")
            .collect();
        for chosen in 0..1u32 << features.len() {
            let subset: Vec<&str> = (0..features.len())
                .filter(|bit| chosen & (1 << bit) != 0)
                .map(|bit| features[bit])
                .collect();
            let subset = subset.join(",");
            let args = ["check", "-p", name, "--no-default-features", "--features", &subset];
            run.cargo("features", &args, &[("RUSTFLAGS", "-D warnings")])
                .map_err(|text| format!("{name} with features [{subset}]\n{text}"))?;
            checked += 1;
        }
    }
    Ok(format!("{checked} subsets"))
}

fn publish(run: &mut Run<'_>) -> Result<String, String> {
    run.cargo("publish", &["publish", "--workspace", "--dry-run", "--allow-dirty"], &[])
}

/// The comparison programs are a workspace of their own and have to build, optimised or not; their
/// figures are taken by hand.
fn rivals(run: &mut Run<'_>) -> Result<String, String> {
    let manifest = "bench-harness/rivals/Cargo.toml";
    run.cargo("rivals", &["test", "--workspace", "--manifest-path", manifest], &[])
}

fn folder(root: &Path, name: &str) -> String {
    let folder: PathBuf = root.join(name);
    folder.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_good_with_a_thousand_good_responses_and_no_bad_one() {
        let report = |ok: u64, failed: u64, errors: Value| {
            json!({
                "ok": ok, "failed": failed, "errors": errors, "requests_per_s": 1234.5,
                "env": {"backend": "poll"},
            })
        };
        let good = report(1001, 0, json!([]));
        assert_eq!(judge_report(&good, None).unwrap(), "1001 good responses, 1234/s on poll");
        assert!(judge_report(&good, Some("poll")).is_ok());
        assert!(judge_report(&good, Some("uring")).unwrap_err().contains("on poll"));
        let report = |ok, failed, errors| judge_report(&report(ok, failed, errors), None);
        assert!(report(1000, 0, json!([])).is_err());
        assert!(report(5000, 1, json!([])).is_err());
        assert!(report(5000, 0, json!([{"class": "connect"}])).is_err());
        let nothing = json!({"ok": 5000, "env": {"backend": "poll"}});
        assert!(judge_report(&nothing, None).unwrap_err().contains("failed"));
    }
}
