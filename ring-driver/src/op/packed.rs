//! Messages as a multishot leaves them: whole in one buffer of the pool, with what belongs to them
//! written before the bytes.
//!
//! ```text
//! | lengths and flags | name      | control data | bytes of the message … |
//! 0                  16         128            320 = BufPool::HEADROOM
//! ```
//!
//! The rooms for name and control data are the same for all, whatever a message makes use of. Nothing
//! that is written there is trusted to lie within its room.

#![allow(unsafe_code)]

use std::mem::zeroed;

use super::control::decode;
use super::datagram::{Body, Datagram};
use crate::address::SocketAddress;
use crate::buffer::{BufPool, PooledBuf};

/// Four numbers (`struct io_uring_recvmsg_out`): how long name, control data and message are, and
/// the flags of the message.
const LENGTHS: usize = 16;
/// As long as the longest name that is in use, that of a Unix socket.
const NAME: usize = 112;
/// Enough for one of each kind that a socket for UDP has to tell.
const CONTROL: usize = BufPool::HEADROOM - LENGTHS - NAME;

const _: () = {
    assert!(NAME >= size_of::<libc::sockaddr_un>());
    assert!((LENGTHS + NAME).is_multiple_of(align_of::<libc::cmsghdr>()));
};

/// The header by which a multishot is told of the rooms.
pub(crate) fn rooms() -> libc::msghdr {
    // SAFETY: null pointers and zero lengths are valid in it.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_namelen = NAME as u32;
    header.msg_controllen = CONTROL as _;
    header
}

/// The message that a completion with this `result` has brought in the buffer `id` of `pool`. A
/// result that is less than the rooms take is none of a message.
///
/// To be called once for each completion.
pub(crate) fn unpack(pool: &BufPool, id: u16, result: i32) -> Option<Datagram> {
    let len = usize::try_from(result).ok().and_then(|len| len.checked_sub(BufPool::HEADROOM));
    let bytes = pool.take(id, len.unwrap_or(0));
    len?;
    let head = Head::of(&bytes)?;
    let name = head.name();
    let address = (!name.is_empty()).then(|| SocketAddress::from_bytes(name));
    // SAFETY: they come from a receive that has just completed, and are unpacked once.
    let control = unsafe { decode(head.control()) };
    let flags = head.flags();
    Some(Datagram {
        body: Body::Pooled(pool.aside(bytes)),
        address,
        control,
        truncated: flags & libc::MSG_TRUNC != 0,
        control_truncated: flags & libc::MSG_CTRUNC != 0,
    })
}

/// What lies before the bytes.
struct Head<'a>(&'a [u8; BufPool::HEADROOM]);

impl Head<'_> {
    fn of(bytes: &PooledBuf) -> Option<Head<'_>> {
        bytes.head().try_into().ok().map(Head)
    }

    fn number(&self, index: usize) -> u32 {
        let (numbers, _) = self.0.as_chunks();
        u32::from_ne_bytes(numbers[index])
    }

    /// The kernel says how long the name is, also where the room was too small for it.
    fn name(&self) -> &[u8] {
        &self.0[LENGTHS..][..NAME.min(self.number(0) as usize)]
    }

    fn control(&self) -> &[u8] {
        &self.0[LENGTHS + NAME..][..CONTROL.min(self.number(1) as usize)]
    }

    fn flags(&self) -> i32 {
        self.number(3) as i32
    }
}
