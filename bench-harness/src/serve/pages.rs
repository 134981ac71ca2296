//! Documents that never change.
//!
//! They say what httpbin's say; the JSON is the same value, the markup around the others is ours.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::call::Call;
use super::reply::{HTML, JSON, Reply};

/// A paragraph of *Moby-Dick*.
pub(super) fn html(_call: &Call<'_>) -> Reply {
    page(HTML, include_bytes!("assets/moby.html"))
}

/// A slide show as JSON.
pub(super) fn json(_call: &Call<'_>) -> Reply {
    page(JSON, include_bytes!("assets/slides.json"))
}

/// The same slide show as XML.
pub(super) fn xml(_call: &Call<'_>) -> Reply {
    page(HeaderValue::from_static("application/xml"), include_bytes!("assets/slides.xml"))
}

/// What robots may not look at.
pub(super) fn robots(_call: &Call<'_>) -> Reply {
    page(HeaderValue::from_static("text/plain"), b"User-agent: *\nDisallow: /deny\n")
}

fn page(content_type: HeaderValue, text: &'static [u8]) -> Reply {
    Reply::new(StatusCode::OK, content_type, Bytes::from_static(text))
}
