//! A queue between a producer and a consumer; `None` says that nothing more comes.

use std::time::Duration;

use wakering::join;
use wakering::sync::{Receiver, Sender, channel};
use wakering::time::sleep;

async fn produce(items: Sender<Option<String>>) {
    for number in 0..5 {
        sleep(Duration::from_millis(500)).await;
        items.send(Some(format!("item-{number}"))).await.expect("the consumer is there");
    }
    items.send(None).await.expect("the consumer is there");
}

async fn consume(mut items: Receiver<Option<String>>) {
    while let Some(Some(item)) = items.recv().await {
        println!("Consumed: {item}");
    }
}

#[wakering::main]
async fn main() {
    let (sender, receiver) = channel(10);
    join!(produce(sender), consume(receiver));
}
