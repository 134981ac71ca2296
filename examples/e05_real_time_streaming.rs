//! Real-time streaming: a ticker and its clients. Those who keep up get each message at once; one
//! who does not is told how many were missed, and keeps nobody waiting.

use std::time::Duration;

use wakering::spawn;
use wakering::sync::broadcast::{self, Receiver, RecvError};
use wakering::time::{Instant, interval, sleep};

const MESSAGES: usize = 300;

/// Receives all messages, and tells what 99 of 100 took from their sender to here at most.
async fn keep_up(name: &str, mut messages: Receiver<Instant>) {
    let mut took = Vec::new();
    while let Ok(sent) = messages.recv().await {
        took.push(sent.elapsed());
    }
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    println!("{name}: {} messages, p99 {:.3} ms", took.len(), p99.as_secs_f64() * 1000.0);
}

/// Takes five times as long for a message as there is.
async fn fall_behind(name: &str, mut messages: Receiver<Instant>) {
    let (mut received, mut missed) = (0, 0);
    loop {
        match messages.recv().await {
            Ok(_) => {
                received += 1;
                sleep(Duration::from_millis(50)).await;
            }
            Err(RecvError::Lagged(number)) => {
                if missed == 0 {
                    println!("{name}: falls behind");
                }
                missed += number;
            }
            Err(RecvError::Closed) => break,
        }
    }
    println!("{name}: {received} received and {missed} missed make {}", received + missed);
}

#[wakering::main]
async fn main() {
    let (ticker, messages) = broadcast::channel(16);
    let fast = ["Ann", "Bob"].map(|name| spawn(keep_up(name, messages.clone())));
    let slow = spawn(fall_behind("Cleo", messages));

    let mut ticks = interval(Duration::from_millis(10));
    for _ in 0..MESSAGES {
        ticks.tick().await;
        ticker.send(Instant::now()).expect("the clients are there");
    }
    println!("{MESSAGES} messages sent");
    drop(ticker);
    for client in fast.into_iter().chain([slow]) {
        client.await.expect("it does not panic");
    }
}
