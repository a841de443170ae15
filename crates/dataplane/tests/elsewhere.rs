//! Packets that rules lead elsewhere, on virtual interfaces in a network namespace: what comes out is read octet by octet.
//!
//! The test runs itself once more inside its namespace: there it attaches, sends and listens.

use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use dataplane::{Attachment, Mode, Policy};
use rules::{RuleSet, parse};
use wire::packet::{self, Link};

use crate::make::{Packet, udp};

const INSIDE: &str = "SPILLWAY_TEST_INSIDE";
/// Of the neighbour behind the far interface, and of the one on the near side.
const FAR: [u8; 6] = [2, 0, 0, 0, 0, 0x99];
const NEAR: [u8; 6] = [2, 0, 0, 0, 0, 0x55];

fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// Ends with the test.
struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

/// Runs the test of this name inside a namespace of its own; whether the caller is already there.
pub(crate) fn inside(test: &str) -> bool {
    if std::env::var(INSIDE).is_ok() {
        return true;
    }
    // Tests of one process may run side by side.
    static TURN: AtomicU32 = AtomicU32::new(0);
    let id = (std::process::id() * 4 + TURN.fetch_add(1, Ordering::Relaxed)) % 100_000;
    let name = format!("spillway-elsewhere-{id}");
    let made = succeeds("ip", &["netns", "add", &name]) && succeeds("python3", &["-c", "import socket"]);
    let _namespace = Namespace(name.clone());
    if !made {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "network namespaces, iproute2 and python3 are needed"
        );
        println!("skipped: needs root, network namespaces, iproute2 and python3");
        return false;
    }
    let output = Command::new("nsenter")
        .arg(format!("--net=/run/netns/{name}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, id.to_string())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// Two pairs of interfaces: `out`-`near`, where packets come in, and `far`-`end`, where they go.
struct Pairs(Vec<String>);

impl Pairs {
    fn new() -> Self {
        let id = std::env::var(INSIDE).unwrap();
        let pairs = Self(["out", "near", "far", "end"].map(|name| format!("{name}{id}")).into());
        let [out, near, far, end] = pairs.names();
        for line in [
            format!("link add {out} type veth peer name {near}"),
            format!("link add {far} type veth peer name {end}"),
            format!("address add 10.9.0.1/24 dev {near}"),
            format!("address add fd00:9::1/64 dev {near} nodad"),
            format!("address add 10.9.1.1/24 dev {far}"),
            format!("address add fd00:a::1/64 dev {far} nodad"),
            format!("link set {out} up"),
            format!("link set {near} up"),
            format!("link set {far} up"),
            format!("link set {end} up"),
            format!("neighbour add 10.9.1.2 lladdr 02:00:00:00:00:99 dev {far}"),
            format!("neighbour add fd00:a::2 lladdr 02:00:00:00:00:99 dev {far}"),
            format!("neighbour add 10.9.0.2 lladdr 02:00:00:00:00:55 dev {near}"),
            "route add 203.0.113.0/24 via 10.9.1.2".to_owned(),
            "route add blackhole 192.0.2.0/24".to_owned(),
        ] {
            assert!(succeeds("ip", &line.split(' ').collect::<Vec<_>>()), "ip {line}");
        }
        for version in ["ipv4", "ipv6"] {
            for name in [near, far] {
                std::fs::write(format!("/proc/sys/net/{version}/conf/{name}/forwarding"), "1").unwrap();
            }
        }
        // The other end of a virtual pair takes what a driver sends only where it has a program too.
        for name in [out, end] {
            Attachment::attach(name, &Policy::default(), &[Mode::Native], false).unwrap();
        }
        pairs
    }

    fn names(&self) -> [&str; 4] {
        [&self.0[0], &self.0[1], &self.0[2], &self.0[3]]
    }

    fn attach(&self, rules: &str) -> Attachment {
        let policy = Policy { rules: RuleSet::new(parse::rules(rules).unwrap()), ..Policy::default() };
        Attachment::attach(self.names()[1], &policy, &[Mode::Native], false).unwrap();
        Attachment::open(self.names()[1]).unwrap().unwrap()
    }

    /// Sends a frame; what of ours then comes to an interface, or nothing.
    fn send(&self, frame: &[u8], to: &str) -> Option<Vec<u8>> {
        let script = "import socket,sys\n\
            l=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3)); l.bind((sys.argv[2],0)); l.settimeout(0.7)\n\
            s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((sys.argv[1],0)); s.send(bytes.fromhex(sys.argv[3]))\n\
            try:\n\
            \x20 while True:\n\
            \x20\x20 f,a=l.recvfrom(65536)\n\
            \x20\x20 if a[2]!=4 and b'spillway' in f: print(f.hex()); break\n\
            except TimeoutError: pass\n";
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        let output =
            Command::new("python3").args(["-c", script, self.names()[0], to, &hex]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let octet = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (!text.is_empty()).then(|| (0..text.trim().len()).step_by(2).map(octet).collect())
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = dataplane::attachment::detach(name);
        }
    }
}

fn left(attachment: &Attachment, place: &str) -> u64 {
    attachment.plane().leaves().unwrap().into_iter().find(|tally| tally.place == place).unwrap().packets
}

/// Whether the sum over an IPv4 header is right.
fn sums_up(header: &[u8]) -> bool {
    let sum: u32 = header[..20].chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

fn framed(tags: usize, ip: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 6];
    out.extend([2, 0, 0, 0, 0, 1]);
    for tag in 0..tags {
        out.extend([0x81, 0, 0, u8::try_from(tag).unwrap() + 7]);
    }
    out.extend(if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] });
    out.extend_from_slice(ip);
    out
}

