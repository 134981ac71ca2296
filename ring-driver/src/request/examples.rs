//! Requests of every kind, for what must hold of each.

use std::ptr;

use super::{Number, Request, UserData};

/// One of each kind, and of each class that a kind may have, under the name by which it is asked
/// for.
pub(crate) fn examples() -> Vec<(&'static str, Request)> {
    let (fd, dir, path) = (Number(7), Number::CWD, c"x".as_ptr());
    let (buf, at) = (ptr::null_mut(), Some(3));
    let (segments, address) = (ptr::null(), ptr::null_mut());
    static UNIX: libc::sockaddr =
        libc::sockaddr { sa_family: libc::AF_UNIX as libc::sa_family_t, sa_data: [0; 14] };
    let all = vec![
        ("nop", Request::Nop),
        ("read_at", Request::Read { fd, buf, len: 0, offset: at }),
        ("write_at", Request::Write { fd, buf, len: 0, offset: at }),
        ("read_vectored_at", Request::ReadVectored { fd, segments, count: 0, offset: at }),
        ("write_vectored_at", Request::WriteVectored { fd, segments, count: 0, offset: at }),
        ("fsync, fdatasync", Request::Fsync { fd, data_only: true }),
        ("ftruncate", Request::Ftruncate { fd, len: 1 }),
        ("fallocate", Request::Fallocate { fd, mode: 0, offset: 0, len: 1 }),
        ("fchmod", Request::Fchmod { fd, mode: 0 }),
        ("open", Request::OpenAt { dir, path, flags: 0, mode: 0 }),
        ("close", Request::Close { fd }),
        ("stat, statx", Request::Statx { dir, path, flags: 0, mask: 0, out: ptr::null_mut() }),
        ("unlink, rmdir", Request::UnlinkAt { dir, path, flags: 0 }),
        (
            "rename",
            Request::RenameAt { old_dir: dir, old: path, new_dir: dir, new: path, flags: 0 },
        ),
        ("mkdir", Request::MkdirAt { dir, path, mode: 0 }),
        ("link", Request::LinkAt { old_dir: dir, old: path, new_dir: dir, new: path }),
        ("symlink", Request::SymlinkAt { target: path, dir, path }),
        ("read_link", Request::ReadlinkAt { dir, path, buf, len: 0 }),
        (
            "splice, Relay::fill, Relay::drain",
            Request::Splice { from: fd, from_offset: None, to: fd, to_offset: None, len: 1 },
        ),
        ("read", Request::Read { fd, buf, len: 0, offset: None }),
        ("write", Request::Write { fd, buf, len: 0, offset: None }),
        ("read_vectored", Request::ReadVectored { fd, segments, count: 0, offset: None }),
        ("write_vectored", Request::WriteVectored { fd, segments, count: 0, offset: None }),
        ("socket", Request::Socket { domain: 1, kind: 1, protocol: 0 }),
        ("bind", Request::Bind { fd, address, len: 0 }),
        ("listen", Request::Listen { fd, backlog: 1 }),
        ("connect", Request::Connect { fd, address, len: 0 }),
        ("connect, Unix sockets", Request::Connect { fd, address: &raw const UNIX, len: 0 }),
        ("accept", Request::Accept { fd, address, len: ptr::null_mut() }),
        ("accept_multi", Request::AcceptMulti { fd }),
        ("recv, peek", Request::Recv { fd, buf, len: 0, flags: 0 }),
        ("Fd::poll_fill", Request::RecvPooled { fd, group: 1 }),
        ("recv_multi", Request::RecvMulti { fd, group: 1 }),
        ("recv_msg", Request::RecvMsg { fd, message: ptr::null_mut(), flags: 0 }),
        (
            "Fd::poll_datagram",
            Request::RecvMsgMulti { fd, message: ptr::null(), group: 2, flags: 0 },
        ),
        ("send, Fd::queue", Request::Send { fd, buf, len: 0, flags: libc::MSG_WAITALL }),
        ("send_zc", Request::SendZc { fd, buf, len: 0, flags: libc::MSG_WAITALL }),
        ("send_vectored, send_msg", Request::SendMsg { fd, message: ptr::null(), flags: 0 }),
        ("shutdown", Request::Shutdown { fd, how: 0 }),
        ("poll", Request::Poll { fd, events: 1 }),
        ("timeout", Request::Timeout { spec: ptr::null() }),
        ("Op::cancel", Request::Cancel { target: UserData(1) }),
        ("msg_ring", Request::MsgRing { ring: fd, result: 1, user_data: 2 }),
        ("option::local_address", Request::GetSockName { fd, address, len: ptr::null_mut() }),
        ("option::peer_address", Request::GetPeerName { fd, address, len: ptr::null_mut() }),
        ("setting an option", Request::SetSockOpt { fd, level: 0, name: 0, value: buf, len: 0 }),
        (
            "reading an option",
            Request::GetSockOpt { fd, level: 0, name: 0, value: buf, len: ptr::null_mut() },
        ),
    ];
    assert_complete(&all);
    all
}

/// Whether every variant is there, by its name in the source.
fn assert_complete(all: &[(&str, Request)]) {
    let shown: Vec<String> = all.iter().map(|(_, request)| format!("{request:?}")).collect();
    let source = include_str!("../request.rs");
    let variants = source.split_once("pub enum Request {").expect("the enum").1;
    let variants = variants.split_once("\n}").expect("its end").0;
    let starts = |c: char| c.is_ascii_uppercase();
    for line in variants.lines().filter_map(|line| line.strip_prefix("    ")) {
        let Some(variant) =
            line.starts_with(starts).then(|| line.trim_end_matches([' ', '{', ',']))
        else {
            continue;
        };
        let is_it = |shown: &String| shown.split(' ').next() == Some(variant);
        assert!(shown.iter().any(is_it), "there is no example of `Request::{variant}`");
    }
}
