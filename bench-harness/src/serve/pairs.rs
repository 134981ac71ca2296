//! Names with values, in order and with repetitions: a query string or a form.
//!
//! httpbin shows a name that comes once with its value and one that comes again with a list of
//! them; parameters of an endpoint are looked up without regard to case.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json::Writer;
use super::percent::decode_query;

/// The pairs of a query string or a form, decoded.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The order in which [`Pairs::write`] shows names.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    Sorted,
    AsGiven,
}

impl<'a> Pairs<'a> {
    /// Reads `a=1&b=2`; a name without `=` has an empty value, and empty pieces are skipped.
    pub(super) fn parse(query: &'a str) -> Pairs<'a> {
        let pieces = query.split('&').filter(|piece| !piece.is_empty());
        Pairs(
            pieces
                .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
                .map(|(name, value)| (decode_query(name), decode_query(value)))
                .collect(),
        )
    }

    pub(super) fn push(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.0.push((name.into(), value.into()));
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(candidate, _)| candidate == name)
    }

    /// The first value of the first name that is `name` but for case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Each name once, where it first came, with all its values.
    pub(super) fn grouped(&self) -> Vec<(&str, Vec<&str>)> {
        let mut places = HashMap::new();
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in self.iter() {
            let place = *places.entry(name).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, values)) => values.push(value),
                None => groups.push((name, vec![value])),
            }
        }
        groups
    }

    /// Writes an object that gives each name its value, or the list of its values.
    pub(super) fn write(&self, json: &mut Writer, order: Order) {
        let mut groups = self.grouped();
        if order == Order::Sorted {
            groups.sort_unstable_by_key(|(name, _)| *name);
        }
        json.object(|json| {
            for (name, values) in groups {
                json.key(name);
                match values[..] {
                    [value] => json.string(value),
                    _ => json.array(|json| {
                        for value in values {
                            json.element().string(value);
                        }
                    }),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(query: &str, order: Order) -> String {
        let mut json = Writer::one_line();
        Pairs::parse(query).write(&mut json, order);
        String::from_utf8(json.finish()).unwrap()
    }

    #[test]
    fn repeated_names_become_lists() {
        let query = "b=2&a=1&a=%C3%A9&&c&=v&d=x=y&e;f=1";
        assert_eq!(
            shown(query, Order::Sorted),
            "{\"\": \"v\", \"a\": [\"1\", \"\\u00e9\"], \"b\": \"2\", \"c\": \"\", \"d\": \"x=y\", \
             \"e;f\": \"1\"}\n"
        );
        assert_eq!(shown("b=2&a=1", Order::AsGiven), "{\"b\": \"2\", \"a\": \"1\"}\n");
        assert_eq!(shown("", Order::Sorted), "{}\n");
    }

    #[test]
    fn parameters_are_found_whatever_their_case() {
        let pairs = Pairs::parse("NumBytes=3&numbytes=4");
        assert_eq!(pairs.parameter("numbytes"), Some("3"));
        assert_eq!(pairs.parameter("code"), None);
    }
}
