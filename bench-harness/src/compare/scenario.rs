//! What is compared: scenarios, each with one or more cells.

use super::contestant::REFERENCES;

/// Scenarios whose tables belong together, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Echo,
    Http,
    Network,
    Tasks,
    Files,
    Memory,
    Cores,
    Generators,
}

/// Whom the subject meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The rivals.
    Rivals,
    /// Itself, arranged otherwise: what that is called.
    Otherwise(&'static str),
    /// Another load generator.
    Generator,
}

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What one operation is.
    pub about: &'static str,
    pub family: Family,
    pub against: Against,
    /// Its variants.
    pub cells: &'static [Cell],
    /// Seconds of slices for a duel, in full and in quick.
    pub seconds: [f64; 2],
}

/// A variant of a scenario.
#[derive(Debug)]
pub struct Cell {
    /// Its name in tables; empty for an only child.
    pub name: &'static str,
    /// Whether `--quick` runs it.
    pub quick: bool,
    /// What the program is told.
    pub job: &'static str,
    pub load: Load,
}

/// Where the work comes from.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// From a client: its kind, connections and size. `paced` also at half the rate.
    Client { kind: &'static str, connections: u32, size: u32, paced: bool },
    /// From the program itself.
    Own,
    /// From the program itself, which needs files.
    Files,
    /// The memory that connections take: how many.
    Idle { connections: u32 },
    /// The memory that a slice of the program takes.
    Grown,
    /// From a client whose requests take so many microseconds to compute, to a server on two cores
    /// and to one on one.
    Cores { connections: u32, us: u32 },
    /// From the program itself, which has clients: unevenly distributed ones, and even ones.
    Skew,
    /// The programs are where work comes from: load generators, and nginx answers.
    Generators { batch: bool },
}

impl Scenario {
    /// Whether a reference takes part: they have a program for little.
    pub fn has_reference(&self, name: &str) -> bool {
        match self.name {
            "echo" => true,
            "read-cached" | "read-direct" => name == REFERENCES[0],
            _ => false,
        }
    }
}

impl Load {
    /// Whether the client of all servers is needed.
    pub fn has_client(self) -> bool {
        matches!(self, Load::Client { .. } | Load::Idle { .. } | Load::Cores { .. })
    }
}

impl Cell {
    /// The words in front of a figure: `echo 64 B × 1`.
    pub fn title(&self, scenario: &Scenario) -> String {
        format!("{} {}", scenario.name, self.name).trim_end().to_owned()
    }
}

const fn echo(
    name: &'static str,
    quick: bool,
    job: &'static str,
    connections: u32,
    size: u32,
) -> Cell {
    let load = Load::Client { kind: "echo", connections, size, paced: true };
    Cell { name, quick, job, load }
}

const fn http(name: &'static str, quick: bool, size: u32) -> Cell {
    let load = Load::Client { kind: "http", connections: 64, size, paced: true };
    Cell { name, quick, job: "http", load }
}

const fn client(
    name: &'static str,
    job: &'static str,
    kind: &'static str,
    connections: u32,
) -> Cell {
    let load = Load::Client { kind, connections, size: 64, paced: false };
    // A message to all is slow to begin.
    Cell { name, quick: connections < 1_000, job, load }
}

const fn own(job: &'static str) -> Cell {
    Cell { name: "", quick: true, job, load: Load::Own }
}

const fn files(name: &'static str, quick: bool, job: &'static str) -> Cell {
    Cell { name, quick, job, load: Load::Files }
}

const fn tasks(name: &'static str, about: &'static str, cells: &'static [Cell]) -> Scenario {
    let (family, against) = (Family::Tasks, Against::Rivals);
    Scenario { name, about, family, against, cells, seconds: [4.0, 0.6] }
}

