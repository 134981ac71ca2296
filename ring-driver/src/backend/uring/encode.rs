//! Requests as submission entries: the one place that knows how the ring spells an operation.
//!
//! What the kernel needs in addition for safety stands here and not in the operations: sends raise
//! no signal, accepted sockets are not inherited. Requests without an opcode never come here;
//! [`opcode`] tells which those are.

#![allow(unsafe_code)]

use std::ptr;

use io_uring::opcode as ring;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, FsyncFlags};

use crate::request::{Number, Request, UserData};

/// Asks a send that borrows its bytes to tell whether they were copied all the same
/// (`IORING_SEND_ZC_REPORT_USAGE`).
pub(crate) const REPORT_USAGE: u16 = 1 << 3;

/// The number (`IORING_OP_*`) of the operation that carries out `request`, if the kernel has one in
/// any version.
pub(crate) fn opcode(request: &Request) -> Option<u8> {
    let code = match request {
        Request::Nop => ring::Nop::CODE,
        Request::Read { .. } => ring::Read::CODE,
        Request::Write { .. } => ring::Write::CODE,
        Request::ReadVectored { .. } => ring::Readv::CODE,
        Request::WriteVectored { .. } => ring::Writev::CODE,
        Request::Fsync { .. } => ring::Fsync::CODE,
        Request::Ftruncate { .. } => ring::Ftruncate::CODE,
        Request::Fallocate { .. } => ring::Fallocate::CODE,
        Request::OpenAt { .. } => ring::OpenAt::CODE,
        Request::Close { .. } => ring::Close::CODE,
        Request::Statx { .. } => ring::Statx::CODE,
        Request::UnlinkAt { .. } => ring::UnlinkAt::CODE,
        Request::RenameAt { .. } => ring::RenameAt::CODE,
        Request::MkdirAt { .. } => ring::MkDirAt::CODE,
        Request::LinkAt { .. } => ring::LinkAt::CODE,
        Request::SymlinkAt { .. } => ring::SymlinkAt::CODE,
        Request::Splice { .. } => ring::Splice::CODE,
        Request::Socket { .. } => ring::Socket::CODE,
        Request::Bind { .. } => ring::Bind::CODE,
        Request::Listen { .. } => ring::Listen::CODE,
        Request::Connect { .. } => ring::Connect::CODE,
        Request::Accept { .. } | Request::AcceptMulti { .. } => ring::Accept::CODE,
        Request::Recv { .. } | Request::RecvPooled { .. } | Request::RecvMulti { .. } => {
            ring::Recv::CODE
        }
        Request::RecvMsg { .. } => ring::RecvMsg::CODE,
        Request::Send { .. } => ring::Send::CODE,
        Request::SendZc { .. } => ring::SendZc::CODE,
        Request::SendMsg { .. } => ring::SendMsg::CODE,
        Request::Shutdown { .. } => ring::Shutdown::CODE,
        Request::Poll { .. } => ring::PollAdd::CODE,
        Request::Timeout { .. } => ring::Timeout::CODE,
        Request::Cancel { .. } => ring::AsyncCancel::CODE,
        Request::MsgRing { .. } => ring::MsgRingData::CODE,
        Request::Fchmod { .. }
        | Request::ReadlinkAt { .. }
        | Request::GetSockName { .. }
        | Request::GetPeerName { .. }
        | Request::SetSockOpt { .. }
        | Request::GetSockOpt { .. } => return None,
    };
    Some(code)
}

