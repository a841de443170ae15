//! Who has a port: a bind that is tried, and the kernel's tables.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::facts::Taken;
use crate::config::Config;

/// Processes that are looked at for the owner of a port.
const PROCESSES_MAX: usize = 20_000;

/// Addresses of the configuration that cannot be had now.
pub(super) fn taken(config: &Config) -> Vec<Taken> {
    let udp = config.listen.addresses.iter().map(|(name, at)| (format!("listen.{name}"), *at, true));
    let tcp = std::iter::once(("api.listen".to_owned(), config.api.listen, false));
    let bmp = config.listen.bmp.map(|at| ("listen.bmp".to_owned(), at, false));
    let all = udp.chain(tcp).chain(bmp).filter(|(_, at, _)| at.port() != 0);
    let taken = all.filter(|(_, at, udp)| is_taken(*at, *udp));
    taken.map(|(key, address, udp)| Taken { key, address, by: owner(address, udp) }).collect()
}

fn is_taken(at: SocketAddr, udp: bool) -> bool {
    let tried = if udp { UdpSocket::bind(at).map(drop) } else { TcpListener::bind(at).map(drop) };
    tried.is_err_and(|cause| cause.kind() == std::io::ErrorKind::AddrInUse)
}

/// Process and name of who has a port on this machine; `None`: it may not be seen.
fn owner(at: SocketAddr, udp: bool) -> Option<(u32, String)> {
    let tables = if udp { ["udp", "udp6"] } else { ["tcp", "tcp6"] };
    let inodes: Vec<u64> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(Path::new("/proc/net").join(table)).ok())
        .flat_map(|text| text.lines().filter_map(|line| inode(line, at.port(), udp)).collect::<Vec<_>>())
        .collect();
    let names: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX);
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let files = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let has = |file: std::fs::DirEntry| {
            let to = std::fs::read_link(file.path()).ok();
            to.is_some_and(|to| names.iter().any(|name| to == Path::new(name)))
        };
        if files.into_iter().any(has) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
            return Some((pid, name));
        }
    }
    None
}

/// The inode of a line of /proc/net/udp or /proc/net/tcp, if it listens on this port.
fn inode(line: &str, port: u16, udp: bool) -> Option<u64> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let local = fields.get(1)?.rsplit_once(':')?.1;
    // 0A: LISTEN; a UDP socket that has a port takes datagrams.
    let listens = udp || *fields.get(3)? == "0A";
    (listens && u16::from_str_radix(local, 16).ok()? == port).then(|| fields.get(9)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_port_is_found() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0")).unwrap();
        let us = std::process::id();
        assert!(is_taken(udp.local_addr().unwrap(), true));
        assert_eq!(owner(udp.local_addr().unwrap(), true).unwrap().0, us);
        assert!(is_taken(tcp.local_addr().unwrap(), false));
        assert_eq!(owner(tcp.local_addr().unwrap(), false).unwrap().0, us);
    }
}
