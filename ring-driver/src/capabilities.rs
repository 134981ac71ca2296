//! What a ring can do, and a way to pretend that it can do less.
//!
//! [`Capabilities`] is one plain struct, filled in once per ring by asking the kernel which opcodes
//! it knows, which features it reports, and by trying the rest; never by looking at a version,
//! because distributions carry newer rings in older kernels and the other way round. A [`Mask`]
//! takes some of it away again, so that one machine can walk the paths of many kernels:
//! `WAKERING_CAPS=t0` behaves like 5.10, `-recv,-buf_ring` like a kernel without those two.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use io_uring::opcode;

use crate::error::SetupError;

/// The name of the environment variable that holds a [`Mask`].
pub(crate) const VARIABLE: &str = "WAKERING_CAPS";

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident: $tier:ident,)*) => {
        /// What this kernel's io_uring can do and what a mask has left of it.
        ///
        /// Displays as the list of what is there, the names being those that a [`Mask`] takes.
        ///
        /// ```
        /// use wakering_ring_driver::{Config, Driver};
        ///
        /// let driver = Driver::new(&Config::default())?;
        /// let capabilities = driver.capabilities();
        /// let names = capabilities.to_string();
        /// assert_eq!(names.contains("defer_taskrun"), capabilities.defer_taskrun);
        /// # Ok::<(), wakering_ring_driver::SetupError>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Capabilities {
            $($(#[$doc])* pub $name: bool,)*
            /// Which operations the kernel knows.
            operations: Operations,
        }

        impl Capabilities {
            /// All there could be, of a kernel as old as `tier`.
            const fn of_tier(tier: Tier) -> Capabilities {
                Capabilities {
                    $($name: Tier::$tier as u8 <= tier as u8,)*
                    operations: Operations::of_tier(tier),
                }
            }

            fn entry(&mut self, name: &str) -> Option<&mut bool> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// Each by its name, and whether it is there; operations are not among them.
            pub(crate) fn entries(self) -> impl Iterator<Item = (&'static str, bool)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// What both have.
            fn and(self, other: Capabilities) -> Capabilities {
                Capabilities {
                    $($name: self.$name && other.$name,)*
                    operations: Operations(self.operations.0 & other.operations.0),
                }
            }
        }
    };
}

capabilities! {
    /// A wait takes a timeout (5.11).
    ext_arg: T0,
    /// An operation may be asked to complete silently where it succeeds (5.17).
    cqe_skip: T1,
    /// One bad entry does not stop the submission of those behind it (5.18).
    submit_all: T1,
    /// A ring may post a completion to another ring (5.18).
    msg_ring: T1,
    /// A thread may name its ring by an index, which spares a look-up (5.18).
    registered_ring: T1,
    /// Completions do not interrupt the thread (5.19).
    coop_taskrun: T1,
    /// The kernel picks a buffer from a ring of provided ones when data is there (5.19).
    buf_ring: T1,
    /// One accept yields connection after connection (5.19).
    multishot_accept: T1,
    /// One cancel takes back all operations, or all of one descriptor (5.19).
    cancel_any: T1,
    /// The ring knows that one thread submits (6.0).
    single_issuer: T1,
    /// One receive yields buffer after buffer (6.0).
    multishot_recv: T1,
    /// A send that borrows the pages instead of copying them (6.0).
    send_zc: T1,
    /// Completions are worked off when we ask, in batches (6.1).
    defer_taskrun: T2,
    /// The submission queue has no indirection (6.6).
    no_sqarray: T2,
    /// A wait may gather completions for a while (6.12).
    min_wait: T2,
    /// An idle wait does not count as waiting for I/O (6.15).
    no_iowait: T2,
}

impl Capabilities {
    /// Nothing at all.
    pub(crate) const NONE: Capabilities = Capabilities::of_tier(Tier::Nothing);

    /// Everything that this crate has a name for.
    pub(crate) const ALL: Capabilities = Capabilities::of_tier(Tier::T2);

    /// Whether it has the capability or the operation with this name: one of those that a [`Mask`]
    /// takes away.
    ///
    /// ```
    /// use wakering_ring_driver::{Config, Driver};
    ///
    /// let mut config = Config::default();
    /// config.mask = Some("-statx,-no_iowait".parse()?);
    /// let capabilities = Driver::new(&config)?.capabilities();
    /// assert!(capabilities.has("ext_arg") && capabilities.has("read"));
    /// assert!(!capabilities.has("statx") && !capabilities.has("no_iowait"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn has(&self, name: &str) -> bool {
        let operation =
            || (0u8..).zip(NAMES).any(|(opcode, known)| known == name && self.supports(opcode));
        self.entries().any(|(known, is_there)| known == name && is_there) || operation()
    }

    /// Whether the ring takes operations with this number (`IORING_OP_*`).
    pub(crate) fn supports(&self, opcode: u8) -> bool {
        self.operations.has(opcode)
    }

    /// Notes that the ring takes operations with this number.
    pub(crate) fn add_operation(&mut self, opcode: u8) {
        self.operations = self.operations.with(opcode);
    }

    /// The class of kernel that this amounts to, as the documentation speaks of it.
    ///
    /// ```
    /// use wakering_ring_driver::{Config, Driver};
    ///
    /// let driver = Driver::new(&Config::default())?;
    /// assert!(["T0", "T1", "T2"].contains(&driver.capabilities().tier()));
    /// # Ok::<(), wakering_ring_driver::SetupError>(())
    /// ```
    pub fn tier(&self) -> &'static str {
        if !self.multishot_recv {
            "T0"
        } else if !self.defer_taskrun {
            "T1"
        } else {
            "T2"
        }
    }

    /// The names of the operations, split into those the ring takes and those it does not.
    pub(crate) fn operations(self) -> (Vec<&'static str>, Vec<&'static str>) {
        let named = |is_there| {
            (0u8..).zip(NAMES).filter(move |&(opcode, _)| self.supports(opcode) == is_there)
        };
        (named(true).map(|(_, name)| name).collect(), named(false).map(|(_, name)| name).collect())
    }

    /// What `mask` leaves of this. What is built on something that is gone goes too.
    pub(crate) fn masked(self, mask: Mask) -> Capabilities {
        let mut left = self.and(mask.left);
        left.msg_ring &= left.supports(opcode::MsgRingData::CODE);
        left.send_zc &= left.supports(opcode::SendZc::CODE);
        left.cancel_any &= left.supports(opcode::AsyncCancel::CODE);
        left.multishot_accept &= left.supports(opcode::Accept::CODE);
        left.multishot_recv &= left.buf_ring && left.supports(opcode::Recv::CODE);
        left
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there: Vec<&str> =
            self.entries().filter(|&(_, is_there)| is_there).map(|(name, _)| name).collect();
        f.write_str(&there.join(" "))
    }
}

