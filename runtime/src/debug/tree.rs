//! All that runs, as a tree with what each waits for.
//!
//! The tree is that of the accounts: each node of it is one, and what is in flight is charged to
//! the node that waits for it. So the picture is drawn from the books of driver, timers and run
//! queue, without a look into anybody's future.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use wakering_ring_driver::{AccountId, Instant};

use crate::context;
use crate::executor::Executor;
use crate::node::Kind;
use crate::task::{Id, TaskInfo};

/// What runs in a runtime, as [`Handle::dump`](crate::Handle::dump) and
/// [`Runtime::dump`](crate::Runtime::dump) show it. To print it is what it is for.
///
/// ```
/// use std::time::Duration;
/// use wakering_runtime::{Handle, run, task, time::{sleep, timeout}};
///
/// let picture = run(async {
///     task::Builder::new().name("patient").spawn(sleep(Duration::from_secs(60)));
///     task::yield_now().await;
///     let dump = timeout(Duration::from_secs(5), async { Handle::current().dump() });
///     dump.await.unwrap().to_string()
/// });
/// let lines: Vec<_> = picture.lines().collect();
/// assert_eq!(lines[0], "main");
/// assert!(lines[1].starts_with("└─ timeout with 5.0 s left: runs now"), "{picture}");
/// assert!(lines[2].contains("`patient`"), "{picture}");
/// assert!(lines[2].ends_with("sleep for 60.0 s more"), "{picture}");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TaskTree {
    /// The future given to `block_on`, and the tasks that belong to nothing but the runtime.
    pub roots: Vec<TaskNode>,
    /// Operations that belong to no task: sends that were left to the runtime, and what was begun
    /// outside of it.
    pub unowned: Vec<Awaited>,
}

/// One node of a [`TaskTree`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskNode {
    /// What it is.
    pub kind: NodeKind,
    /// How much time its deadline leaves it, if it has one of its own.
    pub time_left: Option<Duration>,
    /// What it waits for that the runtime knows of. Nothing, where it waits for what is below it,
    /// or for a wake from somewhere: a channel, a lock, another task.
    pub awaited: Vec<Awaited>,
    /// What belongs to it.
    pub below: Vec<TaskNode>,
}

/// What a [`TaskNode`] is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NodeKind {
    /// The future given to `run` or `block_on`.
    Main,
    /// A task.
    Task(TaskInfo),
    /// A scope, or one of its children.
    Scope,
    /// A group.
    Group,
    /// A timeout.
    Timeout,
    /// Futures that are raced, or waited for together.
    Members,
    /// What goes on when the one who awaits it has gone.
    Shield,
}

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Awaited {
    /// An operation in flight.
    #[non_exhaustive]
    Operation {
        /// The kernel's word for it: `"recv"`.
        name: &'static str,
        /// The number of its descriptor, if it has one.
        descriptor: Option<i32>,
        /// Since when.
        age: Duration,
        /// Whether its future is gone: then only its end is waited for.
        is_abandoned: bool,
    },
    /// A point in time.
    #[non_exhaustive]
    Sleep {
        /// How far it is.
        left: Duration,
    },
    /// A closure, on a thread of a pool.
    Closure,
    /// Its turn: it was woken.
    Turn,
    /// Nothing: it is being polled.
    Nothing,
}

/// Draws the tree of what `executor` runs. For home.
pub(crate) fn tree(executor: &Executor) -> TaskTree {
    let mut books = Books::read(executor);
    let roots = books.nodes_below(AccountId::ROOT);
    let unowned = books.awaited.remove(&AccountId::ROOT).unwrap_or_default();
    TaskTree { roots, unowned }
}

/// The part of the tree that is the task which is being polled, as it was before that.
pub(crate) fn running(executor: &Executor) -> Option<TaskNode> {
    let tree = tree(executor);
    let mut node = tree.tasks().remove(&context::running()?)?.clone();
    node.awaited.retain(|awaited| *awaited != Awaited::Nothing);
    Some(node)
}

/// What the runtime knows, by node.
struct Books<'executor> {
    executor: &'executor Executor,
    now: Instant,
    below: HashMap<AccountId, Vec<AccountId>>,
    awaited: HashMap<AccountId, Vec<Awaited>>,
}

