//! How children get into a group: as tasks here, or on another core.

use std::future::{Future, pending, poll_fn};
use std::panic::{Location, resume_unwind};
use std::pin::Pin;

use super::child::{Admission, GroupChild};
use super::{Roll, Shared, TaskGroup, TaskHandle};
use crate::conduct::Conduct;
use crate::cores::{self, Errand};
use crate::task::{Bond, JoinError, TaskInfo};

impl<E: 'static> TaskGroup<E> {
    /// Makes `future` a child. Its error ends the group, unless that is a
    /// [supervisor](TaskGroup::supervisor).
    ///
    /// A child that is cancelled with its group before its first turn has that turn, and is then
    /// dropped.
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task};
    ///
    /// let output = run(task::group(async |group| {
    ///     let child = group.spawn(async { Ok::<_, io::Error>(42) });
    ///     Ok(child.await?)
    /// }));
    /// assert_eq!(output.unwrap(), 42);
    /// ```
    ///
    /// A group that has ended takes no children. `future` is dropped then, and the handle
    /// [says so](crate::task::ChildError::Refused).
    ///
    /// ```
    /// use std::io;
    /// use wakering_runtime::{run, task::{self, ChildError}};
    ///
    /// run(async {
    ///     let ended = task::group(async |group| Ok::<_, io::Error>(group.clone())).await.unwrap();
    ///     assert_eq!(ended.spawn(async { Ok(42) }).await, Err(ChildError::Refused));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> TaskHandle<T> {
        let info = TaskInfo::new(None, Location::caller());
        self.spawn_as(info, future, |group, error| group.failed(error), false)
    }

    /// Has core `core` of this runtime make a future and run it there, as a child of this group:
    /// its error or panic ends the group, and a group that is cancelled waits until it is over
    /// there, its operations drained.
    ///
    /// What `make` captures travels, and so does what the child returns. A child that ends because
    /// its core does counts as cancelled.
    ///
    /// ```
    /// use std::{future::pending, io};
    /// use wakering_runtime::{Handle, run, task};
    ///
    /// run(async {
    ///     let last = Handle::current().cores() - 1;
    ///     let error = task::group(async |group| {
    ///         group.spawn_on(last, || pending::<io::Result<()>>());
    ///         group.spawn_on(last, || async { Err::<(), _>(io::Error::other("no luck")) });
    ///         pending::<io::Result<()>>().await
    ///     })
    ///     .await
    ///     .unwrap_err();
    ///     assert_eq!(error.first.to_string(), "no luck");
    /// });
    /// ```
    ///
    /// # Panics
    /// If the runtime has no such core.
    #[track_caller]
    pub fn spawn_on<T, F>(
        &self,
        core: usize,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> TaskHandle<T>
    where
        T: Send + 'static,
        E: Send,
        F: Future<Output = Result<T, E>> + 'static,
    {
        let info = TaskInfo::new(None, Location::caller());
        let there = cores::expect(core);
        let (seen, child) = (self.0.clone(), info.clone());
        let future = async move {
            let mut errand = Errand::new(there.spawn_as(child, make));
            let outcome = poll_fn(|cx| {
                if seen.roll.is_cancelled.get() {
                    errand.cancel();
                }
                Pin::new(&mut errand).poll(cx)
            });
            match outcome.await.map_err(JoinError::into_panic) {
                Ok(outcome) => outcome,
                Err(Ok(panic)) => resume_unwind(panic),
                Err(Err(_)) => {
                    // It has no value and no error, and ends as a cancelled child does.
                    seen.roll.executor.cancel_running();
                    pending().await
                }
            }
        };
        self.spawn_as(info, future, |group, error| group.failed(error), true)
    }

    pub(super) fn spawn_as<T: 'static>(
        &self,
        info: TaskInfo,
        future: impl Future<Output = Result<T, E>> + 'static,
        on_error: impl FnOnce(&Shared<E>, E) + 'static,
        is_away: bool,
    ) -> TaskHandle<T> {
        let shared = self.0.clone();
        let roll = &self.0.roll;
        if roll.is_over.get() || roll.executor.has_given_up() {
            return TaskHandle { child: Err(info) };
        }
        let debt = roll.executor.driver().owe(self.0.account);
        let seat = Roll::seat(roll);
        let key = seat.key;
        let bond = Bond { debt, seat: Some(seat), is_shielded: false };
        let admission = self.0.limit.borrow().clone().map(Admission::ask);
        let body = Conduct::new(future);
        let on_error = Some(on_error);
        let child = GroupChild { body, on_error, admission, shared, is_away };
        let (handle, account) = roll.executor.spawn_bound(info, bond, child);
        roll.accounts.borrow_mut()[key] = account;
        TaskHandle { child: Ok(handle) }
    }
}
