//! The handler, and the list of those whom it tells.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::iter;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use super::SignalKind;
use crate::fork::Process;

/// The first place of the list.
static PLACES: Link = Link::new();
/// How many handlers are walking the list right now.
static WALKING: AtomicUsize = AtomicUsize::new(0);
/// What was there before the handler, by signal. Whoever changes the list holds this lock, which
/// the handler never takes.
static PREVIOUS: Mutex<BTreeMap<i32, libc::sigaction>> = Mutex::new(BTreeMap::new());

/// All that an eventfd holds: one write fills it, and fails until it has been read.
const FULL: u64 = u64::MAX - 1;

type Link = OnceLock<Box<Place>>;

/// A listener as the handler sees it. Once in the list it stays there for ever, and serves one
/// listener after another.
#[derive(Default)]
struct Place {
    /// 0 if it is free.
    signal: AtomicI32,
    /// The eventfd, which stays open as long as a handler may see it here.
    eventfd: AtomicI32,
    /// Who listens. After a fork the child has a copy of the list, but what comes to the child is
    /// none of its parent's business.
    process: AtomicU32,
    /// Whether a signal that comes while the one before has not been taken ends the process.
    insists: AtomicBool,
    next: Link,
}

impl Place {
    fn all() -> impl Iterator<Item = &'static Place> {
        iter::successors(PLACES.get(), |place| place.next.get()).map(|place| &**place)
    }

    /// The first place that is free, made if need be. Under the lock.
    fn free() -> &'static Place {
        let mut link = &PLACES;
        loop {
            let place = link.get_or_init(Box::default);
            if place.signal.load(SeqCst) == 0 || place.process.load(SeqCst) != process::id() {
                return place;
            }
            link = &place.next;
        }
    }

    fn listens_to(&self, signal: i32) -> bool {
        self.signal.load(SeqCst) == signal && self.process.load(SeqCst) == process::id()
    }

    fn occupy(&self, signal: i32, eventfd: &File) {
        // One that was inherited names a signal still, which is none of the new listener's.
        self.signal.store(0, SeqCst);
        self.eventfd.store(eventfd.as_raw_fd(), SeqCst);
        self.process.store(process::id(), SeqCst);
        self.insists.store(false, SeqCst);
        self.signal.store(signal, SeqCst);
    }

    /// Afterwards no handler knows the eventfd: one that began to walk before has finished, one
    /// that begins later finds the place free.
    fn leave(&self) {
        self.signal.store(0, SeqCst);
        while WALKING.load(SeqCst) != 0 {
            thread::yield_now();
        }
    }
}

/// An entry in the list, and with it the handler in the system.
pub(super) struct Registration {
    kind: SignalKind,
    process: u32,
    place: &'static Place,
}

impl Registration {
    /// `eventfd` must stay open until the registration has ended.
    pub(super) fn new(kind: SignalKind, eventfd: &File) -> io::Result<Registration> {
        // From now on a child is told that it is one.
        Process::here();
        let signal = kind.as_raw();
        let mut previous = lock();
        let is_first = !Place::all().any(|place| place.listens_to(signal));
        let place = Place::free();
        place.occupy(signal, eventfd);
        if is_first {
            match exchange(signal, Some(&action(handler()))) {
                // A child that was forked has inherited the handler, and what was there before it.
                Ok(former) => drop(previous.entry(signal).or_insert(former)),
                Err(error) => {
                    place.leave();
                    return Err(error);
                }
            }
        }
        Ok(Registration { kind, process: process::id(), place })
    }

    /// From now on a signal that comes while the one before has not been taken ends the process.
    pub(super) fn insist(&self) {
        self.place.insists.store(true, SeqCst);
    }

    pub(super) fn kind(&self) -> SignalKind {
        self.kind
    }

    /// Nothing is written any more, and whatever was there before the first listener is there again
    /// if this was the last one: then it says true. To be called once.
    pub(super) fn end(&self) -> bool {
        if self.process != process::id() {
            return false;
        }
        let signal = self.kind.as_raw();
        let mut previous = lock();
        let is_last = Place::all().filter(|place| place.listens_to(signal)).count() == 1;
        // What somebody else has installed meanwhile is left alone.
        if is_last
            && let Some(former) = previous.remove(&signal)
            && exchange(signal, None).is_ok_and(|current| is_ours(&current))
        {
            let restored = exchange(signal, Some(&former));
            debug_assert!(restored.is_ok(), "what was installed once can be installed again");
        }
        self.place.leave();
        is_last
    }
}

/// In a child that was forked: whoever was walking is a thread of the parent, and never comes back
/// here.
pub(crate) fn forget_walkers() {
    WALKING.store(0, SeqCst);
}

fn lock() -> MutexGuard<'static, BTreeMap<i32, libc::sigaction>> {
    // Nothing that could panic leaves the map half changed.
    PREVIOUS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends the signal to this process.
pub(super) fn raise(kind: SignalKind) {
    // SAFETY: numbers only. What the signal does is what it would have done had nobody listened.
    unsafe { libc::kill(libc::getpid(), kind.as_raw()) };
}

