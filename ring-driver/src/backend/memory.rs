//! A backend whose other end a test holds: it sees each request and completes it when, how and as
//! often as it likes.
//!
//! Descriptors are ids from [`FIRST`] on, so that a real system call on one of them fails.
//! Synchronous requests are answered with what a well-behaved kernel would say.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::slice;
use std::time::Duration;

use crate::buffer::{BufPool, Traffic};
use crate::completion::{Completion, Outcome};
use crate::driver::Driver;
use crate::fd::Fd;
use crate::request::{Number, Request, UserData};

/// The first simulated descriptor.
const FIRST: i32 = 1 << 30;

/// The test's end of a memory backend; made by [`Driver::memory`].
#[derive(Clone)]
pub struct Memory(Rc<RefCell<World>>);

#[derive(Default)]
struct World {
    requests: VecDeque<(Request, UserData)>,
    in_flight: Vec<UserData>,
    completions: VecDeque<Completion>,
    /// Answers cancellations by completing the target with `ECANCELED`, as a kernel does that wins
    /// the race.
    cancel_wins: bool,
    /// How many cancellations from now on do not find what they look for.
    misses: u32,
    /// Reports the end of what is cancelled and goes on using its memory.
    broken: bool,
    descriptors: i32,
    /// What files are said to be by whoever answers at once: mode and length.
    described: (u16, u64),
    closed: Vec<i32>,
    pools: [Option<BufPool>; Traffic::COUNT],
}

/// The driver's end.
pub(crate) struct Backend(Rc<RefCell<World>>);

pub(crate) fn new() -> (Backend, Memory) {
    let described = (libc::S_IFREG as u16, 0);
    let world = World { cancel_wins: true, described, ..World::default() };
    let world = Rc::new(RefCell::new(world));
    (Backend(world.clone()), Memory(world))
}

/// A request that the driver has submitted and that waits for its completion.
pub struct Submitted {
    world: Rc<RefCell<World>>,
    request: Request,
    user_data: UserData,
}

impl Memory {
    /// A descriptor of this world, adopted by `driver`.
    pub fn descriptor(&self, driver: &Driver) -> Fd {
        let number = self.0.borrow_mut().new_descriptor();
        Fd::from_number(driver, Number(number))
    }

    /// The oldest request that has not been looked at.
    pub fn next_request(&self) -> Option<Submitted> {
        let (request, user_data) = self.0.borrow_mut().requests.pop_front()?;
        Some(Submitted { world: self.0.clone(), request, user_data })
    }

    /// What files are said to be where that is answered at once: kind and permission bits, as
    /// `st_mode` has them, and the length in bytes. At first they are empty.
    pub fn describe(&self, mode: u16, len: u64) {
        self.0.borrow_mut().described = (mode, len);
    }

    /// Whether cancelling ends an operation at once (the default), or is lost on it and leaves it
    /// to the test.
    pub fn set_cancel_wins(&self, wins: bool) {
        self.0.borrow_mut().cancel_wins = wins;
    }

    /// The next `count` cancellations find nothing and say so, whatever is in flight.
    pub fn miss_cancels(&self, count: u32) {
        self.0.borrow_mut().misses = count;
    }

    /// Plays a kernel that breaks its promise: what is cancelled is reported as ended at once,
    /// while the test may go on writing to its memory. It shows that whoever looks for such writes
    /// finds them.
    ///
    /// # Safety
    /// All that is lent from now on must be memory that may be written to after its owner is gone,
    /// as that of `testing::CheckingBuf` may.
    pub unsafe fn break_promises(&self) {
        self.0.borrow_mut().broken = true;
    }

    /// Operations whose final completion has not been given.
    pub fn in_flight(&self) -> usize {
        self.0.borrow().in_flight.len()
    }

    /// How many descriptors of this world have been closed.
    pub fn closed(&self) -> usize {
        self.0.borrow().closed.len()
    }
}

impl Submitted {
    /// The kernel's word for the request, `"recv"` say.
    pub fn name(&self) -> String {
        let debug = format!("{:?}", self.request);
        debug.split([' ', '(']).next().unwrap_or_default().to_lowercase()
    }

