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
