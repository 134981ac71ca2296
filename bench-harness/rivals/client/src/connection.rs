//! A socket of one connection: blocking, and used only when there is something to be had.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

/// One connection, with at most one message under way.
pub struct Connection {
    socket: OwnedFd,
    /// Bytes that have still to come back; zero if nothing is under way.
    missing: usize,
}

impl Connection {
    /// Connects by TCP.
    pub fn tcp(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { socket: stream.into(), missing: 0 })
    }

    /// A datagram socket that knows its peer.
    pub fn udp(address: SocketAddr) -> io::Result<Connection> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        Ok(Connection { socket: socket.into(), missing: 0 })
    }

    /// Sends `request`, after which `response` bytes have to come.
    pub fn send(&mut self, request: &[u8], response: usize) -> io::Result<()> {
        self.missing = response;
        let mut rest = request;
        while !rest.is_empty() {
            match rustix::io::write(&self.socket, rest) {
                Ok(n) => rest = &rest[n..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// That so many bytes have to come, unasked.
    pub fn expect(&mut self, response: usize) {
        self.missing = response;
    }

    /// Reads what is there; returns whether everything has come.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let n = self.read(buffer)?;
        if n == 0 || n > self.missing {
            return Err(io::Error::other(match n {
                0 => "the server has closed a connection",
                _ => "the server sends more than was asked for",
            }));
        }
        self.missing -= n;
        Ok(self.missing == 0)
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(n) => return Ok(n),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