/// What of a kernel's abilities may be used: everything, or less.
///
/// The text form is a list of words, separated by commas: `t0` allows what Linux 5.10.162 has, `t1`
/// what 6.0 has, `-name` takes away a capability or an operation. Whatever the driver would do with
/// what is gone, it does in another way.
///
/// ```
/// use wakering_ring_driver::Mask;
///
/// let mask: Mask = "t1,-multishot_accept,-statx".parse()?;
/// assert_ne!(mask, Mask::default());
/// assert!("-warp_drive".parse::<Mask>().unwrap_err().to_string().contains("`-warp_drive`"));
/// # Ok::<(), wakering_ring_driver::MaskError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    left: Capabilities,
}

impl Mask {
    /// What `WAKERING_CAPS` says; everything is allowed where it says nothing.
    pub(crate) fn from_env() -> Result<Mask, SetupError> {
        let text = std::env::var_os(VARIABLE).unwrap_or_default();
        let text = text.to_string_lossy();
        text.parse().map_err(|error: MaskError| SetupError::setting(VARIABLE, &text, error))
    }

    /// The capabilities that may be used if the kernel has them.
    pub(crate) fn left(self) -> Capabilities {
        self.left
    }

    fn apply(&mut self, word: &str) -> Result<(), MaskError> {
        match word {
            "t0" => self.left = self.left.and(Capabilities::of_tier(Tier::T0)),
            "t1" => self.left = self.left.and(Capabilities::of_tier(Tier::T1)),
            _ => {
                let name = word.strip_prefix('-').ok_or_else(|| MaskError::new(word))?;
                let flag = self.left.entry(name).map(|flag| *flag = false);
                let opcode = NAMES.iter().position(|&known| known == name);
                if let Some(opcode) = opcode {
                    self.left.operations = self.left.operations.without(opcode as u8);
                }
                if flag.is_none() && opcode.is_none() {
                    return Err(MaskError::new(word));
                }
            }
        }
        Ok(())
    }
}

impl Default for Mask {
    /// Everything is allowed.
    fn default() -> Mask {
        // Also operations that are newer than this crate: a mask says what may not be used.
        let left = Capabilities { operations: Operations(u128::MAX), ..Capabilities::ALL };
        Mask { left }
    }
}

impl FromStr for Mask {
    type Err = MaskError;

    fn from_str(text: &str) -> Result<Mask, MaskError> {
        let mut mask = Mask::default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            mask.apply(word)?;
        }
        Ok(mask)
    }
}

/// A word in a [`Mask`] that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskError {
    word: String,
}

