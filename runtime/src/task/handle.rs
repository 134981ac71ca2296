//! The two things that come back from a spawned task: its [`JoinHandle`] at once, and a
//! [`JoinError`] if it never returned.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use super::cell::Joiner;
use super::{AbortOnDrop, Id, TaskInfo};

/// Awaits the output of a task, or ends it.
///
/// It resolves once the task is *over*: its future has returned, panicked or been dropped, and no
/// kernel operation that the future left behind is in flight. Dropping the handle detaches the
/// task, which goes on. The handle may be sent to another thread if the output may.
///
/// ```
/// use wakering_runtime::{run, spawn};
///
/// let answer = run(async {
///     let handle = spawn(async { 6 * 7 });
///     handle.await
/// });
/// assert_eq!(answer?, 42);
/// # Ok::<(), wakering_runtime::task::JoinError>(())
/// ```
///
/// # Errors
/// [`JoinError`] if the task was cancelled or has panicked, or if its runtime ended before it
/// began.
///
/// # Panics
/// If it is polled again after it has given its output.
///
/// # Cancellation
/// **Strict.** `&mut handle` may be awaited, dropped and awaited again; the output stays until it
/// is taken.
pub struct JoinHandle<T> {
    joiner: Joiner<T>,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(joiner: Joiner<T>) -> JoinHandle<T> {
        JoinHandle { joiner }
    }

    /// Asks for the end of the task, and tells whether this was the first request and in time.
    ///
    /// The future is dropped when the task's turn comes, never inside its own poll; then the
    /// operations that it left behind are waited for; then the handle resolves to an error that [is
    /// cancelled](JoinError::is_cancelled). A value that the task returns before it is dropped
    /// wins.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let handle = spawn(pending::<()>());
    ///     assert!(handle.cancel());
    ///     assert!(!handle.cancel(), "once is enough");
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn cancel(&self) -> bool {
        self.joiner.cancel()
    }

