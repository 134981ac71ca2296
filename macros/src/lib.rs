//! The attributes of wakering: an `async fn` as the program's entry, or as a test.
//!
//! The facade re-exports them and documents them with examples. They change three things of a
//! function: `async` goes, the body becomes a closure, and a hidden function of the facade runs it.
//! What that function does is the facade's business, so nothing here changes when it does.

#![forbid(unsafe_code)]

/// What an attribute makes of its function.
mod expand;
/// A function as far as it has to be understood.
mod function;

use proc_macro::TokenStream;

/// Makes an `async fn main` the entry of a program.
///
/// Its body runs as a future given to `wakering::run`: tasks that it leaves behind are cancelled
/// and awaited before the program ends. It may return whatever a `main` may return. Attributes,
/// visibility and documentation of the function stay.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::main(arguments, item)
}

/// Makes an `async fn` a test, in a runtime of its own.
///
/// It may return whatever a test may return; a test that returns an error fails. Attributes like
/// `#[ignore]` and `#[should_panic]` stay. Under `#[wakering::test(paused)]`, for which the feature
/// `testing` is needed, the test's clock stands still and jumps to the next timer whenever nothing
/// else is left to wait for.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(arguments, item)
}
