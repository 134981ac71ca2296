//! Who carries requests out.
//!
//! A backend takes `(Request, UserData)` and later yields completions with the kernel's meaning. It
//! is chosen at run time and knows nothing of operations, slots or wakers; the driver knows nothing
//! of rings. The match below is the only price of having more than one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::buffer::BufPool;
use crate::call;
use crate::capabilities::Capabilities;
use crate::completion::{Completion, Outcome};
use crate::config::{self, Config};
use crate::counters::Counters;

use crate::error::SetupError;
use crate::pool::Pool;
use crate::remote::Remote;
use crate::request::{Request, UserData};

/// A backend whose other end a test holds. Always built, so that the matches below are the same
/// everywhere; only the feature `testing` leads to it.
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub))]
pub(crate) mod memory;
/// The kernel's ring.
pub(crate) mod uring;

/// By which a backend is asked for from outside of the program.
const VARIABLE: &str = "WAKERING_BACKEND";

/// What `value` of [`VARIABLE`] asks for.
fn from_env(value: Option<&str>) -> Result<config::Backend, SetupError> {
    match value {
        None | Some("" | "auto") => Ok(config::Backend::Auto),
        Some("uring") => Ok(config::Backend::Uring),
        Some(other) => Err(SetupError::setting(VARIABLE, other, "it is `uring` or `auto`")),
    }
}

/// One of the backends, or none any more.
pub(crate) enum Backend {
    Uring(Box<uring::Uring>),
    #[cfg_attr(not(feature = "testing"), allow(dead_code))]
    Memory(memory::Backend),
    /// After the end: nothing is submitted, plain calls still work so that descriptors can be
    /// closed.
    Gone,
}

impl Backend {
    pub(crate) fn new(
        config: &Config,
        remote: &Arc<Remote>,
        pool: &Arc<Pool>,
    ) -> Result<Backend, SetupError> {
        let asked = match config.backend {
            config::Backend::Auto => from_env(std::env::var(VARIABLE).ok().as_deref())?,
            choice => choice,
        };
        match asked {
            config::Backend::Auto | config::Backend::Uring => {
                Ok(Backend::Uring(Box::new(uring::Uring::new(config, remote, pool)?)))
            }
        }
    }

    /// Takes a request. Never refuses: what cannot go out now waits.
    pub(crate) fn push(&mut self, request: &Request, user_data: UserData) {
        match self {
            Backend::Uring(uring) => uring.push(request, user_data),
            Backend::Memory(memory) => memory.push(request, user_data),
            Backend::Gone => unreachable!("nothing starts once the driver has been shut down"),
        }
    }

    /// Asks for the end of `target`. The answer shows in the target's own completion.
    pub(crate) fn cancel(&mut self, target: UserData) {
        match self {
            Backend::Uring(uring) => uring.cancel(target),
            Backend::Memory(memory) => memory.cancel(target),
            Backend::Gone => {}
        }
    }

    /// Hands over what was pushed. `Some` allows to sleep until a completion comes or the time (if
    /// any) is over.
    pub(crate) fn enter(&mut self, sleep: Option<Option<Duration>>) {
        match self {
            Backend::Uring(uring) => uring.enter(sleep),
            Backend::Memory(memory) => memory.enter(sleep),
            Backend::Gone => {}
        }
    }

    /// Appends all completions that are there.
    pub(crate) fn reap(&mut self, batch: &mut Vec<Completion>) {
        match self {
            Backend::Uring(uring) => uring.reap(batch),
            Backend::Memory(memory) => memory.reap(batch),
            Backend::Gone => {}
        }
    }

    /// Goes for more if the backend holds more back. Whether it did.
    pub(crate) fn enter_again(&mut self) -> bool {
        match self {
            Backend::Uring(uring) => uring.enter_again(),
            Backend::Memory(_) | Backend::Gone => false,
        }
    }

    /// Whether completions wait, as far as can be told without a system call.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Backend::Uring(uring) => uring.has_news(),
            Backend::Memory(memory) => memory.has_news(),
            Backend::Gone => false,
        }
    }

    /// Whether pushed requests wait for the next enter.
    pub(crate) fn has_output(&self) -> bool {
        match self {
            Backend::Uring(uring) => uring.has_output(),
            Backend::Memory(_) | Backend::Gone => false,
        }
    }

    /// Carries out a request that does not wait.
    pub(crate) fn call_now(&mut self, request: &Request) -> Outcome {
        Outcome::plain(match self {
            Backend::Uring(_) | Backend::Gone => call::call(request),
            Backend::Memory(memory) => memory.call_now(request),
        })
    }

    pub(crate) fn make_buf_pool(&mut self) -> io::Result<BufPool> {
        match self {
            Backend::Uring(uring) => uring.make_buf_pool(),
            Backend::Memory(memory) => memory.make_buf_pool(),
            Backend::Gone => Ok(BufPool::plain(BufPool::ENTRIES, BufPool::SIZE)),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        match self {
            Backend::Uring(uring) => uring.capabilities(),
            Backend::Memory(_) => Capabilities::ALL,
            Backend::Gone => Capabilities::NONE,
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        match self {
            Backend::Uring(uring) => uring.counters(),
            Backend::Memory(_) | Backend::Gone => Counters::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_or_is_corrected() {
        assert_eq!(from_env(None).unwrap(), config::Backend::Auto);
        assert_eq!(from_env(Some("uring")).unwrap(), config::Backend::Uring);
        let error = from_env(Some("kqueue")).unwrap_err().to_string();
        assert!(error.contains("WAKERING_BACKEND=kqueue") && error.contains("`uring`"), "{error}");
    }
}
