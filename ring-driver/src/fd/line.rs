//! A queue in which as a rule nobody stands, or one: chunks on a shelf, waiters of a side. That one
//! costs no memory of his own.

use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

/// First come, first served.
pub(crate) enum Line<T> {
    /// Nobody else is there, nor was there ever.
    One(T),
    /// Boxed, since most lines never have a second.
    #[allow(clippy::box_collection)]
    Queue(Option<Box<VecDeque<T>>>),
}

/// Each side of a descriptor has one.
const _: () = assert!(size_of::<Line<Waker>>() == 16);

impl<T> Default for Line<T> {
    fn default() -> Line<T> {
        Line::Queue(None)
    }
}

impl<T> Line<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Line::One(_) => 1,
            Line::Queue(queue) => queue.as_ref().map_or(0, |queue| queue.len()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, queue) = match self {
            Line::One(one) => (Some(one), None),
            Line::Queue(queue) => (None, queue.as_ref()),
        };
        one.into_iter().chain(queue.into_iter().flat_map(|queue| queue.iter()))
    }

    #[inline]
    pub(crate) fn push_back(&mut self, last: T) {
        self.push(last, VecDeque::push_back);
    }

    pub(crate) fn push_front(&mut self, first: T) {
        self.push(first, VecDeque::push_front);
    }

    #[inline]
    fn push(&mut self, who: T, push: impl FnOnce(&mut VecDeque<T>, T)) {
        let mut queue = match mem::take(self) {
            Line::Queue(None) => return *self = Line::One(who),
            Line::Queue(Some(queue)) => queue,
            Line::One(one) => Box::new(VecDeque::from([one])),
        };
        push(&mut queue, who);
        *self = Line::Queue(Some(queue));
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if let Line::Queue(queue) = self {
            return queue.as_mut()?.pop_front();
        }
        match mem::take(self) {
            Line::One(one) => Some(one),
            Line::Queue(_) => None,
        }
    }

    /// Moves all to the end of `target`.
    #[inline]
    pub(crate) fn leave_to(&mut self, target: &mut Vec<T>) {
        match self {
            Line::Queue(None) => {}
            Line::Queue(Some(queue)) => target.extend(queue.drain(..)),
            Line::One(_) => target.extend(self.pop_front()),
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
