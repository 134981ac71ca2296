//! JSON in the two layouts that Python's `json` gives httpbin's answers.
//!
//! Flask indents by two spaces and sorts keys; `/stream` prints one object a line, unsorted. Both
//! escape everything outside printable ASCII. `/get` is what the benchmark measures, so `Writer`
//! appends to one buffer and there is no tree in between: whoever writes an object gives the keys
//! in the order wanted. `Writer::value` takes a tree where there is one, the JSON of a request;
//! integers beyond 64 bits and non-finite numbers are where it falls short of Python.

use serde_json::Value;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How values are laid out.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Indented,
    OneLine,
}

/// Appends JSON to a buffer, keeping track of commas and indentation.
pub(super) struct Writer {
    out: Vec<u8>,
    layout: Layout,
    depth: usize,
    /// Nothing has been written yet into the innermost object or array.
    empty: bool,
}

impl Writer {
    /// Two spaces of indentation and a newline at the end, as Flask's `jsonify` has it.
    pub(super) fn indented() -> Writer {
        Writer::new(Layout::Indented)
    }

    /// One line, as `json.dumps` has it.
    pub(super) fn one_line() -> Writer {
        Writer::new(Layout::OneLine)
    }

    fn new(layout: Layout) -> Writer {
        Writer { out: Vec::with_capacity(512), layout, depth: 0, empty: true }
    }

    /// How long the finished text would be.
    pub(super) fn len(&self) -> usize {
        self.out.len() + 1
    }

    /// The text, ended by a newline.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'\n');
        self.out
    }

    /// Writes an object whose members `members` writes.
    pub(super) fn object(&mut self, members: impl FnOnce(&mut Writer)) {
        self.nest(b"{}", members);
    }

    /// Writes an array whose elements `elements` writes, each after an [`element`](Self::element).
    pub(super) fn array(&mut self, elements: impl FnOnce(&mut Writer)) {
        self.nest(b"[]", elements);
    }

    /// Begins a member of an object; its value comes next.
    pub(super) fn key(&mut self, name: &str) -> &mut Writer {
        self.element();
        self.string(name);
        self.out.extend_from_slice(b": ");
        self
    }

    /// Begins a member whose name is a token, in which nothing needs an escape.
    pub(super) fn token_key(&mut self, name: impl Iterator<Item = u8>) {
        self.element();
        self.out.push(b'"');
        self.out.extend(name);
        self.out.extend_from_slice(b"\": ");
    }

    /// Begins an element of an array; its value comes next.
    pub(super) fn element(&mut self) -> &mut Writer {
        if !self.empty {
            self.out.push(b',');
        }
        match self.layout {
            Layout::Indented => self.new_line(),
            Layout::OneLine if !self.empty => self.out.push(b' '),
            Layout::OneLine => {}
        }
        self.empty = false;
        self
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text;
        while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
            let (plain, special) = rest.split_at(at);
            self.out.extend_from_slice(plain.as_bytes());
            let mut chars = special.chars();
            self.escape(chars.next().unwrap_or_default());
            rest = chars.as_str();
        }
        self.out.extend_from_slice(rest.as_bytes());
        self.out.push(b'"');
    }

    /// Writes bytes of a header as the string WSGI makes of them, a character each.
    pub(super) fn latin1<'v>(&mut self, values: impl IntoIterator<Item = &'v [u8]>) {
        self.out.push(b'"');
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            for run in value.split_inclusive(|byte| !is_plain(*byte)) {
                match run.split_last() {
                    Some((special, plain)) if !is_plain(*special) => {
                        self.out.extend_from_slice(plain);
                        self.escape(char::from(*special));
                    }
                    _ => self.out.extend_from_slice(run),
                }
            }
        }
        self.out.push(b'"');
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.literal(if value { "true" } else { "false" });
    }

    pub(super) fn null(&mut self) {
        self.literal("null");
    }

    /// Writes a parsed value, its objects sorted by key.
    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => self.literal(&python_float(float)),
                _ => self.literal(&number.to_string()),
            },
            Value::String(text) => self.string(text),
            Value::Array(elements) => self.array(|json| {
                for element in elements {
                    json.element().value(element);
                }
            }),
            Value::Object(members) => self.object(|json| {
                for (name, member) in members {
                    json.key(name).value(member);
                }
            }),
        }
    }

    pub(super) fn literal(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn nest(&mut self, brackets: &[u8; 2], write: impl FnOnce(&mut Writer)) {
        self.out.push(brackets[0]);
        self.depth += 1;
        self.empty = true;
        write(self);
        self.depth -= 1;
        if !self.empty && self.layout == Layout::Indented {
            self.new_line();
        }
        self.empty = false;
        self.out.push(brackets[1]);
    }

    fn new_line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + 2 * self.depth, b' ');
    }

    fn escape(&mut self, special: char) {
        let short = match special {
            '"' => b'"',
            '\\' => b'\\',
            '\n' => b'n',
            '\r' => b'r',
            '\t' => b't',
            '\u{8}' => b'b',
            '\u{c}' => b'f',
            _ => {
                for unit in special.encode_utf16(&mut [0; 2]) {
                    self.out.extend_from_slice(b"\\u");
                    for shift in [12, 8, 4, 0] {
                        self.out.push(HEX[usize::from(*unit >> shift) & 0xf]);
                    }
                }
                return;
            }
        };
        self.out.extend_from_slice(&[b'\\', short]);
    }
}

