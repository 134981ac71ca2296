//! The ring, as every reference sets it up: one thread submits and reaps, work is done when it
//! enters, and its own descriptor is registered.

use std::io;

use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, squeue};

/// Entries of the submission queue; as many again by eight for completions.
const ENTRIES: u32 = 4096;

/// A completion: its key, result and flags.
pub type Completion = (u64, i32, u32);

/// A ring, and completions that have been taken from it.
pub struct Ring {
    /// Kept, because it alone knows the number under which the ring is registered.
    submitter: Submitter<'static>,
    submissions: SubmissionQueue<'static>,
    completions: CompletionQueue<'static>,
    taken: Vec<Completion>,
}

impl Ring {
    /// Sets one up, which lives as long as the program.
    pub fn new() -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_no_sqarray()
            .setup_clamp()
            .setup_cqsize(ENTRIES * 8)
            .build(ENTRIES)?;
        let (mut submitter, submissions, completions) = Box::leak(Box::new(ring)).split();
        submitter.register_ring_fd()?;
        let taken = Vec::with_capacity(ENTRIES as usize);
        Ok(Ring { submitter, submissions, completions, taken })
    }

    /// What registers with it.
    pub fn submitter(&self) -> &Submitter<'static> {
        &self.submitter
    }

    /// Queues an entry, after submitting if there is no room.
    ///
    /// # Safety
    /// Everything that the entry points to stays until its completion.
    pub unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller's.
        while unsafe { self.submissions.push(entry) }.is_err() {
            self.submissions.sync();
            self.submitter.submit()?;
            self.submissions.sync();
        }
        Ok(())
    }

    /// Submits, waits for a completion, and returns all that are there.
    ///
    /// The head is published before the wait, which would else return at once for what has been
    /// taken already.
    pub fn wait(&mut self) -> io::Result<Vec<Completion>> {
        self.submissions.sync();
        self.completions.sync();
        match self.submitter.submit_and_wait(1) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.submissions.sync();
        self.completions.sync();
        let mut taken = std::mem::take(&mut self.taken);
        taken.clear();
        let completions = (&mut self.completions).into_iter();
        taken.extend(completions.map(|c| (c.user_data(), c.result(), c.flags())));
        Ok(taken)
    }

    /// Takes the list back, for the next time.
    pub fn give_back(&mut self, taken: Vec<Completion>) {
        self.taken = taken;
    }
}
