//! Reads of files that the page cache answers at once.
//!
//! A ring looks there too before it waits for the disk. But a read that is handed to it alone pays
//! for the whole way there and back: a plain call costs a fifth less. (Several at once share the way,
//! and cost less than a call each.) Where there is no ring, the detour that a call spares is one
//! over a thread of the pool.
//!
//! A read that was looked for in vain has cost one call more. So a file that disappoints is asked
//! less and less often, down to one read in [`PAUSE_MAX`].

#![allow(unsafe_code)]

use crate::call;
use crate::request::{Number, Request};

/// How many reads in a row go by without a look, at most.
const PAUSE_MAX: u8 = 64;

/// For [`File::pause`]: there is nothing to be had, ever.
const NEVER: u8 = u8::MAX;

/// A larger read takes so long to copy that the detour does not matter, and longer than the loop
/// should be held up where there is no ring.
const LEN_MAX: u32 = 64 * 1024;

/// What became of the looks so far, by descriptor.
#[derive(Default)]
pub(super) struct Cached {
    files: Vec<File>,
}

#[derive(Clone, Copy, Default)]
struct File {
    /// Whether it was ever asked for its flags.
    is_known: bool,
    /// How many reads go by before the next look.
    pause: u8,
    /// How many did after the last one in vain.
    last_pause: u8,
}

impl Cached {
    /// The number is that of another file from now on.
    pub(super) fn forget(&mut self, fd: Number) {
        if let Some(file) = self.files.get_mut(fd.0 as usize) {
            *file = File::default();
        }
    }

    /// What `request` comes to, if it is a read at an offset and all of it is in the cache.
    #[inline]
    pub(super) fn read(&mut self, request: &Request) -> Option<i32> {
        match *request {
            Request::Read { fd, buf, len: len @ 1..=LEN_MAX, offset: Some(offset) } => {
                self.look(fd, buf, len, offset)
            }
            _ => None,
        }
    }

    fn look(&mut self, fd: Number, buf: *mut u8, len: u32, offset: u64) -> Option<i32> {
        let index = usize::try_from(fd.0).ok()?;
        if self.files.len() <= index {
            self.files.resize(index + 1, File::default());
        }
        let file = &mut self.files[index];
        if !std::mem::replace(&mut file.is_known, true) && call::is_direct(fd) {
            // There is no cache to look in, and the call would wait for the device.
            file.pause = NEVER;
        }
        if file.pause > 0 {
            file.pause -= u8::from(file.pause != NEVER);
            return None;
        }
        let result = call::read_cached(fd, buf, len, offset);
        match result {
            Some(_) => file.last_pause = 0,
            None => {
                file.last_pause = (2 * file.last_pause).clamp(1, PAUSE_MAX);
                file.pause = file.last_pause;
            }
        }
        result
    }
}
