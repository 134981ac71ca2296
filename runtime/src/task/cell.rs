//! The one allocation of a task: its header, its future and later its output, and the waker of
//! whoever awaits it.
//!
//! The cell is shared by the executor, by wakers and by the handle, on any thread, while the future
//! in it need not be `Send`. The rules that make this sound, and that everything below refers to by
//! number:
//!
//! 1. *The future is touched at home only.* Each function that does so takes a [`HomeKey`], which
//!    exists on one thread only, and opens it for this task, whose home it checks. It opens no task
//!    a second time while that is open. The exception is a parcel: what makes its future is `Send`,
//!    and until home takes it in there is nothing else in the stage.
//! 2. *The output is touched by one party at a time.* Until [`State::complete`] that is home; from
//!    then on it is the handle, or home if it found no handle. The handle is one value, so that
//!    there is one [`Joiner`], and that is `Send` only if the output is.
//! 3. *The waker's place has one owner at a time*, as told by the transitions of [`State`].
//! 4. *The cell never drops what is inside.* Future and output are dropped in their own time by
//!    those who may; the last owner of the cell, on whatever thread, only frees memory.

#![allow(unsafe_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;
use wakering_ring_driver::Deliver;

use super::current::TaskInfo;
use super::handle::{Cause, JoinError};
use super::header::Header;
use super::state::{Begin, Cancel, Complete, Join, State, Wake};
use crate::context::{self, Origin};
use crate::home::{Home, HomeKey};
use crate::primitive::UnsafeCell;

/// How far a task has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It waits for a wake, or it was over already.
    Pending,
    /// Its future is gone and its output is stored.
    Ended,
}

/// A task as its executor and its wakers see it.
pub(crate) trait Task: Deliver {
    fn header(&self) -> &Header;

    /// A waker that keeps the cell.
    fn into_waker(self: Arc<Self>) -> Waker;

    /// Does what is next for a task that came out of the run queue: polls its future, or drops it
    /// if the task was cancelled.
    fn advance(&self, key: &HomeKey, cx: &mut Context<'_>) -> Progress;

    /// Makes the stored output available to the handle, or gets rid of it if there is none.
    fn complete(&self, key: &HomeKey);

    /// Drops the future of a parcel that was not delivered, here and now.
    fn refuse(&self);
}

/// A task as its handle sees it: both functions are for its one [`Joiner`].
trait Joinable<T>: Task {
    /// Takes the output if it is there, else leaves the waker.
    ///
    /// # Safety
    /// The caller is the joiner.
    ///
    /// # Panics
    /// If the output was taken before.
    unsafe fn poll_output(&self, cx: &mut Context<'_>) -> Poll<Result<T, Cause>>;

    /// The joiner goes away. Gives the output if that is there and was not `taken` before.
    ///
    /// # Safety
    /// The caller is the joiner, never to call anything again; `taken` tells whether it was given
    /// the output.
    unsafe fn detach(&self, taken: bool) -> Option<Result<T, Cause>>;
}

struct TaskCell<F: Future> {
    header: Header,
    /// Rules 1, 2 and 4.
    stage: UnsafeCell<ManuallyDrop<Stage<F>>>,
    /// Rule 3.
    joiner: UnsafeCell<Option<Waker>>,
}

enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, Cause>),
    Empty,
}

// SAFETY: rules 1 and 2 say on which thread the stage is touched and by whom: a future that is not
// `Send` only on the one where it was made, an output that is not `Send` only there too. By rule 4
// dropping the cell touches neither. All else in the cell is `Send`.
unsafe impl<F: Future> Send for TaskCell<F> {}
// SAFETY: the same rules say that no two threads touch stage or waker's place at a time. All else
// is `Sync`.
unsafe impl<F: Future> Sync for TaskCell<F> {}

/// Makes a task for a future of this thread, which is the home of `key`.
pub(crate) fn new<F>(key: &HomeKey, info: TaskInfo, future: F) -> (Arc<dyn Task>, Joiner<F::Output>)
where
    F: Future + 'static,
{
    build(Header::new(key.home(), info, State::new()), future)
}

