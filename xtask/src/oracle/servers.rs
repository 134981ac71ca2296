//! The two servers, each on a free port of this machine until it is dropped.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{self, End, Running};
use crate::tidy::metadata;

/// What is compared with.
const HTTPBIN: &str = "httpbin==0.10.4";

pub(super) struct Server {
    name: &'static str,
    address: SocketAddr,
    _running: Running,
}

impl Server {
    /// PyPI's httpbin, installed below `target/` unless it is there already.
    pub(super) fn httpbin(root: &Path) -> Result<Server, String> {
        let folder = root.join("target/httpbin-oracle");
        let python = folder.join("venv/bin/python");
        if !folder.join("installed").exists() {
            let venv = folder.join("venv").to_string_lossy().into_owned();
            must(Command::new("python3").args(["-m", "venv", "--clear", &venv]), &folder)?;
            let packages = ["-m", "pip", "install", "--quiet", HTTPBIN, "gunicorn"];
            must(Command::new(&python).args(packages), &folder)?;
            fs::write(folder.join("installed"), HTTPBIN).map_err(|error| error.to_string())?;
        }
        Server::start("httpbin", &folder, |address| {
            let mut command = Command::new(&python);
            command.args(["-m", "gunicorn", "--log-level", "error", "-w", "2", "-b", address]);
            command.arg("httpbin:app");
            command
        })
    }

    /// Ours, as the tests build it.
    pub(super) fn bench_harness(root: &Path) -> Result<Server, String> {
        let folder = root.join("target/httpbin-oracle");
        let mut build = Command::new("cargo");
        build.args(["build", "-p", "bench-harness"]).current_dir(root);
        must(&mut build, &folder)?;
        let metadata = metadata(root)?;
        let target = metadata["target_directory"].as_str().ok_or("cargo names no target folder")?;
        let program = PathBuf::from(target).join("debug/bench-harness");
        Server::start("bench-harness", &folder, |address| {
            let mut command = Command::new(&program);
            command.args(["serve", "--addr", address]);
            command
        })
    }

    /// Starts what `command` makes of an address, with what it has to say in `logs`.
    fn start(
        name: &'static str,
        logs: &Path,
        command: impl Fn(&str) -> Command,
    ) -> Result<Server, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no free port: {error}"))?;
        let mut command = command(&address.to_string());
        let log = fs::File::create(logs.join(format!("{name}.stderr")))
            .map_err(|error| format!("no log for {name}: {error}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut running = Running::start(&mut command)
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if running.has_ended() || began.elapsed() > Duration::from_secs(30) {
                return Err(format!("{name} does not listen on {address}"));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(Server { name, address, _running: running })
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Runs a command that has to succeed, with its output in `logs`.
fn must(command: &mut Command, logs: &Path) -> Result<(), String> {
    let finished = process::run(command, Duration::from_secs(600), logs, "prepare")
        .map_err(|error| format!("{command:?}: {error}"))?;
    if finished.end == End::Succeeded {
        return Ok(());
    }
    Err(format!("{command:?} did not succeed\n{}", finished.tail()))
}
