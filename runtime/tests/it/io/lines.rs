//! Lines and records, whatever the chunks they come in.

use std::io::ErrorKind;
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use wakering_runtime::io::AsyncBufRead;
use wakering_runtime::run;

use super::chunks;

/// Given a limit of 7, when a line has 7 bytes, then it comes; when it has 8, then it is an error
/// and the next line is whole, however the bytes were cut.
#[test]
fn case_k03_a_line_over_the_limit_costs_only_itself() {
    run(async {
        let text = b"1234567\n12345678\nnext\n1234567\n123456789012345678901234567890\nlast";
        for size in 1..=text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let mut lines = chunks(&pieces).lines(7);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("1234567"));
            assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("next"));
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("1234567"));
            assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("last"));
            assert_eq!(lines.next_line().await.unwrap(), None);
        }

        // By hand: what is too long is partly in the vector and partly in the stream, and none of
        // it is gone.
        let mut reader = chunks(&[b"1234567\n123", b"45678\nnext\n"]);
        let mut line = Vec::new();
        assert_eq!(reader.read_line(&mut line, 7).await.unwrap(), 8);
        assert_eq!(line, b"1234567\n");
        line.clear();
        let error = reader.read_line(&mut line, 7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(line, b"12345678");
        line.clear();
        assert_eq!(reader.read_line(&mut line, 7).await.unwrap(), 1);
        line.clear();
        assert_eq!(reader.read_line(&mut line, 7).await.unwrap(), 5);
        assert_eq!(line, b"next\n");
    });
}

/// Given a separator that is split over chunks, when read until it, then it is found once and what
/// follows is kept.
#[test]
fn case_k04_a_separator_in_two_chunks_is_found_once() {
    run(async {
        let mut reader = chunks(&[b"QWEaa", b"XYaa", b"a", b"aaa", b"xxx"]);
        let mut record = Vec::new();
        assert_eq!(reader.read_until(b"aaa", &mut record, 100).await.unwrap(), 10);
        assert_eq!(record, b"QWEaaXYaaa");
        record.clear();
        assert_eq!(reader.read_until(b"aaa", &mut record, 100).await.unwrap(), 3);
        assert_eq!(record, b"aaa");
        assert_eq!(reader.fill_buf().await.unwrap(), b"xxx");
        record.clear();
        assert_eq!(reader.read_until(b"aaa", &mut record, 100).await.unwrap(), 3);
        assert_eq!(reader.read_until(b"aaa", &mut record, 100).await.unwrap(), 0);
        assert_eq!(record, b"xxx");

        let error = reader.read_until(b"", &mut record, 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(
            reader.records(b"", 9).next_record().await.unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn lines_are_strict_as_a_stream_and_under_select() {
    run(async {
        let text = b"one\r\ntwo\n\nfo\xc3\xbcr\nfive";
        let expected = ["one", "two", "", "foür", "five"];
        for size in 1..=text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let all: Vec<String> = chunks(&pieces).lines(100).map(Result::unwrap).collect().await;
            assert_eq!(all, expected);

            // Every future is dropped after its first poll, and the lines come all the same.
            let mut lines = chunks(&pieces).lines(100);
            let mut polls = 0;
            for line in expected {
                let got = loop {
                    polls += 1;
                    if let Some(got) = poll_immediate(pin!(lines.next_line())).await {
                        break got;
                    }
                };
                assert_eq!(got.unwrap().as_deref(), Some(line));
            }
            assert!(polls > pieces.len(), "a chunk came without waiting");
        }
    });
}

#[test]
fn a_line_that_is_not_text_costs_only_itself() {
    run(async {
        let mut lines = chunks(&[b"good\n\xff", b"\xfe\nbetter\n"]).lines(100);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("good"));
        assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("better"));
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}
