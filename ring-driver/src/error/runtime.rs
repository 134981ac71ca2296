//! Objects belong to their driver, drivers to their thread and process: the errors of those who
//! forget it.

use std::error::Error;
use std::fmt;
use std::io;

use super::Failure;

/// Why an operation was refused before it reached the kernel.
///
/// It comes as the payload of an [`io::Error`]; [`RuntimeError::of`] gets it out again.
///
/// ```
/// use std::io;
/// use wakering_ring_driver::RuntimeError;
///
/// let error = io::Error::from(RuntimeError::WrongRuntime);
/// assert_eq!(RuntimeError::of(&error), Some(RuntimeError::WrongRuntime));
/// assert_eq!(RuntimeError::of(&io::Error::other("else")), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The object belongs to another runtime than the one that polls it.
    WrongRuntime,
    /// The object's runtime has ended.
    RuntimeGone,
    /// No runtime runs on this thread.
    NoRuntime,
    /// This process is a fork of the one that the runtime belongs to.
    ForkedChild,
    /// The descriptor has been closed.
    Closed,
}

impl RuntimeError {
    /// The one that `error` carries, if it carries one.
    pub fn of(error: &io::Error) -> Option<RuntimeError> {
        let payload = error.get_ref()?;
        match payload.downcast_ref::<Failure>() {
            Some(failure) => RuntimeError::of(failure.cause()),
            None => payload.downcast_ref().copied(),
        }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RuntimeError::WrongRuntime => {
                "this object belongs to another runtime; use it where it was made, or hand its \
                 descriptor over"
            }
            RuntimeError::RuntimeGone => {
                "the runtime of this object has ended; keep it alive as long as the object"
            }
            RuntimeError::NoRuntime => {
                "no runtime runs on this thread; call this inside of `wakering::run`"
            }
            RuntimeError::ForkedChild => {
                "this process was forked from the one that the runtime belongs to; start a new \
                 runtime after the fork, or call exec"
            }
            RuntimeError::Closed => "the descriptor has been closed",
        })
    }
}

impl Error for RuntimeError {}

impl From<RuntimeError> for io::Error {
    fn from(error: RuntimeError) -> io::Error {
        let kind = match error {
            RuntimeError::WrongRuntime => io::ErrorKind::InvalidInput,
            RuntimeError::RuntimeGone | RuntimeError::Closed => io::ErrorKind::NotConnected,
            RuntimeError::NoRuntime | RuntimeError::ForkedChild => io::ErrorKind::Unsupported,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_error_is_found_behind_the_operation_that_met_it() {
        for error in [
            RuntimeError::WrongRuntime,
            RuntimeError::RuntimeGone,
            RuntimeError::NoRuntime,
            RuntimeError::ForkedChild,
            RuntimeError::Closed,
        ] {
            let plain = io::Error::from(error);
            let kind = plain.kind();
            let wrapped = Failure::wrap("recv", "127.0.0.1:80", plain);
            assert_eq!(RuntimeError::of(&wrapped), Some(error));
            assert_eq!(wrapped.kind(), kind);
            assert!(wrapped.to_string().ends_with(&error.to_string()), "{wrapped}");
        }
    }
}
