//! Halves: they work at once, and go together again if they belong together.

use std::io;

use wakering_net::{OwnedReadHalf, OwnedWriteHalf, TcpStream, UnixStream};
use wakering_runtime::io::{AsyncRead, AsyncWrite, Sink};
use wakering_runtime::spawn;

use crate::{tcp, within_bounds};

async fn exchange<S: 'static>(
    (one_read, one_write): (OwnedReadHalf<S>, OwnedWriteHalf<S>),
    (two_read, two_write): (OwnedReadHalf<S>, OwnedWriteHalf<S>),
) -> io::Result<()> {
    const LEN: usize = 4 << 20;
    let mut tasks = Vec::new();
    for mut write in [one_write, two_write] {
        tasks.push(spawn(async move { write.write_all(vec![1; LEN]).await.map(drop) }));
    }
    for mut read in [one_read, two_read] {
        tasks.push(spawn(async move {
            let (n, _) = read.read_to_end(Vec::new()).await?;
            assert_eq!(n, LEN, "and the end, when the writing half was dropped");
            Ok(())
        }));
    }
    for task in tasks {
        task.await.unwrap().map_err(io::Error::from)?;
    }
    Ok(())
}

/// Given both directions full; when halves in four tasks move them; then nobody waits for nobody.
#[test]
fn halves_read_and_write_at_once() {
    within_bounds(async {
        let (one, two) = tcp().await?;
        exchange(one.into_split(), two.into_split()).await?;
        let (one, two) = UnixStream::pair()?;
        exchange(one.into_split(), two.into_split()).await
    });
}

/// Given halves; when they are reunited; then those of one stream become it again, the stream did
/// not end meanwhile, and those of two come back.
#[test]
fn halves_of_one_stream_become_it_again() {
    within_bounds(async {
        let (one, mut two) = tcp().await?;
        let (other, _end) = tcp().await?;
        let address = one.local_addr()?;
        let (read, write) = one.into_split();
        assert_eq!((read.local_addr()?, write.local_addr()?), (address, address));
        assert_eq!((read.peer_addr()?, write.peer_addr()?), (two.local_addr()?, two.local_addr()?));
        let (foreign, _write) = other.into_split();
        let failed = foreign.reunite(write).unwrap_err();
        assert!(failed.to_string().contains("different streams"));
        let mut one: TcpStream = read.reunite(failed.write).unwrap();
        one.write_all("whole").await?;
        assert_eq!(two.read(vec![0; 8]).await?.1, b"whole");
        two.write_all("again").await?;
        assert_eq!(one.read(vec![0; 8]).await?.1, b"again");
        Ok(())
    });
}

/// Given a writing half with bytes queued; when it is dropped; then they arrive, then the end, and
/// the reading half still reads.
#[test]
fn dropping_the_writing_half_ends_what_it_wrote() {
    within_bounds(async {
        let (one, mut two) = tcp().await?;
        let (mut read, mut write) = one.into_split();
        write.queue(&[3; 300_000])?;
        drop(write);
        assert_eq!(two.read_to_end(Vec::new()).await?.0, 300_000);
        two.write_all("answer").await?;
        assert_eq!(read.read(vec![0; 8]).await?.1, b"answer");
        Ok(())
    });
}
