//! Real tools in network namespaces: their packets have the shapes that the rules say, and ordinary ones have none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use base::Timestamp;
use intel::{Packet, Rules};
use wire::packet::{Link, network, parse};

/// A sender and a receiver with a wire between them; gone with this value.
struct Wire {
    names: [String; 2],
    capture: PathBuf,
}

const SENDER: &str = "10.77.0.1";
const RECEIVER: &str = "10.77.0.2";

impl Wire {
    /// `None` where namespaces or a tool are missing, which is said.
    fn lay(name: &str, tools: &[&str]) -> Option<Self> {
        for tool in [&["ip", "dumpcap"], tools].concat() {
            if Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                return missing(&format!("{tool}; `scripts/setup core lab` brings it"));
            }
        }
        let pid = std::process::id();
        let names = ["a", "b"].map(|end| format!("spw-{name}-{end}-{pid}"));
        let capture = std::env::temp_dir().join(format!("spillway-intel-{name}-{pid}.pcap"));
        let wire = Self { names, capture };
        let [a, b] = &wire.names;
        if !ip(&["netns", "add", a]).status.success() {
            return missing("root and network namespaces");
        }
        let laid = [
            format!("netns add {b}"),
            format!("-n {a} link add v0 type veth peer name v1 netns {b}"),
            format!("-n {a} addr add {SENDER}/24 dev v0"),
            format!("-n {b} addr add {RECEIVER}/24 dev v1"),
            format!("-n {a} link set v0 up"),
            format!("-n {b} link set v1 up"),
            format!("-n {a} route add default via {RECEIVER}"),
        ];
        for line in laid {
            let output = ip(&line.split(' ').collect::<Vec<_>>());
            assert!(output.status.success(), "ip {line}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Some(wire)
    }

    fn command(&self, end: usize, line: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[end], "timeout", "40"]).args(line.split(' '));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What arrives at the receiver while `work` goes on, but for its own packets.
    fn watch(&self, work: impl FnOnce(&Self)) -> Vec<Vec<u8>> {
        let file = self.capture.to_str().unwrap();
        let dumpcap = format!("dumpcap -P -q -i v1 -w {file}");
        let mut watcher = Ended(self.command(1, &dumpcap).spawn().unwrap());
        // It has begun when its file has a header.
        for _ in 0..400 {
            if std::fs::metadata(&self.capture).is_ok_and(|file| file.len() >= 24) {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        std::thread::sleep(Duration::from_millis(200));
        work(self);
        std::thread::sleep(Duration::from_millis(1_500));
        watcher.end();
        packets(&std::fs::read(&self.capture).unwrap())
    }

    fn mac(&self) -> String {
        let output = ip(&["-n", &self.names[1], "-o", "link", "show", "v1"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&["netns", "del", name]);
        }
        let _ = std::fs::remove_file(&self.capture);
    }
}

/// A program that ends with this value.
struct Ended(Child);

impl Ended {
    fn end(&mut self) {
        // `timeout` passes the signal on to what it runs.
        let _ = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says so; where everything has to be there it is a failure.
fn missing<T>(what: &str) -> Option<T> {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "needs {what}");
    println!("skipped: needs {what}");
    None
}

fn ip(args: &[&str]) -> Output {
    Command::new("ip").args(args).output().unwrap()
}

/// The frames of a little-endian pcap file (libpcap's savefile format), as far as they are whole.
fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = file.get(24..).unwrap_or_default();
    let mut packets = Vec::new();
    while let Some(header) = rest.first_chunk::<16>() {
        let length = usize::try_from(u32::from_le_bytes(header[8..12].try_into().unwrap())).unwrap();
        let Some(packet) = rest.get(16..16 + length) else { break };
        packets.push(packet.to_vec());
        rest = &rest[16 + length..];
    }
    packets
}

/// IPv4 packets that the receiver did not send, by the names of the tools they look like.
fn names(rules: &Rules, frames: &[Vec<u8>]) -> BTreeMap<Option<String>, usize> {
    let mut names = BTreeMap::new();
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap();
        let Ok(parsed) = parse(Link::Ethernet, frame, length) else { continue };
        if parsed.headers.src == RECEIVER.parse::<std::net::IpAddr>().unwrap()
            || !parsed.headers.src.is_ipv4()
        {
            continue;
        }
        let packet = Packet {
            at: Timestamp::ZERO,
            headers: &parsed.headers,
            ip: network(Link::Ethernet, frame).unwrap(),
            transport: parsed.transport,
            payload: parsed.payload,
            packets: 1,
            bytes: u64::from(length),
            single: true,
        };
        let name = rules.tool(&packet).map(|place| rules.tools[place].name.clone());
        *names.entry(name).or_default() += 1;
    }
    names
}

fn named(told: &BTreeMap<Option<String>, usize>, name: &str, least: usize) {
    let all: usize = told.values().sum();
    let right = told.get(&Some(name.to_owned())).copied().unwrap_or(0);
    assert!(all >= least && right * 100 >= all * 99, "{name}: {told:?}");
}

#[test]
fn real_hping3_is_recognised_in_99_of_100_packets() {
    let Some(wire) = Wire::lay("hping", &["hping3"]) else { return };
    let rules = Rules::embedded().unwrap();
    let told = names(
        &rules,
        &wire.watch(|wire| {
            for what in
                ["-S -p 80", "-S -p 81 --rand-source", "-A -p 82", "-2 -p 83", "-2 -d 100 -p 84", "-1"]
            {
                let line = format!("hping3 -q -c 200 -i u1000 {what} {RECEIVER}");
                assert!(wire.command(0, &line).status().is_ok(), "{line}");
            }
        }),
    );
    println!("{told:?}");
    named(&told, "hping3", 1_100);
}

#[test]
fn real_masscan_is_recognised_in_99_of_100_packets() {
    let Some(wire) = Wire::lay("masscan", &["masscan"]) else { return };
    let rules = Rules::embedded().unwrap();
    let told = names(
        &rules,
        &wire.watch(|wire| {
            let mac = wire.mac().replace(':', "-");
            let line = format!(
                "masscan --adapter v0 --adapter-ip {SENDER} --router-mac {mac} -p8000-8299 {RECEIVER} --rate 2000 --wait 1"
            );
            assert!(wire.command(0, &line).status().is_ok(), "{line}");
        }),
    );
    println!("{told:?}");
    named(&told, "masscan", 290);
}

#[test]
fn real_zmap_is_recognised_in_99_of_100_packets() {
    let Some(wire) = Wire::lay("zmap", &["zmap"]) else { return };
    let rules = Rules::embedded().unwrap();
    let told = names(
        &rules,
        &wire.watch(|wire| {
            let line = format!(
                "zmap -q -p 443 -i v0 -S {SENDER} -G {} -r 2000 -c 1 -b /dev/null -o /dev/null 10.99.0.0/24",
                wire.mac()
            );
            assert!(wire.command(0, &line).status().is_ok(), "{line}");
        }),
    );
    println!("{told:?}");
    named(&told, "ZMap", 200);
}

#[test]
fn connections_and_pings_of_a_real_kernel_look_like_no_tool() {
    let Some(wire) = Wire::lay("kernel", &["ping", "python3"]) else { return };
    let rules = Rules::embedded().unwrap();
    let serve = "import socket
s = socket.create_server(('', 8080))
while True:
    c, _ = s.accept()
    c.recv(100)
    c.sendall(b'x' * 50000)
    c.close()";
    let ask = format!(
        "import socket, time
for n in range(50):
    for wait in range(100):
        try:
            c = socket.create_connection(('{RECEIVER}', 8080))
            break
        except OSError:
            time.sleep(0.1)
    c.sendall(b'GET / HTTP/1.0\\r\\nHost: a\\r\\n\\r\\n')
    while c.recv(65536):
        pass
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(50):
    u.sendto(b'hello', ('{RECEIVER}', 9000))"
    );
    let told = names(
        &rules,
        &wire.watch(|wire| {
            let mut server = wire.command(1, "python3 -c");
            let _server = Ended(server.arg(serve).spawn().unwrap());
            assert!(wire.command(0, &format!("ping -c 20 -i 0.05 {RECEIVER}")).status().is_ok());
            assert!(wire.command(0, "python3 -c").arg(&ask).status().unwrap().success());
        }),
    );
    println!("{told:?}");
    assert!(told.len() == 1 && told.get(&None).is_some_and(|all| *all >= 400), "{told:?}");
}
