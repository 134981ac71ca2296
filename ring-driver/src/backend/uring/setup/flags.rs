//! `IORING_SETUP_*` as this driver uses them: which combinations are worth asking for, and what a
//! mask leaves of them.

use crate::capabilities::Mask;

/// How a ring was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetupFlags(u32);

impl SetupFlags {
    pub(super) const NONE: SetupFlags = SetupFlags(0);
    pub(crate) const SUBMIT_ALL: SetupFlags = SetupFlags(1 << 7);
    pub(crate) const COOP_TASKRUN: SetupFlags = SetupFlags(1 << 8);
    /// The queue shows in memory when completions wait to be worked off. Goes with either way of
    /// not being interrupted.
    pub(crate) const TASKRUN_FLAG: SetupFlags = SetupFlags(1 << 9);
    pub(crate) const SINGLE_ISSUER: SetupFlags = SetupFlags(1 << 12);
    pub(crate) const DEFER_TASKRUN: SetupFlags = SetupFlags(1 << 13);
    pub(crate) const NO_SQARRAY: SetupFlags = SetupFlags(1 << 16);

    const DEFER: SetupFlags =
        SetupFlags::SINGLE_ISSUER.or(SetupFlags::DEFER_TASKRUN).or(SetupFlags::TASKRUN_FLAG);
    const COOP: SetupFlags = SetupFlags::COOP_TASKRUN.or(SetupFlags::TASKRUN_FLAG);

    /// From the best to what every kernel takes, SUBMIT_ALL left out.
    const LADDER: [SetupFlags; 4] = [
        SetupFlags::DEFER.or(SetupFlags::NO_SQARRAY),
        SetupFlags::DEFER,
        SetupFlags::COOP,
        SetupFlags::NONE,
    ];

    const fn or(self, other: SetupFlags) -> SetupFlags {
        SetupFlags(self.0 | other.0)
    }

    pub(crate) fn has(self, other: SetupFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of the ladder that `mask` allows, with SUBMIT_ALL where it may be and finally without.
    pub(super) fn rungs(mask: Mask) -> impl Iterator<Item = SetupFlags> {
        let left = mask.left();
        let allows = move |flags: SetupFlags| {
            (left.defer_taskrun || !flags.has(SetupFlags::DEFER_TASKRUN))
                && (left.single_issuer || !flags.has(SetupFlags::SINGLE_ISSUER))
                && (left.coop_taskrun || !flags.has(SetupFlags::COOP_TASKRUN))
                && (left.no_sqarray || !flags.has(SetupFlags::NO_SQARRAY))
        };
        let submit_all = if left.submit_all { SetupFlags::SUBMIT_ALL } else { SetupFlags::NONE };
        SetupFlags::LADDER
            .into_iter()
            .filter(move |&flags| allows(flags))
            .map(move |flags| flags.or(submit_all))
            .chain(left.submit_all.then_some(SetupFlags::NONE))
    }

    /// The kernel's names, without their prefix.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        [
            ("SINGLE_ISSUER", SetupFlags::SINGLE_ISSUER),
            ("DEFER_TASKRUN", SetupFlags::DEFER_TASKRUN),
            ("COOP_TASKRUN", SetupFlags::COOP_TASKRUN),
            ("TASKRUN_FLAG", SetupFlags::TASKRUN_FLAG),
            ("SUBMIT_ALL", SetupFlags::SUBMIT_ALL),
            ("NO_SQARRAY", SetupFlags::NO_SQARRAY),
        ]
        .into_iter()
        .filter(move |&(_, flag)| self.has(flag))
        .map(|(name, _)| name)
    }
}