/// `request` as the kernel reads it.
///
/// # Panics
/// For a request that has no [`opcode`].
pub(crate) fn encode(request: &Request, user_data: UserData) -> Entry {
    let entry = match *request {
        Request::Nop => ring::Nop::new().build(),
        Request::Read { fd, buf, len, offset } => {
            ring::Read::new(file(fd), buf, len).offset(position(offset)).build()
        }
        Request::Write { fd, buf, len, offset } => {
            ring::Write::new(file(fd), buf, len).offset(position(offset)).build()
        }
        Request::ReadVectored { fd, segments, count, offset } => {
            ring::Readv::new(file(fd), segments, count).offset(position(offset)).build()
        }
        Request::WriteVectored { fd, segments, count, offset } => {
            ring::Writev::new(file(fd), segments, count).offset(position(offset)).build()
        }
        Request::Fsync { fd, data_only } => {
            let flags = if data_only { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
            ring::Fsync::new(file(fd)).flags(flags).build()
        }
        Request::Ftruncate { fd, len } => ring::Ftruncate::new(file(fd), len).build(),
        Request::Fallocate { fd, mode, offset, len } => {
            ring::Fallocate::new(file(fd), len).offset(offset).mode(mode).build()
        }
        Request::OpenAt { dir, path, flags, mode } => {
            ring::OpenAt::new(file(dir), path).flags(flags).mode(mode).build()
        }
        Request::Close { fd } => ring::Close::new(file(fd)).build(),
        Request::Statx { dir, path, flags, mask, out } => {
            ring::Statx::new(file(dir), path, out.cast()).flags(flags).mask(mask).build()
        }
        Request::UnlinkAt { dir, path, flags } => {
            ring::UnlinkAt::new(file(dir), path).flags(flags).build()
        }
        Request::RenameAt { old_dir, old, new_dir, new, flags } => {
            ring::RenameAt::new(file(old_dir), old, file(new_dir), new).flags(flags).build()
        }
        Request::MkdirAt { dir, path, mode } => {
            ring::MkDirAt::new(file(dir), path).mode(mode).build()
        }
        Request::LinkAt { old_dir, old, new_dir, new } => {
            ring::LinkAt::new(file(old_dir), old, file(new_dir), new).build()
        }
        Request::SymlinkAt { target, dir, path } => {
            ring::SymlinkAt::new(file(dir), target, path).build()
        }
        Request::Splice { from, from_offset, to, to_offset, len } => {
            let (from_offset, to_offset) = (position(from_offset), position(to_offset));
            let (from_offset, to_offset) = (from_offset as i64, to_offset as i64);
            ring::Splice::new(file(from), from_offset, file(to), to_offset, len).build()
        }
        Request::Socket { domain, kind, protocol } => {
            ring::Socket::new(domain, kind, protocol).build()
        }
        Request::Bind { fd, address, len } => ring::Bind::new(file(fd), address, len).build(),
        Request::Listen { fd, backlog } => ring::Listen::new(file(fd), backlog).build(),
        Request::Connect { fd, address, len } => ring::Connect::new(file(fd), address, len).build(),
        Request::Accept { fd, address, len } => {
            ring::Accept::new(file(fd), address, len).flags(libc::SOCK_CLOEXEC).build()
        }
        Request::AcceptMulti { fd } => {
            ring::AcceptMulti::new(file(fd)).flags(libc::SOCK_CLOEXEC).build()
        }
        Request::Recv { fd, buf, len, flags } => {
            ring::Recv::new(file(fd), buf, len).flags(flags).build()
        }
        // A length of 0 stands for that of the buffer which the kernel picks.
        Request::RecvPooled { fd, group } => ring::Recv::new(file(fd), ptr::null_mut(), 0)
            .buf_group(group)
            .build()
            .flags(Flags::BUFFER_SELECT),
        Request::RecvMulti { fd, group } => ring::RecvMulti::new(file(fd), group).build(),
        Request::RecvMsg { fd, message, flags } => {
            ring::RecvMsg::new(file(fd), message).flags(flags as u32).build()
        }
        Request::Send { fd, buf, len, flags } => {
            ring::Send::new(file(fd), buf, len).flags(flags | libc::MSG_NOSIGNAL).build()
        }
        Request::SendZc { fd, buf, len, flags } => ring::SendZc::new(file(fd), buf, len)
            .flags(flags | libc::MSG_NOSIGNAL)
            .zc_flags(REPORT_USAGE)
            .build(),
        Request::SendMsg { fd, message, flags } => {
            let flags = (flags | libc::MSG_NOSIGNAL) as u32;
            ring::SendMsg::new(file(fd), message).flags(flags).build()
        }
        Request::Shutdown { fd, how } => ring::Shutdown::new(file(fd), how).build(),
        Request::Poll { fd, events } => ring::PollAdd::new(file(fd), events).build(),
        Request::Timeout { spec } => ring::Timeout::new(spec.cast()).build(),
        Request::Cancel { target } => ring::AsyncCancel::new(target.0).build(),
        Request::MsgRing { ring: target, result, user_data } => {
            ring::MsgRingData::new(file(target), result, user_data, None).build()
        }
        Request::Fchmod { .. }
        | Request::ReadlinkAt { .. }
        | Request::GetSockName { .. }
        | Request::GetPeerName { .. }
        | Request::SetSockOpt { .. }
        | Request::GetSockOpt { .. } => {
            unreachable!("a request without an opcode is a plain call: {request:?}")
        }
    };
    entry.user_data(user_data.0)
}

/// As [`encode`], for a read or write at an offset, whose memory lies in the block that the ring
/// knows by `index`.
pub(crate) fn encode_registered(request: &Request, index: u16, user_data: UserData) -> Entry {
    let entry = match *request {
        Request::Read { fd, buf, len, offset } => {
            ring::ReadFixed::new(file(fd), buf, len, index).offset(position(offset)).build()
        }
        Request::Write { fd, buf, len, offset } => {
            ring::WriteFixed::new(file(fd), buf, len, index).offset(position(offset)).build()
        }
        _ => return encode(request, user_data),
    };
    entry.user_data(user_data.0)
}

/// The same entry for the file that the ring knows by `place`.
pub(crate) fn on_registered(entry: Entry, place: u8) -> Entry {
    const { assert!(size_of::<Entry>() == 64) };
    let mut entry = entry.flags(Flags::FIXED_FILE);
    // SAFETY: an entry is 64 bytes, aligned to eight, of which the second four are the descriptor.
    unsafe { ptr::from_mut(&mut entry).cast::<i32>().add(1).write(place.into()) };
    entry
}

/// Opcode, flags and priority of an entry, which has no getters; its layout is the kernel's.
pub(crate) fn head(entry: &Entry) -> (u8, u8, u16) {
    const { assert!(size_of::<Entry>() == 64) };
    // SAFETY: an entry is 64 bytes without padding, and every bit pattern of a byte is valid.
    let bytes = unsafe { &*ptr::from_ref(entry).cast::<[u8; 4]>() };
    (bytes[0], bytes[1], u16::from_ne_bytes([bytes[2], bytes[3]]))
}

fn file(number: Number) -> Fd {
    Fd(number.0)
}

/// All ones stand for the position of the open file, which for a stream is where it is.
fn position(offset: Option<u64>) -> u64 {
    offset.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::examples::examples;

    /// The fields of a submission entry that the two functions must agree on, or that are easy to
    /// get wrong. An entry has no getters; its layout is the kernel's.
    fn fields(request: &Request) -> (u8, u8, u16, i32, u64, u32, u64) {
        let entry = encode(request, UserData(0x0123_4567_89ab_cdef));
        let (code, flags, priority) = head(&entry);
        // SAFETY: an entry is 64 bytes without padding, and every bit pattern of a byte is valid.
        let bytes: [u8; 64] = unsafe { std::mem::transmute(entry) };
        let at = |from: usize| &bytes[from..];
        (
            code,
            flags,
            priority,
            i32::from_ne_bytes(*at(4).first_chunk().unwrap()),
            u64::from_ne_bytes(*at(8).first_chunk().unwrap()),
            u32::from_ne_bytes(*at(28).first_chunk().unwrap()),
            u64::from_ne_bytes(*at(32).first_chunk().unwrap()),
        )
    }

    #[test]
    fn every_entry_has_the_opcode_that_was_announced_and_the_user_data() {
        let ours = |request: &Request| opcode(request).is_some();
        for request in examples().into_iter().map(|(_, request)| request).filter(ours) {
            let (code, .., user_data) = fields(&request);
            assert_eq!(Some(code), opcode(&request), "{request:?}");
            assert_eq!(code, fields(&request).0);
            assert_eq!(user_data, 0x0123_4567_89ab_cdef, "{request:?}");
        }
    }

    #[test]
    fn a_stream_is_read_at_its_own_position_and_a_file_where_asked() {
        let (fd, buf) = (Number(7), ptr::null_mut());
        let (_, _, _, number, offset, ..) =
            fields(&Request::Read { fd, buf, len: 1, offset: None });
        assert_eq!((number, offset), (7, u64::MAX));
        let (.., offset, _, _) = fields(&Request::Write { fd, buf, len: 1, offset: Some(9) });
        assert_eq!(offset, 9);
    }

    #[test]
    fn sends_raise_no_signal_and_accepted_sockets_are_not_inherited() {
        let fd = Number(7);
        let nosignal = libc::MSG_NOSIGNAL as u32;
        let send = Request::Send { fd, buf: ptr::null(), len: 0, flags: libc::MSG_WAITALL };
        let (.., flags, _) = fields(&send);
        assert_eq!(flags, nosignal | libc::MSG_WAITALL as u32);
        let send = Request::SendZc { fd, buf: ptr::null(), len: 0, flags: libc::MSG_WAITALL };
        let (_, _, priority, _, _, flags, _) = fields(&send);
        assert_eq!((priority, flags), (REPORT_USAGE, nosignal | libc::MSG_WAITALL as u32));
        let (.., flags, _) = fields(&Request::SendMsg { fd, message: ptr::null(), flags: 0 });
        assert_eq!(flags, nosignal);
        let (_, _, multishot, _, _, flags, _) = fields(&Request::AcceptMulti { fd });
        assert_eq!((multishot, flags), (1, libc::SOCK_CLOEXEC as u32));
    }

    #[test]
    fn pooled_receives_let_the_kernel_pick_the_buffer() {
        let select = Flags::BUFFER_SELECT.bits();
        let (_, flags, priority, ..) = fields(&Request::RecvPooled { fd: Number(7), group: 1 });
        assert_eq!((flags, priority), (select, 0));
        let (_, flags, priority, ..) = fields(&Request::RecvMulti { fd: Number(7), group: 1 });
        assert_eq!((flags, priority), (select, 2));
    }
}
