//! Where kernels come from: packages of Debian, which are unpacked and not installed.
//!
//! Three suites have them. apt fetches and verifies them, with lists and a cache of its own, so
//! that neither the lists nor the packages of this machine change. What was unpacked once is kept
//! until there is something newer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::version::Version;

/// By which an archive is named where this machine's apt has none.
pub(super) const VARIABLE: &str = "KERNEL_MATRIX_MIRROR";

/// Which part of an archive has what.
const SUITES: &[(Part, &str)] = &[
    // 5.10, and the busybox.
    (Part::Security, "bullseye-security"),
    // 6.1 and 6.12.
    (Part::Security, "bookworm-security"),
    // 6.16 and newer.
    (Part::Main, "trixie-backports"),
];

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// For how long the lists of packages are good.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Main,
    Security,
}

/// What apt takes packages from: the addresses of the two parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources {
    main: String,
    security: String,
}

impl Sources {
    /// What `KERNEL_MATRIX_MIRROR` names, else what this machine's own packages come from.
    pub(super) fn find() -> Result<Sources, String> {
        let mirror = std::env::var(VARIABLE).unwrap_or_default();
        if !mirror.is_empty() {
            return Ok(Sources::of_mirror(&mirror));
        }
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let format = ["indextargets", "--format", "$(REPO_URI) $(RELEASE)"];
        let listed = Command::new("apt-get").args(format).output();
        let listed = listed.map_or_else(|_| Vec::new(), |output| output.stdout);
        Sources::of_machine(&release, &String::from_utf8_lossy(&listed)).ok_or_else(|| {
            format!(
                "there is no archive of Debian's kernels: this machine's apt is set up for none, \
                 and {VARIABLE}, the address below which `debian` and `debian-security` lie, is \
                 not set; images of your own run with --kernel PATH"
            )
        })
    }

    fn of_mirror(mirror: &str) -> Sources {
        let mirror = mirror.trim_end_matches('/');
        let part = |name| format!("{mirror}/{name}");
        Sources { main: part("debian"), security: part("debian-security") }
    }

    /// From what the machine says of itself, and apt of its sources: an address and a suite a line.
    fn of_machine(os_release: &str, targets: &str) -> Option<Sources> {
        let fact = |key: &str| {
            let line = os_release.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim_matches('"'))
        };
        if fact("ID=") != Some("debian") {
            return None;
        }
        let codename = fact("VERSION_CODENAME=")?;
        let of = |suite: &str| {
            let mut pairs = targets.lines().filter_map(|line| line.split_once(' '));
            let found = pairs.find(|(_, release)| *release == suite);
            found.map(|(address, _)| address.trim_end_matches('/').to_string())
        };
        Some(Sources { main: of(codename)?, security: of(&format!("{codename}-security"))? })
    }

    /// As apt reads them.
    fn list(&self) -> String {
        let lines = SUITES.iter().map(|(part, suite)| {
            let address = match part {
                Part::Main => &self.main,
                Part::Security => &self.security,
            };
            format!("deb [arch=amd64 target=Packages signed-by={KEYRING}] {address} {suite} main\n")
        });
        lines.collect()
    }
}

/// The packages, and what was unpacked of them.
pub(super) struct Archive {
    folder: PathBuf,
    /// The names of all packages.
    names: Vec<String>,
    /// What was wrong with a part of the archive.
    trouble: String,
}

