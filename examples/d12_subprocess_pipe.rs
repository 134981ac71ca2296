//! Child processes and their pipes: a conversation, a filter, and how they end.

use std::io;

use wakering::io::{AsyncBufRead, AsyncWrite, BufReader};
use wakering::process::{Command, Stdio};

#[wakering::main]
async fn main() -> io::Result<()> {
    // Line by line: it answers before the next one is written.
    let mut shell = Command::shell("while read name; do echo \"Hello, $name!\"; done; exit 3");
    let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut names = child.stdin.take().expect("it is piped");
    let mut greetings = BufReader::new(child.stdout.take().expect("it is piped")).lines(1024);
    for name in ["Ann", "Bob"] {
        names.write_all(format!("{name}\n")).await?;
        println!("{}", greetings.next_line().await?.expect("it answers"));
    }
    drop(names);
    println!("it ended with {:?}", child.wait().await?.code());

    // All at once, more than the pipes can hold.
    let mut sort = Command::new("sort");
    let mut sort = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let numbers: String = (0..100_000).rev().map(|number| format!("{number:06}\n")).collect();
    let sorted = sort.communicate(numbers).await?.stdout;
    println!("{} bytes, sorted: {}", sorted.len(), sorted.chunks(7).is_sorted());

    let mut patient = Command::new("sleep").arg("60").spawn()?;
    patient.terminate()?;
    println!("{}", patient.wait().await?);
    Ok(())
}
