//! Ten workers on one bounded queue: the producer waits while it is full, and closing it ends them.

use std::cell::Cell;
use std::time::Duration;

use wakering::sync::channel;
use wakering::task;
use wakering::time::sleep;

#[wakering::main]
async fn main() {
    let processed = Cell::new(0);
    let (sender, receiver) = channel(100);
    task::scope(async |scope| {
        for _ in 0..10 {
            let (mut items, processed) = (receiver.clone(), &processed);
            scope.spawn(async move {
                while let Some(_item) = items.recv().await {
                    sleep(Duration::from_millis(100)).await;
                    processed.set(processed.get() + 1);
                }
            });
        }
        for item in 0..200 {
            sender.send(item).await.expect("the workers are there");
        }
        println!("Queued 200 items");
        sender.close();
    })
    .await;
    println!("Processed {} items", processed.get());
}
