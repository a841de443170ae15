//! What is kept of others: pseudonyms while they may be kept, nothing afterwards (C20).
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use base::{Day, Span, Timestamp};
use serde_json::Value;
use store::{AttackRow, Batch, Writer};
use wire::emit::Field;
use wire::emit::netflow9::{Datagram, Header};

use crate::daemon::{Daemon, wait_for};
use crate::support::{Scratch, json_lines, spillway, stderr};

/// An attack has to be quiet for a quarter of a minute to be over.
const PATIENCE: Duration = Duration::from_secs(150);
const OWN: [&str; 2] = ["198.18.7.7", "2001:db8:7::7"];
/// Who attacks, who comes in peace: none of them may be found.
const FOREIGN: [&str; 8] = [
    "11.87.203.41",
    "11.87.203.186",
    "91.14.77.213",
    "142.201.9.88",
    "2a05:4c11:91::b7d3",
    "2a05:4c11:91::e2a9",
    "2607:fb91:17d5:8c22::9e1f",
    "2c0f:e4a8:5b71::d6c4",
];
/// The last of each family are honest clients.
const HONEST: [usize; 2] = [3, 7];

fn state(scratch: &Scratch) -> PathBuf {
    scratch.path("state")
}

fn config(scratch: &Scratch, more: &str) -> String {
    let text = format!(
        "networks = [\"198.18.0.0/16\", \"2001:db8:7::/48\"]\nstate_dir = \"{}\"\nmode = \"suggest\"\n[listen]\nnetflow = \"127.0.0.1:0\"\n\
         [api]\nlisten = \"127.0.0.1:0\"\n[detection]\nfloor = \"low\"\nquiet = \"15s\"\n{more}\n",
        state(scratch).display()
    );
    scratch.file("spillway.toml", text.as_bytes())
}

fn now() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(u64::try_from(now.as_nanos()).unwrap())
}

fn after(days: u64) -> String {
    now().plus(Span::from_secs(days * 86_400)).to_string()
}

/// Flow export of both families.
struct Exporter {
    socket: UdpSocket,
    sequence: u32,
}

impl Exporter {
    /// One flow each from these to our hosts: answers of name servers, or clients of a web server.
    fn tell(&mut self, to: &Daemon, sources: impl Iterator<Item = usize>, attacks: bool) {
        const UPTIME: u32 = 3_600_000;
        let rest = [(4, 1), (7, 2), (11, 2), (6, 1), (2, 4), (1, 4), (22, 4), (21, 4), (34, 4)];
        let fields = |addresses: [(u16, u16); 2]| -> Vec<Field> {
            addresses.into_iter().chain(rest).map(|(id, len)| Field::new(id, len)).collect()
        };
        let secs = u32::try_from(now().secs()).unwrap();
        let mut out = Datagram::new(&Header { uptime: UPTIME, secs, sequence: self.sequence, source_id: 0 });
        self.sequence += 1;
        out.template(256, &fields([(8, 4), (12, 4)]));
        out.template(257, &fields([(27, 16), (28, 16)]));
        for source in sources {
            let source: IpAddr = FOREIGN[source].parse().unwrap();
            let (template, own) = if source.is_ipv4() { (256, OWN[0]) } else { (257, OWN[1]) };
            out.data(template, 1, |w| {
                w.addr(source).addr(own.parse().unwrap());
                let (protocol, from, port, flags) =
                    if attacks { (17, 53, 40_000, 0) } else { (6, 50_123, 443, 0x18) };
                let packets = if attacks { 20 } else { 1 };
                w.u8(protocol).u16(from).u16(port).u8(flags).u32(packets).u32(packets * 1_200);
                w.u32(UPTIME - 10).u32(UPTIME - 10).u32(if attacks { 1_000 } else { 1 });
            });
        }
        self.socket.send_to(&out.finish(), to.listen(0)).unwrap();
    }
}

