//! Files of which the ring has been told, so that it does not look them up for each operation.
//!
//! Only a file that is read or written at offsets again and again is worth the call, and only a few
//! are at the same time.
//!
//! The ring's table holds a file open, whatever becomes of its number. So a file leaves the table
//! before the number is closed or given away, which is when nothing in flight names it any more:
//! no entry can mean a place that has become another file's.

use std::io;

use io_uring::Submitter;

use crate::request::Number;

/// How many files the ring can know of.
const PLACES: usize = 64;

/// Which of its operations tells the ring of a file. The call costs about as much as it spares so
/// many of them.
const WORTH_IT: u8 = 64;

/// The ring's table of files, seen from here.
#[derive(Default)]
pub(super) struct Files {
    /// By number.
    files: Vec<File>,
    /// Where there is room in the table; nowhere, before there is one.
    free: Vec<u8>,
    is_there: bool,
}

#[derive(Clone, Copy, Default)]
struct File {
    place: Option<u8>,
    /// Its operations so far, as long as it has no place.
    used: u8,
}

impl Files {
    /// The place in the ring's table of a file that is about to be read or written at an offset.
    #[inline]
    pub(super) fn place(&mut self, fd: Number, submitter: &Submitter<'_>) -> Option<u8> {
        match self.files.get_mut(fd.0 as usize) {
            Some(File { place: Some(place), .. }) => Some(*place),
            Some(file) if file.used < WORTH_IT => {
                file.used += 1;
                None
            }
            _ => self.add(fd, submitter),
        }
    }

    /// Tells the ring of a file that was used often, and begins to count the uses of another.
    #[cold]
    fn add(&mut self, fd: Number, submitter: &Submitter<'_>) -> Option<u8> {
        let index = usize::try_from(fd.0).ok()?;
        if self.files.len() <= index {
            self.files.resize(index + 1, File::default());
            return None;
        }
        self.files[index].used = 0;
        if !self.is_there {
            self.is_there = true;
            submitter.register_files_sparse(PLACES as u32).ok()?;
            self.free = (0..PLACES as u8).rev().collect();
        }
        let place = self.free.pop()?;
        match update(submitter, place, fd) {
            Ok(()) => self.files[index].place = Some(place),
            Err(_) => self.free.push(place),
        }
        self.files[index].place
    }

    /// The number is about to be somebody else's.
    pub(super) fn forget(&mut self, fd: Number, submitter: &Submitter<'_>) {
        let Some(file) = self.files.get_mut(fd.0 as usize) else { return };
        if let Some(place) = std::mem::take(file).place
            // A place that cannot be emptied is lost, and keeps its file open.
            && update(submitter, place, Number::NONE).is_ok()
        {
            self.free.push(place);
        }
    }

    /// All of them: a ring is taken apart in the background, and would keep files open until then.
    /// One by one, because taking the table away waits for what is in flight.
    pub(super) fn forget_all(&mut self, submitter: &Submitter<'_>) {
        for fd in 0..self.files.len() {
            self.forget(Number(fd as i32), submitter);
        }
    }
}

/// Puts a file in a place of the ring's table, or nothing.
fn update(submitter: &Submitter<'_>, place: u8, fd: Number) -> io::Result<()> {
    match submitter.register_files_update(place.into(), &[fd.0])? {
        1 => Ok(()),
        _ => Err(io::ErrorKind::Other.into()),
    }
}
