//! Async iterators: values that take their time, one after the other.

use std::time::Duration;

use futures_util::StreamExt;
use wakering::stream::{Stream, Yielder, generate};
use wakering::time::sleep;

fn countdown(from: u32) -> impl Stream<Item = u32> + Unpin {
    generate(async move |numbers: &Yielder<u32>| {
        for number in (1..=from).rev() {
            numbers.emit(number).await;
            sleep(Duration::from_millis(500)).await;
        }
    })
}

#[wakering::main]
async fn main() {
    let mut numbers = countdown(5);
    while let Some(number) = numbers.next().await {
        println!("{number}");
    }
}
