//! The threads that the kernel starts for a ring's operations that would block.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use wakering_ring_driver::testing::in_child;
use wakering_ring_driver::{Config, Driver, Wait, op};

use crate::{Wakes, adopt, block_on, poll_once};

/// How many threads of this process the kernel runs for rings.
fn workers() -> usize {
    let name =
        |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten().map(name);
    tasks.filter(|name| name.starts_with("iou-wrk")).count()
}

/// Given limits of two threads for files and of three for all else; when many operations of either
/// kind would block at once; then no more threads than that are started, and all come to their end.
#[test]
fn the_kernel_starts_no_more_threads_than_it_may() {
    in_child("workers::the_kernel_starts_no_more_threads_than_it_may", || {
        let mut config = Config::default();
        (config.file_workers, config.other_workers) = (2, 3);
        let driver = Driver::new(&config).expect("a driver");
        let is_capped = driver.capabilities().capped_workers;
        let dir = tempfile::tempdir().unwrap();

        let wakes = Arc::new(Wakes::default());
        let mut asked: Vec<_> = (0..64).map(|_| op::statx(None, dir.path(), true)).collect();
        for stat in &mut asked {
            assert!(poll_once(&driver, stat, &wakes).is_pending());
        }
        driver.turn(Wait::Now);
        block_on(&driver, async {
            for stat in asked {
                stat.await.unwrap();
            }
        });
        let files = workers();
        assert!(!is_capped || files <= 2, "{files} threads for files");

        let pipes: Vec<_> = (0..12)
            .map(|_| (std::io::pipe().unwrap(), std::io::pipe().unwrap()))
            .map(|((from, feed), (sink, to))| {
                ((adopt(&driver, from), adopt(&driver, to)), (feed, sink))
            })
            .collect();
        let mut moving: Vec<_> =
            pipes.iter().map(|((from, to), _)| op::splice(from, None, to, None, 4)).collect();
        for splice in &mut moving {
            assert!(poll_once(&driver, splice, &wakes).is_pending());
        }
        driver.turn(Wait::Now);
        std::thread::sleep(std::time::Duration::from_millis(100));
        let all = workers();
        // One for files may have been on its way when these were counted.
        assert!(!is_capped || all <= 2 + 3, "{all} threads, {files} of them for files");
        for (_, (feed, _)) in &pipes {
            (&*feed).write_all(b"text").unwrap();
        }
        block_on(&driver, async {
            for splice in moving {
                assert_eq!(splice.await.unwrap(), 4);
            }
        });
    });
}