/// Makes a task to be sent to its home, where `make` makes the future in the first poll.
pub(crate) fn new_parcel<F>(
    home: &Arc<Home>,
    info: TaskInfo,
    make: impl FnOnce() -> F + Send + 'static,
) -> (Arc<dyn Task>, Joiner<F::Output>)
where
    F: Future<Output: Send> + 'static,
{
    build(Header::new(home, info, State::parcel()), Made::Plan { make: Some(make) })
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

fn build<F: Future + 'static>(header: Header, future: F) -> (Arc<dyn Task>, Joiner<F::Output>) {
    let cell = Arc::new(TaskCell {
        header,
        stage: UnsafeCell::new(ManuallyDrop::new(Stage::Future(future))),
        joiner: UnsafeCell::new(None),
    });
    (cell.clone(), Joiner { task: cell, taken: false, _output: PhantomData })
}

impl<F: Future> TaskCell<F> {
    /// Polls the future and catches its panic.
    ///
    /// # Safety
    /// The caller has the stage to itself by rule 1.
    unsafe fn poll_future(&self, cx: &mut Context<'_>) -> Result<Poll<F::Output>, Cause> {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself.
            let Stage::Future(future) = (unsafe { &mut **stage }) else {
                unreachable!("a task that has not ended has its future")
            };
            // SAFETY: the cell is behind an `Arc` that is never unwrapped, and no function of it
            // moves a future.
            let future = unsafe { Pin::new_unchecked(future) };
            catch_unwind(AssertUnwindSafe(|| future.poll(cx))).map_err(Cause::panicked)
        })
    }

    /// Drops what is in the stage and puts `next` there. A panic of the drop becomes the output
    /// instead.
    ///
    /// # Safety
    /// The caller has the stage to itself, and is on a thread where its contents may be dropped.
    unsafe fn replace(&self, next: Stage<F>) {
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the stage to itself; contents that panic while they are
            // dropped are not looked at again, because the write below does not drop them.
            let dropped =
                catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut *stage) }));
            let next = match dropped {
                Ok(()) => next,
                Err(payload) => {
                    // A value whose place a panic takes may panic as well; once is enough.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(next)));
                    Stage::Output(Err(Cause::panicked(payload)))
                }
            };
            // SAFETY: as above.
            unsafe { ptr::write(stage, ManuallyDrop::new(next)) };
        });
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

    /// Makes the output available. Home, or the parcel that was not delivered.
    fn finish(&self) {
        match self.header.state.complete() {
            Complete::Leave => {}
            Complete::LeaveAndWake => {
                // SAFETY: rule 3: the task is done and its handle had left a waker, so that the
                // place is ours.
                let waker = self.joiner.with_mut(|place| unsafe { (*place).take() });
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            Complete::Discard => {
                // SAFETY: rule 2: there is no handle, and our caller is where the output was made.
                let output = unsafe { self.take_output() };
                discard(&self.header, output);
            }
        }
        self.header.call_back();
    }
}

/// Drops an output that nobody wants, and reports the panic that it is or that its drop causes.
fn discard<T>(header: &Header, output: Option<Result<T, Cause>>) {
    let cause = match output {
        Some(Err(cause)) => cause,
        output => match catch_unwind(AssertUnwindSafe(|| drop(output))) {
            Ok(()) => return,
            Err(payload) => Cause::panicked(payload),
        },
    };
    if cause.is_panic() {
        header.home().report(&JoinError::new(header.info.clone(), cause));
    }
}

impl<F: Future + 'static> Task for TaskCell<F> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn into_waker(self: Arc<Self>) -> Waker {
        Waker::from(self)
    }

    fn advance(&self, key: &HomeKey, cx: &mut Context<'_>) -> Progress {
        let _opened = key.open(&self.header);
        let output = match self.header.state.begin() {
            Begin::Poll => {
                // SAFETY: rule 1: the key is open, and the task not done.
                match unsafe { self.poll_future(cx) } {
                    Ok(Poll::Pending) => return Progress::Pending,
                    Ok(Poll::Ready(value)) => Ok(value),
                    Err(cause) => Err(cause),
                }
            }
            Begin::DropFuture => Err(Cause::Cancelled),
            Begin::Drain => return Progress::Ended,
            Begin::Nothing => return Progress::Pending,
        };
        // SAFETY: rule 1: as above.
        unsafe { self.replace(Stage::Output(output)) };
        Progress::Ended
    }

    fn complete(&self, key: &HomeKey) {
        assert!(key.fits(self.header.home()), "a task is completed by its own runtime only");
        self.finish();
    }

    fn refuse(&self) {
        if self.header.claim_parcel() {
            // SAFETY: rule 1, the exception: what is there is `Send`. Home, which did not get to
            // claim it, never has it in its queue: a parcel is born queued, so that no wake pushes
            // it.
            unsafe { self.replace(Stage::Output(Err(Cause::RuntimeGone))) };
            self.finish();
        }
    }
}

