//! The same requests to the real httpbin and to ours, and where the answers differ.
//!
//! The real one is PyPI's httpbin under gunicorn, in a virtual environment below `target/`.
//! Requests are generated from a seed: some hundred of them, over all endpoints that both have,
//! with arguments, headers and bodies that clients do send and some that they should not. What may
//! differ is written down in `judge`, everything else is a difference.

use std::path::Path;

/// One request and its answer, on a connection of its own.
mod exchange;
/// What counts as the same answer.
mod judge;
/// What is asked.
mod requests;
/// The two servers.
mod servers;

use requests::Request;
use servers::Server;

/// The seed of the run that CI does.
pub(crate) const SEED: u64 = 2026;

/// How many requests are generated.
const COUNT: usize = 300;

/// Compares, and prints what it found.
pub(crate) fn run(root: &Path, seed: u64) -> Result<(), String> {
    println!("httpbin-oracle: {}", compare(root, seed)?);
    Ok(())
}

/// Says how many requests were answered alike, or shows every difference.
pub(crate) fn compare(root: &Path, seed: u64) -> Result<String, String> {
    let reference = Server::httpbin(root)?;
    let ours = Server::bench_harness(root)?;
    let requests = requests::generate(seed, COUNT);
    let differences: Vec<String> = requests
        .iter()
        .filter_map(|request| difference(request, &reference, &ours).err())
        .collect();
    if differences.is_empty() {
        return Ok(format!("{} requests answered alike (seed {seed})", requests.len()));
    }
    Err(format!(
        "{}\n{} of {} requests were answered differently (seed {seed})",
        differences.join("\n"),
        differences.len(),
        requests.len()
    ))
}

/// Sends a request to both and shows it with what differs.
fn difference(request: &Request, reference: &Server, ours: &Server) -> Result<(), String> {
    let ask = |server: &Server| {
        exchange::exchange(server.address(), request)
            .map_err(|error| format!("{}: {error}", server.name()))
    };
    let outcome = match (ask(reference), ask(ours)) {
        (Ok(expected), Ok(got)) => judge::judge(request, &expected, &got),
        (expected, got) => Err([expected.err(), got.err()].into_iter().flatten().collect()),
    };
    outcome.map_err(|wrong: Vec<String>| format!("{request}\n    {}", wrong.join("\n    ")))
}
