//! The kernel's operations as a set, and their names.

use std::fmt;

use io_uring::opcode;

use super::Tier;

/// A set of operations by their numbers. Numbers from 128 on are in no set; the kernel has come to
/// 64 in seven years.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Operations(pub(super) u128);

impl Operations {
    pub(super) const fn of_tier(tier: Tier) -> Operations {
        let last = match tier {
            Tier::Nothing => return Operations(0),
            Tier::T0 => opcode::UnlinkAt::CODE,
            Tier::T1 => opcode::SendZc::CODE,
            Tier::T2 => NAMES.len() as u8 - 1,
        };
        Operations(u128::MAX >> (127 - last))
    }

    pub(super) fn has(self, opcode: u8) -> bool {
        1u128.checked_shl(opcode.into()).is_some_and(|bit| self.0 & bit != 0)
    }

    pub(super) fn with(self, opcode: u8) -> Operations {
        Operations(self.0 | 1u128.checked_shl(opcode.into()).unwrap_or(0))
    }

    pub(super) fn without(self, opcode: u8) -> Operations {
        Operations(self.0 & !1u128.checked_shl(opcode.into()).unwrap_or(0))
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries((0u8..).zip(NAMES).filter(|&(n, _)| self.has(n)).map(|(_, name)| name))
            .finish()
    }
}

/// The operations by the kernel's names, each at its number.
pub(crate) const NAMES: [&str; 63] = [
    "nop",
    "readv",
    "writev",
    "fsync",
    "read_fixed",
    "write_fixed",
    "poll_add",
    "poll_remove",
    "sync_file_range",
    "sendmsg",
    "recvmsg",
    "timeout",
    "timeout_remove",
    "accept",
    "async_cancel",
    "link_timeout",
    "connect",
    "fallocate",
    "openat",
    "close",
    "files_update",
    "statx",
    "read",
    "write",
    "fadvise",
    "madvise",
    "send",
    "recv",
    "openat2",
    "epoll_ctl",
    "splice",
    "provide_buffers",
    "remove_buffers",
    "tee",
    "shutdown",
    "renameat",
    "unlinkat",
    "mkdirat",
    "symlinkat",
    "linkat",
    "msg_ring",
    "fsetxattr",
    "setxattr",
    "fgetxattr",
    "getxattr",
    "socket",
    "uring_cmd",
    "send_zc",
    "sendmsg_zc",
    "read_multishot",
    "waitid",
    "futex_wait",
    "futex_wake",
    "futex_waitv",
    "fixed_fd_install",
    "ftruncate",
    "bind",
    "listen",
    "recv_zc",
    "epoll_wait",
    "readv_fixed",
    "writev_fixed",
    "pipe",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_numbers() {
        for (name, code) in [
            ("nop", opcode::Nop::CODE),
            ("poll_add", opcode::PollAdd::CODE),
            ("async_cancel", opcode::AsyncCancel::CODE),
            ("recv", opcode::Recv::CODE),
            ("unlinkat", opcode::UnlinkAt::CODE),
            ("msg_ring", opcode::MsgRingData::CODE),
            ("socket", opcode::Socket::CODE),
            ("send_zc", opcode::SendZc::CODE),
            ("ftruncate", opcode::Ftruncate::CODE),
            ("listen", opcode::Listen::CODE),
            ("pipe", opcode::Pipe::CODE),
        ] {
            assert_eq!(NAMES[usize::from(code)], name);
        }
    }
}
