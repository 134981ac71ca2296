//! What is known of a task whatever its future is: who it is, where it lives, how far it has come,
//! and who pays for it.
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
    pub(super) references: References,
    /// Let go of with the cell: that of a lodger, or one of its own.
    pub(super) home: ManuallyDrop<Arc<Home>>,
    pub(crate) info: TaskInfo,
    /// Who pays for it, once it has been taken in: that of the runtime itself does not. Written at
    /// home only.
    account: AtomicU32,
}

/// There may be millions.
#[cfg(not(loom))]
const _: () = assert!(size_of::<Header>() == 64);

impl Header {
    /// Of a task made at home: with references for its handle and two more.
    #[inline(always)]
    pub(super) fn of_task(home: Lodging, info: TaskInfo) -> Header {
        Header::new(home.into_home(), info, State::new(), References::own(3))
    }

    /// Of a task made elsewhere, perhaps after the end of the runtime: with references for its
    /// handle and one more.
    pub(super) fn of_parcel(home: Arc<Home>, info: TaskInfo) -> Header {
        Header::new(ManuallyDrop::new(home), info, State::parcel(), References::foreign(2))
    }

    /// Of what is woken like a task: with one reference.
    pub(super) fn of_resident(home: Lodging, info: TaskInfo) -> Header {
        Header::new(home.into_home(), info, State::resident(), References::own(1))
    }

    #[inline(always)]
    fn new(
        home: ManuallyDrop<Arc<Home>>,
        info: TaskInfo,
        state: State,
        references: References,
    ) -> Header {
        let account = AtomicU32::new(AccountId::ROOT.index() as u32);
        Header { state, account, references, home, info }
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

    /// The account of the task, once it has been taken in.
    pub(crate) fn account(&self) -> Option<AccountId> {
        let account = AccountId::at(self.account.load(Ordering::Relaxed) as usize);
        (account != AccountId::ROOT).then_some(account)
    }

    pub(crate) fn set_account(&self, account: AccountId) {
        debug_assert!(self.account().is_none(), "a task is taken in once");
        self.account.store(account.index() as u32, Ordering::Relaxed);
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