/// All files of a folder but those that `skip` names.
fn files(folder: &Path, skip: &dyn Fn(&str) -> bool, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if skip(path.file_name().unwrap().to_str().unwrap()) {
            continue;
        }
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            files(&path, skip, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

/// Where these addresses stand below a folder: in octets of network order, or in text.
fn found(folder: &Path, addresses: &[&str], skip: &dyn Fn(&str) -> bool) -> BTreeSet<(String, String)> {
    let mut all = Vec::new();
    files(folder, skip, &mut all);
    let mut hits = BTreeSet::new();
    for path in all {
        let octets = std::fs::read(&path).unwrap();
        for address in addresses {
            let parsed: IpAddr = address.parse().unwrap();
            let mut forms = vec![address.as_bytes().to_vec(), address.to_uppercase().into_bytes()];
            match parsed {
                IpAddr::V4(v4) => forms.push(v4.octets().to_vec()),
                IpAddr::V6(v6) => {
                    forms.push(v6.octets().to_vec());
                    forms.push(v6.segments().map(|s| format!("{s:04x}")).join(":").into_bytes());
                    forms.push(v6.segments().map(|s| format!("{s:x}")).join(":").into_bytes());
                }
            }
            if forms.iter().any(|form| octets.windows(form.len()).any(|at| at == form)) {
                hits.insert((path.display().to_string(), (*address).to_owned()));
            }
        }
    }
    hits
}

fn sweep(config: &str, now: &str) -> Output {
    spillway(["privacy", "sweep", "-c", config, "--now", now, "-o", "json"])
}

fn gone(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["gone"].clone()
}

/// A folder in `evidence` that names an attacker.
fn evidence(state: &Path, name: &str) -> PathBuf {
    let folder = state.join("evidence").join(name);
    std::fs::create_dir_all(folder.join("evidence/data")).unwrap();
    std::fs::write(folder.join("evidence/bagit.txt"), "BagIt-Version: 1.0\n").unwrap();
    std::fs::write(folder.join("sources.jsonl"), format!("{{\"address\":\"{}\"}}\n", FOREIGN[0])).unwrap();
    folder
}

#[test]
fn foreign_addresses_are_found_nowhere_once_the_attack_is_over_and_nothing_of_them_after_retention() {
    let scratch = Scratch::new("privacy");
    let (file, state) = (config(&scratch, ""), state(&scratch));
    let daemon = Daemon::start(&file);
    let mut exporter = Exporter { socket: UdpSocket::bind("127.0.0.7:0").unwrap(), sequence: 0 };
    let attackers = || (0..FOREIGN.len()).filter(|at| !HONEST.contains(at));
    let both = wait_for("both attacks", PATIENCE, || {
        exporter.tell(&daemon, attackers(), true);
        exporter.tell(&daemon, HONEST.into_iter(), false);
        let attacks = daemon.attacks();
        let on = |own: &str| {
            let is = |a: &&Value| a["target"].as_str().unwrap().starts_with(own) && a["severity"] == "attack";
            // For some milliseconds, until its news is told, an attack is known by its row only.
            attacks.iter().filter(is).find(|attack| attack.get("pseudonymous").is_none()).cloned()
        };
        let both = (on(OWN[0])?, on(OWN[1])?);
        (both.0["sources"]["count"].as_u64()? >= 3 && both.1["sources"]["count"].as_u64()? >= 3)
            .then_some(both)
    });
    // What goes on is in the clear.
    for attack in [&both.0, &both.1] {
        let top = attack["sources"]["top"].as_array().unwrap();
        assert!(top.iter().any(|source| FOREIGN.contains(&source["address"].as_str().unwrap())), "{attack}");
    }
    // While it goes on, what is on the disk names nobody already: a power cut would leave just that.
    let clear = |name: &str| name == "private" || name == "evidence";
    wait_for("the rows", PATIENCE, || {
        exporter.tell(&daemon, attackers(), true);
        (found(&state, &OWN, &clear).len() >= 2).then_some(())
    });
    assert_eq!(found(&state, &FOREIGN, &clear), BTreeSet::new());

    let over = wait_for("their ends", PATIENCE, || {
        exporter.tell(&daemon, HONEST.into_iter(), false);
        std::thread::sleep(Duration::from_millis(100));
        let over: Vec<Value> =
            daemon.attacks().into_iter().filter(|attack| attack["state"] == "over").collect();
        (over.len() >= 2).then_some(over)
    });
    let day = Day::of(both.0["started_at"].as_str().unwrap().parse().unwrap()).to_string();
    for attack in &over {
        serde_json::from_value::<api::model::Attack>(attack.clone())
            .expect("the API documents what it serves");
        assert_eq!(attack["pseudonymous"], day.as_str());
        let text = attack.to_string();
        assert!(FOREIGN.iter().all(|foreign| !text.contains(foreign)), "{text}");
        assert!(OWN.iter().any(|own| text.contains(own)), "our own addresses stay: {text}");
    }
    assert!(daemon.sum("spillway_privacy_sweep_timestamp_seconds") > 0.0);
    assert_eq!(daemon.sum("spillway_privacy_errors_total"), 0.0);
    let busy = sweep(&file, &after(1));
    assert!(stderr(&busy).contains("--now is for a state folder that nobody uses"), "{}", stderr(&busy));
    wait_for("their rows", PATIENCE, || {
        let open = Writer::open(&state).unwrap().reader().unwrap().open_attacks().unwrap();
        open.is_empty().then_some(())
    });
    daemon.signal("-KILL");
    daemon.ended();
    assert_eq!(found(&state, &FOREIGN, &clear), BTreeSet::new(), "killed");
    // It goes on with what it had sealed.
    let daemon = Daemon::start(&file);
    // Where the state of their end was not saved any more they end once more.
    let again = wait_for("their ends", PATIENCE, || {
        exporter.tell(&daemon, HONEST.into_iter(), false);
        std::thread::sleep(Duration::from_millis(100));
        let mut again = daemon.attacks();
        again.retain(|attack| attack["pseudonymous"] == day.as_str());
        (again.len() >= 2).then_some(again)
    });
    let tops = |all: &[Value]| -> BTreeSet<String> {
        let tops = all.iter().flat_map(|attack| attack["sources"]["top"].as_array().unwrap().clone());
        tops.map(|source| source["address"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(tops(&again), tops(&over), "pseudonyms of one day are the same after a restart");
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    assert_eq!(found(&state, &FOREIGN, &clear), BTreeSet::new(), "at rest");
    assert_eq!(
        found(&state, &OWN, &clear).iter().map(|(_, own)| own.as_str()).collect::<BTreeSet<_>>(),
        BTreeSet::from(OWN)
    );

    // A person turns them back, and the ledger knows.
    let pseudonyms: Vec<String> = tops(&over).into_iter().collect();
    let mut ask = vec!["privacy", "reveal", "--day", &day, "--reason", "a test", "-c", &file];
    ask.extend(pseudonyms.iter().map(String::as_str));
    let revealed = json_lines(&spillway(ask.iter().copied()));
    let addresses: BTreeSet<&str> = revealed.iter().map(|line| line["address"].as_str().unwrap()).collect();
    assert_eq!(addresses, attackers().map(|at| FOREIGN[at]).collect());
    let common = |a: &str, b: &str| {
        let one = |text: &str| pseudonym(&revealed, text);
        base::Prefix::host(one(a)).join(&base::Prefix::host(one(b))).unwrap().bits()
    };
    assert_eq!(common(FOREIGN[0], FOREIGN[1]), 24, "11.87.203.41 and .186 differ from the 25th bit on");
    assert!(common(FOREIGN[0], FOREIGN[2]) < 8);
    let report = spillway(["ledger", "report", "-c", &file, "-o", "json"]);
    assert!(String::from_utf8_lossy(&report.stdout).contains("depseudonymisation"), "{}", stderr(&report));
    let head = state.join("ledger/log/checkpoint");
    let good = std::fs::read(&head).unwrap();
    std::fs::write(&head, "nonsense").unwrap();
    let refused = spillway(ask.iter().copied());
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("nothing is revealed that does not stand in the ledger"),
        "{}",
        stderr(&refused)
    );
    std::fs::write(&head, good).unwrap();

    // Evidence goes when its time is over, unless somebody holds it.
    let (plain, held) = (evidence(&state, "00f1a2b3c4d5e6f7"), evidence(&state, "11f1a2b3c4d5e6f7"));
    let bag = held.join("evidence");
    let hold =
        spillway(["evidence", "hold", bag.to_str().unwrap(), "--reason", "case 17/2026", "-o", "json"]);
    assert!(hold.status.success(), "{}", stderr(&hold));
    assert!(
        held.join("evidence.hold").is_file() && !bag.join("hold").exists(),
        "a sealed bag is not touched"
    );
    let shown: Value =
        serde_json::from_slice(&spillway(["privacy", "show", "-c", &file, "-o", "json"]).stdout).unwrap();
    let class = |name: &str| {
        shown["classes"].as_array().unwrap().iter().find(|class| class["class"] == name).unwrap().clone()
    };
    assert_eq!((&class("evidence")["held"], &class("evidence")["on_hold"]), (&2.into(), &1.into()));
    assert_eq!((&class("keys")["held"], &class("attacks")["addresses"]), (&1.into(), &"pseudonyms".into()));
    assert!(class("attacks")["held"].as_u64().unwrap() >= 2 && class("attacks")["goes"].is_string());

    let early = gone(&sweep(&file, &after(20)));
    assert!(early["samples"].as_u64().unwrap() > 0, "flow samples are, after a week: {early}");
    assert!(
        early.as_object().unwrap().iter().all(|(class, n)| class == "samples" || n == 0),
        "nothing else is over yet: {early}"
    );
    let first = gone(&sweep(&file, &after(40)));
    assert_eq!(
        (&first["evidence"], &first["keys"], &first["attacks"]),
        (&1.into(), &1.into(), &0.into()),
        "{first}"
    );
    assert!(!plain.exists() && held.exists());
    assert_eq!(std::fs::read_dir(state.join("keys")).unwrap().count(), 0);
    let late = spillway(ask.iter().copied());
    assert!(stderr(&late).contains("there is no key of"), "{}", stderr(&late));
    assert!(!found(&state, &OWN, &clear).is_empty(), "attacks are kept for longer than the key");
    assert_eq!(found(&state, &FOREIGN, &clear), BTreeSet::new());

    let release = spillway(["evidence", "hold", bag.to_str().unwrap(), "--release"]);
    assert!(release.status.success(), "{}", stderr(&release));
    let last = gone(&sweep(&file, &after(400)));
    assert!(
        last["attacks"].as_u64().unwrap() >= 2
            && last["evidence"] == 1
            && last["ledger"].as_u64().unwrap() > 0,
        "{last}"
    );
    assert_eq!(found(&state, &FOREIGN, &|_| false), BTreeSet::new(), "in no file at all");
    // The log itself is whole, and says that something went.
    let report = spillway(["ledger", "report", "-c", &file, "-o", "json"]);
    assert!(report.status.success(), "{}", stderr(&report));
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("deletion") && report.contains("erasure"), "{report}");
    assert_eq!(Daemon::start(&file).attacks(), [] as [Value; 0], "and the daemon begins anew");
}

fn pseudonym(revealed: &[Value], address: &str) -> IpAddr {
    let line = revealed.iter().find(|line| line["address"] == address).unwrap();
    line["pseudonym"].as_str().unwrap().parse().unwrap()
}

#[test]
fn what_an_older_version_kept_in_the_clear_is_concealed_at_the_start() {
    let scratch = Scratch::new("privacy-older");
    let (file, state) = (config(&scratch, ""), state(&scratch));
    std::fs::create_dir_all(&state).unwrap();
    let mut writer = Writer::open(&state).unwrap();
    let rows = (0..900).map(|n| {
        row(n, &format!("{{\"id\":\"{n}\",\"explain\":[\"{} sends\"]}}", FOREIGN[n % FOREIGN.len()]))
    });
    writer.commit(&Batch { attacks: rows.collect(), snapshots: Vec::new() }).unwrap();
    drop(writer);
    assert!(!found(&state, &FOREIGN, &|_| false).is_empty());
    let daemon = Daemon::start(&file);
    wait_for("the look at the start", PATIENCE, || {
        let swept = daemon.get("/metrics").1.contains("spillway_privacy_sweep_timestamp_seconds");
        swept.then_some(())
    });
    assert_eq!(found(&state, &FOREIGN, &|_| false), BTreeSet::new());
    let attack = daemon.json("/api/v1/attacks/17");
    assert!(
        attack["pseudonymous"].is_string() && attack["explain"][0].as_str().unwrap().ends_with(" sends"),
        "{attack}"
    );
}

/// An attack as the store keeps it.
fn row(n: usize, document: &str) -> AttackRow {
    let at = now().plus(Span::from_millis(u64::try_from(n).unwrap()));
    AttackRow {
        id: n.to_string(),
        state: "over".into(),
        severity: "attack".into(),
        target: "198.18.7.7/32".into(),
        direction: "in".into(),
        started_at: at,
        ended_at: Some(at),
        updated_at: at,
        document: document.into(),
        rules: Vec::new(),
    }
}

#[test]
fn a_sweep_that_was_killed_at_any_instant_is_done_by_the_next() {
    let scratch = Scratch::new("privacy-kill");
    let (file, state) = (config(&scratch, ""), state(&scratch));
    std::fs::create_dir_all(state.join("keys")).unwrap();
    let mut writer = Writer::open(&state).unwrap();
    let rows = (0..3_000).map(|n| row(n, "{\"pseudonymous\":\"2026-11-26\"}")).collect();
    writer.commit(&Batch { attacks: rows, snapshots: Vec::new() }).unwrap();
    drop(writer);
    let day = now();
    for n in 0..40 {
        evidence(&state, &format!("{n:016x}"));
        let day = Day::of(day.minus(Span::from_secs(n * 86_400)));
        let key = state.join(format!("keys/{day}.key"));
        std::fs::write(&key, [7; 32]).unwrap();
    }
    let then = after(400);
    let mut left = BTreeSet::new();
    for round in 0..14_u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_spillway"))
            .args(["privacy", "sweep", "-c", &file, "--now", &then])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // At ever later instants; what it had done until then differs from machine to machine.
        let until = Instant::now() + Duration::from_millis(3 + round * round * 2);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        child.wait().unwrap();
        let units = std::fs::read_dir(state.join("evidence")).unwrap().count();
        left.insert((units, std::fs::read_dir(state.join("keys")).unwrap().count()));
    }
    println!("left behind on the way: {left:?}");
    gone(&sweep(&file, &then));
    assert_eq!(std::fs::read_dir(state.join("evidence")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(state.join("keys")).unwrap().count(), 0);
    assert_eq!(store::attacks_held(&state).unwrap().count, 0);
    assert_eq!(found(&state, &FOREIGN, &|_| false), BTreeSet::new());
    let report = spillway(["ledger", "report", "-c", &file, "-o", "json"]);
    assert!(report.status.success(), "{}", stderr(&report));
    assert!(
        gone(&sweep(&file, &then)).as_object().unwrap().values().all(|n| n == 0),
        "and nothing is left to do"
    );
}

#[test]
fn evidence_waits_for_the_ledger_and_keys_do_not() {
    let scratch = Scratch::new("privacy-ledger");
    let (file, state) = (config(&scratch, ""), state(&scratch));
    let folder = evidence(&state, "00f1a2b3c4d5e6f7");
    std::fs::create_dir_all(state.join("keys")).unwrap();
    std::fs::write(state.join(format!("keys/{}.key", Day::of(now()))), [7; 32]).unwrap();
    // where the ledger's folder should be is a file
    std::fs::write(state.join("ledger"), "x").unwrap();
    let refused = sweep(&file, &after(60));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("evidence stays until that stands in the ledger"),
        "{}",
        stderr(&refused)
    );
    assert!(folder.exists() && std::fs::read_dir(state.join("keys")).unwrap().count() == 0);
    std::fs::remove_file(state.join("ledger")).unwrap();
    assert_eq!(gone(&sweep(&file, &after(60)))["evidence"], 1);
    assert!(!folder.exists());
}
