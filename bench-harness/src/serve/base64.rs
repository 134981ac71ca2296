//! `/base64/{value}`: the text that a base64url value stands for.
//!
//! As in Python, characters outside the alphabet are skipped, what follows complete padding is
//! ignored, and missing padding is an error. An error is a sentence with status 200, as in httpbin.

use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{Engine, alphabet};
use http::StatusCode;

use super::call::Call;
use super::reply::{HTML, Reply};

/// Python does not mind bits that a last character has to spare.
const LENIENT: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);

/// Decodes `value`.
pub(super) fn decode(_call: &Call<'_>, value: &str) -> Reply {
    let text = text_of(value);
    let text =
        text.unwrap_or_else(|| "Incorrect Base64 data try: SFRUUEJJTiBpcyBhd2Vzb21l".to_owned());
    Reply::new(StatusCode::OK, HTML, text)
}

fn text_of(value: &str) -> Option<String> {
    let mut symbols = Vec::with_capacity(value.len());
    let mut pads = 0;
    for byte in value.bytes() {
        match byte {
            b'=' if symbols.len() % 4 >= 2 => {
                pads += 1;
                if symbols.len() % 4 + pads == 4 {
                    break;
                }
            }
            b'-' => symbols.push(b'+'),
            b'_' => symbols.push(b'/'),
            b'+' | b'/' => symbols.push(byte),
            _ if byte.is_ascii_alphanumeric() => symbols.push(byte),
            _ => continue,
        }
        if byte != b'=' {
            pads = 0;
        }
    }
    if (symbols.len() + pads) % 4 != 0 {
        return None;
    }
    let decoder = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    String::from_utf8(decoder.decode(symbols).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_as_leniently_as_in_python() {
        let cases = [
            ("SFRUUEJJTiBpcyBhd2Vzb21l", Some("HTTPBIN is awesome")),
            ("%%%", Some("")),
            ("YQ==", Some("a")),
            ("YR==", Some("a")),
            ("YQ==YQ==", Some("a")),
            ("YWI=x", Some("ab")),
            ("=YWI=", Some("ab")),
            ("PGI-", Some("<b>")),
            ("S F R U!", Some("HTT")),
            ("w6k=", Some("é")),
            ("abc", None),
            ("YQ", None),
            ("YQ=", None),
            ("_-8=", None),
        ];
        for (value, want) in cases {
            assert_eq!(text_of(value).as_deref(), want, "{value}");
        }
    }
}
