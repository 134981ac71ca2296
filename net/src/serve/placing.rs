//! Which core serves a connection.
//!
//! The system spreads connections over the sockets of a port by a hash, which is as uneven as
//! chance: of 64 connections one core may get 40. So whoever accepts looks at all cores first. What
//! counts is how many connections each serves, in parts of the mean, and how busy its thread was of
//! late. As long as all cores have time left, the numbers are evened out; a core whose few
//! connections keep it busy gets fewer. A connection that another core is to serve is passed on
//! before anything is received on it.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use wakering_ring_driver::SocketAddress;
use wakering_runtime::Handle;
use wakering_runtime::sync::{Receiver, UnboundedSender, unbounded};
use wakering_runtime::time::Instant;

/// How much worse off a connection has to be here than elsewhere to be passed on, which costs about
/// as much as accepting it.
const MARGIN: f64 = 0.05;

/// How long a core is watched to tell how busy it is.
const WATCH: Duration = Duration::from_millis(10);

/// A connection on its way to another core.
pub(super) struct Passed {
    pub(super) socket: OwnedFd,
    pub(super) peer: Option<SocketAddress>,
}

/// How many connections each core serves, or was passed.
pub(super) struct Loads {
    connections: Vec<AtomicUsize>,
}

impl Loads {
    pub(super) fn connections(&self) -> usize {
        self.connections.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// The cores of a server, as one of them sees them.
pub(super) struct Placing {
    own: usize,
    cores: Vec<Handle>,
    loads: Arc<Loads>,
    /// The ways to all cores, until this one closes.
    ways: RefCell<Vec<UnboundedSender<Passed>>>,
    arrivals: RefCell<Receiver<Passed>>,
    busy: Cell<Option<Instant>>,
    /// By core: the processor time at that moment, and the share of the time before.
    used: RefCell<Vec<(Duration, f64)>>,
}

impl Placing {
    /// One for each core of the runtime that `handle` reaches.
    pub(super) fn of(handle: &Handle) -> (Vec<Placing>, Arc<Loads>) {
        let cores: Vec<Handle> = (0..handle.cores()).filter_map(|n| handle.of_core(n)).collect();
        let loads = Loads { connections: cores.iter().map(|_| AtomicUsize::new(0)).collect() };
        let loads = Arc::new(loads);
        let (ways, arrivals): (Vec<_>, Vec<_>) = cores.iter().map(|_| unbounded()).unzip();
        let placing = arrivals.into_iter().enumerate().map(|(own, arrivals)| Placing {
            own,
            cores: cores.clone(),
            loads: loads.clone(),
            ways: RefCell::new(ways.clone()),
            arrivals: RefCell::new(arrivals),
            busy: Cell::new(None),
            used: RefCell::default(),
        });
        (placing.collect(), loads)
    }

    /// Decides about a new connection, and counts it where it will be: on which other core, if not
    /// on this one.
    pub(super) fn place(&self) -> Option<usize> {
        let counts = self.loads.connections.iter().map(|count| count.load(Ordering::Relaxed));
        let there = better(self.own, &counts.collect::<Vec<_>>(), &self.busy());
        self.loads.connections[there.unwrap_or(self.own)].fetch_add(1, Ordering::Relaxed);
        there
    }

    /// How busy each core was of late, from 0 to 1.
    fn busy(&self) -> Vec<f64> {
        let now = Instant::now();
        let mut used = self.used.borrow_mut();
        let since = self.busy.get();
        let watched = since.map(|since| now.saturating_duration_since(since));
        if watched.is_none_or(|watched| watched >= WATCH) {
            self.busy.set(Some(now));
            used.resize(self.cores.len(), (Duration::ZERO, 0.0));
            for (core, (before, share)) in self.cores.iter().zip(used.iter_mut()) {
                let now = core.cpu_time();
                if let Some(watched) = watched {
                    *share = now.saturating_sub(*before).div_duration_f64(watched).min(1.0);
                }
                *before = now;
            }
        }
        used.iter().map(|&(_, share)| share).collect()
    }

    /// Passes a connection on to where it was placed. One for which that core has no ear any more
    /// comes back, and counts here.
    pub(super) fn pass(&self, there: usize, connection: Passed) -> Option<Passed> {
        let refused = match self.ways.borrow().get(there) {
            Some(way) => way.send(connection).err().map(|error| error.0),
            None => Some(connection),
        };
        refused.inspect(|_| self.keep(there))
    }

    /// A connection that was placed there stays here.
    pub(super) fn keep(&self, there: usize) {
        self.loads.connections[there].fetch_sub(1, Ordering::Relaxed);
        self.loads.connections[self.own].fetch_add(1, Ordering::Relaxed);
    }

    /// A connection of this core has ended.
    pub(super) fn leave(&self) {
        self.loads.connections[self.own].fetch_sub(1, Ordering::Relaxed);
    }

    /// The next connection that another core has passed on; `None` when all have closed.
    pub(super) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<Option<Passed>> {
        Pin::new(&mut *self.arrivals.borrow_mut()).poll_next(cx)
    }

    /// Passes nothing on any more.
    pub(super) fn close(&self) {
        self.ways.borrow_mut().clear();
    }

    /// Nor takes what others pass on: they keep it, and what is on its way is closed.
    pub(super) fn end(&self) {
        self.close();
        for _ in self.arrivals.borrow().close_now() {
            self.leave();
        }
    }
}

/// The core that is to serve a connection which core `own` has accepted, if that is another one:
/// given how many connections each serves, and how busy each is, from 0 to 1.
fn better(own: usize, connections: &[usize], busy: &[f64]) -> Option<usize> {
    let mean = 1.0 + connections.iter().sum::<usize>() as f64 / connections.len() as f64;
    let burden =
        |(&count, &busy): (&usize, &f64)| (count + 1) as f64 / mean + (2.0 * busy - 1.0).max(0.0);
    let burdens: Vec<f64> = connections.iter().zip(busy).map(burden).collect();
    let least = (0..burdens.len()).min_by(|&a, &b| burdens[a].total_cmp(&burdens[b]))?;
    (burdens[least] + MARGIN < burdens[own]).then_some(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: [f64; 3] = [0.0, 0.3, 0.4];

    #[test]
    fn numbers_are_evened_out_while_all_have_time() {
        assert_eq!(better(0, &[0, 0, 0], &IDLE), None, "none is better off");
        assert_eq!(better(0, &[1, 0, 0], &IDLE), Some(1));
        assert_eq!(better(1, &[1, 0, 0], &IDLE), None);
        assert_eq!(better(2, &[7, 8, 9], &IDLE), Some(0));
        assert_eq!(better(2, &[1000, 1010, 1020], &IDLE), None, "it is not worth the way");
        assert_eq!(better(2, &[1000, 1010, 1200], &IDLE), Some(0));
    }

    #[test]
    fn a_core_without_time_gets_fewer() {
        assert_eq!(better(0, &[10, 10], &[1.0, 0.2]), Some(1));
        assert_eq!(better(0, &[10, 20], &[1.0, 0.2]), Some(1));
        assert_eq!(better(0, &[10, 40], &[1.0, 0.2]), None, "it has enough fewer by now");
        assert_eq!(better(0, &[10, 10], &[1.0, 1.0]), None, "nobody has time");
    }

    #[test]
    fn connections_come_one_by_one_to_where_there_are_fewest() {
        let mut counts = [0; 3];
        for accepted in 0..99 {
            // All of them are accepted on two cores.
            let own = accepted % 2;
            counts[better(own, &counts, &IDLE).unwrap_or(own)] += 1;
        }
        assert!(counts.iter().all(|count| (32..=34).contains(count)), "{counts:?}");
    }
}
