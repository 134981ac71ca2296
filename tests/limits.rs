//! Poor surroundings: io_uring forbidden, hardly any locked memory, hardly any descriptors; and
//! what a runtime costs while nothing happens. All of it concerns the whole process, so each test
//! is a child of its own. What a poor machine must do all the same is asked of whichever backend
//! there is; a ring that has to be refused is asked for by name.

use std::fs::File;
use std::io;
use std::net::TcpStream as Peer;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use wakering::driver::testing::{
    Limit, cpu_time, drop_privileges, forbid_io_uring, in_child, in_child_with, limit,
    open_descriptors, patience, ring_or_skip, skip,
};
use wakering::driver::{Backend, Counters, Driver, Failure, Mask, SetupCause, SetupError, doctor};
use wakering::io::{AsyncRead, AsyncWrite};
use wakering::net::{TcpListener, TcpStream};
use wakering::{Builder, Runtime, fs, task, time};

const EPERM: i32 = 1;
const EMFILE: i32 = 24;
const ENOSYS: i32 = 38;

fn on_the_ring() -> Builder {
    Builder::new().backend(Backend::Uring)
}

fn runtime() -> Runtime {
    Runtime::new().unwrap_or_else(|error| panic!("{error}"))
}

/// Where nobody asks for a backend.
const ANY_BACKEND: (&str, &str) = ("WAKERING_BACKEND", "auto");

fn backend(runtime: &Runtime) -> &'static str {
    runtime.block_on(async { Driver::current().expect("a runtime is running").backend() })
}

/// A runtime that is made here works, on `expected`, and ends cleanly.
#[track_caller]
fn works_on(expected: &str, builder: Builder) {
    let runtime = builder.build().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(backend(&runtime), expected);
    runtime.block_on(hello()).expect("hello");
    assert!(runtime.close().is_clean());
}

/// A user whom nobody else is, so that no other process's rings count against the same limit.
fn somebody() -> u32 {
    200_000 + std::process::id()
}

/// One connection over loopback that says hello, and one file: what a program does first.
async fn hello() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = task::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let (_, buf) = stream.read(Vec::with_capacity(64)).await?;
        stream.write_all(buf).await.map(drop).map_err(io::Error::from)
    });
    let mut client = TcpStream::connect(address).await?;
    client.write_all("hello").await?;
    assert_eq!(client.read(Vec::with_capacity(64)).await?.1, b"hello");
    server.await.expect("the server does not panic")?;
    assert!(fs::read_to_string("/proc/self/status").await?.contains("Seccomp:"));
    Ok(())
}

fn forbidden(errno: i32) {
    forbid_io_uring(errno);
    let before = open_descriptors();
    let error: SetupError = on_the_ring().build().expect_err("the filter lets no ring through");
    assert_eq!(
        (error.cause(), error.errno(), error.operation()),
        (SetupCause::Seccomp, Some(errno), "io_uring_setup"),
        "{error}"
    );
    assert!(error.object().contains("ring") && error.remedy().contains("seccomp"), "{error}");
    assert_eq!(open_descriptors(), before, "nothing stays open of what failed");
    drop(error);
    // A second attempt fails in the same way: nothing was left behind by the first.
    let again = on_the_ring().build().expect_err("the filter is still there");
    assert_eq!(again.cause(), SetupCause::Seccomp);
    works_on("poll", Builder::new());
}

/// Given a sandbox that refuses io_uring; when a runtime on the ring is built; then the error says
/// so, and one by default works.
#[test]
fn a_ring_that_is_refused_is_an_error_with_a_remedy() {
    const NAME: &str = "a_ring_that_is_refused_is_an_error_with_a_remedy";
    in_child_with(NAME, &[ANY_BACKEND], || forbidden(EPERM));
}

/// Given a sandbox that hides io_uring; when a runtime on the ring is built; then the error says
/// so, and one by default works.
#[test]
fn a_ring_that_is_hidden_is_an_error_with_a_remedy() {
    const NAME: &str = "a_ring_that_is_hidden_is_an_error_with_a_remedy";
    in_child_with(NAME, &[ANY_BACKEND], || forbidden(ENOSYS));
}

/// Given a builder made on one thread; when it builds on another, which may not use io_uring, and
/// on its own, which may; then each runtime has what its own thread has, and works.
#[test]
fn a_builder_builds_for_the_thread_that_it_is_on() {
    const NAME: &str = "a_builder_builds_for_the_thread_that_it_is_on";
    in_child_with(NAME, &[ANY_BACKEND], || {
        let here = doctor().backend().expect("there is always epoll");
        let builder = Builder::new();
        let elsewhere = builder.clone();
        let other = thread::spawn(move || {
            forbid_io_uring(EPERM);
            works_on("poll", elsewhere);
        });
        other.join().expect("the runtime works there");
        works_on(here, builder);
    });
}

