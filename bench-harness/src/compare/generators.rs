//! Load generators in turn, against one nginx.
//!
//! A generator that was started for every slice would be measured while it starts. So both run all
//! the time, and a signal has each stand still while it is the other's turn. What they have sent is
//! in nginx's own books, the same for both; what counts is their processor time, not nginx's.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::duel::{Side, Source};
use super::program::{Done, Program};

/// The rival.
pub const WRK: &str = "wrk";

/// Connections of a generator.
const CONNECTIONS: u64 = 64;

/// How long nginx may take to listen, and a generator to send a thousand requests.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server of small pages, on a port of its own.
pub struct Nginx {
    /// Dropped, it is ended.
    _program: Program,
    address: SocketAddr,
}

impl Nginx {
    /// Starts it on `cpus`, with its files in `folder`.
    pub fn start(folder: &Path, cpus: &[usize]) -> Result<Nginx, String> {
        let told = |error: io::Error| format!("nginx: {error}");
        fs::create_dir_all(folder).map_err(told)?;
        let folder = folder.canonicalize().map_err(told)?;
        // It cannot be asked for any free port.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.map_err(told)?;
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(address)).map_err(told)?;
        // Debian has it where only root looks.
        let debian = "/usr/sbin/nginx";
        let program = if Path::new(debian).is_file() { debian } else { "nginx" };
        let (folder, file) = (folder.to_string_lossy(), file.to_string_lossy());
        let command = [program, "-p", &folder, "-c", &file, "-e", "stderr"].map(str::to_owned);
        let program = Program::start(&command, cpus);
        let mut program = program.map_err(|error| missing("nginx", "nginx-light", &error))?;
        let start = Instant::now();
        while let Err(error) = requests(address) {
            if let Some(words) = program.ended() {
                return Err(format!("nginx: {words}"));
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("nginx does not answer: {error}"));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(Nginx { _program: program, address })
    }

    /// Starts `bench-harness run` or, where the rival's name is its own, wrk, and lets it stand still
    /// as soon as it is under way.
    pub fn meet(self: &Rc<Self>, who: &str, batch: bool, cpus: &[usize]) -> Result<Side, String> {
        let url = format!("http://{}/get", self.address);
        let (program, how) = match who {
            WRK => (WRK.to_owned(), "-t 1 -d 3600"),
            _ => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                let how = match batch {
                    true => "run --quiet --warmup 0s -d 3600s --batch",
                    false => "run --quiet --warmup 0s -d 3600s",
                };
                (own.to_string_lossy().into_owned(), how)
            }
        };
        let mut command = vec![program];
        command.extend(how.split(' ').map(str::to_owned));
        command.extend(["-c".to_owned(), CONNECTIONS.to_string(), url]);
        let program = Program::start(&command, cpus);
        let mut program = program.map_err(|error| missing(who, WRK, &error))?;
        let before = requests(self.address)?;
        let start = Instant::now();
        while requests(self.address)? < before + 1_000 {
            if let Some(words) = program.ended() {
                return Err(words);
            }
            if start.elapsed() > PATIENCE {
                return Err("it sends no thousand requests in ten seconds".into());
            }
            sleep(Duration::from_millis(5));
        }
        program.stop()?;
        Ok(Side { program, source: Source::Generator(self.clone()) })
    }

    /// Lets a generator go on for a slice.
    pub fn slice(&self, generator: &mut Program, order: &str) -> Result<Done, String> {
        let ms = order.strip_prefix("slice ").and_then(|ms| ms.parse().ok());
        let ms = ms.ok_or_else(|| format!("`{order}` is nothing for a load generator"))?;
        let before = requests(self.address)?;
        let start = Instant::now();
        generator.go_on()?;
        sleep(Duration::from_millis(ms));
        generator.stop()?;
        let time_ns = start.elapsed().as_nanos() as u64;
        // The last of them is the question itself.
        match requests(self.address)?.saturating_sub(before + 1) {
            0 => Err("it sends nothing any more".into()),
            operations => Ok(Done { operations, time_ns, latency: None }),
        }
    }
}

/// The version of wrk that is installed.
pub fn version() -> Option<String> {
    let output = Command::new(WRK).arg("-v").output().ok()?;
    number(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned)
}

/// The number in `wrk PLACE/NUMBER-PATCHES ...`, which may have neither place nor patches.
fn number(said: &str) -> Option<&str> {
    let word = said.split_whitespace().nth(1)?;
    word.rsplit('/').next()?.split('-').next()
}

/// What to do about a program that cannot be started.
fn missing(name: &str, package: &str, error: &str) -> String {
    format!("{name} is needed (on Debian `apt-get install {package}`): {error}")
}

/// One process, which ends when it is killed; a page, and its books.
fn configuration(address: SocketAddr) -> String {
    format!(
        "daemon off; master_process off; error_log stderr; pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; client_body_temp_path body;
    server {{
        listen {address};
        location = /get {{ default_type application/json; return 200 '{PAGE}'; }}
        location = /books {{ stub_status; }}
    }}
}}
"
    )
}

/// As long as an httpbin's answer to the same request without headers.
const PAGE: &str = r#"{"args":{},"headers":{"Host":"localhost"},"origin":"127.0.0.1","url":"http://localhost/get"}"#;

/// How many requests nginx has been sent, this one included.
fn requests(address: SocketAddr) -> Result<u64, String> {
    let answer = ask(address).map_err(|error| format!("asking nginx for its books: {error}"))?;
    counted(&answer).ok_or_else(|| format!("nginx has no books: {}", answer.replace('\n', " ")))
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /books HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The third number below the headings.
fn counted(answer: &str) -> Option<u64> {
    let (_, below) = answer.split_once("accepts handled requests")?;
    below.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_of_nginx_are_read() {
        let answer = "HTTP/1.1 200 OK\r\n\r\nActive connections: 2 \nserver accepts handled \
                      requests\n 16 16 3107 \nReading: 0 Writing: 1 Waiting: 1 \n";
        assert_eq!(counted(answer), Some(3107));
        assert_eq!(counted("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }

    #[test]
    fn the_version_of_wrk_is_a_number() {
        assert_eq!(number("wrk debian/4.1.0-3+b2 [epoll] Copyright"), Some("4.1.0"));
        assert_eq!(number("wrk 4.2.0 [epoll]"), Some("4.2.0"));
        assert_eq!(number(""), None);
    }

    #[test]
    fn what_is_missing_comes_with_a_remedy() {
        let error = missing("nginx", "nginx-light", "no such file");
        assert!(error.contains("apt-get install nginx-light"), "{error}");
    }
}
