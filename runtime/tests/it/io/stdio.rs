//! The standard streams, whatever they lead to, in a program that is this one run again.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write, pipe};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wakering_ring_driver::testing::{patience, terminal};
use wakering_ring_driver::{Config, Driver};
use wakering_runtime::io::{AsyncBufRead, AsyncRead, AsyncWrite, stderr, stdin, stdout};
use wakering_runtime::time::timeout;

use crate::within_bounds;

/// Set for the program that is run again, to the name of its test.
const VARIABLE: &str = "WAKERING_TEST_STDIO";

/// Runs this test again with these standard streams; there `body` is run instead.
fn program(name: &str, input: OwnedFd, output: OwnedFd, body: impl AsyncFnOnce()) -> Child {
    program_with(name, [input.into(), output.into(), Stdio::inherit()], body)
}

fn program_with(name: &str, streams: [Stdio; 3], body: impl AsyncFnOnce()) -> Child {
    if std::env::var_os(VARIABLE).is_some_and(|test| test == name) {
        within_bounds(body());
        std::process::exit(0);
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture"]).env(VARIABLE, name);
    let [input, output, error] = streams;
    command.stdin(input).stdout(output).stderr(error).spawn().unwrap()
}

/// The program's end, which must be a good one and in time.
fn end(mut program: Child) {
    let bound = Instant::now() + patience(Duration::from_secs(40));
    while Instant::now() < bound {
        if let Some(status) = program.try_wait().unwrap() {
            return assert!(status.success(), "{status}");
        }
        thread::sleep(Duration::from_millis(2));
    }
    program.kill().unwrap();
    program.wait().unwrap();
    panic!("the program does not end");
}

/// Repeats each line of standard input in capitals on standard output.
async fn shout() {
    let modes = || ["0", "1"].map(mode);
    let before = modes();
    let (mut output, mut lines) = (stdout().unwrap(), stdin().unwrap().lines(80));
    while let Some(line) = lines.next_line().await.unwrap() {
        output.write_all(format!("> {}\n", line.to_uppercase())).await.unwrap();
        assert_eq!(modes(), before, "the mode is not ours to change");
    }
    drop((output, lines));
    assert_eq!(modes(), before);
}

/// The flags of the open file behind a descriptor.
fn mode(number: &str) -> String {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
    info.lines().find(|line| line.starts_with("flags:")).unwrap().to_owned()
}

/// The next line that [`shout`] has written; what the test runner prints is not meant.
fn next_shout(output: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the program writes no more");
        if let Some(at) = line.find("> ") {
            return line[at + 2..].trim_end().to_owned();
        }
    }
}

/// Given pipes, when lines come one by one, then each is there as soon as it is written.
#[test]
fn standard_streams_may_be_pipes() {
    let (input, mut typed) = pipe().unwrap();
    let (shown, output) = pipe().unwrap();
    let program =
        program("io::stdio::standard_streams_may_be_pipes", input.into(), output.into(), shout);
    let mut shown = BufReader::new(shown);
    for (line, shouted) in [("one", "ONE"), ("two", "TWO"), ("", "")] {
        writeln!(typed, "{line}").unwrap();
        assert_eq!(next_shout(&mut shown), shouted);
    }
    drop(typed);
    end(program);
}

/// Given sockets, as above; also if somebody has said that they do not wait, which stays so.
#[test]
fn standard_streams_may_be_sockets() {
    let driver = Driver::new(&Config::default()).unwrap();
    // Rings of older kernels do not wait for such a socket.
    let waits = driver.backend() == "poll" || driver.capabilities().coop_taskrun;
    for is_nonblocking in
        [false, true].into_iter().filter(|is_nonblocking| !is_nonblocking || waits)
    {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(is_nonblocking).unwrap();
        let output = theirs.try_clone().unwrap();
        let name = "io::stdio::standard_streams_may_be_sockets";
        let program = program(name, theirs.into(), output.into(), shout);
        let mut shown = BufReader::new(ours.try_clone().unwrap());
        for (line, shouted) in [("one", "ONE"), ("two", "TWO")] {
            thread::sleep(Duration::from_millis(5));
            writeln!(ours, "{line}").unwrap();
            assert_eq!(next_shout(&mut shown), shouted);
        }
        ours.shutdown(Shutdown::Write).unwrap();
        end(program);
    }
}

