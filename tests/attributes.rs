//! `#[wakering::main]` and `#[wakering::test]`: what they keep of a function, what it may return, and
//! that what it cannot be is refused.

#![cfg(feature = "macros")]

use std::cell::Cell;
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use wakering::task::yield_now;
use wakering::time::{Instant, sleep};
use wakering::{driver, spawn};

/// A function under `#[wakering::main]` need not be called `main`, and may be called.
mod program {
    use super::*;

    thread_local! {
        static ENDED: Cell<bool> = const { Cell::new(false) };
    }

    struct Ends;

    impl Drop for Ends {
        fn drop(&mut self) {
            ENDED.set(true);
        }
    }

    /// Documentation stays.
    #[wakering::main]
    #[must_use]
    pub(super) async fn leaves_a_task() -> bool {
        spawn(async {
            let _ends = Ends;
            pending::<()>().await;
        });
        yield_now().await;
        ENDED.get()
    }

    #[wakering::main]
    pub(super) async fn generic<T: From<u8>, F: Fn(T) -> u8>() -> Result<Option<F>, io::Error>
    where
        Option<T>: Copy,
    {
        yield_now().await;
        Ok(None)
    }

    #[wakering::main]
    pub(super) async fn fails_halfway() -> Result<u8, Box<dyn std::error::Error>> {
        let number: u8 = "300".parse()?;
        yield_now().await;
        Ok(number)
    }

    #[wakering::main]
    pub(super) async fn lends() -> Vec<usize> {
        let text = String::from("borrowed across an await");
        let words: Vec<&str> = text.split(' ').collect();
        yield_now().await;
        if words.is_empty() {
            return Vec::new();
        }
        words.iter().map(|word| word.len()).collect()
    }

    #[test]
    fn what_main_leaves_behind_has_ended_when_it_returns() {
        assert!(!leaves_a_task(), "it was still there when main returned");
        assert!(ENDED.get(), "and not any more afterwards");
    }

    #[test]
    fn main_returns_what_it_says() {
        assert!(fails_halfway().unwrap_err().to_string().contains("too large"));
        assert_eq!(lends(), [8, 6, 2, 5]);
        assert!(generic::<u8, fn(u8) -> u8>().unwrap().is_none());
    }
}

#[wakering::test]
async fn a_test_has_a_runtime() {
    assert!(driver::Driver::current().is_ok());
    let shared = Rc::new(Cell::new(0));
    let told = shared.clone();
    spawn(async move { told.set(42) }).await.unwrap();
    assert_eq!(shared.get(), 42);
}

#[wakering::test]
async fn a_test_may_return_a_result() -> Result<(), Box<dyn std::error::Error>> {
    let number: i32 = "42".parse()?;
    yield_now().await;
    assert_eq!(number, 42);
    Ok(())
}

#[wakering::test]
#[should_panic(expected = "as it should")]
async fn attributes_of_a_test_stay() {
    yield_now().await;
    panic!("as it should");
}

#[wakering::test]
#[ignore = "it fails, and is never run"]
async fn attributes_in_front_of_it_stay_too() {
    panic!("run although it is to be ignored");
}

/// What a macro makes is read like what somebody writes.
macro_rules! tests {
    (items $($item:item)*) => { $($item)* };
    (block $visibility:vis $name:ident $body:block) => {
        #[wakering::test]
        $visibility async fn $name() $body
    };
}

tests! { items
    #[wakering::test]
    async fn a_test_out_of_a_macro() {
        yield_now().await;
    }
}

tests!(block pub(crate) a_block_out_of_a_macro { yield_now().await });

#[wakering::test(paused)]
async fn a_test_in_paused_time_takes_none() {
    let began = std::time::Instant::now();
    let start = Instant::now();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    assert!(began.elapsed() < Duration::from_secs(600));
}

#[wakering::test(paused)]
#[should_panic(expected = "as it should")]
async fn a_test_in_paused_time_may_panic() {
    spawn(sleep(Duration::MAX));
    sleep(Duration::from_secs(3600)).await;
    panic!("as it should");
}
