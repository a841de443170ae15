//! `spillway dataplane` on a real interface: a pair of virtual ones in a network namespace, frames sent into one end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::challenges::TALK;
use crate::support::{Scratch, stderr};

/// A namespace with the pair; goes with the test.
pub(crate) struct Lab {
    pub(crate) namespace: String,
    /// Frames go in here.
    pub(crate) outside: String,
    /// Programs are attached here.
    pub(crate) inside: String,
}

pub(crate) fn run(program: &str, args: &[&str]) -> Option<Output> {
    Command::new(program).args(args).env("NO_COLOR", "1").output().ok()
}

pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    run(program, args).is_some_and(|output| output.status.success())
}

impl Lab {
    /// `None`, with the reason on standard error, where this machine cannot.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let id = std::process::id() % 1_000_000;
        let lab = Self {
            namespace: format!("spillway-{name}-{id}"),
            outside: format!("o{name}{id}"),
            inside: format!("i{name}{id}"),
        };
        // `ip` mounts what it makes, and others do so at the same time: that one is busy is no reason to give up at once.
        let add = || succeeds("ip", &["netns", "add", &lab.namespace]);
        let again = |_| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            add()
        };
        let made = (add() || (0..5).any(again))
            && lab
                .inside_ns("ip", &["link", "add", &lab.outside, "type", "veth", "peer", "name", &lab.inside])
                .is_some()
            && lab.inside_ns("ip", &["link", "set", &lab.outside, "up"]).is_some()
            && lab.inside_ns("ip", &["link", "set", &lab.inside, "up"]).is_some();
        if made && succeeds("python3", &["-c", "import socket"]) {
            return Some(lab);
        }
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "network namespaces, iproute2 and python3 are needed"
        );
        eprintln!("skipped: needs root, network namespaces, iproute2 and python3");
        None
    }

    /// Runs a program in the namespace; its output if it succeeded.
    pub(crate) fn inside_ns(&self, program: &str, args: &[&str]) -> Option<Output> {
        let path = format!("--net=/run/netns/{}", self.namespace);
        run("nsenter", &[&[&path, program][..], args].concat()).filter(|output| output.status.success())
    }

    pub(crate) fn spillway(&self, args: &[&str]) -> Output {
        let path = format!("--net=/run/netns/{}", self.namespace);
        let all = [&[&path, env!("CARGO_BIN_EXE_spillway"), "dataplane"][..], args].concat();
        run("nsenter", &all).unwrap()
    }

    pub(crate) fn attach(&self, args: &[&str]) {
        let output = self.spillway(&[&["attach", &self.inside][..], args].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.spillway(&["status", &self.inside, "-o", "json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn watch(&self) -> Watcher {
        let script = "import select,socket,sys\n\
            s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(0x800)); s.bind((sys.argv[1],0))\n\
            print('ready',flush=True); n=[0,0]\n\
            while True:\n\
            \x20 r,_,_=select.select([s,sys.stdin],[],[])\n\
            \x20 if s in r:\n\
            \x20\x20 p=s.recv(2048)[34:36]; n[0]+=p==b'\\x00\\x05'; n[1]+=p==b'\\x00\\x06'\n\
            \x20 elif r: break\n\
            print(*n)\n";
        let path = format!("--net=/run/netns/{}", self.namespace);
        let mut child = Command::new("nsenter")
            .args([&path, "python3", "-c", script, &self.inside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It listens once it says so.
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        Watcher(child)
    }

    /// Sends so many UDP packets from this port, each in a frame.
    pub(crate) fn send(&self, count: u32, src: &str, src_port: u16) {
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
        for interface in [&self.inside, &self.outside] {
            let _ = self.spillway(&["detach", interface]);
        }
        let _ = run("ip", &["netns", "del", &self.namespace]);
    }
}

/// Counts what comes through to the network stack.
struct Watcher(std::process::Child);

impl Watcher {
    /// UDP packets from port 5 and from port 6.
    fn seen(mut self) -> (u32, u32) {
        drop(self.0.stdin.take());
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.wait().unwrap();
        let (five, six) = text.trim().split_once(' ').unwrap();
        (five.parse().unwrap(), six.parse().unwrap())
    }
}

/// Packets that left at a place.
pub(crate) fn left(status: &Value, place: &str) -> u64 {
    let all = status["packets"].as_array().unwrap();
    all.iter().find(|p| p["left"] == place).unwrap()["packets"].as_u64().unwrap()
}

pub(crate) fn decided(status: &Value, id: &str) -> (u64, u64) {
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
fn rules_read_from_maps_act_alike_and_status_says_so() {
    let Some(lab) = Lab::new("f") else { return };
    let scratch = Scratch::new("dataplane-f");
    let rules = scratch
        .file("rules.txt", b"six @1 proto udp src-port 6 -> pass\nall @2 proto udp src-port 5-7 -> drop\n");
    let mut before = 0;
    for engine in ["maps", "tree", "auto"] {
        let attach = ["attach", &lab.inside, "--rules", &rules, "--engine", engine, "-o", "json"];
        let output = lab.spillway(&attach);
        assert!(output.status.success(), "{}", stderr(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let wanted = if engine == "maps" { "maps" } else { "tree" };
        assert_eq!(report["engine"], wanted, "{report}");
        assert!(
            report["no_tree"].is_null() && report["verified_instructions"].as_u64() > Some(0),
            "{report}"
        );
        let programs = report["programs"].as_array().unwrap();
        assert!(
            programs.iter().all(|program| program["verified_instructions"].as_u64() > Some(0)),
            "{report}"
        );
        lab.send(10, "192.0.2.1", 5);
        lab.send(20, "192.0.2.1", 6);
        let status = lab.status();
        assert_eq!((&status["engine"], &status["engine_fallbacks"]), (&wanted.into(), &0.into()), "{status}");
        assert_eq!((decided(&status, "all"), decided(&status, "six")), ((10, 10), (20, 0)), "{status}");
        assert_eq!(left(&status, "dropped") - before, 10);
        before = left(&status, "dropped");
    }
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
    let redirect = scratch.file("redirect.txt", b"c proto tcp -> redirect 192.0.2.1\n");
    let forwarding = format!("/proc/sys/net/ipv4/conf/{}/forwarding", lab.inside);
    lab.inside_ns("sh", &["-c", &format!("echo 0 > {forwarding}")]).unwrap();
    let output = lab.spillway(&["attach", &lab.inside, "--rules", &redirect]);
    let wanted = format!("net.ipv4.conf.{}.forwarding is 0", lab.inside);
    assert!(stderr(&output).contains(&wanted), "{}", stderr(&output));
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
    // Other programs have other counters; that no packet passes between them is seen behind the interface.
    let watcher = lab.watch();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| lab.send(20_000, "192.0.2.1", 5));
        while !sender.is_finished() {
            lab.attach(&["--rules", &one, "--reload"]);
        }
    });
    lab.send(3, "192.0.2.1", 6);
    assert_eq!(watcher.seen(), (0, 3), "packets from port 5 and from port 6 that came through");
}

#[test]
fn an_attach_that_is_killed_leaves_the_old_or_the_new_set_whole() {
    let Some(lab) = Lab::new("e") else { return };
    let scratch = Scratch::new("dataplane-e");
    let one = scratch.file("one.txt", b"one proto udp src-port 5 -> drop\n");
    let two = scratch.file("two.txt", b"two proto udp src-port 5 -> drop\nmore proto tcp -> drop\n");
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let (mut dropped, mut new) = (0, 0);
    lab.attach(&["--rules", &one]);
    // Kills are spread over the time that an attach takes here, and a little behind it, by the golden ratio: evenly and in no
    // order. On a busy machine, over its first part, so that all of them end in time.
    let attaches = std::time::Instant::now();
    lab.attach(&["--rules", &two]);
    lab.attach(&["--rules", &one]);
    let longest = attaches.elapsed().mul_f64(0.6).min(std::time::Duration::from_secs(2));
    for turn in 0..20u32 {
        let instant = longest.mul_f64((f64::from(turn) * 0.618_034).fract());
        let rules = if turn % 2 == 0 { &two } else { &one };
        let binary = env!("CARGO_BIN_EXE_spillway");
        let mut attach = Command::new("nsenter")
            .args([&path, binary, "dataplane", "attach", &lab.inside, "--rules", rules])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(instant);
        let _ = attach.kill();
        attach.wait().unwrap();
        let before = lab.status();
        let ids: Vec<&str> =
            before["rules"].as_array().unwrap().iter().filter_map(|r| r["id"].as_str()).collect();
        assert!(
            ids == ["one"] || ids == ["two", "more"] || ids == ["more", "two"],
            "killed after {instant:?}: {before}"
        );
        lab.send(10, "192.0.2.1", 5);
        dropped += 10;
        let after = lab.status();
        assert_eq!(left(&after, "dropped"), dropped, "killed after {instant:?}: {after}");
        let wanted = if turn % 2 == 0 { "two" } else { "one" };
        new += u32::from(ids.contains(&wanted));
    }
    println!("{new} of 20 were in force when they were killed, {longest:?} at the latest");
}

/// A process that ends with the test.
pub(crate) struct Server(pub(crate) std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A namespace that ends with the test.
pub(crate) struct Namespace(pub(crate) String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "del", &self.0]);
    }
}

#[test]
fn a_challenge_is_met_by_real_clients() {
    let Some(lab) = Lab::new("d") else { return };
    let client = format!("{}-client", lab.namespace);
    let in_client = |args: &[&str]| {
        run("nsenter", &[&[&format!("--net=/run/netns/{client}") as &str][..], args].concat())
            .filter(|output| output.status.success())
    };
    assert!(succeeds("ip", &["netns", "add", &client]));
    let _client = Namespace(client.clone());
    lab.inside_ns("ip", &["link", "set", &lab.outside, "netns", &client]).unwrap();
    for (near, address4, address6) in
        [(true, "10.9.0.1/24", "fd00:9::1/64"), (false, "10.9.0.2/24", "fd00:9::2/64")]
    {
        let name = if near { &lab.inside } else { &lab.outside };
        let ip = |args: &[&str]| {
            if near { lab.inside_ns("ip", args) } else { in_client(&[&["ip"][..], args].concat()) }
        };
        ip(&["address", "add", address4, "dev", name]).unwrap();
        ip(&["address", "add", address6, "dev", name, "nodad"]).unwrap();
        ip(&["link", "set", "lo", "up"]).unwrap();
        ip(&["link", "set", name, "up"]).unwrap();
    }
    // Answers are sent by the driver; the other end of a virtual pair takes them only where it has a program too, or GRO.
    in_client(&[env!("CARGO_BIN_EXE_spillway"), "dataplane", "attach", &lab.outside]).unwrap();
    let write = |name: &str, value: &str| format!("echo {value} > /proc/sys/net/ipv4/{name}");
    let set = |name: &str, value: &str| lab.inside_ns("sh", &["-c", &write(name, value)]).unwrap();
    let scratch = Scratch::new("dataplane-d");
    let rules =
        scratch.file("rules.txt", b"syn proto tcp dst-port 8080 tcp-flags syn/syn+ack -> challenge\n");
    set("tcp_syncookies", "1");
    let refused = lab.spillway(&["attach", &lab.inside, "--rules", &rules]);
    assert!(stderr(&refused).contains("net.ipv4.tcp_syncookies"), "{}", stderr(&refused));
    set("tcp_syncookies", "2");
    let path = format!("--net=/run/netns/{}", lab.namespace);
    let mut server = Command::new("nsenter");
    server.args([&path, "python3", "-c", TALK, "serve"]).stdout(Stdio::piped());
    let mut server = Server(server.spawn().unwrap());
    let mut ready = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    let mut challenged = 0;
    for timestamps in ["2", "1", "0"] {
        set("tcp_timestamps", timestamps);
        lab.attach(&["--rules", &rules]);
        for (address, sack) in [("10.9.0.1", "1"), ("fd00:9::1", "1"), ("10.9.0.1", "0")] {
            in_client(&["sh", "-c", &write("tcp_sack", sack)]).unwrap();
            let said = in_client(&["python3", "-c", TALK, "ask", address, "50"]).unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert_eq!(said.trim(), "50", "{address}, timestamps {timestamps}: {}", lab.status());
            challenged += 50;
        }
    }
    let status = lab.status();
    assert!(left(&status, "challenged") >= challenged, "{status}");
    let _ = in_client(&[env!("CARGO_BIN_EXE_spillway"), "dataplane", "detach", &lab.outside]);
}
