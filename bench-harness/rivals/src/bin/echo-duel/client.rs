//! The closed loop: every connection has one message under way, and sends the next when the whole
//! of it has come back.
//!
//! Level-triggered epoll and blocking sockets: a socket is read only when epoll says that bytes are
//! there, and written only when it has nothing under way, so neither ever blocks for long.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use serde_json::{Value, json};

/// Connections to one server.
pub struct Client {
    connections: Vec<Connection>,
    epoll: OwnedFd,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the message under way that have not come back.
    missing: usize,
}

/// One server's turn.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// Messages that came back.
    pub round_trips: u64,
    /// From the first send to the last echo.
    pub time: Duration,
    /// Processor time of the server.
    pub cpu: Duration,
}

impl Client {
    /// Opens all connections.
    pub fn connect(address: SocketAddr, connections: usize, size: usize) -> io::Result<Client> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut opened = Vec::with_capacity(connections);
        for index in 0..connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
            opened.push(Connection { stream, missing: 0 });
        }
        let message = (0..size).map(|at| at as u8).collect();
        Ok(Client { connections: opened, epoll, message, buffer: vec![0; size.max(64 * 1024)] })
    }

    /// Drives the server for `length`, until every message is back; counts them all.
    pub fn run(&mut self, length: Duration) -> io::Result<(u64, Duration)> {
        let Client { connections, epoll, message, buffer } = self;
        let mut events: Vec<Event> = Vec::with_capacity(connections.len());
        let start = Instant::now();
        for connection in &mut *connections {
            connection.send(message)?;
        }
        let mut under_way = connections.len();
        let mut round_trips = 0;
        while under_way > 0 {
            events.clear();
            epoll::wait(&*epoll, spare_capacity(&mut events), None)?;
            let over = start.elapsed() >= length;
            for event in &events {
                let connection = &mut connections[event.data.u64() as usize];
                if !connection.receive(buffer)? {
                    continue;
                }
                round_trips += 1;
                match over {
                    true => under_way -= 1,
                    false => connection.send(message)?,
                }
            }
        }
        Ok((round_trips, start.elapsed()))
    }
}

impl Connection {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.missing = message.len();
        self.stream.write_all(message)
    }

    /// Reads what is there; returns whether the message is complete.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let n = self.stream.read(buffer)?;
        if n == 0 || n > self.missing {
            return Err(io::Error::other("the server does not echo"));
        }
        self.missing -= n;
        Ok(self.missing == 0)
    }
}

impl Slice {
    /// Round trips a second.
    pub fn per_s(&self) -> f64 {
        self.round_trips as f64 / self.time.as_secs_f64()
    }

    /// The server's processor time for a round trip, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.round_trips as f64
    }

    /// The raw figures.
    pub fn json(&self) -> Value {
        json!({
            "round_trips": self.round_trips,
            "time_ns": self.time.as_nanos() as u64,
            "cpu_ns": self.cpu.as_nanos() as u64,
        })
    }
}
