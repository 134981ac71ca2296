//! What descriptors need now and then, while none needs it: it is the driver's, so that an idle
//! descriptor has none of it, and what comes and goes again and again costs no allocation.

use super::Shelf;
use super::side::Side;

#[derive(Default)]
pub(crate) struct Empties {
    pub(super) shelves: Boxes<Shelf>,
    /// Write sides.
    pub(super) sides: Boxes<Side>,
}

/// Boxed as they stand on a descriptor.
#[allow(clippy::vec_box)]
pub(super) struct Boxes<T>(Vec<Box<T>>);

impl<T> Default for Boxes<T> {
    fn default() -> Boxes<T> {
        Boxes(Vec::new())
    }
}

impl<T: Default> Boxes<T> {
    /// More are given back at once, so that a burst does not cost memory for ever.
    const KEPT: usize = 1024;

    #[inline]
    pub(super) fn take(&mut self) -> Box<T> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps one that is as good as new.
    #[inline]
    pub(super) fn keep(&mut self, empty: Box<T>) {
        if self.0.len() < Boxes::<T>::KEPT {
            self.0.push(empty);
        }
    }
}
