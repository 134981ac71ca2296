//! Task groups: what is begun in one is over when it is, also when something fails.

use std::future::pending;
use std::io;
use std::time::Duration;

use wakering::task::{self, with_cleanup};
use wakering::time::{Instant, sleep};

async fn fetch(name: &'static str, ms: u64) -> io::Result<&'static str> {
    sleep(Duration::from_millis(ms)).await;
    println!("{name} is there");
    Ok(name)
}

async fn fail() -> io::Result<()> {
    sleep(Duration::from_millis(100)).await;
    Err(io::Error::other("no connection"))
}

#[wakering::main]
async fn main() {
    let both = task::group(async |group| {
        let slow = group.spawn(fetch("slow", 200));
        let quick = group.spawn(fetch("quick", 100));
        Ok::<_, io::Error>([slow.await?, quick.await?])
    })
    .await;
    println!("both: {:?}", both.expect("nothing fails"));

    // The first error ends the others, and comes out when they are over.
    let error = task::group(async |group| {
        group.spawn(with_cleanup(pending::<io::Result<()>>(), async |_| {
            sleep(Duration::from_millis(100)).await;
            println!("the sibling has cleaned up");
        }));
        group.spawn(fail());
        Ok(())
    })
    .await
    .unwrap_err();
    println!("error: {}", error.first);

    // A supervisor's children fail for themselves; two at a time; and all end with the deadline.
    let ended = task::group(async |group| {
        group.supervisor().max_tasks(2).set_deadline(Instant::now() + Duration::from_millis(300));
        group.spawn(fail());
        for name in ["first", "second", "third"] {
            group.room().await;
            group.spawn(fetch(name, 200));
        }
        Ok::<_, io::Error>(())
    })
    .await;
    println!("supervised: {}", ended.unwrap_err().first);
}
