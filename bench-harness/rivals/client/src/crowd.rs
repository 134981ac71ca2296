//! All connections to one server, each with at most one message under way.
//!
//! Level-triggered epoll and blocking sockets: a socket is read only when epoll says that bytes are
//! there, and written only when it has nothing under way, so neither blocks for long.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::connection::Connection;
use crate::exchange::Kind;
use crate::{Done, Latency};

/// What sending or receiving one message takes at most. A turn that takes longer was interrupted.
const STEP_NS: u64 = 25_000;

/// Messages that are due so early in a paced slice do not count: caches are still the other's.
const SETTLE_NS: u64 = 5_000_000;

/// A server that says nothing for so long is given up.
const SILENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Connections to one server.
pub struct Crowd {
    kind: Kind,
    connections: Vec<Connection>,
    epoll: OwnedFd,
    request: Vec<u8>,
    /// Bytes of an answer.
    response: usize,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

impl Crowd {
    /// Opens all connections, and has each serve one exchange.
    pub fn connect(
        kind: Kind,
        address: SocketAddr,
        connections: usize,
        size: usize,
    ) -> io::Result<Crowd> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut opened = Vec::with_capacity(connections);
        for index in 0..connections {
            let connection = match kind {
                Kind::Udp => Connection::udp(address)?,
                _ => Connection::tcp(address)?,
            };
            epoll::add(&epoll, &connection, EventData::new_u64(index as u64), EventFlags::IN)?;
            opened.push(connection);
        }
        let request = kind.request(size);
        let response = kind.response(&request, &mut opened[0])?;
        let mut crowd = Crowd {
            kind,
            connections: opened,
            epoll,
            request,
            response,
            buffer: vec![0; response.max(64 * 1024)],
            events: Vec::with_capacity(connections.max(64)),
        };
        // The server may still have to accept some: a message that comes to all is not sent yet.
        match kind {
            Kind::FanOut => crowd.wait_until_all_are_heard()?,
            _ => drop(crowd.run(Duration::ZERO)?),
        }
        Ok(crowd)
    }

    /// Keeps all connections busy for `length`, until every message is back; counts them all.
    pub fn run(&mut self, length: Duration) -> io::Result<Done> {
        if self.kind == Kind::FanOut {
            return self.run_fan_out(length);
        }
        let start = Instant::now();
        for connection in &mut self.connections {
            connection.send(&self.request, self.response)?;
        }
        let mut under_way = self.connections.len();
        let mut operations = 0;
        while under_way > 0 {
            self.wait(Some(&SILENCE))?;
            let over = start.elapsed() >= length;
            for event in &self.events {
                let connection = &mut self.connections[event.data.u64() as usize];
                if !connection.receive(&mut self.buffer)? {
                    continue;
                }
                operations += 1;
                match over {
                    true => under_way -= 1,
                    false => connection.send(&self.request, self.response)?,
                }
            }
        }
        Ok(Done { operations, time: start.elapsed(), latency: None })
    }

    /// Sends `rate` messages a second for `length`, each when it is due or, if every connection is
    /// busy then, as soon as one is free; latencies count from when a message was due. All
    /// connections have their turn.
    ///
    /// It spins, because a client that has to be woken would measure its own waking. What it cannot
    /// help is losing its processor; how long it had lost it is told.
    pub fn run_paced(&mut self, length: Duration, rate: f64) -> io::Result<Done> {
        let planned = (length.as_secs_f64() * rate).ceil() as u64;
        let due_ns = |message: u64| (message as f64 * 1e9 / rate) as u64;
        let latencies = Histogram::<u64>::new_with_bounds(1, 100_000_000_000, 3);
        let mut latencies = latencies.map_err(io::Error::other)?;
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut since = vec![0; self.connections.len()];
        let (mut sent, mut back) = (0, 0);
        let start = Instant::now();
        let since_start = || start.elapsed().as_nanos() as u64;
        let (mut turn_ns, mut steps, mut away_ns) = (0, 0, 0);
        let mut heard_ns = 0;
        let silence_ns = (length + Duration::from_secs(SILENCE.tv_sec as u64)).as_nanos() as u64;
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        while back < planned {
            let now_ns = since_start();
            away_ns += (now_ns - turn_ns).saturating_sub(STEP_NS * (steps + 1));
            (turn_ns, steps) = (now_ns, 0);
            while sent < planned && due_ns(sent) <= now_ns {
                let Some(index) = free.pop_front() else { break };
                since[index] = due_ns(sent);
                self.connections[index].send(&self.request, self.response)?;
                sent += 1;
                steps += 1;
            }
            self.wait(Some(&now))?;
            if !self.events.is_empty() {
                heard_ns = now_ns;
            } else if now_ns - heard_ns > silence_ns {
                return Err(silent());
            }
            for event in &self.events {
                let index = event.data.u64() as usize;
                steps += 1;
                if self.connections[index].receive(&mut self.buffer)? {
                    back += 1;
                    if since[index] >= SETTLE_NS {
                        latencies.saturating_record(since_start() - since[index]);
                    }
                    free.push_back(index);
                }
            }
        }
        let latency = Latency {
            median_ns: latencies.value_at_quantile(0.5),
            p99_ns: latencies.value_at_quantile(0.99),
            away_ns,
        };
        Ok(Done { operations: back, time: start.elapsed(), latency: Some(latency) })
    }

    /// A message on the first connection comes back on all: each of those is an operation.
    fn run_fan_out(&mut self, length: Duration) -> io::Result<Done> {
        let start = Instant::now();
        let mut operations = 0;
        while operations == 0 || start.elapsed() < length {
            self.connections.iter_mut().for_each(|one| one.expect(self.response));
            self.connections[0].send(&self.request, self.response)?;
            let mut missing = self.connections.len();
            while missing > 0 {
                self.wait(Some(&SILENCE))?;
                for event in &self.events {
                    let connection = &mut self.connections[event.data.u64() as usize];
                    if connection.receive(&mut self.buffer)? {
                        missing -= 1;
                        operations += 1;
                    }
                }
            }
        }
        Ok(Done { operations, time: start.elapsed(), latency: None })
    }

    /// A connection that the server has not accepted yet would miss a message to all. Servers accept
    /// in order, so all are there when the last one hears its own message.
    fn wait_until_all_are_heard(&mut self) -> io::Result<()> {
        let last = self.connections.len() - 1;
        self.connections[last].send(&self.request, self.response)?;
        let mut heard = false;
        while !heard {
            self.wait(Some(&SILENCE))?;
            heard = self.drain()?.contains(&last);
        }
        // What is still on its way to others would be taken for the first message.
        std::thread::sleep(Duration::from_millis(200));
        while !self.events.is_empty() {
            self.wait(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            self.drain()?;
        }
        Ok(())
    }

    /// Reads what has come, whatever it is; returns on which connections.
    fn drain(&mut self) -> io::Result<Vec<usize>> {
        let indices: Vec<usize> = self.events.iter().map(|e| e.data.u64() as usize).collect();
        for &index in &indices {
            self.connections[index].read(&mut self.buffer)?;
        }
        Ok(indices)
    }

    /// Waits for events; none within ten seconds is an error.
    fn wait(&mut self, time: Option<&Timespec>) -> io::Result<()> {
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), time) {
            Ok(0) if time == Some(&SILENCE) => Err(silent()),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn silent() -> io::Error {
    io::Error::other("the server says nothing for 10 s")
}
