//! The reference: servers and readers that are a loop over io_uring, written by hand.

/// The ring, as all of them set it up.
mod ring;
/// An echo server.
mod echo;
/// Buffers that the kernel takes from.
mod buffers;
/// Random reads of a file.
mod files;

use std::io;

use stage::Job;

fn main() -> io::Result<()> {
    match Job::from_args() {
        Job::Echo(buffer) => echo::serve(buffer),
        job @ Job::Files { .. } => files::run(job),
        job => job.cannot(),
    }
}
