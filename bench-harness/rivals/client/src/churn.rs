//! A new connection for every message.
//!
//! Who closes first keeps the port for a minute, and that is the client, as with most servers. So
//! the connections come from several addresses of the loopback network, each with ports of its own.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};

use crate::Done;

/// Addresses to connect from, beginning with 127.0.0.2.
const ADDRESSES: u8 = 64;

/// One connection after the other.
pub struct Churn {
    address: SocketAddr,
    /// Connections that are open at once.
    width: usize,
    request: Vec<u8>,
    next: u8,
}

impl Churn {
    /// Opens nothing yet.
    pub fn new(address: SocketAddr, width: usize, size: usize) -> Churn {
        Churn { address, width: width.max(1), request: vec![b'x'; size], next: 0 }
    }

    /// Connects, sends, receives and closes for `length`.
    pub fn run(&mut self, length: Duration) -> io::Result<Done> {
        let start = Instant::now();
        let mut operations = 0;
        let mut buffer = vec![0; self.request.len()];
        while operations == 0 || start.elapsed() < length {
            let mut open = Vec::with_capacity(self.width);
            for _ in 0..self.width {
                let mut stream = self.connect()?;
                stream.set_read_timeout(Some(Duration::from_secs(10)))?;
                stream.write_all(&self.request)?;
                open.push(stream);
            }
            for mut stream in open {
                stream.read_exact(&mut buffer)?;
                stream.shutdown(Shutdown::Write)?;
                // The server's end: it has seen ours.
                let _ = stream.read(&mut buffer)?;
                operations += 1;
            }
        }
        Ok(Done { operations, time: start.elapsed(), latency: None })
    }

    fn connect(&mut self) -> io::Result<TcpStream> {
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.next % ADDRESSES);
        self.next = self.next.wrapping_add(1);
        let flags = SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        net::sockopt::set_socket_reuseaddr(&socket, true)?;
        let exhausted = |error: Errno| match error {
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => io::Error::other(
                "the ports are exhausted: wait a minute, or widen them with `sysctl -w \
                 net.ipv4.ip_local_port_range=\"1024 65535\"`",
            ),
            error => error.into(),
        };
        net::bind(&socket, &SocketAddrV4::new(source, 0)).map_err(exhausted)?;
        net::connect(&socket, &self.address).map_err(exhausted)?;
        Ok(TcpStream::from(socket))
    }
}
