//! What a task can learn about itself, and others about it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::Id;
use crate::context;

/// Which task this is: its number, its name if it was given one, and where and by whom it was
/// spawned.
///
/// ```
/// use wakering_runtime::{run, task};
///
/// let info = run(async {
///     let handle = task::Builder::new().name("resolver").spawn(async { task::current() });
///     handle.await
/// });
/// let info = info?.expect("a task knows itself");
/// assert_eq!(info.name(), Some("resolver"));
/// assert!(info.location().file().ends_with(".rs"));
/// # Ok::<(), task::JoinError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TaskInfo {
    id: Id,
    /// One pointer: most tasks have no name.
    name: Option<Arc<String>>,
    location: &'static Location<'static>,
    spawner: Option<Id>,
}

/// What a task carries for those who want to know more than that it is one.
const _: () = assert!(size_of::<TaskInfo>() - size_of::<Id>() <= 24);

impl TaskInfo {
    /// A task that whoever is polled on this thread spawns.
    #[inline]
    pub(crate) fn new(name: Option<Arc<String>>, location: &'static Location<'static>) -> TaskInfo {
        TaskInfo { id: Id::next(), name, location, spawner: context::running() }
    }

    /// What stands for a future that is no task.
    pub(crate) fn resident() -> TaskInfo {
        let (name, spawner) = (None, None);
        TaskInfo { id: Id::RESIDENT, name, location: Location::caller(), spawner }
    }

    /// The number of the task, unique in this process.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn, task};
    ///
    /// run(async {
    ///     let task = spawn(async { task::current().map(|task| task.id()) });
    ///     let id = task.id();
    ///     assert_eq!(task.await.unwrap(), Some(id));
    /// });
    /// ```
    pub fn id(&self) -> Id {
        self.id
    }

    /// The name that [`Builder::name`](super::Builder::name) gave it.
    ///
    /// ```
    /// use wakering_runtime::{run, task::Builder};
    ///
    /// run(async {
    ///     let task = Builder::new().name("accept").spawn(async {});
    ///     assert_eq!(task.task().name(), Some("accept"));
    /// });
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().map(String::as_str)
    }

    /// Where it was spawned.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let line = line!() + 1;
    ///     let task = spawn(async {});
    ///     assert_eq!(task.task().location().line(), line);
    /// });
    /// ```
    pub fn location(&self) -> &'static Location<'static> {
        self.location
    }

    /// The task that spawned it; `None` if that was no task, but the future given to `run` or
    /// `block_on`, or a thread without a runtime.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let outer = spawn(async { spawn(async {}).task().spawner() });
    ///     assert_eq!(outer.task().spawner(), None);
    ///     let id = outer.id();
    ///     assert_eq!(outer.await.unwrap(), Some(id));
    /// });
    /// ```
    pub fn spawner(&self) -> Option<Id> {
        self.spawner
    }
}

/// ``task 7 `resolver` (spawned at src/main.rs:12:5 by task 3)``
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = self.name() {
            write!(f, " `{name}`")?;
        }
        write!(f, " (spawned at {}", self.location)?;
        if let Some(spawner) = self.spawner {
            write!(f, " by task {spawner}")?;
        }
        f.write_str(")")
    }
}

/// The task that is being polled on this thread.
///
/// `None` outside of every task; the future given to `run` or `block_on` is not a task.
///
/// ```
/// use wakering_runtime::{run, spawn, task};
///
/// run(async {
///     assert!(task::current().is_none());
///     let handle = spawn(async { task::current().map(|task| task.id()) });
///     let id = handle.id();
///     assert_eq!(handle.await?, Some(id));
///     Ok::<(), task::JoinError>(())
/// })?;
/// # Ok::<(), task::JoinError>(())
/// ```
pub fn current() -> Option<TaskInfo> {
    context::current()?.running()
}
