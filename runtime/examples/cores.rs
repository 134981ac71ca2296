//! What it costs to cross from one core to another: `cargo run --release -p wakering-runtime
//! --example cores`.
//!
//! Two runtimes of two cores take turns, one whose cores wake each other by their rings and one
//! where they do by eventfds. Each line is the median of their turns: time and processor time of
//! both cores together.

use std::time::Duration;

use wakering_runtime::sync::channel;
use wakering_runtime::time::Instant;
use wakering_runtime::{Builder, Handle, Runtime, SetupError, spawn_on};

const ROUNDS: u32 = 2000;
const TURNS: usize = 31;

fn main() -> Result<(), SetupError> {
    let without = "-msg_ring".parse().expect("it is a capability");
    let runtimes = [Builder::new(), Builder::new().capabilities(without)];
    let [rings, eventfds] = runtimes.map(|builder| builder.cores(2).build());
    let runtimes = [rings?, eventfds?];
    let table: [(&str, Measure); 4] = [
        ("a value to the other core and back", there_and_back),
        ("a value to the other core, one after the other", one_way),
        ("spawn_on and join", spawn_and_join),
        ("spawn_on and join, 100 at a time", spawn_and_join_many),
    ];
    for (name, measure) in table {
        let mut costs = [Vec::new(), Vec::new()];
        for turn in 0..2 * TURNS {
            // A B B A
            let which = (turn + turn / 2) % 2;
            costs[which].push(measure(&runtimes[which]));
        }
        let [rings, eventfds] = costs.map(median);
        println!("{name:<48} {rings}   eventfd {eventfds}");
    }
    Ok(())
}

type Measure = fn(&Runtime) -> Cost;

#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    cpu: Duration,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per = |all: Duration| all.as_nanos() as f64 / f64::from(ROUNDS);
        write!(f, "{:>7.0} ns, CPU {:>6.0} ns", per(self.time), per(self.cpu))
    }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    let middle = costs.len() / 2;
    costs.sort_by_key(|cost| cost.time);
    let time = costs[middle].time;
    costs.sort_by_key(|cost| cost.cpu);
    Cost { time, cpu: costs[middle].cpu }
}

fn cost(runtime: &Runtime, work: impl Future<Output = ()>) -> Cost {
    let cores: Vec<Handle> = (0..2).filter_map(|core| runtime.handle().of_core(core)).collect();
    let used = || cores.iter().map(Handle::cpu_time).sum::<Duration>();
    let (begun, before) = (Instant::now(), used());
    runtime.block_on(work);
    Cost { time: begun.elapsed(), cpu: used() - before }
}

fn there_and_back(runtime: &Runtime) -> Cost {
    cost(runtime, async {
        let (there, mut arrives) = channel::<u32>(1);
        let (back, mut returns) = channel::<u32>(1);
        let echo = spawn_on(1, move || async move {
            while let Some(value) = arrives.recv().await {
                back.send(value).await.unwrap();
            }
        });
        for round in 0..ROUNDS {
            there.send(round).await.unwrap();
            assert_eq!(returns.recv().await, Some(round));
        }
        drop(there);
        echo.await.unwrap();
    })
}

fn one_way(runtime: &Runtime) -> Cost {
    cost(runtime, async {
        let (there, mut arrives) = channel::<u32>(64);
        let sum = spawn_on(1, move || async move {
            let mut count = 0;
            while arrives.recv().await.is_some() {
                count += 1;
            }
            count
        });
        for round in 0..ROUNDS {
            there.send(round).await.unwrap();
        }
        drop(there);
        assert_eq!(sum.await.unwrap(), ROUNDS);
    })
}

fn spawn_and_join(runtime: &Runtime) -> Cost {
    cost(runtime, async {
        for round in 0..ROUNDS {
            let task = spawn_on(1, move || async move { round });
            assert_eq!(task.await.unwrap(), round);
        }
    })
}

fn spawn_and_join_many(runtime: &Runtime) -> Cost {
    cost(runtime, async {
        for _ in 0..ROUNDS / 100 {
            let tasks: Vec<_> = (0..100).map(|n| spawn_on(1, move || async move { n })).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
    })
}
