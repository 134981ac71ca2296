//! A future that is made where it lives.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// The future of a parcel: before its first poll, what makes it and nothing else.
    #[project = MadeProjection]
    pub(super) enum Made<M, F> {
        Plan { make: Option<M> },
        Future { #[pin] future: F },
    }
}

impl<M: FnOnce() -> F, F: Future> Future for Made<M, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let MadeProjection::Plan { make } = self.as_mut().project() {
            let make = make.take().expect("what has panicked is not polled again");
            let future = make();
            self.set(Made::Future { future });
        }
        match self.project() {
            MadeProjection::Future { future } => future.poll(cx),
            MadeProjection::Plan { .. } => unreachable!("it was made just now"),
        }
    }
}
