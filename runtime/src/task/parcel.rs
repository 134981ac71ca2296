//! How a task travels that was made on another thread.

use std::sync::Arc;

use wakering_ring_driver::Deliver;

use super::cell::TaskRef;
use crate::context;

/// A task on its way home. If it is dropped instead of delivered, its handle learns that the
/// runtime is gone.
pub(crate) struct Parcel(pub(crate) TaskRef);

impl Deliver for Parcel {
    fn deliver(self: Arc<Self>) {
        context::adopt(&self.0);
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.0.clone().refuse();
    }
}