    /// The bytes that a write or send has lent.
    ///
    /// # Panics
    /// As all methods that touch what was lent: if the operation has ended by being cancelled.
    pub fn bytes(&self) -> Vec<u8> {
        self.assert_lent();
        match self.request {
            Request::Write { buf, len, .. }
            | Request::Send { buf, len, .. }
            | Request::SendZc { buf, len, .. } => {
                // SAFETY: lent until the final completion, which only this test gives.
                unsafe { slice::from_raw_parts(buf, len as usize) }.to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// Where in the file a read or write begins, in bytes; `None` for a stream, and for all else.
    pub fn offset(&self) -> Option<u64> {
        match self.request {
            Request::Read { offset, .. }
            | Request::ReadVectored { offset, .. }
            | Request::Write { offset, .. }
            | Request::WriteVectored { offset, .. } => offset,
            _ => None,
        }
    }

    /// Completes a question about a file with its kind and permission bits, as `st_mode` has them,
    /// and its length in bytes.
    pub fn describe(self, mode: u16, len: u64) {
        self.assert_lent();
        let Request::Statx { out, .. } = self.request else {
            panic!("{} asks nothing", self.name())
        };
        // SAFETY: lent for writing until the final completion, which only this test gives.
        unsafe { out.write(described(mode, len)) };
        self.finish(Outcome::plain(0));
    }

    /// Completes it with `result`, finally.
    ///
    /// # Panics
    /// If it claims that memory was filled: that is what [`receive`](Submitted::receive) does. If
    /// it gives a number that may be a real descriptor, and somebody else's: those of this world
    /// begin at 2^30.
    pub fn complete(self, result: i32) {
        let claims = match self.request {
            Request::Read { .. } | Request::ReadVectored { .. } => result > 0,
            Request::Recv { .. } => result > 0,
            // Of a message even the empty one tells what lies in the control memory.
            Request::RecvMsg { .. } | Request::Statx { .. } => result >= 0,
            _ => false,
        };
        assert!(!claims, "{} with {result} would show memory that nobody has written", self.name());
        let makes = matches!(
            self.request,
            Request::Accept { .. }
                | Request::AcceptMulti { .. }
                | Request::OpenAt { .. }
                | Request::Socket { .. }
        );
        let foreign = makes && (0..FIRST).contains(&result);
        assert!(!foreign, "{} with {result} would give away a real descriptor", self.name());
        self.finish(Outcome::plain(result));
    }

    /// Completes a read or receive with as much of `bytes` as fits, finally. How much that was.
    pub fn receive(self, bytes: &[u8]) -> usize {
        self.assert_lent();
        match self.request {
            Request::Read { buf, len, .. } | Request::Recv { buf, len, .. } => {
                let n = bytes.len().min(len as usize);
                // SAFETY: lent for writing until the final completion, which only this test gives.
                unsafe { slice::from_raw_parts_mut(buf, n) }.copy_from_slice(&bytes[..n]);
                self.finish(Outcome::plain(n as i32));
                n
            }
            Request::RecvPooled { .. } | Request::RecvMulti { .. } => {
                let (outcome, n) = self.pooled(bytes, false);
                self.finish(outcome);
                n
            }
            _ => panic!("{} receives nothing", self.name()),
        }
    }

    /// Gives a multishot receive one more item; it stays in flight.
    pub fn receive_more(&self, bytes: &[u8]) -> usize {
        let (outcome, n) = self.pooled(bytes, true);
        self.answer(outcome);
        n
    }

    /// Gives a multishot receive of messages one more, with what a kernel writes before it: how long
    /// it says that name, control data and message are, its flags, the name and the control data.
    /// It stays in flight if there is to be `more`.
    ///
    /// # Panics
    /// If no buffer is left.
    pub fn receive_message(
        &self,
        said: [u32; 4],
        name: &[u8],
        control: &[u8],
        bytes: &[u8],
        more: bool,
    ) {
        self.assert_lent();
        let Request::RecvMsgMulti { message, .. } = self.request else {
            panic!("{} receives no messages", self.name())
        };
        // SAFETY: lent for reading until the final completion, which only this test gives.
        let message = unsafe { message.read() };
        let (name_room, control_room): (usize, usize) =
            (message.msg_namelen as _, message.msg_controllen as _);
        assert!(name.len() <= name_room && control.len() <= control_room);
        let (id, buf, len) = self.select(Traffic::Datagrams).expect("a buffer");
        // SAFETY: a selected buffer belongs to whoever plays the kernel until its completion is
        // taken.
        let buf = unsafe { slice::from_raw_parts_mut(buf, len) };
        let said = said.map(u32::to_ne_bytes);
        let head = said.as_flattened().len() + name_room + control_room;
        buf[..16].copy_from_slice(said.as_flattened());
        buf[16..][..name.len()].copy_from_slice(name);
        buf[16 + name_room..][..control.len()].copy_from_slice(control);
        buf[head..][..bytes.len()].copy_from_slice(bytes);
        if !more {
            self.world.borrow_mut().in_flight.retain(|&flying| flying != self.user_data);
        }
        self.answer(Outcome::buffered((head + bytes.len()) as i32, id, more));
    }

    /// Ends a multishot receive of messages with a result that is none of a message, although a
    /// buffer had been picked for it.
    ///
    /// # Panics
    /// If no buffer is left.
    pub fn fail_message(self) {
        let (id, ..) = self.select(Traffic::Datagrams).expect("a buffer");
        self.finish(Outcome::buffered(1, id, false));
    }

    /// Ends a multishot receive with `errno` although a buffer had been picked for it, as a kernel
    /// may. Whether there was a buffer.
    pub fn fail_buffered(self, errno: i32) -> bool {
        let (outcome, _) = self.pooled(&[], false);
        let Some(id) = outcome.buffer_id() else { return false };
        self.finish(Outcome::buffered(-errno, id, false));
        true
    }

    /// Gives a multishot accept one more connection; it stays in flight.
    pub fn accept_more(&self) {
        let number = self.world.borrow_mut().new_descriptor();
        self.answer(Outcome::plain(number).with_more());
    }

    /// Gives a send that borrows its bytes the first of its two completions: how many of them have
    /// been sent, or why none.
    pub fn sent(&self, result: i32) {
        self.assert_lent();
        self.answer(Outcome::plain(result).with_more());
    }

    /// Gives it the second one: its bytes are read no longer, and may have been `copied`.
    pub fn notify(self, copied: bool) {
        self.finish(Outcome::notification(copied));
    }

    fn pooled(&self, bytes: &[u8], more: bool) -> (Outcome, usize) {
        let Some((id, buf, len)) = self.select(Traffic::Streams) else {
            return (Outcome::plain(-libc::ENOBUFS), 0);
        };
        let n = bytes.len().min(len);
        // SAFETY: a selected buffer belongs to whoever plays the kernel until its completion is
        // taken.
        unsafe { slice::from_raw_parts_mut(buf, n) }.copy_from_slice(&bytes[..n]);
        (Outcome::buffered(n as i32, id, more), n)
    }

    fn select(&self, traffic: Traffic) -> Option<(u16, *mut u8, usize)> {
        self.world.borrow().pools[traffic as usize].as_ref()?.select()
    }

    /// What was lent is its owner's again after the final completion, and that may have come by a
    /// cancel.
    fn assert_lent(&self) {
        let world = self.world.borrow();
        let lent = world.broken || world.in_flight.contains(&self.user_data);
        assert!(lent, "this {} has been cancelled", self.name());
    }

    fn finish(self, outcome: Outcome) {
        self.world.borrow_mut().in_flight.retain(|&flying| flying != self.user_data);
        self.answer(outcome);
    }

    fn answer(&self, outcome: Outcome) {
        let completion = Completion { user_data: self.user_data, outcome };
        self.world.borrow_mut().completions.push_back(completion);
    }
}

fn described(mode: u16, len: u64) -> libc::statx {
    // SAFETY: plain integers, for which zero is a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    (found.stx_mode, found.stx_size) = (mode, len);
    found
}

impl World {
    fn new_descriptor(&mut self) -> i32 {
        self.descriptors += 1;
        FIRST + self.descriptors
    }
}

impl Backend {
    pub(crate) fn push(&mut self, request: &Request, user_data: UserData) {
        let mut world = self.0.borrow_mut();
        world.in_flight.push(user_data);
        world.requests.push_back((*request, user_data));
    }

    pub(crate) fn cancel(&mut self, target: UserData) {
        let mut world = self.0.borrow_mut();
        if world.misses > 0 {
            world.misses -= 1;
            let (user_data, outcome) = (target.cancellation(), Outcome::plain(-libc::ENOENT));
            world.completions.push_back(Completion { user_data, outcome });
        } else if world.cancel_wins && world.in_flight.contains(&target) {
            if !world.broken {
                world.in_flight.retain(|&flying| flying != target);
                world.requests.retain(|&(_, waiting)| waiting != target);
            }
            let outcome = Outcome::plain(-libc::ECANCELED);
            world.completions.push_back(Completion { user_data: target, outcome });
        }
    }

    /// Never sleeps for long: only the test can make something happen, and it runs on this thread.
    pub(crate) fn enter(&mut self, sleep: Option<Option<Duration>>) {
        if sleep.is_some() && !self.has_news() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    pub(crate) fn reap(&mut self, batch: &mut Vec<Completion>) {
        batch.extend(self.0.borrow_mut().completions.drain(..));
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.0.borrow().completions.is_empty()
    }

    pub(crate) fn make_buf_pool(&mut self, traffic: Traffic) -> io::Result<BufPool> {
        let pool = BufPool::with_ring(traffic)?;
        self.0.borrow_mut().pools[traffic as usize] = Some(pool.clone());
        Ok(pool)
    }

    pub(crate) fn call_now(&mut self, request: &Request) -> i32 {
        let mut world = self.0.borrow_mut();
        match *request {
            Request::Socket { .. } => world.new_descriptor(),
            Request::Close { fd } => {
                world.closed.push(fd.0);
                0
            }
            Request::Statx { out, .. } => {
                let (mode, len) = world.described;
                // SAFETY: whoever calls lends it for the length of the call.
                unsafe { out.write(described(mode, len)) };
                0
            }
            // Descriptors of this world are connections over TCP.
            Request::GetSockOpt { name: libc::SO_PROTOCOL, value, .. } => {
                // SAFETY: whoever asks for an integer option keeps room for an integer.
                unsafe { value.cast::<i32>().write_unaligned(libc::IPPROTO_TCP) };
                0
            }
            _ => 0,
        }
    }
}