const fn generators(name: &'static str, about: &'static str, batch: bool) -> Scenario {
    let (family, against) = (Family::Generators, Against::Generator);
    let cells: &[Cell] = match batch {
        true => &[Cell { name: "", quick: true, job: "", load: Load::Generators { batch: true } }],
        false => {
            &[Cell { name: "", quick: true, job: "", load: Load::Generators { batch: false } }]
        }
    };
    Scenario { name, about, family, against, cells, seconds: [15.0, 2.0] }
}

/// All of them. A buffer is never filled by one message, so that one receive brings it whole.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "echo",
        about: "a message over TCP and its echo",
        family: Family::Echo,
        against: Against::Rivals,
        cells: &[
            echo("64 B × 1", false, "echo 4096", 1, 64),
            echo("64 B × 64", true, "echo 4096", 64, 64),
            echo("64 B × 1,000", true, "echo 4096", 1_000, 64),
            echo("1 KiB × 1", false, "echo 4096", 1, 1_024),
            echo("1 KiB × 64", false, "echo 4096", 64, 1_024),
            echo("1 KiB × 1,000", false, "echo 4096", 1_000, 1_024),
            echo("16 KiB × 1", false, "echo 32768", 1, 16_384),
            echo("16 KiB × 64", false, "echo 32768", 64, 16_384),
            echo("16 KiB × 1,000", true, "echo 32768", 1_000, 16_384),
        ],
        seconds: [8.0, 0.8],
    },
    Scenario {
        name: "http",
        about: "a request over one of 64 connections, and its answer by hyper",
        family: Family::Http,
        against: Against::Rivals,
        cells: &[http("/get × 64", true, 0), http("/bytes/65536 × 64", false, 65_536)],
        seconds: [8.0, 0.8],
    },
    Scenario {
        name: "fan-out",
        about: "one of a thousand deliveries of one message",
        family: Family::Network,
        against: Against::Rivals,
        cells: &[client("64 B × 1,000", "fan-out 4096", "fan-out", 1_000)],
        seconds: [6.0, 0.6],
    },
    Scenario {
        name: "churn",
        about: "connect, a message of 64 bytes, its echo, close",
        family: Family::Network,
        against: Against::Rivals,
        cells: &[client("64 B × 8", "echo 4096", "churn", 8)],
        seconds: [5.0, 0.6],
    },
    Scenario {
        name: "udp",
        about: "a datagram and its echo",
        family: Family::Network,
        against: Against::Rivals,
        cells: &[client("64 B × 64", "udp 4096", "udp", 64)],
        seconds: [5.0, 0.6],
    },
    tasks("spawn-await", "spawn an empty task and await it", &[own("repeat spawn-await")]),
    tasks("spawn-batch", "the same, a thousand at once", &[own("repeat spawn-batch")]),
    tasks("yield", "a task gives way once", &[own("repeat yield")]),
    tasks("channel", "a number through a bounded channel of one thread", &[own("repeat channel")]),
    tasks(
        "wake",
        "another thread, which spins, wakes the runtime, which sleeps: from the call to the poll",
        &[own("repeat wake")],
    ),
    tasks(
        "timers",
        "one of 100,000 tasks that sleep up to 100 ms: processor time is what tells",
        &[own("repeat timers")],
    ),
    tasks("sleep", "how late a lone sleep of 1 ms ends", &[own("repeat sleep")]),
    Scenario {
        name: "read-cached",
        about: "4 KiB somewhere in a file that is in the page cache",
        family: Family::Files,
        against: Against::Rivals,
        cells: &[
            files("depth 1", false, "files read-cached FOLDER 1"),
            files("depth 32", true, "files read-cached FOLDER 32"),
            files("depth 128", false, "files read-cached FOLDER 128"),
        ],
        seconds: [4.0, 0.6],
    },
    Scenario {
        name: "read-direct",
        about: "4 KiB somewhere in a file, past the page cache",
        family: Family::Files,
        against: Against::Rivals,
        cells: &[
            files("depth 1", false, "files read-direct FOLDER 1"),
            files("depth 32", false, "files read-direct FOLDER 32"),
            files("depth 128", false, "files read-direct FOLDER 128"),
        ],
        seconds: [4.0, 0.6],
    },
    Scenario {
        name: "read-sequential",
        about: "the next MiB of a file that is in the page cache",
        family: Family::Files,
        against: Against::Rivals,
        cells: &[files("", false, "files read-sequential FOLDER 1")],
        seconds: [4.0, 0.6],
    },
    Scenario {
        name: "write-sequential",
        about: "the next MiB of a file, into the page cache",
        family: Family::Files,
        against: Against::Rivals,
        cells: &[files("", false, "files write-sequential FOLDER 1")],
        seconds: [4.0, 0.6],
    },
    Scenario {
        name: "read-small",
        about: "a file of 4 KiB as a whole, of a thousand, 32 at once",
        family: Family::Files,
        against: Against::Rivals,
        cells: &[files("", true, "files read-small FOLDER 32")],
        seconds: [4.0, 0.6],
    },
    Scenario {
        name: "idle",
        about: "a connection that has echoed once and waits, with a buffer of the size given",
        family: Family::Memory,
        against: Against::Rivals,
        cells: &[
            Cell {
                name: "128 B × 10,000",
                quick: true,
                job: "echo 128",
                load: Load::Idle { connections: 10_000 },
            },
            Cell {
                name: "4 KiB × 10,000",
                quick: false,
                job: "echo 4096",
                load: Load::Idle { connections: 10_000 },
            },
        ],
        seconds: [0.0, 0.0],
    },
    Scenario {
        name: "sleeping",
        about: "a task that sleeps, one of a million",
        family: Family::Memory,
        against: Against::Rivals,
        cells: &[Cell { name: "", quick: false, job: "repeat sleeping", load: Load::Grown }],
        seconds: [0.0, 0.0],
    },
    Scenario {
        name: "cores",
        about: "a request whose answer takes 200 µs to compute, over one of 64 connections, on two \
                cores; the rival is the same server on one",
        family: Family::Cores,
        against: Against::Otherwise("one core"),
        cells: &[Cell {
            name: "/cpu?us=200 × 64",
            quick: true,
            job: "cores",
            load: Load::Cores { connections: 64, us: 200 },
        }],
        seconds: [10.0, 1.5],
    },
    Scenario {
        name: "skew",
        about: "200 µs of computing for one of 16 connections, all of which arrive at the first of \
                two cores; the rival has eight arrive at each",
        family: Family::Cores,
        against: Against::Otherwise("even"),
        cells: &[Cell { name: "", quick: true, job: "skew", load: Load::Skew }],
        seconds: [10.0, 1.5],
    },
    generators(
        "load",
        "a request to nginx over one of 64 connections, by `bench-harness run`",
        false,
    ),
    generators("load-batch", "the same with `--batch`, which wrk has not", true),
];

/// The scenarios of these names, all of them if there is none; or which names there are.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>, String> {
    if names.is_empty() {
        return Ok(SCENARIOS.iter().collect());
    }
    for name in names {
        if !SCENARIOS.iter().any(|scenario| scenario.name == name) {
            let all: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            return Err(format!("--scenario {name}: there are {}", all.join(", ")));
        }
    }
    Ok(SCENARIOS.iter().filter(|s| names.iter().any(|name| name == s.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_chosen_by_name_in_their_own_order() {
        let chosen_names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(&names).map(|chosen| chosen.iter().map(|s| s.name).collect::<Vec<_>>())
        };
        assert_eq!(chosen_names(&["yield", "echo"]).unwrap(), ["echo", "yield"]);
        assert_eq!(chosen_names(&[]).unwrap().len(), SCENARIOS.len());
        assert!(chosen_names(&["ehco"]).unwrap_err().contains("--scenario ehco: there are echo"));
    }

    #[test]
    fn names_and_cells_are_unlike_each_other() {
        let mut titles = std::collections::BTreeSet::new();
        for scenario in SCENARIOS {
            for cell in scenario.cells {
                assert!(titles.insert(cell.title(scenario)), "{}", cell.title(scenario));
            }
        }
    }
}
