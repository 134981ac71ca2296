//! From the flags to the figures.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use super::args::Args;
use super::contestant::{CLIENT, Contestant, ITSELF, Named, REFERENCES, Workshop, names};
use super::record::{LeftOut, Record, Row, Version};
use super::scenario::{Against, Cell, Family, SCENARIOS, Scenario, chosen};
use super::summary::Metric;
use super::{generators, page, tables};
use crate::machine::affinity;
use crate::machine::host::{self, Host};

/// What a rival is left out of that does not build.
const EVERYTHING: &str = "everything";

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
pub struct Session<'a> {
    pub(super) args: &'a Args,
    scenarios: Vec<&'static Scenario>,
    subject: Contestant,
    rivals: Vec<Contestant>,
    /// What starts the client, if a scenario needs it.
    pub(super) client: Option<String>,
    record: Record,
    /// The commit that runs, which is not always the one that the record began with.
    commit: Option<String>,
    /// Where the record goes.
    file: Option<&'a Path>,
    pub(super) cpus: [Vec<usize>; 2],
    /// Where files are, for the scenarios that need some.
    pub(super) folder: PathBuf,
    pub(super) counts_calls: bool,
    /// What contestants had to say.
    pub(super) heard: Vec<String>,
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
        let fresh = Record::new(Host::current(), commit.clone(), args.quick, args.slice_ms);
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
        // What was left out is tried again, if it is its turn and its rival is there.
        let is_tried = |one: &LeftOut| {
            let is_named = named.iter().any(|named| named.name() == one.rival);
            let here = scenarios.iter().find(|scenario| {
                scenario.cells.iter().any(|cell| cell.title(scenario) == one.what)
            });
            match here {
                Some(scenario) => is_named || scenario.against != Against::Rivals,
                None => is_named && one.what == EVERYTHING,
            }
        };
        record.left_out.retain(|one| !is_tried(one));
        // A typing error is found before it has cost an hour.
        if let Some(path) = file {
            record.write(path).map_err(|e| Refusal::Unusable(format!("--json {e}")))?;
        }
        if let Some(path) = &args.html {
            write(path, "").map_err(|e| Refusal::Unusable(format!("--html {e}")))?;
        }

        // Servers and client inherit it.
        host::allow_most_descriptors();
        let needs_client =
            scenarios.iter().flat_map(|scenario| scenario.cells).any(|cell| cell.load.has_client());
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
                Err(reason) => leave_out(&mut record, EVERYTHING, named.name(), &reason),
            }
        }
        if with_itself {
            rivals.push(Contestant { name: ITSELF.to_owned(), ..subject.clone() });
        }
        for one in std::iter::once(&subject).chain(&rivals).filter(|one| one.name != ITSELF) {
            record.contestants.retain(|known| known.name != one.name);
            let (name, version) = (one.name.clone(), one.version.clone());
            record.contestants.push(Version { name, version });
        }
        if scenarios.iter().any(|scenario| scenario.against == Against::Generator) {
            record.contestants.retain(|known| known.name != generators::WRK);
            let (name, version) = (generators::WRK.to_owned(), generators::version());
            record.contestants.push(Version { name, version });
        }
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
            commit,
            file,
            cpus,
            folder,
            counts_calls,
            heard: Vec::new(),
        })
    }

    /// Fights all duels, and shows what came of them.
    fn run(mut self) -> Result<(), Refusal> {
        for scenario in self.scenarios.clone() {
            for cell in scenario.cells.iter().filter(|cell| cell.quick || !self.args.quick) {
                for [subject, rival] in self.duels(scenario) {
                    let (a, b) = (&subject.name, &rival.name);
                    if !self.args.again && self.record.has(scenario.name, cell.name, a, b) {
                        continue;
                    }
                    match self.fight(scenario, cell, &subject, &rival) {
                        Ok(row) => {
                            println!("{}", line(scenario, cell, &row));
                            self.record.take(row, self.commit.clone());
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
        let subject = || self.subject.clone();
        let under = |name: &str| [subject(), Contestant { name: name.to_owned(), ..subject() }];
        match scenario.against {
            Against::Rivals => {}
            Against::Otherwise(name) => return vec![under(name)],
            Against::Generator => {
                let with_itself = self.rivals.iter().any(|rival| rival.name == ITSELF);
                let itself = with_itself.then(|| under(ITSELF));
                return std::iter::once(under(generators::WRK)).chain(itself).collect();
            }
        }
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

/// The commit in `folder`, if it is of a repository, and whether anything was changed since. What is
/// in documents, such as the figures themselves, is not measured.
fn commit(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(folder).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    };
    let commit = git(&["describe", "--always", "--exclude", "*"])?;
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ":(top)",
        ":(top,exclude)docs",
    ])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}-dirty") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given a repository of which a document has changed, and then a source; then only that makes
    /// its commit another one.
    #[test]
    fn a_document_that_has_changed_is_no_other_program() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            command.args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "-c",
                "commit.gpgsign=false",
            ]);
            let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for name in ["docs", "rivals"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        write("docs/figures", "1");
        write("rivals/source", "1");
        git(&["init", "-q"]);
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "first"]);
        let rivals = folder.path().join("rivals");
        let first = commit(&rivals).unwrap();
        assert!(!first.contains("dirty"), "{first}");
        write("docs/figures", "2");
        assert_eq!(commit(&rivals), Some(first.clone()));
        write("rivals/source", "2");
        assert_eq!(commit(&rivals), Some(format!("{first}-dirty")));
        assert_eq!(commit(Path::new("/proc")), None);
    }

    #[test]
    fn the_list_names_everything() {
        let list = list();
        for name in ["echo", "sleeping", "tokio-multi", "raw-uring", "itself"] {
            assert!(list.contains(name), "{name} is not in\n{list}");
        }
    }
}
