//! What other threads may do to a driver: leave a message and wake its loop.
//!
//! A [`Remote`] is the inbox and the notifier of one driver in one shared value. Wakers and pool
//! jobs hold it and may outlive the driver by any length of time, so it owns the notifier's
//! descriptor and whoever lets go of it last closes it; the end of the driver only marks it as
//! closed.
//!
//! The notifier is written to only while the owner sleeps, once a sleep: a busy loop looks at its
//! inbox anyway and costs the sender no system call. Both sides decide under one lock. The owner,
//! going to sleep, either sees the message or has said that it sleeps before the sender looked, so
//! no wake-up is lost and no order of memory accesses needs arguing.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};

use crate::completion::Completion;
use crate::driver::Driver;
use crate::primitive::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::request::Number;

/// What can be left in the inbox of a driver.
#[non_exhaustive]
pub enum Message {
    /// A request that another thread carried out for the driver has ended.
    Completed(Completion),
    /// Something that its home thread must look at.
    Deliver(Arc<dyn Deliver>),
}

/// Something that the thread of a driver must look at: for a runtime, a task that was woken
/// elsewhere.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use wakering_ring_driver::{Config, Deliver, Driver, Message, Wait};
///
/// #[derive(Default)]
/// struct Flag(AtomicBool);
///
/// impl Deliver for Flag {
///     fn deliver(self: Arc<Self>) {
///         self.0.store(true, Ordering::Relaxed);
///     }
/// }
///
/// let driver = Driver::new(&Config::default())?;
/// let flag = Arc::new(Flag::default());
/// let (remote, parcel) = (driver.remote().clone(), flag.clone());
/// std::thread::spawn(move || remote.push(Message::Deliver(parcel)).is_ok());
/// while !flag.0.load(Ordering::Relaxed) {
///     driver.turn(Wait::Until(None));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Deliver: Send + Sync {
    /// Called by the driver's own thread, outside all of the driver's state; may call the driver.
    fn deliver(self: Arc<Self>);
}

/// The inbox and the notifier of one driver; see [`Driver::remote`](crate::Driver::remote).
pub struct Remote {
    inbox: Mutex<Inbox>,
    /// Whether the inbox holds anything, for a loop that looks at it between any two polls.
    has_messages: AtomicBool,
    notifier: Arc<Notifier>,
}

struct Inbox {
    messages: Vec<Message>,
    /// Whether the owner sleeps, or is about to, and nobody has woken it yet.
    sleeping: bool,
    closed: bool,
    /// The owner's ring, if it has one: who posts to it keeps it open for as long as that takes.
    ring: Option<Arc<OwnedFd>>,
}

/// How many messages' worth of memory a quiet inbox keeps; what a burst took beyond that is given
/// back.
const KEPT: usize = 4096;

impl Remote {
    pub(crate) fn new() -> io::Result<Arc<Remote>> {
        Ok(Arc::new(Remote {
            inbox: Mutex::new(Inbox {
                messages: Vec::new(),
                sleeping: false,
                closed: false,
                ring: None,
            }),
            has_messages: AtomicBool::new(false),
            notifier: Arc::new(Notifier::new()?),
        }))
    }

