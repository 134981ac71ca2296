//! The tests on other kernels, each booted in QEMU: `cargo xtask kernel-matrix`.
//!
//! The test programs are built once, on this machine. Each kernel is booted once and runs all of
//! them, on every backend, so that a kernel costs one boot. What comes of it is a table, and
//! everything that is not as it should be: a test that fails or has no result, a skip that
//! `.ci/skips.txt` does not list, a line in the kernel's log that should not be there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use archive::{Archive, Sources};
use boot::Boot;
use guest::Plan;
use outcome::Outcome;

use crate::version::Version;

/// Where kernels come from: packages of Debian, which are unpacked and not installed.
mod archive;
/// One kernel in QEMU, from its start until it turns the machine off.
mod boot;
/// The archive format in which a kernel takes its first file system.
mod cpio;
/// The machine that each kernel gets: a busybox, the test programs, and a plan of what to run.
mod guest;
/// What a guest said, and whether that is what was expected.
mod outcome;
/// The test programs that a guest runs.
mod programs;
/// The table that people read.
mod table;

/// What runs if nothing is named. The first lacks most of what the others have, the last is
/// whatever is newest.
const DEFAULT: &[&str] = &["5.10", "6.1", "6.12", NEWEST];

const NEWEST: &str = "newest";

/// The backends, each of which is a lane in every guest.
const BACKENDS: &[&str] = &["uring", "poll"];

/// What to run where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) versions: Vec<String>,
    /// Images of the caller's own.
    images: Vec<PathBuf>,
    backends: Vec<&'static str>,
    pub(crate) packages: Vec<&'static str>,
    /// Of a package that one of these belongs to, what is to run: `net/it`.
    programs: Vec<String>,
    /// What the test programs are told beside.
    pub(crate) filter: Vec<String>,
    /// For all kernels together.
    pub(crate) limit: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            versions: Vec::new(),
            images: Vec::new(),
            backends: BACKENDS.to_vec(),
            packages: programs::PACKAGES.to_vec(),
            programs: Vec::new(),
            filter: Vec::new(),
            limit: Duration::from_secs(60 * 60),
        }
    }
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut packages = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = |what: &str| words.next().ok_or(format!("{word} takes {what}"));
            match *word {
                "--kernel" => options.images.push(PathBuf::from(value("the path of an image")?)),
                "--backend" => {
                    let value = *value("uring, poll or both")?;
                    if value != "both" {
                        options.backends = vec![known(BACKENDS, value, "backend")?];
                    }
                }
                "--package" => {
                    let value = value("the name of a package")?;
                    packages.push(known(programs::PACKAGES, value, "package with tests for it")?);
                }
                "--program" => {
                    options.programs.push(value("the name of a program")?.to_string());
                }
                "--" => options.filter = words.by_ref().map(ToString::to_string).collect(),
                version if version.starts_with('-') => {
                    return Err(format!(
                        "kernel-matrix takes --kernel, --backend, --package and --program, not \
                         {version:?}"
                    ));
                }
                version => {
                    if version != NEWEST {
                        version.parse::<Version>()?;
                    }
                    options.versions.push(version.to_string());
                }
            }
        }
        if !packages.is_empty() {
            options.packages = packages;
        }
        if options.versions.is_empty() && options.images.is_empty() {
            options.versions = DEFAULT.iter().map(ToString::to_string).collect();
        }
        Ok(options)
    }
}

impl Options {
    /// Whether the program `name` of one of the packages is to run.
    fn runs(&self, name: &str) -> bool {
        let package = |name: &str| name.split('/').next().map(ToString::to_string);
        let mut siblings =
            self.programs.iter().filter(|program| package(program) == package(name)).peekable();
        siblings.peek().is_none() || siblings.any(|program| program == name)
    }
}

