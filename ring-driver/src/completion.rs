//! What a backend answers: the kernel's meaning, whoever gives it.

use std::io;

use crate::request::UserData;

/// One completion-queue entry: whose it is and what came out.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    pub(crate) user_data: UserData,
    pub(crate) outcome: Outcome,
}

/// What an operation came to: a count or descriptor, or a negative errno, and the flags that go
/// with it.
///
/// One word, so that it travels in a register: the result below, the flags above.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Outcome(u64);

impl Outcome {
    const F_BUFFER: u32 = 1 << 0;
    const F_MORE: u32 = 1 << 1;
    const F_NOTIFICATION: u32 = 1 << 3;
    /// Ours: the kernel has copied what it was to borrow.
    const F_COPIED: u32 = 1 << 8;
    /// The result of a notification by which the kernel says that (`IORING_NOTIF_USAGE_ZC_COPIED`).
    const USAGE_COPIED: i32 = i32::MIN;

    /// `flags` are `IORING_CQE_F_*` as the kernel numbers them, buffer id in the upper half.
    pub(crate) const fn new(result: i32, flags: u32) -> Outcome {
        Outcome(result as u32 as u64 | (flags as u64) << 32)
    }

    /// An outcome with no flags: what a plain system call gives.
    pub(crate) const fn plain(result: i32) -> Outcome {
        Outcome::new(result, 0)
    }

    /// Zero and above: the system call's own result. Below: the negated errno.
    pub(crate) const fn result(self) -> i32 {
        self.0 as i32
    }

    const fn flags(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The same, with more of its kind to follow.
    pub(crate) const fn with_more(self) -> Outcome {
        Outcome::new(self.result(), self.flags() | Outcome::F_MORE)
    }

    /// The second of the two completions of a send that borrows its bytes: the kernel reads them no
    /// longer, which it may have copied instead.
    pub(crate) fn notification(copied: bool) -> Outcome {
        let usage = if copied { Outcome::USAGE_COPIED } else { 0 };
        Outcome::new(usage, Outcome::F_NOTIFICATION)
    }

    /// Whether this says only that the kernel reads no longer what it has borrowed.
    pub(crate) fn is_notification(self) -> bool {
        self.flags() & Outcome::F_NOTIFICATION != 0
    }

    /// What the whole came to, of which this is the first completion and `notification` the last.
    pub(crate) fn ended_by(self, notification: Outcome) -> Outcome {
        let copied = notification.result() == Outcome::USAGE_COPIED;
        Outcome::new(self.result(), if copied { Outcome::F_COPIED } else { 0 })
    }

    /// Whether the kernel has copied what it was to borrow.
    pub(crate) fn was_copied(self) -> bool {
        self.flags() & Outcome::F_COPIED != 0
    }

    /// A data-carrying outcome of a provided-buffer receive.
    pub(crate) fn buffered(result: i32, buffer_id: u16, more: bool) -> Outcome {
        let more = if more { Outcome::F_MORE } else { 0 };
        Outcome::new(result, Outcome::F_BUFFER | more | (u32::from(buffer_id) << 16))
    }

    /// Whether further completions of the same operation follow. If not, the kernel is done with
    /// all it was lent.
    pub(crate) fn more_to_come(self) -> bool {
        self.flags() & Outcome::F_MORE != 0
    }

    /// The provided buffer that this completion consumed, whatever its result.
    pub(crate) fn buffer_id(self) -> Option<u16> {
        (self.flags() & Outcome::F_BUFFER != 0).then_some((self.flags() >> 16) as u16)
    }

    /// The same, once the buffer has been seen to.
    pub(crate) fn without_buffer(self) -> Outcome {
        Outcome::new(self.result(), self.flags() & 0xffff & !Outcome::F_BUFFER)
    }

    /// The errno, if it failed.
    pub(crate) fn errno(self) -> Option<i32> {
        (self.result() < 0).then_some(-self.result())
    }

    /// The count or number, or the error that the errno stands for.
    pub(crate) fn value(self) -> io::Result<u32> {
        match u32::try_from(self.result()) {
            Ok(value) => Ok(value),
            Err(_) => Err(io::Error::from_raw_os_error(-self.result())),
        }
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outcome({}, flags {:#x})", self.result(), self.flags())
    }
}