impl Books<'_> {
    fn read(executor: &Executor) -> Books<'_> {
        let driver = executor.driver();
        let now = Instant::now();
        let (below, awaited) = (HashMap::new(), HashMap::new());
        let mut books = Books { executor, now, below, awaited };
        for account in driver.accounts() {
            if executor.nodes().get(account).is_some() {
                let above = books.owner(driver.parent_of(account));
                books.below.entry(above).or_default().push(account);
            }
        }
        let payer = driver.payer();
        if payer != AccountId::ROOT {
            books.put(payer, Awaited::Nothing);
        }
        for flight in driver.flights() {
            let awaited = Awaited::Operation {
                name: flight.operation,
                descriptor: flight.descriptor,
                age: flight.age,
                is_abandoned: flight.is_abandoned,
            };
            books.put(flight.account, awaited);
        }
        let deadlines = books.deadlines();
        for (payer, at) in executor.timers().sleepers() {
            if !deadlines.contains(&(books.owner(payer), at)) {
                books.put(payer, Awaited::Sleep { left: at.saturating_duration_since(now) });
            }
        }
        for (_, debt) in &*executor.debts().borrow() {
            books.put(debt.account(), Awaited::Closure);
        }
        for account in executor.queued_accounts() {
            books.put(account, Awaited::Turn);
        }
        books
    }

    /// The node that what stands on `account` belongs to: one that has ended leaves it to the next
    /// above.
    fn owner(&self, mut account: AccountId) -> AccountId {
        while account != AccountId::ROOT && self.executor.nodes().get(account).is_none() {
            account = self.executor.driver().parent_of(account);
        }
        account
    }

    fn put(&mut self, account: AccountId, awaited: Awaited) {
        let owner = self.owner(account);
        self.awaited.entry(owner).or_default().push(awaited);
    }

    /// The sleeps by which deadlines are kept, and who sleeps them: they are told as deadlines.
    fn deadlines(&self) -> HashSet<(AccountId, Instant)> {
        let nodes = self.executor.nodes();
        let mut sleeps = HashSet::new();
        for (&above, below) in &self.below {
            for &account in below {
                if let Some(deadline) = nodes.own_deadline(account) {
                    let at = self.executor.timers().rounded(deadline);
                    sleeps.extend([(above, at), (account, at)]);
                }
            }
        }
        sleeps
    }

    fn nodes_below(&mut self, account: AccountId) -> Vec<TaskNode> {
        let below = self.below.remove(&account).unwrap_or_default();
        let mut nodes: Vec<_> = below.into_iter().filter_map(|id| self.node(id)).collect();
        nodes.sort_by_key(|node| match &node.kind {
            NodeKind::Main => (0, None),
            NodeKind::Task(info) => (2, Some(info.id())),
            _ => (1, None),
        });
        nodes
    }

    fn node(&mut self, account: AccountId) -> Option<TaskNode> {
        let nodes = self.executor.nodes();
        let kind = match nodes.get(account)? {
            Kind::Main => NodeKind::Main,
            Kind::Task => NodeKind::Task(self.executor.info(account)?),
            Kind::Scope => NodeKind::Scope,
            Kind::Group => NodeKind::Group,
            Kind::Timeout => NodeKind::Timeout,
            Kind::Members => NodeKind::Members,
            Kind::Shield => NodeKind::Shield,
        };
        let deadline = nodes.own_deadline(account);
        Some(TaskNode {
            kind,
            time_left: deadline.map(|deadline| deadline.saturating_duration_since(self.now)),
            awaited: self.awaited.remove(&account).unwrap_or_default(),
            below: self.nodes_below(account),
        })
    }
}

impl TaskTree {
    /// All nodes that are tasks.
    pub(crate) fn tasks(&self) -> HashMap<Id, &TaskNode> {
        fn collect<'tree>(nodes: &'tree [TaskNode], tasks: &mut HashMap<Id, &'tree TaskNode>) {
            for node in nodes {
                tasks.extend(node.task().map(|info| (info.id(), node)));
                collect(&node.below, tasks);
            }
        }
        let mut tasks = HashMap::new();
        collect(&self.roots, &mut tasks);
        tasks
    }
}

impl TaskNode {
    /// A task of which nothing more is known.
    pub(crate) fn bare(info: TaskInfo) -> TaskNode {
        let kind = NodeKind::Task(info);
        TaskNode { kind, time_left: None, awaited: Vec::new(), below: Vec::new() }
    }

