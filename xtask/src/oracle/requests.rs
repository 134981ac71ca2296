//! What is asked: generated from a seed, so that a difference can be shown again.
//!
//! Each endpoint has a function that makes one request to it with arguments drawn at random. Every
//! endpoint gets its turn before the first gets its second.

use std::fmt;

/// One request.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// How the body of the answer is compared.
    pub(super) answer: Body,
    /// Headers of the answer whose values are random.
    pub(super) random_headers: &'static [&'static str],
}

/// How the bodies of two answers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// They are equal.
    Same,
    /// They are equal when they are unpacked.
    Packed,
    /// They have the same length.
    Random,
    /// They are equal if all digits are.
    Shape,
}

impl Request {
    pub(super) fn get(target: impl Into<String>) -> Request {
        Request::with("GET", target)
    }

    fn with(method: &'static str, target: impl Into<String>) -> Request {
        Request {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            answer: Body::Same,
            random_headers: &[],
        }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    fn answered(mut self, answer: Body) -> Request {
        self.answer = answer;
        self
    }

    fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        if kind.is_empty() { self } else { self.header("Content-Type", kind) }
    }

    /// The request on the wire. Both servers are told the same name, so that URLs in answers are
    /// equal.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: oracle.test\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || matches!(self.method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        for (name, value) in &self.headers {
            write!(f, " [{name}: {value}]")?;
        }
        if !self.body.is_empty() {
            write!(f, " {:?}", String::from_utf8_lossy(&self.body))?;
        }
        Ok(())
    }
}

/// Makes `count` requests.
pub(super) fn generate(seed: u64, count: usize) -> Vec<Request> {
    let mut random = Random(seed);
    (0..count).map(|at| ENDPOINTS[at % ENDPOINTS.len()](&mut random)).collect()
}

type Endpoint = fn(&mut Random) -> Request;

