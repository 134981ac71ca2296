//! What a ring can do, and a way to pretend that it can do less.
//!
//! [`Capabilities`] is one plain struct, filled in once per ring by asking the kernel which opcodes
//! it knows, which features it reports, and by trying the rest; never by looking at a version,
//! because distributions carry newer rings in older kernels and the other way round. A [`Mask`]
//! takes some of it away again, so that one machine can walk the paths of many kernels:
//! `WAKERING_CAPS=t0` behaves like 5.10, `-recv,-buf_ring` like a kernel without those two.

use std::fmt;

use io_uring::opcode;

use kernel::Kernel;
use operations::Operations;

#[cfg(test)]
mod document;
mod kernel;
mod mask;
mod operations;

pub(crate) use mask::VARIABLE;
pub use mask::{Mask, MaskError};
pub(crate) use operations::NAMES;

macro_rules! capabilities {
    ($(#[doc = $doc:literal] $name:ident: $major:literal, $minor:literal, $without:literal;)*) => {
        /// What this kernel's io_uring can do and what a mask has left of it; nothing, where there
        /// is no ring.
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
            $(
                #[doc = $doc]
                #[doc = concat!("\n\nLinux ", $major, ".", $minor, "; without it: ", $without, ".")]
                pub $name: bool,
            )*
            /// Which operations the kernel knows.
            operations: Operations,
        }

        /// Each by its name, with the first kernel that has it, what it is, and what is done
        /// without it.
        #[cfg(test)]
        const CAPABILITIES: &[(&str, Kernel, &str, &str)] =
            &[$((stringify!($name), Kernel($major, $minor), $doc, $without)),*];

        impl Capabilities {
            /// All that `last` and the kernels before it brought.
            const fn up_to(last: Kernel) -> Capabilities {
                Capabilities {
                    $($name: Kernel($major, $minor).is_in(last),)*
                    operations: Operations::up_to(last),
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
    /// A wait takes a timeout.
    ext_arg: 5, 11, "nothing, such a ring is refused";
    /// The threads that the kernel starts for what would block can be limited.
    capped_workers: 5, 15, "four a core at most for files; for the rest as many as `ulimit -u` allows";
    /// An operation may be asked to complete silently where it succeeds.
    cqe_skip: 5, 17, "the completions of cancellations are taken and dropped";
    /// One bad entry does not stop the submission of those behind it.
    submit_all: 5, 18, "what is left is submitted by one more enter";
    /// A ring may post a completion to another ring.
    msg_ring: 5, 18, "other threads wake the loop by its eventfd";
    /// A thread may name its ring by an index, which spares a look-up.
    registered_ring: 5, 18, "the ring is named by its descriptor";
    /// Completions do not interrupt the thread.
    coop_taskrun: 5, 19, "they do";
    /// The kernel picks a buffer from a ring of provided ones when data is there.
    buf_ring: 5, 19, "readiness is waited for, then recv(2) fills a buffer of the pool";
    /// A ring may be told in advance of memory that files are read into and written from.
    registered_buffers: 5, 19, "the kernel looks its pages up each time";
    /// One accept yields connection after connection.
    multishot_accept: 5, 19, "one accept after the other";
    /// One cancel takes back all operations, or all of one descriptor.
    cancel_any: 5, 19, "each is taken back by itself, which so far is always done";
    /// The ring knows that one thread submits.
    single_issuer: 6, 0, "it is not told, and `defer_taskrun` is not to be had";
    /// One receive yields buffer after buffer.
    multishot_recv: 6, 0, "one receive after the other; `op::recv_multi` says `Unsupported`";
    /// Completions are worked off when we ask, in batches.
    defer_taskrun: 6, 1, "`coop_taskrun`, or whenever the kernel likes";
    /// A send that borrows its bytes instead of copying them, and tells whether it could.
    send_zc: 6, 2, "`op::send_zc` copies";
    /// The submission queue has no indirection.
    no_sqarray: 6, 6, "it has one";
    /// A wait may gather completions for a while.
    min_wait: 6, 12, "a wait ends with the first one";
    /// An idle wait does not count as waiting for I/O.
    no_iowait: 6, 15, "an idle ring shows as I/O wait";
    /// A ring may be told in advance of files that are read and written at offsets.
    registered_files: 6, 15, "the kernel looks the file up each time";
}

impl Capabilities {
    /// Nothing at all.
    pub(crate) const NONE: Capabilities = Capabilities::up_to(Kernel::NONE);

    /// Everything that this crate has a name for.
    pub(crate) const ALL: Capabilities = Capabilities::up_to(Kernel::ANY);

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
        // One that is both may lack more than the operation.
        let mut entries = self.entries();
        entries.find(|&(known, _)| known == name).map_or_else(operation, |(_, is_there)| is_there)
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
        left.registered_buffers &=
            left.supports(opcode::ReadFixed::CODE) && left.supports(opcode::WriteFixed::CODE);
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
