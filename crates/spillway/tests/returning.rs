//! Divert, filter, give back: an Internet of four namespaces with real clients and servers. What is at the far ends of the tunnels is
//! not ours (`returning/peer.py`).
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::Read as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Scratch, stderr};

const PEER: &str = include_str!("returning/peer.py");
/// What is diverted, and the server in it.
const PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:113::/48"];
const SERVERS: [&str; 2] = ["203.0.113.7", "2001:db8:113::7"];
const MEGABYTES: &str = "4000000";

/// Client, edge, absorber and site; the edge is linked with the other three. They go with the test.
struct Lab {
    id: String,
    running: Vec<Child>,
}

fn run(program: &str, args: &[&str]) -> Option<Output> {
    crate::dataplane::run(program, args).filter(|output| output.status.success())
}

/// How traffic comes, and how it goes back.
struct Way {
    /// A tunnel from the edge to the absorber, of this kind, around IPv4 (false) or IPv6; `None`: it is routed.
    divert: Option<(&'static str, bool)>,
    /// Likewise, to the site.
    back: (&'static str, bool),
    /// What fits into the latter, of a link of 1,500 octets.
    mtu: u16,
}

impl Lab {
    /// `None`, with the reason on standard error, where this machine cannot.
    fn new(name: &str) -> Option<Self> {
        let lab = Self { id: format!("{name}{}", std::process::id() % 10_000), running: Vec::new() };
        if lab.make().is_none() {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "network namespaces, TUN devices, iproute2 and python3 are needed"
            );
            eprintln!("skipped: needs root, network namespaces, TUN devices, iproute2 and python3");
            return None;
        }
        Some(lab)
    }

    fn make(&self) -> Option<()> {
        std::fs::metadata("/dev/net/tun").ok()?;
        for place in ["edge", "client", "absorber", "site"] {
            run("ip", &["netns", "add", &self.place(place)])?;
            self.sh(
                place,
                "ip link set lo up; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done",
            )?;
        }
        self.sh(
            "edge",
            "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        )?;
        self.sh(
            "absorber",
            "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        )?;
        for (net, place) in [(1, "client"), (2, "absorber"), (3, "site")] {
            let (near, far, other) = (self.edge(place), self.link(place), self.place(place));
            self.sh(
                "edge",
                &format!(
                    "ip link add {near} type veth peer name {far} && ip link set {far} netns {other} && \
                     ip address add 10.{net}.0.1/24 dev {near} && ip address add fd0{net}::1/64 dev {near} nodad && \
                     ip link set {near} up"
                ),
            )?;
            self.sh(
                place,
                &format!(
                    "ip address add 10.{net}.0.2/24 dev {far} && ip address add fd0{net}::2/64 dev {far} nodad && \
                     ip link set {far} up && ip route add default via 10.{net}.0.1 && \
                     ip -6 route add default via fd0{net}::1"
                ),
            )?;
            for (place, name) in [("edge", near), (place, far)] {
                self.peer(place, &["plain", &name])?;
            }
        }
        self.sh("site", &SERVERS.map(|server| format!("ip address add {server} dev lo nodad")).join(" && "))?;
        // What a driver sends is taken where there is a program, too.
        let attached = self.spillway("edge", &["attach", &self.edge("absorber")]);
        eprint!("{}", stderr(&attached));
        attached.status.success().then_some(())
    }

    fn place(&self, place: &str) -> String {
        format!("spillway-{place}-{}", self.id)
    }

    /// The interface of a place, and the edge's towards it.
    fn link(&self, place: &str) -> String {
        format!("l{}{}", &place[..1], self.id)
    }

    fn edge(&self, place: &str) -> String {
        format!("e{}{}", &place[..1], self.id)
    }

    fn command(&self, place: &str, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.place(place))).arg(program).args(args);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    fn sh(&self, place: &str, script: &str) -> Option<String> {
        let output = self.command(place, "sh", &["-c", script]).output().ok()?;
        if !output.status.success() {
            eprintln!("{place}: {script}: {}", stderr(&output));
        }
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn spillway(&self, place: &str, args: &[&str]) -> Output {
        let args = [&["dataplane"][..], args].concat();
        self.command(place, env!("CARGO_BIN_EXE_spillway"), &args).output().unwrap()
    }

    /// What a part of `peer.py` says.
    fn peer(&self, place: &str, args: &[&str]) -> Option<String> {
        let output = self.command(place, "python3", &[&["-c", PEER][..], args].concat()).output().ok()?;
        eprint!("{}", stderr(&output));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// One that stays, once it is there.
    fn start(&mut self, place: &str, args: &[&str]) {
        let args = [&["-c", PEER][..], args].concat();
        let mut child = self.command(place, "python3", &args).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        self.running.push(child);
    }

    /// Tunnels, routes and programs for a way; a server at its end.
    fn open(&mut self, way: &Way, rules: &str) {
        let side =
            |place: u8, six: bool| if six { format!("fd0{place}::2") } else { format!("10.{place}.0.2") };
        let edge = |place: u8, six: bool| side(place, six).replace("::2", "::1").replace(".0.2", ".0.1");
        let (kind, six) = way.back;
        let (local, remote) = (side(2, six), side(3, six));
        self.start("site", &["end", kind, &remote, &local, "back"]);
        // As nobody should: segments are kept short for it all the same.
        self.sh("site", "ip link set back mtu 1500 up").unwrap();
        let mut args = vec!["attach".to_owned(), self.link("absorber"), "--rules".into(), rules.into()];
        for prefix in PREFIXES {
            args.extend(["--return".into(), format!("{prefix}={kind}:{local}>{remote}")]);
        }
        // The site's own tunnel ends here, too.
        args.extend(["--decap".to_owned(), remote]);
        let towards = if let Some((kind, six)) = way.divert {
            self.start("edge", &["end", kind, &edge(2, six), &side(2, six), "divert"]);
            self.sh("edge", "ip link set divert mtu 1500 up").unwrap();
            // Longer than their link, so that what is inside can have 1,500 octets.
            for (place, link) in [("edge", self.edge("absorber")), ("absorber", self.link("absorber"))] {
                self.sh(place, &format!("ip link set {link} mtu 1600")).unwrap();
            }
            self.sh("absorber", "ip route change default via 10.2.0.1 mtu lock 1500; ip -6 route change default via fd02::1 mtu 1500").unwrap();
            args.extend(["--decap".to_owned(), edge(2, six)]);
            ["dev divert", "dev divert"]
        } else {
            ["via 10.2.0.2", "via fd02::2"]
        };
        let attached = self.spillway("absorber", &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(attached.status.success(), "{}", stderr(&attached));
        // What is announced, and where it goes.
        self.sh(
            "edge",
            &format!(
                "ip route add {} {} && ip -6 route add {} {}",
                PREFIXES[0], towards[0], PREFIXES[1], towards[1]
            ),
        )
        .unwrap();
        self.start("site", &["serve"]);
    }

    fn status(&self) -> Value {
        let output = self.spillway("absorber", &["status", &self.link("absorber"), "-o", "json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A counter of the declared prefix.
    fn declared(&self, six: bool, what: &str) -> u64 {
        let status = self.status();
        let all = status["declared"].as_array().unwrap();
        all.iter().find(|one| one["prefix"] == PREFIXES[usize::from(six)]).unwrap()[what].as_u64().unwrap()
    }

    /// Fragments that the site had to put together.
    fn fragments(&self) -> u64 {
        let script = "awk '/^Ip:/ && $15 ~ /[0-9]/ {n += $15} END {print n + 0}' /proc/net/snmp; awk '/^Ip6ReasmReqds/ {print $2}' /proc/net/snmp6";
        self.sh("site", script).unwrap().lines().map(|line| line.parse::<u64>().unwrap()).sum()
    }

    /// The client's kernel forgets what fits where.
    fn forget(&self) {
        self.sh("client", "ip route flush cache; ip -6 route flush cache").unwrap();
    }

    fn web(&self, server: &str) {
        let wanted = format!("{MEGABYTES} {MEGABYTES}");
        assert_eq!(
            self.peer("client", &["web", server, MEGABYTES]),
            Some(wanted),
            "{server}: {}",
            self.status()
        );
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
        for (place, name) in [("absorber", self.link("absorber")), ("edge", self.edge("absorber"))] {
            let _ = self.spillway(place, &["detach", &name]);
        }
        for place in ["client", "edge", "absorber", "site"] {
            let _ = run("ip", &["netns", "del", &self.place(place)]);
        }
    }
}

/// All that real clients do on a way.
fn walk(lab: &mut Lab, way: &Way) {
    let scratch = Scratch::new(&format!("returning-{}", lab.id));
    let rules = scratch.file("rules.txt", b"flood proto udp dst-port 53 -> drop\n");
    lab.open(way, &rules);
    for (six, server) in [(false, SERVERS[0]), (true, SERVERS[1])] {
        // The kernel has no neighbours at first.
        lab.sh("absorber", "ping -c 1 -W 5 10.2.0.1 && ping -c 1 -W 5 fd02::1").unwrap();
        let back = lab.peer("client", &["datagrams", server, "54", "5", "100", "whole"]);
        assert_eq!(back.as_deref(), Some("5"), "{}", lab.status());
        assert_eq!(
            lab.peer("client", &["datagrams", server, "53", "300", "100", "whole"]).as_deref(),
            Some("0")
        );
        assert_eq!(lab.declared(six, "dropped_packets"), 300, "the flood");
        // Answers go straight to the client; its own packets learn what fits.
        lab.web(server);
        assert_eq!(lab.declared(six, "clamped_packets"), 1, "what the client offers");
        lab.forget();
        let before = lab.declared(six, "told_packets");
        assert!(before > 0);
        let wanted = format!("{} 90", way.mtu);
        // Who is not told once is told when it sends again: what is told is capped.
        let mut told = lab.peer("client", &["path", server]);
        for _ in 0..2 {
            if told.as_ref() != Some(&wanted) {
                std::thread::sleep(std::time::Duration::from_millis(1100));
                told = lab.peer("client", &["path", server]);
            }
        }
        let untold = lab.declared(six, "too_big_packets");
        assert_eq!(told.as_deref(), Some(wanted.as_str()), "EMSGSIZE, and the MTU: {}", lab.status());
        assert_eq!(lab.declared(six, "told_packets"), before + 1);
        if !six {
            let cut = ["datagrams", server, "54", "1", "1472", "cut"];
            assert_eq!(lab.peer("client", &cut).as_deref(), Some("0"), "what may be cut is not cut here");
            assert_eq!(lab.declared(six, "too_big_packets"), untold + 1);
        }
        assert_eq!(lab.fragments(), 0, "nothing was cut");
    }
    // Now answers go through the tunnel, too.
    lab.forget();
    lab.sh("site", "ip route add 10.1.0.0/24 dev back && ip -6 route add fd01::/64 dev back").unwrap();
    for (six, server) in [(false, SERVERS[0]), (true, SERVERS[1])] {
        let told = lab.declared(six, "told_packets");
        lab.web(server);
        assert_eq!(lab.declared(six, "clamped_packets"), 3, "a SYN and a SYN-ACK more");
        assert_eq!(lab.declared(six, "told_packets"), told, "nobody sent what does not fit");
        assert!(lab.declared(six, "sent_packets") > 1000);
    }
    assert_eq!(lab.fragments(), 0);
    let status = lab.status();
    // The site's device asks for routers through the tunnel: nobody declared those.
    for place in ["no-way", "looped", "nested", "expired"] {
        assert_eq!(crate::dataplane::left(&status, place), 0, "{place}: {status}");
    }
}

#[test]
fn what_comes_by_gre_goes_back_clean_by_gre() {
    let Some(mut lab) = Lab::new("rg") else { return };
    let way = Way { divert: Some(("gre", false)), back: ("gre", false), mtu: 1476 };
    walk(&mut lab, &way);
    // The kernel cuts what may be cut where it forwards what has our own address.
    let absorber = lab.link("absorber");
    lab.sh("absorber", &format!("echo 1 > /proc/sys/net/ipv4/conf/{absorber}/accept_local")).unwrap();
    let (local, remote) = ("10.2.0.2", "10.3.0.2");
    let way = format!("{}=gre:{local}>{remote}", PREFIXES[0]);
    let attached = lab.spillway(
        "absorber",
        &["attach", &absorber, "--return", &way, "--decap", "10.2.0.1", "--decap", remote],
    );
    assert!(attached.status.success(), "{}", stderr(&attached));
    let back = lab.peer("client", &["datagrams", SERVERS[0], "54", "3", "1472", "cut"]);
    assert_eq!(back.as_deref(), Some("3"), "{}", lab.status());
    assert_eq!(lab.declared(false, "handed_packets"), 3);
    assert_eq!(lab.fragments(), 6, "of the outer packets");
    // A tunnel whose end would be diverted is refused.
    let inside = format!("{}=gre:{local}>203.0.113.200", PREFIXES[0]);
    let refused = lab.spillway("absorber", &["attach", &absorber, "--return", &inside]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("lies within the diverted prefix"), "{}", stderr(&refused));
    let strange = format!("{}=gre:10.9.9.9>{remote}", PREFIXES[0]);
    let refused = lab.spillway("absorber", &["attach", &absorber, "--return", &strange]);
    assert!(stderr(&refused).contains("10.9.9.9 is no address of this box"), "{}", stderr(&refused));
}

#[test]
fn what_is_routed_here_goes_back_clean_by_ip_in_ipv6() {
    let Some(mut lab) = Lab::new("ri") else { return };
    walk(&mut lab, &Way { divert: None, back: ("ipip", true), mtu: 1460 });
    // Nothing goes back any more, and it is seen what came.
    let absorber = lab.link("absorber");
    let attached = lab.spillway("absorber", &["attach", &absorber, "--discard", PREFIXES[0]]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    assert_eq!(
        lab.peer("client", &["datagrams", SERVERS[0], "54", "2", "100", "whole"]).as_deref(),
        Some("0")
    );
    assert_eq!(lab.declared(false, "discarded_packets"), 2);
}
