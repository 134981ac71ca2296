//! `/basic-auth/{user}/{password}` and `/bearer`: challenges, and what they let through.
//!
//! The path says who may pass, so that a client can be tried with any name. Comparing takes no care
//! to be slow: there is nothing to protect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};

use super::call::Call;
use super::reply::{HTML, Reply};
use super::status::with_status;

/// Lets in who gives this user and this password.
pub(super) fn basic(call: &Call<'_>, [user, password]: [&str; 2]) -> Reply {
    let header = call.header("authorization").unwrap_or_default();
    match credentials(&header) {
        Some((given, secret)) if given == user && secret == password => Reply::object(|json| {
            json.key("authenticated").bool(true);
            json.key("user").string(user);
        }),
        _ => with_status(StatusCode::UNAUTHORIZED),
    }
}

/// Lets in who gives any token.
pub(super) fn bearer(call: &Call<'_>) -> Reply {
    let header = call.header("authorization").unwrap_or_default();
    match header.strip_prefix("Bearer ") {
        Some(token) => Reply::object(|json| {
            json.key("authenticated").bool(true);
            json.key("token").string(token);
        }),
        None => Reply::new(StatusCode::UNAUTHORIZED, HTML, Bytes::new())
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
    }
}

/// User and password of a `Basic` header.
fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim_matches([' ', '\t'])).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_split_at_the_first_colon() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(credentials("Basic dTpw"), pair("u", "p"));
        assert_eq!(credentials("basic  dTpwOnE="), pair("u", "p:q"));
        assert_eq!(credentials("Basic dQ=="), pair("u", ""));
        for header in ["", "Basic", "Basic !!", "Bearer dTpw", "Basic dTpwOnE"] {
            assert_eq!(credentials(header), None, "{header}");
        }
    }
}
