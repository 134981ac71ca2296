//! What continuous integration runs, as commands that anybody can run: `cargo xtask`.
//!
//! The help text below is the guide for contributors. Everything runs from the root of the
//! repository and leaves its logs under `target/`.

#![forbid(unsafe_code)]

/// The steps of a full run, in order, each with its limit in time.
mod ci;
/// A command under a filter that forbids io_uring.
mod forbid;
/// Whether each public future is dropped at every await by some test.
mod futures;
/// What a lane of tests came to, and whether that is what was expected.
mod lanes;
/// The tests on other kernels, each booted in QEMU.
mod matrix;
/// The same requests to the real httpbin and to ours.
mod oracle;
/// A program with a limit in time, and what it printed.
mod process;
/// What the tree looks like: arrows, openings, absences.
mod tidy;
/// The two numbers by which people call a kernel.
mod version;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
usage: cargo xtask <command>

  ci [--all] [--only STEP]...  run what CI runs, as `bash .ci/run` does. Steps print their seconds, logs
                               are in target/ci, and at 60 minutes the rest is not run.
                               --all adds feature powerset, publish dry run, httpbin oracle and rivals:
                               every week, and before an issue is called resolved.
                               --only runs the named steps alone; `ci --list` names them.
  tidy                         check crate arrows, file openings, forbidden names; list long files
  kernel-matrix [VERSION]... [-- FILTER...]
                               run the tests of driver, runtime, net, fs and facade on other kernels in
                               QEMU: 5.10, 6.1, 6.12 and `newest` unless you name some. --kernel PATH
                               runs an image of your own, --backend uring|poll one backend alone,
                               --package NAME the tests of one package. FILTER is handed to the test
                               programs. Kernels are Debian's; they come from where this machine's apt
                               gets its packages, or from KERNEL_MATRIX_MIRROR, the address below which
                               `debian` and `debian-security` lie. Logs are in target/kernel-matrix.
  forbid-uring [enosys] -- COMMAND [ARGS]...
                               run a command where io_uring is refused with EPERM, as in Docker, or hidden
                               with ENOSYS, as on a kernel without it
  httpbin-oracle [--seed N]    compare `bench-harness serve` with PyPI's httpbin under gunicorn

Before you push: cargo fmt --all && cargo xtask tidy && cargo test --workspace
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let outcome = match words.as_slice() {
        ["ci", options @ ..] => {
            ci::Options::parse(options).and_then(|options| ci::run(&root, &options))
        }
        ["tidy"] => tidy::run(&root),
        ["kernel-matrix", options @ ..] => matrix::Options::parse(options)
            .and_then(|options| matrix::run(&root, &options))
            .map(|note| println!("{note}")),
        ["forbid-uring", words @ ..] => forbid::run(words),
        ["httpbin-oracle"] => oracle::run(&root, oracle::SEED),
        ["httpbin-oracle", "--seed", seed] => match seed.parse() {
            Ok(seed) => oracle::run(&root, seed),
            Err(_) => Err(format!("--seed takes a number, not {seed:?}")),
        },
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command {other:?}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository, which is where cargo starts this program from or above.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in the workspace").to_path_buf()
}
