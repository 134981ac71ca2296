//! Tasks that begin inside the poll of whoever spawns them.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use wakering_ring_driver::op;
use wakering_runtime::task::{self, JoinHandle, spawn_eager, yield_now};
use wakering_runtime::time::sleep;
use wakering_runtime::{Runtime, spawn};

use crate::{Witness, bounded, message, parked, stubborn, within_bounds};

#[test]
fn an_eager_task_runs_to_its_first_wait_at_once() {
    let log = Rc::new(RefCell::new(Vec::new()));
    within_bounds(async {
        let (queued, eager) = (log.clone(), log.clone());
        let queued = spawn(async move { queued.borrow_mut().push("queued") });
        let eager = spawn_eager(async move {
            eager.borrow_mut().push("eager begins");
            yield_now().await;
            eager.borrow_mut().push("eager goes on");
        });
        log.borrow_mut().push("spawned");
        assert!(!eager.is_finished());
        eager.await.unwrap();
        queued.await.unwrap();
    });
    assert_eq!(*log.borrow(), ["eager begins", "spawned", "queued", "eager goes on"]);
}

#[test]
fn an_eager_task_may_be_over_when_it_has_been_spawned() {
    within_bounds(async {
        let outer = spawn(async {
            let own = task::current().unwrap().id();
            let inner = spawn_eager(async { task::current().unwrap().id() });
            assert!(inner.is_finished());
            assert!(!inner.cancel(), "it is over");
            assert_eq!(task::current().unwrap().id(), own, "the spawner runs on");
            let id = inner.id();
            (inner.await.unwrap(), id)
        });
        let (seen, id) = outer.await.unwrap();
        assert_eq!(seen, id);
    });
}

#[test]
fn a_panic_of_an_eager_task_stays_in_its_handle() {
    within_bounds(async {
        let task = spawn(async {
            let eager = spawn_eager(async { panic!("at once") });
            assert!(eager.is_finished());
            message(eager.await.unwrap_err().into_panic().unwrap())
        });
        assert_eq!(task.await.unwrap(), "at once");
    });
}

/// Given an eager task that leaves a read in the kernel, when its spawner ends, then that is over, while
/// the eager task waits for the kernel.
#[test]
fn an_eager_task_pays_for_what_it_submits_in_its_first_poll() {
    let (runtime, memory, fd) = stubborn();
    runtime.block_on(bounded(async {
        let spawner = spawn(async move {
            let eager = spawn_eager(async move {
                let mut read = op::read_at(&fd, vec![0; 8], 0);
                assert!(futures_util::poll!(&mut read).is_pending());
            });
            (eager,)
        });
        let (mut eager,) = spawner.await.unwrap();
        sleep(Duration::from_millis(1)).await;
        assert!(futures_util::poll!(&mut eager).is_pending(), "the kernel has the buffer");
        memory.next_request().unwrap().receive(b"late");
        eager.await.unwrap();
    }));
}

#[test]
fn eager_tasks_may_spawn_eager_tasks_and_end_each_other() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let inner: Rc<Cell<usize>> = Rc::default();
        let told = inner.clone();
        let handle = spawn_eager(async move { told.set(nest(depth - 1) + 1) });
        assert!(handle.is_finished());
        inner.get()
    }
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        assert_eq!(nest(50), 50);
        let spawner: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let inner = spawner.clone();
        let task = spawn(async move {
            let _guard = guard;
            let killer = spawn_eager(async move { inner.take().unwrap().cancel() });
            assert!(killer.await.unwrap());
            pending::<()>().await
        });
        let id = task.id();
        spawner.set(Some(task));
        while witness.drops() == 0 {
            yield_now().await;
        }
        assert_ne!(task::current().map(|task| task.id()), Some(id));
    });
}

#[test]
fn an_eager_task_spawned_while_the_runtime_ends_never_begins() {
    struct Spawns(Rc<Cell<bool>>);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let begun = self.0.clone();
            let handle = spawn_eager(async move { begun.set(true) });
            assert!(handle.is_finished());
        }
    }
    let begun = Rc::new(Cell::new(false));
    let runtime = Runtime::new().unwrap();
    let spawns = Spawns(begun.clone());
    runtime.block_on(async {
        spawn(parked::<()>(spawns));
        yield_now().await;
    });
    assert!(runtime.close().is_clean());
    assert!(!begun.get());
}