impl<F: Future + 'static> Joinable<F::Output> for TaskCell<F> {
    unsafe fn poll_output(&self, cx: &mut Context<'_>) -> Poll<Result<F::Output, Cause>> {
        let state = &self.header.state;
        if state.take_back() == Join::Pending {
            self.joiner.with_mut(|place| {
                // SAFETY: rule 3: we have taken the place back before the task was done.
                match unsafe { &mut *place } {
                    Some(waker) => waker.clone_from(cx.waker()),
                    place => *place = Some(cx.waker().clone()),
                }
            });
            if state.leave_waker() == Join::Pending {
                return Poll::Pending;
            }
            // SAFETY: rule 3: the waker has come too late, so that the place stayed ours.
            drop(self.joiner.with_mut(|place| unsafe { (*place).take() }));
        }
        // SAFETY: rule 2: the task is done and we are its handle, as the caller promises.
        match unsafe { self.take_output() } {
            Some(output) => Poll::Ready(output),
            None => panic!("the handle of {} was polled after it had completed", self.header.info),
        }
    }

    unsafe fn detach(&self, taken: bool) -> Option<Result<F::Output, Cause>> {
        match self.header.state.drop_handle() {
            // SAFETY: rule 2: the task is done and we are its handle, as the caller promises.
            Join::Done if !taken => unsafe { self.take_output() },
            Join::Done => None,
            Join::Pending => {
                // SAFETY: rule 3: the place was ours, and no other handle will come.
                let waker = self.joiner.with_mut(|place| unsafe { (*place).take() });
                drop(waker);
                None
            }
        }
    }
}

impl<F: Future + 'static> std::task::Wake for TaskCell<F> {
    fn wake(self: Arc<Self>) {
        if self.header.state.wake() == Wake::Push {
            schedule(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.header.state.wake() == Wake::Push {
            schedule(self.clone());
        }
    }
}

impl<F: Future + 'static> Deliver for TaskCell<F> {
    /// A wake from afar has arrived.
    fn deliver(self: Arc<Self>) {
        // Without the executor there is nothing left to do for a wake.
        let _ = context::queue(self, Origin::Afar);
    }
}

/// Puts a task into the run queue of its home, through the inbox if that is on another thread.
fn schedule(task: Arc<dyn Task>) {
    if let Err(task) = context::queue(task, Origin::Here) {
        let home = task.header().home().clone();
        // Refused means that the runtime has ended, and with it the task.
        let _ = home.send(task);
    }
}

/// A task on its way home. If it is dropped instead of delivered, its handle learns that the
/// runtime is gone.
pub(crate) struct Parcel(pub(crate) Arc<dyn Task>);

impl Deliver for Parcel {
    fn deliver(self: Arc<Self>) {
        context::adopt(&self.0);
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.0.refuse();
    }
}

/// The handle's right to the output of one task.
pub(crate) struct Joiner<T> {
    task: Arc<dyn Joinable<T>>,
    taken: bool,
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
        // SAFETY: we are the joiner. Where the output was taken before, the stage is empty, and
        // says so.
        let polled = unsafe { self.task.poll_output(cx) };
        polled.map(|output| {
            self.taken = true;
            output.map_err(|cause| JoinError::new(self.info().clone(), cause))
        })
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
        match self.task.header().state.cancel() {
            Cancel::Push => {
                schedule(self.task.clone());
                true
            }
            Cancel::AlreadyQueued => true,
            Cancel::TooLate => false,
        }
    }
}

// No output is ever pinned in here.
impl<T> Unpin for Joiner<T> {}

impl<T> Drop for Joiner<T> {
    fn drop(&mut self) {
        // SAFETY: we are the joiner and will call nothing again.
        let output = unsafe { self.task.detach(self.taken) };
        discard(self.task.header(), output);
    }
}
