//! What we ask: an operation is a small value that owns all it lends to the kernel, and [`Op`] is
//! the future around it.
//!
//! The ownership rule, which everything in this crate leans on: *from submission to the final
//! completion the kernel owns what the operation keeps; dropping the future drops only the
//! interest.*

#![allow(unsafe_code)]

use std::io;

use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::{Fd, Shelf};
use crate::request::{Number, Request};

mod accept;
mod at;
mod bind;
mod close;
mod connect;
mod control;
mod datagram;
mod fallocate;
mod fchmod;
mod fsync;
mod ftruncate;
mod future;
mod in_turn;
mod linkat;
mod listen;
mod mkdirat;
mod msg_ring;
mod multi;
mod nop;
mod openat;
mod packed;
mod poll;
mod read;
mod read_vectored;
mod readlinkat;
mod recv;
mod recv_multi;
mod recvmsg;
mod relay;
mod renameat;
mod send;
mod send_zc;
mod sendmsg;
mod shutdown;
mod socket;
mod splice;
mod statx;
mod symlinkat;
mod timeout;
mod transfer;
mod unlinkat;
mod write;
mod write_vectored;

pub use accept::{Accept, AcceptMulti, accept, accept_multi};
pub use bind::{Bind, bind};
pub use close::{Close, close};
pub use connect::{Connect, connect};
pub use control::ControlMessage;
pub use datagram::{Datagram, DatagramBuffer, DatagramParts};
pub use fallocate::{Allocation, Fallocate, fallocate};
pub use fchmod::{Fchmod, fchmod};
pub use fsync::{Fsync, fdatasync, fsync};
pub use ftruncate::{Ftruncate, ftruncate};
pub use future::{Cancel, Op};
pub use in_turn::InTurn;
pub use linkat::{LinkAt, link};
pub use listen::{Listen, listen};
pub use mkdirat::{MkdirAt, mkdir};
pub use msg_ring::{MsgRing, msg_ring};
pub use multi::{Multi, MultiOperation};
pub use nop::{Nop, nop};
pub use openat::{OpenAt, OpenHow, open};
pub use poll::{Interest, Poll, poll};
pub use read::{Read, ReadAt, read, read_at};
pub use read_vectored::{ReadVectored, ReadVectoredAt, read_vectored, read_vectored_at};
pub use readlinkat::{ReadlinkAt, read_link};
pub use recv::{Recv, peek, recv};
pub use recv_multi::{RecvMulti, recv_multi};
pub use recvmsg::{RecvMsg, recv_msg};
pub use relay::{Drain, Fill, Relay, Room, room};
pub use renameat::{RenameAt, rename};
pub use send::{Send, send};
pub use send_zc::{Lent, SendZc, ZeroCopy, send_zc};
pub use sendmsg::{SendMsg, SendVectored, send_msg, send_vectored};
pub use shutdown::{Shutdown, shutdown};
pub use socket::{Domain, Socket, SocketKind, socket};
pub use splice::{Splice, splice};
pub use statx::{FileKind, Stat, Statx, kind_and_len, stat, statx};
pub use symlinkat::{SymlinkAt, symlink};
pub use timeout::{Timeout, timeout};
pub use unlinkat::{UnlinkAt, rmdir, unlink};
pub use write::{Write, WriteAt, write, write_at, write_at_in_turn};
pub use write_vectored::{
    WriteVectored, WriteVectoredAt, write_vectored, write_vectored_at, write_vectored_at_in_turn,
};

pub(crate) use packed::{rooms, unpack};
pub(crate) use recvmsg::recv_msg_now;
pub(crate) use transfer::keep;

/// Which side of a descriptor an operation occupies while it is in flight: at most one per side at
/// a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// None: positioned file I/O, paths, timers. Any number at once.
    Free,
    /// The read side: receives, stream reads, accepts. An abandoned one is adopted by the next.
    Read,
    /// The write side: sends and stream writes. An abandoned one finishes; the next waits for it.
    Write,
}

/// Something a backend can be asked to do, together with everything it lends.
///
/// # Safety
///
/// The *driver* promises:
/// - `request` is called once a flight, with `self` at the address where it stays until the final
///   completion, unless it [may move](Operation::MAY_MOVE), and once more before it for what is
///   tried [at once](Operation::AT_ONCE), with `self` where it stays until the call has returned;
/// - after that `self` is not touched before the final completion but by `serve` and `put_back` as
///   documented there, and not dropped;
/// - exactly one of `complete`, `fail`, `put_back` ends it.
///
/// The *implementer* promises:
/// - every pointer in the request points into `self` or into memory that `self` owns exclusively,
///   or keeps alive and only lends for reading, and stays valid until `self` is dropped, however
///   long that takes;
/// - where it says that it [may move](Operation::MAY_MOVE), none points into `self`.
pub unsafe trait Operation: Sized + 'static {
    /// What awaiting it gives: as a rule `io::Result<T>` or `BufResult<T, B>`.
    type Output;

    /// The kernel's word for it, for errors and dumps: `"recv"`.
    const NAME: &'static str;

    /// The side it occupies.
    const LANE: Lane = Lane::Free;

    /// [`Lane::Write`] only: whether it is tried by a plain call that does not wait, before the
    /// kernel is asked to wait. For what hardly ever waits and comes one after the other: there is
    /// a turn between any two that a ring carries out for the same side.
    const AT_ONCE: bool = false;

    /// Whether the request points nowhere into `self`, only into memory that it owns or keeps alive:
    /// then `self` needs no place of its own while it is in flight.
    const MAY_MOVE: bool = false;

    /// The request, pointing into `self`. `fd` is the number of the descriptor that the operation
    /// was made on, `NONE` where it was made on none.
    fn request(&mut self, fd: Number) -> Request;

    /// The output of a final completion whose result was not negative. Owned results (descriptors,
    /// pooled buffers) are taken over here, also when nobody wants the output any more: it is then
    /// dropped, which closes or recycles them.
    fn complete(self, outcome: Outcome, driver: &Driver) -> Self::Output;

    /// The output of a failed or refused operation; gives back what was lent.
    fn fail(self, error: io::Error) -> Self::Output;

    /// The other descriptor that the request names, if there is one. Neither number becomes
    /// somebody else's before the final completion, and closing either cancels the operation.
    /// [`Lane::Free`] only; of the same driver, which `refuse` sees to.
    fn far_end(&self) -> Option<&Fd> {
        None
    }

    /// Why it must not even be submitted: an empty target, say.
    fn refuse(&self) -> Option<io::Error> {
        None
    }

    /// Lanes only: served from what an abandoned predecessor left, as if the kernel had answered
    /// so.
    fn serve(&mut self, _shelf: &mut Shelf) -> Option<Outcome> {
        None
    }

    /// Lanes only: leaves what the kernel handed over for the next one. Called on a completed
    /// operation that nobody waits for, before it is dropped. Also called with errors, which are
    /// news that the kernel tells only once.
    fn put_back(&mut self, _outcome: Outcome, _shelf: &mut Shelf) {}
}

/// An operation that never waits, so that it may also be carried out on the spot: see [`Op::now`].
pub trait Prompt: Operation {}
