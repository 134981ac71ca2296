//! What an uneven set of connections costs a server on two cores: `cargo run --release -p
//! wakering-net --example skew`.
//!
//! Sixteen connections ask for 200 µs of computing each, one request after the other. They are
//! served by two cores that have eight each (even); by a server on two cores at which all of them
//! arrive on the first (skewed); by the first core alone. The three take turns; each line is the
//! median of theirs.

use std::io;
use std::time::Duration;

use wakering_net::{UnixListener, UnixStream, serve, serve_on_cores};
use wakering_runtime::blocking::unblock;
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::time::Instant;
use wakering_runtime::{Builder, Handle, Runtime, spawn, spawn_on};

const CONNECTIONS: usize = 16;
const REQUESTS: usize = 100;
const WORK: Duration = Duration::from_micros(200);
const TURNS: usize = 15;

fn main() -> io::Result<()> {
    let mut turns = [(); 3].map(|()| (Vec::new(), Vec::new()));
    for turn in 0..3 * TURNS {
        let (time, cpu) = turn_of(turn % 3)?;
        turns[turn % 3].0.push(time);
        turns[turn % 3].1.push(cpu);
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let medians = turns.map(|(mut times, mut cpu)| (median(&mut times), median(&mut cpu)));
    for (name, (time, cpu)) in ["even", "skewed", "alone"].into_iter().zip(medians) {
        let of_even = |part: Duration, even: Duration| part.as_secs_f64() / even.as_secs_f64();
        println!(
            "{name:<8} {time:>8.1?} ({:.2} of even), the busiest core {cpu:>8.1?} ({:.2} of even)",
            of_even(time, medians[0].0),
            of_even(cpu, medians[0].1),
        );
    }
    Ok(())
}

/// How long the requests take, and how much processor time of that core which has used most: what
/// remains of the first where a processor has nothing else to do.
fn turn_of(which: usize) -> io::Result<(Duration, Duration)> {
    let runtime = Builder::new().cores(2).build()?;
    let cores: Vec<Handle> = (0..2).filter_map(|core| runtime.handle().of_core(core)).collect();
    let before: Vec<Duration> = cores.iter().map(Handle::cpu_time).collect();
    let time = runtime.block_on(async {
        let listeners = [listener()?, listener()?];
        let addresses = [listeners[0].local_addr()?, listeners[1].local_addr()?];
        let [first, second] = listeners;
        let addresses = match which {
            0 => {
                drop(serve(first, async |stream, _| answer(stream).await));
                let (second, leftovers) = second.into_std().await?;
                assert!(leftovers.is_empty());
                spawn_on(1, move || async move {
                    let listener = UnixListener::from_std(second)?;
                    drop(serve(listener, async |stream, _| answer(stream).await));
                    io::Result::Ok(())
                })
                .await??;
                addresses
            }
            1 => {
                drop(serve_on_cores(first, || async |stream, _| answer(stream).await));
                [addresses[0].clone(), addresses[0].clone()]
            }
            _ => {
                drop(serve(first, async |stream, _| answer(stream).await));
                [addresses[0].clone(), addresses[0].clone()]
            }
        };
        // Not on a thread of its own, which would inherit the processor of this one.
        unblock(move || Runtime::new().map_err(io::Error::from)?.block_on(load(addresses))).await
    })?;
    let used = cores.iter().zip(before).map(|(core, before)| core.cpu_time() - before);
    Ok((time, used.max().unwrap_or_default()))
}

fn listener() -> io::Result<UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("skew {} {count}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    UnixListener::bind_addr(&address)
}

/// Computes for every byte, and gives it back.
async fn answer(mut stream: UnixStream) -> io::Result<()> {
    let handle = Handle::current();
    loop {
        let (n, _) = stream.read(vec![0; 1]).await?;
        if n == 0 {
            return Ok(());
        }
        let until = handle.cpu_time() + WORK;
        while handle.cpu_time() < until {
            std::hint::spin_loop();
        }
        stream.write_all(vec![0]).await?;
    }
}

async fn load(addresses: [std::os::unix::net::SocketAddr; 2]) -> io::Result<Duration> {
    let mut streams = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = UnixStream::connect_addr(&addresses[n % 2]).await?;
        stream.write_all(vec![0]).await?;
        stream.read_exact(vec![0]).await?;
        streams.push(stream);
    }
    let begun = Instant::now();
    let clients: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            spawn(async move {
                for _ in 0..REQUESTS {
                    stream.write_all(vec![0]).await?;
                    stream.read_exact(vec![0]).await?;
                }
                io::Result::Ok(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(begun.elapsed())
}
