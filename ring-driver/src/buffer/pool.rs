//! Buffers that the kernel picks from: memory is bound to a receive only when there is something to
//! receive.
//!
//! A pool is one *provided-buffer ring*: an array of (address, length, id) that lies in memory
//! shared with the kernel. We write entries and publish the tail; the kernel takes an entry at its
//! head when data has arrived, and names the id in the completion. So a thousand idle connections
//! need no buffer at all. The life of one buffer:
//!
//! ```text
//! spare ◄──► posted ──a completion names it: take()──► taken (a PooledBuf) ──drop──► posted or spare
//! ```
//!
//! The kernel goes through all that is posted, in a circle, so that the *working set* which is
//! posted should fit into the cache. Whoever holds buffers for long takes them out of that circle:
//! when it runs dry, spare ones are posted instead, and what comes back beyond the working set is
//! spare again. So neither a slow reader nor a burst stops the others, and memory has a bound.
//!
//! Kernels without such rings get the same pool in its *plain* form: a bounded list of reusable
//! vectors. The ring form lends vectors too, for the one receive that must go on when all buffers
//! are taken, so that an empty pool cannot stop the world. Which form it is shows nowhere but in
//! where the bytes of a [`PooledBuf`] lie.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem::{offset_of, size_of};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::area::Area;
use super::pooled::{PooledBuf, Vector};

/// A bounded set of equal buffers that receives share.
///
/// The driver has one; it is public for its figures, as in [`BufPool::stats`].
///
/// A handle: clones are the same pool, whose memory lives as long as any of them or any
/// [`PooledBuf`] does.
#[derive(Clone)]
pub struct BufPool {
    shared: Rc<Shared>,
}

/// What a pool has done since it was made; see [`BufPool::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Provided buffers that completions brought.
    pub taken: u64,
    /// Provided buffers that were given back.
    pub returned: u64,
    /// Vectors lent from the list of idle ones.
    pub reused: u64,
    /// Vectors that had to be allocated.
    pub allocated: u64,
    /// Spare buffers that were posted because the kernel had found none.
    pub grown: u64,
}

pub(super) struct Shared {
    group: u16,
    /// How many buffers there are at most.
    entries: u16,
    /// How many of them are posted as long as nobody holds any.
    working_set: u16,
    size: usize,
    form: Form,
    /// Boxed as they lie in a `PooledBuf`.
    #[allow(clippy::vec_box)]
    idle: RefCell<Vec<Box<Vector>>>,
    stats: Cell<PoolStats>,
}

enum Form {
    Ring(Ring),
    Plain,
}

/// The ring form: entries shared with the kernel, and the buffers that they describe.
struct Ring {
    entries: Area,
    data: Area,
    tail: Cell<u16>,
    /// Where the kernel would be; only used by those who play the kernel.
    head: Cell<u16>,
    /// Ids that are neither posted nor taken; the last one was used last.
    spare: RefCell<Vec<u16>>,
    /// By id. A second `PooledBuf` for one buffer would alias it, so this is checked in release
    /// builds too.
    taken: Box<[Cell<bool>]>,
    available: Cell<u16>,
}

/// `struct io_uring_buf`. The ring's tail lies over `reserved` of the first entry, so only the
/// other fields are written.
#[repr(C)]
struct Entry {
    address: u64,
    len: u32,
    id: u16,
    reserved: u16,
}

const _: () = {
    assert!(size_of::<Entry>() == 16);
    assert!(offset_of!(Entry, address) == 0);
    assert!(offset_of!(Entry, len) == 8);
    assert!(offset_of!(Entry, id) == 12);
    assert!(offset_of!(Entry, reserved) == 14);
};

impl BufPool {
    /// How many buffers the driver's pool has.
    const ENTRIES: u16 = 1024;
    /// How many of them are in use in normal times: 2 MiB of memory, which is about what the cache
    /// of one core holds. Fewer than a turn's completions would make every turn run dry.
    const WORKING_SET: u16 = 128;
    /// How many idle vectors it keeps beside a ring.
    const IDLE: usize = 16;
    /// How many bytes each of them holds.
    pub(crate) const SIZE: usize = 16 * 1024;

