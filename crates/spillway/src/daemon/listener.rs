//! UDP sockets: one per worker and listener, every exporter always at the same worker.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::{Context as _, bail};
use nix::libc;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockopt, setsockopt, socket, sockopt,
};

use crate::config::Listen;

/// One socket of a listener.
#[derive(Debug)]
pub(super) struct Socket {
    /// Index of its listener.
    pub(super) listener: usize,
    /// The socket.
    pub(super) udp: UdpSocket,
    /// By which the kernel's table names it.
    pub(super) inode: u64,
}

/// All sockets, by worker.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Key in the configuration and bound address, in the order of the configuration.
    pub(super) listeners: Vec<(&'static str, SocketAddr)>,
    /// Sockets of each worker.
    pub(super) workers: Vec<Vec<Socket>>,
}

impl Sockets {
    /// Opens everything or says which address is the trouble.
    pub(super) fn open(listen: &Listen, workers: usize) -> anyhow::Result<Self> {
        let mut out =
            Self { listeners: Vec::new(), workers: (0..workers.max(1)).map(|_| Vec::new()).collect() };
        for (listener, (name, address)) in listen.addresses.iter().enumerate() {
            let group = group(*address, workers.max(1), listen.receive_buffer).with_context(|| {
                format!("cannot listen on {address} (`listen.{name}`); is another collector running there?")
            })?;
            let bound = group.first().map_or(Ok(*address), UdpSocket::local_addr)?;
            out.listeners.push((name, bound));
            for (udp, worker) in group.into_iter().zip(&mut out.workers) {
                let inode = nix::sys::stat::fstat(udp.as_fd())?.st_ino;
                worker.push(Socket { listener, udp, inode });
            }
        }
        Ok(out)
    }
}

impl Sockets {
    /// Listener, octets of the receive buffer and octets that were asked for, of every socket.
    pub(super) fn buffers(&self, wanted: usize) -> Vec<(&'static str, u64, u64)> {
        let sockets = self.workers.iter().flatten();
        let of = |socket: &Socket| {
            let (name, _) = self.listeners.get(socket.listener)?;
            // The kernel tells twice of what it was asked for.
            let got = getsockopt(&socket.udp, sockopt::RcvBuf).ok()? / 2;
            Some((*name, got as u64, wanted as u64))
        };
        sockets.filter_map(of).collect()
    }
}

/// Sockets of one address that share its traffic by source address; one socket where the kernel cannot steer.
fn group(address: SocketAddr, count: usize, buffer: usize) -> anyhow::Result<Vec<UdpSocket>> {
    // With SO_REUSEPORT a second daemon of the same user would silently take half of our datagrams; a plain bind tells.
    let probe = one(address, false)?;
    let address = probe.local_addr()?;
    drop(probe);
    if count == 1 {
        let only = one(address, false)?;
        enlarge(&only, buffer);
        return Ok(vec![only]);
    }
    let group = (0..count).map(|_| one(address, true)).collect::<anyhow::Result<Vec<_>>>()?;
    for udp in &group {
        enlarge(udp, buffer);
    }
    let Some(first) = group.first() else { bail!("no socket") };
    if let Err(cause) = steer(first, count) {
        tracing::warn!(%address, %cause, "the kernel cannot steer by source address; one socket serves this listener");
        drop(group);
        let only = one(address, false)?;
        enlarge(&only, buffer);
        return Ok(vec![only]);
    }
    Ok(group)
}

