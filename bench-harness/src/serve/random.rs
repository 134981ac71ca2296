//! Random numbers for answers: fast, repeatable by a seed, and good enough for nothing else.
//!
//! The generator is SplitMix64. Without a seed it starts from the randomness that the standard
//! library keeps for its hash maps, so that there is no dependency and no system call a request.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A generator of random numbers.
pub(super) struct Random(u64);

impl Random {
    /// Another sequence each time.
    pub(super) fn new() -> Random {
        Random(RandomState::new().build_hasher().finish())
    }

    /// The same sequence for the same seed.
    pub(super) fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of at least 0 and below 1.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_its_absence_does_not() {
        assert_eq!(Random::seeded(1).bytes(20), Random::seeded(1).bytes(20));
        assert_ne!(Random::seeded(1).bytes(20), Random::seeded(2).bytes(20));
        assert_ne!(Random::new().bytes(20), Random::new().bytes(20));
    }

    #[test]
    fn the_known_first_numbers_of_the_generator() {
        let mut random = Random::seeded(1_234_567);
        let got = [random.next(), random.next(), random.next()];
        assert_eq!(got, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }
}
