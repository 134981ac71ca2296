//! The names under which requests come back as completions.

/// Names one flight of one slot: slot index in the low half, generation in the high half.
///
/// The all-ones patterns above [`UserData::RESERVED`] belong to the backend: its own wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserData(pub(crate) u64);

impl UserData {
    /// The lowest pattern that a backend may use for requests of its own.
    pub(crate) const RESERVED: u64 = u64::MAX - 15;
    /// Makes of the name of a flight that of its cancellation. Generations leave the upper eight
    /// bits free.
    const CANCELLATION: u64 = 1 << 62;
    /// What another driver posts to end a sleep.
    pub(crate) const NUDGE: UserData = UserData(UserData::RESERVED + 2);

    /// Makes of the number of a descriptor the name of the news that it may be readable.
    const READABLE: u64 = 1 << 61;

    /// The number of the slot, which is free for the next flight only after the completion of this
    /// one.
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Names the news that the readers of `descriptor` may try. No flight stands behind it.
    pub(crate) const fn readable(descriptor: u32) -> UserData {
        UserData(UserData::READABLE | descriptor as u64)
    }

    /// Whose readers may try, if that is what it says.
    pub(crate) fn readers(self) -> Option<u32> {
        (self.0 >> 32 == UserData::READABLE >> 32).then_some(self.0 as u32)
    }

    /// Names the cancellation of this flight.
    pub(crate) fn cancellation(self) -> UserData {
        UserData(self.0 ^ UserData::CANCELLATION)
    }

    /// The flight that the cancellation of this name was to end.
    pub(crate) fn cancelled(self) -> Option<UserData> {
        let target = self.0 ^ UserData::CANCELLATION;
        (target >> 56 == 0).then_some(UserData(target))
    }
}
