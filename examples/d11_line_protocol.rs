//! Streams: a protocol of lines, and a client that speaks it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use wakering::io::{AsyncBufRead, AsyncWrite, BufReader};
use wakering::net::{TcpListener, TcpStream, serve};

/// Nobody may send a longer line.
const LIMIT: usize = 1024;

type Store = RefCell<BTreeMap<String, String>>;

async fn talk(stream: TcpStream, store: &Store) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines(LIMIT);
    while let Some(line) = lines.next_line().await? {
        let mut words = line.splitn(3, ' ');
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("SET"), Some(key), Some(value)) => {
                store.borrow_mut().insert(key.into(), value.into());
                "OK".into()
            }
            (Some("GET"), Some(key), None) => {
                store.borrow().get(key).cloned().unwrap_or("NONE".into())
            }
            (Some("QUIT"), None, None) => return Ok(()),
            _ => "WHAT?".into(),
        };
        write.write_all(format!("{answer}\r\n")).await?;
    }
    Ok(())
}

#[wakering::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let store = Store::default();
    let server = serve(listener, async move |stream, _| talk(stream, &store).await);

    let (read, mut write) = TcpStream::connect(address).await?.into_split();
    let mut answers = BufReader::new(read).lines(LIMIT);
    for line in ["SET moon full of craters", "GET moon", "GET sun", "DANCE", "QUIT"] {
        write.write_all(format!("{line}\n")).await?;
        match answers.next_line().await? {
            Some(answer) => println!("{line} -> {answer}"),
            None => println!("{line} -> the end"),
        }
    }
    server.close();
    server.wait_closed().await;
    Ok(())
}
