//! An echo server: multishot accept, multishot receive into shared buffers, and each buffer sent
//! back in place by one operation that sends all of it.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::{cqueue, opcode, types::Fd};

use crate::buffers::{BUFFERS, Buffers, GROUP};
use crate::ring::Ring;

/// What a completion is of, in the upper half of its key; the lower half is the connection.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
/// And the buffer's number, above the kind.
const SEND: u64 = 2;

struct Connection {
    socket: OwnedFd,
    /// Received, and waiting for the send that is under way.
    queue: VecDeque<(u16, u32)>,
    sending: bool,
    /// The peer has closed, or it failed.
    over: bool,
    /// A multishot receive is under way.
    armed: bool,
}

struct Server {
    ring: Ring,
    buffers: Buffers,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Connections whose receive ended because there was no buffer.
    starved: VecDeque<usize>,
}

/// Serves for ever.
pub fn serve(buffer: usize) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // SAFETY: a plain call on a descriptor that is open.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    let ring = Ring::new()?;
    let buffers = Buffers::register(&ring, buffer)?;
    let mut server = Server {
        ring,
        buffers,
        connections: Vec::new(),
        free: Vec::new(),
        starved: VecDeque::new(),
    };
    stage::console::listening(listener.local_addr()?);
    server.accept(listener.as_raw_fd())?;
    loop {
        let taken = server.ring.wait()?;
        for &(key, result, flags) in &taken {
            let index = (key & 0xffff_ffff) as usize;
            match key >> 32 & 0xffff {
                ACCEPT => {
                    if result >= 0 {
                        server.accepted(result)?;
                    }
                    if !cqueue::more(flags) {
                        server.accept(listener.as_raw_fd())?;
                    }
                }
                RECEIVE => server.received(index, result, flags)?,
                _ => server.sent(index, (key >> 48) as u16, result)?,
            }
        }
        server.ring.give_back(taken);
    }
}

impl Server {
    fn accept(&mut self, listener: RawFd) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(Fd(listener)).build().user_data(ACCEPT << 32);
        // SAFETY: it points to nothing.
        unsafe { self.ring.push(&entry) }
    }

    fn accepted(&mut self, socket: RawFd) -> io::Result<()> {
        let one: libc::c_int = 1;
        // SAFETY: the kernel has just given us the descriptor, and reads one integer.
        let socket = unsafe {
            let size = size_of::<libc::c_int>() as libc::socklen_t;
            let one = (&raw const one).cast();
            libc::setsockopt(socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, one, size);
            OwnedFd::from_raw_fd(socket)
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let queue = VecDeque::new();
        let connection = Connection { socket, queue, sending: false, over: false, armed: false };
        self.connections[index] = Some(connection);
        self.receive(index)
    }

    fn receive(&mut self, index: usize) -> io::Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        connection.armed = true;
        let fd = Fd(connection.socket.as_raw_fd());
        let entry = opcode::RecvMulti::new(fd, GROUP).build();
        // SAFETY: the buffers live as long as the program.
        unsafe { self.ring.push(&entry.user_data(RECEIVE << 32 | index as u64)) }
    }

    fn received(&mut self, index: usize, result: i32, flags: u32) -> io::Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        connection.armed = cqueue::more(flags);
        if result == -libc::ENOBUFS {
            self.starved.push_back(index);
            return Ok(());
        }
        match cqueue::buffer_select(flags) {
            Some(id) if result > 0 => {
                let armed = connection.armed;
                if connection.sending {
                    connection.queue.push_back((id, result as u32));
                } else {
                    self.send(index, id, result as u32)?;
                }
                if !armed {
                    self.receive(index)?;
                }
                return Ok(());
            }
            Some(id) => self.buffers.offer(id),
            None => {}
        }
        connection.over = true;
        self.end_if_over(index);
        Ok(())
    }

    fn send(&mut self, index: usize, id: u16, length: u32) -> io::Result<()> {
        let Some(connection) = &mut self.connections[index] else { return Ok(()) };
        connection.sending = true;
        let fd = Fd(connection.socket.as_raw_fd());
        let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
        let entry = opcode::Send::new(fd, self.buffers.at(id), length).flags(flags).build();
        let key = u64::from(id) << 48 | SEND << 32 | index as u64;
        // SAFETY: the buffer is offered again only when this has completed.
        unsafe { self.ring.push(&entry.user_data(key)) }
    }

    fn sent(&mut self, index: usize, id: u16, result: i32) -> io::Result<()> {
        self.buffers.offer(id);
        if let Some(connection) = &mut self.connections[index] {
            connection.sending = false;
            connection.over |= result < 0;
            match connection.queue.pop_front() {
                Some((id, length)) if !connection.over => self.send(index, id, length)?,
                Some((id, _)) => {
                    self.buffers.offer(id);
                    while let Some((id, _)) =
                        self.connections[index].as_mut().and_then(|c| c.queue.pop_front())
                    {
                        self.buffers.offer(id);
                    }
                }
                None => {}
            }
            self.end_if_over(index);
        }
        // As many as buffers came back: more would be starved again.
        if let Some(index) = self.starved.pop_front() {
            self.receive(index)?;
        }
        Ok(())
    }

    fn end_if_over(&mut self, index: usize) {
        let Some(connection) = &self.connections[index] else { return };
        if !connection.over || connection.sending || !connection.queue.is_empty() {
            return;
        }
        // A receive that is still armed ends with the peer's end of the connection.
        if connection.armed {
            // SAFETY: a plain call on a descriptor that is open.
            unsafe { libc::shutdown(connection.socket.as_raw_fd(), libc::SHUT_RDWR) };
            return;
        }
        self.connections[index] = None;
        self.free.push(index);
    }
}

const _: () = assert!(BUFFERS.is_power_of_two());
