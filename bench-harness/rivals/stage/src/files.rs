//! The files that are read: how large, and where.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes of a random read.
pub const SMALL_READ: usize = 4096;

/// Bytes of a sequential read or write.
pub const LARGE_READ: usize = 1 << 20;

/// Files in the folder of small ones, `0` and so on.
pub const SMALL_FILES: u64 = 1_000;

/// How many of `count` operations are worker `worker`'s, of as many as `depth`.
pub fn share(count: u64, depth: usize, worker: usize) -> u64 {
    let depth = depth as u64;
    count / depth + u64::from((worker as u64) < count % depth)
}

/// The small file that worker `worker` reads as its `at`th.
pub fn small_file(folder: &Path, worker: usize, at: u64) -> PathBuf {
    folder.join("small").join(((at * 7 + worker as u64 * 31) % SMALL_FILES).to_string())
}

/// Bytes on a page of their own, as reads past the page cache want them.
#[derive(Debug)]
pub struct Aligned {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// So many zeroes.
    pub fn new(length: usize) -> Aligned {
        let memory = vec![0; length + SMALL_READ];
        let start = memory.as_ptr().align_offset(SMALL_READ);
        Aligned { memory, start, length }
    }

    /// All of them.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }
}

/// Zeroes, and where among them a page begins, with as many bytes as asked for: for reads past the
/// page cache by runtimes that take a part of a vector.
pub fn aligned(length: usize) -> (Vec<u8>, Range<usize>) {
    let Aligned { memory, start, length } = Aligned::new(length);
    (memory, start..start + length)
}

/// Places to read at: always the same ones, spread over the file without an order.
#[derive(Debug, Clone)]
pub struct Offsets {
    state: u64,
    blocks: u64,
}

impl Offsets {
    /// For a file of so many bytes.
    pub fn new(length: u64) -> Offsets {
        Offsets { state: 0x9e37_79b9_7f4a_7c15, blocks: (length / SMALL_READ as u64).max(1) }
    }

    /// Others than those of another reader of the same file.
    pub fn of_reader(length: u64, reader: usize) -> Offsets {
        let mut offsets = Offsets::new(length);
        offsets.state ^= (reader as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95);
        offsets
    }

    /// The next one, a multiple of the size of a read.
    #[expect(clippy::should_implement_trait, reason = "there is always a next one")]
    pub fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % self.blocks * SMALL_READ as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_somebodys() {
        assert_eq!((0..4).map(|worker| share(10, 4, worker)).collect::<Vec<_>>(), [3, 3, 2, 2]);
    }

    #[test]
    fn aligned_bytes_are() {
        let mut aligned = Aligned::new(100);
        assert!(aligned.bytes().as_ptr().addr().is_multiple_of(SMALL_READ));
        assert_eq!(aligned.bytes().len(), 100);
    }

    #[test]
    fn offsets_lie_within_the_file_and_are_aligned() {
        let mut offsets = Offsets::of_reader(10 * 4096 + 5, 3);
        for offset in (0..1_000).map(|_| offsets.next()) {
            assert!(offset.is_multiple_of(4096) && offset < 10 * 4096, "{offset}");
        }
    }
}
