//! The body of a request as Flask takes it apart: a form, files, or plain data.
//!
//! A form's body is consumed by parsing it: `data` is then empty, and there is no JSON. Any other
//! body is shown as text if it is UTF-8, as a `data:` URL if not, and as JSON if it can be read as
//! that, whatever its type says. A multipart body that cannot be read gives an empty form.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::multipart;
use super::pairs::Pairs;

/// The body of a request, parsed.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    /// What is neither form nor files, as text.
    pub(super) data: Cow<'a, str>,
    pub(super) form: Pairs<'a>,
    pub(super) files: Pairs<'a>,
}

impl<'a> Content<'a> {
    /// Takes a body apart as its type says.
    pub(super) fn parse(content_type: &str, body: &'a [u8]) -> Content<'a> {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => {
                let form = str::from_utf8(body).map(Pairs::parse).unwrap_or_default();
                Content { form, ..Content::default() }
            }
            "multipart/form-data" => match multipart::parameter(parameters, "boundary") {
                Some(boundary) => Content::of_parts(body, &boundary),
                None => Content::raw(body),
            },
            _ => Content::raw(body),
        }
    }

    /// The data as JSON; null if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    fn raw(body: &'a [u8]) -> Content<'a> {
        let data = show("application/octet-stream", body);
        Content { data, ..Content::default() }
    }

    fn of_parts(body: &'a [u8], boundary: &str) -> Content<'a> {
        let mut content = Content::default();
        for part in multipart::parse(body, boundary).unwrap_or_default() {
            // Python shows the name that a part does not have as the key `null`.
            let name = part.name.unwrap_or_else(|| "null".into());
            if !part.is_file {
                content.form.push(name, String::from_utf8_lossy(part.data));
            } else if !content.files.contains(&name) {
                let kind = part.content_type.unwrap_or("application/octet-stream");
                content.files.push(name, show(kind, part.data));
            }
        }
        content
    }
}

/// Text as it is, anything else as a `data:` URL of the type `kind`.
fn show<'a>(kind: &str, bytes: &'a [u8]) -> Cow<'a, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(format!("data:{kind};base64,{}", STANDARD.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_leave_no_data() {
        let content =
            Content::parse("Application/x-www-form-urlencoded; charset=utf-8", b"a=1&b=%C3%A9+x");
        assert_eq!(content.data, "");
        assert_eq!(content.form, Pairs::parse("a=1&b=%C3%A9+x"));
        assert_eq!(content.json(), Value::Null);
    }

    #[test]
    fn other_bodies_are_text_or_a_data_url() {
        let content = Content::parse("text/plain", b"[1, 2]");
        assert_eq!(content.data, "[1, 2]");
        assert_eq!(content.json(), serde_json::json!([1, 2]));
        let content = Content::parse("image/png", b"\x00\xff\xfe");
        assert_eq!(content.data, "data:application/octet-stream;base64,AP/+");
        assert_eq!(content.json(), Value::Null);
    }

    #[test]
    fn parts_are_fields_or_files_and_the_first_file_of_a_name_counts() {
        let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\
            Content-Type: image/png\r\n\r\n\xff\r\n\
            --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"y\"\r\n\r\ntwo\r\n\
            --B--\r\n";
        let content = Content::parse("multipart/form-data; boundary=B", body);
        let mut form = Pairs::default();
        form.push("a", "1");
        let mut files = Pairs::default();
        files.push("f", "data:image/png;base64,/w==");
        assert_eq!((content.form, content.files), (form, files));
    }

    #[test]
    fn broken_parts_give_an_empty_form() {
        for body in [&b"--B\r\nbroken"[..], b"", b"--C\r\n\r\n\r\n--C--\r\n"] {
            let content = Content::parse("multipart/form-data; boundary=B", body);
            assert_eq!((content.form, content.data.as_ref()), (Pairs::default(), ""));
        }
        assert_eq!(Content::parse("multipart/form-data", b"xx").data, "xx");
    }
}
