//! Numbers in paths and queries, read as Python's `int` and `float` read them.
//!
//! White space around a number and a plus sign are allowed. Where httpbin fails with status 500,
//! because a number is none or makes no sense, this server answers 400 with a sentence.

use std::time::Duration;

use super::pairs::Pairs;

/// The sentence for the client when a number cannot be used.
pub(super) type Complaint = String;

/// Reads an integer.
pub(super) fn int(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Reads a segment of a path that may consist of digits only.
pub(super) fn digits(segment: &str) -> Option<u64> {
    let all = segment.bytes().all(|byte| byte.is_ascii_digit());
    if all { segment.parse().ok() } else { None }
}

/// Reads a time in seconds that is neither negative nor without end.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

/// The integer parameter `name`, or `default` without it.
pub(super) fn int_parameter(args: &Pairs<'_>, name: &str, default: i64) -> Result<i64, Complaint> {
    match args.parameter(name) {
        None => Ok(default),
        Some(text) => int(text).ok_or_else(|| format!("`{name}` must be an integer")),
    }
}

/// The parameter `name` as a time in seconds, or `default` without it.
pub(super) fn seconds_parameter(
    args: &Pairs<'_>,
    name: &str,
    default: Duration,
) -> Result<Duration, Complaint> {
    let complaint = || format!("`{name}` must be a number of seconds, zero or more");
    match args.parameter(name) {
        None => Ok(default),
        Some(text) => seconds(text).ok_or_else(complaint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_in_python() {
        assert_eq!(
            (int(" +200 "), int("-1"), int("2.0"), int("")),
            (Some(200), Some(-1), None, None)
        );
        assert_eq!(
            (digits("007"), digits("-1"), digits("1e3"), digits("")),
            (Some(7), None, None, None)
        );
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(seconds(" .1"), Some(Duration::from_millis(100)));
        assert_eq!(seconds("1e-2"), Some(Duration::from_millis(10)));
        for text in ["", "x", "-1", "nan", "inf", "1e300"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
