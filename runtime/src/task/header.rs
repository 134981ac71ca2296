//! What is known of a task whatever its future is: who it is, where it lives, how far it has come,
//! and what it occupies there.
//!
//! Any thread may look at it; there is nothing in it that only home may touch.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use wakering_ring_driver::AccountId;

use super::callbacks::{Callback, Callbacks};
use super::cell::Lodging;
use super::current::TaskInfo;
use super::references::References;
use super::state::{Begin, Cancel, Join, Side, State, Wake};
use crate::home::{self, Home, HomeKey};
use crate::primitive::{AtomicU32, Ordering};

/// What is known of a task whatever its future is.
pub(crate) struct Header {
    pub(super) state: State,
    /// Whether it refers to its home as a lodger. Stands here for the sake of its size.
    pub(super) is_lodger: bool,
    pub(super) references: References,
    /// Let go of with the cell.
    pub(super) home: ManuallyDrop<Arc<Home>>,
    pub(crate) info: TaskInfo,
    /// Slot and account, once they are known. Written at home only.
    place: [AtomicU32; 2],
}

/// There may be millions.
#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() == 80);

/// How a task refers to its home.
pub(super) enum Tie {
    /// It was made there.
    Lodging(Lodging),
    /// It was made elsewhere, perhaps after the end of the runtime.
    Own(Arc<Home>),
}

/// No slot has this number.
const NOWHERE: u32 = u32::MAX;

/// What a task occupies in its executor and in the driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) account: AccountId,
}

impl Header {
    #[inline(always)]
    pub(super) fn new(home: Tie, info: TaskInfo, state: State, references: References) -> Header {
        let (home, is_lodger) = match home {
            Tie::Lodging(lodging) => (lodging.into_home(), true),
            Tie::Own(home) => (ManuallyDrop::new(home), false),
        };
        let place = [NOWHERE; 2].map(AtomicU32::new);
        Header { state, is_lodger, references, home, info, place }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Where this is called.
    pub(super) fn side(&self) -> Side {
        match home::is_here(self.home()) && self.references.is_own() {
            true => Side::Here,
            false => Side::Afar,
        }
    }

    /// What the task occupies, once it has been taken in.
    pub(crate) fn place(&self) -> Option<Place> {
        let [slot, account] = [0, 1].map(|at| self.place[at].load(Ordering::Relaxed));
        (slot != NOWHERE).then_some(Place { slot, account: AccountId::at(account as usize) })
    }

    pub(crate) fn set_place(&self, place: Place) {
        debug_assert!(self.place().is_none(), "a task is taken in once");
        let Place { slot, account } = place;
        self.place[0].store(slot, Ordering::Relaxed);
        self.place[1].store(account.index() as u32, Ordering::Relaxed);
    }

    /// Whether the caller, being home, is the one to take this parcel in.
    pub(crate) fn claim_parcel(&self) -> bool {
        let is_claimed = self.state.claim_parcel();
        if is_claimed {
            self.references.take_in();
            self.state.wake();
        }
        is_claimed
    }

    /// The task has come out of the run queue. Home only.
    pub(crate) fn begin(&self) -> Begin {
        self.state.begin()
    }

    /// The future has ended and left operations behind. Home only.
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

    /// Queues the task, unless it is. Home only.
    pub(crate) fn wake(&self) -> Wake {
        self.state.wake()
    }

    /// A wake from afar has arrived. Home only.
    pub(crate) fn arrive(&self) -> Wake {
        self.state.arrive()
    }

    /// Has `callback` called once the task is over. For its handle.
    pub(super) fn on_done(&self, callback: Callback) {
        self.home().callbacks().push(self.info.id(), callback);
        if self.state.watch() == Join::Done {
            Callbacks::post(self.home(), &self.info);
        }
    }

    /// The task is over.
    pub(super) fn call_back(&self) {
        if self.state.is_watched() {
            Callbacks::post(self.home(), &self.info);
        }
    }

    /// Asks for the end of the task.
    pub(crate) fn cancel(&self) -> Cancel {
        self.state.cancel()
    }
}

/// The exclusive right to touch a task, until it is dropped.
pub(super) struct Opened<'key>(&'key Header);

impl<'key> Opened<'key> {
    /// For a task that has come out of the run queue: what is to be done with it.
    ///
    /// # Panics
    /// With the key of another home, or inside a poll of that task: that would be a defect of the
    /// executor, which memory safety must not depend on.
    #[inline]
    pub(super) fn new(key: &'key HomeKey, task: &'key Header) -> (Opened<'key>, Begin) {
        assert!(key.fits(task.home()), "a task is touched by its own runtime only");
        let begin = task.state.open().expect("no task is touched inside its own poll");
        (Opened(task), begin)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.state.close();
    }
}
