//! `/response-headers?name=value`: sets headers on its answer, and shows all that the answer has.
//!
//! The answer shows its own length too, so it is written until that is the one it shows.

use http::HeaderName;

use super::call::Call;
use super::json::Writer;
use super::pairs::{Order, Pairs};
use super::reply::Reply;

/// Headers that belong to the framing of a message, which is not the client's to decide.
const OF_THE_FRAMING: [&str; 4] = ["connection", "content-length", "transfer-encoding", "upgrade"];

/// Answers with the parameters as headers.
pub(super) fn response_headers(call: &Call<'_>) -> Reply {
    let args = call.args();
    let mut reply = Reply::json(describe(&args));
    for (name, value) in args.iter() {
        let Ok(name) = HeaderName::try_from(name) else {
            return Reply::bad_request(format!(
                "`{}` cannot be the name of a header",
                name.escape_debug()
            ));
        };
        if !OF_THE_FRAMING.contains(&name.as_str()) {
            reply = reply.with_text(name, value);
        }
    }
    reply
}

/// The headers of the answer as an object, in which a name shows the values of all its spellings.
fn describe(args: &Pairs<'_>) -> Writer {
    let mut length = 0;
    loop {
        let text = length.to_string();
        let mut headers = Pairs::default();
        headers.push("Content-Type", "application/json");
        headers.push("Content-Length", &*text);
        args.iter().for_each(|(name, value)| headers.push(name, value));
        let mut shown = Pairs::default();
        for (spelling, _) in headers.grouped() {
            for (_, value) in headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(spelling)) {
                shown.push(spelling, value);
            }
        }
        let mut json = Writer::indented();
        shown.write(&mut json, Order::Sorted);
        match json.len() {
            same if same == length => return json,
            other => length = other,
        }
    }
}
