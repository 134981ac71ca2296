//! A terminal without anybody in front of it.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

/// A terminal: the end of whoever types and looks, and the end of a program. It echoes, and hands
/// over whole lines, as terminals do from the start.
///
/// # Panics
///
/// If the machine has no terminals left, or no `/dev/pts`.
pub fn terminal() -> (File, OwnedFd) {
    // SAFETY: It takes a number and gives a new descriptor or -1.
    let number = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
    assert!(number >= 0, "posix_openpt: {}", io::Error::last_os_error());
    // SAFETY: The descriptor is new and nobody else's.
    let person = unsafe { File::from_raw_fd(number) };
    let mut name = [0 as libc::c_char; 64];
    // SAFETY: The descriptor is a terminal's, and the name is written to as much room as is told,
    // with a zero at its end.
    let name = unsafe {
        assert_eq!(libc::unlockpt(number), 0, "unlockpt: {}", io::Error::last_os_error());
        assert_eq!(libc::ptsname_r(number, name.as_mut_ptr(), name.len()), 0, "ptsname_r");
        CStr::from_ptr(name.as_ptr())
    };
    let name = name.to_str().expect("a path like /dev/pts/1");
    let program = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(name);
    (person, program.expect("a terminal's other end can be opened").into())
}
