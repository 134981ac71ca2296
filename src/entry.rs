//! What the attributes `main` and `test` make of a function calls these: what they mean is decided
//! here. For them only.

/// Runs what was an `async fn main`. The first request to end cancels it: then everything that was
/// running is cancelled and awaited, and the program ends well. The second one ends it at once.
#[track_caller]
pub fn main<T>(body: impl AsyncFnOnce() -> T) -> T {
    let builder = crate::Builder::new();
    #[cfg(feature = "signal")]
    let builder = builder.cancel_on(crate::signal::shutdown());
    builder.run(body()).unwrap_or_else(|_| std::process::exit(0))
}

/// Runs what was an `async fn` under `#[wakering::test]`.
#[track_caller]
pub fn test<T>(body: impl AsyncFnOnce() -> T) -> T {
    crate::run(body())
}

/// Runs what was an `async fn` under `#[wakering::test(paused)]`.
#[cfg(feature = "testing")]
#[track_caller]
pub fn test_paused<T>(body: impl AsyncFnOnce() -> T) -> T {
    let output = crate::Builder::new().paused_time().run(body());
    output.unwrap_or_else(|_| unreachable!("no signal cancels it"))
}

/// What the attributes refuse does not compile. Each comes with what would have done.
///
/// ```
/// #[wakering::main]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[wakering::main]
/// fn main() {}
/// ```
///
/// ```compile_fail
/// #[wakering::main]
/// async fn main(path: String) {}
/// ```
///
/// ```compile_fail
/// #[wakering::main(threads = 4)]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[wakering::main]
/// struct Main;
/// # fn main() {}
/// ```
///
/// ```
/// #[wakering::test]
/// async fn test() {}
/// ```
///
/// ```compile_fail
/// #[wakering::test]
/// fn test() {}
/// ```
///
/// ```compile_fail
/// #[wakering::test(stopped)]
/// async fn test() {}
/// ```
#[cfg(doctest)]
struct Refused;