/// Given a terminal, when somebody types lines, then each is there as soon as it was typed; the end
/// is what Ctrl-D makes it.
#[test]
fn standard_streams_may_be_a_terminal() {
    let (mut person, screen) = terminal();
    let output = screen.try_clone().unwrap();
    let program = program("io::stdio::standard_streams_may_be_a_terminal", screen, output, shout);
    let mut shown = BufReader::new(person.try_clone().unwrap());
    for (line, shouted) in [("one", "ONE"), ("two", "TWO")] {
        writeln!(person, "{line}").unwrap();
        assert_eq!(next_shout(&mut shown), shouted);
    }
    person.write_all(b"\x04").unwrap();
    end(program);
}

/// A file without a name, written to at its end.
fn scratch(extension: &str) -> File {
    let name = format!("wakering-stdio-{}.{extension}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = File::options().create_new(true).read(true).append(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file
}

/// Given files whose position the process shares with whoever opened them, when it reads and writes,
/// then it goes on where they were, in turns with std.
#[test]
fn standard_streams_may_be_files() {
    let name = "io::stdio::standard_streams_may_be_files";
    let (mut input, mut output) = (scratch("in"), scratch("out"));
    input.write_all(b"not this\none\ntwo\n").unwrap();
    input.seek(SeekFrom::Start(9)).unwrap();
    writeln!(output, "here already").unwrap();
    let (theirs, shown) = (input.try_clone().unwrap(), output.try_clone().unwrap());
    let program = program(name, theirs.into(), shown.into(), async || {
        println!("before");
        shout().await;
        println!("after");
    });
    end(program);
    let mut text = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let meant = ["here already", "before", "> ONE", "> TWO", "after"];
    let found: Vec<_> = lines
        .iter()
        .filter_map(|line| meant.iter().find(|meant| line.ends_with(**meant)))
        .collect();
    assert_eq!(found, meant.iter().collect::<Vec<_>>(), "{text}");
    assert_eq!(input.stream_position().unwrap(), 17);
}

/// Given a terminal on which nobody types, when the wait is given up, then the runtime ends at once,
/// and what is typed afterwards is still there for whoever reads next.
#[test]
fn a_wait_for_input_is_given_up_and_takes_nothing_with_it() {
    let name = "io::stdio::a_wait_for_input_is_given_up_and_takes_nothing_with_it";
    let (mut person, screen) = terminal();
    let (shown, output) = pipe().unwrap();
    let child = program(name, screen, output.into(), async || {
        let mut input = stdin().unwrap();
        let begun = Instant::now();
        let read = timeout(Duration::from_millis(10), input.read(vec![0; 80])).await;
        assert!(read.is_err());
        assert!(begun.elapsed() < patience(Duration::from_secs(5)), "{:?}", begun.elapsed());
        println!("> given up");
        let (n, line) = input.read(vec![0; 80]).await.unwrap();
        println!("> {}", str::from_utf8(&line[..n]).unwrap().trim());
        let wait = timeout(Duration::from_millis(10), input.read(vec![0; 80])).await;
        assert!(wait.is_err());
    });
    let mut shown = BufReader::new(shown);
    assert_eq!(next_shout(&mut shown), "given up");
    writeln!(person, "typed").unwrap();
    assert_eq!(next_shout(&mut shown), "typed");
    end(child);
}

/// Given standard error of its own, when somebody writes to it, then it comes out there.
#[test]
fn standard_error_is_another_stream() {
    let (shown, error) = pipe().unwrap();
    let streams = [Stdio::null(), Stdio::null(), error.into()];
    let child = program_with("io::stdio::standard_error_is_another_stream", streams, async || {
        let n = stdin().unwrap().read(vec![0; 1]).await.unwrap().0;
        assert_eq!(n, 0, "there is nothing in /dev/null");
        stdout().unwrap().write_all("> somewhere else\n").await.unwrap();
        stderr().unwrap().write_all("> something is wrong\n").await.unwrap();
    });
    assert_eq!(next_shout(&mut BufReader::new(shown)), "something is wrong");
    end(child);
}

/// Given no runtime, when somebody asks for a standard stream, then that is an error.
#[test]
fn there_are_no_streams_outside_of_a_runtime() {
    assert!(stdin().is_err() && stdout().is_err() && stderr().is_err());
}
