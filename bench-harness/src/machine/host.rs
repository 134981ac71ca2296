//! What a figure must be read with: kernel, processor, cores; and the descriptors a run may open.

use std::fs;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a run needs besides its connections: rings, files, the child's pipes.
const SPARE_DESCRIPTORS: u64 = 64;

/// The machine, as far as it tells.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Host {
    /// The kernel's release.
    pub kernel: String,
    /// The processor's name, where the kernel knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Processors this process may use.
    pub cores: usize,
}

impl Host {
    /// Asks the machine that this process runs on.
    pub fn current() -> Host {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Host {
            kernel: kernel.trim().to_owned(),
            cpu: model(&cpuinfo).map(str::to_owned),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

/// Makes room for `connections` descriptors, raising the soft limit up to the hard one.
pub fn allow_descriptors(connections: u64) -> Result<(), String> {
    let needed = connections + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return Ok(());
    }
    if !enough(limit.maximum) {
        return Err(format!(
            "--connections {connections} needs {needed} descriptors and the limit is {}: \
             raise it with `ulimit -n {needed}`",
            limit.maximum.unwrap_or_default()
        ));
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("raising the limit of descriptors to {needed}: {error}"))
}

/// Raises the soft limit to the hard one, for this process and those that it will start. Whoever
/// still has too few says so.
pub fn allow_most_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // What cannot be raised stays as it is.
    let _ = setrlimit(Resource::Nofile, raised);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_processors_name() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.50GHz\nflags : x\n";
        assert_eq!(model(cpuinfo), Some("Some CPU @ 2.50GHz"));
        assert_eq!(model("processor: 0\n"), None);
    }

    #[test]
    fn the_host_knows_its_kernel() {
        let host = Host::current();
        assert!(host.kernel.starts_with(|c: char| c.is_ascii_digit()), "{host:?}");
        assert!(host.cores >= 1);
    }

    #[test]
    fn too_many_connections_name_the_limit_and_the_remedy() {
        if getrlimit(Resource::Nofile).maximum.is_none() {
            println!("SKIP descriptors: the hard limit is unlimited here");
            return;
        }
        let error = allow_descriptors(1 << 40).unwrap_err();
        assert!(error.contains("ulimit -n 1099511627840"), "{error}");
        assert_eq!(allow_descriptors(1), Ok(()));
    }
}
