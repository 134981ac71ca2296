//! What a ring can do, and a way to pretend that it can do less.
//!
//! [`Capabilities`] is one plain struct, filled in once per ring by asking the kernel which opcodes
//! it knows, which features it reports, and by trying the rest; never by looking at a version,
//! because distributions carry newer rings in older kernels and the other way round. A [`Mask`]
//! takes some of it away again, so that one machine can walk the paths of many kernels:
//! `WAKERING_CAPS=t0` behaves like 5.10, `-recv,-buf_ring` like a kernel without those two.

use std::fmt;

use io_uring::opcode;

use operations::Operations;

mod mask;
mod operations;

pub(crate) use mask::VARIABLE;
pub use mask::{Mask, MaskError};
pub(crate) use operations::NAMES;

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
    /// let driver = Driver::new(&config)?;
    /// let capabilities = driver.capabilities();
    /// assert_eq!(capabilities.has("ext_arg") && capabilities.has("read"), driver.backend() == "uring");
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
        if !self.buf_ring {
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
        let mut left = self.and(mask.left());
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

/// Classes of kernels: 5.10.162 and 5.15, 5.19 and 6.0, 6.1 and newer.
#[derive(Clone, Copy)]
enum Tier {
    Nothing,
    T0,
    T1,
    T2,
}
