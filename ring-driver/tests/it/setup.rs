//! Machines that give no ring, or a poor one: the error says what forbids it and what mends it.
//! Limits and filters cannot be taken back, so each test lives in a child.

use std::fs::File;
use std::time::Duration;

use wakering_ring_driver::testing::{
    Limit, drop_privileges, forbid_io_uring, in_child, in_child_with, limit, open_descriptors,
    ring_or_skip, skip,
};
use wakering_ring_driver::{Backend, Config, Doctor, Driver, SetupCause, SetupError, doctor, op};

use crate::block_on;

const EPERM: i32 = 1;
const ENOMEM: i32 = 12;
const EMFILE: i32 = 24;
const ENOSYS: i32 = 38;

/// Whatever the lane is about, the machine decides.
const ANY_BACKEND: (&str, &str) = ("WAKERING_BACKEND", "auto");

/// A user whom nobody else is, so that no other process's rings count against the same limit.
fn somebody() -> u32 {
    100_000 + std::process::id()
}

fn ring() -> Result<Driver, SetupError> {
    let mut config = Config::default();
    config.backend = Backend::Uring;
    Driver::new(&config)
}

/// The doctor tells the story of `error`: the cause, one thing to do, and that there is `backend`.
#[track_caller]
fn told(error: &SetupError, backend: Option<&'static str>) -> Doctor {
    let doctor = doctor();
    assert_eq!(doctor.error().map(SetupError::cause), Some(error.cause()), "{doctor}");
    assert_eq!(doctor.backend(), backend, "{doctor}");
    let picture = doctor.to_string();
    for (name, text) in [
        ("backend", backend.unwrap_or("none")),
        ("io_uring", "no"),
        ("cause", &format!("{:?}", error.cause())),
        ("remedy", error.remedy()),
    ] {
        assert!(picture.contains(&format!("{name:<14}{text}")), "no {name} {text} in\n{picture}");
    }
    doctor
}

/// A driver by default works, without any ring.
#[track_caller]
fn works_without_a_ring() {
    let driver = crate::driver();
    assert_eq!(driver.backend(), "poll");
    block_on(&driver, op::nop()).expect("a nop");
    block_on(&driver, op::timeout(Duration::from_millis(1))).expect("a timer");
    assert_eq!(driver.counters().operations().collect::<Vec<_>>(), []);
    let open = open_descriptors();
    assert!(!open.iter().any(|(_, target)| target.contains("io_uring")), "{open:?}");
}

/// Given a lane of tests that says which backend it is about; when a driver is made with default
/// settings and used; then it is on that one. So no lane is on another without being noticed.
#[test]
fn a_lane_is_on_its_backend() {
    in_child("setup::a_lane_is_on_its_backend", || {
        match std::env::var("WAKERING_TEST_BACKEND").as_deref() {
            Ok("poll") => works_without_a_ring(),
            Ok(other) => panic!("WAKERING_TEST_BACKEND={other}: it is `poll`, or not set"),
            Err(_) => assert_eq!(Some(crate::driver().backend()), doctor().backend()),
        }
    });
}

/// Given a sandbox that refuses io_uring's system calls; when a ring is asked for; then the error
/// names the filter, and the doctor says the same.
#[test]
fn a_filter_that_refuses_is_named() {
    in_child_with("setup::a_filter_that_refuses_is_named", &[ANY_BACKEND], || {
        forbid_io_uring(EPERM);
        named_as_filter(EPERM);
    });
}

/// Given a sandbox that hides io_uring's system calls; when a ring is asked for; then the error
/// names the filter.
#[test]
fn a_filter_that_hides_is_named() {
    in_child_with("setup::a_filter_that_hides_is_named", &[ANY_BACKEND], || {
        forbid_io_uring(ENOSYS);
        named_as_filter(ENOSYS);
    });
}

fn named_as_filter(errno: i32) {
    let before = open_descriptors();
    let error = ring().expect_err("the filter lets no ring through");
    assert_eq!(
        (error.cause(), error.errno(), error.operation()),
        (SetupCause::Seccomp, Some(errno), "io_uring_setup"),
        "{error}"
    );
    assert!(error.object().contains("4096"), "{error}");
    assert!(error.evidence().contains("seccomp") && error.remedy().contains("seccomp"), "{error}");
    assert_eq!(open_descriptors(), before);

    let doctor = told(&error, Some("poll"));
    assert!(doctor.to_string().contains("a filter is in force"), "{doctor}");
    works_without_a_ring();
}

