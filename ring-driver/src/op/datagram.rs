//! A whole message as it came, and the memory to receive one in.
//!
//! A datagram that does not fit is cut by the kernel and its rest is lost. Hence a receive never
//! uses the caller's buffer, whose size is the caller's business and may be anything by the time an
//! abandoned receive is taken over: it uses one that holds every datagram that UDP can carry, and
//! is reused.

use std::fmt;

use super::control::ControlMessage;
use crate::address::SocketAddress;
use crate::buffer::PooledBuf;

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
    pub(super) body: Body,
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

/// Where the bytes of a message lie.
#[derive(Debug)]
pub(super) enum Body {
    /// In memory that was given for it.
    Lent(DatagramBuffer),
    /// In a buffer of the driver's pool, or in one that held the bytes of a stream.
    Pooled(PooledBuf),
}

impl Datagram {
    /// Bytes with nothing beside them.
    pub(crate) fn from_bytes(bytes: PooledBuf) -> Datagram {
        Datagram {
            body: Body::Pooled(bytes),
            address: None,
            control: Vec::new(),
            truncated: false,
            control_truncated: false,
        }
    }

    /// The bytes of the message, possibly none.
    pub fn data(&self) -> &[u8] {
        match &self.body {
            Body::Lent(buffer) => &buffer.data,
            Body::Pooled(bytes) => bytes,
        }
    }

    /// The message in memory of its own, which may go anywhere.
    pub fn into_parts(self) -> DatagramParts {
        let Datagram { body, address, control, truncated, control_truncated } = self;
        let bytes = match body {
            Body::Lent(buffer) => buffer.data,
            Body::Pooled(bytes) => bytes.into_vec(),
        };
        DatagramParts { bytes, address, control, truncated, control_truncated }
    }

    /// The bytes of the message, where they lie.
    pub fn into_bytes(self) -> PooledBuf {
        match self.body {
            Body::Lent(buffer) => buffer.data.into(),
            Body::Pooled(bytes) => bytes,
        }
    }

    /// The memory that was given for it, for the next receive; new memory where it did not take
    /// any.
    pub fn into_buffer(self) -> DatagramBuffer {
        match self.body {
            Body::Lent(buffer) => buffer,
            Body::Pooled(_) => DatagramBuffer::new(),
        }
    }

    /// The same in `buffer`, if it lies in the pool.
    pub(super) fn moved_to(self, mut buffer: DatagramBuffer) -> Datagram {
        let Body::Pooled(bytes) = &self.body else { return self };
        buffer.data.clear();
        buffer.data.extend_from_slice(bytes);
        Datagram { body: Body::Lent(buffer), ..self }
    }
}

/// A message in memory of its own: unlike a [`Datagram`] it may be sent to other threads.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct DatagramParts {
    pub bytes: Vec<u8>,
    pub address: Option<SocketAddress>,
    pub control: Vec<ControlMessage>,
    pub truncated: bool,
    pub control_truncated: bool,
}

impl From<DatagramParts> for Datagram {
    fn from(parts: DatagramParts) -> Datagram {
        let DatagramParts { bytes, address, control, truncated, control_truncated } = parts;
        let body = Body::Pooled(bytes.into());
        Datagram { body, address, control, truncated, control_truncated }
    }
}
