//! What can go wrong with one request, in classes that a reader can act upon.
//!
//! A class says at which step of the exchange it went wrong and how, never which ephemeral port
//! was involved, so a million failures are still a table of a few lines. Each class keeps one
//! example in full words: the first that was seen.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The step and manner of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The host's name has no address.
    Dns,
    /// Nobody listens there.
    ConnectRefused,
    /// No connection within `--connect-timeout`.
    ConnectTimeout,
    /// Connecting failed otherwise.
    ConnectOther,
    /// The request could not be written.
    WriteReset,
    /// The peer reset the connection while its answer was awaited or read.
    ReadReset,
    /// The peer closed before a whole response head had come.
    EofBeforeResponse,
    /// The peer closed in the middle of the body.
    EofMidBody,
    /// What came is no HTTP response.
    Parse,
    /// `--timeout` passed before the response head.
    TimeoutHeaders,
    /// `--timeout` passed in the body.
    TimeoutBody,
    /// A whole response with a status from 400 to 499.
    Status4xx,
    /// A whole response with a status from 500 to 599.
    Status5xx,
    /// The run was interrupted before the response came.
    CancelledAtEnd,
}

impl Class {
    /// All classes, in the order of an exchange.
    pub const ALL: [Class; 14] = [
        Class::Dns,
        Class::ConnectRefused,
        Class::ConnectTimeout,
        Class::ConnectOther,
        Class::WriteReset,
        Class::ReadReset,
        Class::EofBeforeResponse,
        Class::EofMidBody,
        Class::Parse,
        Class::TimeoutHeaders,
        Class::TimeoutBody,
        Class::Status4xx,
        Class::Status5xx,
        Class::CancelledAtEnd,
    ];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Class::Dns => "dns",
            Class::ConnectRefused => "connect-refused",
            Class::ConnectTimeout => "connect-timeout",
            Class::ConnectOther => "connect-other",
            Class::WriteReset => "write-reset",
            Class::ReadReset => "read-reset",
            Class::EofBeforeResponse => "eof-before-response",
            Class::EofMidBody => "eof-mid-body",
            Class::Parse => "parse",
            Class::TimeoutHeaders => "timeout-headers",
            Class::TimeoutBody => "timeout-body",
            Class::Status4xx => "status-4xx",
            Class::Status5xx => "status-5xx",
            Class::CancelledAtEnd => "cancelled-at-end",
        }
    }

    /// The class of a status, unless that counts as success.
    pub fn of_status(status: u16) -> Option<Class> {
        match status {
            400..500 => Some(Class::Status4xx),
            500..600 => Some(Class::Status5xx),
            _ => None,
        }
    }
}

/// One request's failure.
#[derive(Debug)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Words(Cow<'static, str>),
    Io(io::Error),
}

impl Failure {
    /// A failure told in words.
    pub fn new(class: Class, words: impl Into<Cow<'static, str>>) -> Failure {
        Failure { class, cause: Cause::Words(words.into()) }
    }

    /// A failure that the system reported.
    pub fn io(class: Class, error: io::Error) -> Failure {
        Failure { class, cause: Cause::Io(error) }
    }

    /// A failed attempt to connect.
    pub fn connect(error: io::Error) -> Failure {
        let class = match error.kind() {
            io::ErrorKind::ConnectionRefused => Class::ConnectRefused,
            io::ErrorKind::TimedOut => Class::ConnectTimeout,
            _ => Class::ConnectOther,
        };
        Failure::io(class, error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Words(words) => f.write_str(words),
            Cause::Io(error) => f.write_str(&without_ports(&error.to_string())),
        }
    }
}

/// Failures by class: how many, and the first one's text.
#[derive(Debug, Default)]
pub struct Failures {
    classes: [Option<Entry>; Class::ALL.len()],
}

/// One line of the table of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How many failures of the class there were.
    pub count: u64,
    /// The first of them.
    pub example: String,
}

