//! Writes at an offset that keep their order.
//!
//! Positioned writes may overtake each other, and one that was abandoned may reach the file after
//! its successor. Who writes a file front to back takes turns instead, as on a stream.

#![allow(unsafe_code)]

use std::io;

use super::transfer::keep;
use super::{Lane, Operation};
use crate::completion::Outcome;
use crate::driver::Driver;
use crate::fd::Shelf;
use crate::request::{Number, Request};

/// A write that occupies the write side of its descriptor, so that it waits for the one before it
/// also if that was abandoned.
#[derive(Debug)]
pub struct InTurn<O>(pub(super) O);

// SAFETY: all is left to `O`, which lies in here and so moves only with this.
unsafe impl<O: Operation> Operation for InTurn<O> {
    type Output = O::Output;

    const NAME: &'static str = O::NAME;
    const LANE: Lane = Lane::Write;

    fn request(&mut self, fd: Number) -> Request {
        self.0.request(fd)
    }

    fn complete(self, outcome: Outcome, driver: &Driver) -> Self::Output {
        self.0.complete(outcome, driver)
    }

    fn fail(self, error: io::Error) -> Self::Output {
        self.0.fail(error)
    }

    fn refuse(&self) -> Option<io::Error> {
        self.0.refuse()
    }

    fn put_back(&mut self, outcome: Outcome, shelf: &mut Shelf) {
        keep(outcome, shelf);
    }
}
