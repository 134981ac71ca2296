//! The verb `compare`: the same scenarios on wakering, on other runtimes, and on loops by hand.
//!
//! Absolute figures of a shared machine wander by the minute, ratios of neighbours hardly do. So
//! both contestants of a `duel` live at once, on one processor, and work in turn, in short slices
//! A B B A; each pair of neighbouring slices gives one ratio, and the `statistics` of the pairs
//! are the result. A contestant against itself shows what error is left.
//!
//! The programs are those of `bench-harness/rivals`, a workspace of its own that only exists in the
//! repository: `contestant` builds them, `program` talks with them. `scenario` is the list of
//! what is compared, `record` keeps the raw figures, `summary` makes something of them, and
//! `tables` and `page` show it.

/// The flags.
pub mod args;
/// What is compared.
mod scenario;
/// Who is compared, and how they are built.
mod contestant;
/// A running program.
mod program;
/// Two contestants in turn.
mod duel;
/// System calls, counted from outside.
mod calls;
/// Medians and intervals.
mod statistics;
/// The raw figures, in a file.
mod record;
/// What the figures say.
mod summary;
/// What they say, as tables.
mod tables;
/// What they say, as a page with plots.
mod page;
/// The programs of a duel.
mod sides;
/// Load generators and nginx.
mod generators;
/// One duel, from its programs to its row.
mod fight;
/// From the flags to the figures.
mod session;

pub use args::Args;
pub use session::main;
