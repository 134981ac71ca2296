//! The reference: servers and readers that are a loop over io_uring, written by hand.

/// The ring, as all of them set it up.
mod ring;
/// An echo server.
mod echo;
/// Buffers that the kernel takes from.
mod buffers;
/// Random reads of a file.
mod files;

use std::io::ErrorKind;
use std::process::ExitCode;

use stage::Job;

fn main() -> ExitCode {
    let end = match Job::from_args() {
        Job::Echo(buffer) => echo::serve(buffer),
        job @ Job::Files { .. } => files::run(job),
        job => job.cannot(),
    };
    match end {
        Ok(()) => return ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::OutOfMemory => eprintln!(
            "no ring: {error}: raise the limit of locked memory, which `ulimit -l` shows in KiB"
        ),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::FAILURE
}
