//! Which backend there is: the one that was asked for, or the best that this machine gives.
//!
//! Where io_uring is forbidden, missing or too old, programs run all the same, on [`poll`]. Which
//! way it went, and why, is told once on standard error under `WAKERING_DEBUG=1`, and by the
//! doctor.
//!
//! [`poll`]: super::poll

use std::sync::{Arc, Mutex, PoisonError};

use super::{Backend, poll, uring};
use crate::capabilities::Mask;
use crate::config::{self, Config};
use crate::error::{SetupCause, SetupError};
use crate::pool::Pool;
use crate::remote::Remote;

/// By which a backend is asked for from outside of the program.
pub(crate) const VARIABLE: &str = "WAKERING_BACKEND";

pub(super) const URING: &str = "uring";
pub(super) const POLL: &str = "poll";

/// The backend that `config` and the environment lead to on this machine.
pub(crate) fn choose(
    config: &Config,
    remote: &Arc<Remote>,
    pool: &Arc<Pool>,
) -> Result<Backend, SetupError> {
    // Also where nothing is masked in the end: a typing error is told everywhere.
    let mask = mask(config)?;
    let asked = asked(config)?;
    let ring = match asked {
        config::Backend::Poll => None,
        _ => Some(uring::Uring::new(config, mask, remote, pool)),
    };
    match ring {
        Some(Ok(ring)) => {
            tell(&format!("backend {URING}, {}", ring.capabilities().tier()));
            Ok(Backend::Uring(Box::new(ring)))
        }
        Some(Err(error)) if decide(asked, Some(error.cause())).is_none() => Err(error),
        refused => {
            let polling = poll::Poll::new(remote, pool).map_err(|error| {
                let object = "the driver's epoll instance".to_owned();
                SetupError::diagnosed("epoll_create1", object, error)
            })?;
            match refused {
                Some(Err(error)) => tell(&format!("backend {POLL}: {error}")),
                _ => tell(&format!("backend {POLL}, as was asked for")),
            }
            Ok(Backend::Poll(Box::new(polling)))
        }
    }
}

/// What of the kernel's abilities `config` and the environment leave.
pub(crate) fn mask(config: &Config) -> Result<Mask, SetupError> {
    config.mask.map_or_else(Mask::from_env, Ok)
}

/// What `config` asks for or, if it leaves that open, the environment.
pub(crate) fn asked(config: &Config) -> Result<config::Backend, SetupError> {
    match config.backend {
        config::Backend::Auto => {
            let value = std::env::var_os(VARIABLE).unwrap_or_default();
            named(&value.to_string_lossy())
        }
        choice => Ok(choice),
    }
}

fn named(value: &str) -> Result<config::Backend, SetupError> {
    match value {
        "" | "auto" => Ok(config::Backend::Auto),
        URING => Ok(config::Backend::Uring),
        POLL => Ok(config::Backend::Poll),
        other => {
            let names = format!("it is `{URING}`, `{POLL}` or `auto`");
            Err(SetupError::setting(VARIABLE, other, names))
        }
    }
}

/// The name of the backend that there is, given why there is no ring; `None` if there is none.
pub(crate) fn decide(asked: config::Backend, no_ring: Option<SetupCause>) -> Option<&'static str> {
    match (asked, no_ring) {
        (config::Backend::Poll, _) => Some(POLL),
        (_, None) => Some(URING),
        (config::Backend::Uring, Some(_)) => None,
        // What was misspelt is not overruled; and where descriptors have run out the next thing
        // that needs one would fail instead, far from the cause.
        (config::Backend::Auto, Some(SetupCause::Setting | SetupCause::OutOfDescriptors)) => None,
        (config::Backend::Auto, Some(_)) => Some(POLL),
    }
}

/// Says which way it went, if somebody wants to know, and only if that is news: programs have many
/// runtimes.
pub(crate) fn tell(line: &str) {
    static LAST: Mutex<String> = Mutex::new(String::new());
    if !config::is_debugging() {
        return;
    }
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if *last != line {
        eprintln!("wakering: {line}");
        line.clone_into(&mut last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_or_is_corrected() {
        assert_eq!(named("").unwrap(), config::Backend::Auto);
        assert_eq!(named("uring").unwrap(), config::Backend::Uring);
        assert_eq!(named("poll").unwrap(), config::Backend::Poll);
        let error = named("kqueue").unwrap_err().to_string();
        assert!(error.contains("WAKERING_BACKEND=kqueue") && error.contains("`uring`"), "{error}");
    }

    /// Every row of the table.
    #[test]
    fn without_a_ring_there_is_epoll_unless_somebody_has_to_be_told() {
        use SetupCause::*;
        use config::Backend::{Auto, Poll, Uring};
        let ways_out = [
            Seccomp,
            Sysctl,
            Policy,
            KernelTooOld,
            NotBuiltIn,
            LockedMemory,
            OutOfMemory,
            Unsupported,
            Other,
        ];
        for cause in ways_out {
            assert_eq!(decide(Auto, Some(cause)), Some(POLL), "{cause:?}");
        }
        for cause in [Setting, OutOfDescriptors] {
            assert_eq!(decide(Auto, Some(cause)), None, "{cause:?}");
        }
        for cause in ways_out.into_iter().chain([Setting, OutOfDescriptors]) {
            assert_eq!(decide(Uring, Some(cause)), None, "{cause:?}");
            assert_eq!(decide(Poll, Some(cause)), Some(POLL), "{cause:?}");
        }
        assert_eq!(decide(Auto, None), Some(URING));
        assert_eq!(decide(Uring, None), Some(URING));
        assert_eq!(decide(Poll, None), Some(POLL));
    }
}