impl Archive {
    /// Fetches the lists of packages unless it did so lately.
    pub(super) fn open(sources: &Sources, folder: PathBuf) -> Result<Archive, String> {
        if !Path::new(KEYRING).exists() {
            return Err(format!("{KEYRING} is missing, from the package debian-archive-keyring"));
        }
        for part in ["state/lists/partial", "cache/archives/partial"] {
            make(&folder.join("apt").join(part))?;
        }
        let mut archive = Archive { folder, names: Vec::new(), trouble: String::new() };
        let (list, stamp) =
            (archive.folder.join("apt/sources.list"), archive.folder.join("apt/updated"));
        let text = sources.list();
        let age = fs::metadata(&stamp).and_then(|stamp| stamp.modified());
        let fresh = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < FRESH));
        if !fresh || fs::read_to_string(&list).ok().as_ref() != Some(&text) {
            write(&list, &text)?;
            // One suite that fails, or no network at all, leaves what there is of the others.
            let update = ["-o", "APT::Update::Error-Mode=any", "update"];
            match archive.apt("apt-get", &update, None) {
                Ok(_) => write(&stamp, "")?,
                Err(trouble) => archive.trouble = format!("; {trouble}"),
            }
        }
        let names = archive.apt("apt-cache", &["pkgnames"], None)?;
        archive.names = names.lines().map(str::to_string).collect();
        if archive.versions().is_empty() {
            return Err(format!("the archive of Debian's kernels has none{}", archive.trouble));
        }
        Ok(archive)
    }

    /// The versions that can be had, oldest first.
    pub(super) fn versions(&self) -> Vec<Version> {
        let mut versions: Vec<Version> =
            self.names.iter().filter_map(|name| Some(package(name)?.version)).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// The image of the newest kernel of a version.
    pub(super) fn kernel(&self, version: Version) -> Result<PathBuf, String> {
        let newest = self.names.iter().filter_map(|name| package(name));
        let newest = newest.filter(|package| package.version == version).max();
        let Some(newest) = newest else {
            let there: Vec<String> = self.versions().iter().map(ToString::to_string).collect();
            let there = there.join(", ");
            return Err(format!("no kernel {version} can be had, only {there}{}", self.trouble));
        };
        self.unpack(newest.name, &version.to_string(), "vmlinuz")
    }

    /// A busybox that needs no library.
    pub(super) fn busybox(&self) -> Result<PathBuf, String> {
        self.unpack("busybox-static", "busybox", "busybox")
    }

    /// The file of `package` whose name begins with `file`, kept in `place`.
    fn unpack(&self, package: &str, place: &str, file: &str) -> Result<PathBuf, String> {
        let place = self.folder.join(place);
        let (kept, origin) = (place.join(file), place.join("package"));
        if fs::read_to_string(&origin).is_ok_and(|origin| origin == package) {
            return Ok(kept);
        }
        let _ = fs::remove_dir_all(&place);
        let unpacked = place.join("unpacked");
        make(&unpacked)?;
        self.apt("apt-get", &["download", package], Some(&place))?;
        let archive = find(&place, &format!("{package}_"))
            .ok_or_else(|| format!("apt-get download left no {package}"))?;
        let pattern = if file == "busybox" { "*/bin/busybox" } else { "*/vmlinuz*" };
        extract(&archive, pattern, &unpacked)?;
        let found = find(&unpacked, file).ok_or_else(|| format!("{package} has no {file}"))?;
        fs::rename(&found, &kept).map_err(|error| format!("cannot move {found:?}: {error}"))?;
        let _ = fs::remove_file(&archive);
        let _ = fs::remove_dir_all(&unpacked);
        write(&origin, package)?;
        Ok(kept)
    }

    /// Runs a command of apt that knows nothing but this archive.
    fn apt(&self, program: &str, args: &[&str], place: Option<&Path>) -> Result<String, String> {
        let apt = self.folder.join("apt");
        let apt = apt.display();
        let mut command = Command::new(program);
        command.args(["-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"]);
        for option in [
            format!("Dir::Etc::sourcelist={apt}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_string(),
            "Dir::Etc::preferences=/dev/null".to_string(),
            "Dir::Etc::preferencesparts=/dev/null".to_string(),
            format!("Dir::State={apt}/state"),
            format!("Dir::Cache={apt}/cache"),
        ] {
            command.args(["-o", &option]);
        }
        command.args(args).current_dir(place.unwrap_or(&self.folder)).stdin(Stdio::null());
        let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let why = text.lines().find(|line| line.starts_with("E: ")).unwrap_or("it failed");
            return Err(format!("{program}: {why}"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// A package that has a kernel. The newer one is greater, and of two with the same kernel the one
/// that has the image itself.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package<'a> {
    version: Version,
    numbers: Vec<u32>,
    has_image: bool,
    name: &'a str,
}

/// Reads a name such as `linux-image-6.1.0-56-cloud-amd64`. The kernels that are made for virtual
/// machines are small and have what these offer built in. A name with two numbers alone belongs to
/// a package that is empty and depends on the newest.
fn package(name: &str) -> Option<Package<'_>> {
    let kernel = name.strip_suffix("-cloud-amd64")?;
    let binary = kernel.strip_prefix("linux-binary-");
    let release = binary.or_else(|| kernel.strip_prefix("linux-image-"))?;
    let words = release.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u32> = words.filter_map(|word| word.parse().ok()).collect();
    if numbers.len() < 3 {
        return None;
    }
    Some(Package { version: release.parse().ok()?, numbers, has_image: binary.is_some(), name })
}

/// Takes the files of a package that fit `pattern`, without their owners.
fn extract(package: &Path, pattern: &str, folder: &Path) -> Result<(), String> {
    let failed = |error| format!("cannot unpack {package:?}: {error}");
    let mut reader = Command::new("dpkg-deb");
    reader.arg("--fsys-tarfile").arg(package).stdout(Stdio::piped());
    let mut reader = reader.spawn().map_err(|error| failed(format!("dpkg-deb: {error}")))?;
    let files = reader.stdout.take().expect("it is piped");
    let mut writer = Command::new("tar");
    writer.arg("-C").arg(folder).args(["-x", "--no-same-owner", "--wildcards", pattern]);
    let written = writer.stdin(files).status();
    let read = reader.wait().map_err(|error| failed(error.to_string()))?;
    match written {
        Ok(written) if written.success() && read.success() => Ok(()),
        Ok(written) => Err(failed(format!("dpkg-deb {read}, tar {written}"))),
        Err(error) => Err(failed(format!("tar: {error}"))),
    }
}

/// A file below `folder` whose name begins with `start`.
fn find(folder: &Path, start: &str) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    for path in paths {
        if path.is_dir() {
            if let Some(found) = find(&path, start) {
                return Some(found);
            }
        } else if path.file_name()?.to_str()?.starts_with(start) {
            return Some(path);
        }
    }
    None
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {folder:?}: {error}"))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write {file:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "http://here/debian/ bookworm\nhttp://here/debian/ bookworm-updates\n\
                           http://here/security/ bookworm-security\n";

    #[test]
    fn an_archive_is_that_of_the_machine_or_none() {
        let debian = "NAME=\"Debian\"\nID=debian\nVERSION_CODENAME=bookworm\n";
        let sources = Sources::of_machine(debian, TARGETS).unwrap();
        let list = sources.list();
        assert!(list.contains("http://here/security bullseye-security main\n"), "{list}");
        assert!(list.contains("http://here/debian trixie-backports main\n"), "{list}");

        assert_eq!(Sources::of_machine(debian, ""), None);
        assert_eq!(Sources::of_machine("ID=ubuntu\nVERSION_CODENAME=noble\n", TARGETS), None);
        let mirror = Sources::of_mirror("http://there/");
        assert_eq!(mirror.security, "http://there/debian-security");
    }

    #[test]
    fn the_newest_package_of_a_version_is_taken() {
        let archive = |names: &[&str]| Archive {
            folder: PathBuf::new(),
            names: names.iter().map(ToString::to_string).collect(),
            trouble: String::new(),
        };
        let names = [
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-10-cloud-amd64",
            "linux-image-6.1.0-10-cloud-amd64-dbg",
            "linux-image-6.1.0-0.deb11.52-cloud-amd64",
            "linux-image-7.2.12+deb13-cloud-amd64",
            "linux-binary-7.2.12+deb13-cloud-amd64",
            "linux-binary-unsigned-7.2.13+deb13-cloud-amd64",
            "linux-headers-7.3.4+deb13-cloud-amd64",
        ];
        let newest = names.iter().filter_map(|name| package(name)).max().unwrap();
        assert_eq!(newest.name, "linux-binary-7.2.12+deb13-cloud-amd64");
        let of_6_1 = names[..5].iter().filter_map(|name| package(name)).max().unwrap();
        assert_eq!(of_6_1.name, "linux-image-6.1.0-10-cloud-amd64");

        let archive = archive(&names);
        let versions: Vec<String> = archive.versions().iter().map(ToString::to_string).collect();
        assert_eq!(versions, ["6.1", "7.2"]);
        let missing = archive.kernel("5.15".parse().unwrap()).unwrap_err();
        assert_eq!(missing, "no kernel 5.15 can be had, only 6.1, 7.2");
    }
}