const ENDPOINTS: &[Endpoint] = &[
    |r| Request::get(format!("/get{}", r.query())),
    |r| dressed(Request::get(format!("/get{}", r.query())), r),
    |r| dressed(Request::get("/headers"), r),
    |r| forwarded(Request::get("/ip"), r),
    |r| forwarded(Request::get(format!("/get{}", r.query())), r),
    |r| match r.below(3) {
        0 => Request::get("/user-agent"),
        _ => Request::get("/user-agent").header("User-Agent", format!("agent/{}", r.below(99))),
    },
    |r| with_body(Request::with("POST", format!("/post{}", r.query())), r),
    |r| with_body(Request::with("PUT", format!("/put{}", r.query())), r),
    |r| with_body(Request::with("PATCH", format!("/patch{}", r.query())), r),
    |r| with_body(Request::with("DELETE", format!("/delete{}", r.query())), r),
    |r| {
        let method = *r.pick(&["GET", "POST", "PUT", "PATCH", "DELETE"]);
        let tail = *r.pick(&["", "/x", "/a/b/c", "/%C3%BC", "/a%20b"]);
        let request = Request::with(method, format!("/anything{tail}{}", r.query()));
        if method == "GET" { request } else { with_body(request, r) }
    },
    |r| {
        let method = *r.pick(&["GET", "POST", "PUT", "PATCH", "DELETE"]);
        let status = match r.below(3) {
            0 => *r.pick(&[301, 302, 303, 305, 307, 401, 402, 406, 407, 418, 304]),
            1 => *r.pick(&[200, 201, 204, 400, 404, 500, 503, 599]),
            _ => 200 + r.below(400),
        };
        Request::with(method, format!("/status/{status}"))
    },
    |r| {
        Request::get(format!(
            "/status/{}",
            r.pick(&["abc", "200,200", "1e3", "-1", "200:x", "200:1"])
        ))
    },
    |r| {
        Request::get(format!(
            "/redirect/{}{}",
            1 + r.below(6),
            r.pick(&["", "?absolute=true", "?absolute=x"])
        ))
    },
    |r| Request::get(format!("/relative-redirect/{}", 1 + r.below(4))),
    |r| Request::get(format!("/absolute-redirect/{}", 1 + r.below(4))),
    |r| {
        let request = Request::get("/cookies");
        match r.below(4) {
            0 => request,
            1 => request.header("Cookie", format!("a={}", r.word())),
            2 => request.header("Cookie", format!("a={}; b={}; a=3", r.word(), r.word())),
            _ => request.header("Cookie", "quoted=\"x y\"; empty=; =v; alone"),
        }
    },
    |r| Request::get(format!("/cookies/set?{}={}", r.word(), r.word())),
    |r| Request::get(format!("/cookies/set?{}={}&z=a%20b%3Bc", r.word(), r.word())),
    |r| {
        let (user, password) = (r.word(), r.word());
        let request = Request::get(format!("/basic-auth/{user}/{password}"));
        let token = match r.below(4) {
            0 => return request,
            1 => base64(format!("{user}:wrong").as_bytes()),
            2 => "!!!".to_string(),
            _ => base64(format!("{user}:{password}").as_bytes()),
        };
        request.header("Authorization", format!("Basic {token}"))
    },
    |r| {
        let request = Request::get("/bearer");
        match r.below(3) {
            0 => request,
            1 => request.header("Authorization", format!("Basic {}", r.word())),
            _ => request.header("Authorization", format!("Bearer {}", r.word())),
        }
    },
    |r| Request::get(format!("/bytes/{}", r.below(2000))).answered(Body::Random),
    |r| {
        let n = r.below(5000);
        let tail =
            [String::new(), format!("?chunk_size={}", 1 + r.below(999)), "?chunk_size=0".into()];
        Request::get(format!("/stream-bytes/{n}{}", r.pick(&tail))).answered(Body::Random)
    },
    |r| dressed(Request::get(format!("/stream/{}{}", r.below(9), r.query())), r),
    |r| Request::get(format!("/stream/{}", 95 + r.below(10))),
    |r| {
        let (bytes, code) = (r.below(6), r.pick(&[200, 201, 404, 503]));
        Request::get(format!("/drip?duration=0.05&delay=0&numbytes={bytes}&code={code}"))
    },
    |r| {
        Request::get(format!(
            "/drip?{}",
            r.pick(&[
                "numbytes=0&duration=0&delay=0",
                "numbytes=-1&duration=0",
                "numbytes=x",
                "duration=0&delay=0.01&numbytes=3"
            ])
        ))
    },
    |r| {
        let n = r.below(300);
        let request = Request::get(format!("/range/{n}"));
        let (a, b) = (r.below(200), r.below(300));
        match r.below(6) {
            0 => request,
            1 => request.header("Range", format!("bytes={a}-{b}")),
            2 => request.header("Range", format!("bytes={a}-")),
            3 => request.header("Range", format!("bytes=-{b}")),
            4 => request.header("Range", "bytes=0-0"),
            _ => request.header(
                "Range",
                r.pick(&["bytes=5", "lines=1-2", "bytes=a-b", "bytes=2-1"]).to_string(),
            ),
        }
    },
    |r| {
        Request::get(format!(
            "/range/{}?chunk_size={}&duration=0",
            1 + r.below(99),
            1 + r.below(50)
        ))
    },
    |_| Request::get("/uuid").answered(Body::Shape),
    |r| {
        let text = base64(r.text().as_bytes()).replace('+', "-").replace('/', "_");
        Request::get(format!("/base64/{text}"))
    },
    |r| Request::get(format!("/base64/{}", r.pick(&["a", "%21%21", "SFRUUEJJTg", "YQ==", "w7w="]))),
    |_| Request::get("/html"),
    |_| Request::get("/json"),
    |_| Request::get("/xml"),
    |_| Request::get("/robots.txt"),
    |r| {
        let mut request = Request::get("/cache");
        request.random_headers = &["etag", "last-modified"];
        match r.below(3) {
            0 => request,
            1 => request.header("If-None-Match", "x"),
            _ => request.header("If-Modified-Since", "Sat, 21 Nov 2026 00:00:00 GMT"),
        }
    },
    |r| {
        let tag = r.word();
        let request = Request::get(format!("/etag/{tag}"));
        let name = *r.pick(&["If-None-Match", "If-Match"]);
        match r.below(6) {
            0 => request,
            1 => request.header(name, tag),
            2 => request.header(name, format!("\"{tag}\"")),
            3 => request.header(name, format!("\"other\", W/\"{tag}\"")),
            4 => request.header(name, "*"),
            _ => request.header(name, "\"other\""),
        }
    },
    |r| {
        let method = *r.pick(&["GET", "POST"]);
        Request::with(
            method,
            format!("/response-headers?X-{}={}&X-Two=a&X-Two=b", r.word(), r.word()),
        )
    },
    |r| {
        Request::get(format!(
            "/response-headers?Content-Type={}",
            r.pick(&["text/plain", "text/html", "x"])
        ))
    },
    |r| dressed(Request::get("/gzip"), r).answered(Body::Packed),
    |r| dressed(Request::get("/deflate"), r).answered(Body::Packed),
    |r| {
        let method = *r.pick(&["GET", "POST", "PUT", "PATCH", "DELETE"]);
        let request = Request::with(
            method,
            format!("/delay/{}{}", r.pick(&["0", "0.05", "0.01"]), r.query()),
        );
        if method == "GET" { request } else { with_body(request, r) }
    },
    |r| Request::get(format!("/delay/{}", r.pick(&["x", "-1", "1s", ""]))),
    |r| {
        Request::with(
            "HEAD",
            r.pick(&["/get", "/html", "/bytes/10", "/status/404", "/ip", "/anything"]).to_string(),
        )
        .answered(Body::Random)
    },
    |r| {
        let target = r.pick(&["/get", "/post", "/anything", "/status/200", "/delay/1", "/uuid"]);
        let request = Request::with("OPTIONS", target.to_string());
        match r.below(3) {
            0 => request,
            1 => request.header("Origin", "http://elsewhere.test"),
            _ => request.header("Access-Control-Request-Headers", "X-One, X-Two"),
        }
    },
    |r| Request::get("/get").header("Origin", format!("http://{}.test", r.word())),
    |r| {
        let (method, target) = *r.pick(&[
            ("POST", "/get"),
            ("GET", "/post"),
            ("PUT", "/ip"),
            ("DELETE", "/uuid"),
            ("PATCH", "/html"),
            ("GET", "/delete"),
        ]);
        Request::with(method, target)
    },
    |r| {
        Request::get(
            r.pick(&[
                "/nowhere",
                "/get/",
                "/status",
                "/bytes/x",
                "/stream/-1",
                "/redirect/0",
                "/redirect/x",
                "/base64",
                "/basic-auth/u",
                "/GET",
            ])
            .to_string(),
        )
    },
];

