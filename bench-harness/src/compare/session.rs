//! From the flags to the figures.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::args::Args;
use super::calls::Count;
use super::contestant::{CLIENT, Contestant, ITSELF, Named, REFERENCES, Workshop, names};
use super::duel::{Side, Turn, pairs, warm_up};
use super::program::Program;
use super::record::{Record, Row, Version};
use super::scenario::{Cell, Family, Load, SCENARIOS, Scenario, chosen};
use super::summary::Metric;
use super::{page, tables};
use crate::machine::affinity;
use crate::machine::host::Host;

/// Bytes of the file that is read.
const LARGE_FILE: u64 = 256 << 20;

/// The part of a duel's time that its paced slices take.
const PACED_PART: f64 = 0.4;

/// Why there is nothing to show.
enum Refusal {
    /// The arguments cannot be used.
    Unusable(String),
    /// It is not the arguments' fault.
    Internal(String),
}

/// Compares, or shows what was compared.
pub fn main(args: Args) -> ExitCode {
    let outcome = match (&args.render, args.list) {
        (_, true) => print(&list()).map_err(Refusal::Internal),
        (Some(path), _) => render(path, &args),
        (None, _) => Session::begin(&args).and_then(Session::run),
    };
    let (status, text) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Refusal::Unusable(text)) => (2, text),
        Err(Refusal::Internal(text)) => (1, text),
    };
    eprintln!("bench-harness: {text}");
    ExitCode::from(status)
}

fn list() -> String {
    let mut text = String::from("scenarios:\n");
    for scenario in SCENARIOS {
        text.push_str(&format!("  {:<17} {}\n", scenario.name, scenario.about));
    }
    text.push_str(&format!("rivals:\n  {}, {ITSELF}\n", names().join(", ")));
    text
}

