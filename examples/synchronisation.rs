//! Futures, events, conditions and barriers: how tasks wait for each other.

use std::cell::RefCell;
use std::time::Duration;

use wakering::sync::{Barrier, Condvar, Event, Mutex, oneshot};
use wakering::time::sleep;
use wakering::{spawn, task};

#[wakering::main]
async fn main() {
    // A future: one value, set once.
    let (setter, future) = oneshot::channel();
    spawn(async move { setter.send("the value").expect("somebody waits") });
    println!("future: {}", future.await.expect("it was set"));

    // An event: all who wait go on, and who comes later does not wait.
    let started = Event::new();
    task::scope(async |scope| {
        for name in ["Ann", "Bob"] {
            let started = &started;
            scope.spawn(async move {
                started.wait().await;
                println!("event: {name} goes on");
            });
        }
        sleep(Duration::from_millis(100)).await;
        started.set();
    })
    .await;
    started.wait().await;

    // A condition: the lock is free while somebody waits for it.
    let (stock, changed) = (Mutex::new(0), Condvar::new());
    task::scope(async |scope| {
        scope.spawn(async {
            let stock = changed.wait_for(stock.lock().await, |stock| *stock >= 3).await;
            println!("condition: {} in stock", *stock);
        });
        for _ in 0..3 {
            sleep(Duration::from_millis(20)).await;
            *stock.lock().await += 1;
            changed.notify_one();
        }
    })
    .await;

    // A barrier: nobody goes on before all are there.
    let (barrier, steps) = (Barrier::new(3), RefCell::new(String::new()));
    let runners = (0..3).map(async |number| {
        sleep(Duration::from_millis(20 * number)).await;
        steps.borrow_mut().push('a');
        barrier.wait().await.expect("nobody breaks it");
        steps.borrow_mut().push('b');
    });
    task::settle(runners).await;
    println!("barrier: {}", steps.borrow());
}
