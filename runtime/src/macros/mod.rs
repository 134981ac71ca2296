//! Several futures at once within one task, as macros: what differs in type from branch to branch
//! cannot be passed to a function.
//!
//! Each macro walks through its arguments one by one and makes a variable for each. These all have
//! the same name and are told apart by hygiene: a name that another step of a macro has brought in
//! is another name.

/// All of them.
mod join;
/// The first of them.
mod select;

#[doc(hidden)]
pub use join::no_error;
#[doc(hidden)]
pub use select::start;
