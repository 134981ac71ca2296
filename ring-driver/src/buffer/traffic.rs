//! What the driver receives into pools, and how large these are: streams and datagrams want different
//! buffers, and neither is to find that the other has taken them all.

use super::{BufPool, PooledBuf};

/// What the driver's pools are for. Each has buffers of its own, whose numbers are no other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Streams,
    Datagrams,
}

impl Traffic {
    /// How many there are.
    pub(crate) const COUNT: usize = 2;

    pub(super) fn shape(self) -> Shape {
        match self {
            // In use in normal times are 2 MiB of memory, which is about what the cache of one core
            // holds. Fewer than a turn's completions would make every turn run dry.
            Traffic::Streams => Shape {
                group: 0,
                first: 0,
                entries: 1024,
                working_set: 128,
                headroom: 0,
                size: BufPool::SIZE,
            },
            // A datagram that does not fit is cut, so each buffer holds the longest that there is.
            // Of most of them the cache sees a few lines only.
            Traffic::Datagrams => Shape {
                group: 2,
                first: 1024,
                entries: 256,
                working_set: 64,
                headroom: BufPool::HEADROOM,
                size: PooledBuf::SIZE_MAX,
            },
        }
    }
}

/// How large a pool is, and what it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The number under which the ring is to be registered.
    pub(super) group: u16,
    /// The number of its first buffer.
    pub(super) first: u16,
    /// How many buffers there are at most.
    pub(super) entries: u16,
    /// How many of them are posted as long as nobody holds any.
    pub(super) working_set: u16,
    /// How many bytes of each lie before those that were received, for what the kernel writes about
    /// them.
    pub(super) headroom: usize,
    /// How many bytes each can receive.
    pub(super) size: usize,
}

impl Shape {
    /// From one buffer to the next: a multiple of a cache line.
    pub(super) fn stride(&self) -> usize {
        (self.headroom + self.size).next_multiple_of(64)
    }
}
