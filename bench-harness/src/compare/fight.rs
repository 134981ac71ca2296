//! One duel, from the start of its programs to its row.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::calls::Count;
use super::contestant::Contestant;
use super::duel::{Side, Source, Turn, pairs, timely_pairs, warm_up};
use super::record::Row;
use super::scenario::{Cell, Load, Scenario};
use super::session::Session;
use super::summary::Metric;

/// Bytes of the file that is read.
const LARGE_FILE: u64 = 256 << 20;

/// The part of a duel's time that its paced slices take, in addition to it.
const PACED_PART: f64 = 0.6;

/// How long a paced slice is at least, and how many messages it has: their slowest hundredth must be
/// several. Longer ones say less: what else goes on in the machine falls into more of them.
const PACED_MS: u64 = 25;
const PACED_MESSAGES: f64 = 1_000.0;

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
        let mut sides = self.sides(cell, subject, rival)?;
        let seconds = scenario.seconds[usize::from(self.args.quick)];
        let time = Duration::from_secs_f64(self.args.seconds.unwrap_or(seconds));
        let slice = Duration::from_millis(self.args.slice_ms);
        warm_up(&mut sides, slice)?;
        let fought = pairs(&mut sides, &format!("slice {}", self.args.slice_ms), time)?;
        row.note_pairs(&fought);
        if let Load::Client { paced: true, .. } = cell.load {
            let medians = Metric::Rate.medians(&row).ok_or("there is no rate")?;
            let rate = (medians[0].min(medians[1]) / 2.0).max(1.0);
            let ms = PACED_MS.max((PACED_MESSAGES * 1e3 / rate) as u64);
            let order = format!("paced {ms} {rate:.0}");
            let (paced, late) = timely_pairs(&mut sides, &order, time.mul_f64(PACED_PART))?;
            row.note_paced(rate, &paced, late);
        }
        // A quick run has no time to wait for perf where hardly anything is called.
        if !self.args.quick || matches!(sides[0].source, Source::Client(_)) {
            self.count(&mut sides, &mut row)?;
        }
        let resident = |side: &Side| side.program.resident();
        row.resident = Some([resident(&sides[0])?, resident(&sides[1])?]);
        for (side, one) in sides.iter_mut().zip([subject, rival]) {
            if let Some(words) = side.program.end() {
                self.hear(&one.name, &words);
            }
        }
        Ok(row)
    }

    /// Counts system calls and allocations, in slices of their own.
    fn count(&mut self, sides: &mut [Side; 2], row: &mut Row) -> Result<(), String> {
        let order = format!("slice {}", self.args.slice_ms * 2);
        let [a, b] = &mut *sides;
        // A load generator does not count its own.
        let tells = !matches!(a.source, Source::Generator(_));
        let before = allocated([a, b], tells)?;
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
        let after = allocated([a, b], tells)?;
        let grown = [0, 1].map(|side| after[side].saturating_sub(before[side]));
        row.allocations = tells.then(|| each(grown));
        Ok(())
    }

    /// Hands on what a contestant has to say that does not fail for it, once.
    fn hear(&mut self, name: &str, words: &str) {
        let line = format!("{name}: {words}");
        if !self.heard.contains(&line) {
            eprintln!("bench-harness: {line}");
            self.heard.push(line);
        }
    }

    /// Says so once, and does not try again.
    fn counts_no_calls(&mut self, why: &str) {
        eprintln!("bench-harness: system calls are not counted: {why}");
        self.counts_calls = false;
    }
}

/// How often both have allocated so far, if they tell.
fn allocated([a, b]: [&mut Side; 2], tell: bool) -> Result<[u64; 2], String> {
    match tell {
        true => Ok([a.program.allocations()?, b.program.allocations()?]),
        false => Ok([0, 0]),
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
