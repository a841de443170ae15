//! `spillway replay --dossier`: who attacked, a verdict per source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use base::{Prefix, Span, Timestamp};
use serde_json::Value;
use sim::exporter::{Fleet, Format, Settings};
use sim::population::Role;
use sim::{Config, Event, Kind, Nature, Packet, World};

use crate::recorded::frames::{Frame, files, load};
use crate::support::{Scratch, data, json_lines, pcap_at, spillway, stderr, udp};

/// A dossier as it stands in its folder.
struct Told {
    attack: Value,
    sources: Vec<Value>,
}

/// Replays a file and reads all folders.
fn dossiers(file: &Path, scratch: &Scratch, more: &[&str]) -> Vec<Told> {
    let folder = scratch.path("dossier");
    let (file, folder) = (file.to_str().unwrap(), folder.to_str().unwrap());
    let mut args = vec!["replay", file, "-o", "jsonl", "--dossier", folder];
    args.extend(more);
    let output = spillway(args);
    assert!(output.status.success(), "{file}: {}", stderr(&output));
    let ids: Vec<String> = json_lines(&output)
        .iter()
        .filter(|line| line["event"] == "attack")
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    let mut folders: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    assert!(folders.iter().all(|f| ids.contains(&f.file_name().unwrap().to_str().unwrap().to_owned())));
    folders.iter().map(|folder| read(folder)).collect()
}

