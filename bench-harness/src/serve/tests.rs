//! Answers of the endpoints, asked without a connection.
//!
//! What is compared here byte for byte was taken from httpbin 0.10.4 behind gunicorn.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body as _;

use super::body::Body;
use super::call::{Call, Peer};
use super::faults::Fault;
use super::percent::decode_path;
use super::reply::Reply;
use super::router;

/// Asks for `target` with headers given as lines.
fn ask(method: &str, target: &str, headers: &str, body: &'static str) -> Reply {
    let mut request = Request::builder().method(method).uri(target).header("host", "hb.test");
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let peer = Peer::new("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
    let path = decode_path(parts.uri.path());
    let body = Bytes::from_static(body.as_bytes());
    router::answer(&Call { peer: &peer, parts: &parts, body: &body, path: &path })
}

fn get(target: &str) -> Reply {
    ask("GET", target, "", "")
}

fn text(reply: &Reply) -> &str {
    match reply.response.body() {
        Body::Whole(bytes) => str::from_utf8(bytes).unwrap(),
        Body::Streamed(_) => panic!("the body is streamed"),
    }
}

fn status(reply: &Reply) -> u16 {
    reply.response.status().as_u16()
}

fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    reply.response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn get_shows_the_request_sorted() {
    let headers = "x-b3-1abc: 1\naccept: */*\ndup: a\nvia: proxy\na_b: 3\ndup: b\nx-empty: ";
    let reply = ask("GET", "/get?b=2&a=1&a=%C3%A9%FF+x", headers, "");
    assert_eq!(header(&reply, "content-type"), Some("application/json"));
    let want = r#"{
  "args": {
    "a": [
      "1",
      "\u00e9%FF x"
    ],
    "b": "2"
  },
  "headers": {
    "Accept": "*/*",
    "Dup": "a,b",
    "Host": "hb.test",
    "X-B3-1Abc": "1",
    "X-Empty": ""
  },
  "origin": "127.0.0.1",
  "url": "http://hb.test/get?b=2&a=1&a=\u00e9%FF+x"
}
"#;
    assert_eq!(text(&reply), want);
}

#[test]
fn a_proxy_is_believed_and_hidden() {
    let headers = "x-forwarded-for: 1.2.3.4, 5.6.7.8\nx-forwarded-proto: https";
    let got = ask("GET", "/get", headers, "");
    assert!(text(&got).contains("\"origin\": \"1.2.3.4, 5.6.7.8\""), "{}", text(&got));
    assert!(text(&got).contains("\"url\": \"https://hb.test/get\""), "{}", text(&got));
    assert!(!text(&got).contains("X-Forwarded"), "{}", text(&got));
    let got = ask("GET", "/headers?show_env", headers, "");
    assert!(text(&got).contains("\"X-Forwarded-Proto\": \"https\""), "{}", text(&got));
}

#[test]
fn anything_shows_everything() {
    let headers = "content-type: application/json\ncontent-length: 22";
    let reply = ask("PATCH", "/anything/a/b%20c?x=1", headers, r#"{"b": [1.0], "a": "é"}"#);
    let want = r#"{
  "args": {
    "x": "1"
  },
  "data": "{\"b\": [1.0], \"a\": \"\u00e9\"}",
  "files": {},
  "form": {},
  "headers": {
    "Content-Length": "22",
    "Content-Type": "application/json",
    "Host": "hb.test"
  },
  "json": {
    "a": "\u00e9",
    "b": [
      1.0
    ]
  },
  "method": "PATCH",
  "origin": "127.0.0.1",
  "url": "http://hb.test/anything/a/b%20c?x=1"
}
"#;
    assert_eq!(text(&reply), want);
    let posted = ask("POST", "/post", "content-type: application/x-www-form-urlencoded", "a=1&a=2");
    assert!(text(&posted).contains("\"form\": {\n    \"a\": [\n      \"1\",\n      \"2\"\n    ]"));
    assert!(!text(&posted).contains("\"method\""));
}

#[test]
fn small_echoes() {
    assert_eq!(text(&get("/ip")), "{\n  \"origin\": \"127.0.0.1\"\n}\n");
    assert_eq!(text(&get("/user-agent")), "{\n  \"user-agent\": null\n}\n");
    let reply = ask("GET", "/user-agent", "user-agent: me/1", "");
    assert_eq!(text(&reply), "{\n  \"user-agent\": \"me/1\"\n}\n");
}

#[test]
fn paths_that_are_none_are_not_found() {
    for path in ["/", "/nope", "/get/", "/Get", "/status", "/status/", "/bytes/x", "/bytes/-1"] {
        assert_eq!(status(&get(path)), 404, "{path}");
    }
    for path in ["/anything/", "/basic-auth/u/", "/basic-auth/u/p/x", "/range/1/2/3/4"] {
        assert_eq!(status(&get(path)), 404, "{path}");
    }
    assert_eq!(status(&get("//get")), 200);
}

