//! The end of a descriptor: its number is given back only when nothing can name it any more.
//!
//! `close(2)` alone would neither end a pending receive nor tell the peer: requests hold the file,
//! and queued ones hold the number (liburing issues 932, 568, 782). So: cancel the read side, let
//! submitted and queued sends finish for as long as [`LINGER`], then close.

use std::future::poll_fn;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Fd, Leftovers, Phase, Sharing, Shelf};
use crate::driver::{Core, Driver};
use crate::in_flight::{Home, Key};
use crate::request::{Number, Request};
use crate::time::Instant;

/// How long queued and submitted bytes may take to leave before a closing descriptor drops them.
const LINGER: Duration = Duration::from_secs(5);

impl Fd {
    /// Closes the descriptor, whoever else holds a handle: queued bytes are sent (for up to 5 s),
    /// parked operations end with an error, and when this completes the number is free.
    ///
    /// # Errors
    /// What a queued send came to, or `close(2)` itself.
    ///
    /// # Cancellation
    /// **Strict**: the closing goes on in the background.
    pub async fn close(self) -> io::Result<()> {
        let error = self.driver().with(|core| core.start_closing(self.index(), Phase::Closing));
        poll_fn(|cx| self.poll_quiet(cx)).await;
        let late = self.driver().with(|core| core.finish_closing(self.index()));
        match error.or(late) {
            None => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Ends all operations, whoever else holds a handle, and throws away what was queued. A TCP
    /// peer sees a reset as soon as the last handle is gone.
    pub fn abort(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // Not every descriptor is a socket, and on the others there is nothing to reset.
        let _ = self.call_now(|fd| Request::SetSockOpt {
            fd,
            level: libc::SOL_SOCKET,
            name: libc::SO_LINGER,
            value: (&raw const linger).cast(),
            len: size_of::<libc::linger>() as u32,
        });
        self.driver().with(|core| {
            core.start_closing(self.index(), Phase::Closing);
            core.cut_short(self.index());
            core.on_quieter(self.0.index);
        });
    }

    /// Gives the descriptor back to the system's own handle, with what abandoned receives and
    /// accepts left and what the kernel has told of errors. Queued bytes are sent first (for up to
    /// 5 s).
    ///
    /// # Errors
    /// The handle itself, where others share it, and in a forked child, where the descriptor is its
    /// parent's and what was received is not even mapped.
    ///
    /// # Cancellation
    /// **Weak**: the descriptor stays the driver's and is closed with its last handle.
    pub async fn detach(self) -> Result<(OwnedFd, Leftovers), Fd> {
        if !self.is_unique() || self.driver().is_forked() {
            return Err(self);
        }
        let unsent = self.driver().with(|core| core.start_closing(self.index(), Phase::Closing));
        poll_fn(|cx| self.poll_quiet(cx)).await;
        let (number, shelf, late) = self.driver().with(|core| {
            let state = &mut core.descriptors[self.index()];
            let number = std::mem::replace(&mut state.number, Number::NONE);
            let shelf = state.read.shelf.take();
            let late = state.take_write_error();
            if number != Number::NONE {
                core.backend.release(number);
            }
            (number, shelf, late)
        });
        if number == Number::NONE {
            return Err(self);
        }
        let leftovers = shelf.unwrap_or_default().into_leftovers(unsent.or(late));
        Ok((own(number), leftovers))
    }

    /// Hands `driver` a descriptor with what left with it when it was [given back](Fd::detach),
    /// perhaps by another driver: who receives or sends next finds all of that, errors too.
    ///
    /// ```
    /// use std::os::unix::net::UnixStream;
    /// use wakering_ring_driver::{Driver, Fd, Sharing, op};
    ///
    /// # wakering_ring_driver::testing::block_on(async {
    /// let driver = Driver::current()?;
    /// let fd = Fd::adopt(&driver, UnixStream::pair()?.0.into(), Sharing::Private)?;
    /// let (owned, mut left) = fd.detach().await.expect("there is no other handle");
    /// left.bytes.extend_from_slice(b"put back");
    /// let fd = Fd::attach(&driver, owned, Sharing::Private, left)?;
    /// assert_eq!(op::recv(&fd, vec![0; 9]).await?.1, b"put back");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`adopt`](Fd::adopt).
    pub fn attach(
        driver: &Driver,
        owned: OwnedFd,
        sharing: Sharing,
        leftovers: Leftovers,
    ) -> io::Result<Fd> {
        let fd = Fd::adopt(driver, owned, sharing)?;
        driver.with(|core| {
            let state = &mut core.descriptors[fd.index()];
            if let Some(unsent) = &leftovers.unsent {
                let side = state.write(&mut core.empties);
                side.shelf(&mut core.empties).error = unsent.raw_os_error();
            }
            state.read.shelf = Shelf::of_leftovers(leftovers);
        });
        Ok(fd)
    }

    fn poll_quiet(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver().with_caller(cx.waker(), |core, caller| {
            let state = &mut core.descriptors[self.index()];
            if state.is_quiet() {
                return Poll::Ready(());
            }
            caller.stay_among(&mut state.write(&mut core.empties).waiters);
            Poll::Pending
        })
    }
}

#[allow(unsafe_code)]
pub(super) fn own(number: Number) -> OwnedFd {
    // SAFETY: the number was the driver's alone, which has just forgotten it, and nothing in flight
    // names it: on a descriptor that is quiet nothing can, on a connection off a shelf nothing was
    // ever begun.
    unsafe { OwnedFd::from_raw_fd(number.0) }
}

impl Core {
    /// The last handle is gone.
    pub(crate) fn release(&mut self, descriptor: u32) {
        self.start_closing(descriptor as usize, Phase::Released);
        self.on_quieter(descriptor);
    }

    fn start_closing(&mut self, index: usize, phase: Phase) -> Option<i32> {
        self.note_closing(index);
        let state = &mut self.descriptors[index];
        state.phase = phase;
        let error = state.take_write_error();
        let (read, free_flights) = (state.read.in_flight, state.free_flights);
        // Whoever waits for a side finds it closed.
        state.read.waiters.leave_to(&mut self.after.wakers);
        if let Some(side) = &mut state.write {
            side.waiters.leave_to(&mut self.after.wakers);
        }
        if let Some(key) = read {
            self.cancel(key);
            self.rob_if_done(key, index as u32);
        }
        if self.is_gone() {
            self.forget_flights(index);
            return error;
        }
        if free_flights > 0 {
            self.cancel_flights(|home| {
                matches!(home, Home::Account { descriptor, .. } if descriptor as usize == index)
            });
            let far_end = |&(_, far_end): &(Key, u32)| far_end as usize == index;
            let keys: Vec<_> = self.far_ends.iter().copied().filter(far_end).collect();
            keys.into_iter().for_each(|(key, _)| self.cancel(key));
        }
        let state = &self.descriptors[index];
        if !state.is_quiet() {
            self.closing.push((Instant::now() + LINGER, index as u32));
        }
        error
    }

    /// After the end of the driver nothing completes any more: what was queued is lost. What was
    /// leaked stays so, and with it the number: a call that still waits in the pool may name it.
    fn forget_flights(&mut self, index: usize) {
        self.cut_short(index);
        let state = &mut self.descriptors[index];
        if state.is_named() {
            state.number = Number::NONE;
        }
        state.read.in_flight = None;
        if let Some(side) = &mut state.write {
            side.in_flight = None;
        }
        state.free_flights = 0;
    }

    /// Something on the descriptor has ended: perhaps that was the last.
    #[inline]
    pub(crate) fn on_quieter(&mut self, descriptor: u32) {
        if self.descriptors[descriptor as usize].phase != Phase::Open {
            self.close_if_quiet(descriptor);
        }
    }

    fn close_if_quiet(&mut self, descriptor: u32) {
        let state = &mut self.descriptors[descriptor as usize];
        if !state.is_quiet() {
            return;
        }
        if let Some(side) = &mut state.write {
            side.waiters.leave_to(&mut self.after.wakers);
        }
        let released = state.phase == Phase::Released;
        self.closing.retain(|&(_, closing)| closing != descriptor);
        if released {
            self.finish_closing(descriptor as usize);
            self.descriptors.remove(descriptor as usize);
        }
    }

    /// Closes the number of a quiet descriptor. Whatever lies on its shelves goes too: nobody can
    /// fetch it any more, and chunks keep buffers from others.
    fn finish_closing(&mut self, index: usize) -> Option<i32> {
        let state = &mut self.descriptors[index];
        let number = std::mem::replace(&mut state.number, Number::NONE);
        let write = state.write.as_mut().and_then(|side| side.shelf.take());
        let mut read = state.read.shelf.take();
        let late = write.as_ref().and_then(|shelf| shelf.error);
        // Connections that nobody accepted end with their listener.
        let accepted = read.as_mut().map(|shelf| std::mem::take(&mut shelf.accepted));
        for (connection, _) in accepted.into_iter().flatten() {
            self.backend.close(connection);
        }
        self.after.shelves.extend(read.into_iter().chain(write));
        if number == Number::NONE {
            return late;
        }
        late.or(self.backend.close(number))
    }

    /// Sends that have lingered long enough are cancelled.
    pub(crate) fn expire_closing(&mut self) {
        if self.closing.is_empty() {
            return;
        }
        let now = Instant::now();
        let expired: Vec<u32> = self
            .closing
            .iter()
            .filter(|(until, _)| *until <= now)
            .map(|&(_, index)| index)
            .collect();
        for descriptor in expired {
            self.cut_short(descriptor as usize);
        }
    }

    /// Ends both sides as soon as the kernel lets go of them. A send that was cancelled halfway
    /// leaves the other half as output again, so this is remembered until then.
    pub(crate) fn cut_short(&mut self, index: usize) {
        let state = &mut self.descriptors[index];
        state.cut_short = true;
        state.discard_output();
        for key in [state.read.in_flight, state.sending()].into_iter().flatten() {
            self.cancel(key);
        }
        self.closing.retain(|&(_, closing)| closing as usize != index);
    }
}
