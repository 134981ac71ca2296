//! The line that moves while a load runs: on a terminal only, on standard error, gone at the end.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::load::schedule::Schedule;
use crate::quantity::{count, round_time};

/// A progress line, or none.
pub struct Progress(ProgressBar);

impl Progress {
    /// A line if standard error is a terminal and `wanted`.
    pub fn new(wanted: bool) -> Progress {
        let target = match wanted && stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        let style = ProgressStyle::with_template("{prefix:>9} {wide_bar} {msg}");
        bar.set_style(style.unwrap_or_else(|_invalid| ProgressStyle::default_bar()));
        Progress(bar)
    }

    /// Shows where the load is, `now_ns` after the start of its warm-up.
    pub fn show(&self, now_ns: u64, schedule: &Schedule) {
        if self.0.is_hidden() {
            return;
        }
        let (start_ns, end_ns) = (schedule.start_ns(), schedule.end_ns());
        if now_ns < start_ns {
            self.draw("warm-up", now_ns, start_ns, seconds_left(start_ns - now_ns));
        } else if now_ns >= end_ns {
            self.draw("drain", 1, 1, String::new());
        } else {
            let begun = format!("{} requests", count(schedule.begun(now_ns)));
            match schedule.budget() {
                Some(budget) => self.draw("measure", schedule.begun(now_ns), budget, begun),
                None => {
                    let left = seconds_left(end_ns - now_ns);
                    let text = format!("{begun}, {left}");
                    self.draw("measure", now_ns - start_ns, end_ns - start_ns, text);
                }
            }
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }

    fn draw(&self, phase: &'static str, position: u64, length: u64, text: String) {
        self.0.set_prefix(phase);
        self.0.set_length(length);
        self.0.set_position(position);
        self.0.set_message(text);
    }
}

fn seconds_left(ns: u64) -> String {
    let s = Duration::from_nanos(ns).as_secs() + 1;
    format!("{} left", round_time(s * 1_000_000_000))
}
