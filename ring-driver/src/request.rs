//! What a backend is asked to do: one variant an operation, arguments typed, nothing of any backend
//! in it.
//!
//! A request only borrows: every pointer in it points into the operation that made it, which lies
//! in an in-flight slot or cell and stays there until the final completion. Backends read requests
//! and never free through them.

use std::ffi::c_char;

#[cfg(test)]
pub(crate) mod examples;
mod user_data;

pub(crate) use user_data::UserData;

/// What a descriptor is to the backend: an OS number for the kernel, an id for a simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Number(pub(crate) i32);

impl Number {
    /// The working directory, where a path request asks for a directory.
    pub(crate) const CWD: Number = Number(libc::AT_FDCWD);
    /// For requests that name no descriptor.
    pub(crate) const NONE: Number = Number(-1);
}

/// One operation as a backend sees it.
///
/// `offset: None` means "the stream's own position" (sockets, pipes, terminals).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Request {
    Nop,
    Read {
        fd: Number,
        buf: *mut u8,
        len: u32,
        offset: Option<u64>,
    },
    Write {
        fd: Number,
        buf: *const u8,
        len: u32,
        offset: Option<u64>,
    },
    ReadVectored {
        fd: Number,
        segments: *const libc::iovec,
        count: u32,
        offset: Option<u64>,
    },
    WriteVectored {
        fd: Number,
        segments: *const libc::iovec,
        count: u32,
        offset: Option<u64>,
    },
    Fsync {
        fd: Number,
        data_only: bool,
    },
    Ftruncate {
        fd: Number,
        len: u64,
    },
    Fchmod {
        fd: Number,
        mode: u32,
    },
    Fallocate {
        fd: Number,
        mode: i32,
        offset: u64,
        len: u64,
    },
    OpenAt {
        dir: Number,
        path: *const c_char,
        flags: i32,
        mode: u32,
    },
    Close {
        fd: Number,
    },
    Statx {
        dir: Number,
        path: *const c_char,
        flags: i32,
        mask: u32,
        out: *mut libc::statx,
    },
    UnlinkAt {
        dir: Number,
        path: *const c_char,
        flags: i32,
    },
    RenameAt {
        old_dir: Number,
        old: *const c_char,
        new_dir: Number,
        new: *const c_char,
        flags: u32,
    },
    MkdirAt {
        dir: Number,
        path: *const c_char,
        mode: u32,
    },
    LinkAt {
        old_dir: Number,
        old: *const c_char,
        new_dir: Number,
        new: *const c_char,
    },
    /// `target` is what the link holds; only `path` is seen from `dir`.
    SymlinkAt {
        target: *const c_char,
        dir: Number,
        path: *const c_char,
    },
    ReadlinkAt {
        dir: Number,
        path: *const c_char,
        buf: *mut u8,
        len: u32,
    },
    Splice {
        from: Number,
        from_offset: Option<u64>,
        to: Number,
        to_offset: Option<u64>,
        len: u32,
    },
    Socket {
        domain: i32,
        kind: i32,
        protocol: i32,
    },
    Bind {
        fd: Number,
        address: *const libc::sockaddr,
        len: u32,
    },
    Listen {
        fd: Number,
        backlog: i32,
    },
    Connect {
        fd: Number,
        address: *const libc::sockaddr,
        len: u32,
    },
    Accept {
        fd: Number,
        address: *mut libc::sockaddr,
        len: *mut u32,
    },
    AcceptMulti {
        fd: Number,
    },
    Recv {
        fd: Number,
        buf: *mut u8,
        len: u32,
        flags: i32,
    },
    /// One receive into whichever buffer of the provided group is next when data is there.
    RecvPooled {
        fd: Number,
        group: u16,
    },
    /// The same, again and again, until a completion says that there is no more to come.
    RecvMulti {
        fd: Number,
        group: u16,
    },
    RecvMsg {
        fd: Number,
        message: *mut libc::msghdr,
        flags: i32,
    },
    /// The same, again and again, into whichever buffers of the provided group are next; `message`
    /// says how many bytes of each are for name and control data.
    RecvMsgMulti {
        fd: Number,
        message: *const libc::msghdr,
        group: u16,
        flags: i32,
    },
    Send {
        fd: Number,
        buf: *const u8,
        len: u32,
        flags: i32,
    },
    /// As `Send`, but the kernel borrows the bytes: a second completion tells when it reads them no
    /// longer.
    SendZc {
        fd: Number,
        buf: *const u8,
        len: u32,
        flags: i32,
    },
    SendMsg {
        fd: Number,
        message: *const libc::msghdr,
        flags: i32,
    },
    Shutdown {
        fd: Number,
        how: i32,
    },
    /// Readiness, for descriptors that somebody else reads and writes. `events` are poll(2)'s bits.
    Poll {
        fd: Number,
        events: u32,
    },
    /// Completes with `-ETIME` once the (relative, monotonic) time is over. Same layout as
    /// `__kernel_timespec`.
    Timeout {
        spec: *const libc::timespec,
    },
    /// Takes another operation back: 0 found, `-ENOENT` not there any more, `-EALREADY` past
    /// recall.
    Cancel {
        target: UserData,
    },
    /// Posts a completion with `result` and `user_data` to another ring.
    MsgRing {
        ring: Number,
        result: i32,
        user_data: u64,
    },

    // The rest has no completion form; only `call_now` takes it.
    GetSockName {
        fd: Number,
        address: *mut libc::sockaddr,
        len: *mut u32,
    },
    GetPeerName {
        fd: Number,
        address: *mut libc::sockaddr,
        len: *mut u32,
    },
    SetSockOpt {
        fd: Number,
        level: i32,
        name: i32,
        value: *const u8,
        len: u32,
    },
    GetSockOpt {
        fd: Number,
        level: i32,
        name: i32,
        value: *mut u8,
        len: *mut u32,
    },
}

