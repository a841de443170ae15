//! Who attacks, from the daemon: sources while an attack goes on, a bag that is open meanwhile, killed in the middle, and sealed.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::{Prefix, Span, Timestamp};
use serde_json::Value;
use sim::attack::reflector::named;
use sim::exporter::{Fleet, Format, Settings};
use sim::population::Role;
use sim::{Config, Event, Kind, Nature, Packet, World};

use crate::access::{call, done};
use crate::daemon::{Daemon, config, wait_for};
use crate::evidence::{CHANNEL, bagit, holds_no_secret, verified};
use crate::support::{Scratch, json_lines, spillway, stderr};

/// An attack goes on for half a minute, ends, and its end is believed after a quarter of a minute of quiet.
const PATIENCE: Duration = Duration::from_secs(180);
/// The world's border router.
const ROUTER: &str = "127.0.6.1";

/// The world, told to whoever listens at the moment.
struct Teller {
    to: Arc<std::sync::Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    fn start(world: World, format: Format, to: SocketAddr) -> Self {
        Self::filtered(world, format, to, |_| false)
    }

    /// The router drops these, and tells so.
    fn filtered(
        world: World,
        format: Format,
        to: SocketAddr,
        drops: impl Fn(&Packet) -> bool + Send + 'static,
    ) -> Self {
        let (to, stop) = (Arc::new(std::sync::Mutex::new(to)), Arc::new(AtomicBool::new(false)));
        let (address, asked) = (Arc::clone(&to), Arc::clone(&stop));
        let boot = world.now().minus(Span::from_secs(86_400));
        let router = Settings { address: ROUTER.parse().unwrap(), ..Settings::new(format, 1, boot) };
        let socket = UdpSocket::bind((ROUTER, 0)).unwrap();
        let (from, until) = (world.now(), world.end());
        let packets = world.map(move |packet| Packet { dropped: drops(&packet), ..packet });
        let tell = move || {
            for sent in Fleet::over(packets, from, until, vec![router]) {
                while now() < sent.at {
                    if asked.load(Ordering::Relaxed) {
                        return;
                    }
                    std::thread::sleep(Duration::from_nanos(sent.at.since(now()).nanos().min(20_000_000)));
                }
                // Nobody may listen: the daemon was killed.
                let _ = socket.send_to(&sent.bytes, *address.lock().unwrap());
            }
        };
        Self { to, stop, thread: Some(std::thread::spawn(tell)) }
    }

    fn to(&self, address: SocketAddr) {
        *self.to.lock().unwrap() = address;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap())
}

/// A small site, of which a server gets SYNs from forged addresses (IPv4) and another one answers to questions that it never
/// asked (IPv6); both from the fifth second on, for so long. Gives both targets.
fn world(secs: u64) -> (World, [Prefix; 2]) {
    let config = Config {
        pps: 300.0,
        hosts: 64,
        share_v6: 0.5,
        start: now(),
        span: Span::from_secs(240),
        thin: 1,
        routers: 1,
        ..Config::default()
    };
    let people = World::population(&config);
    let targets = [people.find(5, Role::Web, true), people.find(9, Role::Web, false)].map(Prefix::host);
    let kinds = [Kind::SynFlood { forged: true }, Kind::Amplification(named("dns").unwrap())];
    let events = kinds.into_iter().zip(targets).map(|(kind, target)| {
        let event =
            Event::new(kind, target, config.start.plus(Span::from_secs(5)), Span::from_secs(secs), 3000.0);
        if matches!(kind, Kind::SynFlood { .. }) { event.port(443) } else { event }
    });
    let events = events.collect();
    (World::new(config, events), targets)
}

/// A daemon's configuration for that world, with more in its sections.
fn settings(scratch: &Scratch, evidence: &str) -> String {
    let more = format!(
        "[detection]\nfloor = \"low\"\nquiet = \"15s\"\n[evidence]\norganisation = \"Example\"\ncontact = \"abuse@example.net\"\n\
         domain = \"example.net\"\n{evidence}[exporters.\"{ROUTER}\".interfaces]\n\
         1 = {{ name = \"transit-1\", asn = 64500 }}\n2 = {{ name = \"transit-2\", asn = 64501 }}\n"
    );
    let path = config(scratch, "", &more);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"198.18.0.0/16\"", "\"198.18.0.0/16\", \"2001:db8::/32\"", 1))
        .unwrap();
    path
}

