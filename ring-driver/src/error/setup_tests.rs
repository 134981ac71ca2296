//! Every row of the decision table, on machines that are not there.

use super::*;

/// A machine on which nothing is wrong, seen by an ordinary user.
fn healthy() -> Evidence {
    Evidence {
        enter: libc::EBADF,
        disabled: Some(0),
        group: Some(-1),
        in_group: false,
        seccomp: Some(0),
        gvisor: false,
        release: "6.18.1".to_owned(),
        memlock: 8 << 20,
        may_lock: false,
        may_administer: false,
        nofile: 1024,
        rings: 0,
    }
}

fn diagnosis_of(operation: &'static str, errno: i32, evidence: &Evidence) -> SetupError {
    let error =
        diagnose(operation, "a ring".to_owned(), io::Error::from_raw_os_error(errno), evidence);
    assert_eq!(
        (error.operation(), error.object(), error.errno()),
        (operation, "a ring", Some(errno))
    );
    let text = error.to_string();
    for part in [
        operation,
        "a ring",
        &io::Error::from_raw_os_error(errno).to_string(),
        error.evidence(),
        error.remedy(),
    ] {
        assert!(text.contains(part), "{text} says nothing of {part}");
    }
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.and_then(io::Error::raw_os_error), Some(errno));
    error
}

#[track_caller]
fn check(errno: i32, evidence: Evidence, cause: SetupCause, says: &str, remedy: &str) {
    let error = diagnosis_of(SETUP, errno, &evidence);
    assert_eq!(error.cause(), cause, "{error}");
    assert!(error.evidence().contains(says), "{error}");
    assert!(error.remedy().contains(remedy), "{error}");
}

#[test]
fn eperm_from_enter_too_is_seccomp() {
    let evidence = Evidence { enter: libc::EPERM, disabled: Some(2), ..healthy() };
    check(libc::EPERM, evidence, SetupCause::Seccomp, "Docker", "seccomp");
}

#[test]
fn eperm_from_setup_alone_is_the_sysctl_where_that_forbids() {
    let everybody =
        Evidence { disabled: Some(2), may_administer: true, in_group: true, ..healthy() };
    check(libc::EPERM, everybody, SetupCause::Sysctl, "is 2", "kernel.io_uring_disabled=0");
    let outsiders = Evidence { disabled: Some(1), group: Some(977), ..healthy() };
    check(libc::EPERM, outsiders, SetupCause::Sysctl, "only group 977", "group 977");
    let users = Evidence { disabled: Some(1), ..healthy() };
    check(libc::EPERM, users, SetupCause::Sysctl, "no group is let in", "kernel.io_uring_group");
}

#[test]
fn eperm_that_neither_explains_is_a_policy() {
    for evidence in [
        healthy(),
        Evidence { disabled: None, group: None, ..healthy() },
        Evidence { disabled: Some(1), may_administer: true, ..healthy() },
        Evidence { disabled: Some(1), group: Some(977), in_group: true, ..healthy() },
    ] {
        check(libc::EPERM, evidence, SetupCause::Policy, "security module", "audit log");
    }
}

#[test]
fn enosys_before_5_1_is_an_old_kernel_whatever_the_sandbox() {
    let evidence =
        Evidence { release: "4.19.0-27-amd64".to_owned(), seccomp: Some(2), ..healthy() };
    check(libc::ENOSYS, evidence, SetupCause::KernelTooOld, "this is 4.19.0-27-amd64", "5.10.162");
}

#[test]
fn enosys_under_a_filter_is_the_filter() {
    let evidence = Evidence { enter: libc::ENOSYS, seccomp: Some(2), ..healthy() };
    check(libc::ENOSYS, evidence, SetupCause::Seccomp, "hides", "seccomp");
    let evidence =
        Evidence { enter: libc::ENOSYS, gvisor: true, release: "4.4.0".to_owned(), ..healthy() };
    check(
        libc::ENOSYS,
        Evidence { release: "5.15.0".to_owned(), ..evidence },
        SetupCause::Seccomp,
        "gVisor",
        "runc",
    );
}

#[test]
fn enosys_without_either_is_a_kernel_built_without() {
    let evidence = Evidence { enter: libc::ENOSYS, ..healthy() };
    check(libc::ENOSYS, evidence, SetupCause::NotBuiltIn, "6.18.1", "CONFIG_IO_URING=y");
    let unreadable =
        Evidence { enter: libc::ENOSYS, release: "unknown".to_owned(), seccomp: None, ..healthy() };
    check(libc::ENOSYS, unreadable, SetupCause::NotBuiltIn, "unknown", "CONFIG_IO_URING=y");
}