fn read(folder: &Path) -> Told {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let sources = text("sources.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Told { attack: serde_json::from_str(&text("attack.json")).unwrap(), sources }
}

impl Told {
    fn verdicts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for source in &self.sources {
            *counts.entry(source["verdict"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    fn count(&self, verdict: &str) -> usize {
        self.verdicts().get(verdict).copied().unwrap_or(0)
    }
}

/// File, nature, and the verdict that most of so many sources get: what the data's table says.
const NATURES: [(&str, &str, &str, usize); 5] = [
    ("tcp-syn-flood-spoofed-port25565.pcap", "spoofed", "spoofed", 37_623),
    ("tcp-synack-reflection.pcap", "reflectors", "reflector", 6_035),
    ("udp-ike-natt4500-reflection.pcap", "reflectors", "reflector", 2_767),
    ("udp-snmp161-amplification.pcap", "reflectors", "reflector", 4_028),
    // Some of its 52 sent only later fragments, which prove nothing.
    ("udp-dns-rrsig-amplification-fragmented-with-background.pcap", "reflectors", "reflector", 50),
];

#[test]
fn recorded_attacks_have_the_nature_that_their_publisher_gives() {
    let Some(data) = data() else { return };
    let mut wrong = Vec::new();
    for (file, nature, verdict, sources) in NATURES {
        let scratch = Scratch::new(file);
        for told in dossiers(&data.join("attacks").join(file), &scratch, &[]) {
            println!("{file}: {} {:?}", told.attack["sources"]["nature"], told.verdicts());
            let most = told.count(verdict);
            let near = most * 100 >= sources * 99 && most <= sources;
            let forbidden = if verdict == "spoofed" { "reflector" } else { "spoofed" };
            if told.attack["sources"]["nature"] != nature || !near || told.count(forbidden) > 0 {
                wrong.push(format!("{file}: {} {:?}", told.attack["sources"], told.verdicts()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The fields of a packet that a rule may ask for, of a stored frame.
fn tool(rules: &intel::Rules, frame: &Frame) -> Option<String> {
    let parsed = frame.parse()?;
    let packet = intel::Packet {
        at: frame.at,
        headers: &parsed.headers,
        ip: wire::packet::network(frame.link(), &frame.bytes).ok()?,
        transport: parsed.transport,
        payload: parsed.payload,
        packets: 1,
        bytes: u64::from(parsed.headers.length),
        single: true,
    };
    rules.tool(&packet).map(|place| rules.tools[place].id.clone())
}

#[test]
fn ordinary_traffic_looks_like_no_tool() {
    let Some(data) = data() else { return };
    let rules = intel::Rules::embedded().unwrap();
    let mut hits: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut packets = 0;
    for file in files(&data.join("benign")) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        for frame in load(&file) {
            packets += 1;
            if let Some(tool) = tool(&rules, &frame) {
                *hits.entry((name.clone(), tool)).or_default() += 1;
            }
        }
    }
    // One file of the folder is a scan by Nmap, as its description says.
    let scan = hits.remove(&("hardneg_synscan.pcap".into(), "nmap-syn".into()));
    println!("{packets} packets, the scan {scan:?}, others {hits:?}");
    assert!(packets > 30_000 && hits.is_empty(), "{hits:?}");
}

/// A MaxMind DB file of one IPv4 network of eight bits: `country` for addresses that begin with `first`.
fn database(first: u8, country: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for bit in 0..8u32 {
        let next = if bit == 7 { 8 + 16 } else { bit + 1 };
        let sides = if first >> (7 - bit) & 1 == 1 { [8, next] } else { [next, 8] };
        sides.iter().for_each(|side| out.extend(&side.to_be_bytes()[1..]));
    }
    let text = |out: &mut Vec<u8>, text: &str| {
        out.push(2 << 5 | u8::try_from(text.len()).unwrap());
        out.extend(text.as_bytes());
    };
    out.extend([0; 16]);
    out.push(7 << 5 | 1);
    text(&mut out, "country_code");
    text(&mut out, country);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    out.push(7 << 5 | 4);
    for (name, value) in
        [("node_count", 8u32), ("record_size", 24), ("ip_version", 4), ("binary_format_major_version", 2)]
    {
        text(&mut out, name);
        out.push(6 << 5 | 4);
        out.extend(value.to_be_bytes());
    }
    out
}

#[test]
fn files_of_the_configuration_tell_where_sources_are_and_absence_is_null() {
    let Some(data) = data() else { return };
    let scratch = Scratch::new("places");
    let mmdb = scratch.file("made.mmdb", &database(136, "US"));
    let config = scratch.file(
        "spillway.toml",
        format!("networks = [\"10.10.10.0/24\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n[intel]\nmmdb = [\"{mmdb}\"]\n").as_bytes(),
    );
    let file = data.join("attacks/tcp-synack-reflection.pcap");
    let told = dossiers(&file, &scratch, &["--config", &config]);
    let first = |source: &Value| source["address"].as_str().unwrap().starts_with("136.");
    let (here, elsewhere): (Vec<&Value>, Vec<&Value>) = told[0].sources.iter().partition(|s| first(s));
    assert!(!here.is_empty() && here.iter().all(|s| s["country"] == "US"));
    assert!(elsewhere.iter().all(|s| s["country"].is_null() && s["asn"].is_null()));
    let countries = told[0].attack["sources"]["countries"].as_array().unwrap();
    let us = countries.iter().find(|row| row["name"] == "US").unwrap();
    assert_eq!(us["sources"].as_u64().unwrap(), u64::try_from(here.len()).unwrap());
    assert!(countries.iter().any(|row| row["name"].is_null()));

    let damaged = scratch.file("damaged.mmdb", &database(136, "US")[..60]);
    let config = scratch.file(
        "damaged.toml",
        format!("networks = [\"10.10.10.0/24\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n[intel]\nmmdb = [\"{damaged}\"]\n").as_bytes(),
    );
    let said = refused(&file, &config);
    assert!(said.contains("damaged.mmdb") && said.contains(" at octet "), "{said}");
    // `check` says so, too, and where it is named; the daemon starts all the same.
    let output = spillway(["check", "-c", &config]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("damaged.toml:5:9: ") && said.contains("damaged.mmdb: "), "{said}");
    let output = spillway(["check", "-c", &config, "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["ok"] == false && report["problems"][0]["line"] == 5, "{report}");
    assert!(spillway(["check", "--without-files", "-c", &config]).status.success());
}

/// What a replay says that does not begin with this configuration.
fn refused(file: &Path, config: &str) -> String {
    let folder = Scratch::new("refused").path("none");
    let (file, folder) = (file.to_str().unwrap(), folder.to_str().unwrap());
    let output = spillway(["replay", file, "--config", config, "--dossier", folder]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn lists_of_the_configuration_are_asked_and_a_bad_line_is_told() {
    let Some(data) = data() else { return };
    let scratch = Scratch::new("lists");
    let file = data.join("attacks/tcp-synack-reflection.pcap");
    let known = dossiers(&file, &Scratch::new("listless"), &[]);
    let reflector = |source: &&Value| source["verdict"] == "reflector";
    let some: Vec<&str> = known[0]
        .sources
        .iter()
        .filter(reflector)
        .take(20)
        .map(|one| one["address"].as_str().unwrap())
        .collect();
    let lines: String = some.iter().map(|address| format!("2026-11-26,{address}\n")).collect();
    let list = scratch.file("open.csv", format!("seen,ip\n{lines}").as_bytes());
    let shared = scratch.file("exits.txt", format!("# exits\n{}\n", some[0]).as_bytes());
    let text = format!(
        "networks = [\"10.10.10.0/24\"]\n[listen]\nsflow = \"127.0.0.1:6343\"\n[[intel.lists]]\nname = \"open\"\nfile = \"{list}\"\nkind = \"reflector\"\n[[intel.lists]]\nname = \"exits\"\nfile = \"{shared}\"\nkind = \"shared\"\n"
    );
    let config = scratch.file("spillway.toml", text.as_bytes());
    let told = dossiers(&file, &scratch, &["--config", &config]);
    for source in &told[0].sources {
        let on = some.contains(&source["address"].as_str().unwrap());
        let has = |reason: &str| source["reasons"].as_array().unwrap().iter().any(|one| one == reason);
        assert_eq!(has("X1"), on, "{source}");
        let first = source["address"] == some[0];
        assert_eq!(has("C1"), first, "{source}");
        let lists = if first { vec!["exits", "open"] } else { vec!["open"] };
        assert_eq!(source["lists"], if on { serde_json::json!(lists) } else { serde_json::json!([]) });
    }
    let table = scratch.path("dossier").join(told[0].attack["id"].as_str().unwrap()).join("sources.csv");
    let table = std::fs::read_to_string(table).unwrap();
    assert!(
        table.starts_with("address,")
            && table.lines().all(|line| line.ends_with(",tlp") || line.ends_with(",amber+strict"))
    );
    assert_eq!(
        table.lines().filter(|line| line.contains(",open,") || line.contains(",exits open,")).count(),
        20
    );

    let bad = scratch.file("bad.txt", b"192.0.2.1\n# next\nexample.com\n");
    let config = scratch.file("bad.toml", text.replace(&shared, &bad).as_bytes());
    let said = refused(&file, &config);
    assert!(said.contains("bad.txt: line 3: `example.com` is neither an address nor a prefix"), "{said}");
    let output = spillway(["check", "-c", &config]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("bad.txt: line 3: `example.com` is neither"), "{}", stderr(&output));
}

/// A namespace with a way out for everything, so that whatever is sent is counted instead of refused; `None`: not here.
fn outside(purpose: &str) -> Option<Namespace> {
    let name = format!("spw-{purpose}-{}", std::process::id());
    let ip = |args: &[&str]| Command::new("ip").args(args).status().is_ok_and(|status| status.success());
    if !ip(&["netns", "add", &name]) {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "needs root and network namespaces");
        eprintln!("skipped: needs root and network namespaces");
        return None;
    }
    let namespace = Namespace(name.clone());
    for line in [
        "link add out type veth peer name far",
        "addr add 10.10.10.10/24 dev out",
        "link set out up",
        "link set far up",
        "link set lo up",
    ] {
        assert!(
            ip(&[&["-n", name.as_str()], line.split(' ').collect::<Vec<_>>().as_slice()].concat()),
            "{line}"
        );
    }
    assert!(ip(&["-n", &name, "route", "add", "default", "dev", "out"]));
    // Neighbour and router discovery of the kernel itself is over, or off.
    let quiet = "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done";
    assert!(namespace.inside("/bin/sh", &["-c", quiet]).status.success());
    Some(namespace)
}

impl Namespace {
    fn inside(&self, program: &str, args: &[&str]) -> std::process::Output {
        Command::new("ip").args(["netns", "exec", &self.0, program]).args(args).output().unwrap()
    }

    /// Packets that left by `out`, `far` and `lo`.
    fn sent(&self) -> [u64; 3] {
        let text = String::from_utf8(self.inside("cat", &["/proc/net/dev"]).stdout).unwrap();
        let line = |name: &str| {
            text.lines().find_map(|l| l.trim().strip_prefix(name)?.strip_prefix(':')).unwrap().to_owned()
        };
        ["out", "far", "lo"].map(|name| line(name).split_whitespace().nth(9).unwrap().parse::<u64>().unwrap())
    }
}

#[test]
fn looking_at_who_attacks_sends_nothing() {
    let Some(data) = data() else { return };
    let Some(namespace) = outside("passive") else { return };
    let before = namespace.sent();
    let scratch = Scratch::new("passive");
    for (n, (file, ..)) in NATURES.iter().enumerate() {
        let (file, folder) = (data.join("attacks").join(file), scratch.path(&n.to_string()));
        let output = namespace.inside(
            env!("CARGO_BIN_EXE_spillway"),
            &["replay", file.to_str().unwrap(), "-o", "jsonl", "--dossier", folder.to_str().unwrap()],
        );
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(std::fs::read_dir(&folder).unwrap().count() > 0);
    }
    assert_eq!(namespace.sent(), before, "packets left for somebody");
}

#[test]
fn the_daemon_sends_nothing_to_anybody_while_it_looks_at_who_attacks() {
    let Some(namespace) = outside("watching") else { return };
    let [out, far, _] = namespace.sent();
    // Its world sends flow export over loopback to a real daemon, whose attacks are followed.
    let told = namespace.inside(env!("CARGO_BIN_EXE_spillway"), &["demo", "--once", "-o", "json"]);
    assert!(told.status.success(), "{}", stderr(&told));
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("tcp-syn-flood"), "{text}");
    let [out_now, far_now, lo] = namespace.sent();
    assert_eq!((out_now, far_now), (out, far), "packets left for somebody");
    assert!(lo > 0);
}

/// A network namespace that goes with this value.
struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn what_routers_told_to_have_dropped_is_in_the_dossier_of_their_export() {
    let config = Config { pps: 500.0, hosts: 64, span: Span::from_secs(30), thin: 1, ..Config::default() };
    let victim = Prefix::host(World::population(&config).find(5, Role::Web, true));
    let (begins, kind) = (config.start.plus(Span::from_secs(15)), Kind::SynFlood { forged: true });
    let flood = Event::new(kind, victim, begins, Span::from_secs(10), 2000.0);
    let world = World::new(config, vec![flood.port(443)]);
    let (from, until) = (world.now(), world.end());
    let router = Settings::new(Format::Sflow, 1, from);
    let filtered = begins.plus(Span::from_secs(1));
    let drops = |packet: &Packet| packet.truth.nature == Nature::Attack && packet.at >= filtered;
    let packets = world.map(move |packet| Packet { dropped: drops(&packet), ..packet });
    let sent = Fleet::over(packets, from, until, vec![router]).map(|sent| (sent.at, udp(&sent.bytes)));
    let scratch = Scratch::new("dossier-dropped");
    let file = scratch.file("export.pcap", &pcap_at(101, sent));
    let told = dossiers(Path::new(&file), &scratch, &[]);
    let [one] = told.as_slice() else { panic!("{} dossiers", told.len()) };
    // A tenth of it came through.
    assert!(one.attack["packets"].as_u64() < Some(1_000), "{}", one.attack);
    assert!(one.count("spoofed") > 4_000, "{:?}", one.verdicts());
}

#[test]
fn a_dossier_does_not_depend_on_seed_or_shards() {
    let Some(data) = data() else { return };
    let file = data.join("attacks/tcp-synack-reflection.pcap");
    let (a, b) = (Scratch::new("one"), Scratch::new("other"));
    let first = dossiers(&file, &a, &[]);
    let second = dossiers(&file, &b, &["--seed", "9", "--shards", "7"]);
    assert_eq!(first.len(), second.len());
    for (a, b) in first.iter().zip(&second) {
        assert_eq!((&a.attack, &a.sources), (&b.attack, &b.sources));
    }
}

/// A packet of nothing but headers.
fn bare(src: [u8; 4], dst: [u8; 4], protocol: u8, transport: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(20 + transport.len()).unwrap().to_be_bytes();
    let header = [0x45, 0, high, low, 0, 1, 0x40, 0, 240, protocol, 0, 0];
    [&header[..], &src, &dst, transport].concat()
}

#[test]
fn attacks_at_once_get_each_its_own_folder_and_bag() {
    const SYN: [u8; 20] = [0x30, 0x39, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0];
    const GRE: [u8; 4] = [0, 0, 8, 0];
    const ECHO: [u8; 8] = [8, 0, 0, 0, 0, 1, 0, 1];
    let packet = |n: u32| {
        let [_, a, b, c] = n.to_be_bytes();
        let at = Timestamp::from_millis(1_700_000_000_000 + u64::from(n) / 10);
        let bytes = match n % 3 {
            0 => bare([20, a, b, c], [198, 51, 100, 7], 6, &SYN),
            1 => bare([50, a, b, c], [203, 0, 113, 9], 47, &GRE),
            _ => bare([80, a, b, c], [192, 0, 2, 33], 1, &ECHO),
        };
        (at, bytes)
    };
    let scratch = Scratch::new("at-once");
    let file = scratch.path("three.pcap");
    std::fs::write(&file, pcap_at(101, (0..60_000).map(packet))).unwrap();
    let told = dossiers(&file, &scratch, &[]);
    assert_eq!(told.len(), 3);
    for one in &told {
        // Nobody's sources, and nobody's packets, are in the folder of another attack.
        let first =
            |source: &Value| source["address"].as_str().unwrap().split('.').next().unwrap().to_owned();
        let networks: BTreeSet<String> = one.sources.iter().map(first).collect();
        assert_eq!(networks.len(), 1, "{networks:?}");
        assert!(one.sources.len() > 15_000, "{}", one.sources.len());
        let bag = scratch.path("dossier").join(one.attack["id"].as_str().unwrap()).join("evidence");
        let verified = spillway(["evidence", "verify", bag.to_str().unwrap(), "-o", "json"]);
        assert!(verified.status.success(), "{}", stderr(&verified));
        let custody = std::fs::read_to_string(bag.join("data/custody.jsonl")).unwrap();
        let annotated = custody.lines().find(|line| line.contains("\"annotated\"")).unwrap();
        let packets = annotated.split("\"detail\":\"").nth(1).unwrap().split(' ').next().unwrap();
        let packets: usize = packets.parse().unwrap();
        assert!((one.sources.len()..=20_000).contains(&packets), "{packets}");
        let table = std::fs::read_to_string(bag.join("data/sources.csv")).unwrap();
        assert_eq!(table.lines().count(), 1 + one.sources.len());
    }
}
