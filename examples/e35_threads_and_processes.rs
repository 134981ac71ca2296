//! Threads, processes and async code: a file is summed up on the pool of threads and in another
//! process, which is this program again, and the loop goes on meanwhile.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use wakering::blocking::unblock;
use wakering::process::{Command, Stdio};
use wakering::time::interval;
use wakering::{fs, select, try_join};

/// Sums up the letters again and again, for as long as a large file would take.
fn sum(text: &str) -> u64 {
    let start = Instant::now();
    loop {
        let sum = text.chars().map(u64::from).sum();
        if start.elapsed() > Duration::from_millis(500) {
            return sum;
        }
    }
}

async fn sum_in_a_process(text: String) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?);
    let mut child = child.arg("sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let output = child.communicate(text).await?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

async fn both_sums() -> Result<(u64, u64), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("text");
    fs::write(&path, "Ein Ring, sie zu knechten, wäre zu wenig. ".repeat(10_000)).await?;

    let text = fs::read_to_string(&path).await?;
    let copy = text.clone();
    try_join!(async { Ok(unblock(move || sum(&copy)).await) }, sum_in_a_process(text))
}

async fn tick(ticks: &Cell<u32>) {
    let mut interval = interval(Duration::from_millis(10));
    loop {
        interval.tick().await;
        ticks.set(ticks.get() + 1);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).is_some_and(|word| word == "sum") {
        println!("{}", sum(&io::read_to_string(io::stdin())?));
        return Ok(());
    }
    wakering::run(async {
        let ticks = Cell::new(0);
        let (thread, process) = select! {
            sums = both_sums() => sums?,
            () = tick(&ticks) => unreachable!("it ticks for ever"),
        };
        println!("Sum in a thread:  {thread}");
        println!("Sum in a process: {process}");
        println!("The loop went on: {}", ticks.get() > 10);
        Ok(())
    })
}
