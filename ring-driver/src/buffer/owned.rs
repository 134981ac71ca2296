//! The owned buffers of std and of `bytes`, lent as they are.
//!
//! What is shared (`Rc`, `Arc`, `Bytes`) or has an invariant of its own (`String`) is lent for
//! reading only.

#![allow(unsafe_code)]

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{IoBuf, IoBufMut};

/// Lends what a type dereferences to; for types whose bytes lie elsewhere than in the value itself,
/// so that it may move.
macro_rules! lend_for_reading {
    ($($(#[$why:meta])* [$($generics:tt)*] $owner:ty,)*) => {$(
        // SAFETY: The bytes are initialised, lie behind a pointer that moves with the value, and
        // are changed by nobody: the owner is unique, or shared for reading only. The methods are
        // std's or bytes' own.
        unsafe impl<$($generics)*> IoBuf for $owner {
            fn as_ptr(&self) -> *const u8 {
                AsRef::<[u8]>::as_ref(self).as_ptr()
            }

            fn len(&self) -> usize {
                AsRef::<[u8]>::as_ref(self).len()
            }
        }
    )*};
}

lend_for_reading! {
    [] String,
    [] Bytes,
    [] Box<[u8]>,
    [] Rc<[u8]>,
    [] Arc<[u8]>,
    [] &'static [u8],
    [] &'static str,
    [const N: usize] &'static [u8; N],
}

// SAFETY: A box is unique, and its bytes, all of them initialised, are its own. The length is
// fixed.
unsafe impl IoBufMut for Box<[u8]> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        <[u8]>::as_mut_ptr(self)
    }

    unsafe fn set_len(&mut self, _len: usize) {}
}

// SAFETY: As for `Box<[u8]>`.
unsafe impl<const N: usize> IoBuf for Box<[u8; N]> {
    fn as_ptr(&self) -> *const u8 {
        self[..].as_ptr()
    }

    fn len(&self) -> usize {
        N
    }
}

// SAFETY: As for `Box<[u8]>`.
unsafe impl<const N: usize> IoBufMut for Box<[u8; N]> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self[..].as_mut_ptr()
    }

    unsafe fn set_len(&mut self, _len: usize) {}
}

// SAFETY: The allocation is the vector's own, stays while the vector moves, and holds `len`
// initialised bytes.
unsafe impl IoBuf for Vec<u8> {
    fn as_ptr(&self) -> *const u8 {
        Vec::as_ptr(self)
    }

    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn capacity(&self) -> usize {
        Vec::capacity(self)
    }
}

// SAFETY: As above; nobody else reaches the allocation, and `Vec::set_len` touches no byte.
unsafe impl IoBufMut for Vec<u8> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        Vec::as_mut_ptr(self)
    }

    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: The caller's promise is the one that `Vec` asks for.
        unsafe { Vec::set_len(self, len) };
    }
}

// SAFETY: Other handles may share the allocation, but never the part of it that this one spans up
// to its capacity.
unsafe impl IoBuf for BytesMut {
    fn as_ptr(&self) -> *const u8 {
        <[u8]>::as_ptr(self)
    }

    fn len(&self) -> usize {
        BytesMut::len(self)
    }

    fn capacity(&self) -> usize {
        BytesMut::capacity(self)
    }
}

// SAFETY: As above; `BytesMut::set_len` touches no byte.
unsafe impl IoBufMut for BytesMut {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        // A pointer taken from the slice could not be used behind the length.
        let len = BytesMut::len(self);
        // SAFETY: Nothing is a length that every buffer may have.
        unsafe { BytesMut::set_len(self, 0) };
        let start = self.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: As many bytes are initialised as before.
        unsafe { BytesMut::set_len(self, len) };
        start
    }

    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: The caller's promise is the one that `BytesMut` asks for.
        unsafe { BytesMut::set_len(self, len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address seen before and after a move, and the bytes.
    fn lent<B: IoBuf>(buf: B) -> (bool, Vec<u8>) {
        let before = buf.as_ptr();
        let moved = Box::new(buf);
        (before == moved.as_ptr(), moved.as_slice().to_vec())
    }

    #[test]
    fn every_owner_lends_its_bytes_and_keeps_them_in_place() {
        let bytes = b"0123456789";
        let expected = (true, bytes.to_vec());
        assert_eq!(lent(bytes.to_vec()), expected);
        assert_eq!(lent(String::from("0123456789")), expected);
        assert_eq!(lent(Box::<[u8]>::from(&bytes[..])), expected);
        assert_eq!(lent(Box::new(*bytes)), expected);
        assert_eq!(lent(Rc::<[u8]>::from(&bytes[..])), expected);
        assert_eq!(lent(Arc::<[u8]>::from(&bytes[..])), expected);
        assert_eq!(lent(Bytes::from(bytes.to_vec())), expected);
        assert_eq!(lent(BytesMut::from(&bytes[..])), expected);
        assert_eq!(lent(&bytes[..]), expected);
        assert_eq!(lent(bytes), expected);
        assert_eq!(lent("0123456789"), expected);
    }

    #[test]
    fn a_growable_buffer_gets_the_length_that_was_read() {
        fn check<B: IoBufMut>(mut buf: B) {
            let capacity = buf.capacity();
            assert!(capacity >= 8);
            assert_eq!(buf.overwrite(&[7; 5]), 5);
            assert_eq!(buf.as_slice(), [7; 5]);
            assert_eq!(buf.overwrite(&[8; 2]), 2);
            assert_eq!(buf.as_slice(), [8; 2]);
            assert_eq!(buf.overwrite(&vec![9; capacity + 1]), capacity);
            assert_eq!(buf.as_slice(), vec![9; capacity]);
        }
        check(Vec::with_capacity(8));
        check(vec![1; 8]);
        check(BytesMut::with_capacity(8));
    }

    #[test]
    fn a_box_keeps_its_length() {
        fn check<B: IoBufMut>(mut buf: B) {
            assert_eq!((buf.len(), buf.capacity()), (4, 4));
            assert_eq!(buf.overwrite(&[7; 2]), 2);
            assert_eq!(buf.as_slice(), [7, 7, 1, 1]);
        }
        check(vec![1; 4].into_boxed_slice());
        check(Box::new([1u8; 4]));
    }

    #[test]
    fn a_part_of_a_shared_allocation_fills_only_itself() {
        let mut front = BytesMut::from(&b"aaaabbbb"[..]);
        let back = front.split_off(4);
        let capacity = IoBuf::capacity(&front);
        front.overwrite(&[b'z'; 64]);
        assert_eq!(front, vec![b'z'; capacity]);
        assert_eq!(back, b"bbbb"[..]);
    }
}
