//! The kernel's ring.
//!
//! Requests become submission-queue entries; one `enter` a turn hands them over, waits if it may,
//! and lets deferred work run. What the running ring lacks is carried out by the plain system call
//! instead: on the pool if it blocks, after the ring has told readiness if it can be told ([`call`]
//! is the table for both). The rest of the crate cannot tell.

#![allow(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};

use crate::buffer::{Block, BufPool, Traffic};
use crate::call::{self, Attempt, Class, Mode};
use crate::capabilities::{Capabilities, Mask};
use crate::completion::{Completion, Outcome};
use crate::config::Config;
use crate::counters::Counters;
use crate::error::SetupError;
use crate::fd::Sharing;
use crate::pool::Pool;
use crate::remote::{Notifier, Remote};
use crate::request::{Number, Request, UserData};

use super::ANSWERS_A_TURN;
use super::cached::Cached;
use super::offload::Offload;
use files::Files;
use readiness::Awaiting;
use registered::Registered;
use setup::{Ring, Size};

/// What is carried out on the spot.
mod alone;
/// Requests as submission-queue entries.
pub(crate) mod encode;
/// The system calls of a running ring.
pub(crate) mod enter;
/// Files of which the ring has been told.
mod files;
/// Memory of which the ring has been told.
mod registered;
/// Requests that wait until the ring tells readiness.
mod readiness;
/// How a ring comes to be.
pub(crate) mod setup;

/// The watch or the read on the notifier, by which other threads end a sleep.
const WAKE: UserData = UserData(UserData::RESERVED);
/// What was posted to another ring.
const NUDGED: UserData = UserData(UserData::RESERVED + 3);
/// What was tried on the new ring, and its cancellation.
const TRIAL: UserData = UserData(UserData::RESERVED + 4);
const TRIAL_CANCEL: UserData = UserData(UserData::RESERVED + 5);

pub(crate) struct Uring {
    ring: Ring,
    remote: Arc<Remote>,
    offload: Offload,
    /// Entries that the queue had no room for, in order.
    backlog: VecDeque<Entry>,
    /// Requests whose system call waits until the ring tells readiness.
    awaiting_readiness: HashMap<UserData, Awaiting>,
    /// A completion queue's worth, copied out.
    raw: Vec<Completion>,
    /// Completions that did not need the kernel's queue.
    local: Vec<Completion>,
    cached: Cached,
    /// How many entries the last turn handed over.
    handed_over: u32,
    /// How many completions it has brought.
    brought: usize,
    /// How many requests may still be answered on the spot before the next turn.
    answers_left: u32,
    /// Where the notifier's count is read to.
    notified: Box<u64>,
    /// Whether the watch or the read on the notifier is in flight.
    armed: bool,
    /// How long a sleep gathers completions, and how many are enough. One, where it does not.
    gather: (Duration, u32),
    /// Those to whose rings something was posted, each once: a success may be quiet, and a failure
    /// may come at any time.
    nudged: Vec<Weak<Notifier>>,
    pub(crate) counters: Counters,
    /// Registered with the ring, so it must outlive it.
    buf_pools: [Option<BufPool>; Traffic::COUNT],
    registered: Registered,
    files: Files,
}