    /// The task that it is, if it is one.
    ///
    /// ```
    /// use wakering_runtime::{Handle, run, spawn};
    ///
    /// run(async {
    ///     let task = spawn(async { Handle::current().dump() });
    ///     let id = task.id();
    ///     let tree = task.await.unwrap();
    ///     let seen = tree.roots.iter().map(|node| node.task().map(|task| task.id()));
    ///     assert!(seen.eq([None, Some(id)]));
    /// });
    /// ```
    pub fn task(&self) -> Option<&TaskInfo> {
        match &self.kind {
            NodeKind::Task(info) => Some(info),
            _ => None,
        }
    }

    /// Writes it and what is below it: `first` stands before its own line, `rest` before the
    /// others.
    fn draw(&self, f: &mut fmt::Formatter<'_>, first: &str, rest: &str) -> fmt::Result {
        write!(f, "{first}{}", self.kind)?;
        if let Some(left) = self.time_left {
            write!(f, " with {} left", Seconds(left))?;
        }
        if !self.awaited.is_empty() {
            write!(f, ": {}", Together(&self.awaited))?;
        } else if self.below.is_empty() && !matches!(self.kind, NodeKind::Group) {
            f.write_str(": a wake")?;
        }
        let last = self.below.len().saturating_sub(1);
        for (at, node) in self.below.iter().enumerate() {
            let (first, more) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            f.write_str("\n")?;
            node.draw(f, &format!("{rest}{first}"), &format!("{rest}{more}"))?;
        }
        Ok(())
    }
}

/// One node a line, what belongs to it below it.
impl fmt::Display for TaskTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line_break = "";
        for node in &self.roots {
            f.write_str(std::mem::replace(&mut line_break, "\n"))?;
            node.fmt(f)?;
        }
        if !self.unowned.is_empty() {
            write!(f, "{line_break}no task: {}", Together(&self.unowned))?;
        }
        Ok(())
    }
}

impl fmt::Display for TaskNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw(f, "", "")
    }
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeKind::Main => f.write_str("main"),
            NodeKind::Task(info) => info.fmt(f),
            NodeKind::Scope => f.write_str("scope"),
            NodeKind::Group => f.write_str("group"),
            NodeKind::Timeout => f.write_str("timeout"),
            NodeKind::Members => f.write_str("futures together"),
            NodeKind::Shield => f.write_str("shield"),
        }
    }
}

/// `recv fd 12 for 4.2 s`
impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Awaited::Operation { name, descriptor, age, is_abandoned } => {
                f.write_str(name)?;
                if let Some(descriptor) = descriptor {
                    write!(f, " fd {descriptor}")?;
                }
                write!(f, " for {}", Seconds(*age))?;
                f.write_str(if *is_abandoned { " (dropped)" } else { "" })
            }
            Awaited::Sleep { left } => write!(f, "sleep for {} more", Seconds(*left)),
            Awaited::Closure => f.write_str("a closure on a pool"),
            Awaited::Turn => f.write_str("its turn"),
            Awaited::Nothing => f.write_str("runs now"),
        }
    }
}

/// All that one waits for, in a line that does not grow with it.
struct Together<'tree>(&'tree [Awaited]);

impl fmt::Display for Together<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FEW: usize = 3;
        let (operations, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|awaited| matches!(awaited, Awaited::Operation { .. }));
        let (sleeps, states): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|awaited| matches!(awaited, Awaited::Sleep { .. }));
        let mut parts: Vec<String> = states.iter().map(|state| state.to_string()).collect();
        let oldest = operations.iter().max_by_key(|operation| match operation {
            Awaited::Operation { age, .. } => *age,
            _ => Duration::ZERO,
        });
        match oldest {
            Some(oldest) if operations.len() > FEW => {
                parts.push(format!("{} operations, the oldest {oldest}", operations.len()));
            }
            _ => parts.extend(operations.iter().map(|operation| operation.to_string())),
        }
        let first = sleeps.iter().min_by_key(|sleep| match sleep {
            Awaited::Sleep { left } => *left,
            _ => Duration::MAX,
        });
        match first {
            Some(first) if sleeps.len() > FEW => {
                parts.push(format!("{} sleeps, the first {first}", sleeps.len()));
            }
            _ => parts.extend(sleeps.iter().map(|sleep| sleep.to_string())),
        }
        f.write_str(&parts.join(", "))
    }
}

/// `4.2 s`
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.0.as_secs_f64())
    }
}