/// The one of `all` that `word` names.
fn known(all: &[&'static str], word: &str, what: &str) -> Result<&'static str, String> {
    let found = all.iter().find(|known| **known == word).copied();
    found.ok_or_else(|| format!("there is no {what} {word:?}, only {}", all.join(", ")))
}

/// Why kernels cannot be had here, if they cannot.
pub(crate) fn missing() -> Option<String> {
    Sources::find().err()
}

/// Runs what the options ask for and prints the table. Says what it came to, or everything that is
/// wrong.
pub(crate) fn run(root: &Path, options: &Options) -> Result<String, String> {
    boot::check()?;
    let place = root.join("target/kernel-matrix");
    let logs = place.join("logs");
    fs::create_dir_all(&logs).map_err(|error| format!("cannot make {logs:?}: {error}"))?;
    // Two at a time would boot what the other one has packed.
    let lock = place.join("lock");
    let lock = File::create(&lock).map_err(|error| format!("cannot make {lock:?}: {error}"))?;
    if lock.try_lock().is_err() {
        return Err(format!("another kernel-matrix is at work in {}", place.display()));
    }
    let skips = fs::read_to_string(root.join(".ci/skips.txt"))
        .map_err(|error| format!("cannot read .ci/skips.txt: {error}"))?;
    let (kernels, busybox) = fetch(options, &place)?;

    let built = programs::build(root, options, &place.join("programs"))?;
    let plan = Plan {
        doctor: &built.doctor,
        programs: &built.programs,
        backends: &options.backends,
        filter: &options.filter,
    };
    let initramfs = place.join("initramfs");
    let packed = plan.pack(&busybox)?;
    println!("programs: {} MB, without tests: {}", packed.len() >> 20, list(&built.empty));
    fs::write(&initramfs, packed)
        .map_err(|error| format!("cannot write {initramfs:?}: {error}"))?;

    let end = Instant::now() + options.limit;
    let outcomes = each(&kernels, |(name, kernel)| {
        let (initramfs, limit) = (&initramfs, end.saturating_duration_since(Instant::now()));
        let booted = Boot { name, kernel, initramfs, logs: &logs, limit }.run()?;
        let outcome = Outcome::judge(&booted, &plan, &skips);
        let word = if outcome.complaints.is_empty() { "ok" } else { "FAILED" };
        println!("{name}: {word}, {:.1} s", booted.took.as_secs_f64());
        Ok((name.clone(), outcome))
    })?;
    println!("\n{}", table::render(&outcomes));
    let complaints: Vec<String> = outcomes
        .iter()
        .flat_map(|(name, outcome)| {
            outcome.complaints.iter().map(move |what| format!("{name}: {what}"))
        })
        .collect();
    if complaints.is_empty() {
        let ran: usize =
            outcomes.iter().flat_map(|(_, outcome)| &outcome.rows).map(|row| row.tally.ran()).sum();
        Ok(format!("{ran} tests passed on {} kernels", outcomes.len()))
    } else {
        Err(format!("{}\nsee {}", complaints.join("\n"), logs.display()))
    }
}

/// The kernels by name, and a busybox.
fn fetch(options: &Options, place: &Path) -> Result<(Vec<(String, PathBuf)>, PathBuf), String> {
    let mut kernels = Vec::new();
    for image in &options.images {
        boot::check_image(image)?;
        let name = image.file_name().map(|name| name.to_string_lossy().into_owned());
        kernels.push((name.unwrap_or_default(), image.clone()));
    }
    let own = in_path("busybox");
    if options.versions.is_empty()
        && let Some(busybox) = own
    {
        return Ok((kernels, busybox));
    }
    let archive = Archive::open(&Sources::find()?, place.join("archive"))?;
    for version in &options.versions {
        let version = match version.as_str() {
            NEWEST => *archive.versions().last().expect("an archive without kernels is refused"),
            version => version.parse()?,
        };
        let name = version.to_string();
        if !kernels.iter().any(|(there, _)| *there == name) {
            kernels.push((name, archive.kernel(version)?));
        }
    }
    Ok((kernels, archive.busybox()?))
}

/// Where a program of this machine is.
fn in_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Does `work` for each of `items`, as many at a time as there are processors: an emulated machine
/// keeps one of them busy. The results are in the order of the items.
fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, String> + Sync,
) -> Result<Vec<R>, String> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..processors.min(items.len()) {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let result = work(item);
                    results.lock().expect("no work panics under it").push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no work panics under it");
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "none".to_string() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_kernels_backends_packages_and_tests() {
        let options = Options::parse(&[]).unwrap();
        assert_eq!(options.versions, DEFAULT);
        assert_eq!((options.backends.len(), options.packages.len()), (2, 5));

        let words =
            ["6.1", "newest", "--backend", "poll", "--package", "wakering-net", "--", "serve"];
        let options = Options::parse(&words).unwrap();
        assert_eq!(options.versions, ["6.1", "newest"]);
        assert_eq!(
            (&options.backends[..], &options.packages[..]),
            (&["poll"][..], &["wakering-net"][..])
        );
        assert_eq!(options.filter, ["serve"]);

        let options = Options::parse(&["--program", "net/it"]).unwrap();
        assert!(options.runs("net/it") && options.runs("fs/it") && !options.runs("net/lib"));

        let options = Options::parse(&["--kernel", "image"]).unwrap();
        assert!(options.versions.is_empty() && options.images == [PathBuf::from("image")]);
    }

    #[test]
    fn words_that_mean_nothing_are_refused() {
        for (words, says) in [
            (&["six"][..], "no version"),
            (&["--fast"], "not \"--fast\""),
            (&["--backend", "kqueue"], "only uring, poll"),
            (&["--package", "http"], "only wakering-ring-driver"),
            (&["--kernel"], "takes the path"),
        ] {
            let error = Options::parse(words).unwrap_err();
            assert!(error.contains(says) && error.lines().count() == 1, "{error}");
        }
    }

    #[test]
    fn work_is_shared_and_comes_back_in_order() {
        let items: Vec<u64> = (0..20).collect();
        let doubled = each(&items, |item| Ok(item * 2)).unwrap();
        assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        let failed =
            each(&items, |item| if *item == 7 { Err("seven".to_string()) } else { Ok(()) });
        assert_eq!(failed, Err("seven".to_string()));
    }
}
