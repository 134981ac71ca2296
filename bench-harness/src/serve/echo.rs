//! The endpoints that show the request: `/get`, `/post`, …, `/anything`, `/headers`, `/ip`.
//!
//! Flask sorts the members of an object, so the order below is alphabetical and must stay so.

use super::call::{Call, write_headers};
use super::form::Content;
use super::json::Writer;
use super::pairs::{Order, Pairs};
use super::reply::Reply;

/// `GET /get`: what a request without a body consists of.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let args = call.args();
    Reply::object(|json| {
        args.write(json.key("args"), Order::Sorted);
        write_request_headers(json, call, &args);
        call.write_origin(json.key("origin"));
        json.key("url").string(&call.url());
    })
}

/// `/post`, `/put`, `/patch`, `/delete`: the body too, raw and parsed.
pub(super) fn with_body(call: &Call<'_>) -> Reply {
    show(call, Members { json: true, method: false })
}

/// `/anything`: the method too.
pub(super) fn anything(call: &Call<'_>) -> Reply {
    show(call, Members { json: true, method: true })
}

/// What `/delay` answers in the end: the body, but not as JSON.
pub(super) fn without_json(call: &Call<'_>) -> Reply {
    show(call, Members { json: false, method: false })
}

/// Members that not every endpoint with a body has.
struct Members {
    json: bool,
    method: bool,
}

fn show(call: &Call<'_>, members: Members) -> Reply {
    let args = call.args();
    let content_type = call.header("content-type").unwrap_or_default();
    let content = Content::parse(&content_type, call.body);
    Reply::object(|json| {
        args.write(json.key("args"), Order::Sorted);
        json.key("data").string(&content.data);
        content.files.write(json.key("files"), Order::Sorted);
        content.form.write(json.key("form"), Order::Sorted);
        write_request_headers(json, call, &args);
        if members.json {
            json.key("json").value(&content.json());
        }
        if members.method {
            json.key("method").string(call.parts.method.as_str());
        }
        call.write_origin(json.key("origin"));
        json.key("url").string(&call.url());
    })
}

/// `/headers`.
pub(super) fn headers(call: &Call<'_>) -> Reply {
    Reply::object(|json| write_request_headers(json, call, &call.args()))
}

/// `/ip`.
pub(super) fn ip(call: &Call<'_>) -> Reply {
    Reply::object(|json| call.write_origin(json.key("origin")))
}

/// `/user-agent`; null for a client that does not say.
pub(super) fn user_agent(call: &Call<'_>) -> Reply {
    Reply::object(|json| {
        json.key("user-agent");
        match call.header("user-agent") {
            Some(agent) => json.string(&agent),
            None => json.null(),
        }
    })
}

/// Writes the member `headers`, sorted.
pub(super) fn write_request_headers(json: &mut Writer, call: &Call<'_>, args: &Pairs<'_>) {
    write_headers(json.key("headers"), &call.headers(args));
}
