//! A duel of two echo servers: same client, same minute, slice by slice.
//!
//! Absolute figures of a shared machine wander by the minute, ratios of neighbours hardly do. So
//! both servers run all the time, pinned to one processor, and one client on another processor
//! drives them in turn, in short slices A B B A; each pair of neighbouring slices gives one ratio,
//! and the median of those is the result. Running a server against itself shows what error is left.

/// The closed loop over one server's connections.
mod client;
/// A server's process: its start, its address, its processor time.
mod server;
/// Medians and quartiles.
mod spread;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};

use client::{Client, Slice};
use server::Server;
use spread::Spread;

/// Rounds that do not count, before those that do.
const WARM_UP: usize = 3;

/// Compares two echo servers in one run; ratios are those of A to B
#[derive(Parser)]
struct Args {
    /// Command that starts server A and prints `listening on ADDRESS`
    a: String,
    /// Command that starts server B
    b: String,
    /// Connections to each server, each with one message under way
    #[arg(short, long, default_value_t = 64)]
    connections: usize,
    /// Bytes of a message
    #[arg(short, long, default_value_t = 64)]
    size: usize,
    /// Length of a slice in milliseconds
    #[arg(long, default_value_t = 50)]
    slice_ms: u64,
    /// How long to measure, in rounds of four slices, A B B A
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Processor of both servers
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// Processor of the client
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
    /// Write every slice and the result as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match duel(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-duel: {error}");
            ExitCode::FAILURE
        }
    }
}

fn duel(args: &Args) -> io::Result<()> {
    // Children inherit what the thread that starts them may run on.
    pin(args.server_cpu)?;
    let servers = [Server::start(&args.a)?, Server::start(&args.b)?];
    pin(args.client_cpu)?;
    let mut clients = Vec::new();
    for server in &servers {
        clients.push(Client::connect(server.address, args.connections, args.size)?);
    }

    let length = Duration::from_millis(args.slice_ms);
    let mut slice = |side: usize| -> io::Result<Slice> {
        let before = servers[side].cpu()?;
        let (round_trips, time) = clients[side].run(length)?;
        let cpu = servers[side].cpu()?.saturating_sub(before);
        Ok(Slice { round_trips, time, cpu })
    };
    for _ in 0..WARM_UP {
        [0, 1, 1, 0].into_iter().try_for_each(|side| slice(side).map(drop))?;
    }
    let mut pairs = Vec::new();
    let start = Instant::now();
    while pairs.is_empty() || start.elapsed().as_secs_f64() < args.seconds {
        let (a, b) = (slice(0)?, slice(1)?);
        pairs.push((a, b));
        let (b, a) = (slice(1)?, slice(0)?);
        pairs.push((a, b));
    }
    report(args, &pairs)
}

fn report(args: &Args, pairs: &[(Slice, Slice)]) -> io::Result<()> {
    let spread = |of: &dyn Fn(&(Slice, Slice)) -> f64| Spread::of(pairs.iter().map(of).collect());
    println!(
        "{} connections × {} bytes, {} pairs of {} ms slices",
        args.connections,
        args.size,
        pairs.len(),
        args.slice_ms
    );
    for (name, command, side) in [("A", &args.a, 0), ("B", &args.b, 1)] {
        let of = |pair: &(Slice, Slice), figure: fn(&Slice) -> f64| match side {
            0 => figure(&pair.0),
            _ => figure(&pair.1),
        };
        println!("{name}: {command}");
        println!("   round trips/s      {:.0}", spread(&|pair| of(pair, Slice::per_s)));
        println!("   cpu/round trip µs  {:.3}", spread(&|pair| of(pair, Slice::cpu_us)));
    }
    let per_s = spread(&|(a, b)| a.per_s() / b.per_s());
    let cpu = spread(&|(a, b)| a.cpu_us() / b.cpu_us());
    println!("A / B, paired (median, quartiles)");
    println!("   round trips/s      {per_s:.3}");
    println!("   cpu/round trip     {cpu:.3}");

    let Some(path) = &args.json else { return Ok(()) };
    let document = json!({
        "schema": "echo-duel/1",
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        "a": args.a,
        "b": args.b,
        "connections": args.connections,
        "size": args.size,
        "slice_ms": args.slice_ms,
        "ratio": { "round_trips_per_s": per_s.json(), "cpu": cpu.json() },
        "pairs": pairs.iter().map(|(a, b)| json!([a.json(), b.json()])).collect::<Vec<Value>>(),
    });
    std::fs::write(path, format!("{document:#}\n"))
}

fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}