/// Whether a byte stands for itself inside a string.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Python's `repr`: Rust's shortest digits, and a sign and two digits in the exponent.
fn python_float(value: f64) -> String {
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Writer)) -> String {
        let mut json = Writer::indented();
        write(&mut json);
        String::from_utf8(json.finish()).unwrap()
    }

    #[test]
    fn nested_objects_are_indented_by_two_and_empty_ones_stay_on_their_line() {
        let got = text(|json| {
            json.object(|json| {
                json.key("a").array(|json| {
                    json.element().bool(true);
                    json.element().null();
                });
                json.key("b").object(|_| {});
                json.key("c").array(|_| {});
            });
        });
        let want = "{\n  \"a\": [\n    true,\n    null\n  ],\n  \"b\": {},\n  \"c\": []\n}\n";
        assert_eq!(got, want);
    }

    #[test]
    fn one_line_has_a_space_behind_commas_and_colons() {
        let mut json = Writer::one_line();
        json.object(|json| {
            json.key("a").string("x");
            json.key("b").array(|json| {
                json.element().literal("1");
                json.element().literal("2");
            });
        });
        assert_eq!(json.finish(), b"{\"a\": \"x\", \"b\": [1, 2]}\n");
    }

    #[test]
    fn strings_are_escaped_down_to_printable_ascii() {
        let got = text(|json| json.string("a\"\\\n\t\u{0}\u{7f}é\u{2028}😀/"));
        assert_eq!(got, "\"a\\\"\\\\\\n\\t\\u0000\\u007f\\u00e9\\u2028\\ud83d\\ude00/\"\n");
    }

    #[test]
    fn header_values_are_latin1_and_repeated_ones_joined() {
        let got = text(|json| json.latin1([&b"caf\xe9"[..], b"", b"\"q\""]));
        assert_eq!(got, "\"caf\\u00e9,,\\\"q\\\"\"\n");
    }

    #[test]
    fn floats_look_as_in_python() {
        let cases = [
            (1.0, "1.0"),
            (1e5, "100000.0"),
            (1e16, "1e+16"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1.5e300, "1.5e+300"),
            (0.1, "0.1"),
        ];
        for (value, want) in cases {
            assert_eq!(python_float(value), want);
        }
    }

    #[test]
    fn parsed_objects_come_out_sorted() {
        let value = serde_json::from_str(r#"{"b":[1,-2,18446744073709551615],"a":{}}"#).unwrap();
        let got = text(|json| json.value(&value));
        let want =
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    -2,\n    18446744073709551615\n  ]\n}\n";
        assert_eq!(got, want);
    }
}