fn one(address: SocketAddr, shared: bool) -> anyhow::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Datagram, flags, None)?;
    if shared {
        setsockopt(&fd, sockopt::ReusePort, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    Ok(fd.into())
}

/// As much buffer as we may have: above the system's limit with CAP_NET_ADMIN, else up to it.
fn enlarge(udp: &UdpSocket, wanted: usize) {
    if setsockopt(udp, sockopt::RcvBufForce, &wanted).is_err() {
        // The kernel cuts to net.core.rmem_max without a word.
        let _ = setsockopt(udp, sockopt::RcvBuf, &wanted);
        let got = getsockopt(udp, sockopt::RcvBuf).unwrap_or(0) / 2;
        if got < wanted {
            tracing::info!(wanted, got, "receive buffer is limited by net.core.rmem_max");
        }
    }
}

/// `index = hash(source address) mod count`, as classic BPF over the network header.
fn steer(udp: &UdpSocket, count: usize) -> io::Result<()> {
    let count = u32::try_from(count).unwrap_or(1);
    let mut code = program(count);
    let len = u16::try_from(code.len()).unwrap_or(0);
    let program = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    setsockopt(udp, sockopt::AttachReusePortCbpf, &program)?;
    Ok(())
}

/// Loads at this offset count from the network header.
const NET: u32 = 0xfff0_0000;
const LDB_ABS: u16 = 0x30;
const LDW_ABS: u16 = 0x20;
const RSH: u16 = 0x74;
const MUL: u16 = 0x24;
const MOD: u16 = 0x94;
const XOR_X: u16 = 0xac;
const TAX: u16 = 0x07;
const JEQ: u16 = 0x15;
const JA: u16 = 0x05;
const RET_A: u16 = 0x16;

fn program(count: u32) -> Vec<libc::sock_filter> {
    let op = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let v4 = [op(LDW_ABS, NET + 12), op(JA, 10)];
    // The four words of an IPv6 source address, folded into one.
    let v6 = [
        op(LDW_ABS, NET + 8),
        op(TAX, 0),
        op(LDW_ABS, NET + 12),
        op(XOR_X, 0),
        op(TAX, 0),
        op(LDW_ABS, NET + 16),
        op(XOR_X, 0),
        op(TAX, 0),
        op(LDW_ABS, NET + 20),
        op(XOR_X, 0),
    ];
    let choose = [op(MUL, 0x9e37_79b1), op(RSH, 16), op(MOD, count), op(RET_A, 0)];
    let mut code = vec![op(LDB_ABS, NET), op(RSH, 4)];
    code.push(libc::sock_filter { code: JEQ, jt: 2, jf: 0, k: 6 });
    code.extend(v4);
    code.extend(v6);
    code.extend(choose);
    code
}

/// The address that a datagram came from, IPv4 as IPv4 also on a socket that takes both.
pub(super) fn sender(address: &SockaddrStorage) -> Option<IpAddr> {
    address
        .as_sockaddr_in()
        .map(|a| IpAddr::V4(a.ip()))
        .or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip()).to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn listen(address: &str) -> Listen {
        let text = format!("networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"{address}\"\n");
        crate::config::Config::parse(std::path::Path::new("f"), &text).unwrap().listen
    }

    /// Sends from many loopback addresses, several ports each; tells which worker got which sender.
    fn spread(address: &str, senders: &[String]) -> Vec<Vec<IpAddr>> {
        let sockets = Sockets::open(&listen(address), 3).unwrap();
        let to = sockets.listeners[0].1;
        for _ in 0..3 {
            for from in senders {
                UdpSocket::bind(from).unwrap().send_to(b"x", to).unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(50));
        let drain = |socket: &Socket| {
            let mut got = Vec::new();
            while let Ok((_, from)) = socket.udp.recv_from(&mut [0; 8]) {
                got.push(from.ip().to_canonical());
            }
            got
        };
        sockets.workers.iter().map(|sockets| sockets.iter().flat_map(drain).collect()).collect()
    }

    #[test]
    fn an_exporter_always_comes_to_the_same_worker() {
        let senders: Vec<String> = (1..=30).map(|n| format!("127.0.0.{n}:0")).collect();
        let got = spread("127.0.0.1:0", &senders);
        assert_eq!(got.iter().map(Vec::len).sum::<usize>(), 90);
        for (i, worker) in got.iter().enumerate() {
            assert!(!worker.is_empty(), "worker {i} got nothing");
            for other in got.iter().skip(i + 1) {
                assert!(worker.iter().all(|sender| !other.contains(sender)));
            }
        }
    }

    #[test]
    fn a_taken_port_is_an_error_even_where_it_could_be_shared() {
        let first = Sockets::open(&listen("127.0.0.1:0"), 2).unwrap();
        let err = Sockets::open(&listen(&first.listeners[0].1.to_string()), 2).unwrap_err();
        let text = format!("{err:#}");
        assert!(text.contains("`listen.sflow`") && text.contains("EADDRINUSE"), "{text}");
    }
}