impl Failures {
    /// Counts one failure; `example` is asked only for the first of its class.
    pub fn record(&mut self, class: Class, example: impl FnOnce() -> String) {
        match &mut self.classes[class as usize] {
            Some(entry) => entry.count += 1,
            empty => *empty = Some(Entry { count: 1, example: example() }),
        }
    }

    /// Adds the failures of another thread.
    pub fn merge(&mut self, other: Failures) {
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            match (mine.as_mut(), theirs) {
                (Some(mine), Some(theirs)) => mine.count += theirs.count,
                (None, theirs) => *mine = theirs,
                (Some(_), None) => {}
            }
        }
    }

    /// The classes that occurred, in the order of an exchange.
    pub fn entries(&self) -> impl Iterator<Item = (Class, &Entry)> {
        Class::ALL
            .into_iter()
            .zip(&self.classes)
            .filter_map(|(class, entry)| entry.as_ref().map(|entry| (class, entry)))
    }

    /// All failures together.
    pub fn total(&self) -> u64 {
        self.entries().map(|(_, entry)| entry.count).sum()
    }
}

/// Drops `:12345` behind a host: ports differ from failure to failure and say nothing.
fn without_ports(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon);
        out.push_str(before);
        let digits = after[1..].bytes().take_while(u8::is_ascii_digit).count();
        let host_before = before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ']');
        let next = after[1 + digits..].strip_prefix(':').unwrap_or(&after[1 + digits..]);
        let ends = !next.starts_with(|c: char| c.is_alphanumeric() || c == ':');
        if (1..=5).contains(&digits) && host_before && ends {
            rest = &after[1 + digits..];
        } else {
            out.push(':');
            rest = &after[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_keep_their_order_and_names() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index);
        }
        let mut names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Class::ALL.len());
    }

    #[test]
    fn statuses_below_400_are_no_failure() {
        assert_eq!(Class::of_status(200), None);
        assert_eq!(Class::of_status(399), None);
        assert_eq!(Class::of_status(404), Some(Class::Status4xx));
        assert_eq!(Class::of_status(599), Some(Class::Status5xx));
    }

    #[test]
    fn connect_errors_are_told_apart() {
        let class = |kind| Failure::connect(io::Error::from(kind)).class;
        assert_eq!(class(io::ErrorKind::ConnectionRefused), Class::ConnectRefused);
        assert_eq!(class(io::ErrorKind::TimedOut), Class::ConnectTimeout);
        assert_eq!(class(io::ErrorKind::HostUnreachable), Class::ConnectOther);
    }

    #[test]
    fn the_table_counts_all_and_keeps_the_first_example() {
        let mut one = Failures::default();
        one.record(Class::Parse, || "first".into());
        one.record(Class::Parse, || unreachable!("only the first is asked"));
        let mut two = Failures::default();
        two.record(Class::Parse, || "other".into());
        two.record(Class::Dns, || "name".into());
        one.merge(two);
        let entry = |count, example: &str| Entry { count, example: example.into() };
        let table: Vec<_> = one.entries().map(|(c, e)| (c.name(), e.clone())).collect();
        assert_eq!(table, [("dns", entry(1, "name")), ("parse", entry(3, "first"))]);
        assert_eq!(one.total(), 4);
    }

    #[test]
    fn ports_are_stripped_and_nothing_else() {
        for (text, stripped) in [
            ("connect 127.0.0.1:41327: refused", "connect 127.0.0.1: refused"),
            ("127.0.0.1:1 -> [::1]:65535", "127.0.0.1 -> [::1]"),
            ("localhost:80", "localhost"),
            ("error: 104", "error: 104"),
            ("host:80x", "host:80x"),
            ("(os error 104)", "(os error 104)"),
            ("[fe80::1]:99", "[fe80::1]"),
            ("a: b", "a: b"),
        ] {
            assert_eq!(without_ports(text), stripped);
        }
    }
}