fn marked(v6: bool, port: u16, size: usize) -> Packet {
    let payload = [b"spillway".as_slice(), &vec![0x5a; size]].concat();
    let packet = Packet { ports: (1024, port), payload, dscp: 10, dont: !v6, ..udp() };
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    if v6 { Packet { src: address("2001:db8::5"), dst: address("2001:db8::6"), ..packet } } else { packet }
}

#[test]
fn packets_are_led_to_another_next_hop() {
    if !inside("elsewhere::packets_are_led_to_another_next_hop") {
        return;
    }
    let pairs = Pairs::new();
    let attachment = pairs.attach(
        "four proto udp dst-port 1 -> redirect 10.9.1.2\n\
         six proto udp dst-port 2 -> redirect fd00:a::2\n\
         via proto udp dst-port 3 -> redirect 203.0.113.77\n\
         back proto udp dst-port 4 -> redirect 10.9.0.2\n\
         none proto udp dst-port 5 -> redirect 10.9.1.77\n\
         hole proto udp dst-port 6 -> redirect 192.0.2.1\n\
         home proto udp dst-port 7 -> redirect 10.9.1.1\n",
    );
    let [out, near, _, end] = pairs.names();
    for (port, tags, v6) in
        [(1, 0, false), (1, 2, false), (2, 0, true), (2, 1, true), (1, 0, true), (3, 0, false)]
    {
        let ip = marked(v6, port, 20).bytes();
        let got = pairs.send(&framed(tags, &ip), end).unwrap_or_else(|| panic!("port {port}: nothing came"));
        assert_eq!(got[..6], FAR, "to the next hop");
        assert_eq!(got[12..14], if v6 { [0x86, 0xdd] } else { [8, 0] }, "without tags");
        let mut wanted = ip.clone();
        if v6 {
            wanted[7] -= 1;
            assert_eq!(got[14..], wanted, "one hop less, nothing else");
        } else {
            wanted[8] -= 1;
            wanted[10..12].copy_from_slice(&got[24..26]);
            assert_eq!(got[14..], wanted, "one hop less, nothing else");
            assert!(sums_up(&got[14..]) || !sums_up(&ip));
        }
    }
    assert_eq!(left(&attachment, "redirected"), 6);
    let got = pairs.send(&framed(0, &marked(false, 4, 20).bytes()), out).expect("back on the same interface");
    assert_eq!(got[..6], NEAR);
    for (turn, port) in (1u64..).zip([5, 6, 7]) {
        let packet = framed(0, &marked(false, port, 20).bytes());
        assert_eq!(pairs.send(&packet, near), Some(packet), "port {port}: goes up as it came");
        assert_eq!(left(&attachment, "no-route"), turn);
    }
    let last = framed(0, &Packet { ttl: 1, ..marked(false, 1, 20) }.bytes());
    assert_eq!(pairs.send(&last, near), Some(last), "who has no hop left goes up");
}

