//! Socket options, read back and seen from outside.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use wakering_ring_driver::op::{self, Domain, SocketKind};
use wakering_ring_driver::option;

use crate::adopt;

/// Given sockets; when options are set; then they read back, and the foreign side sees them where
/// it can.
#[test]
fn options_read_back_as_they_were_set() {
    let driver = crate::driver();
    crate::block_on(&driver, async {
        let tcp = op::socket(Domain::V4, SocketKind::Stream).await?;
        assert_eq!(option::domain(&tcp)?, Domain::V4);
        for on in [true, false] {
            option::set_nodelay(&tcp, on)?;
            option::set_reuse_address(&tcp, on)?;
            option::set_reuse_port(&tcp, on)?;
            option::set_keepalive(&tcp, on)?;
            assert_eq!((option::nodelay(&tcp)?, option::reuse_address(&tcp)?), (on, on));
            assert_eq!((option::reuse_port(&tcp)?, option::keepalive(&tcp)?), (on, on));
        }
        option::set_ttl(&tcp, 42)?;
        assert_eq!(option::ttl(&tcp)?, 42);
        assert_eq!(option::set_ttl(&tcp, 256).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        option::set_keepalive_idle(&tcp, Duration::from_millis(29_500))?;
        option::set_keepalive_interval(&tcp, Duration::from_secs(5))?;
        option::set_keepalive_retries(&tcp, 4)?;
        assert_eq!(option::keepalive_idle(&tcp)?, Duration::from_secs(30), "rounded up");
        assert_eq!(option::keepalive_interval(&tcp)?, Duration::from_secs(5));
        assert_eq!(option::keepalive_retries(&tcp)?, 4);
        for linger in [Some(Duration::from_secs(3)), Some(Duration::ZERO), None] {
            option::set_linger(&tcp, linger)?;
            assert_eq!(option::linger(&tcp)?, linger);
        }
        option::set_recv_buffer_size(&tcp, 20_000)?;
        option::set_send_buffer_size(&tcp, 30_000)?;
        assert_eq!(option::recv_buffer_size(&tcp)?, 40_000, "the system doubles it");
        assert_eq!(option::send_buffer_size(&tcp)?, 60_000);
        assert!(option::take_error(&tcp)?.is_none());

        let v6 = op::socket(Domain::V6, SocketKind::Datagram).await?;
        assert_eq!(option::domain(&v6)?, Domain::V6);
        option::set_only_v6(&v6, true)?;
        option::set_hop_limit(&v6, 9)?;
        option::set_multicast_hops_v6(&v6, 3)?;
        option::set_multicast_loop_v6(&v6, false)?;
        assert!(option::only_v6(&v6)? && !option::multicast_loop_v6(&v6)?);
        assert_eq!((option::hop_limit(&v6)?, option::multicast_hops_v6(&v6)?), (9, 3));
        option::set_recv_packet_info(&v6, true)?;

        let (ours, _theirs) = UnixStream::pair()?;
        let ours = adopt(&driver, ours);
        let credentials = option::peer_credentials(&ours)?;
        assert_eq!(credentials.pid, Some(std::process::id()));
        assert_eq!(option::domain(&ours)?, Domain::Unix);
        assert!(option::local_address(&ours)?.to_unix().unwrap().is_unnamed());

        let pipe = adopt(&driver, io::pipe()?.0);
        assert_eq!(option::nodelay(&pipe).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        io::Result::Ok(())
    })
    .unwrap();
}