/// Headers as clients send them, with names in any case and some twice.
fn dressed(mut request: Request, r: &mut Random) -> Request {
    for _ in 0..r.below(4) {
        let name = *r.pick(&[
            "X-One",
            "x-two",
            "ACCEPT",
            "Accept-Language",
            "referer",
            "X-Three-Four",
            "DNT",
        ]);
        let value = r.text().replace(['\r', '\n'], " ");
        let value: String = value.chars().filter(char::is_ascii).collect();
        request = request.header(name, value.trim().to_string());
    }
    request
}

/// Headers of proxies on the way.
fn forwarded(request: Request, r: &mut Random) -> Request {
    match r.below(4) {
        0 => request,
        1 => request.header("X-Forwarded-For", "203.0.113.7"),
        2 => request.header("X-Forwarded-For", "203.0.113.7, 198.51.100.2"),
        _ => request.header("X-Forwarded-Proto", "https"),
    }
}

/// A body of one of the kinds that httpbin takes apart.
fn with_body(request: Request, r: &mut Random) -> Request {
    match r.below(11) {
        0 => request,
        1 => request.body(
            "application/json",
            format!("{{\"{}\": [1, 2.5, null, \"{}\"]}}", r.word(), r.word()),
        ),
        2 => request.body(
            "application/json",
            *r.pick(&["{broken", "12", "\"text\"", "[]", " ", "nan", "{\"a\":1,\"a\":2}"]),
        ),
        3 => request.body("application/x-www-form-urlencoded", r.query().trim_start_matches('?')),
        4 => request
            .body("application/x-www-form-urlencoded", format!("a={}&a=2&b=%C3%BC+x", r.word())),
        5 => request.body("text/plain", r.text()),
        6 => request.body("", r.text()),
        7 => request.body(
            "application/octet-stream",
            (0..r.below(40)).map(|_| r.below(256) as u8).collect::<Vec<u8>>(),
        ),
        8 => request.body("text/plain; charset=utf-8", "gr\u{fc}n \u{1f331}"),
        9 => {
            let boundary = r.word();
            let body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\n{}\r\n\
                 --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                 Content-Type: text/plain\r\n\r\nhello\r\n--{boundary}--\r\n",
                r.word()
            );
            request.body(&format!("multipart/form-data; boundary={boundary}"), body)
        }
        _ => {
            let boundary = r.word();
            let mut body = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"raw\"; filename=\"b.bin\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            )
            .into_bytes();
            body.extend((0..r.below(30)).map(|_| 128 + r.below(128) as u8));
            body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
            request.body(&format!("multipart/form-data; boundary=\"{boundary}\""), body)
        }
    }
}