/// Given an ordinary user who may lock 64 KiB; when a ring is asked for; then a smaller one comes
/// and works.
#[test]
fn little_locked_memory_gives_a_smaller_ring() {
    if !ring_or_skip("setup::little_locked_memory_gives_a_smaller_ring") {
        return;
    }
    let name = "setup::little_locked_memory_gives_a_smaller_ring";
    in_child_with(name, &[ANY_BACKEND], || {
        limit(Limit::LockedMemory, 64 * 1024);
        drop_privileges(somebody());
        let driver = ring().unwrap_or_else(|error| panic!("{error}"));
        block_on(&driver, op::nop()).expect("a nop");
        drop(driver);
        let doctor = doctor();
        assert_eq!(doctor.backend(), Some("uring"), "{doctor}");
        assert!(doctor.to_string().contains("memlock       64 KiB"), "{doctor}");
    });
}

/// Given an ordinary user who may lock nothing, on a kernel that counts rings; when a ring is asked
/// for; then the error names the limit, and nothing stays open.
#[test]
fn no_locked_memory_is_named() {
    const NAME: &str = "setup::no_locked_memory_is_named";
    if !ring_or_skip(NAME) {
        return;
    }
    in_child_with(NAME, &[ANY_BACKEND], || {
        limit(Limit::LockedMemory, 0);
        drop_privileges(somebody());
        let before = open_descriptors();
        let error = match ring() {
            Ok(_) => return skip(NAME, "the kernel gives a ring with RLIMIT_MEMLOCK at 0"),
            Err(error) => error,
        };
        assert_eq!(
            (error.cause(), error.errno(), error.operation()),
            (SetupCause::LockedMemory, Some(ENOMEM), "io_uring_setup"),
            "{error}"
        );
        assert!(error.remedy().contains("ulimit -l"), "{error}");
        assert_eq!(open_descriptors(), before);
        told(&error, Some("poll"));
        works_without_a_ring();
    });
}

/// Given a process that has run out of descriptors; when a driver is asked for, again with each one
/// that is freed; then the error names limit and call until there is a driver, and nothing stays
/// open of those that failed.
#[test]
fn running_out_of_descriptors_at_every_step_is_named() {
    const NAME: &str = "setup::running_out_of_descriptors_at_every_step_is_named";
    if !ring_or_skip(NAME) {
        return;
    }
    in_child_with(NAME, &[ANY_BACKEND], || {
        limit(Limit::OpenFiles, 64);
        let before = open_descriptors();
        let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let mut refused = Vec::new();
        let driver = loop {
            match ring() {
                Ok(driver) => break driver,
                Err(error) => {
                    assert_eq!(
                        (error.cause(), error.errno()),
                        (SetupCause::OutOfDescriptors, Some(EMFILE)),
                        "{error}"
                    );
                    assert!(
                        error.evidence().contains("64") && error.remedy().contains("ulimit -n"),
                        "{error}"
                    );
                    if refused.is_empty() {
                        told(&error, None);
                    }
                    refused.push(error.operation());
                }
            }
            files.pop().expect("with all but three descriptors free there is a driver");
        };
        assert_eq!(refused.first(), Some(&"eventfd"));
        assert_eq!(refused.last(), Some(&"io_uring_setup"));
        block_on(&driver, op::nop()).expect("a nop");
        drop(driver);
        drop(files);
        assert_eq!(open_descriptors(), before);
    });
}

/// Given `WAKERING_CAPS`; when a driver is asked for with default settings; then it obeys.
#[test]
fn the_environment_is_obeyed() {
    const NAME: &str = "setup::the_environment_is_obeyed";
    if !ring_or_skip(NAME) {
        return;
    }
    for mask in ["t0", "t0,-statx"] {
        in_child_with(NAME, &[("WAKERING_CAPS", mask)], || {
            let capabilities = ring().unwrap_or_else(|error| panic!("{error}")).capabilities();
            let is_masked =
                std::env::var("WAKERING_CAPS").is_ok_and(|mask| mask.contains("-statx"));
            assert_eq!((capabilities.tier(), capabilities.has("statx")), ("T0", !is_masked));
        });
    }
}

/// Given a word in `WAKERING_CAPS` that means nothing; when a driver is asked for; then the error
/// quotes it.
#[test]
fn a_setting_without_meaning_is_quoted() {
    let environment = [("WAKERING_CAPS", "t1,-warp_drive")];
    in_child_with("setup::a_setting_without_meaning_is_quoted", &environment, || {
        let error = ring().expect_err("nothing is called so");
        assert_eq!(
            (error.cause(), error.object()),
            (SetupCause::Setting, "WAKERING_CAPS=t1,-warp_drive")
        );
        assert!(error.evidence().contains("`-warp_drive`"), "{error}");
    });
}