impl Uring {
    pub(crate) fn new(
        config: &Config,
        mask: Mask,
        remote: &Arc<Remote>,
        pool: &Arc<Pool>,
    ) -> Result<Uring, SetupError> {
        let mut ring = Ring::open(Size::new(config.entries, config.completions), mask)?;
        ring.cap_workers(config.file_workers, config.other_workers);
        // Without a descriptor to spare nobody posts to this ring; the notifier wakes it all the
        // same. SAFETY: the ring is open for the length of this call.
        let borrowed = unsafe { BorrowedFd::borrow_raw(ring.uring.as_raw_fd()) };
        if ring.capabilities.msg_ring
            && let Ok(post) = borrowed.try_clone_to_owned()
        {
            remote.set_ring(post);
        }
        let mut counters = Counters::NONE;
        counters.setup_flags = ring.flags.names().collect();
        let gathers = ring.capabilities.min_wait && !config.min_wait.is_zero();
        let gather = match gathers {
            true => (config.min_wait, config.min_completions.max(1)),
            false => (Duration::ZERO, 1),
        };
        Ok(Uring {
            ring,
            remote: remote.clone(),
            offload: Offload::new(pool, remote),
            backlog: VecDeque::new(),
            awaiting_readiness: HashMap::new(),
            raw: Vec::new(),
            local: Vec::new(),
            cached: Cached::default(),
            handed_over: 0,
            brought: 0,
            answers_left: ANSWERS_A_TURN,
            notified: Box::new(0),
            armed: false,
            gather,
            nudged: Vec::new(),
            counters,
            buf_pools: Default::default(),
            registered: Registered::default(),
            files: Files::default(),
        })
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.ring.capabilities
    }

    pub(crate) fn counters(&self) -> Counters {
        let enter_flags = enter::names(self.ring.entered_with.get()).collect();
        Counters { enter_flags, ..self.counters.clone() }
    }

    /// A descriptor from elsewhere is the driver's from now on.
    pub(crate) fn adopt(&mut self, fd: Number, sharing: Sharing) -> io::Result<()> {
        self.made(fd);
        match sharing {
            // The ring waits inside the kernel, and kernels before 5.19 answer `EAGAIN` at once on
            // a non-blocking descriptor instead (liburing issue 390).
            Sharing::Private => call::set_nonblocking(fd.0, false),
            Sharing::Shared => Ok(()),
        }
    }

    /// The number is that of a new descriptor from now on.
    pub(crate) fn made(&mut self, fd: Number) {
        self.cached.forget(fd);
        self.forget(fd);
    }

    /// The number is about to be closed, or somebody else's.
    pub(crate) fn forget(&mut self, fd: Number) {
        self.files.forget(fd, &self.ring.uring.submitter());
    }

    pub(crate) fn push(&mut self, request: &Request, user_data: UserData) -> Option<Outcome> {
        match self.answer(request, user_data) {
            Some(Poll::Ready(outcome)) => return Some(outcome),
            Some(Poll::Pending) => {}
            None => self.start(request, user_data),
        }
        None
    }

    fn start(&mut self, request: &Request, user_data: UserData) {
        if let Request::AcceptMulti { fd } = *request
            && !self.ring.capabilities.multishot_accept
        {
            // A series of one: whoever asked for it starts the next.
            let (address, len) = (ptr::null_mut(), ptr::null_mut());
            return self.start(&Request::Accept { fd, address, len }, user_data);
        }
        if let Request::RecvMulti { fd, group } = *request
            && !self.ring.capabilities.multishot_recv
        {
            // The same here.
            return self.start(&Request::RecvPooled { fd, group }, user_data);
        }
        if self.can(request) {
            return self.submit(request, user_data, Flags::empty());
        }
        match request.class() {
            Class::Readiness(_) => {
                self.try_call(Attempt::new(*request, Mode::Waiting), user_data, false);
            }
            Class::Untold | Class::Blocking => self.call_on_pool(*request, user_data),
            Class::None => self.complete_locally(user_data, call::call(request)),
        }
    }

    pub(crate) fn cancel(&mut self, target: UserData) {
        if !self.awaiting_readiness.is_empty()
            && let Some(awaiting) = self.awaiting_readiness.get_mut(&target)
        {
            awaiting.cancelled = true;
        }
        let quietly = match self.ring.capabilities.cqe_skip {
            true => Flags::SKIP_SUCCESS,
            false => Flags::empty(),
        };
        self.submit(&Request::Cancel { target }, target.cancellation(), quietly);
    }