    /// Cancels the task when this handle is dropped, instead of detaching it.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let handle = spawn(pending::<()>()).abort_on_drop();
    ///     assert!(handle.cancel(), "it is a handle");
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop::new(self)
    }

    /// Has `callback` called when the task is over: by the loop of its runtime, between the turns
    /// of tasks, and never before this returns, also if the task is over by now.
    ///
    /// Callbacks are called in the order in which they came. They are told which task it was; what
    /// the task gave is the handle's. One that panics ends alone, reported as
    /// [`Builder::on_unhandled`](crate::Builder::on_unhandled) says. Those that come after the end
    /// of the runtime are dropped.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use wakering_runtime::{run, task::Builder, time::sleep};
    ///
    /// let (tell, told) = mpsc::channel();
    /// run(async {
    ///     let handle = Builder::new().name("short").spawn(async {});
    ///     handle.on_done(move |task| tell.send(task.name() == Some("short")).unwrap());
    ///     handle.await.unwrap();
    ///     sleep(std::time::Duration::from_millis(1)).await;
    /// });
    /// assert_eq!(told.recv(), Ok(true));
    /// ```
    pub fn on_done(&self, callback: impl FnOnce(&TaskInfo) + Send + 'static) {
        self.joiner.on_done(callback);
    }

    /// Whether awaiting the handle would give the output at once.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn, task::yield_now};
    ///
    /// run(async {
    ///     let handle = spawn(async {});
    ///     assert!(!handle.is_finished());
    ///     yield_now().await;
    ///     assert!(handle.is_finished());
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.joiner.is_done()
    }

    /// The number of the task, unique in this process.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn, task};
    ///
    /// run(async {
    ///     let handle = spawn(async { task::current().map(|task| task.id()) });
    ///     let id = handle.id();
    ///     assert_eq!(handle.await.unwrap(), Some(id));
    /// });
    /// ```
    pub fn id(&self) -> Id {
        self.task().id()
    }

    /// The name that the task was given.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn, task::Builder};
    ///
    /// run(async {
    ///     assert_eq!(spawn(async {}).name(), None);
    ///     assert_eq!(Builder::new().name("accept").spawn(async {}).name(), Some("accept"));
    /// });
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.task().name()
    }

    /// Which task it is.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let handle = spawn(async {});
    ///     assert_eq!(handle.task().id(), handle.id());
    /// });
    /// ```
    pub fn task(&self) -> &TaskInfo {
        self.joiner.info()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.joiner.poll(cx)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", self.task())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Why a task gave no value. Names the task.
///
/// ```
/// use wakering_runtime::{run, task::Builder};
///
/// run(async {
///     let handle = Builder::new().name("careless").spawn(async { panic!("no luck") });
///     let error = handle.await.unwrap_err();
///     assert!(error.is_panic());
///     assert_eq!(error.task().name(), Some("careless"));
///     assert!(error.to_string().contains("`careless`"));
///     assert!(error.to_string().ends_with("panicked: no luck"));
/// });
/// ```
pub struct JoinError {
    /// Boxed, so that outcomes are as small as what tasks return: they are moved about, and errors
    /// are few.
    about: Box<(TaskInfo, Cause)>,
}

/// What kept a task from returning.
pub(crate) enum Cause {
    Cancelled,
    Panicked(Payload),
    RuntimeGone,
}

/// Behind a mutex because it need not be `Sync`, which errors have to be; boxed to be small.
type Payload = Box<Mutex<Box<dyn Any + Send>>>;

impl Cause {
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Cause {
        Cause::Panicked(Box::new(Mutex::new(payload)))
    }

    pub(crate) fn is_panic(&self) -> bool {
        matches!(self, Cause::Panicked(_))
    }
}

impl JoinError {
    pub(crate) fn new(task: TaskInfo, cause: Cause) -> JoinError {
        JoinError { about: Box::new((task, cause)) }
    }

    /// Whether the task was cancelled.
    ///
    /// ```
    /// use std::future::pending;
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let handle = spawn(pending::<()>());
    ///     handle.cancel();
    ///     assert!(handle.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.cause(), Cause::Cancelled)
    }

    /// Whether the task has panicked, in its body or while its future was being dropped.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     assert!(spawn(async { panic!("oh") }).await.unwrap_err().is_panic());
    /// });
    /// ```
    pub fn is_panic(&self) -> bool {
        self.cause().is_panic()
    }

    /// Whether the task never began because its runtime had ended. Only for tasks spawned from
    /// other threads.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run};
    ///
    /// let handle = run(async { Handle::current() });
    /// let error = handle.block_on(async {}).unwrap_err();
    /// assert!(error.is_runtime_gone());
    /// ```
    pub fn is_runtime_gone(&self) -> bool {
        matches!(self.cause(), Cause::RuntimeGone)
    }

    /// The payload of the panic, for [`std::panic::resume_unwind`].
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let error = spawn(async { panic!("oh") }).await.unwrap_err();
    ///     let payload = error.into_panic().unwrap();
    ///     assert_eq!(*payload.downcast::<&str>().unwrap(), "oh");
    /// });
    /// ```
    ///
    /// # Errors
    /// The error itself, if the task did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match *self.about {
            (_, Cause::Panicked(payload)) => {
                Ok(payload.into_inner().unwrap_or_else(|e| e.into_inner()))
            }
            about => Err(JoinError { about: Box::new(about) }),
        }
    }

    /// Which task it was.
    ///
    /// ```
    /// use wakering_runtime::{run, spawn};
    ///
    /// run(async {
    ///     let handle = spawn(async { panic!("oh") });
    ///     let id = handle.id();
    ///     assert_eq!(handle.await.unwrap_err().task().id(), id);
    /// });
    /// ```
    pub fn task(&self) -> &TaskInfo {
        &self.about.0
    }

    fn cause(&self) -> &Cause {
        &self.about.1
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause() {
            Cause::Cancelled => write!(f, "{} was cancelled", self.task()),
            Cause::RuntimeGone => {
                write!(f, "{} never began: its runtime has ended; spawn before that", self.task())
            }
            Cause::Panicked(payload) => {
                let payload = payload.lock().unwrap_or_else(|e| e.into_inner());
                write!(f, "{} panicked: {}", self.task(), panic_message(&**payload))
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(error)
    }
}

/// The message of a panic, as far as it has one.
fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "its payload is not a message"
    }
}
