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
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use pin_project_lite::pin_project;

pub(crate) use lodging::Lodging;
pub(crate) use spare::Spare;
use spare::{give_memory, rounded, take_memory};

use super::current::TaskInfo;
use super::handle::{Cause, JoinError};
use super::header::{Header, Opened, Tie};
use super::references::References;
use super::state::{Begin, Cancel, Complete, Join, Side, State, Wake};
use crate::context::{self, Origin};
use crate::home::{self, Home, HomeKey};
use crate::primitive::UnsafeCell;
use crate::unheard::unheard;

/// Its home.
mod lodging;
/// Its memory.
mod spare;

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
    Output(Result<F::Output, Cause>),
    Empty,
}

/// What depends on the type of the future. All functions take the cell, by rule 6.
struct Table {
    /// Polls the future; whether that has ended, and its output or its panic is stored. For whoever
    /// has the stage by rule 1.
    poll: unsafe fn(NonNull<Front>, &mut Context<'_>) -> bool,
    /// Drops the future and stores why. For whoever has the stage by rule 1.
    end: unsafe fn(NonNull<Front>, Cause),
    /// Moves the output to an `Option<Result<F::Output, Cause>>`. For whoever has the stage by rule
    /// 2.
    take: unsafe fn(NonNull<Front>, *mut ()),
    /// Drops the output, and reports the panic that it is or that its drop causes. For whoever has
    /// the stage by rule 2.
    discard: unsafe fn(NonNull<Front>),
    /// Frees the cell. For its last owner.
    free: unsafe fn(NonNull<Front>),
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

/// Makes a task for a future of this thread, which is the home of `key`. To be queued.
#[inline(always)]
pub(crate) fn new<F>(
    key: &HomeKey,
    info: impl FnOnce() -> TaskInfo,
    future: F,
) -> (TaskRef, Joiner<F::Output>)
where
    F: Future + 'static,
{
    share(allocate(future, Some(key.spare()), || {
        let home = Tie::Lodging(Lodging::of(key));
        Header::new(home, info(), State::new(), References::own(2))
    }))
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
    let home = Tie::Own(home.clone());
    let header = || Header::new(home, info, State::parcel(), References::foreign(2));
    share(allocate(Made::Plan { make: Some(make) }, None, header))
}

pin_project! {
    /// The future of a parcel: before its first poll, what makes it and nothing else.
    #[project = MadeProjection]
    enum Made<M, F> {
        Plan { make: Option<M> },
        Future { #[pin] future: F },
    }
}

impl<M: FnOnce() -> F, F: Future> Future for Made<M, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let MadeProjection::Plan { make } = self.as_mut().project() {
            let make = make.take().expect("what has panicked is not polled again");
            let future = make();
            self.set(Made::Future { future });
        }
        match self.project() {
            MadeProjection::Future { future } => future.poll(cx),
            MadeProjection::Plan { .. } => unreachable!("it was made just now"),
        }
    }
}

/// Makes what is woken like a task, for a future that lives elsewhere.
pub(crate) fn new_resident(key: &HomeKey, info: TaskInfo) -> TaskRef {
    let home = Tie::Lodging(Lodging::of(key));
    let header = || Header::new(home, info, State::resident(), References::own(1));
    allocate(std::future::pending::<()>(), Some(key.spare()), header).0
}

/// A task, and the output of its future.
struct Typed<T>(TaskRef, PhantomData<Mutex<T>>);

/// Both of the references that the header counts.
fn share<T>(typed: Typed<T>) -> (TaskRef, Joiner<T>) {
    let Typed(task, _output) = typed;
    let own = TaskRef(task.0);
    (task, Joiner { task: own, _output })
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
        free: Self::free,
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

    /// Moves the output out.
    ///
    /// # Safety
    /// The caller has the stage to itself by rule 2.
    unsafe fn take_output(&self) -> Option<Result<F::Output, Cause>> {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself. Only an output is moved out; a future
            // stays pinned.
            let stage = unsafe { &mut **stage };
            match stage {
                Stage::Output(_) => match std::mem::replace(stage, Stage::Empty) {
                    Stage::Output(output) => Some(output),
                    _ => None,
                },
                _ => None,
            }
        })
    }

    /// # Safety
    /// As [`Table::take`] says.
    unsafe fn take(cell: NonNull<Front>, to: *mut ()) {
        // SAFETY: the caller's promise.
        unsafe { *to.cast() = TaskCell::<F>::of(cell).take_output() };
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

    /// # Safety
    /// As [`Table::free`] says.
    unsafe fn free(cell: NonNull<Front>) {
        let cell = cell.cast::<TaskCell<F>>();
        // SAFETY: nobody refers to it any more.
        let is_here = home::is_here(unsafe { cell.as_ref() }.front.header.home());
        // SAFETY: the same; the home is taken out once, here.
        let (home, is_lodger) = unsafe {
            let header = &mut (*cell.as_ptr()).front.header;
            (ManuallyDrop::new(ManuallyDrop::take(&mut header.home)), header.is_lodger)
        };
        // SAFETY: the same.
        unsafe { ptr::drop_in_place(cell.as_ptr()) };
        match is_lodger {
            // SAFETY: `Header::new` tells so of what came from there.
            true => drop(unsafe { Lodging::of_home(home) }),
            false => drop(ManuallyDrop::into_inner(home)),
        }
        // SAFETY: it was made with this layout, and there is nothing in it now.
        unsafe { give_memory(cell.cast(), TaskCell::<F>::LAYOUT, is_here) };
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

    pub(crate) fn is_same(&self, other: &TaskRef) -> bool {
        self.0 == other.0
    }

    /// A waker for as long as this reference is there.
    pub(crate) fn waker(&self) -> LentWaker<'_> {
        // SAFETY: what the functions of the table ask for is a cell, to which we have a reference.
        // That the waker is no reference of its own shows nowhere: it is not dropped.
        let waker = unsafe { Waker::new(self.0.as_ptr().cast_const().cast(), &WAKER) };
        LentWaker { waker: ManuallyDrop::new(waker), _task: PhantomData }
    }

    /// Does what is next for a task that came out of the run queue: polls its future, or drops it
    /// if the task was cancelled.
    pub(crate) fn advance(&self, key: &HomeKey, cx: &mut Context<'_>) -> Progress {
        let Front { header, table, .. } = self.front();
        let _opened = Opened::new(key, header);
        match header.begin() {
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
    fn finish(self) {
        let Front { header, table, joiner } = self.front();
        match header.state.complete() {
            Complete::Leave => {}
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
        let task = ManuallyDrop::new(self);
        if task.header().references.settle() {
            // SAFETY: rules 5 and 6: ours was the last reference.
            unsafe { (task.front().table.free)(task.0) };
        }
    }

    /// Puts the task into the run queue of its home, through the inbox if that is on another
    /// thread.
    fn wake(self) {
        if let Some(side) = self.is_to_be_pushed() {
            self.push(side);
        }
    }

    /// The same with a reference of its own, if one is needed.
    fn wake_by_ref(&self) {
        if let Some(side) = self.is_to_be_pushed() {
            self.clone().push(side);
        }
    }

    /// Where from, if so.
    fn is_to_be_pushed(&self) -> Option<Side> {
        let header = self.header();
        let side = header.side();
        let is_first = match side {
            Side::Here => header.wake() == Wake::Push,
            Side::Afar => header.state.call(),
        };
        is_first.then_some(side)
    }

    fn push(self, side: Side) {
        match side {
            Side::Here => context::queue(self, Origin::Here),
            Side::Afar => {
                let home = self.header().home().clone();
                home.call(self);
            }
        }
    }
}

impl Clone for TaskRef {
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
    fn drop(&mut self) {
        let header = self.header();
        if header.side() == Side::Here {
            header.references.drop_here();
        } else if header.references.drop() {
            // SAFETY: rules 5 and 6: ours was the last reference.
            unsafe { (self.front().table.free)(self.0) };
        }
    }
}

/// A waker that keeps nothing. Its clones do.
pub(crate) struct LentWaker<'task> {
    waker: ManuallyDrop<Waker>,
    _task: PhantomData<&'task TaskRef>,
}

impl Deref for LentWaker<'_> {
    type Target = Waker;

    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// The one table of all wakers of tasks, so that two of them can be told to be the same.
static WAKER: RawWakerVTable = RawWakerVTable::new(
    |task| {
        // SAFETY: the waker that is cloned is a reference, by rule 5, or lent by one.
        let task = unsafe { borrowed(task) };
        let clone = ManuallyDrop::new(TaskRef::clone(&task));
        RawWaker::new(clone.0.as_ptr().cast_const().cast(), &WAKER)
    },
    |task| {
        // SAFETY: as above, and the waker is consumed: its reference is ours now.
        ManuallyDrop::into_inner(unsafe { borrowed(task) }).wake();
    },
    |task| {
        // SAFETY: as above.
        unsafe { borrowed(task) }.wake_by_ref();
    },
    |task| {
        // SAFETY: as above, and the waker is dropped.
        drop(ManuallyDrop::into_inner(unsafe { borrowed(task) }));
    },
);

/// The task of a waker.
///
/// # Safety
/// The pointer is that of a waker that exists, and what is returned is dropped only in its stead.
unsafe fn borrowed(task: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: wakers are made with pointers that are not null.
    let cell = unsafe { NonNull::new_unchecked(task.cast_mut().cast()) };
    ManuallyDrop::new(TaskRef(cell))
}

/// The handle's right to the output of one task.
pub(crate) struct Joiner<T> {
    task: TaskRef,
    /// A mutex is `Send` and `Sync` if what is in it is `Send`, which is what holds for a handle
    /// too: it gives the output to whoever owns it, and never refers to it.
    _output: PhantomData<Mutex<T>>,
}

impl<T> Joiner<T> {
    /// The output, once.
    ///
    /// # Panics
    /// After it was given.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let Front { header, table, joiner } = self.task.front();
        let (state, side) = (&header.state, header.side());
        if state.take_back(side) == Join::Pending {
            joiner.with_mut(|place| {
                // SAFETY: rule 3: we have taken the place back before the task was done.
                match unsafe { &mut *place } {
                    Some(waker) => waker.clone_from(cx.waker()),
                    place => *place = Some(cx.waker().clone()),
                }
            });
            if state.leave_waker(side) == Join::Pending {
                return Poll::Pending;
            }
            // SAFETY: rule 3: the waker has come too late, so that the place stayed ours.
            drop(joiner.with_mut(|place| unsafe { (*place).take() }));
        }
        assert!(state.take(), "the handle of {} was polled after it had completed", header.info);
        let mut output: Option<Result<T, Cause>> = None;
        // SAFETY: rule 2: the task is done and we are its handle. Rule 6: this joiner was made for
        // the output of this very future.
        unsafe { (table.take)(self.task.0, (&raw mut output).cast()) };
        match output {
            Some(output) => {
                Poll::Ready(output.map_err(|cause| JoinError::new(header.info.clone(), cause)))
            }
            None => unreachable!("a task that is done has an output until that is taken"),
        }
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
    fn drop(&mut self) {
        let Front { header, table, joiner } = self.task.front();
        match header.state.drop_handle(header.side()) {
            Join::Done if header.state.take() => {
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
    }
}
