//! A running child: its streams, its end, and how to bring that about.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{self, ExitStatus, Output};
use std::rc::Rc;
use std::time::Duration;

use wakering_ring_driver::op::Interest;
use wakering_ring_driver::process::PidFd;
use wakering_ring_driver::{Failure, IoBuf, op};

use super::orphan;
use crate::io::{AsyncRead, AsyncWrite, PipeReader, PipeWriter};
use crate::task::gather;

/// What the child reads as its standard input; dropping it is the end of that.
pub type ChildStdin = PipeWriter;
/// What the child writes to its standard output.
pub type ChildStdout = PipeReader;
/// What the child writes to its standard error.
pub type ChildStderr = PipeReader;

/// A child process, made by [`Command::spawn`](super::Command::spawn).
///
/// ```
/// use wakering_runtime::process::{Command, Stdio};
/// use wakering_runtime::io::{AsyncBufRead, AsyncWrite};
///
/// wakering_runtime::run(async {
///     let mut cat = Command::new("cat");
///     let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///     let mut stdin = cat.stdin.take().ok_or(std::io::ErrorKind::NotConnected)?;
///     let mut lines = cat.stdout.take().ok_or(std::io::ErrorKind::NotConnected)?.lines(80);
///     stdin.write_all("ping\n").await?;
///     assert_eq!(lines.next_line().await?.as_deref(), Some("ping"));
///     drop(stdin);
///     assert_eq!(lines.next_line().await?, None);
///     assert!(cat.wait().await?.success());
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Child {
    /// Where the child reads from, if it was piped.
    pub stdin: Option<ChildStdin>,
    /// What the child writes to, if it was piped.
    pub stdout: Option<ChildStdout>,
    /// The same for its standard error.
    pub stderr: Option<ChildStderr>,
    process: Rc<Process>,
    kill_on_drop: bool,
}

impl Child {
    /// Takes over a child that std has started. One that cannot be looked after does not go on.
    pub(super) fn adopt(mut std: process::Child, kill_on_drop: bool) -> io::Result<Child> {
        let (stdin, stdout, stderr) = (std.stdin.take(), std.stdout.take(), std.stderr.take());
        let process = Rc::new(Process::new(std)?);
        let mut child =
            Child { stdin: None, stdout: None, stderr: None, process, kill_on_drop: true };
        child.stdin = stdin.map(PipeWriter::from_std).transpose()?;
        child.stdout = stdout.map(PipeReader::from_std).transpose()?;
        child.stderr = stderr.map(PipeReader::from_std).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The number of the process in the operating system. It may be another's once the child has
    /// been waited for.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("true").spawn()?;
    ///     assert_ne!(child.id(), std::process::id());
    ///     child.wait().await.map(drop)
    /// })
    /// # .unwrap();
    /// ```
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for the end of the child, after closing its standard input if that is still here. May
    /// be called again.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::shell("exit 7").spawn()?;
    ///     assert_eq!(child.wait().await?.code(), Some(7));
    ///     assert_eq!(child.wait().await?.code(), Some(7));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `ECHILD` if somebody else has waited for the child, or the process ignores SIGCHLD.
    ///
    /// # Cancellation
    /// **Strict**, but that the standard input is closed.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        self.process.exited().await
    }

    /// The end of the child, to be awaited by anybody: any number of tasks at once, also after this
    /// handle is gone. It closes nothing.
    ///
    /// ```
    /// use wakering_runtime::{process::Command, spawn};
    ///
    /// wakering_runtime::run(async {
    ///     let child = Command::shell("exit 7").spawn()?;
    ///     let (one, other) = (spawn(child.exited()), spawn(child.exited()));
    ///     assert_eq!(one.await.expect("no panic")?.code(), Some(7));
    ///     assert_eq!(other.await.expect("no panic")?.code(), Some(7));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Child::wait).
    ///
    /// # Cancellation
    /// **Strict**: the child lives on, and so does whoever else waits.
    pub fn exited(&self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let process = self.process.clone();
        async move { process.exited().await }
    }

