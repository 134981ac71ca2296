//! Rows of scopes, groups, shields and deadlines.

use std::rc::Rc;
use std::time::Duration;

use wakering::driver::testing::in_child;
use wakering::net::UdpSocket;
use wakering::spawn;
use wakering::task::{
    ChildError, Ready, group, scope, shield, shield_for, shield_until, try_scope, with_cleanup,
    yield_now,
};
use wakering::time::{Deadline, Elapsed, Instant, move_on_after, sleep, timeout, timeout_at};

use crate::row;

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// Something to do, with an operation in the kernel until it is over, or is dropped.
async fn work() -> u32 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nothing = timeout(MS, socket.recv_from(Vec::with_capacity(8))).await;
    assert!(nothing.is_err());
    42
}

async fn checked() -> Result<u32, ()> {
    Ok(work().await)
}

#[test]
fn scopes() {
    in_child("scopes::scopes", || {
        row("runtime::scope", async || {
            scope(async |scope| {
                scope.spawn(work());
                yield_now().await;
            })
            .await
        });
        row("runtime::try_scope", async || {
            try_scope(async |scope| {
                scope.spawn(checked());
                yield_now().await;
                Err::<(), _>(())
            })
            .await
            .unwrap_err()
        });
        row("runtime::ChildHandle", async || {
            scope(async |scope| {
                let child = scope.spawn(work());
                assert_eq!(child.await, Ok::<_, ChildError>(42));
            })
            .await
        });
    });
}

#[test]
fn groups() {
    in_child("scopes::groups", || {
        row("runtime::group", async || {
            group(async |group| {
                group.spawn(checked());
                yield_now().await;
                Err::<(), _>(())
            })
            .await
            .unwrap_err()
        });
        row("runtime::TaskHandle", async || {
            group(async |group| Ok::<_, ()>(group.spawn(checked()).await)).await.unwrap()
        });
        row("runtime::AbortOnDrop", async || spawn(work()).abort_on_drop().await.unwrap());
        row("runtime::TaskGroup::next", async || {
            group(async |group| {
                group.spawn(checked());
                group.spawn(checked());
                while group.next().await.is_some() {}
                Ok(())
            })
            .await
            .unwrap()
        });
        row("runtime::TaskGroup::start", async || {
            group(async |group| {
                let child = async |ready: Ready<()>| {
                    work().await;
                    ready.set(());
                    checked().await
                };
                let ((), _child) = group.start(child).await.unwrap();
                Ok(())
            })
            .await
            .unwrap()
        });
        row("runtime::TaskGroup::cancelled", async || {
            group(async |group| {
                let own = group.clone();
                group.spawn(async move {
                    work().await;
                    own.cancel();
                    Ok::<_, ()>(())
                });
                group.cancelled().await;
                Ok(())
            })
            .await
            .unwrap()
        });
        row("runtime::TaskGroup::room", async || {
            group(async |group| {
                group.max_tasks(1);
                group.spawn(checked());
                group.room().await;
                group.spawn(checked());
                Ok::<_, ()>(())
            })
            .await
            .unwrap()
        });
    });
}

#[test]
fn shields() {
    in_child("scopes::shields", || {
        row("runtime::Shield", async || shield(work()).await);
        row("runtime::Shield", async || shield_for(MS / 2, work()).await);
        row("runtime::Shield", async || shield_until(yield_now(), work()).await);
        row("runtime::Shield", async || {
            let mut shielded = shield(work());
            (&mut shielded).await
        });
        row("runtime::WithCleanup", async || {
            let kept = Rc::new(());
            let cleanup = {
                let kept = kept.clone();
                async move |_| {
                    work().await;
                    drop(kept);
                }
            };
            with_cleanup(work(), cleanup).await;
            assert_eq!(Rc::strong_count(&kept), 1);
        });
    });
}

#[test]
fn deadlines() {
    in_child("scopes::deadlines", || {
        row("runtime::Timeout", async || timeout(LONG, work()).await.unwrap());
        row("runtime::Timeout", async || {
            let expired: Result<(), Elapsed> = timeout_at(Instant::now() + MS, async {
                loop {
                    work().await;
                }
            })
            .await;
            expired.unwrap_err()
        });
        row("runtime::MoveOnAfter", async || move_on_after(LONG, work()).await.unwrap());
        row("runtime::Timeout", async || {
            let limit = Deadline::after(LONG);
            limit
                .limit(async {
                    sleep(MS).await;
                    limit.clear();
                    work().await
                })
                .await
                .unwrap()
        });
    });
}
