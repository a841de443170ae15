//! `spillway dataplane` on a real interface: a pair of virtual ones in a network namespace, frames sent into one end.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Scratch, stderr};

/// A namespace with the pair; goes with the test.
struct Lab {
    namespace: String,
    /// Frames go in here.
    outside: String,
    /// Programs are attached here.
    inside: String,
}

fn run(program: &str, args: &[&str]) -> Option<Output> {
    Command::new(program).args(args).env("NO_COLOR", "1").output().ok()
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    run(program, args).is_some_and(|output| output.status.success())
}

impl Lab {
    /// `None`, with the reason on standard error, where this machine cannot.
    fn new(name: &str) -> Option<Self> {
        let id = std::process::id() % 10_000;
        let lab = Self {
            namespace: format!("spillway-{name}-{id}"),
            outside: format!("o{name}{id}"),
            inside: format!("i{name}{id}"),
        };
        let made = succeeds("ip", &["netns", "add", &lab.namespace])
            && lab
                .inside_ns("ip", &["link", "add", &lab.outside, "type", "veth", "peer", "name", &lab.inside])
                .is_some()
            && lab.inside_ns("ip", &["link", "set", &lab.outside, "up"]).is_some()
            && lab.inside_ns("ip", &["link", "set", &lab.inside, "up"]).is_some();
        if made && succeeds("python3", &["-c", "import socket"]) {
            return Some(lab);
        }
        assert!(std::env::var_os("CI").is_none(), "network namespaces, iproute2 and python3 are needed");
        eprintln!("skipped: needs root, network namespaces, iproute2 and python3");
        None
    }

    /// Runs a program in the namespace; its output if it succeeded.
    fn inside_ns(&self, program: &str, args: &[&str]) -> Option<Output> {
        let path = format!("--net=/run/netns/{}", self.namespace);
        run("nsenter", &[&[&path, program][..], args].concat()).filter(|output| output.status.success())
    }

    fn spillway(&self, args: &[&str]) -> Output {
        let path = format!("--net=/run/netns/{}", self.namespace);
        let all = [&[&path, env!("CARGO_BIN_EXE_spillway"), "dataplane"][..], args].concat();
        run("nsenter", &all).unwrap()
    }

