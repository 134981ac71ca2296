//! Prints files, or what comes in: `cargo run --example cat -- FILE...`.

use wakering::fs::File;
use wakering::io::{AsyncRead, AsyncWrite, stdin, stdout};

fn main() -> std::io::Result<()> {
    wakering::run(async {
        let paths: Vec<String> = std::env::args().skip(1).collect();
        if paths.is_empty() {
            return print(stdin()?).await;
        }
        for path in paths {
            print(File::open(&path).await?).await?;
        }
        Ok(())
    })
}

async fn print(mut from: impl AsyncRead) -> std::io::Result<()> {
    let mut to = stdout()?;
    let mut buf = Vec::with_capacity(64 * 1024);
    loop {
        let (n, chunk) = from.read(buf).await?;
        if n == 0 {
            return Ok(());
        }
        (_, buf) = to.write_all(chunk).await?;
    }
}
