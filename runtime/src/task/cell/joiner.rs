//! The handle's side of a task.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::sync::Mutex;
use std::task::{Context, Poll};

use super::{Front, TaskRef};
use crate::task::handle::{Cause, JoinError};
use crate::task::state::Join;
use crate::task::{Cancel, TaskInfo};

/// The handle's right to the output of one task.
pub(crate) struct Joiner<T> {
    /// Dropped in `drop`, in one way or another.
    pub(super) task: ManuallyDrop<TaskRef>,
    /// A mutex is `Send` and `Sync` if what is in it is `Send`, which is what holds for a handle
    /// too: it gives the output to whoever owns it, and never refers to it.
    pub(super) _output: PhantomData<Mutex<T>>,
}

impl<T> Joiner<T> {
    /// The output, once.
    ///
    /// # Panics
    /// After it was given.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let Front { header, table, .. } = self.task.front();
        if !header.state.is_done() && !self.wait(cx) {
            return Poll::Pending;
        }
        let is_there = header.state.take();
        assert!(is_there, "the handle of {} was polled after it had completed", header.info);
        let mut output = MaybeUninit::<Result<T, Cause>>::uninit();
        // SAFETY: rule 2: the task is done, we are its handle, and nobody has taken the output.
        // Rule 6: this joiner was made for the output of this very future.
        unsafe { (table.take)(self.task.0, output.as_mut_ptr().cast()) };
        // SAFETY: it was moved there just now.
        let output = unsafe { output.assume_init() };
        Poll::Ready(output.map_err(|cause| JoinError::new(header.info.clone(), cause)))
    }

    /// Leaves a waker, unless the task is done: whether it is.
    fn wait(&self, cx: &mut Context<'_>) -> bool {
        let Front { header, joiner, .. } = self.task.front();
        let (state, side) = (&header.state, header.side());
        if state.take_back(side) == Join::Done {
            return true;
        }
        joiner.with_mut(|place| {
            // SAFETY: rule 3: we have taken the place back before the task was done.
            match unsafe { &mut *place } {
                Some(waker) => waker.clone_from(cx.waker()),
                place => *place = Some(cx.waker().clone()),
            }
        });
        if state.leave_waker(side) == Join::Pending {
            return false;
        }
        // SAFETY: rule 3: the waker has come too late, so that the place stayed ours.
        drop(joiner.with_mut(|place| unsafe { (*place).take() }));
        true
    }

    pub(crate) fn info(&self) -> &TaskInfo {
        &self.task.header().info
    }

    /// Has `callback` called once the task is over.
    pub(crate) fn on_done(&self, callback: impl FnOnce(&TaskInfo) + Send + 'static) {
        self.task.header().on_done(Box::new(callback));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.task.header().state.is_done()
    }

    /// Asks for the end of the task; whether this was the first request and in time.
    pub(crate) fn cancel(&self) -> bool {
        let is_first = self.task.header().cancel() == Cancel::Wake;
        if is_first {
            self.task.wake_by_ref();
        }
        is_first
    }
}

// No output is ever pinned in here.
impl<T> Unpin for Joiner<T> {}

impl<T> Drop for Joiner<T> {
    #[inline]
    fn drop(&mut self) {
        let Front { header, table, joiner } = self.task.front();
        let state = &header.state;
        match state.drop_handle(header.side()) {
            Join::Done if state.take() => {
                // SAFETY: rules 2 and 6: the task is done and we are its handle.
                unsafe { (table.discard)(self.task.0) };
            }
            Join::Done => {}
            Join::Pending => {
                // SAFETY: rule 3: the place was ours, and no other handle will come.
                let waker = joiner.with_mut(|place| unsafe { (*place).take() });
                drop(waker);
            }
        }
        if !state.is_given_away() {
            // SAFETY: only here.
            unsafe { ManuallyDrop::drop(&mut self.task) };
        } else if header.references.settle_alone() {
            // SAFETY: rule 5: home left the cell to us, and there is no other reference.
            unsafe { self.task.free() };
        }
    }
}
