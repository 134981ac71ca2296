//! What is known of a task whatever its future is: who it is, where it lives, how far it has come,
//! and what it occupies there.
//!
//! Any thread may look at it; there is nothing in it that only home may touch.

use std::sync::{Arc, OnceLock};

use wakering_ring_driver::AccountId;

use super::callbacks::{Callback, Callbacks};
use super::current::TaskInfo;
use super::state::{Cancel, Join, State, Wake};
use crate::home::Home;

/// What is known of a task whatever its future is.
pub(crate) struct Header {
    pub(crate) info: TaskInfo,
    home: Arc<Home>,
    pub(super) state: State,
    /// Set once, at home.
    place: OnceLock<Place>,
    /// Most tasks have none.
    callbacks: OnceLock<Arc<Callbacks>>,
}

/// What a task occupies in its executor and in the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) account: AccountId,
}

impl Header {
    pub(super) fn new(home: &Arc<Home>, info: TaskInfo, state: State) -> Header {
        Header {
            info,
            home: home.clone(),
            state,
            place: OnceLock::new(),
            callbacks: OnceLock::new(),
        }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// What the task occupies, once it has been taken in.
    pub(crate) fn place(&self) -> Option<Place> {
        self.place.get().copied()
    }

    pub(crate) fn set_place(&self, place: Place) {
        let set = self.place.set(place);
        debug_assert!(set.is_ok(), "a task is taken in once");
    }

    /// Whether the caller, being home, is the one to take this parcel in.
    pub(crate) fn claim_parcel(&self) -> bool {
        self.state.claim_parcel()
    }

    /// The future has ended and left operations behind.
    pub(crate) fn drain(&self) {
        self.state.drain();
    }

    /// Whether only what the future has left behind keeps the task from being over.
    pub(crate) fn is_draining(&self) -> bool {
        self.state.is_draining()
    }

    /// Whether somebody has asked for its end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.is_cancelled()
    }

    /// Queues the task, unless it is.
    pub(crate) fn wake(&self) -> Wake {
        self.state.wake()
    }

    /// Has `callback` called once the task is over. For its handle.
    pub(super) fn on_done(&self, callback: Callback) {
        let callbacks = self
            .callbacks
            .get_or_init(|| Arc::new(Callbacks::new(self.info.clone(), self.home.clone())));
        callbacks.push(callback);
        if self.state.watch() == Join::Done {
            callbacks.post();
        }
    }

    /// The task is over.
    pub(super) fn call_back(&self) {
        if self.state.is_watched()
            && let Some(callbacks) = self.callbacks.get()
        {
            callbacks.post();
        }
    }

    /// Asks for the end of the task.
    pub(crate) fn cancel(&self) -> Cancel {
        self.state.cancel()
    }
}
