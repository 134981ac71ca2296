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
pub struct PooledBuf(Home);

/// Where the bytes lie and where they go afterwards. As small as can be: whoever reads or sends has
/// some of these in his future.
#[derive(Default)]
enum Home {
    /// In a buffer that the kernel picked from the pool's ring.
    Provided { pool: Rc<Shared>, id: u16, start: u16, end: u16 },
    /// In a vector.
    Vector(Box<Vector>),
    #[default]
    Nowhere,
}

const _: () = assert!(size_of::<PooledBuf>() == 16);

/// Bytes outside of the ring.
pub(crate) struct Vector {
    pub(crate) bytes: Vec<u8>,
    start: usize,
    /// Who has lent it, if anybody.
    pool: Option<Rc<Shared>>,
}

impl Vector {
    pub(super) fn with_capacity(size: usize) -> Vector {
        Vector { bytes: Vec::with_capacity(size), start: 0, pool: None }
    }
}

impl PooledBuf {
    /// How large a buffer may be.
    pub(super) const SIZE_MAX: usize = u16::MAX as usize;

    /// A buffer that the caller has marked as taken.
    pub(super) fn provided(pool: Rc<Shared>, id: u16, len: usize) -> PooledBuf {
        debug_assert!(len <= PooledBuf::SIZE_MAX);
        PooledBuf(Home::Provided { pool, id, start: 0, end: len as u16 })
    }

    pub(super) fn lent(pool: Rc<Shared>, mut vector: Box<Vector>) -> PooledBuf {
        (vector.start, vector.pool) = (0, Some(pool));
        PooledBuf(Home::Vector(vector))
    }

    /// What the kernel has written about the bytes, where they lie in a buffer that has room for
    /// that.
    pub(crate) fn head(&self) -> &[u8] {
        let Home::Provided { pool, id, .. } = &self.0 else { return &[] };
        let (start, len) = pool.head(*id);
        // SAFETY: as for the bytes themselves, before which these lie in the same buffer.
        unsafe { std::slice::from_raw_parts(start, len) }
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
        match &mut self.0 {
            Home::Provided { start, .. } => *start += n as u16,
            Home::Vector(vector) => vector.start += n,
            Home::Nowhere => {}
        }
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
        match &mut self.0 {
            Home::Provided { .. } => self.to_vec(),
            Home::Vector(vector) => {
                let mut bytes = mem::take(&mut vector.bytes);
                bytes.drain(..vector.start);
                bytes
            }
            Home::Nowhere => Vec::new(),
        }
    }
}

impl Drop for PooledBuf {
    #[inline]
    fn drop(&mut self) {
        match mem::take(&mut self.0) {
            Home::Provided { pool, id, .. } => pool.give_back(id),
            Home::Vector(mut vector) => {
                if let Some(pool) = vector.pool.take() {
                    pool.keep(vector);
                }
            }
            Home::Nowhere => {}
        }
    }
}

impl Deref for PooledBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Home::Provided { pool, id, start, end } => {
                let (start, end) = (usize::from(*start), usize::from(*end));
                // SAFETY: The buffer lies in the pool's mapping, which `pool` keeps alive, and has
                // been zeroed at least; `start <= end <= size`. It is taken by this value alone, so
                // the kernel does not write to it.
                unsafe { std::slice::from_raw_parts(pool.address(*id).add(start), end - start) }
            }
            Home::Vector(vector) => &vector.bytes[vector.start..],
            Home::Nowhere => &[],
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
        match &self.0 {
            Home::Provided { start, end, .. } => usize::from(end - start),
            Home::Vector(vector) => vector.bytes.len() - vector.start,
            Home::Nowhere => 0,
        }
    }
}

/// Takes the vector as it is, without any pool.
impl From<Vec<u8>> for PooledBuf {
    fn from(bytes: Vec<u8>) -> PooledBuf {
        PooledBuf(Home::Vector(Box::new(Vector { bytes, start: 0, pool: None })))
    }
}

/// Nothing, as at the end of a stream.
impl Default for PooledBuf {
    fn default() -> PooledBuf {
        PooledBuf(Home::Nowhere)
    }
}

impl fmt::Debug for PooledBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledBuf").field("len", &self.len()).finish_non_exhaustive()
    }
}
