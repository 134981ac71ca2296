//! Which processors the two sides run on.
//!
//! Server and generator on one core would measure the scheduler. The embedded server gets the
//! first processor that this process may use, the generator all others; with only one there is
//! nothing to choose, and the report says so. Affinity belongs to a thread and is inherited by
//! what the thread starts, so a child is pinned by starting it from a pinned thread.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A division of the processors between server and generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// The server's processor.
    pub server: usize,
    /// The generator's processors.
    pub client: Vec<usize>,
}

/// Divides the processors this process may use; `None` if there is only one.
pub fn divide() -> io::Result<Option<Division>> {
    let allowed = sched_getaffinity(None)?;
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    Ok(match cpus.split_first() {
        Some((&server, client)) if !client.is_empty() => {
            Some(Division { server, client: client.to_vec() })
        }
        _ => None,
    })
}

/// Keeps the calling thread, and what it will start, to `cpus`.
pub fn pin(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_can_only_divide_what_it_has() {
        std::thread::spawn(|| {
            let Some(all) = divide().unwrap() else {
                println!("SKIP affinity: only one processor is allowed here");
                return;
            };
            assert!(!all.client.contains(&all.server));
            pin(&all.client[..1]).unwrap();
            assert_eq!(divide().unwrap(), None);
        })
        .join()
        .unwrap();
    }
}