/// Reads what is done about `signal`, and installs `new`, if given.
fn exchange(signal: i32, new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut former = MaybeUninit::uninit();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the action is read from a reference, or not at all, and written to room for one. Its
    // function is the handler below, or what the process had before and was content with.
    if unsafe { libc::sigaction(signal, new, former.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded and filled it.
    Ok(unsafe { former.assume_init() })
}

/// `handler` as the system wants it: on the thread's signal stack, where there is one, with
/// interrupted calls of others restarted, and itself interrupted by no other handler, which might
/// take its time, fork, or never return.
fn action(handler: usize) -> libc::sigaction {
    // SAFETY: integers and an optional function, for all of which zeros are a value.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the set is there to be written to. It may be called in a handler.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    action
}

fn handler() -> usize {
    on_signal as *const () as usize
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == handler()
}

/// Tells all who listen to `signal`. Whatever it interrupts, it calls nothing but what is safe in a
/// handler: atomics, write(2), sigaction(2), kill(2).
extern "C" fn on_signal(signal: libc::c_int) {
    // SAFETY: the address of the thread's own errno is valid as long as the thread is. Interrupted
    // code may be about to read it, so it is put back below.
    let errno = unsafe { *libc::__errno_location() };
    WALKING.fetch_add(1, SeqCst);
    let (mut is_told, mut is_missed) = (false, false);
    for place in Place::all().filter(|place| place.listens_to(signal)) {
        is_told = true;
        let (full, number) = (FULL.to_ne_bytes(), place.eventfd.load(SeqCst));
        // SAFETY: eight bytes of this frame are read. The descriptor is open and the listener's:
        // whoever closes it leaves the place first, and then waits for this walk.
        let written = unsafe { libc::write(number, full.as_ptr().cast(), full.len()) };
        is_missed |= written < 0 && place.insists.load(SeqCst);
    }
    WALKING.fetch_sub(1, SeqCst);
    if is_missed {
        let _ = exchange(signal, Some(&action(libc::SIG_DFL)));
        raise(SignalKind::from_raw(signal));
    }
    // The last listener has gone since the system chose this handler: what is there now shall have
    // the signal.
    if !is_told && exchange(signal, None).is_ok_and(|current| !is_ours(&current)) {
        raise(SignalKind::from_raw(signal));
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Listener;
    use super::*;
    use crate::testing::{in_child, patience};

    /// Given a handler that has begun to walk and may have read a listener's descriptor, when the
    /// listener is dropped, then its descriptor is not closed before the handler is done.
    #[test]
    fn who_leaves_waits_for_handlers_that_walk() {
        in_child("signal::handler::tests::who_leaves_waits_for_handlers_that_walk", || {
            let leaving = thread::spawn(|| {
                let listener = Listener::new(SignalKind::user_defined1()).unwrap();
                WALKING.fetch_add(1, SeqCst);
                drop(listener);
            });
            while WALKING.load(SeqCst) == 0
                || Place::all().any(|place| place.listens_to(libc::SIGUSR1))
            {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            assert!(!leaving.is_finished());
            WALKING.fetch_sub(1, SeqCst);
            leaving.join().unwrap();
        });
    }

    /// Given a handler that walks on one thread while another one forks, when a listener of the child
    /// is dropped, then that does not wait for the handler, which only the parent has.
    #[test]
    fn a_child_does_not_wait_for_handlers_of_its_parent() {
        in_child(
            "signal::handler::tests::a_child_does_not_wait_for_handlers_of_its_parent",
            || {
                let _parents = Listener::new(SignalKind::user_defined1()).unwrap();
                WALKING.fetch_add(1, SeqCst);
                // SAFETY: the other threads of this process only wait, so that they hold no lock that
                // the child might want; the child leaves by `_exit`.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    // SAFETY: takes a number. A child that hangs ends by the signal.
                    unsafe { libc::alarm(patience(Duration::from_secs(5)).as_secs() as u32) };
                    drop(Listener::new(SignalKind::user_defined2()));
                    // SAFETY: ends the process.
                    unsafe { libc::_exit(0) };
                }
                WALKING.fetch_sub(1, SeqCst);
                let mut status = -1;
                // SAFETY: the child is ours, and the kernel writes one integer.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                assert_eq!(status, 0);
            },
        );
    }

    /// Given a handler that finds nobody who listens, because the last one has gone since, then the
    /// signal goes to what is there now.
    #[test]
    fn a_handler_that_comes_too_late_passes_the_signal_on() {
        static PASSED_ON: AtomicBool = AtomicBool::new(false);
        extern "C" fn other(_signal: libc::c_int) {
            PASSED_ON.store(true, SeqCst);
        }
        in_child(
            "signal::handler::tests::a_handler_that_comes_too_late_passes_the_signal_on",
            || {
                exchange(libc::SIGUSR1, Some(&action(other as *const () as usize))).unwrap();
                drop(Listener::new(SignalKind::user_defined1()).unwrap());
                on_signal(libc::SIGUSR1);
                while !PASSED_ON.load(SeqCst) {
                    thread::yield_now();
                }
            },
        );
    }
}
