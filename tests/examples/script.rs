//! Scripts: what a program prints, when, and how it ends.

use std::fmt;

use wakering::signal::SignalKind;

/// What one program does from its start to its end.
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

pub(crate) enum Step {
    /// It prints a line.
    Line(Times, Text),
    /// It prints any number of lines.
    Lines,
    /// It gets a signal.
    Send(SignalKind),
}

/// How a program ends.
pub(crate) struct End {
    pub(crate) times: Times,
    /// The signal that ends it; without one it ends well.
    pub(crate) by: Option<SignalKind>,
}

/// Seconds since the start of the program.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) from: f64,
    pub(crate) until: f64,
}

/// A line in which `*` stands for anything, and `<10` for a number below 10.
pub(crate) struct Text(String);

/// Reads scripts, in the format that is told at their head.
pub(crate) fn read(text: &str) -> Vec<Script> {
    let mut scripts = Vec::new();
    let (mut name, mut steps) = (None, Vec::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "..." => steps.push(Step::Lines),
            "send" => steps.push(Step::Send(signal(rest))),
            "ends" => {
                let (times, by) = rest
                    .split_once(" by ")
                    .map_or((rest, None), |(times, by)| (times, Some(signal(by))));
                let name = name.take().expect("a script opens with the name of a program");
                let end = End { times: Times::read(times), by };
                scripts.push(Script { name, steps: std::mem::take(&mut steps), end });
            }
            _ => match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(word) => assert!(name.replace(word.into()).is_none(), "{word}: no end before"),
                None => steps.push(Step::Line(Times::read(word), Text(rest.into()))),
            },
        }
    }
    assert!(name.is_none() && steps.is_empty(), "the last script has no end");
    scripts
}

fn signal(name: &str) -> SignalKind {
    match name {
        "SIGINT" => SignalKind::interrupt(),
        "SIGTERM" => SignalKind::terminate(),
        _ => panic!("no script knows the signal {name}"),
    }
}

impl Times {
    /// `1.5` or `1-1.5`
    fn read(text: &str) -> Times {
        let seconds = |text: &str| {
            text.parse().unwrap_or_else(|_| panic!("`{text}` are no seconds, in a script"))
        };
        let (from, until) = text.split_once('-').unwrap_or((text, text));
        Times { from: seconds(from), until: seconds(until) }
    }
}

impl Text {
    /// Whether `line` is such a line. Where numbers have to be small, they may be `patience` times
    /// as large.
    pub(crate) fn is(&self, line: &str, patience: f64) -> bool {
        let (mut pattern, mut line) = (self.0.as_str(), line);
        while let Some(at) = pattern.find(['*', '<']) {
            let Some(rest) = line.strip_prefix(&pattern[..at]) else { return false };
            let kind = &pattern[at..=at];
            pattern = &pattern[at + 1..];
            let bound = pattern.find(|digit: char| !digit.is_ascii_digit());
            let (bound, after) = match kind {
                "<" => pattern.split_at(bound.unwrap_or(pattern.len())),
                _ => ("", pattern),
            };
            pattern = after;
            let fixed = &pattern[..pattern.find(['*', '<']).unwrap_or(pattern.len())];
            let found = if fixed.is_empty() { Some(rest.len()) } else { rest.find(fixed) };
            let Some(end) = found else { return false };
            let is_small = || {
                let number: Option<f64> = rest[..end].parse().ok();
                let bound: f64 = bound.parse().expect("a number stands behind `<`");
                number.is_some_and(|number| number < bound * patience)
            };
            if kind == "<" && !is_small() {
                return false;
            }
            line = &rest[end..];
        }
        pattern == line
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} s", self.from, self.until)
    }
}
