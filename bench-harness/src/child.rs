//! The embedded server: this program again, as a child process with `serve`.
//!
//! A process of its own has a processor and a usage of its own. It lives in its own process group,
//! so that Ctrl-C reaches the load first and the server still answers what is under way; and it
//! ends when its standard input does, so that it does not survive even a killed parent.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::exchange::target::Target;
use crate::machine::affinity;
use crate::serve;

/// How long the server may take to listen.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// A running server; dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where its `/get` is.
    pub target: Target,
}

impl Server {
    /// Starts a server on a free loopback port, on processor `cpu` if there is one for it alone.
    pub fn start(cpu: Option<usize>) -> Result<Server, String> {
        // What a thread may run on is inherited by its children, so a thread of its own starts it.
        let child = thread::scope(|scope| {
            let spawn = scope.spawn(|| {
                cpu.map_or(Ok(()), |cpu| affinity::pin(&[cpu]))?;
                Command::new(std::env::current_exe()?)
                    .args(["serve", "--addr", "127.0.0.1:0", "--until-stdin-closes"])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .process_group(0)
                    .spawn()
            });
            spawn.join().unwrap_or_else(|_panic| Err(io::Error::other("the starter panicked")))
        });
        let mut child = child.map_err(|error| format!("starting the embedded server: {error}"))?;
        match listening(&mut child) {
            Ok(target) => Ok(Server { child, target }),
            Err(error) => {
                end(&mut child);
                Err(format!("the embedded server does not listen: {error}"))
            }
        }
    }

    /// The server's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // Both fail only for a process that is gone already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads the line by which the server says where it listens.
fn listening(child: &mut Child) -> Result<Target, String> {
    let stdout = child.stdout.take().ok_or("its standard output is not piped")?;
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        // The other end is gone when the run ended first; the rest is read so as not to block it.
        let _ = line.send(lines.next());
        lines.for_each(drop);
    });
    let first = match lines.recv_timeout(READY_WITHIN) {
        Ok(Some(first)) => first.map_err(|error| error.to_string())?,
        Ok(None) => return Err("it ended at once".into()),
        Err(_late) => return Err("it said nothing for 10 s".into()),
    };
    let (_, url) = first.rsplit_once(' ').ok_or_else(|| format!("it said `{first}`"))?;
    format!("{}/get", url.trim_end_matches('/')).parse()
}

/// The child's side: serves until standard input ends.
pub fn serve_until_stdin_closes(args: serve::Args) -> ExitCode {
    thread::spawn(|| {
        // The parent writes nothing; the read returns when the parent's end is closed.
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    serve::main(args)
}
