//! Deadlines: nested, moved while they run, asked for by those who are under them, and in place of
//! an error.

use std::future::pending;
use std::io;
use std::time::Duration;

use wakering::time::{Deadline, Instant, deadline, move_on_after, sleep, timeout, timeout_at};

#[wakering::main]
async fn main() {
    let inner = timeout(Duration::from_secs(60), async {
        // The nearest one counts, whoever has set it.
        let at = Instant::now() + Duration::from_millis(200);
        let outcome = timeout_at(at, async {
            println!("under a deadline of its own: {}", deadline::current() == Some(at));
            pending::<()>().await
        });
        outcome.await
    });
    let error = io::Error::from(inner.await.expect("there is time enough").unwrap_err());
    println!("inner: {:?}", error.kind());

    let movable = Deadline::after(Duration::from_millis(100));
    let outcome = movable
        .limit(async {
            // There is more to do than it seemed.
            movable.reset(Instant::now() + Duration::from_secs(60));
            sleep(Duration::from_millis(200)).await;
            "done"
        })
        .await;
    println!("moved: {outcome:?}");

    println!("moved on: {:?}", move_on_after(Duration::from_millis(200), pending::<()>()).await);
}
