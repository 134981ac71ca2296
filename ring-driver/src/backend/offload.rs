//! Requests that wait for a disk, or for nobody knows what: carried out on the thread pool, whose
//! answer comes by the inbox like any message from another thread.

#![allow(unsafe_code)]

use std::sync::Arc;

use crate::call;
use crate::completion::{Completion, Outcome};
use crate::error::Failure;
use crate::pool::{Class, Pool};
use crate::remote::{Message, Remote};
use crate::request::{Request, UserData};

/// The way to the pool and back.
pub(super) struct Offload {
    pool: Arc<Pool>,
    remote: Arc<Remote>,
}

impl Offload {
    pub(super) fn new(pool: &Arc<Pool>, remote: &Arc<Remote>) -> Offload {
        Offload { pool: pool.clone(), remote: remote.clone() }
    }

    /// Has `request` carried out. What comes back is the errno if no thread can be had for it.
    pub(super) fn start(&self, request: Request, user_data: UserData) -> Result<(), i32> {
        let lent = Lent(request);
        let remote = self.remote.clone();
        let job = Box::new(move || {
            let lent = lent;
            let outcome = Outcome::plain(call::call(&lent.0));
            // After the end of the driver nobody waits for it: what it was lent has been leaked.
            let _ = remote.push(Message::Completed(Completion { user_data, outcome }));
        });
        self.pool
            .submit(Class::Kernel, job)
            .map_err(|error| Failure::of(&error).and_then(Failure::errno).unwrap_or(libc::EAGAIN))
    }
}

/// A request on its way to the pool.
struct Lent(Request);

// SAFETY: what the request points to lies in an in-flight cell that stays in place until the
// completion that the pool itself sends, and that nobody else touches until then.
unsafe impl Send for Lent {}
