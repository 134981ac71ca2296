//! The one allocation of a task: its header, its future and later its output, and the waker of
//! whoever awaits it.
//!
//! The cell is shared by the executor, by wakers and by the handle, on any thread, while the future
//! in it need not be `Send`. They know it by its header, and what depends on the type of the future
//! by a table. The rules that make this sound, and that everything below refers to by number:
//!
//! 1. *The future is touched at home only.* Each function that does so takes a [`HomeKey`], which
//!    exists on one thread only, and opens the task, whose home it checks. No task is opened a
//!    second time while it is open. The exception is a parcel: what makes its future is `Send`, and
//!    until home takes it in there is nothing else in the stage.
//! 2. *The output is touched by one party at a time.* Until [`State::complete`] that is home; from
//!    then on it is the handle, or home if it found no handle. The handle is one value, so that
//!    there is one [`Joiner`], and that is `Send` only if the output is.
//! 3. *The waker's place has one owner at a time*, as told by the transitions of [`State`].
//! 4. *The cell never drops what is inside.* Future and output are dropped in their own time by
//!    those who may; the last owner of the cell, on whatever thread, only frees memory.
//! 5. *A reference keeps the cell.* Each [`TaskRef`] and each waker is counted once in
//!    [`References`], which tell who drops the last. The count of home is touched at home only,
//!    where [`home::is_here`] holds or somebody shows the key.
//! 6. *The table fits the cell.* Both are made in [`allocate`], and the pointer that is passed on is
//!    always that to the whole cell.

#![allow(unsafe_code)]

use std::alloc::Layout;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

pub(crate) use joiner::Joiner;
pub(crate) use lodging::Lodging;
use made::Made;
pub(crate) use spare::Spare;
use spare::{give_memory, rounded, take_memory};

use super::current::TaskInfo;
use super::handle::{Cause, JoinError};
use super::header::{Header, Opened};
use super::state::{Begin, Complete, Side};
use crate::home::{self, Home, HomeKey};
use crate::primitive::UnsafeCell;
use crate::unheard::unheard;

/// Its home.
mod lodging;
/// The future of one that comes from another thread.
mod made;
/// Its memory.
mod spare;
/// What wakes it.
mod waker;
/// What its handle may do.
mod joiner;

/// How far a task has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for a wake, or it was over already.
    Pending,
    /// Its future is gone and its output is stored.
    Ended,
}

/// What all cells begin with.
#[repr(C)]
struct Front {
    header: Header,
    table: &'static Table,
    /// Rule 3.
    joiner: UnsafeCell<Option<Waker>>,
}

#[repr(C)]
struct TaskCell<F: Future> {
    front: Front,
    /// Rules 1, 2 and 4.
    stage: UnsafeCell<ManuallyDrop<Stage<F>>>,
}

enum Stage<F: Future> {
    Future(F),
    /// Also once it was taken, which [`State`] knows.
    Output(Result<F::Output, Cause>),
}

