//! Prints files: `cargo run --example cat -- FILE...`.

use std::io::Write;

use wakering::fs::File;
use wakering::io::AsyncRead;

fn main() -> std::io::Result<()> {
    wakering::run(async {
        for path in std::env::args().skip(1) {
            let mut file = File::open(&path).await?;
            let mut buf = Vec::with_capacity(64 * 1024);
            loop {
                let (n, chunk) = file.read(buf).await?;
                if n == 0 {
                    break;
                }
                std::io::stdout().write_all(&chunk)?;
                buf = chunk;
            }
        }
        Ok(())
    })
}
