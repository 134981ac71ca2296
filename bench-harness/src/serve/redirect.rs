//! `/redirect/{n}` and the two it leads through: `n` steps to `/get`.
//!
//! With `absolute=true` the steps name the host, otherwise they are paths. Each step is an endpoint
//! of its own, so a client may begin anywhere.

use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;

use super::call::Call;
use super::reply::{HTML, Reply};

/// The first of `n` steps, absolute or not as the parameter says.
pub(super) fn redirect(call: &Call<'_>, n: u64) -> Reply {
    let args = call.args();
    let wish = args.iter().find(|(name, _)| *name == "absolute");
    match wish.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")) {
        true => absolute(call, n),
        false => step("", "relative", n).map_or_else(no_steps, |location| found(&location)),
    }
}

/// A step to a path, without a page.
pub(super) fn relative(_call: &Call<'_>, n: u64) -> Reply {
    step("", "relative", n).map_or_else(no_steps, |location| {
        Reply::new(StatusCode::FOUND, HTML, Bytes::new()).with_text(LOCATION, &location)
    })
}

/// A step to a whole URL.
pub(super) fn absolute(call: &Call<'_>, n: u64) -> Reply {
    let origin = format!("http://{}", call.host());
    step(&origin, "absolute", n).map_or_else(no_steps, |location| found(&location))
}

/// Status 302, with a page for those who do not follow.
pub(super) fn found(location: &str) -> Reply {
    let page = format!(
        "<!doctype html>\n<title>Redirect</title>\n<p>See <a href=\"{location}\">{location}</a>.\n"
    );
    Reply::new(StatusCode::FOUND, HTML, page).with_text(LOCATION, location)
}

/// Where the first of `n` steps leads.
fn step(origin: &str, kind: &str, n: u64) -> Option<String> {
    match n {
        0 => None,
        1 => Some(format!("{origin}/get")),
        _ => Some(format!("{origin}/{kind}-redirect/{}", n - 1)),
    }
}

fn no_steps() -> Reply {
    Reply::bad_request("the number of redirects must be positive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_one_nearer() {
        let location = |n| step("http://h", "absolute", n);
        assert_eq!(location(3).as_deref(), Some("http://h/absolute-redirect/2"));
        assert_eq!(location(1).as_deref(), Some("http://h/get"));
        assert_eq!(location(0), None);
    }
}
