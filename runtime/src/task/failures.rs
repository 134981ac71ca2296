//! What goes wrong in a scope or group, kept until that is over.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

use super::ScopeError;

/// Of the body or of a child.
pub(super) enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

/// The errors, in the order in which they came, and the first panic.
pub(super) struct Failures<E> {
    errors: RefCell<Vec<E>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl<E> Failures<E> {
    pub(super) fn none() -> Failures<E> {
        Failures { errors: RefCell::default(), panic: Cell::new(None) }
    }

    pub(super) fn add(&self, failure: Failure<E>) {
        match failure {
            Failure::Error(error) => self.errors.borrow_mut().push(error),
            Failure::Panic(panic) => {
                // The first one counts. The others are dropped outside of the cell.
                let first = self.panic.take().unwrap_or(panic);
                self.panic.set(Some(first));
            }
        }
    }

    /// What the scope or group comes to: a panic comes out, an error wins against the `output` of
    /// the body. Without an output there must be one of them.
    pub(super) fn outcome<R>(&self, output: Option<R>) -> Result<R, ScopeError<E>> {
        if let Some(panic) = self.panic.take() {
            resume_unwind(panic);
        }
        let mut errors = self.errors.take().into_iter();
        match (errors.next(), output) {
            (None, Some(output)) => Ok(output),
            (Some(first), _) => Err(ScopeError { first, suppressed: errors.collect() }),
            (None, None) => unreachable!("a body is stopped by failures only"),
        }
    }
}
