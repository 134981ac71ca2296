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
        let (lent, remote) = (Lent(request), self.remote.clone());
        let job = Box::new(move || {
            let lent = lent;
            answer(&remote, &lent.0, user_data);
        });
        match self.pool.submit(Class::Kernel, job) {
            Ok(()) => Ok(()),
            // Late is better than never: nobody else would close it.
            Err(_) if matches!(request, Request::Close { .. }) => {
                answer(&self.remote, &request, user_data);
                Ok(())
            }
            Err(error) => Err(Failure::of(&error).and_then(Failure::errno).unwrap_or(libc::EAGAIN)),
        }
    }
}

fn answer(remote: &Remote, request: &Request, user_data: UserData) {
    let outcome = Outcome::plain(call::call_and_wait(request));
    // After the end of the driver nobody waits for it: what it was lent has been leaked.
    let _ = remote.push(Message::Completed(Completion { user_data, outcome }));
}

/// A request on its way to the pool.
struct Lent(Request);

// SAFETY: what the request points to belongs to an operation in flight, which stays in place until
// the completion that the pool sends, and is leaked if none comes. Until then nobody else writes to
// it; what others may read (`Operation`) is only read here as well.
unsafe impl Send for Lent {}
