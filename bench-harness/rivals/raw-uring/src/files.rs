//! Random reads of 4 KiB, and sequential ones of 1 MiB: as many as `depth` under way, each into a
//! buffer of its own.

use std::alloc::{Layout, alloc_zeroed};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use io_uring::{opcode, types::Fd};
use stage::files::{Offsets, SMALL_READ};
use stage::{Console, Files, Job};

use crate::ring::Ring;

/// Reads until nobody asks any more.
pub fn run(job: Job) -> io::Result<()> {
    let Job::Files { what, ref folder, depth } = job else { job.cannot() };
    let flags = match what {
        Files::ReadCached => 0,
        Files::ReadDirect => libc::O_DIRECT,
        _ => job.cannot(),
    };
    let path = folder.join("large");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&path)?;
    let mut offsets = Offsets::new(file.metadata()?.len());
    let mut ring = Ring::new()?;
    let layout = Layout::from_size_align(depth * SMALL_READ, 4096).map_err(io::Error::other)?;
    // SAFETY: the size is not zero; the memory is never freed.
    let memory = unsafe { alloc_zeroed(layout) };
    let fd = Fd(file.as_raw_fd());
    let mut console = Console::ready(1);
    while let Some(count) = console.next_slice() {
        let mut read = |ring: &mut Ring, slot: usize| {
            // SAFETY: the slot lies within the memory, which is never freed; one read at a time
            // is under way in each.
            unsafe {
                let buffer = memory.add(slot * SMALL_READ);
                let entry = opcode::Read::new(fd, buffer, SMALL_READ as u32);
                ring.push(&entry.offset(offsets.next()).build().user_data(slot as u64))
            }
        };
        let mut begun = 0;
        for slot in 0..depth.min(count as usize) {
            read(&mut ring, slot)?;
            begun += 1;
        }
        let mut done = 0;
        while done < count {
            let taken = ring.wait()?;
            for &(slot, result, _) in &taken {
                if result != SMALL_READ as i32 {
                    return Err(io::Error::from_raw_os_error(-result.min(0)));
                }
                done += 1;
                if begun < count {
                    read(&mut ring, slot as usize)?;
                    begun += 1;
                }
            }
            ring.give_back(taken);
        }
        console.done(count);
    }
    Ok(())
}
