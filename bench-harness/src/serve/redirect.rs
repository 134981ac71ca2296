//! `/redirect/{n}` and the two it leads through: `n` steps to `/get`.
//!
//! With `absolute=true` the steps name the host, otherwise they are paths. Each step is an endpoint
//! of its own, so a client may begin anywhere.

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
        false => relative(call, n),
    }
}

/// A step to a path.
pub(super) fn relative(_call: &Call<'_>, n: u64) -> Reply {
    step("", "relative", n)
}

/// A step to a whole URL.
pub(super) fn absolute(call: &Call<'_>, n: u64) -> Reply {
    step(&format!("http://{}", call.host()), "absolute", n)
}

fn step(origin: &str, kind: &str, n: u64) -> Reply {
    match n {
        0 => Reply::bad_request("the number of redirects must be positive"),
        1 => found(&format!("{origin}/get")),
        _ => found(&format!("{origin}/{kind}-redirect/{}", n - 1)),
    }
}

/// Status 302, with a page for those who do not follow.
pub(super) fn found(location: &str) -> Reply {
    let page = format!(
        "<!doctype html>\n<title>Redirecting</title>\n<p>See <a href=\"{location}\">{location}</a>.\n"
    );
    Reply::new(StatusCode::FOUND, HTML, page).with_text(LOCATION, location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_one_nearer() {
        let location = |n| {
            let reply = step("http://h", "absolute", n);
            reply.response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(location(3).as_deref(), Some("http://h/absolute-redirect/2"));
        assert_eq!(location(1).as_deref(), Some("http://h/get"));
        assert_eq!(location(0), None);
    }
}