#[test]
fn methods_are_checked_and_told() {
    let reply = ask("POST", "/get", "", "");
    assert_eq!((status(&reply), header(&reply, "allow")), (405, Some("GET, HEAD, OPTIONS")));
    for (method, path) in [("GET", "/post"), ("PUT", "/post"), ("TRACE", "/get"), ("FOO", "/get")] {
        assert_eq!(status(&ask(method, path, "", "")), 405, "{method} {path}");
    }
    for path in ["/get", "/post", "/status/500"] {
        assert_eq!(status(&ask("OPTIONS", path, "", "")), 200, "{path}");
    }
    for method in ["HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
        assert_eq!(status(&ask(method, "/status/201", "", "")), 201, "{method}");
    }
}

#[test]
fn statuses_come_with_what_belongs_to_them() {
    let reply = get("/status/302");
    assert_eq!((status(&reply), header(&reply, "location")), (302, Some("/redirect/1")));
    let reply = get("/status/401");
    assert_eq!(header(&reply, "www-authenticate"), Some("Basic realm=\"Fake Realm\""));
    assert!(text(&get("/status/418")).contains("-=[ teapot ]=-"));
    assert_eq!(text(&get("/status/x")), "Invalid status code");
}

#[test]
fn delays_are_held_back_and_bounded() {
    assert_eq!(get("/delay/0.25").after, Duration::from_millis(250));
    assert_eq!(get("/delay/99").after, Duration::from_secs(10));
    assert_eq!(get("/drip?delay=1.5").after, Duration::from_millis(1500));
    assert_eq!(get("/never").after, Duration::MAX);
    for path in ["/delay/x", "/delay/-1", "/delay/nan", "/drip?duration=x", "/drip?numbytes=0"] {
        assert_eq!(status(&get(path)), 400, "{path}");
    }
}

#[test]
fn bodies_announce_their_length_or_none() {
    let length = |path| {
        let reply = get(path);
        assert_eq!(status(&reply), 200, "{path}");
        reply.response.body().size_hint().exact()
    };
    assert_eq!(length("/bytes/5"), Some(5));
    assert_eq!(length("/bytes/1000000"), Some(102_400));
    assert_eq!(length("/drip?numbytes=7"), Some(7));
    assert_eq!(length("/drip?numbytes=7&duration=0"), Some(7));
    assert_eq!(length("/range/30"), Some(30));
    assert_eq!(length("/truncate"), Some(100));
    assert_eq!(length("/stream/3"), None);
    assert_eq!(length("/stream-bytes/30"), None);
    assert_eq!(text(&get("/plaintext")), "Hello, World!");
}

#[test]
fn ranges_are_partial_content_or_refused() {
    let reply = ask("GET", "/range/10", "range: bytes=2-5", "");
    assert_eq!((status(&reply), header(&reply, "content-range")), (206, Some("bytes 2-5/10")));
    assert_eq!(header(&reply, "etag"), Some("range10"));
    let reply = ask("GET", "/range/10", "range: bytes=10-", "");
    assert_eq!((status(&reply), header(&reply, "content-range")), (416, Some("bytes */10")));
    assert_eq!(status(&get("/range/0")), 404);
}

#[test]
fn redirects_lead_to_get() {
    let location = |path| {
        let reply = get(path);
        assert_eq!(status(&reply), 302, "{path}");
        header(&reply, "location").unwrap().to_owned()
    };
    assert_eq!(location("/redirect/2"), "/relative-redirect/1");
    assert_eq!(location("/redirect/1"), "/get");
    assert_eq!(location("/redirect/2?absolute=True"), "http://hb.test/absolute-redirect/1");
    assert_eq!(location("/absolute-redirect/1"), "http://hb.test/get");
    assert_eq!(status(&get("/redirect/0")), 400);
}

#[test]
fn cookies_are_set_and_shown() {
    let reply = get("/cookies/set?a=b&c=%22x%3By%22&a=d");
    let set: Vec<&[u8]> =
        reply.response.headers().get_all("set-cookie").iter().map(|v| v.as_bytes()).collect();
    assert_eq!(set, [&b"a=b; Path=/"[..], b"c=\"\\\"x\\073y\\\"\"; Path=/"]);
    assert_eq!((status(&reply), header(&reply, "location")), (302, Some("/cookies")));
    assert_eq!(status(&get("/cookies/set?a%0db=1")), 400);

    let reply = ask("GET", "/cookies", "cookie: b=2; a=1; __utma=3; b=4", "");
    let want = "{\n  \"cookies\": {\n    \"a\": \"1\",\n    \"b\": \"2\"\n  }\n}\n";
    assert_eq!(text(&reply), want);
}