/// What depends on the type of the future. All functions take the cell, by rule 6.
struct Table {
    /// Polls the future; whether that has ended, and its output or its panic is stored. For whoever
    /// has the stage by rule 1.
    poll: unsafe fn(NonNull<Front>, &mut Context<'_>) -> bool,
    /// Drops the future and stores why. For whoever has the stage by rule 1.
    end: unsafe fn(NonNull<Front>, Cause),
    /// Moves the output to a `Result<F::Output, Cause>`. For whoever has the stage by rule 2, once.
    take: unsafe fn(NonNull<Front>, *mut ()),
    /// Drops the output, and reports the panic that it is or that its drop causes. For whoever has
    /// the stage by rule 2, once.
    discard: unsafe fn(NonNull<Front>),
    /// That of the cell.
    layout: Layout,
}

/// One reference to a task.
pub(crate) struct TaskRef(NonNull<Front>);

// SAFETY: rules 1 and 2 say on which thread the stage is touched and by whom: a future that is not
// `Send` only on the one where it was made, an output that is not `Send` only there too. By rule 4
// freeing the cell touches neither. All else in the cell is `Send`, and counted by rule 5.
unsafe impl Send for TaskRef {}
// SAFETY: the same rules say that no two threads touch stage or waker's place at a time. All else
// is `Sync`.
unsafe impl Sync for TaskRef {}

/// Makes a task for a future of this thread, which is the home of `key`: two references, one of
/// which is to be queued.
#[inline(always)]
pub(crate) fn new<F>(
    key: &HomeKey,
    info: impl FnOnce() -> TaskInfo,
    future: F,
) -> ([TaskRef; 2], Joiner<F::Output>)
where
    F: Future + 'static,
{
    let header = || Header::of_task(Lodging::of(key), info());
    let typed = allocate(future, Some(key.spare()), header);
    let other = TaskRef(typed.0.0);
    let (task, joiner) = share(typed);
    ([task, other], joiner)
}

/// Makes a task to be sent to its home, where `make` makes the future in the first poll.
pub(crate) fn new_parcel<F>(
    home: &Arc<Home>,
    info: TaskInfo,
    make: impl FnOnce() -> F + Send + 'static,
) -> (TaskRef, Joiner<F::Output>)
where
    F: Future<Output: Send> + 'static,
{
    let header = || Header::of_parcel(home.clone(), info);
    share(allocate(Made::Plan { make: Some(make) }, None, header))
}

/// Makes what is woken like a task, for a future that lives elsewhere.
pub(crate) fn new_resident(key: &HomeKey, info: TaskInfo) -> TaskRef {
    let header = || Header::of_resident(Lodging::of(key), info);
    allocate(std::future::pending::<()>(), Some(key.spare()), header).0
}

/// A task, and the output of its future.
struct Typed<T>(TaskRef, PhantomData<Mutex<T>>);

/// Two of the references that the header counts.
fn share<T>(typed: Typed<T>) -> (TaskRef, Joiner<T>) {
    let Typed(task, _output) = typed;
    let own = TaskRef(task.0);
    (task, Joiner { task: ManuallyDrop::new(own), _output })
}

/// A reference that the header counts already. That is made where it stays: it is large enough for
/// a copy to be felt.
#[inline(always)]
fn allocate<F: Future + 'static>(
    future: F,
    spare: Option<&Spare>,
    header: impl FnOnce() -> Header,
) -> Typed<F::Output> {
    let cell = take_memory(TaskCell::<F>::LAYOUT, spare).cast::<TaskCell<F>>();
    let (table, joiner) = (&TaskCell::<F>::TABLE, UnsafeCell::new(None));
    let front = Front { header: header(), table, joiner };
    let stage = UnsafeCell::new(ManuallyDrop::new(Stage::Future(future)));
    // SAFETY: the memory fits a cell, and is ours.
    unsafe { cell.write(TaskCell { front, stage }) };
    Typed(TaskRef(cell.cast()), PhantomData)
}

impl<F: Future> TaskCell<F> {
    /// Cells of about the same size take the memory of each other.
    const LAYOUT: Layout = rounded(Layout::new::<TaskCell<F>>());

    const TABLE: Table = Table {
        poll: Self::poll,
        end: Self::end,
        take: Self::take,
        discard: Self::discard,
        layout: Self::LAYOUT,
    };

    /// # Safety
    /// A cell of this type, by rule 6, to which the caller has a reference.
    unsafe fn of<'a>(cell: NonNull<Front>) -> &'a TaskCell<F> {
        // SAFETY: the caller's promise.
        unsafe { cell.cast().as_ref() }
    }

