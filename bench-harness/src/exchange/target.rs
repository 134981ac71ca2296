//! Where the load goes: an `http://` address taken apart once.
//!
//! Only what the generator can keep is accepted. Whatever else a URL may say (another scheme,
//! credentials, bytes that do not belong into a request line) is refused with the remedy, because
//! a load test that silently asks for something else is worse than none.

use std::fmt;
use std::str::FromStr;

/// A parsed `http://host[:port]/path?query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address to look up, an IPv6 one without its brackets.
    pub host: String,
    /// The port, 80 when the URL names none.
    pub port: u16,
    /// Path and query as they stand in the request line.
    pub path: String,
}

impl Target {
    /// The value of the `Host` header: brackets around IPv6, no port when it is 80.
    pub fn authority(&self) -> String {
        let colon = self.host.contains(':');
        let (open, close) = if colon { ("[", "]") } else { ("", "") };
        match self.port {
            80 => format!("{open}{}{close}", self.host),
            port => format!("{open}{}{close}:{port}", self.host),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Target, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(format!("no verb and no URL: a target looks like http://{url}"));
        };
        if scheme.eq_ignore_ascii_case("https") {
            return Err("https is not supported: this generator speaks plain http://".into());
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("`{scheme}` is not supported: only http:// is"));
        }
        if let Some(bad) = url.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!("{bad:?} must be percent-encoded"));
        }
        let rest = rest.split_once('#').map_or(rest, |(before, _fragment)| before);
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        if authority.contains('@') {
            return Err(
                "credentials in the URL are not supported: use -H 'Authorization: …'".into()
            );
        }
        let (host, port) = split_authority(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { host: host.to_owned(), port, path })
    }
}

fn split_authority(authority: &str) -> Result<(&str, u16), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or("the bracket of the IPv6 address is not closed")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("`{host}` is no IPv6 address"));
            }
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(format!("`{after}` after the host is no port")),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(format!("an IPv6 address needs brackets: http://[{authority}]/"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("the URL names no host".into());
    }
    let port = match port {
        None | Some("") => 80,
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("`{port}` is no port: 1 to 65535 are")),
            Ok(port) => port,
        },
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        let target: Target = url.parse().expect(url);
        (target.host, target.port, target.path)
    }

    #[test]
    fn takes_a_url_apart() {
        let own = |host: &str, port, path: &str| (host.to_owned(), port, path.to_owned());
        assert_eq!(parts("http://localhost"), own("localhost", 80, "/"));
        assert_eq!(parts("http://h:8080/get?a=b#frag"), own("h", 8080, "/get?a=b"));
        assert_eq!(parts("HTTP://h?x=1"), own("h", 80, "/?x=1"));
        assert_eq!(parts("http://[::1]:81/"), own("::1", 81, "/"));
        assert_eq!(parts("http://h:/x"), own("h", 80, "/x"));
    }

    #[test]
    fn prints_the_same_target_again() {
        for url in ["http://h:8080/get?a=b", "http://[::1]:81/", "http://h/"] {
            assert_eq!(url.parse::<Target>().unwrap().to_string(), url);
        }
        assert_eq!("http://[::1]/".parse::<Target>().unwrap().authority(), "[::1]");
    }

    #[test]
    fn refuses_with_the_remedy() {
        for (url, remedy) in [
            ("https://h/", "plain http://"),
            ("ftp://h/", "`ftp`"),
            ("h:80/get", "http://h:80/get"),
            ("http://", "no host"),
            ("http://:80/", "no host"),
            ("http://h:99999/", "99999"),
            ("http://h:0/", "port"),
            ("http://u:p@h/", "Authorization"),
            ("http://h/a b", "percent-encoded"),
            ("http://h/\r\nX: y", "percent-encoded"),
            ("http://[::1/", "bracket"),
            ("http://[nonsense]/", "nonsense"),
            ("http://::1/", "brackets"),
            ("http://[::1]80/", "port"),
        ] {
            let error = url.parse::<Target>().expect_err(url);
            assert!(error.contains(remedy), "{url}: {error}");
        }
    }
}
