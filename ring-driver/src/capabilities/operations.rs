//! The kernel's operations as a set, their names, and the kernels that brought them.

use std::fmt;

use super::Kernel;

/// A set of operations by their numbers. Numbers from 128 on are in no set; the kernel has come to
/// 64 in seven years.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Operations(pub(super) u128);

impl Operations {
    /// Those that `last` or a kernel before it brought.
    pub(super) const fn up_to(last: Kernel) -> Operations {
        let (mut set, mut opcode) = (0, 0);
        while opcode < OPERATIONS.len() {
            if OPERATIONS[opcode].1.is_in(last) {
                set |= 1 << opcode;
            }
            opcode += 1;
        }
        Operations(set)
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

/// The operations by the kernel's names, each at its number, with the first kernel that has it.
pub(super) const OPERATIONS: [(&str, Kernel); 63] = [
    ("nop", Kernel(5, 1)),
    ("readv", Kernel(5, 1)),
    ("writev", Kernel(5, 1)),
    ("fsync", Kernel(5, 1)),
    ("read_fixed", Kernel(5, 1)),
    ("write_fixed", Kernel(5, 1)),
    ("poll_add", Kernel(5, 1)),
    ("poll_remove", Kernel(5, 1)),
    ("sync_file_range", Kernel(5, 2)),
    ("sendmsg", Kernel(5, 3)),
    ("recvmsg", Kernel(5, 3)),
    ("timeout", Kernel(5, 4)),
    ("timeout_remove", Kernel(5, 5)),
    ("accept", Kernel(5, 5)),
    ("async_cancel", Kernel(5, 5)),
    ("link_timeout", Kernel(5, 5)),
    ("connect", Kernel(5, 5)),
    ("fallocate", Kernel(5, 6)),
    ("openat", Kernel(5, 6)),
    ("close", Kernel(5, 6)),
    ("files_update", Kernel(5, 6)),
    ("statx", Kernel(5, 6)),
    ("read", Kernel(5, 6)),
    ("write", Kernel(5, 6)),
    ("fadvise", Kernel(5, 6)),
    ("madvise", Kernel(5, 6)),
    ("send", Kernel(5, 6)),
    ("recv", Kernel(5, 6)),
    ("openat2", Kernel(5, 6)),
    ("epoll_ctl", Kernel(5, 6)),
    ("splice", Kernel(5, 7)),
    ("provide_buffers", Kernel(5, 7)),
    ("remove_buffers", Kernel(5, 7)),
    ("tee", Kernel(5, 8)),
    ("shutdown", Kernel(5, 11)),
    ("renameat", Kernel(5, 11)),
    ("unlinkat", Kernel(5, 11)),
    ("mkdirat", Kernel(5, 15)),
    ("symlinkat", Kernel(5, 15)),
    ("linkat", Kernel(5, 15)),
    ("msg_ring", Kernel(5, 18)),
    ("fsetxattr", Kernel(5, 19)),
    ("setxattr", Kernel(5, 19)),
    ("fgetxattr", Kernel(5, 19)),
    ("getxattr", Kernel(5, 19)),
    ("socket", Kernel(5, 19)),
    ("uring_cmd", Kernel(5, 19)),
    ("send_zc", Kernel(6, 0)),
    ("sendmsg_zc", Kernel(6, 1)),
    ("read_multishot", Kernel(6, 7)),
    ("waitid", Kernel(6, 7)),
    ("futex_wait", Kernel(6, 7)),
    ("futex_wake", Kernel(6, 7)),
    ("futex_waitv", Kernel(6, 7)),
    ("fixed_fd_install", Kernel(6, 8)),
    ("ftruncate", Kernel(6, 9)),
    ("bind", Kernel(6, 11)),
    ("listen", Kernel(6, 11)),
    ("recv_zc", Kernel(6, 15)),
    ("epoll_wait", Kernel(6, 15)),
    ("readv_fixed", Kernel(6, 15)),
    ("writev_fixed", Kernel(6, 15)),
    ("pipe", Kernel(6, 16)),
];

/// The names alone.
pub(crate) const NAMES: [&str; OPERATIONS.len()] = {
    let mut names = [""; OPERATIONS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = OPERATIONS[at].0;
        at += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;
    use io_uring::opcode;

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
