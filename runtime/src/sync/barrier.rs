//! Waiting for each other.

use std::error::Error;
use std::fmt;
use std::task::Poll;

use super::after::{After, update};
use super::flavor::{Flavor, Protect};
use super::wait::{Wait, Waits};
use super::wait_list::{Ticket, WaitList};

/// Lets a number of tasks wait until all of them are there, again and again.
///
/// ```
/// use std::rc::Rc;
/// use wakering_runtime::{run, spawn, sync::Barrier};
///
/// run(async {
///     let barrier = Rc::new(Barrier::new(2));
///     let other = barrier.clone();
///     let task = spawn(async move { other.wait().await });
///     let mut indices = [barrier.wait().await, task.await.unwrap()].map(Result::unwrap);
///     indices.sort();
///     assert_eq!(indices, [0, 1]);
/// });
/// ```
pub struct Barrier<F: Flavor> {
    parties: usize,
    cell: F::Cell<State>,
}

struct State {
    parties: usize,
    is_broken: bool,
    waiters: WaitList<Result<usize, Broken>>,
}

/// The barrier does not wait for all any more: it was aborted, or reset while this party waited.
///
/// ```
/// use wakering_runtime::{run, sync::{Barrier, Broken}};
///
/// let barrier = Barrier::new(2);
/// barrier.abort();
/// assert_eq!(run(barrier.wait()), Err(Broken));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl<F: Flavor> Barrier<F> {
    /// Makes a barrier for so many parties.
    ///
    /// ```
    /// use wakering_runtime::sync::Barrier;
    ///
    /// assert_eq!(Barrier::new(3).parties(), 3);
    /// ```
    ///
    /// # Panics
    /// With none.
    #[track_caller]
    pub fn new(parties: usize) -> Barrier<F> {
        assert!(parties > 0, "a barrier is for one party at least, not for 0");
        let state = State { parties, is_broken: false, waiters: WaitList::new() };
        Barrier { parties, cell: Protect::new(state) }
    }

    /// Waits until all parties wait, and tells each another index below their number, in the order
    /// in which they came.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Barrier};
    ///
    /// assert_eq!(run(Barrier::new(1).wait()), Ok(0));
    /// ```
    ///
    /// # Errors
    /// When the barrier is aborted, or reset before all are there.
    ///
    /// # Cancellation
    /// **Strict.** The barrier waits for somebody else then.
    pub async fn wait(&self) -> Result<usize, Broken> {
        Wait::<F, _, _>::new(&self.cell, Arrive).await
    }

    /// Breaks it: whoever waits or comes is told so, until it is [`reset`](Self::reset).
    ///
    /// ```
    /// use wakering_runtime::sync::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// barrier.abort();
    /// assert!(barrier.is_broken());
    /// barrier.reset();
    /// assert!(!barrier.is_broken());
    /// ```
    pub fn abort(&self) {
        self.let_down(true);
    }

    /// Begins anew: whoever waits is told that it is broken, whoever comes waits for all.
    ///
    /// ```
    /// use wakering_runtime::{run, sync::Barrier};
    ///
    /// let barrier = Barrier::new(1);
    /// barrier.abort();
    /// barrier.reset();
    /// assert_eq!(run(barrier.wait()), Ok(0));
    /// ```
    pub fn reset(&self) {
        self.let_down(false);
    }

    fn let_down(&self, is_broken: bool) {
        update(&self.cell, |state, after| {
            state.is_broken = is_broken;
            while let Some(outcome) = state.waiters.call(after) {
                *outcome = Err(Broken);
            }
        });
    }

    /// For how many it is.
    ///
    /// ```
    /// use wakering_runtime::sync::Barrier;
    ///
    /// assert_eq!(Barrier::new(2).parties(), 2);
    /// ```
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many wait.
    ///
    /// ```
    /// use wakering_runtime::sync::Barrier;
    ///
    /// assert_eq!(Barrier::new(2).waiting(), 0);
    /// ```
    pub fn waiting(&self) -> usize {
        self.cell.with(|state| state.waiters.len())
    }

    /// Whether it was aborted and not reset.
    ///
    /// ```
    /// use wakering_runtime::sync::Barrier;
    ///
    /// assert!(!Barrier::new(2).is_broken());
    /// ```
    pub fn is_broken(&self) -> bool {
        self.cell.with(|state| state.is_broken)
    }
}

struct Arrive;

impl Waits<State> for Arrive {
    type Output = Result<usize, Broken>;

    fn poll(
        &mut self,
        state: &mut State,
        ticket: &mut Option<Ticket>,
        after: &mut After<'_>,
    ) -> Poll<Result<usize, Broken>> {
        if let Some(outcome) = state.waiters.take_called(ticket, after) {
            return Poll::Ready(outcome);
        }
        if state.is_broken {
            return Poll::Ready(Err(Broken));
        }
        let last = state.parties - 1;
        if ticket.is_none() && state.waiters.len() == last {
            for index in 0..last {
                if let Some(outcome) = state.waiters.call(after) {
                    *outcome = Ok(index);
                }
            }
            return Poll::Ready(Ok(last));
        }
        state.waiters.park(ticket, Err(Broken), after);
        Poll::Pending
    }

    fn leave(&mut self, state: &mut State, ticket: Ticket, after: &mut After<'_>) {
        state.waiters.remove(ticket, after);
    }
}

impl<F: Flavor> fmt::Debug for Barrier<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("is_broken", &self.is_broken())
            .finish()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was aborted, or reset before all parties were there")
    }
}

impl Error for Broken {}
