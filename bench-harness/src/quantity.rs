//! Quantities as people write them on a command line, and as a report prints them.
//!
//! Reading: durations take a unit (`10s`, `500ms`, `250us`, `2m`), a bare number being seconds as
//! in curl; counts take `k` and `m` for thousands and millions. Writing: three significant digits
//! for times, separated thousands for counts, decimal units for bytes. Both directions work on
//! integers of nanoseconds and bytes, which is what all other modules hold.

use std::time::Duration;

use wakering::Cores;

/// The longest duration accepted: a year, far from any overflow of nanoseconds in a `u64`.
const DURATION_MAX_S: f64 = 365.0 * 86_400.0;

/// The largest count accepted: a million million, which a `f64` holds exactly.
const COUNT_MAX: f64 = 1e12;

/// Reads `10s`, `1.5s`, `500ms`, `250us`, `20ns`, `2m`, `1h`, or bare seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let unit_s = match unit {
        "" | "s" => 1.0,
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("`{other}` is no unit of time: ns, us, ms, s, m and h are")),
    };
    let seconds = number * unit_s;
    if seconds > DURATION_MAX_S {
        return Err("longer than a year".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Reads a duration that must not be zero.
pub fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be longer than zero".into()),
        duration => Ok(duration),
    }
}

/// Reads a number of cores, or `all`.
pub fn parse_cores(text: &str) -> Result<Cores, String> {
    match text.trim() {
        "all" => Ok(Cores::All),
        number => match number.parse() {
            Ok(count) => Ok(Cores::Count(count)),
            Err(_) => Err("must be a number of cores, or `all`".into()),
        },
    }
}

/// Reads `64`, `20k`, `1.5m`; at least one.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let (number, suffix) = split(text)?;
    let factor = match suffix {
        "" => 1.0,
        "k" | "K" => 1e3,
        "m" | "M" => 1e6,
        other => return Err(format!("`{other}` is no suffix of a count: k and m are")),
    };
    let value = number * factor;
    if value < 1.0 {
        return Err("must be at least 1".into());
    }
    if value.fract() != 0.0 {
        return Err("must be a whole number".into());
    }
    if value > COUNT_MAX {
        return Err("is too large".into());
    }
    Ok(value as u64)
}

/// Takes the decimal number off the front; what is left is the unit.
fn split(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err("does not begin with a number".into());
    }
    let value = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    Ok((value, unit.trim_start()))
}

/// Nanoseconds with three significant digits: `87 ns`, `1.10 ms`, `12.3 s`.
pub fn time(ns: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    // 999.5 would be printed as 1000: the next unit starts there.
    let (name, unit) =
        UNITS.into_iter().rev().find(|&(_, unit)| ns as f64 >= 0.9995 * unit).unwrap_or(UNITS[0]);
    let value = ns as f64 / unit;
    let decimals = match value {
        _ if unit == 1.0 => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {name}")
}

/// A configured duration, without digits that say nothing: `2 s`, `500 ms`, `1.5 s`.
pub fn round_time(ns: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000)];
    for (name, unit) in UNITS {
        if ns >= unit && ns.is_multiple_of(unit / 10) {
            let (whole, tenth) = (ns / unit, ns % unit / (unit / 10));
            return match tenth {
                0 => format!("{whole} {name}"),
                _ => format!("{whole}.{tenth} {name}"),
            };
        }
    }
    time(ns)
}

/// A count with separated thousands: `200,113`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate a second: separated thousands, with decimals only where the number is small.
pub fn rate(per_s: f64) -> String {
    if per_s < 100.0 { format!("{per_s:.1}") } else { count(per_s.round() as u64) }
}

/// Bytes in decimal units: `512 B`, `63.4 MB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)];
    match UNITS.into_iter().rev().find(|&(_, unit)| value as f64 >= unit) {
        Some((name, unit)) => format!("{:.1} {name}", value as f64 / unit),
        None => format!("{value} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units_and_bare_numbers_are_seconds() {
        for (text, ms) in [
            ("10s", 10_000),
            ("1.5s", 1_500),
            ("500ms", 500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("3", 3_000),
            ("0", 0),
            ("2 s", 2_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn bad_durations_say_what_is_wrong() {
        assert!(parse_duration("10parsec").unwrap_err().contains("parsec"));
        assert!(parse_duration("").unwrap_err().contains("number"));
        assert!(parse_duration("-1s").unwrap_err().contains("number"));
        assert!(parse_duration("1.2.3s").unwrap_err().contains("1.2.3"));
        assert!(parse_duration("inf").unwrap_err().contains("number"));
        assert!(parse_duration("400000000s").unwrap_err().contains("year"));
        assert!(parse_positive_duration("0s").unwrap_err().contains("zero"));
    }

    #[test]
    fn counts_take_suffixes_and_must_be_whole() {
        assert_eq!(parse_count("64"), Ok(64));
        assert_eq!(parse_count("20k"), Ok(20_000));
        assert_eq!(parse_count("1.5m"), Ok(1_500_000));
        assert!(parse_count("0").is_err());
        assert!(parse_count("1.5").is_err());
        assert!(parse_count("1000001m").is_err());
        assert!(parse_count("12q").unwrap_err().contains('q'));
    }

    #[test]
    fn cores_are_counted_or_all() {
        assert_eq!(parse_cores("2"), Ok(Cores::Count(2)));
        assert_eq!(parse_cores("all"), Ok(Cores::All));
        assert!(parse_cores("most").unwrap_err().contains("all"));
    }

    #[test]
    fn times_keep_three_digits_across_the_units() {
        for (ns, text) in [
            (0, "0 ns"),
            (87, "87 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (41_234, "41.2 µs"),
            (322_000, "322 µs"),
            (999_600, "1.00 ms"),
            (1_104_000, "1.10 ms"),
            (59_990_000_000, "60.0 s"),
        ] {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn configured_times_drop_empty_digits() {
        assert_eq!(round_time(2_000_000_000), "2 s");
        assert_eq!(round_time(1_500_000_000), "1.5 s");
        assert_eq!(round_time(500_000_000), "500 ms");
        assert_eq!(round_time(1_234_567_890), "1.23 s");
        assert_eq!(round_time(0), "0 ns");
    }

    #[test]
    fn counts_bytes_and_rates_print_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(200_113), "200,113");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(63_400_000), "63.4 MB");
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(rate(20_011.4), "20,011");
    }
}