    /// The driver's pool, with a ring that the backend may register.
    pub(crate) fn with_ring() -> io::Result<BufPool> {
        BufPool::ring(0, BufPool::WORKING_SET, BufPool::ENTRIES, BufPool::SIZE)
    }

    /// The driver's pool for plain calls, which pick from it themselves: few are in use at a time,
    /// so that each may be larger, and a message that fills one is rare.
    pub(crate) fn for_calls() -> io::Result<BufPool> {
        BufPool::ring(0, 0, BufPool::ENTRIES / 2, 2 * BufPool::SIZE)
    }

    /// The driver's pool where there is no ring.
    pub(crate) fn without_ring() -> BufPool {
        BufPool::plain(BufPool::WORKING_SET, BufPool::SIZE)
    }

    /// A pool of at most `entries` buffers (a power of two) of `size` bytes, of which `working_set`
    /// are posted in a ring that the backend may register as `group`.
    ///
    /// Whoever registers it keeps a handle until the kernel has forgotten the ring, or leaks one.
    fn ring(group: u16, working_set: u16, entries: u16, size: usize) -> io::Result<BufPool> {
        assert!(
            entries.is_power_of_two() && entries <= 1 << 15,
            "the kernel takes powers of two up to 32768"
        );
        assert!(working_set <= entries && 0 < size && size <= PooledBuf::SIZE_MAX);
        let data = Area::map(usize::from(entries) * size)?;
        data.keep_from_children()?;
        // The entries stay in forked children: there a `PooledBuf` that is dropped writes to the
        // child's private copy, which harms nobody, where a missing page would kill it.
        let ring = Ring {
            entries: Area::map(usize::from(entries) * size_of::<Entry>())?,
            data,
            tail: Cell::new(0),
            head: Cell::new(0),
            spare: RefCell::new((working_set..entries).rev().collect()),
            taken: (0..entries).map(|_| Cell::new(false)).collect(),
            available: Cell::new(0),
        };
        for id in 0..working_set {
            ring.post(id, size);
        }
        Ok(BufPool::new(group, working_set, entries, size, Form::Ring(ring)))
    }

    /// A pool without a ring, which keeps up to `entries` idle vectors of `size` bytes.
    fn plain(entries: u16, size: usize) -> BufPool {
        BufPool::new(0, entries, entries, size, Form::Plain)
    }

    fn new(group: u16, working_set: u16, entries: u16, size: usize, form: Form) -> BufPool {
        let (idle, stats) = (RefCell::default(), Cell::default());
        BufPool { shared: Rc::new(Shared { group, entries, working_set, size, form, idle, stats }) }
    }

    /// Whether there is a ring to register.
    pub(crate) fn has_ring(&self) -> bool {
        matches!(self.shared.form, Form::Ring(_))
    }

    /// Where the ring's entries lie, for registering it; 0 if there is none.
    pub(crate) fn ring_address(&self) -> u64 {
        match &self.shared.form {
            Form::Ring(ring) => ring.entries.start() as u64,
            Form::Plain => 0,
        }
    }

    /// How many buffers the pool has, or at most keeps idle.
    pub(crate) fn entries(&self) -> u16 {
        self.shared.entries
    }

    /// The number under which the ring is to be registered.
    pub(crate) fn group(&self) -> u16 {
        self.shared.group
    }

    /// How many provided buffers no completion has brought yet; always 0 without a ring.
    ///
    /// The kernel may have picked some of these already, so that a receive can find the ring empty
    /// before this is 0.
    pub(crate) fn available(&self) -> u16 {
        match &self.shared.form {
            Form::Ring(ring) => ring.available.get(),
            Form::Plain => 0,
        }
    }

    /// Posts a spare buffer for a receive that would find none. Whether there was one.
    pub(crate) fn grow(&self) -> bool {
        let Form::Ring(ring) = &self.shared.form else { return false };
        let Some(id) = ring.spare.borrow_mut().pop() else { return false };
        ring.post(id, self.shared.size);
        self.shared.count(|stats| stats.grown += 1);
        true
    }

