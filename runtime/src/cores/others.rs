//! The threads of all cores but the first.
//!
//! Each makes its own ring, because a ring belongs to the thread that made it, and says who it is;
//! when all have, they get to know each other and begin. If one has no ring, the others hear
//! nothing more and end. At the end each is told, cancels and drains as the first core does, and
//! says what came of it. A thread whose task blocks for ever says nothing: it is named and left
//! behind, since nothing can end it.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use wakering_ring_driver::{SetupError, affinity};

use super::team::{Seat, Team};
use crate::builder::Builder;
use crate::report::ShutdownReport;
use crate::sync::oneshot;

/// What a core gets beyond the grace to say that it has ended.
const MARGIN: Duration = Duration::from_secs(5);

/// All cores but the first.
#[derive(Default)]
pub(crate) struct Others(Vec<Other>);

/// One core, seen from the first.
struct Other {
    core: usize,
    begin: Sender<Arc<Team>>,
    /// Dropped to have the core end.
    end: Option<oneshot::Sender<()>>,
    news: Receiver<News>,
    thread: JoinHandle<()>,
}

/// What a core tells the first one.
enum News {
    Ready(Seat),
    /// It has no ring.
    Failed(SetupError),
    Over(ShutdownReport),
}

impl Others {
    /// Starts a thread for each core but the first, and waits until all have a ring: who they are.
    pub(crate) fn start(
        builder: &Builder,
        places: &[Option<usize>],
    ) -> Result<(Others, Vec<Seat>), SetupError> {
        let mut others = Others::default();
        let mut seats = Vec::new();
        let mut started = Ok(());
        for (core, &place) in places.iter().enumerate().skip(1) {
            match Other::start(builder.clone(), core, place) {
                Ok(other) => others.0.push(other),
                Err(error) => started = started.and(Err(SetupError::thread(error).on_core(core))),
            }
        }
        for other in &others.0 {
            match other.news.recv() {
                Ok(News::Ready(seat)) => seats.push(seat),
                Ok(News::Failed(error)) => started = started.and(Err(error.on_core(other.core))),
                Ok(News::Over(_)) | Err(_) => unreachable!("a core says that it is ready, or not"),
            }
        }
        started.map(|()| (others, seats))
    }

    /// Lets all of them run.
    pub(crate) fn begin(&self, team: &Arc<Team>) {
        for other in &self.0 {
            // One that is not there any more is missed at the end.
            let _ = other.begin.send(team.clone());
        }
    }

    /// Asks all of them to end, each for itself.
    pub(crate) fn ask_to_end(&mut self) {
        for other in &mut self.0 {
            other.end = None;
        }
    }

    /// Waits for the end of all of them, and adds what came of it to `report`.
    pub(crate) fn join(&mut self, grace: Duration, report: &mut ShutdownReport) {
        let since = Instant::now();
        for other in mem::take(&mut self.0) {
            let left = grace.saturating_add(MARGIN).saturating_sub(since.elapsed());
            match other.news.recv_timeout(left) {
                Ok(News::Over(its)) => {
                    report.add(its);
                    let _ = other.thread.join();
                }
                _ => report.stuck.push(other.core),
            }
        }
    }

    /// In a forked child: the threads are its parent's.
    pub(crate) fn forget(&mut self) {
        mem::forget(mem::take(&mut self.0));
    }
}

impl Drop for Others {
    /// Those that have not begun: nothing keeps them from ending.
    fn drop(&mut self) {
        for other in mem::take(&mut self.0) {
            drop((other.begin, other.end));
            let _ = other.thread.join();
        }
    }
}

impl Other {
    fn start(builder: Builder, core: usize, place: Option<usize>) -> std::io::Result<Other> {
        let (begin, team) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let (tell, news) = mpsc::channel();
        let live = move || live(builder, core, place, tell, team, ended);
        let named = thread::Builder::new().name(format!("wakering-{core}"));
        let thread = affinity::unpinned(|| named.spawn(live))?;
        Ok(Other { core, begin, end: Some(end), news, thread })
    }
}

/// The life of a core.
fn live(
    builder: Builder,
    core: usize,
    place: Option<usize>,
    tell: Sender<News>,
    team: Receiver<Arc<Team>>,
    ended: oneshot::Receiver<()>,
) {
    let runtime = match builder.build_core(core, place) {
        Ok(runtime) => runtime,
        // Whoever has asked for it waits for this.
        Err(error) => return drop(tell.send(News::Failed(error))),
    };
    let _ = tell.send(News::Ready(runtime.seat()));
    // Not where another core has no ring.
    let Ok(team) = team.recv() else { return };
    runtime.join(team, core);
    // A panic of foreign code in the loop, a waker say, ends this core. The hook has told it.
    let _ = catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { ended.await.is_ok() })));
    let _ = tell.send(News::Over(runtime.close()));
}