/// Given a process without a free descriptor; when `run` is called; then it panics with the text of
/// the error, and runs once there are descriptors.
#[test]
fn run_panics_with_the_text_of_the_error() {
    in_child("run_panics_with_the_text_of_the_error", || {
        limit(Limit::OpenFiles, 64);
        let files = all_descriptors();
        let panic = catch_unwind(|| wakering::run(async {})).expect_err("no runtime");
        let text = panic.downcast_ref::<String>().expect("a text").clone();
        drop(files);
        assert!(text.contains("RLIMIT_NOFILE") && text.contains("ulimit -n"), "{text}");
        wakering::run(hello()).expect("there are descriptors again");
    });
}

/// Given a setting that means nothing, or a backend that the machine refuses; when `run` is called;
/// then one line on standard error says all of it, nothing else does, and the program does not go on.
#[test]
fn what_cannot_run_is_told_in_one_line() {
    const NAME: &str = "what_cannot_run_is_told_in_one_line";
    for (variable, value, says) in [
        ("WAKERING_CAPS", "t1,-warp_drive", "`-warp_drive`"),
        ("WAKERING_BACKEND", "kqueue", "`uring`, `poll` or `auto`"),
        ("WAKERING_BACKEND", "uring", "seccomp"),
    ] {
        let environment = [ANY_BACKEND, (variable, value), ("RUST_BACKTRACE", "1")];
        let output = in_child_with(NAME, &environment, || {
            forbid_io_uring(EPERM);
            std::panic::set_hook(Box::new(|_| println!("the hook was called")));
            catch_unwind(|| wakering::run(async {})).expect_err("no runtime");
        });
        let told: Vec<&str> =
            output.lines().filter(|line| line.starts_with("wakering: ")).collect();
        let [line] = told[..] else { panic!("{variable}={value}: {output}") };
        assert!(line.contains(says) && line.contains("; to mend it: "), "{line}");
        assert!(
            !output.contains("the hook was called") && !output.contains("backtrace"),
            "{output}"
        );
    }
}

/// Given an ordinary user who may lock 64 KiB; when a runtime is built and used; then it works, if
/// there is a ring on a smaller one, and does so again after its end.
#[test]
fn little_locked_memory_is_enough() {
    in_child("little_locked_memory_is_enough", || {
        limit(Limit::LockedMemory, 64 * 1024);
        drop_privileges(somebody());
        let expected = doctor().backend().expect("there is always epoll");
        for _ in 0..3 {
            works_on(expected, Builder::new());
        }
    });
}

/// Given an ordinary user who may lock nothing; when a runtime is built by default; then it works,
/// without a ring on kernels that count rings as locked memory.
#[test]
fn no_locked_memory_is_enough() {
    in_child_with("no_locked_memory_is_enough", &[ANY_BACKEND], || {
        let before = doctor();
        limit(Limit::LockedMemory, 0);
        drop_privileges(somebody());
        match on_the_ring().build() {
            Ok(_) => works_on("uring", Builder::new()),
            Err(error) => {
                if before.error().is_none() {
                    assert_eq!(error.cause(), SetupCause::LockedMemory, "{error}");
                }
                works_on("poll", Builder::new());
            }
        }
    });
}

/// Given 64 descriptors; when runtimes are built, used and ended; then it works, and every
/// descriptor is given back.
#[test]
fn sixty_four_descriptors_are_enough() {
    in_child("sixty_four_descriptors_are_enough", || {
        limit(Limit::OpenFiles, 64);
        let expected = doctor().backend().expect("64 descriptors are enough");
        let before = open_descriptors();
        for _ in 0..100 {
            works_on(expected, Builder::new());
        }
        assert_eq!(open_descriptors(), before);
    });
}

/// Given a process that runs out of descriptors while it accepts, connects and opens; then each
/// error names operation, object, cause and remedy, and once one is free everything goes on: the
/// connection that could not be accepted is there.
#[test]
fn running_out_of_descriptors_at_work_is_named_and_passes() {
    in_child("running_out_of_descriptors_at_work_is_named_and_passes", || {
        limit(Limit::OpenFiles, 64);
        let tried = runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let peer = Peer::connect(address)?;
            let mut files = all_descriptors();

            let error = listener.accept().await.expect_err("no descriptor for it");
            named(&error, "accept", &address.to_string());
            let error =
                fs::File::open("/proc/self/status").await.expect_err("no descriptor for it");
            named(&error, "open", "/proc/self/status");
            let error = TcpStream::connect(address).await.expect_err("no descriptor for it");
            named(&error, "socket", &address.to_string());

            drop(files.pop());
            let (stream, from) = listener.accept().await?;
            assert_eq!(from, peer.local_addr()?);
            drop(stream);
            drop(files);
            hello().await
        });
        tried.expect("everything goes on");
    });
}

#[track_caller]
fn named(error: &io::Error, operation: &str, object: &str) {
    let failure = Failure::of(error).unwrap_or_else(|| panic!("{error:?} names nothing"));
    assert_eq!(failure.errno(), Some(EMFILE), "{error}");
    assert_eq!(error.kind(), io::Error::from_raw_os_error(EMFILE).kind(), "{error}");
    assert_eq!((failure.operation(), failure.object()), (operation, object), "{error}");
    assert!(failure.remedy().is_some_and(|remedy| remedy.contains("ulimit -n")), "{error}");
}

