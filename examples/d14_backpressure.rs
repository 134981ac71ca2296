//! Backpressure: a fast producer waits for a slow consumer, and memory stays flat.

use std::cell::Cell;
use std::time::Duration;

use wakering::sync::channel;
use wakering::task;
use wakering::time::sleep;

const BLOCKS: usize = 500;

#[wakering::main]
async fn main() {
    let (sender, mut receiver) = channel::<Vec<u8>>(8);
    let (ahead, most) = (Cell::new(0_u32), Cell::new(0_u32));
    task::scope(async |scope| {
        scope.spawn(async {
            for _ in 0..BLOCKS {
                sender.send(vec![0; 1 << 20]).await.expect("the consumer is there");
                ahead.set(ahead.get() + 1);
                most.set(most.get().max(ahead.get()));
            }
            sender.close();
        });
        while let Some(block) = receiver.recv().await {
            ahead.set(ahead.get() - 1);
            drop(block);
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    println!("{BLOCKS} blocks of 1 MiB, never more than 10 in memory: {}", most.get() <= 10);
}