#[test]
fn packets_are_led_through_a_tunnel() {
    if !inside("elsewhere::packets_are_led_through_a_tunnel") {
        return;
    }
    let pairs = Pairs::new();
    let attachment = pairs.attach(
        "gre4 proto udp dst-port 1 -> tunnel gre 203.0.113.77\n\
         gre6 proto udp dst-port 2 -> tunnel gre fd00:a::2\n\
         ip4 proto udp dst-port 3 -> tunnel ipip 203.0.113.77\n\
         ip6 proto udp dst-port 4 -> tunnel ipip fd00:a::2\n",
    );
    let [_, near, _, end] = pairs.names();
    let mut count = 0;
    for (port, to, from, gre) in [
        (1, "203.0.113.77", "10.9.1.1", true),
        (2, "fd00:a::2", "fd00:a::1", true),
        (3, "203.0.113.77", "10.9.1.1", false),
        (4, "fd00:a::2", "fd00:a::1", false),
    ] {
        for (v6, tags) in [(false, 0), (true, 0), (false, 1)] {
            let ip = marked(v6, port, 20).bytes();
            let got =
                pairs.send(&framed(tags, &ip), end).unwrap_or_else(|| panic!("port {port}: nothing came"));
            count += 1;
            assert_eq!(got[..6], FAR);
            let length = u32::try_from(got.len()).unwrap();
            let outer = packet::parse(Link::Ethernet, &got, length).unwrap();
            let headers = outer.headers;
            assert_eq!((headers.src.to_string(), headers.dst.to_string()), (from.to_owned(), to.to_owned()));
            assert_eq!(
                headers.protocol,
                if gre {
                    47
                } else if v6 {
                    41
                } else {
                    4
                }
            );
            assert_eq!((headers.ttl, headers.dscp), (64, 10), "the inner packet's class");
            let front = if to.contains(':') { 40 } else { 20 };
            if front == 20 {
                assert!(sums_up(&got[14..]));
                assert!(headers.fragment.dont, "an inner packet that is not to be cut");
            }
            let inner = &got[14 + front + if gre { 4 } else { 0 }..];
            let mut wanted = ip.clone();
            wanted[if v6 { 7 } else { 8 }] -= 1;
            if !v6 {
                wanted[10..12].copy_from_slice(&inner[10..12]);
            }
            assert_eq!(inner, wanted, "port {port}, IPv6 {v6}");
            let read = packet::parse_inner(&outer).expect("our own reader finds it");
            assert_eq!(read.headers.ports, Some((1024, port)));
        }
    }
    assert_eq!(left(&attachment, "tunnelled"), count);
    let whole = |size: usize| framed(0, &marked(false, 1, size - 20 - 8 - 8).bytes());
    assert!(pairs.send(&whole(1500 - 24), end).is_some(), "as long as the way takes");
    let long = whole(1500 - 23);
    assert_eq!(pairs.send(&long, near), Some(long), "what is longer goes up as it came");
    assert_eq!(left(&attachment, "too-big"), 1);
}
