//! The picture of what runs.

use std::future::pending;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wakering_ring_driver::{Driver, Fd, Sharing, op};
use wakering_runtime::blocking::unblock;
use wakering_runtime::debug::{Awaited, NodeKind, TaskNode, TaskTree};
use wakering_runtime::task::{self, FutureSet, yield_now};
use wakering_runtime::time::{sleep, timeout};
use wakering_runtime::{Handle, run, spawn};

use crate::{bounded, runtime, stubborn, within_bounds};

/// Two ends of a connection, one of them the driver's.
fn pair() -> (Fd, UnixStream) {
    let driver = Driver::current().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Fd::adopt(&driver, ours.into(), Sharing::Private).unwrap(), theirs)
}

/// The root that is the task of that name.
fn named<'tree>(tree: &'tree TaskTree, name: &str) -> &'tree TaskNode {
    let is_it = |node: &&TaskNode| node.task().and_then(|task| task.name()) == Some(name);
    tree.roots.iter().find(is_it).unwrap_or_else(|| panic!("no {name} in\n{tree}"))
}

/// Given tasks that receive, sleep, wait for a wake, wait for their turn and run; when one of them
/// looks; then each is there with what it waits for, and for how long.
#[test]
fn each_task_is_shown_with_what_it_waits_for() {
    within_bounds(async {
        let (fd, _theirs) = pair();
        let number = fd.os_number().unwrap();
        let reader = fd.clone();
        let build = |name: &str| task::Builder::new().name(name);
        build("reader").spawn(async move { op::recv(&reader, vec![0; 8]).await.map(|_| ()) });
        build("sleeper").spawn(sleep(Duration::from_secs(60)));
        build("waiter").spawn(pending::<()>());
        sleep(Duration::from_millis(60)).await;
        let looker = build("looker").spawn(async move {
            build("fresh").spawn(async {});
            Handle::current().dump()
        });
        let id = looker.id();
        let tree = looker.await.unwrap();

        match &named(&tree, "reader").awaited[..] {
            [Awaited::Operation { name: "recv", descriptor, age, is_abandoned: false, .. }] => {
                assert_eq!(*descriptor, Some(number));
                assert!(*age >= Duration::from_millis(55), "{age:?}");
            }
            other => panic!("{other:?}"),
        }
        match &named(&tree, "sleeper").awaited[..] {
            [Awaited::Sleep { left, .. }] => {
                assert!(*left < Duration::from_secs(60) && *left > Duration::from_secs(20));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(named(&tree, "waiter").awaited, []);
        assert_eq!(named(&tree, "looker").awaited, [Awaited::Nothing]);
        assert_eq!(named(&tree, "fresh").awaited, [Awaited::Turn]);
        assert_eq!(named(&tree, "fresh").task().unwrap().spawner(), Some(id));
        assert!(tree.unowned.is_empty());

        let text = tree.to_string();
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("`reader`").contains(&format!("): recv fd {number} for 0.")), "{text}");
        assert!(line("`reader`").ends_with(" s") && line("`sleeper`").ends_with(" s more"));
        assert!(line("`waiter`").ends_with("): a wake"), "{text}");
        assert!(line("`looker`").ends_with("): runs now"), "{text}");
        assert!(line("`fresh`").ends_with(&format!(" by task {id}): its turn")), "{text}");
    });
}

/// Given a scope, a group and a timeout inside of each other; when somebody looks; then the tree is
/// theirs, and a timeout's own sleep is its deadline.
#[test]
fn scopes_groups_and_timeouts_are_a_tree() {
    within_bounds(async {
        let (fd, _theirs) = pair();
        let tree = task::scope(async |scope| {
            drop(scope.spawn(timeout(Duration::from_secs(9), op::recv(&fd, vec![0; 8]))));
            let tree = task::group(async |group| {
                group.spawn(async {
                    sleep(Duration::from_secs(7)).await;
                    Ok::<_, ()>(())
                });
                yield_now().await;
                yield_now().await;
                let tree = Handle::current().dump();
                group.cancel();
                Ok(tree)
            });
            let tree = tree.await.unwrap();
            scope.cancel();
            tree
        })
        .await;
        let text = tree.to_string();
        let main = tree.roots.iter().find(|node| matches!(node.kind, NodeKind::Main)).unwrap();
        // The one that bounds this test.
        let [bound] = &main.below[..] else { panic!("{text}") };
        let [scope] = &bound.below[..] else { panic!("{text}") };
        assert!(matches!(scope.kind, NodeKind::Scope), "{text}");
        assert_eq!(scope.below.len(), 2, "{text}");
        let group = scope.below.iter().find(|node| matches!(node.kind, NodeKind::Group)).unwrap();
        let child = scope.below.iter().find(|node| matches!(node.kind, NodeKind::Scope)).unwrap();
        let [member] = &group.below[..] else { panic!("{text}") };
        assert!(member.task().is_some(), "{text}");
        assert!(matches!(member.awaited[..], [Awaited::Sleep { .. }]), "{text}");
        assert_eq!(child.awaited, [], "{text}");
        let [inner] = &child.below[..] else { panic!("{text}") };
        assert!(matches!(inner.kind, NodeKind::Timeout), "{text}");
        assert!(inner.time_left.unwrap() > Duration::from_secs(2), "{text}");
        assert!(matches!(inner.awaited[..], [Awaited::Operation { name: "recv", .. }]), "{text}");
        assert!(text.contains("└─ timeout with 9.0 s left: recv fd ") || text.contains("with 8."));
        assert_eq!(tree.roots.len(), 1, "the member is the group's: {text}");
    });
}

/// Given a task that awaits a closure on the pool; when somebody looks; then it is shown.
#[test]
fn a_closure_on_the_pool_is_shown() {
    within_bounds(async {
        let (release, blocked) = mpsc::channel::<()>();
        let task = async move { unblock(move || blocked.recv().is_err()).await };
        let task = task::Builder::new().name("blocked").spawn(task);
        yield_now().await;
        let tree = Handle::current().dump();
        assert_eq!(named(&tree, "blocked").awaited, [Awaited::Closure], "{tree}");
        drop(release);
        assert!(task.await.unwrap());
    });
}

/// Given a task with many operations in flight; when it is shown; then they are one line.
#[test]
fn many_operations_are_told_by_their_number() {
    within_bounds(async {
        let pairs: Vec<_> = (0..4).map(|_| pair()).collect();
        let ends: Vec<Fd> = pairs.iter().map(|(fd, _)| fd.clone()).collect();
        task::Builder::new().name("many").spawn(async move {
            let mut set = FutureSet::new();
            for fd in &ends {
                set.push(op::recv(fd, vec![0; 8]));
            }
            set.next().await.map(|_| ())
        });
        yield_now().await;
        yield_now().await;
        let tree = Handle::current().dump();
        let many = named(&tree, "many");
        assert_eq!(
            many.awaited.len() + many.below.iter().map(|b| b.awaited.len()).sum::<usize>(),
            4
        );
        assert!(many.to_string().contains("4 operations, the oldest recv fd "), "{many}");
    });
}

/// Given a runtime that waits in the kernel; when another thread looks; then it gets the picture and
/// the tasks; and nothing, once the runtime has ended.
#[test]
fn another_thread_may_look() {
    let (sender, receiver) = mpsc::channel::<Handle>();
    let looker = thread::spawn(move || {
        let handle = receiver.recv().unwrap();
        let (tree, tasks) = (handle.dump(), handle.tasks());
        handle.block_on(async { wakering_runtime::task::current() }).unwrap();
        (tree, tasks, handle)
    });
    let id = run(bounded(async {
        let task = task::Builder::new().name("asleep").spawn(sleep(Duration::from_secs(60)));
        sleep(Duration::from_millis(5)).await;
        sender.send(Handle::current()).unwrap();
        while !looker.is_finished() {
            sleep(Duration::from_millis(5)).await;
        }
        task.id()
    }));
    let (tree, tasks, handle) = looker.join().unwrap();
    assert_eq!(tasks.iter().map(|task| task.id()).collect::<Vec<_>>(), [id]);
    assert!(matches!(named(&tree, "asleep").awaited[..], [Awaited::Sleep { .. }]), "{tree}");
    assert!(tree.roots.iter().all(|node| node.awaited != [Awaited::Nothing]), "nobody was polled");
    assert!(handle.tasks().is_empty() && handle.dump().roots.is_empty());
    assert_eq!(handle.dump().to_string(), "");
}

/// Given a question that no loop has answered; when the runtime ends; then whoever asked goes on.
#[test]
fn whoever_asks_a_runtime_that_ends_is_not_left_waiting() {
    let runtime = runtime();
    let handle = runtime.handle();
    let asker = thread::spawn(move || handle.tasks().len());
    thread::sleep(Duration::from_millis(20));
    drop(runtime);
    assert_eq!(asker.join().unwrap(), 0);
}

/// Given a dropped receive that the kernel still has; when somebody looks; then it is shown as
/// dropped.
#[test]
fn what_was_dropped_and_has_not_ended_is_shown_as_that() {
    let (runtime, memory, fd) = stubborn();
    let request = runtime.block_on(async {
        let handle = spawn(async move {
            let _ = op::read_at(&fd, vec![0; 8], 0).await;
        });
        yield_now().await;
        handle.cancel();
        yield_now().await;
        yield_now().await;
        memory.next_request().unwrap()
    });
    let tree = runtime.dump();
    assert!(tree.to_string().ends_with(" s (dropped)"), "{tree}");
    request.complete(0);
    assert!(runtime.close().is_clean());
}

/// Given a task that is over; when the child of a group has its place; then a dump shows that once.
#[test]
fn a_place_that_had_an_owner_before_is_shown_once() {
    within_bounds(async {
        spawn(async {}).await.unwrap();
        let outcome = task::group(async |group| {
            group.spawn(pending::<Result<(), ()>>());
            yield_now().await;
            let dump = Handle::current().dump().to_string();
            assert_eq!(dump.matches("task ").count(), 1, "{dump}");
            group.cancel();
            Ok::<_, ()>(())
        });
        outcome.await.unwrap();
    });
}
