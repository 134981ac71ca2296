//! A kernel that transfers less than it was asked for, fails half-way and answers out of order.
//!
//! Real ones do so too, but not when a test wants it; here the test is the kernel.

use std::io::ErrorKind;
use std::time::Duration;

use wakering_fs::{File, read};
use wakering_ring_driver::Driver;
use wakering_runtime::io::{AsyncRead, AsyncWrite};
use wakering_runtime::task::yield_now;
use wakering_runtime::testing::{Memory, Submitted, patience};
use wakering_runtime::time::timeout;
use wakering_runtime::{Builder, spawn};

const REGULAR: u16 = 0o100_644;
const FIFO: u16 = 0o010_644;
const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Runs `body` beside a kernel that is `answer`, on all but opening a file, which it describes by
/// mode and length.
fn on_kernel<T>(
    (mode, len): (u16, u64),
    mut answer: impl FnMut(Submitted) + 'static,
    body: impl Future<Output = T>,
) -> T {
    let (driver, memory) = Driver::memory().unwrap();
    memory.describe(mode, len);
    Builder::new().build_on(driver).block_on(async {
        let kernel = spawn(serve(memory, move |request| match request.name().as_str() {
            "openat" => request.complete(1 << 30),
            _ => answer(request),
        }));
        let output = timeout(patience(Duration::from_secs(10)), body).await.expect("in time");
        kernel.cancel();
        output
    })
}

async fn serve(memory: Memory, mut answer: impl FnMut(Submitted)) {
    loop {
        while let Some(request) = memory.next_request() {
            answer(request);
        }
        yield_now().await;
    }
}

/// A file of `content` that gives and takes at most `portion` bytes at once.
fn portions(mut content: Vec<u8>, portion: usize) -> impl FnMut(Submitted) {
    move |request| match request.name().as_str() {
        "read" => {
            let from = request.offset().expect("at an offset") as usize;
            let rest = &content[from.min(content.len())..];
            request.receive(&rest[..portion.min(rest.len())]);
        }
        "write" => {
            let from = request.offset().expect("at an offset") as usize;
            let bytes = request.bytes();
            let taken = portion.min(bytes.len());
            content.resize(content.len().max(from + taken), 0);
            content[from..from + taken].copy_from_slice(&bytes[..taken]);
            request.complete(taken as i32);
        }
        other => panic!("{other} was not expected"),
    }
}

#[test]
fn what_is_to_be_whole_goes_on_until_it_is() {
    on_kernel((REGULAR, 0), portions(Vec::new(), 7), async {
        let text: Vec<u8> = (0..100).collect();
        let mut file = File::create("somewhere").await.unwrap();
        assert_eq!(file.write_all_at(text.clone(), 3).await.unwrap(), (100, text.clone()));
        let (n, read) = file.read_exact_at(vec![9; 103], 0).await.unwrap();
        assert_eq!((n, &read[..3], &read[3..]), (103, &[0; 3][..], &text[..]));

        file.write_all(text.clone()).await.unwrap();
        assert_eq!(file.stream_position().await.unwrap(), 100);
        file.rewind().await.unwrap();
        assert_eq!(file.read_exact(vec![0; 100]).await.unwrap().1, text);
        assert_eq!(file.read_to_end(Vec::new()).await.unwrap().1, [97, 98, 99]);
    });
}

#[test]
fn whole_files_are_read_to_the_end_whatever_their_length_is_said_to_be() {
    for len in [0, 1, 99, 100, 101, 1000] {
        for portion in [1, 64, 1000] {
            let content: Vec<u8> = (0..100).collect();
            let answer = portions(content.clone(), portion);
            let found = on_kernel((REGULAR, len), answer, read("somewhere"));
            assert_eq!(found.unwrap(), content, "{portion} at a time, said to be {len}");
        }
    }
}

#[test]
fn an_error_on_the_way_gives_the_whole_buffer_back() {
    let mut left = 20;
    let answer = move |request: Submitted| match request.name().as_str() {
        "write" => {
            let taken = left.min(8);
            left -= taken;
            request.complete(if taken > 0 { taken } else { -ENOSPC });
        }
        "read" if request.offset() == Some(0) => {
            request.receive(b"first");
        }
        _ => request.complete(-EIO),
    };
    on_kernel((REGULAR, 0), answer, async {
        let file = File::create("somewhere").await.unwrap();
        let failed = file.write_all_at(vec![1; 30], 0).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (ErrorKind::StorageFull, vec![1; 30]));
        let failed = file.read_exact_at(vec![b'-'; 8], 0).await.unwrap_err();
        assert_eq!((crate::said(&failed.error).1, failed.buf), (Some(EIO), b"first---".to_vec()));
    });
}

#[test]
fn a_file_that_takes_nothing_is_an_error_and_no_spin() {
    let answer = |request: Submitted| request.complete(0);
    on_kernel((REGULAR, 0), answer, async {
        let mut file = File::create("somewhere").await.unwrap();
        let failed = file.write_all_at("x", 0).await.unwrap_err();
        assert_eq!((failed.error.kind(), failed.buf), (ErrorKind::WriteZero, "x"));
        let failed = file.write_all("x").await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::WriteZero);
    });
}

#[test]
fn answers_out_of_order_find_their_questions() {
    let mut held = Vec::new();
    let answer = move |request: Submitted| match request.name().as_str() {
        "statx" => request.describe(REGULAR, 0),
        _ => {
            held.push(request);
            if held.len() == 8 {
                while let Some(request) = held.pop() {
                    let from = request.offset().expect("at an offset") as u8;
                    request.receive(&[from; 4]);
                }
            }
        }
    };
    on_kernel((REGULAR, 0), answer, async {
        let file = std::rc::Rc::new(File::open("somewhere").await.unwrap());
        file.metadata().await.unwrap();
        let reads: Vec<_> = (0..8)
            .map(|from| {
                let file = file.clone();
                spawn(async move { file.read_at(vec![0; 4], from).await })
            })
            .collect();
        for (read, from) in reads.into_iter().zip(0u8..) {
            assert_eq!(read.await.unwrap().unwrap(), (4, vec![from; 4]));
        }
    });
}

#[test]
fn a_stream_is_asked_for_what_comes_next() {
    let answer = |request: Submitted| match request.name().as_str() {
        "read" => {
            assert_eq!(request.offset(), None);
            request.receive(b"next");
        }
        "readvectored" => {
            assert_eq!(request.offset(), None);
            request.complete(0);
        }
        "write" | "writevectored" => {
            assert_eq!(request.offset(), None);
            request.complete(2);
        }
        other => panic!("{other} was not expected"),
    };
    on_kernel((FIFO, 0), answer, async {
        let mut file = File::options().read(true).write(true).open("somewhere").await.unwrap();
        assert_eq!(file.read(vec![0; 8]).await.unwrap().1, b"next");
        assert_eq!(file.read_vectored(vec![vec![0; 8]]).await.unwrap().0, 0);
        assert_eq!(file.write("abc").await.unwrap().0, 2);
        assert_eq!(file.write_vectored(vec!["a", "bc"]).await.unwrap().0, 2);
        let failed = file.read_at(vec![0; 8], 0).await.unwrap_err();
        assert_eq!(failed.error.kind(), ErrorKind::NotSeekable);
    });
}
