//! Rows of child processes and pipes. The children are this binary again, which then only copies.

use std::time::Duration;

use wakering::driver::testing::{in_child, patience};
use wakering::io::{AsyncWrite, Sink, pipe};
use wakering::process::{Child, Command, Stdio};

use crate::{row, row_in_steps};

const COPIES: &str = "WAKERING_TEST_COPIES";

#[test]
fn copies() {
    if std::env::var_os(COPIES).is_some() {
        std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap();
        std::process::exit(0);
    }
}

/// A program that copies what it reads.
fn copier() -> Command {
    let program = std::env::current_exe().expect("the path of this test binary");
    let mut command = Command::new(program);
    command.args(["processes::copies", "--exact", "--nocapture"]).env(COPIES, "1");
    command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn child() -> Child {
    copier().spawn().unwrap()
}

/// A program takes its time until it ends.
fn slow_row<T>(name: &str, make: impl AsyncFn() -> T) {
    row_in_steps(name, patience(Duration::from_millis(2)), make);
}

#[test]
fn children() {
    in_child("processes::children", || {
        slow_row("runtime::Child::wait", async || child().wait().await.unwrap());
        slow_row("runtime::Child::exited", async || {
            let mut child = child();
            child.stdin = None;
            child.exited().await.unwrap()
        });
        slow_row("runtime::Child::kill", async || child().kill().await.unwrap());
        slow_row("runtime::Child::communicate", async || {
            child().communicate(vec![7; 100_000]).await.unwrap()
        });
        slow_row("runtime::Child::wait_with_output", async || {
            child().wait_with_output().await.unwrap()
        });
    });
}

#[test]
fn commands() {
    in_child("processes::commands", || {
        let quiet = || {
            let mut command = copier();
            command.stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        slow_row("runtime::Command::status", async || quiet().status().await.unwrap());
        slow_row("runtime::Command::output", async || {
            quiet().stdout(Stdio::piped()).output().await.unwrap()
        });
    });
}

#[test]
fn pipes() {
    in_child("processes::pipes", || {
        row("runtime::PipeReader::into_std", async || {
            let (reader, mut writer) = pipe().unwrap();
            writer.write_all("hello").await.unwrap();
            reader.into_std().await.unwrap()
        });
        row("runtime::PipeWriter::into_std", async || {
            let (_reader, mut writer) = pipe().unwrap();
            writer.queue(b"hello").unwrap();
            writer.into_std().await.unwrap()
        });
        row("runtime::PipeWriter::close", async || {
            let (_reader, mut writer) = pipe().unwrap();
            writer.queue(b"hello").unwrap();
            writer.close().await.unwrap()
        });
    });
}
