//! What a program is asked to do: its command line.

use std::path::PathBuf;
use std::process::exit;
use std::str::FromStr;

/// The status of a program that cannot do what it is asked to.
const CANNOT: i32 = 3;

/// One job.
#[derive(Debug, Clone)]
pub enum Job {
    /// `echo BUFFER`: send back what comes over TCP, with a buffer of so many bytes a connection.
    Echo(usize),
    /// `http`: answer `GET /get` and `GET /bytes/65536`.
    Http,
    /// `cores NUMBER`: the same on so many cores, and `GET /cpu?us=MICROSECONDS`.
    Cores(usize),
    /// `skew even` or `skew skewed`: a server on two cores and its own client, whose connections all
    /// arrive at the first core if they are skewed.
    Skew { skewed: bool },
    /// `udp BUFFER`: send datagrams back to where they come from.
    Udp(usize),
    /// `fan-out BUFFER`: send what comes on one connection to all.
    FanOut(usize),
    /// `repeat WHAT`: see [`Repeat`].
    Repeat(Repeat),
    /// `files WHAT FOLDER DEPTH`: see [`Files`].
    Files { what: Files, folder: PathBuf, depth: usize },
}

/// What needs no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Spawn an empty task and wait for it.
    SpawnAwait,
    /// Spawn a thousand empty tasks, then wait for all.
    SpawnBatch,
    /// Give way to other tasks, of which there is none.
    Yield,
    /// Pass a number through a bounded channel of one thread.
    Channel,
    /// A hundred thousand tasks that sleep up to 100 ms.
    Timers,
    /// Sleep 1 ms; what is timed is how late it ends.
    Sleep,
    /// Be woken by another thread.
    Wake,
    /// Spawn tasks that sleep for an hour; their memory is what is measured.
    Sleeping,
}

/// What is done with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Read 4 KiB somewhere in `FOLDER/large`, through the page cache.
    ReadCached,
    /// The same past the page cache.
    ReadDirect,
    /// Read `FOLDER/large` from its start to its end, 1 MiB at a time.
    ReadSequential,
    /// Write `FOLDER/written` from its start to its end, 1 MiB at a time.
    WriteSequential,
    /// Read one of a thousand small files as a whole.
    ReadSmall,
}

impl Job {
    /// The job on the command line; a program without a good one ends with a line.
    pub fn from_args() -> Job {
        Job::from_args_after(0)
    }

    /// The job after so many words that are the program's own.
    pub fn from_args_after(words: usize) -> Job {
        Job::parse(std::env::args().skip(1 + words)).unwrap_or_else(|error| {
            eprintln!("{error}");
            exit(2)
        })
    }

    fn parse(args: impl Iterator<Item = String>) -> Result<Job, String> {
        let args: Vec<String> = args.collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        Ok(match words[..] {
            ["echo", buffer] => Job::Echo(number(buffer)?),
            ["http"] => Job::Http,
            ["cores", number_of] => Job::Cores(number(number_of)?),
            ["skew", "even"] => Job::Skew { skewed: false },
            ["skew", "skewed"] => Job::Skew { skewed: true },
            ["udp", buffer] => Job::Udp(number(buffer)?),
            ["fan-out", buffer] => Job::FanOut(number(buffer)?),
            ["repeat", what] => Job::Repeat(what.parse()?),
            ["files", what, folder, depth] => Job::Files {
                what: what.parse()?,
                folder: folder.into(),
                depth: number(depth)?.max(1),
            },
            _ => {
                return Err(format!(
                    "`{}` is none of: echo BUFFER, http, cores NUMBER, skew even, skew skewed, udp \
                     BUFFER, fan-out BUFFER, repeat WHAT, files WHAT FOLDER DEPTH",
                    args.join(" ")
                ));
            }
        })
    }

    /// Ends the program: this runtime has nothing for the job, or nobody has written it.
    pub fn cannot(&self) -> ! {
        eprintln!("it has no program for this");
        exit(CANNOT)
    }
}

fn number(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

impl FromStr for Repeat {
    type Err = String;

    fn from_str(word: &str) -> Result<Repeat, String> {
        Ok(match word {
            "spawn-await" => Repeat::SpawnAwait,
            "spawn-batch" => Repeat::SpawnBatch,
            "yield" => Repeat::Yield,
            "channel" => Repeat::Channel,
            "timers" => Repeat::Timers,
            "sleep" => Repeat::Sleep,
            "wake" => Repeat::Wake,
            "sleeping" => Repeat::Sleeping,
            _ => return Err(format!("`{word}` is nothing to repeat")),
        })
    }
}

impl FromStr for Files {
    type Err = String;

    fn from_str(word: &str) -> Result<Files, String> {
        Ok(match word {
            "read-cached" => Files::ReadCached,
            "read-direct" => Files::ReadDirect,
            "read-sequential" => Files::ReadSequential,
            "write-sequential" => Files::WriteSequential,
            "read-small" => Files::ReadSmall,
            _ => return Err(format!("`{word}` is nothing to do with files")),
        })
    }
}

impl Repeat {
    /// Operations that are done together.
    pub fn unit(self) -> u64 {
        match self {
            Repeat::SpawnBatch => 1_000,
            Repeat::Timers => 100_000,
            Repeat::Sleeping => 1_000_000,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Job, String> {
        Job::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn jobs_are_words_and_numbers() {
        assert!(matches!(parse("echo 4096"), Ok(Job::Echo(4096))));
        assert!(matches!(parse("repeat yield"), Ok(Job::Repeat(Repeat::Yield))));
        assert!(matches!(parse("files read-direct there 32"), Ok(Job::Files { depth: 32, .. })));
        assert!(parse("echo much").unwrap_err().contains("`much`"));
        assert!(parse("repeat nothing").unwrap_err().contains("`nothing`"));
        assert!(parse("").unwrap_err().contains("echo BUFFER"));
    }
}
