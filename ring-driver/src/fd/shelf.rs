//! What abandoned operations left on a side, and what multishots brought: served to the next one
//! before the kernel is asked again.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::ptr;

use super::Line;
use super::closing::own;
use crate::address::SocketAddress;
use crate::buffer::{PooledBuf, Traffic};
use crate::op::{Datagram, DatagramParts};
use crate::request::Number;

/// How many connections may lie on a shelf before the multishot that brings more is stopped.
const ACCEPTED_AHEAD: usize = 16;
/// How many chunks may. Each keeps a buffer of the pool from the others.
const CHUNKS_AHEAD: usize = 8;
/// How many datagrams may.
const DATAGRAMS_AHEAD: usize = 16;

/// What was handed over while nobody waited, and what multishots have brought. Order is the order
/// of arrival.
#[derive(Default)]
pub struct Shelf {
    /// Bytes of a stream. No chunk is empty.
    pub(crate) chunks: Line<PooledBuf>,
    /// Connections that nobody has accepted yet.
    pub(crate) accepted: VecDeque<(Number, Option<SocketAddress>)>,
    /// Whole datagrams.
    pub(crate) datagrams: VecDeque<Datagram>,
    /// An errno that the kernel tells only once.
    pub(crate) error: Option<i32>,
    /// A prefetch has seen the end of the stream; to be told once, the kernel will say so again.
    pub(crate) end: bool,
    /// Data is there, for which there was no pooled buffer.
    pub(crate) readable: bool,
    /// A prefetch ended because the kernel found no pooled buffer.
    pub(crate) starved: bool,
    /// A write-behind send found that the descriptor is no socket.
    pub(crate) no_socket: bool,
    /// Bytes for the next write-behind send.
    pub(crate) queue: Vec<u8>,
    /// What a write-behind send did not get rid of yet.
    pub(crate) unsent: Option<(Vec<u8>, usize)>,
}

/// What leaves with a descriptor that is given back: all that the kernel had handed over or told and
/// nobody has taken, in the order in which it came.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Leftovers {
    /// Of a stream.
    pub bytes: Vec<u8>,
    /// Of a socket for datagrams.
    pub datagrams: Vec<DatagramParts>,
    /// Of a listener.
    pub connections: Vec<OwnedFd>,
    /// How receiving has failed after all that. The kernel tells it once: who reads on finds the end
    /// of a stream that is not complete.
    pub error: Option<io::Error>,
    /// Why not all was sent that had been queued.
    pub unsent: Option<io::Error>,
}

impl Shelf {
    /// Whether nothing lies here, nor memory for much.
    pub(super) fn is_empty(&self) -> bool {
        let flags = self.end || self.readable || self.starved || self.no_socket;
        !flags
            && self.chunks.is_empty()
            && self.error.is_none()
            && self.unsent.is_none()
            && self.queue.capacity() == 0
            && self.accepted.capacity() == 0
            && self.datagrams.capacity() == 0
    }

    /// Whether bytes are left, in whatever form they were received.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.chunks.is_empty() || !self.datagrams.is_empty()
    }

    /// What lies here, and why what was queued was not sent.
    pub(super) fn into_leftovers(self, unsent: Option<i32>) -> Leftovers {
        let mut bytes = Vec::new();
        for chunk in self.chunks.iter() {
            bytes.extend_from_slice(chunk);
        }
        let connections = self.accepted.into_iter().map(|(number, _)| own(number)).collect();
        let [error, unsent] =
            [self.error, unsent].map(|told| told.map(io::Error::from_raw_os_error));
        let datagrams = self.datagrams.into_iter().map(Datagram::into_parts).collect();
        Leftovers { bytes, datagrams, connections, error, unsent }
    }

    /// One with what had come for a descriptor before it was this driver's, if there is anything.
    pub(super) fn of_leftovers(leftovers: Leftovers) -> Option<Box<Shelf>> {
        let Leftovers { bytes, datagrams, connections, error, .. } = leftovers;
        let datagrams = datagrams.into_iter().map(Datagram::from).collect();
        let mut shelf = Shelf { datagrams, ..Shelf::default() };
        if !bytes.is_empty() {
            shelf.chunks.push_back(PooledBuf::from(bytes));
        }
        let numbers = connections.into_iter().map(|owned| (Number(owned.into_raw_fd()), None));
        shelf.accepted.extend(numbers);
        shelf.error = error.and_then(|error| error.raw_os_error());
        let is_empty = !shelf.has_bytes() && shelf.accepted.is_empty() && shelf.error.is_none();
        (!is_empty).then(|| Box::new(shelf))
    }

    /// Whether as much lies here as a multishot may bring while nobody fetches it. Where buffers are
    /// `scarce`, that is one.
    pub(crate) fn is_full(&self, scarce: impl Fn(Traffic) -> bool) -> bool {
        let is_full = |len, most, traffic| len >= most || (len > 0 && scarce(traffic));
        is_full(self.chunks.len(), CHUNKS_AHEAD, Traffic::Streams)
            || is_full(self.datagrams.len(), DATAGRAMS_AHEAD, Traffic::Datagrams)
            || self.accepted.len() >= ACCEPTED_AHEAD
    }

    /// Leaves a copy of `bytes` for the next reader.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.chunks.push_back(PooledBuf::from(bytes.to_vec()));
        }
    }

    /// The next bytes of a stream, however they were received. What a message carried beside its
    /// bytes is dropped, as by any receive that has no room for it.
    pub(crate) fn next_chunk(&mut self) -> Option<PooledBuf> {
        while let Some(message) = self.datagrams.pop_front() {
            self.put_bytes(message.data());
        }
        self.chunks.pop_front()
    }

    /// The next message. Bytes of a stream that were received without its control data are one too.
    pub(crate) fn next_datagram(&mut self) -> Option<Datagram> {
        let bytes = self.chunks.pop_front().map(Datagram::from_bytes);
        bytes.or_else(|| self.datagrams.pop_front())
    }

    /// Copies up to `len` bytes to `target`, taking them unless `peek`. `None` if there are none.
    ///
    /// # Safety
    /// `target` is valid for writes of `len` bytes.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn read_into(
        &mut self,
        target: *mut u8,
        len: usize,
        peek: bool,
    ) -> Option<usize> {
        let mut copied = 0;
        let mut copy = |bytes: &[u8]| {
            let n = bytes.len().min(len - copied);
            // SAFETY: `copied + n <= len`, for which the caller vouches; what lies here never
            // overlaps a caller's buffer.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target.add(copied), n) };
            copied += n;
            n
        };
        // A datagram is read by itself, and what there is no room for is lost with it.
        if self.chunks.is_empty()
            && let Some(datagram) = self.datagrams.front().filter(|front| front.address.is_some())
        {
            copy(datagram.data());
            if !peek {
                self.datagrams.pop_front();
            }
            return Some(copied);
        }
        if peek {
            for chunk in self.chunks.iter() {
                copy(chunk);
            }
            for message in &self.datagrams {
                copy(message.data());
            }
        } else {
            while let Some(mut chunk) = self.next_chunk() {
                let n = copy(&chunk);
                if n < chunk.len() {
                    chunk.advance(n);
                    self.chunks.push_front(chunk);
                    break;
                }
            }
        }
        (copied > 0).then_some(copied)
    }
}
