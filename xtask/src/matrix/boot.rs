//! One kernel in QEMU, from its start until it turns the machine off.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::outcome::{OVER, READY};
use crate::process::Running;

const QEMU: &str = "qemu-system-x86_64";

/// How long a kernel may take until the guest is ready; a quiet machine needs some seconds.
const BOOT: Duration = Duration::from_secs(240);

/// A kernel to be tried.
pub(super) struct Boot<'a> {
    /// What it is called in file names.
    pub(super) name: &'a str,
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) logs: &'a Path,
    /// For all of it.
    pub(super) limit: Duration,
}

/// What came of it.
pub(super) struct Booted {
    /// What programs printed.
    pub(super) output: String,
    /// What the kernel printed.
    pub(super) log: String,
    pub(super) took: Duration,
    /// Why it was ended from outside, or did not begin.
    pub(super) wrong: Option<String>,
}

/// Says what is missing before a kernel can be booted.
pub(super) fn check() -> Result<(), String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("the kernels are those of x86_64, which this machine is not".to_string());
    }
    let found = Command::new(QEMU).arg("--version").stdout(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("{QEMU} is missing, from the package qemu-system-x86")),
    }
}

/// Whether a file looks like a kernel: the mark that boot loaders look for.
pub(super) fn check_image(kernel: &Path) -> Result<(), String> {
    let bytes = fs::read(kernel).map_err(|error| format!("cannot read {kernel:?}: {error}"))?;
    match bytes.get(0x202..0x206) {
        Some(b"HdrS") => Ok(()),
        _ => Err(format!("{kernel:?} is no image of a kernel for x86 (bzImage)")),
    }
}

impl Boot<'_> {
    pub(super) fn run(&self) -> Result<Booted, String> {
        let file = |ending: &str| self.logs.join(format!("{}.{ending}", self.name));
        let (output, log, complaints) = (file("txt"), file("log"), file("qemu"));
        let create = |path: &PathBuf| {
            File::create(path).map_err(|error| format!("cannot write {path:?}: {error}"))
        };
        create(&log)?;
        let mut command = self.command(&log);
        command.stdin(Stdio::null()).stdout(create(&output)?).stderr(create(&complaints)?);
        let started = Instant::now();
        let mut running =
            Running::start(&mut command).map_err(|error| format!("cannot run {QEMU}: {error}"))?;
        let mut ready = false;
        let mut wrong = None;
        while wrong.is_none() && !running.has_ended() {
            sleep(Duration::from_millis(100));
            let took = started.elapsed();
            ready = ready || read(&output).contains(READY);
            if took > self.limit {
                wrong = Some(format!("took longer than {} s", self.limit.as_secs()));
            } else if !ready && took > BOOT {
                wrong = Some(format!("did not boot within {} s", BOOT.as_secs()));
            }
        }
        let took = started.elapsed();
        drop(running);
        let (output, log) = (read(&output), read(&log));
        let wrong = wrong.or_else(|| stopped(&output, &log, &read(&complaints)));
        Ok(Booted { output, log, took, wrong })
    }

    /// The first serial port has what programs print, the second the kernel's log.
    fn command(&self, log: &Path) -> Command {
        // Nobody is left to end it if this program is killed, so that has to end it as well.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", QEMU]).args(accelerator());
        command.args(["-m", "1024", "-smp", "2", "-nodefaults", "-no-reboot"]);
        command.args(["-display", "none", "-vga", "none", "-serial", "stdio", "-serial"]);
        command.arg(format!("file:{}", log.display()));
        command.arg("-kernel").arg(self.kernel).arg("-initrd").arg(self.initramfs);
        // Whatever goes wrong in the kernel ends it, and a panic ends the machine. What protects
        // processors from each other's secrets costs time and warns of what is left open.
        let console = "console=ttyS1 loglevel=5 mitigations=off";
        // The kernel's trial of its timer fails on a machine that is emulated and has to wait.
        let ending = "panic=-1 oops=panic tsc=reliable no_timer_check nowatchdog";
        command.args(["-append", &format!("{console} {ending}")]);
        command
    }
}

/// Why a machine that is off did not come to the end of its plan, if it did not.
fn stopped(output: &str, log: &str, complaints: &str) -> Option<String> {
    let panic = log.lines().find(|line| line.contains("Kernel panic"));
    if !output.contains(READY) {
        let last = complaints.lines().chain(log.lines()).last();
        return Some(format!("did not boot: {}", panic.or(last).unwrap_or("it printed nothing")));
    }
    match panic {
        Some(panic) => Some(format!("the kernel gave up: {panic}")),
        None if output.lines().last().is_some_and(|line| line.ends_with(OVER)) => None,
        None => Some("the machine went off before the end".to_string()),
    }
}

/// What runs the guest's processors. Emulation uses one thread for all of them: with several, QEMU
/// 7.2 loses a boot now and then in code that the kernel changes while it runs. A `/dev/kvm`
/// without the processor's own support does not boot these kernels.
fn accelerator() -> [&'static str; 4] {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let supported = processors.split_whitespace().any(|word| word == "vmx" || word == "svm");
    let usable = || File::options().read(true).write(true).open("/dev/kvm").is_ok();
    if supported && usable() {
        ["-accel", "kvm", "-cpu", "host"]
    } else {
        ["-accel", "tcg,thread=single", "-cpu", "max"]
    }
}

fn read(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_that_fails_a_panic_and_an_early_end_are_told_apart() {
        let ready = "@@kernel-matrix 2.1 ready 6.1.0\n";
        let whole = format!("{ready}@@kernel-matrix 9.9 over\n");
        let panic = "[  3.1] Kernel panic - not syncing: fatal\n[  3.2] ---[ end";
        let why = |output: &str, log: &str| stopped(output, log, "");
        assert_eq!(why(&whole, "well"), None);
        assert_eq!(why("", "").unwrap(), "did not boot: it printed nothing");
        assert_eq!(stopped("", "", "qemu: no").unwrap(), "did not boot: qemu: no");
        assert!(why("", panic).unwrap().starts_with("did not boot: [  3.1] Kernel panic"));
        assert!(why(ready, panic).unwrap().starts_with("the kernel gave up: [  3.1]"));
        assert_eq!(why(ready, "well").unwrap(), "the machine went off before the end");
    }

    #[test]
    fn only_what_has_a_kernels_mark_is_booted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        let missing = check_image(&file).unwrap_err();
        assert!(missing.starts_with("cannot read") && missing.contains("image"), "{missing}");

        let mut image = vec![0; 0x300];
        fs::write(&file, &image).unwrap();
        assert!(check_image(&file).unwrap_err().contains("no image of a kernel"));
        image[0x202..0x206].copy_from_slice(b"HdrS");
        fs::write(&file, &image).unwrap();
        assert_eq!(check_image(&file), Ok(()));
    }
}