    fn attach(&self, args: &[&str]) {
        let output = self.spillway(&[&["attach", &self.inside][..], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }

    fn status(&self) -> Value {
        let output = self.spillway(&["status", &self.inside, "-o", "json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Sends so many UDP packets from this port, each in a frame.
    fn send(&self, count: u32, src: &str, src_port: u16) {
        let script = "import socket,struct,sys\n\
            name,count,src,port=sys.argv[1],int(sys.argv[2]),sys.argv[3],int(sys.argv[4])\n\
            s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); s.bind((name,0))\n\
            udp=struct.pack('!HHHH',port,53,18,0)+bytes(10)\n\
            ip=struct.pack('!BBHHHBBH',0x45,0,38,0,0,64,17,0)+socket.inet_aton(src)+socket.inet_aton('198.51.100.7')\n\
            f=bytes.fromhex('020000000001020000000002')+b'\\x08\\x00'+ip+udp+bytes(8)\n\
            for _ in range(count): s.send(f)\n";
        let (count, port) = (count.to_string(), src_port.to_string());
        let sent = self.inside_ns("python3", &["-c", script, &self.outside, &count, src, &port]);
        assert!(sent.is_some(), "frames could not be sent");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.spillway(&["detach", &self.inside]);
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}

/// Packets that left at a place.
fn left(status: &Value, place: &str) -> u64 {
    let all = status["packets"].as_array().unwrap();
    all.iter().find(|p| p["left"] == place).unwrap()["packets"].as_u64().unwrap()
}

fn decided(status: &Value, id: &str) -> (u64, u64) {
    let all = status["rules"].as_array().unwrap();
    let rule = all.iter().find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("no rule {id}: {status}"));
    (rule["packets"].as_u64().unwrap(), rule["dropped_packets"].as_u64().unwrap())
}

#[test]
fn rules_act_are_replaced_rolled_back_and_detached() {
    let Some(lab) = Lab::new("a") else { return };
    let scratch = Scratch::new("dataplane-a");
    let dns = scratch.file("dns.txt", b"dns proto udp src-port 53 -> drop\n");
    let ntp = scratch.file("ntp.txt", b"ntp proto udp src-port 123 -> drop\n");
    lab.attach(&["--rules", &dns]);
    lab.send(100, "192.0.2.1", 53);
    lab.send(40, "192.0.2.1", 123);
    let status = lab.status();
    assert_eq!(decided(&status, "dns"), (100, 100), "{status}");
    assert_eq!(left(&status, "dropped"), 100);
    assert!(left(&status, "unmatched") >= 40);
    assert_eq!(status["can_roll_back"], false);

    lab.attach(&["--rules", &ntp]);
    lab.send(30, "192.0.2.1", 123);
    assert_eq!(decided(&lab.status(), "ntp"), (30, 30));

    let back = lab.spillway(&["rollback", &lab.inside]);
    assert!(back.status.success(), "{}", stderr(&back));
    lab.send(7, "192.0.2.1", 53);
    assert_eq!(decided(&lab.status(), "dns"), (107, 107), "the set is whole, its counters too");
    let again = lab.spillway(&["rollback", &lab.inside]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(decided(&lab.status(), "dns"), (107, 107), "nothing has changed");

    for wanted in ["detached", "nothing was attached"] {
        let output = lab.spillway(&["detach", &lab.inside]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(wanted));
    }
    assert!(!std::path::Path::new("/sys/fs/bpf/spillway").join(&lab.inside).exists());
    assert_eq!(lab.spillway(&["status", &lab.inside]).status.code(), Some(1));
}

#[test]
fn lists_and_dry_runs() {
    let Some(lab) = Lab::new("b") else { return };
    let scratch = Scratch::new("dataplane-b");
    let rules = scratch.file("rules.txt", b"all proto udp -> drop\n");
    let allow = scratch.file("allow.txt", b"# friends\n192.0.2.7\n");
    let block = scratch.file("block.txt", b"192.0.2.0/24 # and others\n2001:db8::/32\n");
    lab.attach(&["--rules", &rules, "--allow", &allow, "--block", &block]);
    lab.send(10, "192.0.2.7", 5);
    lab.send(20, "192.0.2.8", 5);
    lab.send(30, "192.0.3.1", 5);
    let status = lab.status();
    assert_eq!((left(&status, "allowed"), left(&status, "blocked"), left(&status, "dropped")), (10, 20, 30));
    lab.attach(&["--rules", &rules, "--dry-run"]);
    lab.send(50, "192.0.3.1", 5);
    let status = lab.status();
    assert_eq!(decided(&status, "all"), (50, 50));
    assert_eq!(left(&status, "dropped"), 30, "nothing more");
    let wrong = scratch.file("wrong.txt", b"192.0.2.1\n300.0.0.1\n");
    let output = lab.spillway(&["attach", &lab.inside, "--block", &wrong]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("wrong.txt:2"), "{}", stderr(&output));
    let challenge = scratch.file("challenge.txt", b"c proto tcp -> challenge\n");
    let output = lab.spillway(&["attach", &lab.inside, "--rules", &challenge]);
    assert!(stderr(&output).contains("rule c"), "{}", stderr(&output));
    assert_eq!(decided(&lab.status(), "all"), (50, 50), "what was in force stays");
}

#[test]
fn no_packet_is_lost_while_rules_take_turns() {
    let Some(lab) = Lab::new("c") else { return };
    let scratch = Scratch::new("dataplane-c");
    let one = scratch.file("one.txt", b"one proto udp src-port 5 -> drop\n");
    let two = scratch.file("two.txt", b"two proto udp src-port 5 -> drop\nmore proto tcp -> drop\n");
    lab.attach(&["--rules", &one]);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| lab.send(100_000, "192.0.2.1", 5));
        while !sender.is_finished() {
            for rules in [&two, &one] {
                lab.attach(&["--rules", rules]);
            }
        }
    });
    let status = lab.status();
    assert_eq!(left(&status, "dropped"), 100_000, "{status}");
}
