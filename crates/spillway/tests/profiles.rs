//! Profiles before real servers and their clients, and before recordings of them: every packet of theirs passes, and of a flood
//! of anything nothing does.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::challenges::Lab;
use crate::support::{Scratch, stderr};

/// A process that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends so many datagrams of random octets, of all lengths, to a port.
const FLOOD: &str = r"
import random,socket,sys
a,port,count=sys.argv[1],int(sys.argv[2]),int(sys.argv[3])
r=random.Random(5)
s=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET,socket.SOCK_DGRAM)
for _ in range(count):
    try: s.sendto(r.randbytes(r.randint(0,1400)),(a,port))
    except OSError: pass
";

/// Whether programs are there; where tests must run, they have to be.
fn has(programs: &[&str]) -> bool {
    let found = |program: &&&str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let missing: Vec<_> = programs.iter().filter(|program| !found(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "missing: {missing:?}");
    eprintln!("skipped: needs {missing:?}");
    false
}

/// What the last rules of profiles have decided and dropped: packets of no shape.
fn others(status: &Value) -> (u64, u64) {
    let rules = status["rules"].as_array().unwrap();
    let others = rules.iter().filter(|rule| rule["id"].as_str().unwrap().ends_with("-other"));
    let count = |rule: &Value, key: &str| rule[key].as_u64().unwrap();
    others.fold((0, 0), |(all, dropped), rule| {
        (all + count(rule, "packets"), dropped + count(rule, "dropped_packets"))
    })
}

/// What all rules have passed on to the service.
fn passed(status: &Value) -> u64 {
    let rules = status["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| rule["packets"].as_u64().unwrap() - rule["dropped_packets"].as_u64().unwrap())
        .sum()
}

/// Floods a port from the client with random octets: of 2,000 datagrams, nothing (or next to nothing) passes.
fn flood(lab: &Lab, port: u16, most: u64) {
    for address in ["10.1.0.1", "fd01::1"] {
        let before = lab.status();
        let sent = lab
            .command("client", "python3", &["-c", FLOOD, address, &port.to_string(), "1000"])
            .status()
            .unwrap();
        assert!(sent.success());
        let after = lab.status();
        let came = passed(&after) - passed(&before);
        let (_, dropped) = others(&after);
        assert!(dropped - others(&before).1 >= 900, "{after}");
        assert!(came <= most, "{came} of 1000 random datagrams passed: {after}");
    }
}

const ZONE: &str = "$ORIGIN example.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n@ MX 10 ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\ntext TXT \"hello\"\n";

fn knot(lab: &Lab, scratch: &Scratch) -> Service {
    let zone = scratch.file("example.zone", ZONE.as_bytes());
    let folder = std::path::Path::new(&zone).parent().unwrap().display().to_string();
    let settings = format!(
        "server:\n  rundir: {folder}\n  listen: [ 10.1.0.1@53, fd01::1@53 ]\ndatabase:\n  storage: {folder}\nzone:\n  - domain: example.\n    file: {zone}\n"
    );
    let settings = scratch.file("knot.conf", settings.as_bytes());
    let child = lab
        .command("gateway", "knotd", &["-c", &settings])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let service = Service(child);
    for _ in 0..50 {
        if lab
            .sh("gateway", "kdig +short +timeout=1 +retry=0 @10.1.0.1 example. SOA")
            .is_some_and(|said| said.contains("hostmaster"))
        {
            return service;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("knotd does not answer");
}

/// Asks for this and that; how many questions.
fn ask_knot(lab: &Lab, options: &str) -> u64 {
    let mut asked = 0;
    for address in ["10.1.0.1", "fd01::1"] {
        for question in
            ["example. SOA", "example. MX", "ns.example. A", "ns.example. AAAA", "text.example. TXT"]
        {
            for more in ["", "+edns +bufsize=1232", "+dnssec +nsid", "+cookie", "+padding"] {
                let line = format!("kdig {options} {more} +timeout=3 +retry=1 @{address} {question}");
                let said = lab.sh("client", &line).unwrap_or_else(|| panic!("{line}: {}", lab.status()));
                assert!(said.contains("status: NOERROR") && said.contains("ANSWER: 1"), "{line}: {said}");
                asked += 1;
            }
        }
    }
    asked
}

#[test]
fn a_name_server_gets_its_queries_and_nothing_else() {
    if !has(&["knotd", "kdig"]) {
        return;
    }
    let Some(lab) = Lab::new("pd") else { return };
    let scratch = Scratch::new("profiles-dns");
    let _knot = knot(&lab, &scratch);
    let attached = lab.attach(&["--profile", "dns=10.1.0.1", "--profile", "dns=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    let asked = ask_knot(&lab, "");
    let status = lab.status();
    assert_eq!(others(&status), (0, 0), "{status}");
    assert!(passed(&status) >= asked, "{status}");
    flood(&lab, 53, 0);
    ask_knot(&lab, "");
}

#[test]
fn a_resolver_that_is_sent_to_tcp_comes_by_tcp_and_is_let_in() {
    if !has(&["knotd", "kdig"]) {
        return;
    }
    let Some(lab) = Lab::new("pt") else { return };
    let scratch = Scratch::new("profiles-tc");
    let _knot = knot(&lab, &scratch);
    lab.sh("gateway", "echo 2 > /proc/sys/net/ipv4/tcp_syncookies").unwrap();
    let attached = lab.attach(&["--profile", "dns-tc=10.1.0.1", "--profile", "dns-tc=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    ask_knot(&lab, "");
    let status = lab.status();
    assert_eq!(others(&status), (0, 0), "{status}");
    // The first query of each family is sent to TCP; what the handshake proves lets the others in.
    assert!((2..=4).contains(&lab.left("truncated")), "{status}");
    assert!(lab.left("challenged") >= 2 && lab.left("proven") >= 40, "{status}");
    // Who asks without coming by TCP gets short answers only.
    lab.attach(&["--profile", "dns-tc=10.1.0.1", "--reload"]);
    for _ in 0..5 {
        let said = lab.sh("client", "kdig +ignore +retry=0 @10.1.0.1 example. SOA").unwrap();
        assert!(said.contains("tc") && said.contains("ANSWER: 0"), "{said}");
    }
    assert_eq!(lab.left("truncated"), 5);
}

#[test]
fn a_tunnel_of_wireguard_stands_behind_its_profile() {
    if !has(&["wireguard-go", "wg", "ping"]) {
        return;
    }
    let Some(lab) = Lab::new("pw") else { return };
    let key = |place: &str| lab.sh(place, "wg genkey").unwrap().trim().to_owned();
    let scratch = Scratch::new("profiles-wg");
    let (server, client) = (key("gateway"), key("client"));
    let public = |key: &str| {
        let mut child =
            Command::new("wg").arg("pubkey").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
    };
    let attached = lab.attach(&["--profile", "wireguard=10.1.0.1", "--profile", "wireguard=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    let mut running = Vec::new();
    for (place, own, other, end) in [
        ("gateway", &server, &client, ""),
        ("client", &client, &server, "Endpoint = ENDPOINT\nPersistentKeepalive = 1\n"),
    ] {
        let name = lab.name(if place == "client" { "wc" } else { "wg" });
        let child =
            lab.command(place, "wireguard-go", &["-f", &name]).env("LOG_LEVEL", "silent").spawn().unwrap();
        running.push((Service(child), name.clone()));
        let port = if place == "gateway" { "ListenPort = 51820\n" } else { "" };
        for (number, endpoint) in ["10.1.0.1:51820", "[fd01::1]:51820"].into_iter().enumerate() {
            let net = if place == "gateway" { 1 } else { 2 };
            let text = format!(
                "[Interface]\nPrivateKey = {own}\n{port}[Peer]\nPublicKey = {}\nAllowedIPs = 10.9.0.0/24\n{}",
                public(other),
                end.replace("ENDPOINT", endpoint)
            );
            let file = scratch.file(&format!("{place}-{number}.conf"), text.as_bytes());
            if number == 0 {
                let up = format!(
                    "for i in 1 2 3 4 5 6 7 8 9; do wg setconf {name} {file} && break; sleep 0.3; done; \
                     ip address add 10.9.0.{net}/24 dev {name}; ip link set {name} up mtu 1380"
                );
                lab.sh(place, &up).unwrap();
            }
        }
    }
    let folder = scratch.file("x", b"");
    let folder = std::path::Path::new(&folder).parent().unwrap().display().to_string();
    for number in [0, 1] {
        let name = &running[1].1;
        lab.sh("client", &format!("wg setconf {name} {folder}/client-{number}.conf")).unwrap();
        // The handshake is tried again after five seconds (§6.4).
        let up = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do ping -c 1 -W 1 10.9.0.1 && exit 0; done; exit 1";
        assert!(lab.sh("client", up).is_some(), "no handshake: {}", lab.status());
        let said = lab.sh("client", "ping -c 20 -i 0.05 -W 5 -s 1000 10.9.0.1").unwrap();
        assert!(said.contains(" 0% packet loss"), "{said}: {}", lab.status());
    }
    let status = lab.status();
    assert_eq!(others(&status), (0, 0), "{status}");
    assert!(passed(&status) >= 40, "{status}");
    // A tunnel keeps itself alive each second, and that is none of the flood: its client ends.
    drop(running.pop());
    flood(&lab, 51820, 0);
}

/// Answers the queries of a Source server; clients are real, the server is this.
const SOURCE: &str = r"
import socket
s=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,0)
s.bind(('::',27015)); print('ready',flush=True)
f=b'\xff\xff\xff\xff'
while True:
    d,a=s.recvfrom(2048)
    k=d[4:5]
    if k==b'T': s.sendto(f+b'I\x11name\0map\0tf\0game\0'+b'\xb8\x01\x02\x18\0dl\0\x011.0\0',a)
    elif k in b'UVW' and (len(d)<9 or d[5:9]==f): s.sendto(f+b'A\x01\x02\x03\x04',a)
    elif k==b'U': s.sendto(f+b'D\x01\0player\0\x05\0\0\0\0\0\x80\x3f',a)
    elif k==b'V': s.sendto(f+b'E\x01\0sv_x\x001\0',a)
";

#[test]
fn a_server_of_the_source_engine_is_asked_by_a_real_client() {
    if !has(&["quakestat"]) {
        return;
    }
    let Some(lab) = Lab::new("ps") else { return };
    let mut child =
        lab.command("gateway", "python3", &["-c", SOURCE]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let _server = Service(child);
    let attached = lab.attach(&["--profile", "source-engine=10.1.0.1", "--profile", "source-engine=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    for _ in 0..10 {
        let said = lab.sh("client", "quakestat -P -R -timeout 3 -a2s 10.1.0.1:27015").unwrap();
        assert!(
            said.contains("name") && said.contains("player") && said.contains("sv_x"),
            "{said}: {}",
            lab.status()
        );
    }
    let status = lab.status();
    assert_eq!(others(&status), (0, 0), "{status}");
    assert!(passed(&status) >= 30, "{status}");
    // One in 2^16 looks like a player's.
    flood(&lab, 27015, 2);
}

/// The rules of a profile before a recording; how many of its packets they pass.
fn recorded(profile: &str, file: &str, packets: u64) {
    let spillway = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_spillway")).arg("rules").args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output.stdout
    };
    let scratch = Scratch::new(&format!("profiles-{profile}"));
    let rules = scratch.file("rules.txt", &spillway(&["profile", profile, "--dst", "192.0.2.7"]));
    let path = format!("{}/tests/profiles/{file}", env!("CARGO_MANIFEST_DIR"));
    let counts: Value = serde_json::from_slice(&spillway(&["eval", &rules, &path, "-o", "json"])).unwrap();
    assert_eq!((counts["packets"].as_u64(), counts["unmatched_packets"].as_u64()), (Some(packets), Some(0)));
    let text = std::fs::read_to_string(&rules).unwrap();
    for rule in counts["rules"].as_array().unwrap() {
        let id = rule["id"].as_str().unwrap();
        let passes = text.lines().any(|line| line.starts_with(&format!("{id} ")) && line.contains("-> pass"));
        assert!(passes || rule["decided_packets"] == 0, "{id} decides real packets: {counts}");
    }
}

#[test]
fn what_clients_of_quic_and_bedrock_were_recorded_to_send_passes() {
    // Versions 1 and 2, resumption, a bulk transfer and a key update of aioquic; addresses are rewritten.
    recorded("quic", "quic-aioquic-1.7.2.pcap", 87);
    // Pings of mcstatus: no client of the game itself is free to record.
    recorded("minecraft-bedrock", "bedrock-mcstatus-14.2.0.pcap", 5);
}

#[test]
fn a_flood_of_random_octets_ends_at_the_profiles_that_can_tell() {
    let Some(lab) = Lab::new("pf") else { return };
    let attached =
        lab.attach(&["--profile", "minecraft-bedrock=10.1.0.1", "--profile", "minecraft-bedrock=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    // One in 2^12 looks like a datagram.
    flood(&lab, 19132, 4);
    // Of QUIC, short headers say nothing: a quarter passes, and that is all. Long ones are told.
    let attached = lab.attach(&["--profile", "quic=10.1.0.1", "--profile", "quic=fd01::1"]);
    assert!(attached.status.success(), "{}", stderr(&attached));
    let sent = lab.command("client", "python3", &["-c", FLOOD, "10.1.0.1", "443", "2000"]).status().unwrap();
    assert!(sent.success());
    let status = lab.status();
    let rules = status["rules"].as_array().unwrap();
    let short = rules.iter().find(|rule| rule["id"] == "quic.1-13").unwrap()["packets"].as_u64().unwrap();
    assert!((400..600).contains(&short), "{status}");
    assert!(
        passed(&status) - short <= 40,
        "long headers of versions nobody knows, in whole datagrams: {status}"
    );
}
