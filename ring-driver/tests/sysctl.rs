//! `kernel.io_uring_disabled`: a switch of the whole machine, so it is tried only where the machine
//! is the test's own, and in a binary that has no other test.

use std::fs;
use std::path::Path;
use std::time::Duration;

use wakering_ring_driver::testing::{drop_privileges, in_child_with, skip};
use wakering_ring_driver::{Backend, Config, Driver, SetupCause, SetupError, Wait, doctor};

const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
const EPERM: i32 = 1;

/// Tells the child where to put the switch.
const POSITION: &str = "WAKERING_TEST_SWITCH";

/// Puts the switch back, however the test ends.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        fs::write(SWITCH, "0").expect("the switch can be put back");
    }
}

fn driver(backend: Backend) -> Result<Driver, SetupError> {
    let mut config = Config::default();
    config.backend = backend;
    Driver::new(&config)
}

/// Given a machine whose switch forbids io_uring to everybody, or to all but root; when a ring is
/// asked for, by root or by somebody else; then the error and the doctor name the switch and what
/// turns it back, and a driver by default works without a ring.
#[test]
fn the_switch_of_the_machine_is_named() {
    const NAME: &str = "the_switch_of_the_machine_is_named";
    if std::env::var_os("WAKERING_TEST_GUEST").is_none_or(|value| value != "1") {
        return skip(NAME, "WAKERING_TEST_GUEST is not 1, so the machine is not the test's own");
    }
    if !Path::new(SWITCH).exists() {
        return skip(NAME, "this kernel has no kernel.io_uring_disabled");
    }
    let restore = Restore;
    for position in ["2", "1"] {
        let environment = [("WAKERING_BACKEND", "auto"), (POSITION, position)];
        in_child_with(NAME, &environment, || {
            let position = std::env::var(POSITION).expect("set for this child");
            fs::write(SWITCH, &position).expect("root may switch");
            if position == "1" {
                assert_eq!(doctor().backend(), Some("uring"), "root may");
                drop_privileges(100_000 + std::process::id());
            }
            refused(&position);
        });
    }
    drop(restore);
    assert!(doctor().error().is_none(), "{}", doctor());
}

fn refused(position: &str) {
    let error = driver(Backend::Uring).expect_err("the switch forbids it");
    assert_eq!(
        (error.cause(), error.errno(), error.operation()),
        (SetupCause::Sysctl, Some(EPERM), "io_uring_setup"),
        "{error}"
    );
    let is_at = format!("kernel.io_uring_disabled is {position}");
    assert!(error.evidence().starts_with(&is_at), "{error}");
    assert!(error.remedy().contains("sysctl -w kernel.io_uring_disabled=0"), "{error}");

    let doctor = doctor();
    assert_eq!(doctor.backend(), Some("poll"), "{doctor}");
    let picture = doctor.to_string();
    for row in [
        "backend       poll".to_owned(),
        "cause         Sysctl".to_owned(),
        format!("remedy        {}", error.remedy()),
        format!("sysctl        kernel.io_uring_disabled = {position}"),
    ] {
        assert!(picture.contains(&row), "no `{row}` in\n{picture}");
    }

    let driver = driver(Backend::Auto).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(driver.backend(), "poll");
    driver.turn(Wait::Now);
    assert_eq!(driver.counters().operations().collect::<Vec<_>>(), []);
    assert_eq!(driver.shutdown(Duration::from_secs(5)).leaked, 0);
}
