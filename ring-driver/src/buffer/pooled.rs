//! One received buffer, on loan to the user.
//!
//! It dereferences to what has not been consumed yet, and gives its memory back exactly once, when
//! it is dropped; also after the socket, the driver or the runtime has gone, because it keeps the
//! memory alive itself.

#![allow(unsafe_code)]

use std::fmt;
use std::mem;
use std::ops::Deref;
use std::rc::Rc;

use super::IoBuf;
use super::pool::Shared;

/// Received bytes that lie in memory of the driver's pool.
///
/// Hold it only while the bytes are needed: the pool is small, and receives that find it empty are
/// slower. Who keeps bytes, or sends them to another thread, takes
/// [`into_vec`](PooledBuf::into_vec).
///
/// ```
/// use wakering_ring_driver::PooledBuf;
///
/// let mut buf = PooledBuf::from(b"key=value".to_vec());
/// assert_eq!(*buf, *b"key=value");
/// buf.advance(4);
/// assert_eq!(*buf, *b"value");
/// assert_eq!(buf.into_vec(), b"value");
/// ```
pub struct PooledBuf {
    start: u32,
    end: u32,
    home: Home,
}

/// Where the bytes lie and where they go afterwards.
enum Home {
    /// In a buffer that the kernel picked from the pool's ring.
    Provided { pool: Rc<Shared>, id: u16 },
    /// In a vector that the pool lent.
    Lent { pool: Rc<Shared>, bytes: Vec<u8> },
    /// In a vector that is nobody else's.
    Owned(Vec<u8>),
}

impl PooledBuf {
    /// A buffer that the caller has marked as taken.
    pub(super) fn provided(pool: Rc<Shared>, id: u16, len: usize) -> PooledBuf {
        PooledBuf { start: 0, end: len as u32, home: Home::Provided { pool, id } }
    }

    pub(super) fn lent(pool: Rc<Shared>, bytes: Vec<u8>) -> PooledBuf {
        PooledBuf { start: 0, end: len_of(&bytes), home: Home::Lent { pool, bytes } }
    }

    /// Drops the first `n` bytes, which have been consumed.
    ///
    /// ```
    /// use wakering_ring_driver::PooledBuf;
    ///
    /// let mut buf = PooledBuf::from(b"abc".to_vec());
    /// buf.advance(3);
    /// assert!(buf.is_empty());
    /// ```
    ///
    /// # Panics
    ///
    /// If there are fewer than `n`.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len(), "cannot consume {n} of {} bytes", self.len());
        self.start += n as u32;
    }

    /// The bytes as a vector of their own; copies unless they lie in one already. The pool gets its
    /// memory back.
    ///
    /// ```
    /// use wakering_ring_driver::PooledBuf;
    ///
    /// assert_eq!(PooledBuf::from(vec![1, 2]).into_vec(), [1, 2]);
    /// ```
    pub fn into_vec(mut self) -> Vec<u8> {
        let (start, end) = (self.start as usize, self.end as usize);
        match &mut self.home {
            Home::Provided { .. } => self.to_vec(),
            Home::Lent { bytes, .. } | Home::Owned(bytes) => {
                let mut bytes = mem::take(bytes);
                bytes.truncate(end);
                bytes.drain(..start);
                bytes
            }
        }
    }
}

/// The length of a vector, of which only the first 4 GiB are looked at; no receive brings more.
fn len_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

impl Drop for PooledBuf {
    fn drop(&mut self) {
        match &mut self.home {
            Home::Provided { pool, id } => pool.give_back(*id),
            Home::Lent { pool, bytes } => pool.keep(mem::take(bytes)),
            Home::Owned(_) => {}
        }
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let (start, end) = (self.start as usize, self.end as usize);
        match &self.home {
            Home::Provided { pool, id } => {
                // SAFETY: The buffer lies in the pool's mapping, which `pool` keeps alive, and has
                // been zeroed at least; `start <= end <= size`. It is taken by this value alone, so
                // the kernel does not write to it.
                unsafe { std::slice::from_raw_parts(pool.address(*id).add(start), end - start) }
            }
            Home::Lent { bytes, .. } | Home::Owned(bytes) => &bytes[start..end],
        }
    }
}

impl AsRef<[u8]> for PooledBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

// SAFETY: The bytes lie in the pool's mapping or on the heap, stay there while the value moves, and
// belong to it alone.
unsafe impl IoBuf for PooledBuf {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        (self.end - self.start) as usize
    }
}

/// Takes the vector as it is, without any pool. Only the first 4 GiB of it are kept.
impl From<Vec<u8>> for PooledBuf {
    fn from(bytes: Vec<u8>) -> PooledBuf {
        PooledBuf { start: 0, end: len_of(&bytes), home: Home::Owned(bytes) }
    }
}

/// Nothing, as at the end of a stream.
impl Default for PooledBuf {
    fn default() -> PooledBuf {
        PooledBuf::from(Vec::new())
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf").field("len", &self.len()).finish_non_exhaustive()
    }
}
