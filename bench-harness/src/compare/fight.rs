//! One duel, from the start of its programs to its row.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::calls::Count;
use super::contestant::Contestant;
use super::duel::{Side, Turn, pairs, warm_up};
use super::program::Program;
use super::record::Row;
use super::scenario::{Cell, Load, Scenario};
use super::session::Session;
use super::summary::Metric;

/// Bytes of the file that is read.
const LARGE_FILE: u64 = 256 << 20;

/// The part of a duel's time that its paced slices take.
const PACED_PART: f64 = 0.4;

impl Session<'_> {
    /// Has two contestants work in turn, or tells why they cannot.
    pub(super) fn fight(
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
        // A quick run has no time to wait for perf where hardly anything is called.
        if !self.args.quick || sides[0].client.is_some() {
            self.count(&mut sides, &mut row)?;
        }
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
        // If not, nothing was begun, or perf was late this time.
        if let Ok(&[a, b]) = calls.as_deref() {
            row.calls = Some(each([a, b]));
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
