//! A request as the handlers of the endpoints see it.
//!
//! The path is decoded and cut at its slashes, the body is complete, and the questions that several
//! endpoints ask (who is calling, under which URL, with which headers) have one answer here: that
//! of httpbin behind gunicorn, which knows headers only in the form that CGI gave them.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::faults::Fault;
use super::json::Writer;
use super::pairs::Pairs;
use super::percent::{push_iri_path, push_iri_query};

/// What is known of a connection before its first request.
pub(super) struct Peer {
    /// The client's address without its port, which is what `origin` shows.
    pub(super) origin: String,
    /// The server's own address, for clients that name no host.
    pub(super) local: String,
    /// How the answer being written is to be spoilt.
    pub(super) fault: Cell<Option<Fault>>,
}

impl Peer {
    pub(super) fn new(peer: SocketAddr, local: SocketAddr) -> Peer {
        let (origin, local) = (peer.ip().to_string(), local.to_string());
        Peer { origin, local, fault: Cell::new(None) }
    }
}

/// One request and the connection it came on.
pub(super) struct Call<'a> {
    pub(super) peer: &'a Peer,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    /// The decoded path.
    pub(super) path: &'a str,
}

impl Call<'_> {
    /// The pairs of the query.
    pub(super) fn args(&self) -> Pairs<'_> {
        Pairs::parse(self.parts.uri.query().unwrap_or_default())
    }

    /// The value of a header, if it came, a character a byte; repeated ones are joined by commas.
    pub(super) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.parts.headers.get_all(name).iter();
        let (first, second) = (values.next()?, values.next());
        if let (Ok(text), None) = (first.to_str(), second) {
            return Some(Cow::Borrowed(text));
        }
        let mut text = String::new();
        for (index, value) in [first].into_iter().chain(second).chain(values).enumerate() {
            text.push_str(if index == 0 { "" } else { "," });
            text.extend(value.as_bytes().iter().map(|byte| char::from(*byte)));
        }
        Some(Cow::Owned(text))
    }

    /// The headers sorted by name, without those that a proxy adds unless `args` ask for them.
    pub(super) fn headers(&self, args: &Pairs<'_>) -> Vec<(&HeaderName, &HeaderValue)> {
        let mut headers = self.headers_as_given(args);
        // A stable sort: values of a repeated header stay in their order.
        headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        headers
    }

    /// The headers in the order in which they came, repeated ones side by side.
    pub(super) fn headers_as_given(&self, args: &Pairs<'_>) -> Vec<(&HeaderName, &HeaderValue)> {
        let all = args.contains("show_env");
        let mut headers = Vec::with_capacity(self.parts.headers.len());
        headers.extend(self.parts.headers.iter().filter(|(name, _)| {
            // CGI cannot tell `_` from `-`, so gunicorn drops the names that have one.
            !name.as_str().contains('_') && (all || !is_of_a_proxy(name.as_str()))
        }));
        headers
    }

    /// Writes where the request came from: what a proxy says, or the peer's address.
    pub(super) fn write_origin(&self, json: &mut Writer) {
        match self.parts.headers.get("x-forwarded-for") {
            Some(forwarded) => json.latin1([forwarded.as_bytes()]),
            None => json.string(&self.peer.origin),
        }
    }

    /// The URL under which the client, or the proxy in front of us, was asked.
    pub(super) fn url(&self) -> String {
        let forwarded = ["x-forwarded-proto", "x-forwarded-protocol"];
        let named = forwarded.into_iter().find_map(|name| self.header(name));
        let scheme = match named {
            Some(scheme) => scheme,
            None if self.header("x-forwarded-ssl").as_deref() == Some("on") => "https".into(),
            None => "http".into(),
        };
        let query = self.parts.uri.query().unwrap_or_default();
        let mut url = String::with_capacity(64 + self.path.len() + query.len());
        url.push_str(&scheme);
        url.push_str("://");
        url.push_str(self.host());
        url.push('/');
        push_iri_path(&mut url, self.path.trim_start_matches('/'));
        if !query.is_empty() {
            url.push('?');
            push_iri_query(&mut url, query);
        }
        url
    }

    /// The host that the client asked for, without the port that goes without saying.
    pub(super) fn host(&self) -> &str {
        let Some(value) = self.parts.headers.get(HOST) else {
            return &self.peer.local;
        };
        let host = value.to_str().unwrap_or_default();
        let host = host.strip_suffix(":80").unwrap_or(host);
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if host.bytes().all(valid) { host } else { "" }
    }
}

/// Writes headers as an object, under the names that CGI leaves of them.
pub(super) fn write_headers(json: &mut Writer, headers: &[(&HeaderName, &HeaderValue)]) {
    json.object(|json| {
        for same in headers.chunk_by(|(a, _), (b, _)| a == b) {
            let (name, _) = same[0];
            json.token_key(title_case(name.as_str()));
            json.latin1(same.iter().map(|(_, value)| value.as_bytes()));
        }
    });
}

/// A header's name with every letter a capital that does not follow a letter.
fn title_case(name: &str) -> impl Iterator<Item = u8> {
    let mut in_word = false;
    name.bytes().map(move |byte| {
        let shown = if in_word { byte } else { byte.to_ascii_uppercase() };
        in_word = byte.is_ascii_alphabetic();
        shown
    })
}

/// Whether a header describes the way to the server rather than the request.
fn is_of_a_proxy(name: &str) -> bool {
    matches!(
        name,
        "connect-time"
            | "total-route-time"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-port"
            | "x-forwarded-proto"
            | "x-forwarded-protocol"
            | "x-forwarded-ssl"
            | "x-heroku-dynos-in-use"
            | "x-heroku-queue-depth"
            | "x-heroku-queue-wait-time"
            | "x-real-ip"
            | "x-request-id"
            | "x-request-start"
            | "x-varnish"
    )
}
