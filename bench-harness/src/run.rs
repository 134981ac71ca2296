//! The verb `run`: everything around the load itself.
//!
//! What can be wrong with the arguments is found before anything is started: unreadable bodies,
//! reports that cannot be written, too many connections. Then come server, load and reports, and
//! the exit status that tells scripts how it went.

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use wakering::Runtime;
use wakering::driver::Driver;

use crate::child::Server;
use crate::cli::RunArgs;
use crate::exchange::request::Request;
use crate::exchange::target::Target;
use crate::interrupt::{self, Interrupt};
use crate::load::failure::{Class, Failure, Failures};
use crate::load::plan::Plan;
use crate::load::schedule::Schedule;
use crate::load::{self, Outcome, Watch};
use crate::machine::affinity;
use crate::machine::host::{self, Host};
use crate::progress::Progress;
use crate::report::{Environment, Report, hgrm, json};

/// Why there is no report.
enum Refusal {
    /// The arguments cannot be used.
    Unusable(String),
    /// It is not the arguments' fault.
    Internal(String),
}

/// Runs a load and reports.
pub fn main(args: RunArgs) -> ExitCode {
    let (status, text) = match run(&args) {
        Ok(status) => return ExitCode::from(status),
        Err(Refusal::Unusable(text)) => (2, text),
        Err(Refusal::Internal(text)) => (1, text),
    };
    eprintln!("bench-harness: {text}");
    ExitCode::from(status)
}

fn run(args: &RunArgs) -> Result<u8, Refusal> {
    let internal = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| Refusal::Internal(format!("{what}: {error}"))
    };
    let body = body(args).map_err(Refusal::Unusable)?;
    let mut outputs = Outputs::open(args).map_err(Refusal::Unusable)?;
    host::allow_descriptors(args.connections).map_err(Refusal::Unusable)?;
    let interrupt = Interrupt::install().map_err(internal("handling signals"))?;
    // Before anything is started: what refuses it refuses the server too, and is told once.
    let runtime = Runtime::new().map_err(|error| Refusal::Internal(error.to_string()))?;

    // Only an embedded server is known to share this machine's processors with the load.
    let (server, division) = match &args.url {
        Some(_) => (None, None),
        None => {
            let division = affinity::divide().map_err(internal("asking for processors"))?;
            let cpu = division.as_ref().map(|division| division.server);
            (Some(Server::start(cpu).map_err(Refusal::Internal)?), division)
        }
    };
    let target = match (&args.url, &server) {
        (Some(url), _) => url.clone(),
        (None, Some(server)) => server.target.clone(),
        (None, None) => unreachable!("without a URL there is a server"),
    };
    let (addresses, environment) = look_up(runtime, &target).map_err(Refusal::Internal)?;
    let outcome = match addresses {
        Ok(addresses) => {
            let keep_alive = !args.no_keepalive;
            let request =
                Request::new(&target, args.method(), &args.header, body.as_deref(), keep_alive);
            let cpus = division.as_ref().map(|division| division.client.clone());
            let plan = Plan::new(args, addresses, request, cpus);
            let mut watch = Watcher { interrupt, progress: Progress::new(!args.quiet) };
            let outcome = load::run(plan, server.as_ref().map(Server::id), &mut watch);
            watch.progress.clear();
            outcome.map_err(Refusal::Internal)?
        }
        Err(failure) => {
            let mut failures = Failures::default();
            failures.record(failure.class, || failure.to_string());
            Outcome::unreachable(failures)
        }
    };
    let embedded = server.is_some();
    drop(server);

    let host = Host::current();
    let report = Report { args, target: &target, embedded, division, host, environment, outcome };
    outputs.write(&report).map_err(Refusal::Internal)?;
    let outcome = &report.outcome;
    Ok(match outcome.tally.total().ok {
        _ if outcome.interrupted => interrupt::STATUS,
        0 => {
            eprintln!("bench-harness: not one good response from {target}");
            3
        }
        _ => 0,
    })
}

fn body(args: &RunArgs) -> Result<Option<Vec<u8>>, String> {
    match (&args.data, &args.data_file) {
        (Some(text), _) => Ok(Some(text.clone().into_bytes())),
        (None, Some(path)) => fs::read(path)
            .map(Some)
            .map_err(|error| format!("--data-file {}: {error}", path.display())),
        (None, None) => Ok(None),
    }
}

/// Looks the target's name up, on `runtime`, and notes what that stands on.
fn look_up(
    runtime: Runtime,
    target: &Target,
) -> Result<(Result<Vec<SocketAddr>, Failure>, Environment), String> {
    runtime.block_on(async {
        let driver = Driver::current().map_err(|error| error.to_string())?;
        let addresses = wakering::net::lookup_host((target.host.as_str(), target.port)).await;
        let addresses = match addresses.map(Iterator::collect::<Vec<_>>) {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => {
                let words = format!("{} has no address", target.host);
                Err(Failure::new(Class::Dns, words))
            }
            Err(error) => Err(Failure::io(Class::Dns, error)),
        };
        Ok((addresses, Environment::of(&driver)))
    })
}

struct Watcher {
    interrupt: Interrupt,
    progress: Progress,
}

impl Watch for Watcher {
    fn is_interrupted(&self) -> bool {
        self.interrupt.is_asked()
    }

    fn progress(&mut self, now_ns: u64, schedule: &Schedule) {
        self.progress.show(now_ns, schedule);
    }
}

/// Where the reports go, opened before the run so that a typing error does not cost it.
struct Outputs<'a> {
    json: Option<(&'a Path, Box<dyn Write>)>,
    hgrm: Option<(&'a Path, File)>,
    text: Option<Box<dyn Write>>,
}

impl<'a> Outputs<'a> {
    fn open(args: &'a RunArgs) -> Result<Outputs<'a>, String> {
        let create = |flag: &str, path: &Path| {
            File::create(path).map_err(|error| format!("{flag} {}: {error}", path.display()))
        };
        let to_stdout = args.json.as_deref() == Some(Path::new("-"));
        let json: Option<(&Path, Box<dyn Write>)> = match args.json.as_deref() {
            Some(path) if to_stdout => Some((path, Box::new(io::stdout()))),
            Some(path) => Some((path, Box::new(create("--json", path)?))),
            None => None,
        };
        let hgrm = match args.hgrm.as_deref() {
            Some(path) => Some((path, create("--hgrm", path)?)),
            None => None,
        };
        let text: Option<Box<dyn Write>> = match args.quiet {
            true => None,
            false if to_stdout => Some(Box::new(io::stderr())),
            false => Some(Box::new(io::stdout())),
        };
        Ok(Outputs { json, hgrm, text })
    }

    fn write(&mut self, report: &Report<'_>) -> Result<(), String> {
        if let Some((path, out)) = &mut self.json {
            let mut bytes = Vec::new();
            json::write(&mut bytes, report)
                .and_then(|()| out.write_all(&bytes))
                .and_then(|()| out.flush())
                .map_err(|error| format!("--json {}: {error}", path.display()))?;
        }
        if let Some((path, out)) = &mut self.hgrm {
            let mut bytes = Vec::new();
            hgrm::write(&mut bytes, report.headline())
                .and_then(|()| out.write_all(&bytes))
                .map_err(|error| format!("--hgrm {}: {error}", path.display()))?;
        }
        match &mut self.text {
            None => Ok(()),
            Some(out) => out
                .write_all(report.to_string().as_bytes())
                .and_then(|()| out.flush())
                .map_err(|error| format!("printing the report: {error}")),
        }
    }
}
