//! A mask takes abilities away, by name: for tests of every path on one machine, and for users
//! whose kernel promises what it does not keep.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::{Capabilities, Kernel, NAMES, Operations};
use crate::error::SetupError;

/// The name of the environment variable that holds a [`Mask`].
pub(crate) const VARIABLE: &str = "WAKERING_CAPS";

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
            "t0" => self.left = self.left.and(Capabilities::up_to(Kernel::T0)),
            "t1" => self.left = self.left.and(Capabilities::up_to(Kernel::T1)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use io_uring::opcode;

    fn parsed(text: &str) -> Capabilities {
        Capabilities::ALL.masked(text.parse().expect(text))
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
        assert_eq!(
            gone,
            ["defer_taskrun", "send_zc", "no_sqarray", "min_wait", "no_iowait", "registered_files"]
        );
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
