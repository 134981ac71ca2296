//! The client of all servers: `client KIND ADDRESS CONNECTIONS SIZE`.
//!
//! It stands on epoll and on no runtime, so that it is the same for every server, and changes with
//! none. It opens its connections, prints `ready`, and then obeys its console: `slice MS` keeps
//! every connection busy for that long, `paced MS RATE` sends on schedule whatever the server does.
//! What a connection sends next never depends on another connection.
//!
//! - `echo`, `udp`: SIZE bytes, which come back.
//! - `http`: a request for `/get`, or for `/bytes/SIZE` if SIZE is not zero.
//! - `cpu`: a request for `/cpu?us=SIZE`.
//! - `fan-out`: SIZE bytes on the first connection, which come back on all.
//! - `churn`: connect, SIZE bytes, which come back, close.
//! - `idle`: like `echo`; it exchanges one message on each connection and is then only told to end.

#![forbid(unsafe_code)]

/// A socket of one connection.
mod connection;
/// What is sent and what has to come back.
mod exchange;
/// All connections to one server.
mod crowd;
/// A new connection for every message.
mod churn;
/// Descriptors.
mod limit;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use churn::Churn;
use crowd::Crowd;
use exchange::Kind;
use stage::console;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let [kind, address, connections, size] = words[..] else {
        return Err("usage: client KIND ADDRESS CONNECTIONS SIZE".into());
    };
    let address: SocketAddr = address.parse().map_err(|_| format!("`{address}`: no address"))?;
    let number = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
    let (connections, size): (usize, usize) = (number(connections)?, number(size)?);
    limit::allow(connections as u64)?;
    if kind == "churn" {
        let mut churn = Churn::new(address, connections, size);
        return obey(|order| match order {
            Order::Slice(length) => churn.run(length),
            Order::Paced(..) => Err(io::Error::other("churn has no schedule")),
        });
    }
    let kind: Kind = kind.parse()?;
    let opened = Crowd::connect(kind, address, connections, size);
    let mut crowd = opened.map_err(|error| format!("{connections} connections: {error}"))?;
    obey(|order| match order {
        Order::Slice(length) => crowd.run(length),
        Order::Paced(length, rate) => crowd.run_paced(length, rate),
    })
}

/// What the console may ask for.
enum Order {
    Slice(Duration),
    Paced(Duration, f64),
}

/// What a slice brought.
pub struct Done {
    operations: u64,
    time: Duration,
    /// Where there is a schedule to measure from.
    latency: Option<Latency>,
}

/// How long messages took, and how far that can be believed.
pub struct Latency {
    median_ns: u64,
    p99_ns: u64,
    /// How long this client had lost its processor.
    away_ns: u64,
}

fn obey(mut work: impl FnMut(Order) -> io::Result<Done>) -> Result<(), String> {
    console::say("ready");
    while let Some(line) = console::command() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ms = |word: &str| word.parse().ok().map(Duration::from_millis);
        let order = match words[..] {
            ["slice", length] => ms(length).map(Order::Slice),
            ["paced", length, rate] => ms(length)
                .zip(rate.parse().ok().filter(|rate: &f64| *rate > 0.0))
                .map(|(length, rate)| Order::Paced(length, rate)),
            _ => None,
        };
        let order = order.ok_or_else(|| format!("`{line}` is no command"))?;
        let done = work(order).map_err(|error| error.to_string())?;
        let latency = match done.latency {
            Some(Latency { median_ns, p99_ns, away_ns }) => {
                format!(" {median_ns} {p99_ns} {away_ns}")
            }
            None => String::new(),
        };
        console::say(&format!("done {} {}{latency}", done.operations, done.time.as_nanos()));
    }
    Ok(())
}
