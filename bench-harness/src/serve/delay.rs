//! `/delay/{seconds}`: what was sent, at most ten seconds later.
//!
//! The handler only says for how long; the waiting is done in `service`, where it
//! costs a timer and ends with the connection.

use std::time::Duration;

use super::call::Call;
use super::echo;
use super::number::seconds;
use super::reply::Reply;

const DELAY_MAX: Duration = Duration::from_secs(10);

/// Shows the request after `text` seconds, a decimal number.
pub(super) fn delay(call: &Call<'_>, text: &str) -> Reply {
    match seconds(text) {
        Some(delay) => Reply { after: delay.min(DELAY_MAX), ..echo::without_json(call) },
        None => Reply::bad_request("the delay must be a number of seconds, zero or more"),
    }
}