    pub(crate) fn nudge(&mut self, ring: &OwnedFd, notifier: &Arc<Notifier>) -> bool {
        if !self.ring.capabilities.msg_ring || !self.backlog.is_empty() {
            return false;
        }
        let quietly = match self.ring.capabilities.cqe_skip {
            true => Flags::SKIP_SUCCESS,
            false => Flags::empty(),
        };
        let ring = Number(ring.as_raw_fd());
        let request = Request::MsgRing { ring, result: 0, user_data: UserData::NUDGE.0 };
        let notifier = Arc::downgrade(notifier);
        self.nudged.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&notifier));
        self.nudged.push(notifier);
        self.submit(&request, NUDGED, quietly);
        // Not with the next enter: whoever wakes another core may be about to wait for it, or to
        // compute for a while.
        let (queued, _) = self.submission_state();
        self.enter_kernel(queued, None);
        // The kernel may have taken nothing, or not this one.
        !self.has_output()
    }

    pub(crate) fn enter(&mut self, sleep: Option<Option<Duration>>) {
        self.answers_left = ANSWERS_A_TURN;
        self.brought = 0;
        if sleep.is_some() && !self.armed {
            self.arm();
        }
        self.submit_backlog();
        // Not armed even now: the notification was there already, and the plain read has taken it.
        let sleep = sleep.filter(|_| self.armed && !self.has_news());
        let (queued, due) = self.submission_state();
        self.handed_over = queued;
        if sleep.is_some() || queued > 0 || due {
            self.enter_kernel(queued, sleep);
        }
    }

    /// Since 6.13 an enter brings some twenty deferred completions and no more ("io_uring: limit
    /// local tw done").
    pub(crate) fn enter_again(&mut self) -> bool {
        let (queued, due) = self.submission_state();
        if due {
            self.enter_kernel(queued, None);
        }
        due
    }

    pub(crate) fn reap(&mut self, batch: &mut Vec<Completion>) {
        let mut raw = std::mem::take(&mut self.raw);
        // The head is published when the iterator is dropped, before anybody is told.
        raw.extend(self.ring.uring.completion().map(|entry| Completion {
            user_data: UserData(entry.user_data()),
            outcome: Outcome::new(entry.result(), entry.flags()),
        }));
        self.brought += raw.len();
        for completion in raw.drain(..) {
            batch.extend(self.translate(completion));
        }
        self.raw = raw;
        batch.append(&mut self.local);
    }

    pub(crate) fn has_news(&self) -> bool {
        // SAFETY: reads two indices; no other queue object exists while `self` is borrowed and not
        // in use.
        let waiting = unsafe { !self.ring.uring.completion_shared().is_empty() };
        waiting || !self.local.is_empty() || self.submission_state().1
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.backlog.is_empty() || self.submission_state().0 > 0
    }

    pub(crate) fn make_buf_pool(&mut self, traffic: Traffic) -> io::Result<BufPool> {
        let is_of_use = match traffic {
            Traffic::Streams => self.ring.capabilities.buf_ring,
            Traffic::Datagrams => self.ring.capabilities.multishot_recvmsg,
        };
        if is_of_use {
            let pool = BufPool::with_ring(traffic)?;
            // SAFETY: the ring's memory lives as long as the pool, of which a handle is kept until
            // after the ring is closed.
            let registered = unsafe {
                self.ring.uring.submitter().register_buf_ring_with_flags(
                    pool.ring_address(),
                    pool.entries(),
                    pool.group(),
                    0,
                )
            };
            // Since 6.14 this memory counts against RLIMIT_MEMLOCK; the plain form needs none.
            if registered.is_ok() {
                return Ok(self.buf_pools[traffic as usize].insert(pool).clone());
            }
        }
        Ok(BufPool::without_ring(traffic))
    }

    /// Tells the ring of memory that is read into and written from. Whether it is able to know.
    pub(crate) fn register(&mut self, block: &Arc<Block>) -> io::Result<bool> {
        if !self.ring.capabilities.registered_buffers {
            return Ok(false);
        }
        self.registered.add(&self.ring.uring.submitter(), block)?;
        Ok(true)
    }

    /// Whether the running ring has the operation itself.
    pub(crate) fn can(&self, request: &Request) -> bool {
        let capabilities = &self.ring.capabilities;
        let form = match request {
            Request::RecvMulti { .. } | Request::RecvPooled { .. } => {
                self.buf_pools[Traffic::Streams as usize].is_some()
            }
            Request::RecvMsgMulti { .. } => self.buf_pools[Traffic::Datagrams as usize].is_some(),
            Request::SendZc { .. } => capabilities.send_zc,
            _ => true,
        };
        form && encode::opcode(request).is_some_and(|opcode| capabilities.supports(opcode))
    }

    fn submit(&mut self, request: &Request, user_data: UserData, flags: Flags) {
        let entry = match request {
            Request::Read { offset: Some(_), .. } | Request::Write { offset: Some(_), .. } => {
                self.encode_transfer(request, user_data)
            }
            _ => encode::encode(request, user_data),
        };
        self.submit_entry(entry.flags(flags));
    }

    fn submit_entry(&mut self, entry: Entry) {
        let (opcode, flags, priority) = encode::head(&entry);
        self.counters.count_entry(opcode, flags, priority);
        if !self.backlog.is_empty() || !self.try_push(&entry) {
            self.backlog.push_back(entry);
            self.submit_backlog();
        }
    }

    /// A read or write at an offset, by what the ring knows already of its memory and its file.
    fn encode_transfer(&mut self, request: &Request, user_data: UserData) -> Entry {
        let entry = match self.registered.index(request) {
            Some(index) => encode::encode_registered(request, index, user_data),
            None => encode::encode(request, user_data),
        };
        let place = match self.ring.capabilities.registered_files {
            true => self.files.place(request.fd(), &self.ring.uring.submitter()),
            false => None,
        };
        match place {
            Some(place) => encode::on_registered(entry, place),
            None => entry,
        }
    }

    /// Moves the backlog into the queue, submitting as often as it fills up.
    fn submit_backlog(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            if self.try_push(&entry) {
                continue;
            }
            let (queued, _) = self.submission_state();
            self.enter_kernel(queued, None);
            if !self.try_push(&entry) {
                // The kernel wants its completions taken first; that is the next thing a turn does.
                self.backlog.push_front(entry);
                return;
            }
        }
    }

    /// Not inlined, or the entry would be taken apart for those who look at its parts, and put
    /// together again.
    #[inline(never)]
    fn try_push(&mut self, entry: &Entry) -> bool {
        // SAFETY: what the entry points to stays in place until its final completion: see
        // `in_flight`. The notifier's read points into a box that is leaked if the read does not
        // end.
        unsafe { self.ring.uring.submission().push(entry) }.is_ok()
    }

    /// How many entries wait to be submitted, and whether the kernel has work that only an enter
    /// runs.
    fn submission_state(&self) -> (u32, bool) {
        // SAFETY: reads shared indices and flags; no other queue object exists at this time.
        let queue = unsafe { self.ring.uring.submission_shared() };
        (queue.len() as u32, queue.taskrun() || queue.cq_overflow())
    }

    fn enter_kernel(&mut self, queued: u32, sleep: Option<Option<Duration>>) {
        // SAFETY: as in `submission_state`.
        if unsafe { self.ring.uring.submission_shared() }.cq_overflow() {
            self.counters.overflows += 1;
        }
        self.counters.enters += 1;
        self.counters.waits += u64::from(sleep.is_some());
        match self.ring.enter(queued, self.wait(sleep)) {
            Ok(submitted) => self.counters.submitted += u64::from(submitted),
            // The time is over, or a signal came: whoever asked looks at the clock and at the queue
            // anyway.
            Err(libc::ETIME | libc::EINTR) => {}
            // Completions must be taken first, or memory is short: what was not submitted stays in
            // the queue. If nothing is in flight nothing will wake us, so this does not sleep in
            // the kernel.
            Err(libc::EAGAIN | libc::EBUSY) => {
                if sleep.is_some() {
                    std::thread::sleep(Duration::from_micros(50));
                }
            }
            Err(errno) => panic!(
                "io_uring_enter: {}: the ring is unusable; this is a bug in wakering or in the kernel",
                io::Error::from_raw_os_error(errno)
            ),
        }
    }

    /// What to wait for, to sleep for that long.
    fn wait(&self, sleep: Option<Option<Duration>>) -> enter::Wait {
        let Some(timeout) = sleep else { return enter::Wait::default() };
        // Who has to be up sooner gathers nothing: the kernel would finish gathering first.
        let (gather, completions) = match self.gather {
            (gather, _) if timeout.is_some_and(|timeout| timeout <= gather) => (Duration::ZERO, 1),
            gather => gather,
        };
        enter::Wait { completions, gather, timeout }
    }

    /// Sees to it that a message from another thread ends the sleep. A watch stays, so that a wake
    /// costs neither a read nor another entry; what is written adds up, which in 2^64 sleeps is
    /// never too much.
    fn arm(&mut self) {
        self.armed = true;
        if self.ring.capabilities.multishot_poll {
            return self.submit_entry(encode::watch(self.remote.notifier_number(), WAKE));
        }
        let request = Request::Read {
            fd: self.remote.notifier_number(),
            buf: (&raw mut *self.notified).cast(),
            len: size_of::<u64>() as u32,
            offset: None,
        };
        self.push(&request, WAKE);
    }

    /// Drops what only this backend asked for, and carries out what has become ready.
    fn translate(&mut self, completion: Completion) -> Option<Completion> {
        let Completion { user_data, mut outcome } = completion;
        if !self.awaiting_readiness.is_empty()
            && let Some(Awaiting { attempt, cancelled }) =
                self.awaiting_readiness.remove(&user_data)
        {
            if outcome.result() >= 0 {
                self.try_call(attempt, user_data, cancelled);
                return None;
            }
            outcome = Outcome::plain(attempt.ended_by(outcome.result()));
        }
        self.keep(Completion { user_data, outcome })
    }

    fn keep(&mut self, completion: Completion) -> Option<Completion> {
        match completion.user_data {
            WAKE => {
                self.armed = completion.outcome.more_to_come();
                None
            }
            UserData::NUDGE | TRIAL | TRIAL_CANCEL => None,
            NUDGED => {
                if completion.outcome.result() < 0 {
                    // Which one it was is not told.
                    let nudged = self.nudged.drain(..).filter_map(|known| known.upgrade());
                    nudged.for_each(|notifier| notifier.notify());
                }
                None
            }
            _ => Some(completion),
        }
    }

    fn call_on_pool(&mut self, request: Request, user_data: UserData) {
        self.counters.pool_calls += 1;
        if let Err(errno) = self.offload.start(request, user_data) {
            self.complete_locally(user_data, -errno);
        }
    }

    fn complete_locally(&mut self, user_data: UserData, result: i32) {
        let completion = Completion { user_data, outcome: Outcome::plain(result) };
        if let Some(completion) = self.keep(completion) {
            self.local.push(completion);
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // The driver has drained everything else; what is on the notifier is ours.
        if self.armed {
            self.cancel(WAKE);
            let mut rest = Vec::new();
            for _ in 0..100 {
                let (queued, _) = self.submission_state();
                self.enter_kernel(queued, Some(Some(Duration::from_millis(1))));
                self.reap(&mut rest);
                if !self.armed {
                    break;
                }
            }
            if self.armed {
                Box::leak(std::mem::take(&mut self.notified));
            }
        }
        self.files.forget_all(&self.ring.uring.submitter());
        for pool in self.buf_pools.iter().flatten() {
            let _ = self.ring.uring.submitter().unregister_buf_ring(pool.group());
        }
    }
}

#[cfg(test)]
mod tests;
