//! The server's life: it binds, says where, serves, and ends on a signal.
//!
//! The first SIGINT or SIGTERM stops it gracefully: no new connection, idle ones closed, responses
//! in flight finished. The second one ends the process in the signal handler, so that it also works
//! while `/stall` blocks the thread.

use std::io::{self, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::service::service_fn;
use signal_hook::consts::{SIGINT, SIGTERM};
use wakering::Cores;
use wakering::http;
use wakering::io::AsyncRead;
use wakering::net::{TcpListener, TcpStream, UnixStream};
use wakering::time::timeout;

use super::body::Cut;
use super::call::Peer;
use super::faults::Stream;
use super::service::respond;
use crate::quantity::parse_cores;

/// How long responses in flight may take after the first signal: the longest `/delay` and a bit.
const GRACE: Duration = Duration::from_secs(11);

/// The status of a process that a second signal ended.
const INTERRUPTED: i32 = 130;

/// Where to listen.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Address to listen on; port 0 takes any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub addr: String,

    /// Cores to serve on: a number, or `all`
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_cores)]
    pub cores: Cores,
}

/// Serves until a signal says otherwise.
pub fn main(args: Args) -> ExitCode {
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench-harness serve: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let signals = signals().map_err(|error| format!("cannot handle signals: {error}"))?;
    let runtime = wakering::Builder::new().cores(args.cores).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(serve(&args.addr, signals))
}

async fn serve(addr: &str, signals: StdUnixStream) -> Result<(), String> {
    let describe = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{addr} is in use: stop what listens there, or choose another address with --addr \
             (127.0.0.1:0 takes any free port)"
        ),
        io::ErrorKind::InvalidInput => format!("{error}: --addr takes HOST:PORT"),
        _ => format!("cannot listen on {addr}: {error}"),
    };
    let listener = TcpListener::bind(addr).await.map_err(describe)?;
    let local = listener.local_addr().map_err(describe)?;
    let mut signals = UnixStream::from_std(signals).map_err(|error| error.to_string())?;

    let server = http::serve_on_cores(listener, move || {
        let builder = http::Builder::new().on_error(|error| {
            if !Cut::is_behind(error) {
                eprintln!("bench-harness serve: {error}");
            }
        });
        let accept = async move |tcp: TcpStream, from| {
            tcp.set_nodelay(true)?;
            let peer = Rc::new(Peer::new(from, local));
            let stream = Stream::new(tcp, Rc::clone(&peer));
            Ok((stream, service_fn(move |request| respond(Rc::clone(&peer), request))))
        };
        (builder, accept)
    });
    // Whoever started the server may have stopped listening to it; it serves all the same.
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "listening on http://{local}").and_then(|()| stdout.flush());
    drop(stdout);

    let _ = signals.read(vec![0; 1]).await;
    server.close();
    if timeout(GRACE, server.wait_closed()).await.is_err() {
        server.abort();
        server.wait_closed().await;
    }
    Ok(())
}

/// A stream that brings a byte for the first signal; the second one ends the process.
fn signals() -> io::Result<StdUnixStream> {
    let (reader, writer) = StdUnixStream::pair()?;
    let signalled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the exit is armed only after it has been passed once.
        let armed = Arc::clone(&signalled);
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, armed)?;
        signal_hook::flag::register(signal, Arc::clone(&signalled))?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(reader)
}
