//! The steps of a full run, in order, each with its limit in time.
//!
//! A step that fails does not end the run: who has to mend three things wants to know of all three.
//! What ends it is the budget. Steps that the budget leaves no time for are listed as NOT RUN, and
//! the run fails, so that a run that has grown too long is noticed and not cut short in silence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use steps::STEPS;

use crate::lanes::Tally;

/// Each step.
mod steps;

/// A quiet machine with two cores needs about half of it.
const BUDGET: Duration = Duration::from_secs(60 * 60);

/// With everything that runs once a week.
const BUDGET_ALL: Duration = Duration::from_secs(4 * 60 * 60);

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    all: bool,
    list: bool,
    only: Vec<String>,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--all" => options.all = true,
                "--list" => options.list = true,
                "--only" => {
                    let name = words.next().ok_or("--only takes the name of a step")?;
                    if !STEPS.iter().any(|step| step.name == *name) {
                        return Err(format!(
                            "there is no step {name:?}, see `cargo xtask ci --list`"
                        ));
                    }
                    options.only.push((*name).to_string());
                }
                other => {
                    return Err(format!("ci takes --all, --list and --only STEP, not {other:?}"));
                }
            }
        }
        Ok(options)
    }

    fn wants(&self, step: &Step) -> bool {
        if self.only.is_empty() {
            self.all || !step.weekly
        } else {
            self.only.iter().any(|name| name == step.name)
        }
    }
}

/// Something that has to hold.
struct Step {
    name: &'static str,
    /// In minutes; about three times what it takes on a quiet machine.
    limit: u64,
    /// Whether it runs with `--all` only.
    weekly: bool,
    /// Says what it came to, in a few words, or what is wrong, in many.
    run: fn(&mut Run<'_>) -> Result<String, String>,
}

/// What the steps of one run share.
struct Run<'a> {
    root: &'a Path,
    logs: PathBuf,
    /// How long the step that is running may take.
    limit: Duration,
    /// What the lanes of tests came to so far.
    lanes: BTreeMap<&'static str, Tally>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    if options.list {
        for step in STEPS {
            let when = if step.weekly { " (with --all)" } else { "" };
            println!("{:<14} at most {} min{when}", step.name, step.limit);
        }
        return Ok(());
    }
    let budget = if options.all { BUDGET_ALL } else { BUDGET };
    let steps: Vec<&Step> = STEPS.iter().filter(|step| options.wants(step)).collect();
    let logs = root.join("target/ci");
    let mut run = Run { root, logs, limit: Duration::ZERO, lanes: BTreeMap::new() };
    let started = Instant::now();
    let bad = run.perform(&steps, budget);
    let took = started.elapsed().as_secs_f64();
    if bad.is_empty() {
        println!("{:<14} ok      {took:>7.1} s", "all of it");
        Ok(())
    } else {
        Err(format!("after {took:.1} s, not good: {}", bad.join(", ")))
    }
}

impl Run<'_> {
    /// Runs the steps that the budget allows, prints what each came to, and names those that are
    /// not good.
    fn perform(&mut self, steps: &[&Step], budget: Duration) -> Vec<&'static str> {
        let started = Instant::now();
        let mut bad = Vec::new();
        for step in steps {
            let left = budget.saturating_sub(started.elapsed());
            if left.is_zero() {
                println!("{:<14} NOT RUN: {} min are over", step.name, budget.as_secs() / 60);
                bad.push(step.name);
                continue;
            }
            self.limit = left.min(Duration::from_secs(60 * step.limit));
            let began = Instant::now();
            let outcome = (step.run)(self);
            let took = began.elapsed().as_secs_f64();
            match outcome {
                Ok(note) => println!("{:<14} ok      {took:>7.1} s  {note}", step.name),
                Err(text) => {
                    println!("{:<14} FAILED  {took:>7.1} s\n{text}", step.name);
                    bad.push(step.name);
                }
            }
        }
        bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_choose_the_steps() {
        let names = |words: &[&str]| -> Vec<&str> {
            let options = Options::parse(words).unwrap();
            STEPS.iter().filter(|step| options.wants(step)).map(|step| step.name).collect()
        };
        assert!(names(&[]).contains(&"test") && !names(&[]).contains(&"oracle"));
        assert!(names(&["--all"]).contains(&"oracle"));
        assert_eq!(names(&["--only", "tidy", "--only", "oracle"]), ["tidy", "oracle"]);
        assert!(Options::parse(&["--only", "nonsense"]).is_err());
        assert!(Options::parse(&["--only"]).is_err());
        assert!(Options::parse(&["everything"]).is_err());
    }

    fn perform(steps: &[&Step], budget: Duration) -> Vec<&'static str> {
        let (root, logs) = (Path::new("."), PathBuf::new());
        Run { root, logs, limit: Duration::ZERO, lanes: BTreeMap::new() }.perform(steps, budget)
    }

    #[test]
    fn a_step_that_fails_does_not_keep_the_others_from_running() {
        let step = |name, run| Step { name, limit: 1, weekly: false, run };
        let bad = step("bad", |_| Err("wrong".to_string()));
        let good = step("good", |run| {
            assert_eq!(run.limit, Duration::from_secs(60));
            Ok("fine".to_string())
        });
        assert_eq!(perform(&[&bad, &good, &bad], BUDGET), ["bad", "bad"]);
        assert_eq!(perform(&[&good], BUDGET), [""; 0]);
    }

    #[test]
    fn what_the_budget_leaves_no_time_for_is_not_run_and_not_good() {
        let step = |name, run| Step { name, limit: 1, weekly: false, run };
        let slow = step("slow", |run| {
            std::thread::sleep(run.limit);
            Ok(String::new())
        });
        let rest = step("rest", |_| panic!("this ran"));
        assert_eq!(perform(&[&slow, &rest], Duration::from_millis(30)), ["rest"]);
    }

    #[test]
    fn the_daily_limits_are_of_use() {
        let sum: u64 = STEPS.iter().filter(|step| !step.weekly).map(|step| step.limit).sum();
        assert!(STEPS.iter().all(|step| step.limit * 60 < BUDGET.as_secs() || step.weekly));
        assert!(sum > 60, "the budget of 60 min could never be reached");
    }
}
