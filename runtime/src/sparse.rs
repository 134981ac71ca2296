//! A table beside another one, for what few of its rows have.

/// Values by index, as long as the highest index that ever had one.
pub(crate) struct Sparse<T>(Vec<Option<T>>);

impl<T> Sparse<T> {
    pub(crate) fn put(&mut self, index: usize, value: T) {
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index] = Some(value);
    }

    pub(crate) fn take(&mut self, index: usize) -> Option<T> {
        self.0.get_mut(index)?.take()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.0.get(index)?.as_ref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.0.iter().enumerate().filter_map(|(index, value)| Some((index, value.as_ref()?)))
    }
}

impl<T> Default for Sparse<T> {
    fn default() -> Sparse<T> {
        Sparse(Vec::new())
    }
}
