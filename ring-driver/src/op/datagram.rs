//! A whole message as it came, and the memory to receive one in.
//!
//! A datagram that does not fit is cut by the kernel and its rest is lost. Hence a receive never
//! uses the caller's buffer, whose size is the caller's business and may be anything by the time an
//! abandoned receive is taken over: it uses one that holds every datagram that UDP can carry, and
//! is reused.

use std::fmt;

use super::control::ControlMessage;
use crate::address::SocketAddress;

/// Room for one message and its control data.
///
/// ```
/// use wakering_ring_driver::op::DatagramBuffer;
///
/// assert!(DatagramBuffer::new().capacity() >= 65_527);
/// ```
pub struct DatagramBuffer {
    pub(super) data: Vec<u8>,
    pub(super) control: Box<[usize; CONTROL_WORDS]>,
}

/// 253 descriptors, the most that a message can carry, and every other kind beside them.
const CONTROL_WORDS: usize = 160;

impl DatagramBuffer {
    /// Room for 64 KiB, the most that UDP can carry and more.
    pub fn new() -> DatagramBuffer {
        DatagramBuffer::with_capacity(1 << 16)
    }

    /// Room for `capacity` bytes: Unix sockets carry messages as large as the sender's buffer.
    pub fn with_capacity(capacity: usize) -> DatagramBuffer {
        DatagramBuffer { data: Vec::with_capacity(capacity), control: Box::new([0; CONTROL_WORDS]) }
    }

    /// The longest message in bytes that is not cut.
    pub fn capacity(&self) -> usize {
        self.data.capacity()
    }
}

impl Default for DatagramBuffer {
    fn default() -> DatagramBuffer {
        DatagramBuffer::new()
    }
}

impl fmt::Debug for DatagramBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatagramBuffer({})", self.capacity())
    }
}

/// One message that was received.
#[derive(Debug)]
#[non_exhaustive]
pub struct Datagram {
    pub(super) buffer: DatagramBuffer,
    /// Who sent it; `None` where the system does not say: on connected streams, from unnamed Unix
    /// sockets.
    pub address: Option<SocketAddress>,
    /// What came with it.
    pub control: Vec<ControlMessage>,
    /// Whether bytes of the message were lost for want of room.
    pub truncated: bool,
    /// Whether control data was lost for want of room. Descriptors among it have been closed.
    pub control_truncated: bool,
}

impl Datagram {
    /// Bytes with nothing beside them.
    pub(crate) fn from_bytes(data: Vec<u8>) -> Datagram {
        let buffer = DatagramBuffer { data, control: Box::new([0; CONTROL_WORDS]) };
        let (truncated, control_truncated) = (false, false);
        Datagram { buffer, address: None, control: Vec::new(), truncated, control_truncated }
    }

    /// The bytes of the message, possibly none.
    pub fn data(&self) -> &[u8] {
        &self.buffer.data
    }

    /// The memory, for the next receive.
    pub fn into_buffer(self) -> DatagramBuffer {
        self.buffer
    }
}
