//! Datagrams that the kernel dropped because our buffer was full, from its own table of sockets.
//!
//! `SO_RXQ_OVFL` tells of a drop only with the next datagram that arrives; the table tells at once, also after the last one.

use std::fs;

/// (inode, drops) of each UDP socket that is asked for. The kernel's counter has 32 bits and wraps.
pub(super) fn read(inodes: &[u64]) -> Vec<(u64, u32)> {
    let tables = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];
    let texts = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts
        .flat_map(|text| text.lines().skip(1).filter_map(line).collect::<Vec<_>>())
        .filter(|(inode, _)| inodes.contains(inode))
        .collect()
}

/// `sl local remote st queues timer retransmit uid timeout inode ref pointer drops`.
fn line(line: &str) -> Option<(u64, u32)> {
    let mut fields = line.split_ascii_whitespace();
    let inode = fields.nth(9)?.parse().ok()?;
    let drops = fields.nth(2)?.parse().ok()?;
    Some((inode, drops))
}

/// Adds up a counter that wraps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter {
    seen: u32,
    total: u64,
}

impl Counter {
    /// Takes a reading.
    pub(super) fn read(&mut self, now: u32) {
        self.total += u64::from(now.wrapping_sub(self.seen));
        self.seen = now;
    }

    /// All so far.
    pub(super) const fn total(self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;

    #[test]
    fn drops_of_a_full_socket_are_told_exactly_and_at_once() {
        let full = UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = nix::sys::stat::fstat(full.as_fd()).unwrap().st_ino;
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 2000;
        for _ in 0..sent {
            sender.send_to(&[0; 1000], full.local_addr().unwrap()).unwrap();
        }
        full.set_nonblocking(true).unwrap();
        let mut got = 0;
        while full.recv(&mut [0; 2000]).is_ok() {
            got += 1;
        }
        assert!(got < sent, "the buffer took all; send more");
        assert_eq!(read(&[inode]), [(inode, sent - got)]);
    }

    #[test]
    fn a_counter_survives_its_wrap() {
        let mut counter = Counter::default();
        counter.read(u32::MAX);
        counter.read(4);
        assert_eq!(counter.total(), u64::from(u32::MAX) + 5);
    }
}
