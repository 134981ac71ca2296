//! What every thread and connection of a run must know, settled before the first of them starts.

use std::net::SocketAddr;
use std::time::Duration;

use super::schedule::Schedule;
use crate::cli::RunArgs;
use crate::exchange::request::Request;

/// A load, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// The target's addresses, tried in order.
    pub addresses: Vec<SocketAddr>,
    /// What to send.
    pub request: Request,
    /// Connections in total.
    pub connections: usize,
    /// Threads, no more than connections.
    pub threads: usize,
    /// Whether a connection carries more than one request.
    pub keep_alive: bool,
    /// Longest time to establish a connection.
    pub connect_timeout: Duration,
    /// Longest time from sending a request to the end of its response.
    pub timeout: Duration,
    /// Load that is not measured.
    pub warmup: Duration,
    /// How long to measure, unless a number of requests ends the run.
    pub duration: Option<Duration>,
    /// How many requests to measure, unless time ends the run.
    pub requests: Option<u64>,
    /// Total rate of the open loop.
    pub rate: Option<u64>,
    /// Whether completions wait for each other.
    pub batch: bool,
    /// Processors for the threads, if they may not have all.
    pub cpus: Option<Vec<usize>>,
}

impl Plan {
    /// The plan that `args` ask for.
    pub fn new(
        args: &RunArgs,
        addresses: Vec<SocketAddr>,
        request: Request,
        cpus: Option<Vec<usize>>,
    ) -> Plan {
        Plan {
            addresses,
            request,
            connections: args.connections as usize,
            threads: args.threads as usize,
            keep_alive: !args.no_keepalive,
            connect_timeout: args.connect_timeout,
            timeout: args.timeout,
            warmup: args.warmup,
            duration: args.duration(),
            requests: args.requests,
            rate: args.rate,
            batch: args.batch,
            cpus,
        }
    }

    /// Who sends when, from the start of the warm-up.
    pub fn schedule(&self) -> Schedule {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let duration = self.duration.map(ns);
        Schedule::new(self.rate, ns(self.warmup), duration, self.requests, ns(self.timeout))
    }

    /// The connections of thread `index`: an even share, the remainder spread.
    pub fn share(&self, index: usize) -> usize {
        self.connections / self.threads + usize::from(index < self.connections % self.threads)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn shares_are_even_and_nothing_is_dropped() {
        for (connections, threads, shares) in
            [(10, 3, &[4, 3, 3][..]), (64, 1, &[64]), (4, 4, &[1, 1, 1, 1])]
        {
            let line = format!("bench-harness -c {connections} -t {threads}");
            let args = Cli::parse_from(line.split_whitespace()).run;
            let target = "http://h/".parse().unwrap();
            let request = Request::new(&target, "GET", &[], None, true);
            let plan = Plan::new(&args, Vec::new(), request, None);
            let found: Vec<_> = (0..threads).map(|index| plan.share(index)).collect();
            assert_eq!(found, shares);
        }
    }
}
