//! Two echo servers, one client, short slices in turn: see the README.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Options {
    size: usize,
    connections: usize,
    seconds: f64,
    slice: Duration,
    servers: [String; 2],
}

fn main() {
    let outcome = options().and_then(|options| duel(&options));
    if let Err(error) = outcome {
        eprintln!("echo-duel: {error}");
        std::process::exit(2);
    }
}

fn options() -> Result<Options> {
    let (mut size, mut connections, mut seconds, mut slice_ms) = (64, 64, 10.0, 50);
    let mut servers = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--size" => size = value()?.parse()?,
            "--connections" => connections = value()?.parse()?,
            "--seconds" => seconds = value()?.parse()?,
            "--slice-ms" => slice_ms = value()?.parse()?,
            _ => servers.push(argument),
        }
    }
    let servers = servers.try_into().map_err(|_| "give the commands of two servers")?;
    Ok(Options { size, connections, seconds, slice: Duration::from_millis(slice_ms), servers })
}

fn duel(options: &Options) -> Result<()> {
    pin(None, 1)?;
    let mut a = Server::start(&options.servers[0], options)?;
    let mut b = Server::start(&options.servers[1], options)?;
    for server in [&mut a, &mut b] {
        server.slice(options.slice * 6)?;
    }
    let mut ratios = Vec::new();
    let (mut total_a, mut total_b) = (Slice::default(), Slice::default());
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    while Instant::now() < end {
        for a_first in [true, false] {
            let (of_a, of_b);
            if a_first {
                of_a = a.slice(options.slice)?;
                of_b = b.slice(options.slice)?;
            } else {
                of_b = b.slice(options.slice)?;
                of_a = a.slice(options.slice)?;
            }
            ratios.push((of_a.rate() / of_b.rate(), of_a.cost() / of_b.cost()));
            total_a.add(&of_a);
            total_b.add(&of_b);
        }
    }
    println!(
        "{} B x {} connections, {} pairs of {} ms slices",
        options.size,
        options.connections,
        ratios.len(),
        options.slice.as_millis()
    );
    for (name, total) in options.servers.iter().zip([total_a, total_b]) {
        println!(
            "{:>10.0} round trips/s {:>8.3} us CPU each   {name}",
            total.rate(),
            total.cost() / 1e3
        );
    }
    let quartiles = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
    };
    for (what, values) in [
        ("round trips", ratios.iter().map(|ratio| ratio.0).collect()),
        ("CPU", ratios.iter().map(|ratio| ratio.1).collect()),
    ] {
        let [low, median, high] = quartiles(values);
        println!("A/B {what:<12} {median:.3}   quartiles {low:.3} {high:.3}");
    }
    Ok(())
}

fn pin(pid: Option<Pid>, core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(pid, &set)?)
}

struct Server {
    child: Child,
    epoll: OwnedFd,
    peers: Vec<Peer>,
    events: Vec<epoll::Event>,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    to_send: usize,
    to_receive: usize,
}

impl Server {
    fn start(command: &str, options: &Options) -> Result<Server> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or("a server's command is empty")?;
        let mut child = Command::new(program).args(words).stdout(Stdio::piped()).spawn()?;
        let pid = Pid::from_child(&child);
        pin(Some(pid), 0)?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no stdout")?).read_line(&mut line)?;
        let address: SocketAddr = line
            .trim()
            .strip_prefix("listening on ")
            .ok_or(format!("{command}: expected `listening on ADDR`, got {line:?}"))?
            .parse()?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut peers = Vec::new();
        for index in 0..options.connections {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, stream.as_fd(), EventData::new_u64(index as u64), EventFlags::IN)?;
            peers.push(Peer { stream, to_send: 0, to_receive: 0 });
        }
        Ok(Server {
            child,
            epoll,
            peers,
            events: Vec::with_capacity(256),
            message: vec![b'x'; options.size],
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Run time of all threads, in nanoseconds.
    fn cpu(&self) -> Result<u64> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            total += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
        }
        Ok(total)
    }

    fn slice(&mut self, length: Duration) -> Result<Slice> {
        let cpu = self.cpu()?;
        let begun = Instant::now();
        let mut round_trips = 0;
        let mut outstanding = self.peers.len();
        for index in 0..self.peers.len() {
            self.begin(index)?;
        }
        while outstanding > 0 {
            self.events.clear();
            let second = Timespec { tv_sec: 5, tv_nsec: 0 };
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut self.events),
                Some(&second),
            )?;
            if self.events.is_empty() {
                return Err("a server has not answered for 5 s".into());
            }
            let again = begun.elapsed() < length;
            for at in 0..self.events.len() {
                let index = self.events[at].data.u64() as usize;
                if self.proceed(index)? {
                    round_trips += 1;
                    match again {
                        true => self.begin(index)?,
                        false => outstanding -= 1,
                    }
                }
            }
        }
        let wall = begun.elapsed();
        Ok(Slice { round_trips, wall, cpu_ns: self.cpu()? - cpu })
    }

    fn begin(&mut self, index: usize) -> Result<()> {
        let peer = &mut self.peers[index];
        peer.to_send = self.message.len();
        peer.to_receive = self.message.len();
        peer.send(&self.message)
    }

    /// Whether the round trip is complete.
    fn proceed(&mut self, index: usize) -> Result<bool> {
        let peer = &mut self.peers[index];
        peer.send(&self.message)?;
        loop {
            match peer.stream.read(&mut self.buffer) {
                Ok(0) => return Err("a server has closed a connection".into()),
                Ok(n) => peer.to_receive -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            if peer.to_receive == 0 {
                return Ok(true);
            }
        }
    }
}

impl Peer {
    fn send(&mut self, message: &[u8]) -> Result<()> {
        while self.to_send > 0 {
            match self.stream.write(&message[message.len() - self.to_send..]) {
                Ok(n) => self.to_send -= n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Slice {
    round_trips: u64,
    wall: Duration,
    cpu_ns: u64,
}

impl Slice {
    fn rate(&self) -> f64 {
        self.round_trips as f64 / self.wall.as_secs_f64()
    }

    fn cost(&self) -> f64 {
        self.cpu_ns as f64 / self.round_trips as f64
    }

    fn add(&mut self, other: &Slice) {
        self.round_trips += other.round_trips;
        self.wall += other.wall;
        self.cpu_ns += other.cpu_ns;
    }
}
