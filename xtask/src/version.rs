//! The two numbers by which people call a kernel.

use std::fmt;
use std::str::FromStr;

/// `6.1` of `6.1.0-56-cloud-amd64`. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
}

impl FromStr for Version {
    type Err = String;

    /// Takes a release as well, whatever follows the two numbers.
    fn from_str(text: &str) -> Result<Version, String> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next(), text.split('.').nth(1)) {
            (Some(Ok(major)), Some(Ok(minor)), Some(_)) => Ok(Version { major, minor }),
            _ => Err(format!("{text:?} is no version of a kernel, such as 6.1")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_two_numbers_of_a_release() {
        let version = |text: &str| text.parse::<Version>().map(|version| version.to_string());
        assert_eq!(version("5.10"), Ok("5.10".to_string()));
        assert_eq!(version("6.12.117+deb12-cloud-amd64"), Ok("6.12".to_string()));
        for wrong in ["", "6", "6-1", "six.one", "v6.1", "6."] {
            assert!(version(wrong).unwrap_err().contains("no version"), "{wrong}");
        }
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let mut versions: Vec<Version> =
            ["6.9", "5.10", "6.12", "7.0"].iter().map(|text| text.parse().unwrap()).collect();
        versions.sort();
        assert_eq!(
            versions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["5.10", "6.9", "6.12", "7.0"]
        );
    }
}
