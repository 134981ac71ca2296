//! A queue in which as a rule nobody stands, or one: chunks on a shelf, waiters of a side. That one
//! costs no memory of his own.

use std::collections::VecDeque;

/// First come, first served.
pub(crate) struct Line<T> {
    /// Somebody, if anybody is there.
    first: Option<T>,
    /// Boxed, since most lines never have a second.
    #[allow(clippy::box_collection)]
    others: Option<Box<VecDeque<T>>>,
}

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line { first: None, others: None }
    }
}

impl<T> Line<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.as_ref().map_or(0, |others| others.len())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.others.iter().flat_map(|others| others.iter()))
    }

    #[inline]
    pub(crate) fn push_back(&mut self, last: T) {
        match self.first {
            None => self.first = Some(last),
            Some(_) => self.others.get_or_insert_default().push_back(last),
        }
    }

    pub(crate) fn push_front(&mut self, first: T) {
        if let Some(second) = self.first.replace(first) {
            self.others.get_or_insert_default().push_front(second);
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let next = self.others.as_mut().and_then(|others| others.pop_front());
        std::mem::replace(&mut self.first, next)
    }

    /// Moves all to the end of `target`.
    #[inline]
    pub(crate) fn leave_to(&mut self, target: &mut Vec<T>) {
        target.extend(self.first.take());
        if let Some(others) = &mut self.others {
            target.extend(others.drain(..));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given a line and a queue; when the same is done to both; then they hold the same.
    #[test]
    fn a_line_is_a_queue() {
        let (mut line, mut queue) = (Line::default(), VecDeque::new());
        for step in 0..2000u32 {
            match step.wrapping_mul(2_654_435_761) >> 29 {
                0..3 => {
                    line.push_back(step);
                    queue.push_back(step);
                }
                3 => {
                    line.push_front(step);
                    queue.push_front(step);
                }
                4..7 => assert_eq!(line.pop_front(), queue.pop_front()),
                _ if step % 50 == 0 => {
                    let mut left = Vec::new();
                    line.leave_to(&mut left);
                    assert!(left.iter().eq(&queue));
                    queue.clear();
                }
                _ => {}
            }
            assert_eq!((line.len(), line.is_empty()), (queue.len(), queue.is_empty()));
            assert!(line.iter().eq(&queue));
        }
    }
}
