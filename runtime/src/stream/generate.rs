//! Code that awaits and gives values, as a stream.
//!
//! The body is polled by whoever asks the stream for its next value, and at no other time. So a
//! value that is emitted changes hands through one slot, and nobody has to be woken for it.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::Stream;

/// The stream of what `body` emits.
///
/// It is lazy: `body` begins when the first value is asked for, and goes on behind an
/// [`emit`](Yielder::emit) when the next one is. The stream ends when `body` returns; dropping the
/// stream drops `body` where it is. Items that may fail are `Result`s.
///
/// ```
/// use std::{io, pin::pin};
/// use futures_util::{StreamExt, TryStreamExt};
/// use wakering_runtime::{run, stream::{self, Yielder}};
///
/// // Gives a page and the number of the next.
/// async fn fetch(page: u32) -> io::Result<(String, Option<u32>)> {
///     Ok((format!("page {page}"), (page < 3).then_some(page + 1)))
/// }
///
/// run(async {
///     let pages = stream::generate(async |pages: &Yielder<io::Result<String>>| {
///         let mut next = Some(1);
///         while let Some(page) = next.take() {
///             let fetched = fetch(page).await.map(|(text, following)| {
///                 next = following;
///                 text
///             });
///             pages.emit(fetched).await;
///         }
///     });
///     let pages: Vec<String> = pages.try_collect().await?;
///     assert_eq!(pages, ["page 1", "page 2", "page 3"]);
///
///     let mut squares = stream::generate(async |squares| {
///         for number in 1.. {
///             squares.emit(number * number).await;
///         }
///     });
///     assert_eq!(squares.next().await, Some(1));
///     assert_eq!(squares.next().await, Some(4));
///     io::Result::Ok(())
/// })
/// # .unwrap();
/// ```
///
/// # Cancellation
/// Waiting for the next value is **Strict**: `body` lies in the stream, and goes on where it was.
pub fn generate<T, F: AsyncFnOnce(&Yielder<T>)>(body: F) -> impl Stream<Item = T> + Unpin {
    let slot = Rc::new(Slot::default());
    let yielder = Yielder { slot: slot.clone() };
    let body = Box::pin(async move { body(&yielder).await });
    Generate { slot, body: Some(body) }
}

/// What the body of [`generate`] gives its values to.
///
/// ```
/// use futures_util::StreamExt;
/// use wakering_runtime::{run, stream::{Yielder, generate}};
///
/// /// A generator may be taken apart like any other code.
/// async fn count(down: &Yielder<u32>, from: u32) {
///     for number in (1..=from).rev() {
///         down.emit(number).await;
///     }
/// }
///
/// run(async {
///     let numbers = generate(async |numbers| {
///         count(numbers, 2).await;
///         count(numbers, 3).await;
///     });
///     assert_eq!(numbers.collect::<Vec<_>>().await, [2, 1, 3, 2, 1]);
/// });
/// ```
pub struct Yielder<T> {
    slot: Rc<Slot<T>>,
}

impl<T> Yielder<T> {
    /// Gives `value` to whoever asked the stream for its next one, and waits until somebody asks
    /// again.
    ///
    /// Futures that emit beside each other, in a `join!` say, take turns.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use wakering_runtime::{run, stream::generate};
    ///
    /// let words = generate(async |words| {
    ///     words.emit("hello").await;
    ///     words.emit("world").await;
    /// });
    /// assert_eq!(run(words.collect::<Vec<_>>()), ["hello", "world"]);
    /// ```
    ///
    /// # Cancellation
    /// **Weak.** `value` is lost if it was not its turn yet; afterwards it is the stream's.
    pub async fn emit(&self, value: T) {
        let mut value = Some(value);
        let mut turn = None;
        poll_fn(|cx| self.slot.poll_emit(&mut value, &mut turn, cx)).await
    }
}

impl<T> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yielder").finish_non_exhaustive()
    }
}

/// Where values change hands.
struct Slot<T> {
    value: Cell<Option<T>>,
    /// How many values have been taken.
    taken: Cell<u64>,
    /// Who emits and shall be polled when the next value is asked for.
    waiting: Cell<Vec<Waker>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot { value: Cell::new(None), taken: Cell::new(0), waiting: Cell::default() }
    }
}

impl<T> Slot<T> {
    /// Puts `value` in when there is room, and notes in `turn` which one that makes it. Ready when
    /// it has been taken: then the body is polled only because the next one is asked for.
    fn poll_emit(
        &self,
        value: &mut Option<T>,
        turn: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match *turn {
            Some(turn) if turn <= self.taken.get() => return Poll::Ready(()),
            Some(_) => {}
            None => match self.value.take() {
                Some(other) => self.value.set(Some(other)),
                None => {
                    self.value.set(value.take());
                    *turn = Some(self.taken.get() + 1);
                }
            },
        }
        let mut waiting = self.waiting.take();
        waiting.push(cx.waker().clone());
        self.waiting.set(waiting);
        Poll::Pending
    }

    /// Lets those who emit go on, for `asking` is about to poll the body.
    fn ask(&self, asking: &Waker) {
        let mut waiting = self.waiting.take();
        // Whoever polls its parts by the same waker polls all of them now.
        waiting.drain(..).filter(|waker| !waker.will_wake(asking)).for_each(Waker::wake);
        self.waiting.set(waiting);
    }

    fn take(&self) -> Option<T> {
        let value = self.value.take()?;
        self.taken.update(|taken| taken + 1);
        Some(value)
    }
}

struct Generate<T, B> {
    slot: Rc<Slot<T>>,
    /// Nothing when it has returned.
    body: Option<Pin<Box<B>>>,
}

impl<T, B: Future<Output = ()>> Stream for Generate<T, B> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        this.slot.ask(cx.waker());
        let is_over = body.as_mut().poll(cx).is_ready();
        if is_over {
            this.body = None;
        }
        match this.slot.take() {
            Some(value) => Poll::Ready(Some(value)),
            None if is_over => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