impl Request {
    /// The descriptor that it is about; [`Number::NONE`] where it names none, or two.
    #[inline]
    pub(crate) fn fd(&self) -> Number {
        match *self {
            Request::Read { fd, .. }
            | Request::Write { fd, .. }
            | Request::ReadVectored { fd, .. }
            | Request::WriteVectored { fd, .. }
            | Request::Fsync { fd, .. }
            | Request::Ftruncate { fd, .. }
            | Request::Fallocate { fd, .. }
            | Request::Fchmod { fd, .. }
            | Request::Close { fd }
            | Request::Bind { fd, .. }
            | Request::Listen { fd, .. }
            | Request::Connect { fd, .. }
            | Request::Accept { fd, .. }
            | Request::AcceptMulti { fd }
            | Request::Recv { fd, .. }
            | Request::RecvPooled { fd, .. }
            | Request::RecvMulti { fd, .. }
            | Request::RecvMsg { fd, .. }
            | Request::RecvMsgMulti { fd, .. }
            | Request::Send { fd, .. }
            | Request::SendZc { fd, .. }
            | Request::SendMsg { fd, .. }
            | Request::Shutdown { fd, .. }
            | Request::Poll { fd, .. }
            | Request::GetSockName { fd, .. }
            | Request::GetPeerName { fd, .. }
            | Request::SetSockOpt { fd, .. }
            | Request::GetSockOpt { fd, .. } => fd,
            Request::Nop
            | Request::OpenAt { .. }
            | Request::Statx { .. }
            | Request::UnlinkAt { .. }
            | Request::RenameAt { .. }
            | Request::MkdirAt { .. }
            | Request::LinkAt { .. }
            | Request::SymlinkAt { .. }
            | Request::ReadlinkAt { .. }
            | Request::Splice { .. }
            | Request::Socket { .. }
            | Request::Timeout { .. }
            | Request::Cancel { .. }
            | Request::MsgRing { .. } => Number::NONE,
        }
    }
}
