//! The verb `doctor`: what the runtime stands on here, and what stands in its way.

use std::io::{self, Write};
use std::process::ExitCode;

use wakering::driver;

/// Prints the picture of this machine. It fails where a runtime would be refused, or if nobody
/// takes the picture.
pub fn main() -> ExitCode {
    let doctor = driver::doctor();
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{doctor}").and_then(|()| stdout.flush()) {
        Ok(()) if doctor.backend().is_some() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-harness doctor: printing the picture: {error}");
            ExitCode::FAILURE
        }
    }
}