fn render(path: &Path, args: &Args) -> Result<(), Refusal> {
    let record = Record::read(path).map_err(Refusal::Unusable)?;
    if let Some(html) = &args.html {
        write(html, &page::html(&record)).map_err(Refusal::Internal)?;
    }
    match &args.into {
        None => print(&tables::markdown(&record)).map_err(Refusal::Internal),
        Some(document) => {
            let told = |error: io::Error| format!("--into {}: {error}", document.display());
            let text = fs::read_to_string(document).map_err(|e| Refusal::Unusable(told(e)))?;
            let text = tables::put_into(&text, &record).map_err(|what| {
                Refusal::Unusable(format!("--into {}: {what}", document.display()))
            })?;
            fs::write(document, text).map_err(|e| Refusal::Internal(told(e)))
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("printing: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A comparison under way.
struct Session<'a> {
    args: &'a Args,
    scenarios: Vec<&'static Scenario>,
    subject: Contestant,
    rivals: Vec<Contestant>,
    /// What starts the client, if a scenario needs it.
    client: Option<String>,
    record: Record,
    /// Where the record goes.
    file: Option<&'a Path>,
    cpus: [Vec<usize>; 2],
    /// Where files are, for the scenarios that need some.
    folder: PathBuf,
    counts_calls: bool,
}

impl<'a> Session<'a> {
    /// Reads names and files, and builds what is named.
    fn begin(args: &'a Args) -> Result<Session<'a>, Refusal> {
        let scenarios = chosen(&args.scenario).map_err(Refusal::Unusable)?;
        let subject = Named::parse("--subject", &args.subject).map_err(Refusal::Unusable)?;
        let mut named = Vec::new();
        for word in args.rival.iter().filter(|word| *word != ITSELF) {
            named.push(Named::parse("--rival", word).map_err(Refusal::Unusable)?);
        }
        let with_itself = args.rival.is_empty() || args.rival.iter().any(|word| word == ITSELF);
        if args.rival.is_empty() {
            named = Named::all_but(subject.name());
        }
        let workshop = Workshop::open(args.rivals.as_deref(), !args.no_build);
        let workshop = workshop.map_err(Refusal::Unusable)?;
        let commit = commit(workshop.folder());
        let fresh = Record::new(Host::current(), commit, args.quick, args.slice_ms);
        let (mut record, file) = match &args.resume {
            Some(path) => {
                let old =
                    Record::read(path).map_err(|e| Refusal::Unusable(format!("--resume {e}")))?;
                old.goes_on_with(&fresh).map_err(|why| {
                    Refusal::Unusable(format!("--resume {}: {why}", path.display()))
                })?;
                (old, Some(path.as_path()))
            }
            None => (fresh, args.json.as_deref()),
        };
        // What was left out is tried again.
        record.left_out.clear();
        // A typing error is found before it has cost an hour.
        if let Some(path) = file {
            record.write(path).map_err(|e| Refusal::Unusable(format!("--json {e}")))?;
        }
        if let Some(path) = &args.html {
            write(path, "").map_err(|e| Refusal::Unusable(format!("--html {e}")))?;
        }

        let needs_client = scenarios
            .iter()
            .flat_map(|scenario| scenario.cells)
            .any(|cell| matches!(cell.load, Load::Client { .. } | Load::Idle { .. }));
        let told = |name: &str| {
            let name = name.to_owned();
            move |error: String| Refusal::Internal(format!("{name}: {error}"))
        };
        let client = match needs_client {
            true => Some(workshop.program(CLIENT).map_err(told(CLIENT))?),
            false => None,
        };
        let subject = workshop.contestant(&subject).map_err(told(subject.name()))?;
        let mut rivals = Vec::new();
        for named in &named {
            match workshop.contestant(named) {
                Ok(rival) => rivals.push(rival),
                Err(reason) => leave_out(&mut record, "everything", named.name(), &reason),
            }
        }
        if with_itself {
            rivals.push(Contestant { name: ITSELF.to_owned(), ..subject.clone() });
        }
        record.contestants = std::iter::once(&subject)
            .chain(rivals.iter().filter(|rival| rival.name != ITSELF))
            .map(|one| Version { name: one.name.clone(), version: one.version.clone() })
            .collect();
        let division = affinity::divide();
        let division = division.map_err(|e| Refusal::Internal(format!("asking for CPUs: {e}")))?;
        let cpus = match division {
            Some(division) => [vec![division.server], division.client],
            None => {
                eprintln!("bench-harness: one processor only: contestants and client share it");
                Default::default()
            }
        };
        let folder = workshop.folder().join("target/files");
        let counts_calls = true;
        Ok(Session {
            args,
            scenarios,
            subject,
            rivals,
            client,
            record,
            file,
            cpus,
            folder,
            counts_calls,
        })
    }

    /// Fights all duels, and shows what came of them.
    fn run(mut self) -> Result<(), Refusal> {
        for scenario in self.scenarios.clone() {
            for cell in scenario.cells.iter().filter(|cell| cell.quick || !self.args.quick) {
                for [subject, rival] in self.duels(scenario) {
                    let (a, b) = (&subject.name, &rival.name);
                    if self.record.has(scenario.name, cell.name, a, b) {
                        continue;
                    }
                    match self.fight(scenario, cell, &subject, &rival) {
                        Ok(row) => {
                            println!("{}", line(scenario, cell, &row));
                            self.record.rows.push(row);
                        }
                        Err(reason) => {
                            leave_out(&mut self.record, &cell.title(scenario), b, &reason);
                        }
                    }
                    if let Some(path) = self.file {
                        self.record.write(path).map_err(Refusal::Internal)?;
                    }
                }
            }
        }
        // Only what this program has made is in it.
        let _ = fs::remove_dir_all(&self.folder);
        if let Some(path) = &self.args.html {
            write(path, &page::html(&self.record)).map_err(Refusal::Internal)?;
        }
        print(&format!("\n{}", tables::markdown(&self.record))).map_err(Refusal::Internal)?;
        match self.record.rows.is_empty() {
            true => Err(Refusal::Internal("nothing could be compared".into())),
            false => Ok(()),
        }
    }

    /// Who fights whom in a scenario. The references also fight each other: one counts only while
    /// it is as good as the other.
    fn duels(&self, scenario: &Scenario) -> Vec<[Contestant; 2]> {
        let takes_part =
            |rival: &&Contestant| !rival.is_reference || scenario.has_reference(&rival.name);
        let rivals = self.rivals.iter().filter(takes_part);
        let mut duels: Vec<[Contestant; 2]> =
            rivals.map(|rival| [self.subject.clone(), rival.clone()]).collect();
        let reference = |name: &str| self.rivals.iter().find(|rival| rival.name == name).cloned();
        if let (Family::Echo, [Some(a), Some(b)]) = (scenario.family, REFERENCES.map(reference)) {
            duels.push([a, b]);
        }
        duels
    }

    fn fight(
        &mut self,
        scenario: &Scenario,
        cell: &Cell,
        subject: &Contestant,
        rival: &Contestant,
    ) -> Result<Row, String> {
        let mut row = Row {
            scenario: scenario.name.into(),
            cell: cell.name.into(),
            subject: subject.name.clone(),
            rival: rival.name.clone(),
            ..Row::default()
        };
        // The reason stands behind the rival's name, and may be the subject's fault.
        let blame = |error: String| format!("{}: {error}", subject.name);
        if let Load::Idle { .. } | Load::Grown = cell.load {
            // One after the other: both at once would share the ports.
            let a = self.memory(cell, subject).map_err(blame)?;
            row.each = Some([a, self.memory(cell, rival)?]);
            return Ok(row);
        }
        if let Load::Files = cell.load {
            prepare(&self.folder).map_err(|e| format!("{}: {e}", self.folder.display()))?;
        }
        let mut sides = [self.side(cell, subject).map_err(blame)?, self.side(cell, rival)?];
        let seconds = scenario.seconds[usize::from(self.args.quick)];
        let time = Duration::from_secs_f64(self.args.seconds.unwrap_or(seconds));
        let slice = Duration::from_millis(self.args.slice_ms);
        warm_up(&mut sides, slice)?;
        let fought = pairs(&mut sides, &format!("slice {}", self.args.slice_ms), time)?;
        row.note_pairs(&fought);
        if let Load::Client { paced: true, .. } = cell.load {
            let medians = Metric::Rate.medians(&row).ok_or("there is no rate")?;
            let rate = (medians[0].min(medians[1]) / 2.0).max(1.0);
            // Long enough for a hundredth of the messages to be several.
            let slices = if self.args.quick { 1 } else { 3 };
            let ms = (self.args.slice_ms * slices).max((500.0 * 1e3 / rate) as u64);
            let paced =
                pairs(&mut sides, &format!("paced {ms} {rate:.0}"), time.mul_f64(PACED_PART))?;
            row.note_paced(rate, &paced);
        }
        self.count(&mut sides, &mut row)?;
        let resident = |side: &Side| side.program.resident();
        row.resident = Some([resident(&sides[0])?, resident(&sides[1])?]);
        Ok(row)
    }

    /// Starts a contestant, and its client if the work comes from outside.
    fn side(&self, cell: &Cell, contestant: &Contestant) -> Result<Side, String> {
        let mut program = self.start(cell, contestant)?;
        let client = match cell.load {
            Load::Client { kind, connections, size, .. } => {
                let address = program.listening()?;
                Some(self.connect([kind, &address.to_string()], connections, size)?)
            }
            _ => {
                program.ready()?;
                None
            }
        };
        Ok(Side { program, client })
    }

    fn start(&self, cell: &Cell, contestant: &Contestant) -> Result<Program, String> {
        let folder = self.folder.to_string_lossy();
        let job = cell.job.split(' ').map(|word| match word {
            "FOLDER" => folder.to_string(),
            word => word.to_owned(),
        });
        let command: Vec<String> = contestant.command.iter().cloned().chain(job).collect();
        Program::start(&command, &self.cpus[0])
    }

    fn connect(&self, to: [&str; 2], connections: u32, size: u32) -> Result<Program, String> {
        let client = self.client.clone().ok_or("there is no client")?;
        let to = to.map(str::to_owned);
        let command = [vec![client], to.to_vec(), vec![connections.to_string(), size.to_string()]];
        let mut client = Program::start(&command.concat(), &self.cpus[1])?;
        client.ready().map_err(|error| format!("its client: {error}"))?;
        Ok(client)
    }

    /// The resident memory that a connection or a task takes.
    fn memory(&self, cell: &Cell, contestant: &Contestant) -> Result<f64, String> {
        let mut program = self.start(cell, contestant)?;
        let (before, count) = match cell.load {
            Load::Idle { connections } => {
                let address = program.listening()?.to_string();
                let before = program.resident()?;
                let client = self.connect(["idle", &address], connections, 64)?;
                let grown = program.resident()?.saturating_sub(before);
                drop(client);
                return Ok(grown as f64 / f64::from(connections));
            }
            _ => {
                program.ready()?;
                (program.resident()?, program.slice("slice 1")?.operations)
            }
        };
        Ok(program.resident()?.saturating_sub(before) as f64 / count as f64)
    }

    /// Counts system calls and allocations, in slices of their own.
    fn count(&mut self, sides: &mut [Side; 2], row: &mut Row) -> Result<(), String> {
        let order = format!("slice {}", self.args.slice_ms * 2);
        let [a, b] = &mut *sides;
        let before = [a.program.allocations()?, b.program.allocations()?];
        // Each is idle while the other works, so both can be counted at once.
        let mut counts = Vec::new();
        if self.counts_calls {
            match Count::begin([a.program.id(), b.program.id()]) {
                Ok(begun) => counts.extend(begun),
                Err(why) => self.counts_no_calls(&why),
            }
        }
        let operations = [a.turn(&order)?.operations, b.turn(&order)?.operations];
        let calls: Result<Vec<u64>, String> = counts.into_iter().map(Count::end).collect();
        let each = |count: [u64; 2]| {
            [0, 1].map(|side| rounded(count[side] as f64 / operations[side] as f64))
        };
        match calls.as_deref() {
            Ok(&[a, b]) => row.calls = Some(each([a, b])),
            // Nothing was begun, or perf was late this time.
            _ => {}
        }
        let after = [a.program.allocations()?, b.program.allocations()?];
        row.allocations = Some(each([0, 1].map(|side| after[side].saturating_sub(before[side]))));
        Ok(())
    }

    /// Says so once, and does not try again.
    fn counts_no_calls(&mut self, why: &str) {
        eprintln!("bench-harness: system calls are not counted: {why}");
        self.counts_calls = false;
    }
}

/// Three digits after the point, which is more than such a count is good for.
fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

fn leave_out(record: &mut Record, what: &str, rival: &str, reason: &str) {
    eprintln!("bench-harness: {what}, {rival}: left out: {reason}");
    record.leave_out(what, rival, reason);
}

/// What is said of a duel when it is over.
fn line(scenario: &Scenario, cell: &Cell, row: &Row) -> String {
    let mut line = format!("{:<22} {:<9} / {:<12}", cell.title(scenario), row.subject, row.rival);
    for metric in Metric::of(scenario.family) {
        if let Some(ratio) = metric.ratio(row) {
            let name = format!("{metric:?}").to_lowercase();
            let (value, low, high) = (ratio.value, ratio.low, ratio.high);
            line.push_str(&format!("  {name} {value:.3} [{low:.3}, {high:.3}]"));
        }
    }
    line
}

/// The commit in `folder`, if it is of a repository.
fn commit(folder: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude", "*"])
        .current_dir(folder)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes the files that are read, if they are not there, and has them in the page cache.
fn prepare(folder: &Path) -> io::Result<()> {
    let small = folder.join("small");
    fs::create_dir_all(&small)?;
    let large = folder.join("large");
    if fs::metadata(&large).map_or(0, |metadata| metadata.len()) != LARGE_FILE {
        // No two blocks are alike, so that nothing below stores them once.
        let mut block = vec![0; 1 << 20];
        let mut file = File::create(&large)?;
        for at in 0..LARGE_FILE >> 20 {
            let numbers =
                (0..1_u64 << 17).map(|n| (n | at << 17).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            for (eight, number) in block.chunks_exact_mut(8).zip(numbers) {
                eight.copy_from_slice(&number.to_le_bytes());
            }
            file.write_all(&block)?;
        }
        file.sync_all()?;
        for name in 0..1_000 {
            fs::write(small.join(name.to_string()), &block[..4096])?;
        }
    }
    let mut file = File::open(&large)?;
    let mut block = vec![0; 1 << 20];
    while file.read(&mut block)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_everything() {
        let list = list();
        for name in ["echo", "sleeping", "tokio-multi", "raw-uring", "itself"] {
            assert!(list.contains(name), "{name} is not in\n{list}");
        }
    }
}
