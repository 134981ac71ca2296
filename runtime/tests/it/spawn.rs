//! Tasks: their order, their home, their memory.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::catch_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use wakering_runtime::task::{self, JoinHandle, yield_now};
use wakering_runtime::time::sleep;
use wakering_runtime::{Runtime, run, spawn};

use crate::{Witness, alloc, message, runtime, within_bounds};

/// Given A, B and C spawned in this order, when they run, then they are polled first in this order,
/// and what they wake comes after those that were queued before.
#[test]
fn case_t02_first_polls_come_in_the_order_of_spawning() {
    let order = Rc::new(RefCell::new(String::new()));
    within_bounds(async {
        let tasks: Vec<_> = ['A', 'B', 'C']
            .into_iter()
            .map(|name| {
                let order = order.clone();
                spawn(async move {
                    order.borrow_mut().push(name);
                    yield_now().await;
                    order.borrow_mut().push(name.to_ascii_lowercase());
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*order.borrow(), "ABCabc");
}

#[test]
fn a_dropped_handle_lets_its_task_go_on() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        drop(spawn(async move {
            yield_now().await;
            drop(guard);
        }));
        while witness.drops() == 0 {
            yield_now().await;
        }
    });
}

#[test]
fn a_task_outlives_the_task_that_spawned_it() {
    within_bounds(async {
        let (sender, receiver) = mpsc::channel();
        let outer = spawn(async move {
            let inner = spawn(async {
                sleep(Duration::from_millis(1)).await;
                42
            });
            sender.send(inner).unwrap();
        });
        outer.await.unwrap();
        assert_eq!(receiver.recv().unwrap().await.unwrap(), 42);
    });
}

#[test]
fn futures_and_outputs_need_not_be_send() {
    let value = within_bounds(async {
        let shared = Rc::new(Cell::new(1));
        let inner = shared.clone();
        let task = spawn(async move {
            yield_now().await;
            inner.set(42);
            inner
        });
        let output = task.await.unwrap();
        assert!(Rc::ptr_eq(&shared, &output));
        output.get()
    });
    assert_eq!(value, 42);
}

#[test]
fn a_handle_may_be_awaited_on_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    within_bounds(async {
        let task = spawn(async {
            sleep(Duration::from_millis(1)).await;
            String::from("from home")
        });
        is_send(&task);
        let (sender, receiver) = oneshot();
        let joiner = thread::spawn(move || sender(block_on_a_bare_thread(task).unwrap()));
        assert_eq!(receiver.await, "from home");
        joiner.join().unwrap();
    });
}

/// A value that another thread sends once.
fn oneshot<T: Send + 'static>() -> (impl FnOnce(T) + Send, impl Future<Output = T>) {
    use std::sync::{Arc, Mutex};
    let desk = Arc::new(Mutex::new((None, Waker::noop().clone())));
    let theirs = desk.clone();
    let sender = move |value| {
        let mut desk = theirs.lock().unwrap();
        desk.0 = Some(value);
        desk.1.wake_by_ref();
    };
    let receiver = poll_fn(move |cx| {
        let mut desk = desk.lock().unwrap();
        desk.1.clone_from(cx.waker());
        desk.0.take().map_or(Poll::Pending, Poll::Ready)
    });
    (sender, receiver)
}

/// Awaits on a thread without a runtime.
fn block_on_a_bare_thread<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Tells on which thread it is dropped.
struct Traced(mpsc::Sender<ThreadId>);

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn a_waker_that_outlives_everything_frees_memory_elsewhere_but_drops_no_future_there() {
    let (sender, drops) = mpsc::channel();
    let (waker_sender, wakers) = mpsc::channel();
    let (future, output) = (Traced(sender.clone()), Traced(sender));
    let elsewhere = thread::spawn(move || {
        let waker: Waker = wakers.recv().unwrap();
        // Returns when the runtime has ended and dropped its side of the channel.
        assert!(wakers.recv().is_err());
        waker.wake_by_ref();
        let other = waker.clone();
        drop(waker);
        other.wake();
    });
    run(async move {
        // Detached, so that the output has nobody either.
        spawn(async move {
            let _future = future;
            poll_fn(|cx| {
                waker_sender.send(cx.waker().clone()).unwrap();
                Poll::Ready(())
            })
            .await;
            drop(waker_sender);
            output
        });
        yield_now().await;
    });
    elsewhere.join().unwrap();
    let threads: Vec<_> = drops.into_iter().collect();
    assert_eq!(threads, [thread::current().id(); 2]);
}