fn all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// Waits for things that do not happen: a connection, bytes, a timer, a task without end.
async fn nothing_happens() -> io::Result<Vec<task::JoinHandle<()>>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let peer = Peer::connect(listener.local_addr()?)?;
    let (mut stream, _) = listener.accept().await?;
    let tasks = vec![
        task::spawn(async move {
            let _ = listener.accept().await;
        }),
        task::spawn(async move {
            let _peer = peer;
            let _ = stream.read(Vec::with_capacity(64)).await;
        }),
        task::spawn(time::sleep(Duration::from_secs(3600))),
        task::spawn(std::future::pending()),
    ];
    // Everything is under way before anybody looks.
    time::sleep(Duration::from_millis(50)).await;
    Ok(tasks)
}

fn counters() -> Counters {
    Driver::current().expect("a runtime is running").counters()
}

/// Given tasks that wait for a connection, bytes, a timer and nothing; when two seconds pass; then
/// the loop has slept in one enter, and the process has used next to no processor.
#[test]
fn an_idle_runtime_uses_no_processor() {
    in_child("an_idle_runtime_uses_no_processor", || {
        let runtime = runtime();
        runtime.block_on(async {
            let _tasks = nothing_happens().await.expect("a connection over loopback");
            let (enters, processor) = (counters().enters, cpu_time());
            time::sleep(Duration::from_secs(2)).await;
            let (enters, processor) = (counters().enters - enters, cpu_time() - processor);
            println!("two idle seconds: {enters} enters, {processor:?} of processor");
            assert!(enters <= 2, "{enters} enters");
            assert!(processor < patience(Duration::from_millis(5)), "{processor:?}");
        });
    });
}

/// Given an idle runtime; when the kernel is asked how many tasks wait for I/O; then ours is not
/// among them. Where NO_IOWAIT is masked it is: the question is able to tell.
#[test]
fn an_idle_runtime_does_not_wait_for_io() {
    const NAME: &str = "an_idle_runtime_does_not_wait_for_io";
    if !ring_or_skip(NAME) {
        return;
    }
    let output = in_child(NAME, || {
        // Whatever WAKERING_CAPS says: this is about the kernel.
        let with = on_the_ring().capabilities(Mask::default());
        let runtime = with.clone().build().unwrap_or_else(|error| panic!("{error}"));
        let driver = runtime.block_on(async { Driver::current() }).expect("a runtime is running");
        if !driver.capabilities().no_iowait {
            return skip(NAME, "the ring has no NO_IOWAIT");
        }
        drop((driver, runtime));
        let without = on_the_ring().capabilities("-no_iowait".parse().expect("a capability"));
        let (with, without) = (waits_for_io(with), waits_for_io(without));
        println!("waiting for I/O: {with:.2} with NO_IOWAIT, {without:.2} without");
        assert!(with < 0.5 && without > 0.5, "{with:.2} and {without:.2}");
    });
    print!("{output}");
}

/// By how much more tasks of this machine wait for I/O while a runtime's loop sleeps than while its
/// thread sleeps outside of the loop: 1 if the sleep in the loop counts as such a wait, else 0.
///
/// The kernel tells the number for the whole machine. Others come and go in it, but not in step
/// with us: the two ways of sleeping take turns, and the difference of the averages is ours.
fn waits_for_io(builder: Builder) -> f64 {
    const AWAY: usize = 0;
    const IN_LOOP: usize = 1;
    const OVER: usize = 2;
    let phase = Arc::new(AtomicUsize::new(AWAY));
    let seen = phase.clone();
    let sampler = thread::spawn(move || {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        loop {
            let before = seen.load(Ordering::SeqCst);
            if before == OVER {
                return sums[IN_LOOP] / counts[IN_LOOP] - sums[AWAY] / counts[AWAY];
            }
            let stat = std::fs::read_to_string("/proc/stat").expect("/proc is there");
            let waiting = stat.lines().find_map(|line| line.strip_prefix("procs_blocked "));
            let waiting: f64 = waiting.and_then(|number| number.parse().ok()).expect("a count");
            if seen.load(Ordering::SeqCst) == before {
                sums[before] += waiting;
                counts[before] += 1.0;
            }
            thread::sleep(Duration::from_micros(200));
        }
    });
    let runtime = builder.build().unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(async {
        let _tasks = nothing_happens().await.expect("a connection over loopback");
        for _ in 0..200 {
            phase.store(IN_LOOP, Ordering::SeqCst);
            time::sleep(patience(Duration::from_millis(3))).await;
            phase.store(AWAY, Ordering::SeqCst);
            thread::sleep(patience(Duration::from_millis(3)));
        }
    });
    phase.store(OVER, Ordering::SeqCst);
    sampler.join().expect("samples of both")
}