/// Ids of attacks on these targets, once there is one on each.
fn attacked(daemon: &Daemon, targets: &[Prefix]) -> Vec<String> {
    wait_for("an attack on each target", PATIENCE, || {
        let attacks = daemon.attacks();
        let of = |target: &Prefix| {
            let on =
                |attack: &&Value| attack["target"] == target.to_string() && attack["severity"] == "attack";
            attacks.iter().find(on).map(|attack| attack["id"].as_str().unwrap().to_owned())
        };
        targets.iter().map(of).collect::<Option<Vec<_>>>()
    })
}

/// What is known of the sources of an attack, once so much is.
fn sources(
    daemon: &Daemon,
    id: &str,
    enough: impl Fn(&api::model::SourcePage) -> bool,
) -> api::model::SourcePage {
    wait_for("its sources", PATIENCE, || {
        let (status, body) = daemon.get(&format!("/api/v1/attacks/{id}/sources?limit=50"));
        let page = (status == 200).then(|| serde_json::from_str(&body).unwrap());
        page.filter(&enough)
    })
}

fn sources_of(page: &api::model::SourcePage, verdict: &str) -> u64 {
    page.verdicts.get(verdict).map_or(0, |amount| amount.sources)
}

fn custody(bag: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(bag.join("data/custody.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps(bag: &Path) -> Vec<String> {
    custody(bag).iter().map(|step| step["what"].as_str().unwrap().to_owned()).collect()
}

/// The folder has what `replay --dossier` writes, and a bag that is valid for us and for BagIt's own validator.
fn is_whole(folder: &Path) {
    for file in [
        "attack.json",
        "sources.jsonl",
        "sources.csv",
        "stix.json",
        "misp.json",
        "ddosch.json",
        "intelmq.jsonl",
    ] {
        assert!(folder.join(file).is_file(), "{} has no {file}", folder.display());
    }
    let bag = folder.join("evidence");
    let (out, report) = verified(&bag, &[]);
    assert!(out.status.success() && report["valid"] == true, "{}", stderr(&out));
    assert!(report["signed_by"].as_str().unwrap().starts_with("example.net/evidence+"), "{report}");
    if let Some(out) = bagit(&bag) {
        assert!(out.status.success(), "{}", stderr(&out));
    }
}

/// Packets of a bag: capture length, and what stands at each.
fn packets(bag: &Path) -> Vec<usize> {
    let mut capture = spillway::capture::Capture::open(&bag.join("data/capture.pcapng")).unwrap();
    let mut lengths = Vec::new();
    while let Some(packet) = capture.next().unwrap() {
        let said = packet.interface;
        lengths.push(packet.bytes.len());
        if lengths.len() == 1 {
            let described = capture.interface(said);
            assert!(described.interface.starts_with(ROUTER), "{described:?}");
            assert_eq!(described.comment, "sampling 1:1");
        }
    }
    lengths
}

fn folder(scratch: &Scratch, id: &str) -> PathBuf {
    scratch.path("state").join("evidence").join(id)
}

#[test]
fn an_attacks_bag_is_open_while_it_runs_survives_a_kill_and_is_sealed_when_it_is_over() {
    let scratch = Scratch::new("witness-life");
    let path = settings(
        &scratch,
        &format!("record = true\n[privacy]\npurpose = \"complaint\"\nlegal_basis = \"a law\"\n{CHANNEL}"),
    );
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let daemon = Daemon::start(&path);
    let (world, targets) = world(40);
    let teller = Teller::start(world, Format::Sflow, daemon.listen(0));
    let ids = attacked(&daemon, &targets);

    // While it goes on: verdicts, aggregates and pages, of both families.
    let forged =
        sources(&daemon, &ids[0], |page| sources_of(page, "spoofed") > 1000 && page.nature == "spoofed");
    assert_eq!((forged.over, forged.nature.as_str()), (false, "spoofed"));
    assert_eq!((forged.items.len(), forged.next), (50, Some(50)));
    let next = daemon.json(&format!("/api/v1/attacks/{}/sources?limit=50&after=50", ids[0]));
    assert_eq!(next["items"].as_array().unwrap().len(), 50);
    // Of some, only later fragments came until now, which prove nothing.
    let many =
        |page: &api::model::SourcePage| sources_of(page, "reflector") > 50 && page.nature == "reflectors";
    let reflectors = sources(&daemon, &ids[1], many);
    let first = reflectors.items.iter().find(|one| one.verdict == "reflector").unwrap();
    assert!(first.address.contains(':') && first.reasons.contains(&"P1".to_owned()), "{first:?}");
    assert!(reflectors.prefixes[0].packets > 0 && reflectors.networks[0].name.is_null());
    // Some packets of each, with their headers; and what both have in common.
    for (id, begins) in [(&ids[0], "45"), (&ids[1], "6")] {
        let page = wait_for("its packets", PATIENCE, || {
            let page = daemon.json(&format!("/api/v1/attacks/{id}/packets?limit=5"));
            page["items"].as_array().is_some_and(|all| all.len() > 2).then_some(page)
        });
        let one = &page["items"][0];
        assert!(
            one["headers"].as_str().unwrap().starts_with(begins) && one["ttl"].as_u64() > Some(0),
            "{page}"
        );
        assert_eq!((&one["exporter"], &one["sampling_rate"]), (&ROUTER.into(), &1.into()));
        assert!(page["items"].as_array().unwrap().len() <= 5);
        // and as a capture that others read
        let api = daemon.ready["api"].as_str().unwrap();
        let out = spillway(["attack", "report", id, "--format", "pcapng", "--api", api, "-c", &path]);
        assert!(out.status.success(), "{}", stderr(&out));
        let scratch = Scratch::new("witness-report");
        let capture = scratch.file("report.pcapng", &out.stdout);
        let read = spillway(["replay", &capture, "-o", "jsonl"]);
        assert!(read.status.success(), "{}", stderr(&read));
        let packets = json_lines(&read).last().unwrap()["packets"].as_u64().unwrap();
        assert!(packets > 2, "{packets}");
    }
    // How each vector ran, as soon as a step of it is over.
    let ran = wait_for("its course", PATIENCE, || {
        let (status, body) = daemon.get(&format!("/api/v1/attacks/{}/course", ids[1]));
        (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap())
    });
    let vector = &ran["vectors"][0];
    assert_eq!(vector["name"], "udp-amplification-dns", "{ran}");
    let counts: Vec<u64> = vector["packets"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert!(ran["step_seconds"].as_u64() > Some(0) && counts.iter().sum::<u64>() > 0, "{ran}");
    let told = daemon.json("/api/v1/intelligence");
    assert_eq!((&told["attacks"], &told["from_folders"]), (&2.into(), &0.into()), "{told}");
    assert_eq!(told["campaigns"].as_array().unwrap().len(), 2, "nothing of both is alike: {told}");
    assert_eq!(
        (&told["reflectors"][0]["protocol"], &told["reflectors"][0]["asn"]),
        (&"dns".into(), &Value::Null)
    );
    for (path, status) in [("0123456789abcdef/sources", 404), ("..%2f..%2fstore/sources", 404)] {
        assert_eq!(daemon.get(&format!("/api/v1/attacks/{path}")).0, status, "{path}");
    }
    assert_eq!(daemon.get(&format!("/api/v1/attacks/{}/sources?limit=0", ids[0])).0, 400);

    // The bag is open, and a command writes what is known by now.
    let bags: Vec<PathBuf> = ids.iter().map(|id| folder(&scratch, id).join("evidence")).collect();
    for bag in &bags {
        assert_eq!(steps(bag), ["opened"]);
        assert!(!bag.join("tagmanifest-sha256.txt").exists());
    }
    wait_for("packets on the disk", PATIENCE, || {
        let capture = std::fs::metadata(bags[1].join("data/capture.pcapng")).unwrap();
        (capture.len() > 300_000).then_some(())
    });
    let draft = scratch.path("draft");
    let args = |to: &Path| ["dossier", &ids[1], "-c", &path, "--to", to.to_str().unwrap()].map(str::to_owned);
    let out = spillway(args(&draft).iter().map(String::as_str));
    assert!(out.status.success(), "{}", stderr(&out));
    assert!(String::from_utf8_lossy(&out.stdout).contains("goes on"));
    is_whole(&draft);
    holds_no_secret(&draft);
    assert!(std::fs::read_dir(draft.join("xarf")).unwrap().count() > 10);
    assert!(!packets(&draft.join("evidence")).is_empty());
    assert_eq!(steps(&bags[1]), ["opened"], "the open bag stays as it is");

    // Killed in the middle: the next one goes on with the bag.
    daemon.signal("-KILL");
    drop(daemon);
    let daemon = Daemon::start(&path);
    teller.to(daemon.listen(0));
    let over = |id: &str| {
        wait_for("the attack's end", PATIENCE, || {
            let place = folder(&scratch, id);
            is_noted(&place.join("evidence")).then_some(place)
        })
    };
    for (id, bag) in ids.iter().zip(&bags) {
        let place = over(id);
        is_whole(&place);
        holds_no_secret(&place);
        assert_eq!(steps(bag), ["opened", "interrupted", "recorded", "annotated", "sealed"]);
        let sealed = custody(bag).pop().unwrap()["detail"].as_str().unwrap().to_owned();
        assert!(sealed.contains("complaint (a law)") && sealed.contains("interrupted"), "{sealed}");
        // Headers and 64 octets behind them; Ethernet, IPv6 and UDP are 62.
        let lengths = packets(bag);
        assert!(
            lengths.len() > 10_000 && lengths.iter().all(|length| *length <= 14 + 40 + 60 + 64),
            "{}",
            lengths.len()
        );
        // What came before the kill is among the sources, too. Forged ones are more than are remembered: a fair sample stays.
        let text = std::fs::read_to_string(place.join("sources.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let known: BTreeSet<&str> = lines.iter().map(|line| line["address"].as_str().unwrap()).collect();
        let before = if *id == ids[0] { &forged } else { &reflectors };
        let earliest = lines.iter().map(|line| line["first"].as_str().unwrap()).min().unwrap();
        assert!(earliest < before.as_of.as_str(), "{earliest}");
        assert!(*id == ids[0] || before.items.iter().all(|one| known.contains(one.address.as_str())));
        let past = sources(&daemon, id, |page| page.over);
        assert!(past.count > 0 && !past.verdicts.is_empty(), "{past:?}");
        let attack = daemon.json(&format!("/api/v1/attacks/{id}"));
        assert_eq!(attack["state"], "over");
    }
    // Who lets forged packets in is told so, by the interface.
    for (neighbour, interface) in [("AS64500", "transit-1"), ("AS64501", "transit-2")] {
        let report = folder(&scratch, &ids[0]).join(format!("xarf/neighbour-{neighbour}.json"));
        let text = std::fs::read_to_string(&report).unwrap();
        assert!(text.contains(interface) && !text.contains(ROUTER), "{text}");
    }
    let whole = scratch.path("whole");
    let out = spillway(args(&whole).iter().map(String::as_str));
    assert!(
        out.status.success() && String::from_utf8_lossy(&out.stdout).contains("is over"),
        "{}",
        stderr(&out)
    );
    is_whole(&whole);
    let again = spillway(args(&whole).iter().map(String::as_str));
    assert!(!again.status.success() && stderr(&again).contains("--to"), "{}", stderr(&again));
    evidence_leaves_for_whoever_may(&scratch, &daemon, &path, &ids[0]);
    assert_eq!(daemon.sum("spillway_evidence_packages_total"), 2.0);
    assert_eq!(daemon.sum("spillway_evidence_failures_total"), 0.0);
}

/// Over the API: what there is, whether it is whole, a hold, and a copy that stands in the ledger before it leaves.
fn evidence_leaves_for_whoever_may(scratch: &Scratch, daemon: &Daemon, config: &str, id: &str) {
    done(&["user", "add", "eve", "--role", "evidence-officer", "-c", config]);
    let token = done(&["token", "add", "eve", "-c", config])["token"].as_str().unwrap().to_owned();
    let ask = |method: &str, path: &str, body: Option<&Value>| -> Value {
        let (status, _, body) = call(daemon, method, path, Some(&token), body);
        assert_eq!(status, 200, "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap()
    };
    assert_eq!(daemon.get("/api/v1/evidence").0, 401, "who looks on without a name sees none");
    let listed = ask("GET", "/api/v1/evidence", None);
    let one = listed["items"].as_array().unwrap().iter().find(|one| one["attack"] == *id).unwrap().clone();
    assert_eq!((&one["state"], &one["hold"]), (&"sealed".into(), &Value::Null));
    let shown = ask("GET", &format!("/api/v1/evidence/{id}"), None);
    let names: Vec<&str> =
        shown["files"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"data/capture.pcapng") && !shown["info"].as_array().unwrap().is_empty(),
        "{shown}"
    );
    let whole = ask("GET", &format!("/api/v1/evidence/{id}/verification"), None);
    assert_eq!((&whole["valid"], &whole["seal"]), (&true.into(), &shown["seal"]));
    let because = serde_json::json!({"reason": "case 17/2026"});
    let held = ask("POST", &format!("/api/v1/evidence/{id}/hold"), Some(&because));
    assert_eq!((&held["hold"]["reason"], &held["hold"]["person"]), (&"case 17/2026".into(), &"eve".into()));
    assert!(scratch.path("state").join("evidence").join(id).join("evidence.hold").exists());
    assert_eq!(ask("POST", &format!("/api/v1/evidence/{id}/release"), Some(&because))["hold"], Value::Null);
    let size = || daemon.json("/api/v1/ledger")["size"].as_u64().unwrap();
    let before = size();
    let address = daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = because.to_string();
    // HTTP/1.0: the end of the answer is its end, however long it is.
    write!(
        stream,
        "POST /api/v1/evidence/{id}/download HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, archive) = answer.split_at(head);
    assert!(String::from_utf8_lossy(head).contains(" 200 "), "{}", String::from_utf8_lossy(head));
    assert!(size() > before, "it stands in the ledger");
    let unpacked = scratch.path("unpacked");
    tar::Archive::new(archive).unpack(&unpacked).unwrap();
    let (out, report) = verified(&unpacked.join("evidence"), &[]);
    assert!(out.status.success() && report["valid"] == true, "{report}");
}

/// Whether a bag is sealed, and has the ledger's proof of that in it.
fn is_noted(bag: &Path) -> bool {
    let manifest = std::fs::read_to_string(bag.join("tagmanifest-sha512.txt")).unwrap_or_default();
    manifest.contains(PROOF)
}

const PROOF: &str = "ledger/seal.tlog-proof";

/// The proof in a bag verifies the bag's tag manifest, and so many bags stand in the ledger.
fn stands_in_the_ledger(scratch: &Scratch, path: &str, bag: &Path, bags: u64) {
    let policy = scratch.path("state").join("ledger/policy").to_str().unwrap().to_owned();
    let [proof, manifest] =
        [PROOF, "tagmanifest-sha256.txt"].map(|name| bag.join(name).to_str().unwrap().to_owned());
    let out = spillway(["ledger", "verify", &proof, &manifest, "--policy", &policy]);
    assert!(out.status.success(), "{}", stderr(&out));
    let out = spillway(["ledger", "report", "-c", path, "-o", "json"]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(report.to_string().contains(&format!("\"sealing\":{bags}")), "{report}");
}

#[test]
fn flows_are_kept_as_rows_where_no_packets_are_told_and_each_seal_is_noted_once_whenever_the_daemon_is_killed()
 {
    let scratch = Scratch::new("witness-flows");
    let path = settings(&scratch, "record = true\n");
    let daemon = Daemon::start(&path);
    let (world, targets) = world(60);
    let teller = Teller::start(world, Format::NetFlow9, daemon.listen(1));
    let ids = attacked(&daemon, &targets);
    let bag = folder(&scratch, &ids[1]).join("evidence");
    let flows = bag.join("data/flows.jsonl");
    let rows = || {
        let text = std::fs::read_to_string(&flows).unwrap_or_default();
        text.split_inclusive('\n').map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    };
    wait_for("flow records on the disk", PATIENCE, || (rows().len() > 200).then_some(()));
    daemon.signal("-KILL");
    drop((daemon, teller));
    // A kill may cut a line, and nobody who starts without the old state knows of the attack: the bag is sealed.
    let kept = rows().iter().flatten().count();
    std::fs::OpenOptions::new().append(true).open(&flows).unwrap().write_all(b"{\"at\":\"20").unwrap();
    for file in
        ["spillway.db", "spillway.db-wal", "spillway.db-shm", "state.db", "state.db-wal", "state.db-shm"]
    {
        let _ = std::fs::remove_file(scratch.path("state").join(file));
    }
    let daemon = Daemon::start(&path);
    let bags: Vec<PathBuf> = ids.iter().map(|id| folder(&scratch, id).join("evidence")).collect();
    let noted = || wait_for("the seals", PATIENCE, || bags.iter().all(|bag| is_noted(bag)).then_some(()));
    noted();
    let after = rows();
    assert_eq!(after.iter().flatten().count(), kept);
    let row = after[0].as_ref().unwrap();
    assert_eq!((&row["exporter"], &row["sampling_rate"]), (&ROUTER.into(), &1.into()), "{row}");
    assert!(after.iter().flatten().all(|row| row["src"].is_string() && row["packets"].as_u64() > Some(0)));
    let steps = custody(&bag);
    let recorded = steps.iter().find(|step| step["what"] == "recorded").unwrap();
    assert!(
        recorded["detail"].to_string().contains(&format!("0 packets and {kept} flow records")),
        "{recorded}"
    );
    is_whole(&folder(&scratch, &ids[1]));
    // What was told before the kill is judged.
    let sources = std::fs::read_to_string(folder(&scratch, &ids[1]).join("sources.jsonl")).unwrap();
    assert!(sources.lines().count() > 10, "{sources}");
    stands_in_the_ledger(&scratch, &path, &bag, 2);

    // Killed between the entry and the proof, the next one finds the entry; between the seal and the entry, it writes one.
    daemon.signal("-KILL");
    drop(daemon);
    let manifest = bag.join("tagmanifest-sha512.txt");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let without: String = text.split_inclusive('\n').filter(|line| !line.contains(PROOF)).collect();
    std::fs::write(&manifest, without).unwrap();
    std::fs::remove_file(bag.join(PROOF)).unwrap();
    let daemon = Daemon::start(&path);
    noted();
    stands_in_the_ledger(&scratch, &path, &bag, 2);
    drop(daemon);
    for name in ["ledger", "ledger.head"] {
        std::fs::rename(scratch.path("state").join(name), scratch.path(&format!("old-{name}"))).unwrap();
    }
    std::fs::write(
        &manifest,
        text.split_inclusive('\n').filter(|line| !line.contains(PROOF)).collect::<String>(),
    )
    .unwrap();
    std::fs::remove_file(bag.join(PROOF)).unwrap();
    let _daemon = Daemon::start(&path);
    noted();
    stands_in_the_ledger(&scratch, &path, &bag, 1);
}

#[test]
fn what_routers_drop_is_evidence_as_what_they_let_through_is() {
    let scratch = Scratch::new("witness-dropped");
    let path = settings(&scratch, "record = true\n");
    let daemon = Daemon::start(&path);
    let (world, targets) = world(60);
    let filtered = world.now().plus(Span::from_secs(6));
    let drops = move |packet: &Packet| packet.truth.nature == Nature::Attack && packet.at >= filtered;
    let _teller = Teller::filtered(world, Format::Sflow, daemon.listen(0), drops);
    let ids = attacked(&daemon, &targets);
    // Of each some 3,000 packets came through.
    let forged = sources(&daemon, &ids[0], |page| page.count > 40_000);
    assert!(sources_of(&forged, "spoofed") > 10_000, "{:?}", forged.verdicts);
    let sent =
        |page: &api::model::SourcePage| page.verdicts.values().map(|amount| amount.packets).sum::<u64>();
    let reflectors = sources(&daemon, &ids[1], |page| sent(page) > 40_000);
    assert!(sources_of(&reflectors, "reflector") > 300, "{:?}", reflectors.verdicts);
    for id in &ids {
        let attack = daemon.json(&format!("/api/v1/attacks/{id}"));
        assert!(attack["state"] == "active" && attack["packets"].as_u64() < Some(6_000), "{attack}");
    }
    assert!(daemon.sum("spillway_ingest_flows_total") < 60_000.0, "what is dropped is no traffic");
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    for id in &ids {
        let kept = packets(&folder(&scratch, id).join("evidence")).len();
        assert!(kept > 20_000, "{kept} packets of {id}");
    }
}

#[test]
fn without_a_purpose_headers_are_kept_and_without_record_nothing_is() {
    // Each half waits for an attack of its own.
    std::thread::scope(|scope| {
        let headers = scope.spawn(headers_are_kept_without_a_purpose);
        nothing_is_kept_without_record();
        headers.join().unwrap();
    });
}

fn headers_are_kept_without_a_purpose() {
    let scratch = Scratch::new("witness-headers");
    let path = settings(&scratch, "record = true\n");
    let daemon = Daemon::start(&path);
    let (world, targets) = world(60);
    let teller = Teller::start(world, Format::Sflow, daemon.listen(0));
    let ids = attacked(&daemon, &targets);
    sources(&daemon, &ids[1], |page| sources_of(page, "reflector") > 50);
    // Asked to end, the daemon leaves the bag open and says so.
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let bag = folder(&scratch, &ids[1]).join("evidence");
    assert_eq!(steps(&bag), ["opened", "paused"]);
    let lengths = packets(&bag);
    // The router copies 128 octets; what answers to questions say is not among them.
    assert!(lengths.iter().all(|length| *length <= 14 + 40 + 60), "{:?}", lengths.iter().max());
    assert!(lengths.iter().filter(|length| **length == 14 + 40 + 8).count() * 2 > lengths.len());
    // Whoever starts without the old state knows nothing of the attack: what was left open is sealed, and that is said.
    for file in
        ["spillway.db", "spillway.db-wal", "spillway.db-shm", "state.db", "state.db-wal", "state.db-shm"]
    {
        let _ = std::fs::remove_file(scratch.path("state").join(file));
    }
    drop(teller);
    let _daemon = Daemon::start(&path);
    wait_for("the seal", PATIENCE, || is_noted(&bag).then_some(()));
    assert_eq!(steps(&bag), ["opened", "paused", "interrupted", "recorded", "annotated", "sealed"]);
    let sealed = custody(&bag).pop().unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(sealed.contains("headers only") && sealed.contains("end was not seen"), "{sealed}");
    is_whole(&folder(&scratch, &ids[1]));
}

fn nothing_is_kept_without_record() {
    let scratch = Scratch::new("witness-nothing");
    let path = settings(&scratch, "");
    let daemon = Daemon::start(&path);
    let (world, targets) = world(60);
    let _teller = Teller::start(world, Format::NetFlow9, daemon.listen(1));
    let ids = attacked(&daemon, &targets);
    // Flows alone have sources, too.
    let page = sources(&daemon, &ids[0], |page| page.count > 1000);
    assert!(
        page.items.iter().all(|one| one.verdict != "real" && one.verdict != "bot"),
        "{:?}",
        page.verdicts
    );
    assert!(!scratch.path("state").join("evidence").exists());
    let out = spillway(["dossier", &ids[0], "-c", &path]);
    assert!(!out.status.success() && stderr(&out).contains("record = true"), "{}", stderr(&out));
    let out = spillway(["dossier", "../../etc", "-c", &path]);
    assert!(!out.status.success() && stderr(&out).contains("no id"), "{}", stderr(&out));
}