#[test]
fn doors_open_to_those_who_know() {
    let reply = ask("GET", "/basic-auth/u/p", "authorization: Basic dTpw", "");
    assert_eq!(text(&reply), "{\n  \"authenticated\": true,\n  \"user\": \"u\"\n}\n");
    assert_eq!(status(&ask("GET", "/basic-auth/u/q", "authorization: Basic dTpw", "")), 401);
    assert_eq!(status(&get("/basic-auth/u/p")), 401);

    let reply = ask("GET", "/bearer", "authorization: Bearer t", "");
    assert_eq!(text(&reply), "{\n  \"authenticated\": true,\n  \"token\": \"t\"\n}\n");
    assert_eq!(header(&get("/bearer"), "www-authenticate"), Some("Bearer"));
}

#[test]
fn conditions_are_kept() {
    let reply = get("/cache");
    assert_eq!(status(&reply), 200);
    assert_eq!(header(&reply, "etag").map(str::len), Some(32));
    assert!(header(&reply, "last-modified").is_some_and(|date| date.ends_with(" GMT")));
    assert_eq!(status(&ask("GET", "/cache", "if-none-match: x", "")), 304);

    let cases = [
        ("", 200),
        ("if-none-match: \"abc\"", 304),
        ("if-none-match: W/\"abc\", \"d\"", 304),
        ("if-none-match: *", 304),
        ("if-none-match: \"x\"", 200),
        ("if-none-match: \"x\"\nif-match: \"x\"", 200),
        ("if-match: \"abc\"", 200),
        ("if-match: \"x\"", 412),
    ];
    for (headers, want) in cases {
        assert_eq!(status(&ask("GET", "/etag/abc", headers, "")), want, "{headers}");
    }
}

#[test]
fn response_headers_show_themselves() {
    let reply = get("/response-headers?a=b&X-y=%C3%A9&a=c");
    let want = r#"{
  "Content-Length": "118",
  "Content-Type": "application/json",
  "X-y": "\u00e9",
  "a": [
    "b",
    "c"
  ]
}
"#;
    assert_eq!(text(&reply), want);
    let values: Vec<_> = reply.response.headers().get_all("a").iter().collect();
    assert_eq!(values, ["b", "c"]);
    assert_eq!(reply.response.headers()["x-y"].as_bytes(), b"\xe9");
    for query in ["bad%20name=x", "a=b%0d%0ac:d", "a=%E2%82%AC"] {
        assert_eq!(status(&get(&format!("/response-headers?{query}"))), 400, "{query}");
    }
    assert_eq!(header(&get("/response-headers?Content-Length=5"), "content-length"), None);
}

#[test]
fn compressed_answers_unpack_to_what_they_say() {
    use std::io::Read;
    let unpack = |path: &str| {
        let reply = get(path);
        let Body::Whole(bytes) = reply.response.body() else { panic!("the body is streamed") };
        let mut text = String::new();
        match header(&reply, "content-encoding") {
            Some("gzip") => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
            Some("deflate") => flate2::read::ZlibDecoder::new(&bytes[..]).read_to_string(&mut text),
            other => panic!("{other:?}"),
        }
        .unwrap();
        text
    };
    assert!(unpack("/gzip").starts_with("{\n  \"gzipped\": true,\n  \"headers\": {\n"));
    assert!(unpack("/deflate").starts_with("{\n  \"deflated\": true,\n  \"headers\": {\n"));
}

#[test]
fn pages_have_their_types() {
    let pages = [
        ("/html", "text/html; charset=utf-8", "Herman Melville - Moby-Dick"),
        ("/json", "application/json", "\"title\": \"Sample Slide Show\""),
        ("/xml", "application/xml", "<slideshow"),
        ("/robots.txt", "text/plain", "Disallow: /deny"),
        ("/base64/SFRUUEJJTg==", "text/html; charset=utf-8", "HTTPBIN"),
    ];
    for (path, content_type, content) in pages {
        let reply = get(path);
        assert_eq!(header(&reply, "content-type"), Some(content_type), "{path}");
        assert!(text(&reply).contains(content), "{path}");
    }
}

#[test]
fn faults_are_left_on_the_connection() {
    assert_eq!(get("/reset").fault, Some(Fault::Reset));
    let garbage = get("/garbage");
    assert_eq!(
        (garbage.fault, header(&garbage, "connection")),
        (Some(Fault::Garbage), Some("close"))
    );
    assert_eq!(get("/get").fault, None);
}

#[test]
fn the_busy_ones_take_their_time() {
    let start = std::time::Instant::now();
    assert_eq!(get("/stall?ms=2").response.status(), StatusCode::OK);
    assert_eq!(get("/cpu?us=2000").response.status(), StatusCode::OK);
    assert!(start.elapsed() >= Duration::from_millis(4));
    assert_eq!(status(&get("/stall?ms=-1")), 400);
    assert_eq!(status(&get("/cpu?us=x")), 400);
}
