//! Awaiting the first of several futures, and going on with what it gave.
//!
//! A branch's pattern is needed twice: while polling, to see whether an output fits, and in front
//! of the handler, which stands in the code around the macro so that `break`, `return`, `?` and
//! `.await` mean what they mean there. The first look must not take the output apart. So the
//! pattern is tried with a guard that notes that it was reached, and says no.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Awaits several futures at once, on this task, and goes on with the branch of the first that is
/// ready; the others are dropped.
///
/// The syntax is tokio's. A branch is `pattern = future => handler`, or `pattern = future, if
/// condition => handler`; commas between branches may be left out behind a block. There may be up
/// to 32 of them, and behind them `else => handler`.
///
/// ```
/// use std::{future::ready, time::Duration};
/// use wakering_runtime::{run, select, time::sleep};
///
/// run(async {
///     let word = select! {
///         () = sleep(Duration::from_secs(60)) => "late",
///         number = ready(42) => {
///             assert_eq!(number, 42);
///             "early"
///         }
///     };
///     assert_eq!(word, "early");
/// });
/// ```
///
/// All conditions are evaluated first, then all future expressions, in the order in which they are
/// written; a branch whose condition is false is *disabled*, and its future is never polled. An
/// output that does not fit its pattern disables its branch, too, and the others go on. When all
/// are disabled, `else` is run.
///
/// A handler runs after all futures have been dropped, in the code around `select!`: it may use
/// what they had borrowed, and `break`, `continue`, `return`, `?` and `.await` work there.
///
/// A future that is to survive is given as `&mut future`, and pinned before if need be:
///
/// ```
/// use std::{pin::pin, time::Duration};
/// use wakering_runtime::{run, select, time::{interval, sleep}};
///
/// run(async {
///     let mut work = pin!(sleep(Duration::from_millis(5)));
///     let mut ticks = interval(Duration::from_millis(1));
///     let mut seen = 0;
///     loop {
///         select! {
///             () = &mut work => break,
///             _ = ticks.tick() => seen += 1,
///         }
///     }
///     assert!(seen > 0);
/// });
/// ```
///
/// # Fairness
/// Where several are ready, chance decides, so that a branch that is always ready starves none.
/// Under `biased;` they are polled from top to bottom, and the first one wins.
///
/// ```
/// use std::future::ready;
/// use wakering_runtime::{run, select};
///
/// run(async {
///     let first = select! {
///         biased;
///         word = ready("top") => word,
///         word = ready("bottom") => word,
///     };
///     assert_eq!(first, "top");
/// });
/// ```
///
/// # Panics
/// When all branches are disabled and there is no `else`.
///
/// # Cancellation
/// Whatever does not win is dropped, in the middle of what it was doing. A future that says
/// **Strict** of itself has lost nothing then, and may be asked for again in the next round of a
/// loop. One that says **Weak** belongs in front of the loop, as `&mut future`.
#[macro_export]
macro_rules! select {
    // All branches have been read.
    (
        @run $start:expr, [$({
            $future:ident $name:ident $at:literal
            ($pattern:pat) ($expression:expr) ($($condition:expr)?) ($handler:expr)
        })+] $otherwise:expr
    ) => {{
        #[allow(dead_code)]
        enum __Select<$($name),+> {
            $($name($name),)+
            Disabled,
        }
        let output = {
            let mut enabled = 0u32;
            $(
                if true $(&& $condition)? {
                    enabled |= 1 << $at;
                }
            )+
            $(
                let mut $future =
                    ::std::pin::pin!(::std::future::IntoFuture::into_future($expression));
            )+
            ::std::future::poll_fn(|cx| {
                let count = [$($at),+].len() as u32;
                let start: u32 = $start(count);
                for offset in 0..count {
                    match (start + offset) % count {
                        $(
                            $at if enabled & (1 << $at) != 0 => {
                                let ::std::task::Poll::Ready(output) =
                                    ::std::future::Future::poll($future.as_mut(), cx)
                                else {
                                    continue;
                                };
                                enabled &= !(1 << $at);
                                let mut fits = false;
                                match output {
                                    #[allow(unused_variables, unused_mut)]
                                    $pattern if { fits = true; false } => ::std::unreachable!(),
                                    _ => {}
                                }
                                if fits {
                                    return ::std::task::Poll::Ready(__Select::$name(output));
                                }
                            }
                        )+
                        _ => {}
                    }
                }
                match enabled {
                    0 => ::std::task::Poll::Ready(__Select::Disabled),
                    _ => ::std::task::Poll::Pending,
                }
            })
            .await
        };
        match output {
            $(__Select::$name($pattern) => $handler,)+
            __Select::Disabled => $otherwise,
            #[allow(unreachable_patterns)]
            _ => ::std::unreachable!("an output that was found to fit its pattern"),
        }
    }};

    // Reads one branch after the other: `{ start } [those that were read] [names that are left]`.
    (@each $start:tt [] $names:tt $(else => $otherwise:expr $(,)?)?) => {
        ::std::compile_error!("`select!` needs a branch: `pattern = future => handler`")
    };
    (@each { $start:expr } $branches:tt $names:tt else => $otherwise:expr $(,)?) => {
        $crate::select!(@run $start, $branches $otherwise)
    };
    (@each { $start:expr } $branches:tt $names:tt) => {
        $crate::select!(@run $start, $branches ::std::panic!(
            "all branches of a `select!` are disabled, and it has no `else`"
        ))
    };
    (@each $start:tt $branches:tt [] $($rest:tt)*) => {
        ::std::compile_error!("`select!` takes 32 branches at most; let one of them be a `select!`")
    };
    (
        @each $start:tt $branches:tt $names:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:block, $($rest:tt)*
    ) => {
        $crate::select!(
            @one $start $branches $names
            ($pattern) ($future) ($($condition)?) ($handler) $($rest)*
        )
    };
    (
        @each $start:tt $branches:tt $names:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:block $($rest:tt)*
    ) => {
        $crate::select!(
            @one $start $branches $names
            ($pattern) ($future) ($($condition)?) ($handler) $($rest)*
        )
    };
    (
        @each $start:tt $branches:tt $names:tt
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::select!(
            @one $start $branches $names
            ($pattern) ($future) ($($condition)?) ($handler) $($($rest)*)?
        )
    };
    (
        @one $start:tt [$($branches:tt)*] [$name:ident $at:literal, $($names:tt)*]
        $pattern:tt $future:tt $condition:tt $handler:tt $($rest:tt)*
    ) => {
        $crate::select!(
            @each $start
            [$($branches)* { future $name $at $pattern $future $condition $handler }]
            [$($names)*]
            $($rest)*
        )
    };
    (@begin $start:tt $($branches:tt)*) => {
        $crate::select!(
            @each $start [] [
                A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N
                13, O 14, P 15, Q 16, R 17, S 18, T 19, U 20, V 21, W 22, X 23, Y 24,
                Z 25, Aa 26, Bb 27, Cc 28, Dd 29, Ee 30, Ff 31,
            ]
            $($branches)*
        )
    };
    (@ $($other:tt)*) => {
        ::std::compile_error!(
            "expected a branch of `select!`: `pattern = future => handler`, \
             `pattern = future, if condition => handler`, or at the end `else => handler`"
        )
    };

    (biased; $($branches:tt)*) => { $crate::select!(@begin { |_| 0 } $($branches)*) };
    ($($branches:tt)*) => { $crate::select!(@begin { $crate::macros::start } $($branches)*) };
}

/// At which of `count` branches polling begins: anywhere, with the same likelihood.
#[doc(hidden)]
pub fn start(count: u32) -> u32 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(()) | 1);
    }
    // Marsaglia's xorshift: good enough to be fair, and a few instructions.
    let mut state = STATE.get();
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    STATE.set(state);
    // The upper half, scaled: its bits are the better ones, and there is no division.
    (((state >> 32) * u64::from(count)) >> 32) as u32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_branch_is_begun_with_about_as_often_as_any_other() {
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            counts[start(5) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (1600..2400).contains(count)), "{counts:?}");
    }
}
