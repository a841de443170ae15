//! Where the captures lie, how to build small ones, and how to run the binary.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base::{Span, Timestamp};

/// The folder of recorded inputs, when it is there.
pub(crate) fn data() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = std::env::var_os("SPILLWAY_TEST_DATA").map_or(default, PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: no captures at {}; set SPILLWAY_TEST_DATA", dir.display());
    None
}

/// Runs the built binary.
pub(crate) fn spillway<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spillway"))
        .args(args)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A port of loopback that nobody has, over UDP and TCP, in both families, and that nobody gets before whoever it is for: it is
/// below those that the kernel gives away, and no other test is given it as long as this process lives.
pub(crate) fn free_port() -> u16 {
    let first = u16::try_from(std::process::id() % 1_000).unwrap() * 20;
    for port in (0..20_000).map(|n| 12_000 + (first + n) % 20_000) {
        let name = SocketAddr::from_abstract_name(format!("spillway-test-port-{port}")).unwrap();
        let Ok(ours) = UnixListener::bind_addr(&name) else { continue };
        // It is given back by the end of the process.
        std::mem::forget(ours);
        let tcp =
            (TcpListener::bind((Ipv4Addr::LOCALHOST, port)), TcpListener::bind((Ipv6Addr::LOCALHOST, port)));
        let udp =
            (UdpSocket::bind((Ipv4Addr::LOCALHOST, port)), UdpSocket::bind((Ipv6Addr::LOCALHOST, port)));
        if let ((Ok(_), Ok(_)), (Ok(_), Ok(_))) = (tcp, udp) {
            return port;
        }
    }
    panic!("no port is free");
}

/// A folder of this test process that goes with it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("spillway-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().into()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An IPv4 UDP packet.
pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(28 + payload.len()).unwrap().to_be_bytes();
    let len = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let mut b = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
    b.extend([0x30, 0x39, 0x08, 0x07, len[0], len[1], 0, 0]);
    b.extend(payload);
    b
}

/// A pcap of these packets, one millisecond apart from 2023-11-14T22:13:20Z on.
pub(crate) fn pcap(link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let at = |i: usize| Timestamp::from_secs(1_700_000_000).plus(Span::from_millis(i as u64));
    pcap_at(link, packets.iter().enumerate().map(|(i, packet)| (at(i), packet.clone())))
}

/// A pcap of these packets at these times.
pub(crate) fn pcap_at(link: u32, packets: impl IntoIterator<Item = (Timestamp, Vec<u8>)>) -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0];
    out.extend(link.to_le_bytes());
    for (at, packet) in packets {
        let len = u32::try_from(packet.len()).unwrap();
        let micros = u32::try_from(at.nanos() % 1_000_000_000 / 1000).unwrap();
        for field in [u32::try_from(at.secs()).unwrap(), micros, len, len] {
            out.extend(field.to_le_bytes());
        }
        out.extend(packet);
    }
    out
}

/// A pcapng block in the given byte order.
pub(crate) fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let u32_of = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
    let total = u32_of(u32::try_from(body.len() + 12).unwrap());
    [&u32_of(kind)[..], &total, &body, &total].concat()
}

/// Standard output as JSON, a value a line.
pub(crate) fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
