//! Prints what this machine offers, and what a runtime takes of it: `cargo run --example doctor`.
//! With this a report of a problem should open.

use std::process::ExitCode;

use wakering::Runtime;
use wakering::driver::{Driver, doctor};

fn main() -> ExitCode {
    print!("{}", doctor());
    let used = Runtime::new().map(|runtime| {
        let driver = runtime.block_on(async { Driver::current().expect("a runtime is running") });
        (driver.backend(), driver.capabilities().tier())
    });
    match used {
        Ok((backend, tier)) => {
            let tier = if backend == "uring" { tier } else { "-" };
            println!("{:<14}{backend}\n{:<14}{tier}", "runtime", "tier");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
