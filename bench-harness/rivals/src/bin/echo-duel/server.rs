//! A server's process, as far as the duel needs it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server, killed and reaped when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `command` by the shell and waits until it says where it listens.
    pub fn start(command: &str) -> io::Result<Server> {
        let mut child = Command::new("sh")
            // The server takes the shell's place, so that the child's number is the server's.
            .args(["-c", &format!("exec {command}")])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ").and_then(|a| a.parse().ok());
        match address {
            Some(address) => Ok(Server { child, address }),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                let text =
                    format!("`{command}` said `{}`, not `listening on ADDRESS`", line.trim());
                Err(io::Error::other(text))
            }
        }
    }

    /// Processor time of all its threads so far, which the kernel counts in nanoseconds.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut ns = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let on_cpu = schedstat.split_whitespace().next().and_then(|ns| ns.parse::<u64>().ok());
            ns += on_cpu.ok_or_else(|| io::Error::other("schedstat: unknown format"))?;
        }
        Ok(Duration::from_nanos(ns))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