#[test]
fn a_task_that_owns_its_own_handle_is_freed_with_it() {
    let witness = Witness::default();
    let guard = witness.guard();
    within_bounds(async {
        let own: Rc<Cell<Option<JoinHandle<()>>>> = Rc::default();
        let inner = own.clone();
        own.set(Some(spawn(async move {
            let _guard = guard;
            let _own = inner.take();
            yield_now().await;
        })));
        drop(own);
        while witness.drops() == 0 {
            yield_now().await;
        }
    });
}

#[test]
fn a_spawned_task_costs_one_allocation_unless_it_takes_that_of_one_that_has_ended() {
    async fn large() {
        let kept = [1; 300];
        yield_now().await;
        std::hint::black_box(kept);
    }

    fn round<F: Future<Output = ()> + 'static>(runtime: &Runtime, future: fn() -> F) -> u64 {
        let before = alloc::calls();
        runtime.block_on(async {
            let tasks: [_; 32] = std::array::from_fn(|_| spawn(future()));
            for task in tasks {
                task.await.unwrap();
            }
        });
        alloc::calls() - before
    }

    let runtime = runtime();
    // Tables and queues grow to what they need.
    round(&runtime, large);
    let before = alloc::calls();
    runtime.block_on(async {});
    let of_block_on = alloc::calls() - before;
    assert_eq!(round(&runtime, yield_now) - of_block_on, 32);
    assert_eq!(round(&runtime, yield_now) - of_block_on, 0);
}

#[test]
fn tasks_give_their_memory_back() {
    let runtime = runtime();
    let before = alloc::bytes();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..10_000).map(|_| spawn(async { [0u8; 1024].len() })).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let kept = alloc::bytes() - before;
    assert!(kept < 2_000_000, "{kept} bytes are kept of 10 million");
    drop(runtime);
    assert!(alloc::bytes() - before <= 0, "{} bytes are lost", alloc::bytes() - before);
}

#[test]
fn a_task_knows_its_name_and_where_it_was_spawned() {
    within_bounds(async {
        let line = line!() + 1;
        let task = task::Builder::new().name("counter").spawn(async {
            yield_now().await;
            task::current().unwrap()
        });
        assert_eq!(task.name(), Some("counter"));
        let id = task.id();
        let seen = task.await.unwrap();
        assert_eq!((seen.id(), seen.name()), (id, Some("counter")));
        assert_eq!((seen.location().file(), seen.location().line()), (file!(), line));
        assert!(task::current().is_none(), "the main future is no task");
    });
}

#[test]
fn spawning_without_a_runtime_says_what_to_do() {
    let panic = catch_unwind(|| spawn(pending::<()>())).unwrap_err();
    let message = message(panic);
    assert!(message.contains("cannot spawn a task") && message.contains("`Handle`"), "{message}");
}

#[test]
fn a_handle_that_has_given_its_output_refuses_to_give_it_again() {
    let panic = catch_unwind(|| {
        run(async {
            let mut task = spawn(async { 42 });
            assert_eq!((&mut task).await.unwrap(), 42);
            task.await.unwrap()
        })
    });
    assert!(message(panic.unwrap_err()).contains("polled after it had completed"));
}

/// Names the types that may cross threads, and those that must not.
#[test]
fn only_what_may_travel_is_send() {
    /// With two ways to be one, a type that is `Send` is ambiguous below and does not compile.
    trait Stays<A> {
        fn at_home() {}
    }
    impl<T: ?Sized> Stays<()> for T {}
    impl<T: ?Sized + Send> Stays<u8> for T {}
    <JoinHandle<Rc<()>> as Stays<_>>::at_home();
    <wakering_runtime::Runtime as Stays<_>>::at_home();
    <wakering_runtime::time::Sleep as Stays<_>>::at_home();

    fn travels<T: Send + Sync>() {}
    travels::<JoinHandle<Cell<u32>>>();
    travels::<task::JoinError>();
    travels::<task::TaskInfo>();
    travels::<wakering_runtime::Builder>();
    travels::<wakering_runtime::Handle>();
    travels::<wakering_runtime::ShutdownReport>();
}