#[test]
fn enomem_is_memlock_where_kernels_charge_it_and_the_user_is_not_exempt() {
    for release in ["5.10.0-32-amd64", "5.11.22", "6.14.0", "7.1.3"] {
        let evidence =
            Evidence { release: release.to_owned(), memlock: 64 << 10, rings: 3, ..healthy() };
        check(libc::ENOMEM, evidence, SetupCause::LockedMemory, "64 KiB", "`ulimit -l unlimited`");
    }
    let first = Evidence { memlock: 64 << 10, ..healthy() };
    let later = Evidence { rings: 3, ..first.clone() };
    check(
        libc::ENOMEM,
        first,
        SetupCause::LockedMemory,
        "all rings of the user together",
        "memlock=-1",
    );
    check(libc::ENOMEM, later, SetupCause::LockedMemory, "this process has 3", "memlock=-1");
}

#[test]
fn enomem_is_memory_where_memlock_cannot_be_it() {
    for evidence in [
        Evidence { release: "5.15.0".to_owned(), memlock: 64 << 10, ..healthy() },
        Evidence { release: "6.13.9".to_owned(), memlock: 64 << 10, ..healthy() },
        Evidence { may_lock: true, memlock: 64 << 10, ..healthy() },
        Evidence { memlock: Evidence::UNLIMITED, ..healthy() },
    ] {
        check(libc::ENOMEM, evidence, SetupCause::OutOfMemory, "no memory", "memory.max");
    }
}

#[test]
fn descriptors_run_out_in_the_process_or_in_the_machine() {
    check(
        libc::EMFILE,
        healthy(),
        SetupCause::OutOfDescriptors,
        "the 1024 open files",
        "`ulimit -n 65536`",
    );
    check(libc::ENFILE, healthy(), SetupCause::OutOfDescriptors, "machine", "fs.file-max");
}

#[test]
fn einval_after_the_ladder_is_unsupported() {
    check(libc::EINVAL, healthy(), SetupCause::Unsupported, "setup flags", "5.10.162");
}

#[test]
fn anything_else_asks_for_a_report() {
    check(libc::EFAULT, healthy(), SetupCause::Other, "6.18.1", "doctor()");
}

#[test]
fn the_other_calls_of_a_ring_are_forbidden_by_filters_only() {
    for operation in ["io_uring_enter", "io_uring_register"] {
        for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
            let error =
                diagnosis_of(operation, errno, &Evidence { disabled: Some(2), ..healthy() });
            assert_eq!(error.cause(), SetupCause::Seccomp, "{error}");
        }
    }
}

#[test]
fn other_descriptors_of_the_driver_run_into_the_same_limits() {
    let error = diagnosis_of("eventfd", libc::EMFILE, &healthy());
    assert_eq!(error.cause(), SetupCause::OutOfDescriptors);
    let error = diagnosis_of("eventfd", libc::EPERM, &Evidence { disabled: Some(2), ..healthy() });
    assert_eq!(error.cause(), SetupCause::Other, "io_uring's switches have no say in other calls");
}

#[test]
fn a_ring_that_can_do_too_little_says_what_is_missing() {
    let error =
        lacking(&["EXT_ARG", "NODROP"], &Evidence { release: "5.10.118".to_owned(), ..healthy() });
    assert_eq!(error.cause(), SetupCause::Unsupported);
    assert!(
        error.evidence().contains("5.10.118") && error.evidence().contains("EXT_ARG, NODROP"),
        "{error}"
    );
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Unsupported);
}

#[test]
fn a_setting_without_meaning_is_quoted() {
    let error = SetupError::setting("WAKERING_CAPS", "t9", "`t9` is none of t0, t1");
    assert_eq!((error.cause(), error.errno()), (SetupCause::Setting, None));
    assert!(error.to_string().starts_with("set up WAKERING_CAPS=t9: "), "{error}");
    assert!(error.remedy().contains("`unset WAKERING_CAPS`"), "{error}");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn as_an_io_error_it_keeps_its_kind_and_can_be_had_back() {
    let error = io::Error::from(diagnosis_of(SETUP, libc::EPERM, &healthy()));
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let inner = error.get_ref().unwrap().downcast_ref::<SetupError>().unwrap();
    assert_eq!(inner.errno(), Some(libc::EPERM));
}
