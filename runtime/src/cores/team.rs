//! The cores of one runtime, as they know each other: each one's home, and how busy its thread is.

use std::sync::Arc;

use wakering_ring_driver::affinity::ThreadClock;

use crate::home::Home;

/// All cores, in their order. It may outlive them: whoever reaches for one that has ended is told.
pub(crate) struct Team {
    pub(crate) seats: Vec<Seat>,
}

/// What the others know of one core.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) home: Arc<Home>,
    /// The processor time of its thread.
    pub(crate) clock: ThreadClock,
}

impl Seat {
    /// That of the calling thread, where `home` is.
    pub(crate) fn here(home: &Arc<Home>) -> Seat {
        Seat { home: home.clone(), clock: ThreadClock::here() }
    }
}

/// A core among those of its runtime.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) team: Arc<Team>,
    pub(crate) core: usize,
}

impl Member {
    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.team.seats[self.core].home
    }
}
