//! B3 from end to end: at an interface where only a customer's cone may come in, whoever else does is called forged.

use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::{Span, Timestamp};
use serde_json::Value;
use sim::dump::{record, sequence};

use crate::daemon::{Daemon, config, wait_for};
use crate::support::{Scratch, json_lines, pcap_at, spillway, stderr, udp};

/// The exporter of [`udp`]'s packets.
const RECORDED: &str = "192.0.2.1";
/// The exporter that tells the daemon.
const ROUTER: &str = "127.0.9.1";
const PATIENCE: Duration = Duration::from_secs(60);

/// A table dump in which the customer is named (or not), with a customer of its own.
fn dump(customer: u32) -> Vec<u8> {
    let route = |prefix: &str, path: &[u32]| record(prefix.parse().unwrap(), &[vec![sequence(path)]]);
    [route("20.0.0.0/8", &[customer, customer, 64_501]), route("30.0.0.0/8", &[64_499, 64_600])].concat()
}

/// A NetFlow v5 datagram of 1:1000 sampled SYNs: a third by the customer's interface in its own names, one by it in those of
/// others, and one by a provider in theirs.
fn told(at: Timestamp, sequence: u32) -> Vec<u8> {
    let nanos = u32::try_from(at.nanos() % 1_000_000_000).unwrap();
    let mut out = [5u16, 30].map(u16::to_be_bytes).concat();
    let uptime = 3_600_000;
    for word in [uptime, u32::try_from(at.secs()).unwrap(), nanos, sequence] {
        out.extend(u32::to_be_bytes(word));
    }
    out.extend([0, 0, 0x40 | 3, 0xe8]);
    for n in 0..30u8 {
        let [_, _, x, y] = sequence.to_be_bytes();
        let (source, interface) = match n % 3 {
            0 => ([20, 0, 0, n], 1),
            1 => ([30, x, y, n], 1),
            _ => ([30, 128 | x, y, n], 2),
        };
        out.extend(source);
        out.extend([198, 18, 7, 7, 0, 0, 0, 0, 0, interface, 0, 9]);
        for word in [1, 60, uptime - 20, uptime - 20] {
            out.extend(u32::to_be_bytes(word));
        }
        out.extend([0x9c, 0x40, 1, 187, 0, 2, 6, 0]);
        out.extend([0; 8]);
    }
    out
}

fn settings(exporter: &str, dump: &str, cone: &str) -> String {
    format!(
        "[detection]\nfloor = \"low\"\n[intel]\nmrt = [\"{dump}\"]\n[exporters.\"{exporter}\".interfaces]\n\
         1 = {{ name = \"cust-1\", asn = 64500{cone} }}\n2 = {{ name = \"transit-1\", asn = 64499 }}\n"
    )
}

/// Verdict and whether B3 is said, of sources whose address begins so.
fn said(sources: &[Value], begins: impl Fn(&str) -> bool) -> Vec<(String, bool)> {
    let ours = sources.iter().filter(|source| begins(source["address"].as_str().unwrap()));
    let one = |source: &Value| {
        let b3 = source["reasons"].as_array().unwrap().iter().any(|reason| reason == "B3");
        (source["verdict"].as_str().unwrap().to_owned(), b3)
    };
    ours.map(one).collect()
}

fn by_customer(address: &str) -> bool {
    let mut parts = address.split('.').map(|part| part.parse::<u8>().unwrap());
    parts.next() == Some(30) && parts.next().unwrap() < 128
}

fn by_provider(address: &str) -> bool {
    address.starts_with("30.") && !by_customer(address)
}

#[test]
fn a_recording_tells_who_came_in_by_a_customer_that_has_no_such_network_behind_it() {
    let start = Timestamp::from_secs(1_700_000_000);
    let datagrams = (0..60u32).map(|n| {
        let at = start.plus(Span::from_millis(u64::from(n) * 50));
        (at, udp(&told(at, n * 30)))
    });
    let scratch = Scratch::new("cone-replay");
    let capture = scratch.file("export.pcap", &pcap_at(101, datagrams));
    for (name, customer, cone, expected) in [
        ("named", 64_500, ", cone = true", true),
        ("open", 64_500, "", false),
        ("silent", 64_510, ", cone = true", false),
    ] {
        let dump = scratch.file("rib.mrt", &dump(customer));
        let config = config(&scratch, "", &settings(RECORDED, &dump, cone));
        let folder = scratch.path(name);
        let args =
            ["replay", &capture, "--config", &config, "--dossier", folder.to_str().unwrap(), "-o", "jsonl"];
        let output = spillway(args);
        assert!(output.status.success(), "{}", stderr(&output));
        let id = json_lines(&output)[0]["id"].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(folder.join(&id).join("sources.jsonl")).unwrap();
        let sources: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let forged = said(&sources, by_customer);
        assert!(forged.len() > 400 && forged.iter().all(|(_, b3)| *b3 == expected), "{name}: {forged:?}");
        assert!(!expected || forged.iter().all(|(verdict, _)| verdict == "spoofed"), "{forged:?}");
        let own = said(&sources, |address| address.starts_with("20."));
        assert!(own.len() == 10 && own.iter().all(|(verdict, b3)| verdict != "spoofed" && !b3), "{own:?}");
        let others = said(&sources, by_provider);
        assert!(others.len() > 400 && others.iter().all(|(_, b3)| !b3), "{others:?}");
        // Who let them in is told so.
        let report = folder.join(&id).join("xarf/neighbour-AS64500.json");
        assert_eq!(report.is_file(), expected, "{name}");
        assert!(!expected || std::fs::read_to_string(&report).unwrap().contains("cust-1"));
    }
}

#[test]
fn the_daemon_tells_who_came_in_by_a_customer_that_has_no_such_network_behind_it() {
    let scratch = Scratch::new("cone-daemon");
    let dump = scratch.file("rib.mrt", &dump(64_500));
    let daemon = Daemon::start(&config(&scratch, "", &settings(ROUTER, &dump, ", cone = true")));
    let sender = UdpSocket::bind((ROUTER, 0)).unwrap();
    let mut sequence = 0;
    let sources = wait_for("its sources", PATIENCE, || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap());
        for _ in 0..2 {
            sender.send_to(&told(now, sequence), daemon.listen(1)).unwrap();
            sequence += 30;
        }
        let attacks = daemon.attacks();
        let id = attacks.iter().find(|attack| attack["severity"] == "attack")?["id"].as_str()?.to_owned();
        let within = |network: &str| {
            let (status, body) = daemon.get(&format!("/api/v1/attacks/{id}/sources?within={network}"));
            let page: Value = (status == 200).then(|| serde_json::from_str(&body).unwrap())?;
            page["items"].as_array().cloned().filter(|items| !items.is_empty())
        };
        let all = ["20.0.0.0/8", "30.0.0.0/9", "30.128.0.0/9"].map(within);
        all.into_iter().collect::<Option<Vec<_>>>().map(|all| all.concat())
    });
    assert!(said(&sources, by_customer).iter().all(|(verdict, b3)| *b3 && verdict == "spoofed"));
    assert!(said(&sources, |address| !by_customer(address)).iter().all(|(_, b3)| !b3), "{sources:?}");
}
