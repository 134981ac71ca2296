//! A server that stalls for a second in a run of six: the latency that answers for an open loop
//! must show it, and must show it in the right measure.
//!
//! At 2,000 requests a second, 12,000 arrivals: those due in the stall wait up to a second, and
//! then the backlog is worked off at the rate that the server has to spare. So the waiting time
//! falls in a straight line from 1 s over 1 s / (1 - rate / capacity), and of all arrivals one in a
//! hundred waits longer than 1 s × (1 - 0.01 × 6 × (1 - rate / capacity)).

use std::thread;
use std::time::Duration;

use crate::program;
use crate::server::Server;

const RATE: f64 = 2_000.0;

#[test]
fn a_stall_of_a_second_shows_in_the_intended_latency_as_computed() {
    let (server, gate) = Server::with_gate();
    let load = format!("{} -c 16 --warmup 500ms", server.url());
    let (_status, calm) = program::report(&format!("{load} -d 1s"));
    let capacity = calm["requests_per_s"].as_f64().expect("a number");
    if capacity < 1.2 * RATE {
        println!("SKIP stall: {capacity} requests/s are too few to work off a backlog");
        return;
    }

    // The run has begun when its sixteen connections have come.
    let before = server.accepted.load(std::sync::atomic::Ordering::SeqCst);
    let accepted = std::sync::Arc::clone(&server.accepted);
    let stall = thread::spawn(move || {
        while accepted.load(std::sync::atomic::Ordering::SeqCst) < before + 16 {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(2_500));
        let closed = gate.write().expect("nobody panics at the gate");
        thread::sleep(Duration::from_secs(1));
        drop(closed);
    });
    let (status, report) = program::report(&format!("{load} -d 6s -R 2000"));
    stall.join().expect("the stall does not panic");

    assert_eq!((status, report["sent"].as_u64()), (0, Some(12_000)), "{report}");
    assert_eq!(report["failed"], 0);
    let p99 = |kind: &str| report["latency"][kind]["p"]["99"].as_f64().expect("a number");
    let analytic = 1e9 * (1.0 - 0.01 * 6.0 * (1.0 - RATE / capacity));
    let error = (p99("intended") - analytic).abs() / analytic;
    println!("intended p99 {} ms, computed {} ms", p99("intended") / 1e6, analytic / 1e6);
    assert!(error < 0.05, "{} instead of {analytic}", p99("intended"));
    // The sixteen requests that met the stall are too few for the service latency to show it.
    assert!(p99("service") < 0.5e9, "{}", p99("service"));
}