    /// Leaves `message` for the driver's thread, and wakes that if it sleeps. Callable from any
    /// thread, also from its own.
    ///
    /// # Errors
    /// Gives the message back when the driver has ended: nobody will ever look at it.
    ///
    /// # Kernel
    /// If the driver sleeps and nobody has woken it yet: `IORING_OP_MSG_RING` (5.18) in an enter of
    /// its own, where both threads have a ring; else one `write(2)` to an eventfd. If it does not
    /// sleep, nothing.
    ///
    /// ```
    /// use std::{sync::Arc, time::Duration};
    /// use wakering_ring_driver::{Config, Deliver, Driver, Message};
    ///
    /// struct Note;
    /// impl Deliver for Note {
    ///     fn deliver(self: Arc<Self>) {}
    /// }
    ///
    /// let driver = Driver::new(&Config::default())?;
    /// let remote = driver.remote().clone();
    /// assert!(remote.push(Message::Deliver(Arc::new(Note))).is_ok());
    /// driver.shutdown(Duration::from_secs(1));
    /// assert!(remote.push(Message::Deliver(Arc::new(Note))).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&self, message: Message) -> Result<(), Message> {
        let mut inbox = self.lock();
        if inbox.closed {
            return Err(message);
        }
        inbox.messages.push(message);
        self.has_messages.store(true, Ordering::Release);
        let wake = std::mem::take(&mut inbox.sleeping);
        let ring = inbox.ring.clone().filter(|_| wake);
        drop(inbox);
        // From ring to ring, where the calling thread has one.
        let posted = ring.is_some_and(|ring| Driver::nudge(&ring, &self.notifier));
        if wake && !posted {
            self.notifier.notify();
        }
        Ok(())
    }

    /// Whether there is something to take, as far as can be told without locking.
    pub(crate) fn has_messages(&self) -> bool {
        self.has_messages.load(Ordering::Acquire)
    }

    /// Announces that the owner is about to sleep in the kernel. False if it must not, since
    /// messages wait.
    pub(crate) fn prepare_to_sleep(&self) -> bool {
        let mut inbox = self.lock();
        inbox.sleeping = inbox.messages.is_empty();
        inbox.sleeping
    }

    /// The owner is up again, for whatever reason: from now on nobody needs to notify it.
    pub(crate) fn awake(&self) {
        self.lock().sleeping = false;
    }

    /// Moves all messages, in the order in which they came, to `into`, which must be empty. The
    /// memory of `into` serves the next ones, so that two vectors going to and fro are all that a
    /// steady exchange needs.
    pub(crate) fn take(&self, into: &mut Vec<Message>) {
        assert!(into.is_empty(), "the messages taken last have not been looked at");
        into.shrink_to(KEPT);
        let mut inbox = self.lock();
        self.has_messages.store(false, Ordering::Release);
        std::mem::swap(&mut inbox.messages, into);
    }

    /// Ends the acceptance of messages and hands out those that nobody has taken. Closing twice
    /// does nothing.
    ///
    /// They are returned, not dropped here: what they hold may run foreign code when it is dropped,
    /// and that may push.
    pub(crate) fn close(&self) -> Vec<Message> {
        let mut inbox = self.lock();
        inbox.closed = true;
        inbox.sleeping = false;
        inbox.ring = None;
        self.has_messages.store(false, Ordering::Release);
        std::mem::take(&mut inbox.messages)
    }

    /// Lets other rings post to the owner's.
    pub(crate) fn set_ring(&self, ring: OwnedFd) {
        self.lock().ring = Some(Arc::new(ring));
    }

    /// The owner's ring, as long as the owner lives.
    pub(crate) fn ring(&self) -> Option<Arc<OwnedFd>> {
        self.lock().ring.clone()
    }

    /// The descriptor on which a backend waits for notifications, by reading eight bytes.
    pub(crate) fn notifier_number(&self) -> Number {
        self.notifier.number()
    }

    #[cfg(test)]
    pub(crate) fn notifier(&self) -> &Arc<Notifier> {
        &self.notifier
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here panics while it holds the lock, and a list of messages would be whole
        // even then.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Completed(completion) => f.debug_tuple("Completed").field(completion).finish(),
            Message::Deliver(parcel) => {
                f.debug_tuple("Deliver").field(&Arc::as_ptr(parcel).cast::<()>()).finish()
            }
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inbox = self.lock();
        f.debug_struct("Remote")
            .field("messages", &inbox.messages.len())
            .field("sleeping", &inbox.sleeping)
            .field("closed", &inbox.closed)
            .finish()
    }
}

/// Ends the sleep of a thread that waits in its ring: an eventfd that the ring watches or reads.
#[cfg(not(loom))]
pub(crate) struct Notifier(std::fs::File);

#[cfg(not(loom))]
impl Notifier {
    /// The descriptor is a blocking one, because kernels before 5.19 answer a ring's read on a
    /// non-blocking one with `EAGAIN` at once instead of waiting.
    #[allow(unsafe_code)]
    fn new() -> io::Result<Notifier> {
        use std::os::fd::FromRawFd;
        // SAFETY: eventfd takes two integers and no memory.
        let number = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was made just now and nobody else knows its number.
        Ok(Notifier(unsafe { std::fs::File::from_raw_fd(number) }))
    }

    /// Never blocks: a write to an eventfd waits only where the sum would pass 2^64 - 2, and each
    /// sleep of the owner adds one. For the same reason there is no error that could come of it,
    /// nor anybody to tell it to.
    pub(crate) fn notify(&self) {
        let written = io::Write::write(&mut &self.0, &1u64.to_ne_bytes());
        debug_assert!(matches!(written, Ok(8)), "the notifier cannot be written to: {written:?}");
    }