    /// The buffer that a completion named, with the `len` bytes that it brought.
    ///
    /// To be called for *every* completion that names one, also for failed, cancelled and orphaned
    /// operations, and then dropped if nobody wants it: the kernel has taken the buffer out of the
    /// ring.
    ///
    /// # Panics
    ///
    /// If the pool has no such buffer, it is already taken, or holds less than `len`: completions
    /// and pool have come apart, and going on would hand one buffer to two owners.
    pub(crate) fn take(&self, id: u16, len: usize) -> PooledBuf {
        let Form::Ring(ring) = &self.shared.form else {
            panic!("completion with buffer {id}, but there is no ring")
        };
        assert!(id < self.shared.entries, "completion with buffer {id} of {}", self.shared.entries);
        assert!(
            !ring.taken[usize::from(id)].replace(true),
            "completion with buffer {id}, which is already taken"
        );
        assert!(
            len <= self.shared.size,
            "completion with {len} bytes in a buffer of {}",
            self.shared.size
        );
        ring.available.update(|count| count - 1);
        self.shared.count(|stats| stats.taken += 1);
        PooledBuf::provided(Rc::clone(&self.shared), id, len)
    }

    /// The same for bytes that may lie for long: where buffers are scarce, few bytes are copied, so
    /// that they do not keep a whole one from the others.
    pub(crate) fn take_aside(&self, id: u16, len: usize) -> PooledBuf {
        let bytes = self.take(id, len);
        match len <= self.shared.size / 8 && self.is_scarce() {
            true => PooledBuf::from(bytes.to_vec()),
            false => bytes,
        }
    }

    /// Whether so many buffers are taken that no second working set is left. Never without a ring.
    pub(crate) fn is_scarce(&self) -> bool {
        match &self.shared.form {
            Form::Ring(ring) => ring.spare.borrow().len() < usize::from(self.shared.working_set),
            Form::Plain => false,
        }
    }

    /// Plays the kernel: picks the next posted buffer (id, address, length) for a receive that has
    /// data. The completion then names the id.
    ///
    /// Only for backends that do not register the ring.
    pub(crate) fn select(&self) -> Option<(u16, *mut u8, usize)> {
        let Form::Ring(ring) = &self.shared.form else {
            return None;
        };
        let head = ring.head.get();
        if head == ring.tail.get() {
            return None;
        }
        ring.head.set(head.wrapping_add(1));
        let entry = ring.entry(head);
        // SAFETY: `entry` is inside the mapping, was written by `post`, and no kernel knows of it.
        let (id, address, len) = unsafe { ((*entry).id, (*entry).address, (*entry).len) };
        Some((id, address as *mut u8, len as usize))
    }

    /// Puts the buffer that was selected last back: nothing was received. No other may have been
    /// selected or taken since.
    pub(crate) fn unselect(&self) {
        if let Form::Ring(ring) = &self.shared.form {
            ring.head.update(|head| head.wrapping_sub(1));
        }
    }

    /// Has `call` receive into the spare buffer that was used last, and is still in the cache: what
    /// it said, and the bytes if there are any. `None` if no buffer is spare.
    #[inline]
    pub(crate) fn receive(
        &self,
        call: impl FnOnce(*mut u8, u32) -> i32,
    ) -> Option<Result<PooledBuf, i32>> {
        let Form::Ring(ring) = &self.shared.form else { return None };
        let mut spare = ring.spare.borrow_mut();
        let id = *spare.last()?;
        let received = call(ring.address(id, self.shared.size), self.shared.size as u32);
        let len = match received {
            1.. => received as usize,
            0 => return Some(Ok(PooledBuf::default())),
            error => return Some(Err(error)),
        };
        assert!(len <= self.shared.size, "{len} bytes in a buffer of {}", self.shared.size);
        spare.pop();
        ring.taken[usize::from(id)].set(true);
        self.shared.count(|stats| stats.taken += 1);
        Some(Ok(PooledBuf::provided(Rc::clone(&self.shared), id, len)))
    }

