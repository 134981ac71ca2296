//! exec(2): nothing of ours goes along into another program, and what somebody else has left open is
//! none of our business.

#![allow(unsafe_code)]

use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use wakering_ring_driver::testing::{in_child, open_descriptors, ring_or_skip};
use wakering_ring_driver::{Backend, Config, Driver, Wait, doctor, op};

use crate::{Wakes, adopt, block_on, driver, poll_once};

/// Tells that this process has been through exec, and the ring that was left open, if any.
const INHERITED: &str = "WAKERING_TEST_INHERITED";

/// Becomes this test's program again, from the start.
fn exec(name: &str, inherited: &str) -> ! {
    let program = std::env::current_exe().expect("the path of this test binary");
    let error = Command::new(program)
        .args([name, "--exact", "--nocapture"])
        .env(INHERITED, inherited)
        .exec();
    panic!("this binary cannot be run again: {error}");
}

/// What is open that has no name: rings, epoll instances, eventfds, sockets.
fn nameless() -> Vec<(RawFd, String)> {
    let mut open = open_descriptors();
    open.retain(|(_, target)| target.starts_with("anon_inode:") || target.starts_with("socket:"));
    open
}

fn on(backend: Backend) -> Driver {
    let mut config = Config::default();
    config.backend = backend;
    Driver::new(&config).unwrap_or_else(|error| panic!("{error}"))
}

/// Given a driver of each backend with a receive in flight; when the process becomes another
/// program; then that has none of their descriptors, and drivers of its own.
#[test]
fn nothing_of_a_driver_goes_along() {
    const NAME: &str = "exec::nothing_of_a_driver_goes_along";
    in_child(NAME, || {
        let inherited = nameless();
        if std::env::var_os(INHERITED).is_some() {
            assert_eq!(inherited, []);
            return block_on(&driver(), op::nop()).expect("a nop");
        }
        let drivers = [driver(), on(Backend::Poll)];
        let _receives = drivers.each_ref().map(|driver| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let mut receive = op::recv(&adopt(driver, ours), vec![0; 4]);
            assert!(poll_once(driver, &mut receive, &Arc::new(Wakes::default())).is_pending());
            driver.turn(Wait::Now);
            (receive, theirs)
        });
        // Each driver has a notifier and a ring or an epoll instance; each receive has two ends.
        assert!(nameless().len() >= inherited.len() + 8, "{:?}", nameless());
        exec(NAME, "");
    });
}

/// Given a ring that another program has left open, with a receive in flight; when drivers are
/// made, used and dropped beside it; then they work as ever, and it stays open.
#[test]
fn a_ring_of_somebody_else_does_no_harm() {
    const NAME: &str = "exec::a_ring_of_somebody_else_does_no_harm";
    if !ring_or_skip(NAME) {
        return;
    }
    in_child(NAME, || {
        let rings = || -> Vec<RawFd> {
            let open = nameless().into_iter();
            open.filter(|(_, what)| what == "anon_inode:[io_uring]").map(|(fd, _)| fd).collect()
        };
        if let Ok(inherited) = std::env::var(INHERITED) {
            let foreign = vec![inherited.parse::<RawFd>().expect("a descriptor")];
            assert_eq!(rings(), foreign);
            let expected = doctor().backend();
            for _ in 0..20 {
                let ours = driver();
                assert_eq!(Some(ours.backend()), expected);
                block_on(&ours, op::nop()).expect("a nop");
                block_on(&ours, op::timeout(Duration::from_millis(1))).expect("a timer");
                let ring = on(Backend::Uring);
                block_on(&ring, op::nop()).expect("a nop");
                assert_eq!(ring.shutdown(Duration::from_secs(5)).leaked, 0);
            }
            return assert_eq!(rings(), foreign);
        }
        let foreign = on(Backend::Uring);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut receive = op::recv(&adopt(&foreign, ours), vec![0; 4]);
        assert!(poll_once(&foreign, &mut receive, &Arc::new(Wakes::default())).is_pending());
        foreign.turn(Wait::Now);
        let ring = rings()[0];
        // SAFETY: takes numbers; the descriptor stays open across exec.
        assert_eq!(unsafe { libc::fcntl(ring, libc::F_SETFD, 0) }, 0);
        exec(NAME, &ring.to_string());
    });
}