/// The generator known as SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    fn word(&mut self) -> String {
        (0..1 + self.below(8)).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }

    fn text(&mut self) -> String {
        let words = [
            "plain",
            "two words",
            "gr\u{fc}n",
            "a=b&c=d",
            "100%",
            "q\"uote",
            "<tag>",
            "back\\slash",
            "line\nbreak",
        ];
        (0..1 + self.below(3)).map(|_| *self.pick(&words)).collect::<Vec<_>>().join(" ")
    }

    /// Nothing, or a question mark and arguments.
    fn query(&mut self) -> String {
        let pieces = [
            "a=1",
            "a=2",
            "b=",
            "c",
            "=d",
            "",
            "e=%20x+y",
            "f=%C3%BC",
            "g=%ff",
            "h=%zz",
            "i=a%26b%3Dc",
            "j=a=b",
            "k%5B%5D=1",
            "l=%F0%9F%8C%B1",
            "m=%00",
            "n;o=1",
            "p=/?:@",
        ];
        let count = self.below(5);
        let query = (0..count).map(|_| *self.pick(&pieces)).collect::<Vec<_>>().join("&");
        if count == 0 { String::new() } else { format!("?{query}") }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_requests() {
        let bytes = |seed| generate(seed, 300).iter().map(Request::bytes).collect::<Vec<_>>();
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    #[test]
    fn requests_are_well_formed_lines() {
        for request in generate(1, 3000) {
            let bytes = request.bytes();
            let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
            let head = std::str::from_utf8(&bytes[..end]).unwrap();
            assert!(head.is_ascii(), "{head}");
            assert!(head.split("\r\n").all(|line| !line.contains(['\r', '\n'])), "{head}");
            assert_eq!(head.lines().next().unwrap().split(' ').count(), 3, "{head}");
        }
    }

    #[test]
    fn base64_as_the_rfc_has_it() {
        let of = |text: &str| base64(text.as_bytes());
        assert_eq!(
            [of("f"), of("fo"), of("foo"), of("foob")],
            ["Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }
}
