//! Descriptors: as many as the connections need, up to the hard limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside them: its console, its epoll, and a few to spare.
const SPARE: u64 = 8;

/// Raises the soft limit if it has to be raised.
pub fn allow(connections: u64) -> Result<(), String> {
    let needed = connections + SPARE;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    if !enough(limit.maximum) {
        return Err(format!(
            "{connections} connections need {needed} descriptors and the limit is {}: raise it \
             with `ulimit -n {needed}`",
            limit.maximum.unwrap_or_default()
        ));
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
        .map_err(|error| format!("raising the limit of descriptors to {needed}: {error}"))
}
