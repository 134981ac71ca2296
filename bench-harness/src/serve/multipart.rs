//! Multipart bodies (RFC 7578), cut out of a body that is complete.
//!
//! The parts borrow from the body. Line ends are CRLF; a preamble and an epilogue are skipped; a
//! body that ends before its closing delimiter is an error and not a shorter form.

/// One part of a body.
#[derive(Debug, PartialEq)]
pub(super) struct Part<'a> {
    pub(super) name: Option<String>,
    /// Whether the part has a file name, be it an empty one.
    pub(super) is_file: bool,
    pub(super) content_type: Option<&'a str>,
    pub(super) data: &'a [u8],
}

/// Cuts a body at its delimiters; nothing if it is not well formed.
pub(super) fn parse<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<Part<'a>>> {
    let delimiter = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    // The first delimiter may stand at the very start, where no line end precedes it.
    let mut rest = match body.strip_prefix(&delimiter.as_bytes()[2..]).and_then(Line::behind) {
        Some(line) => line,
        None => cut(body, delimiter.as_bytes())?.1,
    };
    while let Line::Part(part) = rest {
        let (data, next) = cut(part, delimiter.as_bytes())?;
        parts.push(Part::parse(data)?);
        rest = next;
    }
    Some(parts)
}

/// A parameter of a header such as `Content-Disposition`, unquoted.
pub(super) fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        let (value, tail) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, tail) = value.split_once(';').unwrap_or((value, ""));
                (value.trim().to_owned(), tail)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = tail;
    }
    None
}

/// The text up to the closing quote, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((text, chars.as_str())),
            '\\' => text.push(chars.next()?),
            other => text.push(other),
        }
    }
}

/// What follows a delimiter.
enum Line<'a> {
    Part(&'a [u8]),
    End,
}

impl<'a> Line<'a> {
    /// Reads the rest of the delimiter's line; nothing if the delimiter was only like one.
    fn behind(rest: &'a [u8]) -> Option<Line<'a>> {
        if rest.starts_with(b"--") {
            return Some(Line::End);
        }
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        rest[blanks..].strip_prefix(b"\r\n").map(Line::Part)
    }
}

/// What precedes the next delimiter, and what follows it.
fn cut<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], Line<'a>)> {
    let mut from = 0;
    loop {
        let at = from + find(&text[from..], delimiter)?;
        if let Some(line) = Line::behind(&text[at + delimiter.len()..]) {
            return Some((&text[..at], line));
        }
        from = at + 2;
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

impl<'a> Part<'a> {
    /// Reads the headers in front of the data, of which only the disposition is required.
    fn parse(text: &'a [u8]) -> Option<Part<'a>> {
        let blank = find(text, b"\r\n\r\n")?;
        let (head, data) = (str::from_utf8(&text[..blank]).ok()?, &text[blank + 4..]);
        let header = |wanted: &str| {
            let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
            let (_, value) = headers.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
            Some(value.trim())
        };
        let disposition = header("content-disposition")?;
        let parameters = disposition.split_once(';').map_or("", |(_, parameters)| parameters);
        Some(Part {
            name: parameter(parameters, "name"),
            is_file: parameter(parameters, "filename").is_some(),
            content_type: header("content-type"),
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(name: &str, data: &'a [u8]) -> Part<'a> {
        Part { name: Some(name.to_owned()), is_file: false, content_type: None, data }
    }

    #[test]
    fn data_may_look_almost_like_a_delimiter() {
        let body = b"preamble\r\n--BB\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\
            --B\r\n--BBX\r\n\r\n--BB \t\r\ncontent-disposition: form-data; name=b\r\n\r\n\r\n\
            --BB--\r\nepilogue";
        let parts = parse(body, "BB").unwrap();
        assert_eq!(parts, [field("a", b"--B\r\n--BBX\r\n"), field("b", b"")]);
    }

    #[test]
    fn an_empty_form_is_a_closing_delimiter() {
        assert_eq!(parse(b"--B--\r\n", "B"), Some(Vec::new()));
    }

    #[test]
    fn broken_bodies_are_refused() {
        let cases: [&[u8]; 4] = [
            b"",
            b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
            b"--B\r\nno colon\r\n\r\n1\r\n--B--",
            b"--B\r\nContent-Type: text/plain\r\n\r\n1\r\n--B--",
        ];
        for body in cases {
            assert_eq!(parse(body, "B"), None, "{}", body.escape_ascii());
        }
    }

    #[test]
    fn parameters_may_be_quoted() {
        let text = "; name=\"q\\\"x; y\"; filename=plain ;other=1";
        assert_eq!(parameter(text, "name").as_deref(), Some("q\"x; y"));
        assert_eq!(parameter(text, "FileName").as_deref(), Some("plain"));
        assert_eq!(parameter(text, "size"), None);
        assert_eq!(parameter("name=\"unterminated", "name"), None);
    }
}