    /// # Safety
    /// As [`Table::poll`] says.
    unsafe fn poll(cell: NonNull<Front>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller's promise.
        let cell = unsafe { TaskCell::<F>::of(cell) };
        let polled = cell.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself.
            let Stage::Future(future) = (unsafe { &mut **stage }) else {
                unreachable!("a task that has not ended has its future")
            };
            // SAFETY: the cell stays where it was allocated, and no function of it moves a future.
            let future = unsafe { Pin::new_unchecked(future) };
            catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
        });
        let output = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(Cause::panicked(payload)),
        };
        // SAFETY: the caller's promise.
        unsafe { cell.replace(output) };
        true
    }

    /// # Safety
    /// As [`Table::end`] says.
    unsafe fn end(cell: NonNull<Front>, cause: Cause) {
        // SAFETY: the caller's promise.
        unsafe { TaskCell::<F>::of(cell).replace(Err(cause)) };
    }

    /// Drops what is in the stage and puts `output` there. A panic of the drop becomes the output
    /// instead.
    ///
    /// # Safety
    /// The caller has the stage to itself, and is on a thread where its contents may be dropped.
    #[inline(always)]
    unsafe fn replace(&self, output: Result<F::Output, Cause>) {
        // SAFETY: the caller's promise.
        match unsafe { self.clear() } {
            // SAFETY: the same; the stage is empty.
            None => unsafe { self.put(output) },
            Some(cause) => {
                // First: what is left of the future is never looked at, whatever comes next.
                // SAFETY: as above.
                unsafe { self.put(Err(cause)) };
                // A value whose place a panic takes may panic as well; once is enough.
                unheard(|| drop(output));
            }
        }
    }

    /// Drops what is in the stage; the panic that comes of it.
    ///
    /// # Safety
    /// As for [`replace`](TaskCell::replace), and before anybody looks at the stage again,
    /// something is put there.
    unsafe fn clear(&self) -> Option<Cause> {
        if !std::mem::needs_drop::<F>() {
            return None;
        }
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself; contents that panic while they are
            // dropped are not looked at again, because what is put there does not drop them.
            let dropped =
                catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut *stage) }));
            dropped.err().map(Cause::panicked)
        })
    }

    /// Puts `output` into an empty stage, part by part: a copy of what was just written is slow.
    ///
    /// # Safety
    /// The caller has the stage to itself.
    #[inline(always)]
    unsafe fn put(&self, output: Result<F::Output, Cause>) {
        let stage = match output {
            Ok(value) => Stage::Output(Ok(value)),
            Err(cause) => Stage::Output(Err(cause)),
        };
        // SAFETY: the caller's promise.
        self.stage.with_mut(|place| unsafe { ptr::write(place, ManuallyDrop::new(stage)) });
    }

    /// Moves the output out, if there is one.
    ///
    /// # Safety
    /// The caller has the stage to itself by rule 2, and nobody has done so before.
    #[inline(always)]
    unsafe fn take_output(&self) -> Option<Result<F::Output, Cause>> {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself. Only an output is moved out; a future
            // stays pinned.
            let Stage::Output(output) = (unsafe { &mut **stage }) else { return None };
            // SAFETY: the caller's promise. By rule 4 it is not dropped in its place.
            Some(unsafe { ptr::read(output) })
        })
    }

    /// # Safety
    /// As [`Table::take`] says.
    unsafe fn take(cell: NonNull<Front>, to: *mut ()) {
        // SAFETY: the caller's promise.
        let output = unsafe { TaskCell::<F>::of(cell).take_output() };
        let output = output.expect("a task that is done has an output until that is taken");
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Result<F::Output, Cause>>().write(output) };
    }

    /// # Safety
    /// As [`Table::discard`] says.
    unsafe fn discard(cell: NonNull<Front>) {
        // SAFETY: the caller's promise.
        let cell = unsafe { TaskCell::<F>::of(cell) };
        // SAFETY: the same.
        let cause = match unsafe { cell.take_output() } {
            Some(Err(cause)) => cause,
            output => match catch_unwind(AssertUnwindSafe(|| drop(output))) {
                Ok(()) => return,
                Err(payload) => Cause::panicked(payload),
            },
        };
        if cause.is_panic() {
            report(&cell.front.header, cause);
        }
    }
}

/// Tells of a panic that does not come out of a handle.
#[cold]
fn report(task: &Header, cause: Cause) {
    let error = JoinError::new(task.info.clone(), cause);
    task.home().report(&error);
    unheard(|| drop(error));
}

impl TaskRef {
    fn front(&self) -> &Front {
        // SAFETY: rule 5: this is a reference.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn header(&self) -> &Header {
        &self.front().header
    }

