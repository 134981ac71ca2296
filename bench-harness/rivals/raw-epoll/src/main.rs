//! The reference: an echo server that is a loop over epoll, written by hand.
//!
//! Level-triggered; a message is received into the one buffer there is, and sent from it at once.
//! Only what a slow peer does not take is kept for later.

#![forbid(unsafe_code)]

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags};
use stage::{Job, console};

/// The listener's place among the events.
const LISTENER: u64 = u64::MAX;

/// Events that are taken at once.
const EVENTS: usize = 1024;

struct Connection {
    socket: OwnedFd,
    /// What the peer has not taken yet.
    rest: Vec<u8>,
}

fn main() -> io::Result<()> {
    match Job::from_args() {
        Job::Echo(buffer) => echo(buffer),
        job => job.cannot(),
    }
}

fn echo(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    console::listening(listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; buffer];
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                accept(&listener, &epoll, &mut connections, &mut free)?;
                continue;
            }
            let Some(connection) = &mut connections[key as usize] else { continue };
            if !serve(connection, &epoll, key, &mut buffer).unwrap_or(false) {
                connections[key as usize] = None;
                free.push(key as usize);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    epoll: &OwnedFd,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = match net::accept_with(listener, flags) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR | Errno::CONNABORTED) => continue,
            Err(error) => return Err(error.into()),
        };
        net::sockopt::set_tcp_nodelay(&socket, true)?;
        let key = free.pop().unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        epoll::add(epoll, &socket, EventData::new_u64(key as u64), EventFlags::IN)?;
        connections[key] = Some(Connection { socket, rest: Vec::new() });
    }
}

/// Sends what could not be sent, or receives and sends; returns whether the connection goes on.
fn serve(
    connection: &mut Connection,
    epoll: &OwnedFd,
    key: u64,
    buffer: &mut [u8],
) -> Result<bool, Errno> {
    let Connection { socket, rest } = connection;
    if !rest.is_empty() {
        let sent = send(socket, rest)?;
        rest.drain(..sent);
        if rest.is_empty() {
            epoll::modify(epoll, &*socket, EventData::new_u64(key), EventFlags::IN)?;
        }
        return Ok(true);
    }
    let (n, _) = match net::recv(&*socket, &mut *buffer, RecvFlags::empty()) {
        Ok(received) => received,
        Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
        Err(error) => return Err(error),
    };
    if n == 0 {
        return Ok(false);
    }
    let sent = send(socket, &buffer[..n])?;
    if sent < n {
        rest.extend_from_slice(&buffer[sent..n]);
        epoll::modify(epoll, &*socket, EventData::new_u64(key), EventFlags::OUT)?;
    }
    Ok(true)
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match net::send(socket, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        sent => sent,
    }
}