    fn number(&self) -> Number {
        Number(std::os::fd::AsRawFd::as_raw_fd(&self.0))
    }
}

/// Under the model checker a count of the notifications, since there is no kernel to wait in.
#[cfg(loom)]
pub(crate) struct Notifier(crate::primitive::AtomicUsize);

#[cfg(loom)]
impl Notifier {
    fn new() -> io::Result<Notifier> {
        Ok(Notifier(crate::primitive::AtomicUsize::new(0)))
    }

    pub(crate) fn notify(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn number(&self) -> Number {
        Number::NONE
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::io::Read;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::*;
    use crate::completion::Outcome;
    use crate::request::UserData;

    fn message(number: u64) -> Message {
        let completion = Completion { user_data: UserData(number), outcome: Outcome::plain(0) };
        Message::Completed(completion)
    }

    fn numbers(messages: Vec<Message>) -> Vec<u64> {
        let number = |message| match message {
            Message::Completed(completion) => completion.user_data.0,
            Message::Deliver(_) => unreachable!("none was pushed"),
        };
        messages.into_iter().map(number).collect()
    }

    /// How often the notifier was written to since the last look.
    #[allow(unsafe_code)]
    fn notifications(remote: &Remote) -> u64 {
        // SAFETY: the descriptor is open as long as the remote that is borrowed here.
        let number = unsafe { BorrowedFd::borrow_raw(remote.notifier.number().0) };
        let mut readable =
            libc::pollfd { fd: number.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, as said.
        if unsafe { libc::poll(&mut readable, 1, 0) } == 0 {
            return 0;
        }
        let mut count = [0; 8];
        (&remote.notifier.0).read_exact(&mut count).unwrap();
        u64::from_ne_bytes(count)
    }

    #[test]
    fn messages_come_in_order_and_only_the_first_one_of_a_sleep_notifies() {
        let remote = Remote::new().unwrap();
        remote.push(message(1)).unwrap();
        assert_eq!(notifications(&remote), 0, "the owner is busy");
        assert!(remote.has_messages());
        assert!(!remote.prepare_to_sleep(), "a message waits");
        remote.push(message(2)).unwrap();
        assert_eq!(notifications(&remote), 0, "a refused sleep is no sleep");
        let mut taken = Vec::new();
        remote.take(&mut taken);
        assert!(!remote.has_messages());
        assert_eq!(numbers(taken), [1, 2]);

        assert!(remote.prepare_to_sleep());
        remote.push(message(3)).unwrap();
        remote.push(message(4)).unwrap();
        assert_eq!(notifications(&remote), 1);

        let mut taken = Vec::new();
        remote.take(&mut taken);
        assert!(remote.prepare_to_sleep());
        remote.awake();
        remote.push(message(5)).unwrap();
        assert_eq!(notifications(&remote), 0, "the owner woke by itself");
    }

    #[test]
    fn a_closed_inbox_gives_messages_back_and_leaves_the_notifier_alone() {
        let remote = Remote::new().unwrap();
        remote.push(message(1)).unwrap();
        let mut taken = Vec::new();
        remote.take(&mut taken);
        assert!(remote.prepare_to_sleep());
        remote.push(message(2)).unwrap();
        assert_eq!(notifications(&remote), 1);
        assert_eq!(numbers(remote.close()), [2]);
        assert!(!remote.has_messages());
        let refused = remote.push(message(3)).unwrap_err();
        assert_eq!(numbers(vec![refused]), [3]);
        assert_eq!(notifications(&remote), 0);
        assert_eq!(numbers(remote.close()), []);
    }

    #[test]
    fn two_vectors_are_enough_for_a_steady_exchange_and_a_burst_gives_its_memory_back() {
        let remote = Remote::new().unwrap();
        let mut taken = Vec::new();
        let round = |taken: &mut Vec<Message>, count| {
            for number in 0..count {
                remote.push(message(number)).unwrap();
            }
            remote.take(taken);
            assert_eq!(taken.len() as u64, count);
            taken.clear();
        };
        round(&mut taken, 100);
        round(&mut taken, 100);
        let storage = [taken.as_ptr(), remote.lock().messages.as_ptr()];
        for _ in 0..10 {
            round(&mut taken, 100);
            assert!(storage.contains(&taken.as_ptr()));
            assert!(storage.contains(&remote.lock().messages.as_ptr()));
        }
        round(&mut taken, 100_000);
        assert!(taken.capacity() >= 100_000);
        round(&mut taken, 1);
        round(&mut taken, 1);
        assert!(taken.capacity() <= KEPT);
        assert!(remote.lock().messages.capacity() <= KEPT);
    }

    #[test]
    fn a_refused_message_is_dropped_outside_the_lock() {
        struct PushesWhenDropped(Arc<Remote>);
        impl Deliver for PushesWhenDropped {
            fn deliver(self: Arc<Self>) {}
        }
        impl Drop for PushesWhenDropped {
            fn drop(&mut self) {
                assert!(self.0.push(message(9)).is_err());
            }
        }
        let remote = Remote::new().unwrap();
        let parcel = || Message::Deliver(Arc::new(PushesWhenDropped(remote.clone())));
        remote.push(parcel()).unwrap();
        drop(remote.close());
        drop(remote.push(parcel()));
    }
}

/// All interleavings with at most three preemptions; run by `RUSTFLAGS="--cfg loom" cargo test
/// --lib --release loom`.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::thread;

    use super::*;
    use crate::completion::Outcome;
    use crate::request::UserData;

    fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(body);
    }

    fn message() -> Message {
        Message::Completed(Completion { user_data: UserData(0), outcome: Outcome::plain(0) })
    }

    fn notifications(remote: &Remote) -> usize {
        remote.notifier.0.load(Ordering::SeqCst)
    }

    #[test]
    fn loom_a_message_either_forbids_the_sleep_or_ends_it() {
        model(3, || {
            let remote = Remote::new().unwrap();
            let sender = {
                let remote = remote.clone();
                thread::spawn(move || remote.push(message()).unwrap())
            };
            let slept = remote.prepare_to_sleep();
            if slept {
                // The owner is in the kernel: what it will find there tells whether it comes back.
                sender.join().unwrap();
                assert_eq!(notifications(&remote), 1, "it sleeps for ever");
                remote.awake();
            } else {
                assert!(remote.has_messages(), "a loop that looks at the flag alone would miss it");
                sender.join().unwrap();
                assert_eq!(notifications(&remote), 0, "a system call for nothing");
            }
            let mut taken = Vec::new();
            remote.take(&mut taken);
            assert_eq!(taken.len(), 1);
        });
    }

    #[test]
    fn loom_many_senders_notify_once_a_sleep() {
        model(2, || {
            let remote = Remote::new().unwrap();
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let remote = remote.clone();
                    thread::spawn(move || remote.push(message()).unwrap())
                })
                .collect();
            let slept = remote.prepare_to_sleep();
            for sender in senders {
                sender.join().unwrap();
            }
            assert_eq!(notifications(&remote), usize::from(slept));
            let mut taken = Vec::new();
            remote.take(&mut taken);
            assert_eq!(taken.len(), 3);
        });
    }

    #[test]
    fn loom_a_message_taken_while_others_come_is_seen_exactly_once() {
        model(3, || {
            let remote = Remote::new().unwrap();
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let remote = remote.clone();
                    thread::spawn(move || remote.push(message()).unwrap())
                })
                .collect();
            let mut taken = Vec::new();
            remote.take(&mut taken);
            let early = taken.len();
            for sender in senders {
                sender.join().unwrap();
            }
            assert_eq!(remote.has_messages(), early < 2, "the flag and the inbox disagree");
            taken.clear();
            remote.take(&mut taken);
            assert_eq!(early + taken.len(), 2);
        });
    }

    #[test]
    fn loom_a_message_is_accepted_before_the_end_or_given_back() {
        model(3, || {
            let remote = Remote::new().unwrap();
            assert!(remote.prepare_to_sleep());
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let remote = remote.clone();
                    thread::spawn(move || remote.push(message()).is_ok())
                })
                .collect();
            let left = remote.close().len();
            let accepted = senders.into_iter().map(|sender| sender.join().unwrap());
            let accepted = accepted.filter(|accepted| *accepted).count();
            assert_eq!(accepted, left, "a message was lost without a word");
            assert_eq!(notifications(&remote), usize::from(accepted > 0), "notified after the end");
            assert!(!remote.has_messages());
        });
    }
}
