//! What is to be run: std's builder, and what it starts as a [`Child`].

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ExitStatus, Output, Stdio};

use wakering_ring_driver::process::{new_session, stderr_to_stdout};
use wakering_ring_driver::{Driver, Failure, affinity};

use super::Child;

/// A program to be run, with its arguments, environment and standard streams: std's builder.
///
/// ```
/// use wakering_runtime::process::Command;
///
/// wakering_runtime::run(async {
///     let mut echo = Command::new("sh");
///     echo.args(["-c", "echo $GREETING"]).env("GREETING", "hello");
///     assert_eq!(echo.output().await?.stdout, b"hello\n");
///     Ok::<_, std::io::Error>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Command {
    std: process::Command,
    chosen: Chosen,
    kill_on_drop: Option<bool>,
}

/// Which standard streams the caller has set.
#[derive(Clone, Copy, Debug, Default)]
struct Chosen {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// Runs `program`, which is looked for in `PATH` if it has no slash in it.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let command = Command::new("true");
    /// assert_eq!(command.as_std().get_program(), "true");
    /// ```
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        process::Command::new(program).into()
    }

    /// Has the shell (`/bin/sh`) run `line`. Never put into it what somebody else chose.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     assert_eq!(Command::shell("exit 7").status().await?.code(), Some(7));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn shell(line: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        command
    }

    /// Adds an argument.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let mut command = Command::new("echo");
    /// command.arg("hello").arg("world");
    /// assert!(command.as_std().get_args().eq(["hello", "world"]));
    /// ```
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let mut command = Command::new("echo");
    /// command.args(["hello", "world"]);
    /// assert!(command.as_std().get_args().eq(["hello", "world"]));
    /// ```
    pub fn args(&mut self, args: impl IntoIterator<Item: AsRef<OsStr>>) -> &mut Command {
        self.std.args(args);
        self
    }

    /// Replaces the name by which the program is told that it was called.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut shell = Command::new("sh");
    ///     shell.arg0("shell").args(["-c", "echo $0"]);
    ///     assert_eq!(shell.output().await?.stdout, b"shell\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg0(arg);
        self
    }

    /// Sets a variable of the environment, which is inherited otherwise.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut shell = Command::shell("echo $NAME");
    ///     assert_eq!(shell.env("NAME", "ada").output().await?.stdout, b"ada\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(key, value);
        self
    }

    /// Sets variables of the environment.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let mut command = Command::new("true");
    /// command.envs([("NAME", "ada"), ("YEAR", "1843")]);
    /// assert_eq!(command.as_std().get_envs().count(), 2);
    /// ```
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Command {
        self.std.envs(variables);
        self
    }

    /// Takes a variable out of the environment.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut shell = Command::shell("echo ${HOME-none}");
    ///     assert_eq!(shell.env_remove("HOME").output().await?.stdout, b"none\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Begins with an empty environment.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut shell = Command::new("/bin/sh");
    ///     shell.env_clear().args(["-c", "echo ${HOME-none}"]);
    ///     assert_eq!(shell.output().await?.stdout, b"none\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the directory in which the program works.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut pwd = Command::new("pwd");
    ///     assert_eq!(pwd.current_dir("/").output().await?.stdout, b"/\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// What the program reads from; inherited if nothing is said, empty for
    /// [`output`](Command::output).
    ///
    /// ```
    /// use std::io::Write;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let (reader, mut writer) = std::io::pipe()?;
    ///     writer.write_all(b"hello")?;
    ///     drop(writer);
    ///     assert_eq!(Command::new("cat").stdin(reader).output().await?.stdout, b"hello");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Command {
        self.std.stdin(stdin);
        self.chosen.stdin = true;
        self
    }

    /// What the program writes to; inherited if nothing is said, piped for
    /// [`output`](Command::output).
    ///
    /// The command keeps the pipe or file that it is given, for the next spawn: drop it before you
    /// wait for the end of that pipe.
    ///
    /// ```
    /// use wakering_runtime::io::{AsyncRead, PipeReader};
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let (reader, writer) = std::io::pipe()?;
    ///     let mut command = Command::new("echo");
    ///     let mut child = command.arg("hello").stdout(writer).spawn()?;
    ///     drop(command);
    ///     let (_, text) = PipeReader::from_std(reader)?.read_to_end(Vec::new()).await?;
    ///     assert_eq!(text, b"hello\n");
    ///     assert!(child.wait().await?.success());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Command {
        self.std.stdout(stdout);
        self.chosen.stdout = true;
        self
    }

    /// Where the program writes its errors; inherited if nothing is said, piped for
    /// [`output`](Command::output).
    ///
    /// ```
    /// use std::process::Stdio;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut shell = Command::shell("echo oh >&2");
    ///     assert!(shell.stderr(Stdio::null()).output().await?.stderr.is_empty());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Command {
        self.std.stderr(stderr);
        self.chosen.stderr = true;
        self
    }

    /// Lets what the program writes to its standard error go where its standard output goes, in the
    /// order of the writes. This cannot be taken back.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut both = Command::shell("echo one; echo two >&2; echo three");
    ///     assert_eq!(both.stderr_to_stdout().output().await?.stdout, b"one\ntwo\nthree\n");
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn stderr_to_stdout(&mut self) -> &mut Command {
        stderr_to_stdout(&mut self.std);
        self
    }

    /// Sets the user that the program runs as.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    /// Sets the group that the program runs as.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    /// Sets the process group; 0 makes a new one, which terminals and shells signal apart from
    /// ours.
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     // It signals its own group, to which we do not belong.
    ///     let mut shell = Command::shell("kill -TERM 0");
    ///     assert_eq!(shell.process_group(0).status().await?.signal(), Some(15));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        self.std.process_group(group);
        self
    }

    /// Lets the program lead a session of its own, without a terminal. This cannot be taken back.
    pub fn new_session(&mut self) -> &mut Command {
        new_session(&mut self.std);
        self
    }

    /// Whether the child is killed, and then reaped, when its [`Child`] is dropped, or the future
    /// of [`status`](Command::status) or [`output`](Command::output). If nothing is said, these two
    /// kill and [`spawn`](Command::spawn) does not.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let id = wakering_runtime::run(async {
    ///     let child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
    ///     Ok::<_, std::io::Error>(child.id())
    /// })
    /// # .unwrap();
    /// assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Command {
        self.kill_on_drop = Some(kill);
        self
    }

    /// Starts the program.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let mut child = Command::new("true").spawn()?;
    ///     assert!(child.wait().await?.success());
    ///     let error = Command::new("/no/such/program").spawn().unwrap_err();
    ///     assert!(error.to_string().starts_with("spawn /no/such/program: "));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// `NotFound` and `PermissionDenied`, which name the program; at the limits of descriptors and
    /// processes; outside of a runtime, and then nothing was started.
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_to_be_killed(false)
    }

    /// Runs the program and waits for its end.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     assert!(Command::new("true").status().await?.success());
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`spawn`](Command::spawn).
    ///
    /// # Cancellation
    /// **Weak**: the child is killed and reaped, unless [`kill_on_drop`](Command::kill_on_drop)
    /// says otherwise.
    pub async fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn_to_be_killed(true)?.wait().await
    }

    /// Runs the program, reads what it writes, and waits for its end. It reads nothing unless its
    /// standard input was set.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// wakering_runtime::run(async {
    ///     let output = Command::shell("echo out; echo err >&2").output().await?;
    ///     assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    ///     Ok::<_, std::io::Error>(())
    /// })
    /// # .unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`spawn`](Command::spawn); what reading says.
    ///
    /// # Cancellation
    /// **Weak**: the child is killed and reaped, unless [`kill_on_drop`](Command::kill_on_drop)
    /// says otherwise; what was read is lost.
    pub async fn output(&mut self) -> io::Result<Output> {
        let child = self.spawn_captured();
        child?.wait_with_output().await
    }

    /// std's builder, for all that has no method here.
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// The same, to be changed. What it says of standard streams, [`output`](Command::output) does
    /// not know.
    ///
    /// ```
    /// use wakering_runtime::process::Command;
    ///
    /// let mut command = Command::new("true");
    /// command.as_std_mut().arg("hello");
    /// assert!(command.as_std().get_args().eq(["hello"]));
    /// ```
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }

    /// Starts the program with the streams that `output` wants, and leaves the settings as they
    /// were.
    fn spawn_captured(&mut self) -> io::Result<Child> {
        let chosen = self.chosen;
        let set = |std: &mut process::Command, input: fn() -> Stdio, output: fn() -> Stdio| {
            if !chosen.stdin {
                std.stdin(input());
            }
            if !chosen.stdout {
                std.stdout(output());
            }
            if !chosen.stderr {
                std.stderr(output());
            }
        };
        set(&mut self.std, Stdio::null, Stdio::piped);
        let child = self.spawn_to_be_killed(true);
        set(&mut self.std, Stdio::inherit, Stdio::inherit);
        child
    }

    fn spawn_to_be_killed(&mut self, kill: bool) -> io::Result<Child> {
        // Who has no runtime cannot await the child either.
        Driver::current()?;
        let child = affinity::unpinned(|| self.std.spawn()).map_err(|error| {
            let program = self.std.get_program().to_string_lossy();
            Failure::wrap("spawn", program, error)
        })?;
        Child::adopt(child, self.kill_on_drop.unwrap_or(kill))
    }
}

impl From<process::Command> for Command {
    /// The same command. What it says of standard streams, [`output`](Command::output) does not
    /// know.
    fn from(std: process::Command) -> Command {
        Command { std, chosen: Chosen::default(), kill_on_drop: None }
    }
}