    /// An empty vector with room for one buffer, for a receive that picks none.
    pub(crate) fn lend(&self) -> Box<Vector> {
        let idle = self.shared.idle.borrow_mut().pop();
        self.shared.count(|stats| match idle {
            Some(_) => stats.reused += 1,
            None => stats.allocated += 1,
        });
        idle.unwrap_or_else(|| Box::new(Vector::with_capacity(self.shared.size)))
    }

    /// A vector from [`lend`](BufPool::lend) with what was received, which comes back when dropped.
    pub(crate) fn wrap(&self, vector: Box<Vector>) -> PooledBuf {
        PooledBuf::lent(Rc::clone(&self.shared), vector)
    }

    /// What the pool has done since it was made.
    pub fn stats(&self) -> PoolStats {
        self.shared.stats.get()
    }
}

impl Shared {
    /// The bytes of a taken buffer.
    pub(super) fn address(&self, id: u16) -> *mut u8 {
        let Form::Ring(ring) = &self.form else { unreachable!("only a ring provides buffers") };
        ring.address(id, self.size)
    }

    /// Posts a taken buffer again, if it is needed.
    pub(super) fn give_back(&self, id: u16) {
        let Form::Ring(ring) = &self.form else { unreachable!("only a ring provides buffers") };
        let was_taken = ring.taken[usize::from(id)].replace(false);
        debug_assert!(was_taken, "a `PooledBuf` is the only owner of its buffer");
        if ring.available.get() < self.working_set {
            ring.post(id, self.size);
        } else {
            ring.spare.borrow_mut().push(id);
        }
        self.count(|stats| stats.returned += 1);
    }

    /// Keeps a lent vector for the next receive, unless enough are idle or it is none of ours.
    pub(super) fn keep(&self, mut vector: Box<Vector>) {
        let most = match self.form {
            Form::Ring(_) => BufPool::IDLE,
            Form::Plain => usize::from(self.entries),
        };
        let mut idle = self.idle.borrow_mut();
        if idle.len() < most && vector.bytes.capacity() == self.size {
            vector.bytes.clear();
            idle.push(vector);
        }
    }

    fn count(&self, change: impl FnOnce(&mut PoolStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }
}

impl Ring {
    /// Writes an entry and publishes it. There is room: the ring has as many entries as there are
    /// buffers.
    fn post(&self, id: u16, size: usize) {
        let tail = self.tail.get();
        let entry = self.entry(tail);
        // SAFETY: `entry` is inside the mapping, and the kernel does not read it before the tail
        // says so. Writing field by field leaves alone `reserved`, which in the first entry is the
        // tail.
        unsafe {
            (*entry).address = self.address(id, size) as u64;
            (*entry).len = size as u32;
            (*entry).id = id;
        }
        let tail = tail.wrapping_add(1);
        self.tail.set(tail);
        // Release: whoever sees the tail, sees the entry.
        self.shared_tail().store(tail, Ordering::Release);
        self.available.update(|count| count + 1);
    }

    fn entry(&self, index: u16) -> *mut Entry {
        let mask = self.taken.len() - 1;
        self.entries.start().cast::<Entry>().wrapping_add(usize::from(index) & mask)
    }

    fn address(&self, id: u16, size: usize) -> *mut u8 {
        self.data.start().wrapping_add(usize::from(id) * size)
    }

    fn shared_tail(&self) -> &AtomicU16 {
        let tail = self.entries.start().wrapping_add(offset_of!(Entry, reserved)).cast();
        // SAFETY: Two aligned bytes inside the mapping, which outlives `self` and which we access
        // only atomically.
        unsafe { AtomicU16::from_ptr(tail) }
    }
}

impl fmt::Debug for BufPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufPool")
            .field("entries", &self.shared.entries)
            .field("size", &self.shared.size)
            .field("has_ring", &self.has_ring())
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