impl MaskError {
    fn new(word: &str) -> MaskError {
        MaskError { word: word.to_owned() }
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of t0, t1", self.word)?;
        for (name, _) in Capabilities::NONE.entries() {
            write!(f, ", -{name}")?;
        }
        write!(f, ", nor a minus and one of the kernel's operations, as in -recv or -openat")
    }
}

impl Error for MaskError {}

/// Classes of kernels: 5.10.162 and 5.15, 5.19 and 6.0, 6.1 and newer.
#[derive(Clone, Copy)]
enum Tier {
    Nothing,
    T0,
    T1,
    T2,
}

/// A set of operations by their numbers. Numbers from 128 on are in no set; the kernel has come to
/// 64 in seven years.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Operations(u128);

impl Operations {
    const fn of_tier(tier: Tier) -> Operations {
        let last = match tier {
            Tier::Nothing => return Operations(0),
            Tier::T0 => opcode::UnlinkAt::CODE,
            Tier::T1 => opcode::SendZc::CODE,
            Tier::T2 => NAMES.len() as u8 - 1,
        };
        Operations(u128::MAX >> (127 - last))
    }

    fn has(self, opcode: u8) -> bool {
        1u128.checked_shl(opcode.into()).is_some_and(|bit| self.0 & bit != 0)
    }

    fn with(self, opcode: u8) -> Operations {
        Operations(self.0 | 1u128.checked_shl(opcode.into()).unwrap_or(0))
    }

    fn without(self, opcode: u8) -> Operations {
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

    fn parsed(text: &str) -> Capabilities {
        Capabilities::ALL.masked(text.parse().expect(text))
    }

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

    #[test]
    fn an_empty_mask_takes_nothing() {
        assert_eq!(parsed(""), Capabilities::ALL);
        assert_eq!(parsed(" , ,"), Capabilities::ALL);
        assert!(Mask::default().left().supports(127), "operations that have no name yet");
    }

    #[test]
    fn a_capability_goes_by_its_name_and_alone() {
        let left = parsed("-no_iowait");
        assert_eq!(left, Capabilities { no_iowait: false, ..Capabilities::ALL });
    }

    #[test]
    fn an_operation_goes_by_its_name_and_takes_along_what_is_built_on_it() {
        let left = parsed("-recv, -openat");
        assert!(!left.supports(opcode::Recv::CODE) && !left.supports(opcode::OpenAt::CODE));
        assert!(left.supports(opcode::Send::CODE) && left.supports(opcode::OpenAt2::CODE));
        assert!(!left.multishot_recv && left.multishot_accept && left.buf_ring);
        assert!(!parsed("-buf_ring").multishot_recv);
        assert!(!parsed("-accept").multishot_accept);
        assert!(!parsed("-async_cancel").cancel_any);
    }

    #[test]
    fn a_name_that_is_both_stands_for_both() {
        let left = parsed("-msg_ring");
        assert!(!left.msg_ring && !left.supports(opcode::MsgRingData::CODE));
    }

    #[test]
    fn tier0_is_5_10_162() {
        let left = parsed("t0");
        let names: Vec<_> = left.entries().filter(|&(_, on)| on).map(|(name, _)| name).collect();
        assert_eq!(names, ["ext_arg"]);
        assert!(left.supports(opcode::UnlinkAt::CODE) && !left.supports(opcode::MkDirAt::CODE));
        assert_eq!(left.tier(), "T0");
    }

    #[test]
    fn tier1_is_6_0() {
        let left = parsed("t1");
        let gone: Vec<_> = left.entries().filter(|&(_, on)| !on).map(|(name, _)| name).collect();
        assert_eq!(gone, ["defer_taskrun", "no_sqarray", "min_wait", "no_iowait"]);
        assert!(left.supports(opcode::SendZc::CODE) && !left.supports(opcode::SendMsgZc::CODE));
        assert_eq!(left.tier(), "T1");
    }

    #[test]
    fn masks_add_up_whatever_the_order() {
        assert_eq!(parsed("t1,-accept"), parsed("-accept,t1"));
        assert_eq!(parsed("t0,t1"), parsed("t0"));
        assert_eq!(Capabilities::ALL.tier(), "T2");
    }

    #[test]
    fn an_unknown_word_is_named_beside_what_is_known() {
        for word in ["recv", "-", "t2", "-defer", "T0", "+recv"] {
            let error = format!("t0,{word}").parse::<Mask>().expect_err(word);
            let text = error.to_string();
            assert!(text.starts_with(&format!("`{word}` is none of t0, t1, -ext_arg, ")), "{text}");
            assert!(text.contains("-no_iowait") && text.contains("-openat"), "{text}");
        }
    }
}
