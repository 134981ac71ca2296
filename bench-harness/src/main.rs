//! `bench-harness`: an HTTP load generator and an httpbin-style server on the wakering runtime.
//!
//! A program of its users' own kind: it knows the runtime only by the facade's public names. The
//! way of a load: [`cli`] reads the flags, [`run`] settles everything around it, [`child`] starts
//! the embedded server, [`load`] sends what [`exchange`] has prepared, [`report`] tells.

#![forbid(unsafe_code)]
// A program has no users of its items: `pub` is what a module shows to its neighbours.
#![allow(unreachable_pub)]

/// The command line, as plain structs.
mod cli;
/// The verb `run`.
mod run;
/// The embedded server.
mod child;
/// A request and its response, without I/O.
mod exchange;
/// The load.
mod load;
/// What is said at the end.
mod report;
/// The machine and its two parts.
mod machine;
/// Ctrl-C.
mod interrupt;
/// The line that moves meanwhile.
mod progress;
/// Quantities as people write and read them.
mod quantity;
/// The verb `serve`.
mod serve;
/// The verb `compare`.
mod compare;
/// The verb `doctor`.
mod doctor;

use std::process::ExitCode;

use cli::{Cli, Verb};

fn main() -> ExitCode {
    let cli = match Cli::from_env() {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    match cli.verb {
        None => run::main(cli.run),
        Some(Verb::Run(args)) => run::main(*args),
        Some(Verb::Serve(args)) if args.until_stdin_closes => {
            child::serve_until_stdin_closes(args.serve)
        }
        Some(Verb::Serve(args)) => serve::main(args.serve),
        Some(Verb::Compare(args)) => compare::main(*args),
        Some(Verb::Doctor) => doctor::main(),
    }
}