    /// Frees the cell.
    ///
    /// # Safety
    /// This was the last reference, by rule 5, and is not used again.
    #[inline(never)]
    unsafe fn free(&self) {
        let Front { header, table, .. } = self.front();
        let (layout, is_here) = (table.layout, home::is_here(header.home()));
        // SAFETY: nobody refers to it any more; the home is taken out once, here.
        let (home, is_lodger) = unsafe {
            let header = &mut (*self.0.as_ptr()).header;
            (ManuallyDrop::new(ManuallyDrop::take(&mut header.home)), header.state.is_lodger())
        };
        // SAFETY: the same. What is in the stage is not dropped, by rule 4.
        unsafe { ptr::drop_in_place(self.0.as_ptr()) };
        match is_lodger {
            // SAFETY: `Header` says so of what came from there, and of nothing else.
            true => drop(unsafe { Lodging::of_home(home) }),
            false => drop(ManuallyDrop::into_inner(home)),
        }
        // SAFETY: it was made with this layout, by rule 6, and there is nothing in it now.
        unsafe { give_memory(self.0.cast(), layout, is_here) };
    }

    pub(crate) fn is_same(&self, other: &TaskRef) -> bool {
        self.0 == other.0
    }

    /// Does what is next for a task that came out of the run queue: polls its future, or drops it
    /// if the task was cancelled.
    #[inline]
    pub(crate) fn advance(&self, key: &HomeKey, cx: &mut Context<'_>) -> Progress {
        let Front { header, table, .. } = self.front();
        let (_opened, begin) = Opened::new(key, header);
        match begin {
            // SAFETY: rules 1 and 6: the task is open, and not done.
            Begin::Poll => match unsafe { (table.poll)(self.0, cx) } {
                true => Progress::Ended,
                false => Progress::Pending,
            },
            Begin::DropFuture => {
                // SAFETY: as above.
                unsafe { (table.end)(self.0, Cause::Cancelled) };
                Progress::Ended
            }
            Begin::Drain => Progress::Ended,
            Begin::Nothing => Progress::Pending,
        }
    }

    /// Makes the stored output available to the handle, or gets rid of it if there is none. The
    /// task is over.
    pub(crate) fn complete(self, key: &HomeKey) {
        assert!(key.fits(self.header().home()), "a task is completed by its own runtime only");
        self.finish();
    }

    /// Drops the future of a parcel that was not delivered, here and now.
    pub(super) fn refuse(self) {
        if self.header().state.claim_parcel() {
            // SAFETY: rule 1, the exception: what is there is `Send`. Home, which did not get to
            // claim it, never has it in its queue. Rule 6.
            unsafe { (self.front().table.end)(self.0, Cause::RuntimeGone) };
            self.finish();
        }
    }

    /// The output is there, and the task over. Home, or the parcel that was not delivered.
    #[inline]
    fn finish(self) {
        let task = ManuallyDrop::new(self);
        let Header { state, references, .. } = task.header();
        let is_alone = references.leave_alone();
        let complete = state.complete(is_alone);
        if complete == Complete::GiveAway {
            // Cell and all are the handle's, which may have freed it by now.
            return;
        }
        if is_alone {
            references.stay();
        }
        task.finish_with_others(complete);
        if references.settle() {
            // SAFETY: ours was the last.
            unsafe { task.free() };
        }
    }

    #[inline(never)]
    fn finish_with_others(&self, complete: Complete) {
        let Front { header, table, joiner } = self.front();
        match complete {
            Complete::Leave | Complete::GiveAway => {}
            Complete::LeaveAndWake => {
                // SAFETY: rule 3: the task is done and its handle had left a waker, so that the
                // place is ours.
                let waker = joiner.with_mut(|place| unsafe { (*place).take() });
                // Foreign code, which must not keep the rest from being done.
                if let Some(waker) = waker
                    && let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake()))
                {
                    report(header, Cause::panicked(panic));
                }
            }
            // SAFETY: rules 2 and 6: there is no handle, and our caller is where the output was
            // made.
            Complete::Discard => unsafe { (table.discard)(self.0) },
        }
        header.call_back();
    }
}

impl Clone for TaskRef {
    #[inline]
    fn clone(&self) -> TaskRef {
        let header = self.header();
        match header.side() {
            Side::Here => header.references.add_here(),
            Side::Afar => header.references.add(),
        }
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        match self.header().side() {
            Side::Here => self.header().references.drop_here(),
            Side::Afar => self.drop_afar(),
        }
    }
}

impl TaskRef {
    /// Only once.
    #[inline(never)]
    fn drop_afar(&mut self) {
        if self.header().references.drop() {
            // SAFETY: this was the last.
            unsafe { self.free() };
        }
    }
}