    /// How the child has ended, if it has.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("sleep").arg("60").spawn()?;
    ///     assert_eq!(child.try_wait()?, None);
    ///     child.kill().await?;
    ///     assert!(child.try_wait()?.is_some_and(|status| !status.success()));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`wait`](Child::wait).
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Sends the signal of that number; nothing if the child has been waited for.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("sleep").arg("60").spawn()?;
    ///     child.signal(10)?;
    ///     assert_eq!(child.wait().await?.signal(), Some(10));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if there is no such signal; `PermissionDenied` if the child has become
    /// somebody else's.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        self.process.signal(signal)
    }

    /// Asks the child to end (SIGTERM), which it may refuse.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("sleep").arg("60").spawn()?;
    ///     child.terminate()?;
    ///     assert_eq!(child.wait().await?.signal(), Some(15));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `PermissionDenied` if the child has become somebody else's.
    pub fn terminate(&self) -> io::Result<()> {
        self.process.signal(SIGTERM)
    }

    /// Ends the child (SIGKILL) without waiting for it.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("sleep").arg("60").spawn()?;
    ///     child.start_kill()?;
    ///     assert_eq!(child.wait().await?.signal(), Some(9));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `PermissionDenied` if the child has become somebody else's.
    pub fn start_kill(&self) -> io::Result<()> {
        self.process.kill()
    }

    /// Ends the child (SIGKILL) and waits for it.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("sleep").arg("60").spawn()?;
    ///     assert_eq!(child.kill().await?.signal(), Some(9));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`start_kill`](Child::start_kill) and [`wait`](Child::wait).
    ///
    /// # Cancellation
    /// **Weak**: once polled, the child dies; whoever waits next learns how.
    pub async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.start_kill()?;
        self.wait().await
    }

    /// Writes `input` to the child and closes that, reads all that the child writes to piped
    /// streams, and waits for its end. All at once, so that nobody waits for the other; a child
    /// that does not read its input is no error.
    ///
    /// Output is kept in memory whole. Like [`wait`](Child::wait) it may be called again, with
    /// nothing to write: after a timeout and a kill that reads the rest.
    ///
    /// ```
    /// use wakering_runtime::process::{Command, Stdio};
    ///
    /// wakering_runtime::run(async {
    ///     let mut cat = Command::new("cat");
    ///     let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     let output = cat.communicate(vec![7; 1_000_000]).await?;
    ///     assert!(output.status.success() && output.stdout == [7; 1_000_000]);
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` if there is something to write and the standard input is not piped, or was
    /// taken; what reading, writing and waiting say.
    ///
    /// # Cancellation
    /// **Weak**: what was read is lost. The child lives on.
    pub async fn communicate(&mut self, input: impl IoBuf) -> io::Result<Output> {
        let stdin = self.stdin.take();
        if stdin.is_none() && !input.is_empty() {
            let message = "the child's standard input is not here: spawn it with \
                           `.stdin(Stdio::piped())`, and do not take `stdin` before";
            let error = io::Error::new(io::ErrorKind::InvalidInput, message);
            return Err(self.process.failed("communicate", error));
        }
        let streams: [Stream<'_>; 3] = [
            Box::pin(feed(stdin, input)),
            Box::pin(drain(self.stdout.as_mut())),
            Box::pin(drain(self.stderr.as_mut())),
        ];
        let [_, stdout, stderr] = gather(streams).await?.try_into().expect("three were given");
        Ok(Output { status: self.wait().await?, stdout, stderr })
    }

    /// Closes the child's standard input, reads all that it writes to piped streams, and waits for
    /// its end.
    ///
    /// ```
    /// use wakering_runtime::process::{Command, Stdio};
    ///
    /// wakering_runtime::run(async {
    ///     let child = Command::shell("echo out; exit 3").stdout(Stdio::piped()).spawn()?;
    ///     let output = child.wait_with_output().await?;
    ///     assert_eq!((output.status.code(), &output.stdout[..]), (Some(3), &b"out\n"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// What reading and waiting say.
    ///
    /// # Cancellation
    /// **Weak**: the child is dropped, and what was read is lost.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        self.communicate(Vec::new()).await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        orphan::leave(&self.process, self.kill_on_drop);
    }
}

const SIGTERM: i32 = 15;

/// What all who wait for a child share.
pub(super) struct Process {
    id: u32,
    pidfd: Rc<PidFd>,
    std: RefCell<process::Child>,
}

impl Process {
    fn new(mut std: process::Child) -> io::Result<Process> {
        let id = std.id();
        match PidFd::open(id) {
            Ok(pidfd) => Ok(Process { id, pidfd: Rc::new(pidfd), std: RefCell::new(std) }),
            Err(error) => {
                // Nobody could await it.
                let _ = std.kill().and_then(|()| std.wait());
                Err(error)
            }
        }
    }

    pub(super) async fn exited(&self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            let ended = op::poll(self.pidfd.clone(), Interest::READABLE).await;
            ended.map_err(|error| self.failed("wait", error))?;
        }
    }

    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let status = self.std.borrow_mut().try_wait();
        status.map_err(|error| self.failed("wait", error))
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        self.std.borrow_mut().kill().map_err(|error| self.failed("kill", error))
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        if self.try_wait()?.is_some() {
            return Ok(());
        }
        self.pidfd.send_signal(signal).map_err(|error| {
            let object = format!("process {} with signal {signal}", self.id);
            Failure::wrap("kill", object, error)
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn ends_within(&self, bound: Duration) -> bool {
        self.pidfd.ends_within(bound)
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> io::Error {
        Failure::wrap(operation, format!("process {}", self.id), error)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Process").field(&self.id).finish()
    }
}

/// What one of the child's streams comes to.
type Stream<'child> = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + 'child>>;

/// Writes all of `input` and closes the stream. Whether anybody wants it is the child's business.
async fn feed(stdin: Option<ChildStdin>, input: impl IoBuf) -> io::Result<Vec<u8>> {
    let Some(mut stdin) = stdin else { return Ok(Vec::new()) };
    match stdin.write_all(input).await {
        Err(failure) if failure.error.kind() != io::ErrorKind::BrokenPipe => Err(failure.error),
        _ => Ok(Vec::new()),
    }
}

/// Reads all that comes.
async fn drain(stream: Option<&mut PipeReader>) -> io::Result<Vec<u8>> {
    match stream {
        Some(stream) => Ok(stream.read_to_end(Vec::new()).await?.1),
        None => Ok(Vec::new()),
    }
}
