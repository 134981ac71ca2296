//! Awaiting several futures at once: all of them, or all until one fails.

use std::convert::Infallible;

/// Awaits several futures at once, on this task, and gives their outputs as a tuple.
///
/// They are polled in the order in which they are written, on this thread; use
/// [`spawn`](crate::spawn) for futures that shall have tasks of their own. A future that is ready
/// is dropped at once, while the others go on.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{join, run, time::sleep};
///
/// run(async {
///     let slow = async {
///         sleep(Duration::from_millis(1)).await;
///         1
///     };
///     assert_eq!(join!(slow, async { "two" }), (1, "two"));
/// });
/// ```
///
/// # Cancellation
/// That of the futures: all that are not ready are dropped.
#[macro_export]
macro_rules! join {
    // Polls all of them until all have ended or one ends with what `$judge` makes an error.
    (@all $judge:path, $({ $future:ident $output:ident $expression:expr })*) => {{
        $(
            let mut $future = ::std::pin::pin!(::std::option::Option::Some(
                ::std::future::IntoFuture::into_future($expression)
            ));
            let mut $output = ::std::option::Option::None;
        )*
        ::std::future::poll_fn(|_cx| {
            #[allow(unused_mut)]
            let mut all = ::std::task::Poll::Ready(::std::result::Result::Ok(()));
            $(
                if let ::std::option::Option::Some(running) = $future.as_mut().as_pin_mut() {
                    match ::std::future::Future::poll(running, _cx).map($judge) {
                        ::std::task::Poll::Ready(::std::result::Result::Ok(output)) => {
                            $future.set(::std::option::Option::None);
                            $output = ::std::option::Option::Some(output);
                        }
                        ::std::task::Poll::Ready(::std::result::Result::Err(error)) => {
                            return ::std::task::Poll::Ready(::std::result::Result::Err(error));
                        }
                        ::std::task::Poll::Pending => all = ::std::task::Poll::Pending,
                    }
                }
            )*
            all
        })
        .await
        .map(|()| ($($output.expect("a future that has ended has an output"),)*))
    }};
    (@each $judge:path, [$($done:tt)*] $expression:expr $(, $($rest:tt)*)?) => {
        $crate::join!(@each $judge, [$($done)* { future output $expression }] $($($rest)*)?)
    };
    (@each $judge:path, [$($done:tt)*]) => { $crate::join!(@all $judge, $($done)*) };
    (@ $($other:tt)*) => {
        ::std::compile_error!("expected futures, with commas between them: `join!(one, other)`")
    };
    ($($futures:tt)*) => {{
        let ::std::result::Result::<_, ::std::convert::Infallible>::Ok(outputs) =
            $crate::join!(@each $crate::macros::no_error, [] $($futures)*);
        outputs
    }};
}

/// Awaits several futures at once, on this task, until all have given `Ok` or one has given `Err`.
///
/// The first error is the result; the other futures are dropped then. What they leave behind in
/// the kernel ends with this task, or with the timeout or whatever else it is written in.
///
/// ```
/// use std::{future::pending, io};
/// use wakering_runtime::{run, try_join};
///
/// run(async {
///     let both = try_join!(async { io::Result::Ok(1) }, async { Ok("two") });
///     assert_eq!(both.unwrap(), (1, "two"));
///
///     let fails = async { io::Result::<()>::Err(io::ErrorKind::NotFound.into()) };
///     let error = try_join!(pending::<io::Result<()>>(), fails).unwrap_err();
///     assert_eq!(error.kind(), io::ErrorKind::NotFound);
/// });
/// ```
///
/// # Errors
/// The first one that a future gives; all have to be of one type.
///
/// # Cancellation
/// That of the futures: all that are not ready are dropped.
#[macro_export]
macro_rules! try_join {
    ($($futures:tt)*) => { $crate::join!(@each ::std::convert::identity, [] $($futures)*) };
}

/// What [`join!`] makes of an output: nothing that would end the others.
#[doc(hidden)]
pub fn no_error<T>(output: T) -> Result<T, Infallible> {
    Ok(output)
}
