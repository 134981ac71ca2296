//! A driver whose kernel is the test: it completes what it was asked for when and how it likes, so that
//! each order of events is exact.

use std::sync::Arc;
use std::task::Poll;

use wakering_ring_driver::testing::{Memory, Submitted};
use wakering_ring_driver::{Driver, Fd, Wait};

use crate::{Wakes, poll_once};

/// The driver, its kernel, a descriptor, and whoever polls.
pub(crate) struct World {
    pub(crate) driver: Driver,
    pub(crate) memory: Memory,
    pub(crate) fd: Fd,
    pub(crate) wakes: Arc<Wakes>,
}

impl World {
    pub(crate) fn new() -> World {
        let (driver, memory) = Driver::memory().unwrap();
        let fd = memory.descriptor(&driver);
        World { driver, memory, fd, wakes: Arc::new(Wakes::default()) }
    }

    /// A world in which nothing ends because it is asked to.
    pub(crate) fn stubborn() -> World {
        let world = World::new();
        world.memory.set_cancel_wins(false);
        world
    }

    pub(crate) fn turn(&self) {
        self.driver.turn(Wait::Now);
    }

    pub(crate) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        poll_once(&self.driver, future, &self.wakes)
    }

    /// Polls what has to wait.
    #[track_caller]
    pub(crate) fn waits<F: Future + Unpin>(&self, future: &mut F) {
        assert!(self.poll(future).is_pending(), "it has ended");
    }

    /// Polls what has to wait, and gives what the kernel is asked for.
    #[track_caller]
    pub(crate) fn submit<F: Future + Unpin>(&self, future: &mut F) -> Submitted {
        self.waits(future);
        self.memory.next_request().expect("the kernel is asked")
    }

    /// Polls what has ended.
    #[track_caller]
    pub(crate) fn ended<F: Future + Unpin>(&self, future: &mut F) -> F::Output {
        match self.poll(future) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("still pending"),
        }
    }
}
