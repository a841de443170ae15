//! The ledger on a disk: what was promised is there after any end, what was put back is found out, what is full says so.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ledger::Policy;
use serde_json::Value;
use spillway::ledger::{Place, View};

use crate::daemon::{Daemon, wait};
use crate::support::{Scratch, json_lines, spillway, stderr};

/// A state folder and a configuration.
pub(crate) struct House {
    pub(crate) scratch: Scratch,
    pub(crate) config: String,
}

impl House {
    pub(crate) fn new(name: &str, more: &str) -> Self {
        let scratch = Scratch::new(&format!("ledger-{name}"));
        let text = format!(
            "networks = [\"198.51.100.0/22\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [customers.acme]\nnetworks = [\"198.51.100.0/28\"]\n{more}\n",
            scratch.path("state").display()
        );
        let config = scratch.file("spillway.toml", text.as_bytes());
        std::fs::create_dir_all(scratch.path("state")).unwrap();
        Self { scratch, config }
    }

    pub(crate) fn place(&self) -> Place {
        Place::new(&self.scratch.path("state"), None, None)
    }

    pub(crate) fn view(&self) -> View {
        View::at(&self.place()).unwrap()
    }

    /// Runs `spillway ledger …`.
    pub(crate) fn ledger(&self, args: &[&str]) -> Output {
        spillway([&["ledger"], args, &["-c", &self.config]].concat())
    }

    /// Writes these down, and gives their numbers.
    fn record(&self, lines: &str) -> Output {
        let mut child = self.recorder().spawn().unwrap();
        // who refuses does not read to the end
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn recorder(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spillway"));
        command.args(["ledger", "record", "configuration", "-c", &self.config]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("decision {n}\n")).collect()
}

#[test]
fn an_entry_is_proven_offline_and_a_changed_file_is_not() {
    let house = House::new("offline", "[ledger]\norigin = \"example.org/test\"");
    let said = json_lines(&house.record(&lines(0..600)));
    assert_eq!(said.last().unwrap()["index"], 599);
    let head: Value = serde_json::from_slice(&house.ledger(&["head", "-o", "json"]).stdout).unwrap();
    assert_eq!((&head["origin"], &head["size"]), (&"example.org/test".into(), &600.into()));
    let to = house.scratch.path("case");
    std::fs::create_dir_all(&to).unwrap();
    let to = to.to_str().unwrap();
    let policy = head["policy"].as_str().unwrap();
    for open in [false, true] {
        let args: &[&str] =
            if open { &["prove", "321", "--open", "--to", to] } else { &["prove", "321", "--to", to] };
        let output = house.ledger(args);
        let written: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let (proof, file) = (written["proof"].as_str().unwrap(), written["file"].as_str().unwrap());
        // neither a configuration nor the log is looked at
        let verify = || spillway(["ledger", "verify", proof, file, "--policy", policy, "-o", "json"]);
        let output = verify();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&verified["index"], &verified["is_entry"]), (&321.into(), &(!open).into()));
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.contains("decision 321"), open, "{text}");
        let (size, before) = (std::fs::read(proof).unwrap().len(), std::fs::read(file).unwrap());
        assert!(size <= 1_536, "a proof of {size} octets");
        let mut changed = before.clone();
        changed[20] ^= 1;
        std::fs::write(file, changed).unwrap();
        let output = verify();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("was changed"), "{}", stderr(&output));
    }
    let output = spillway(["ledger", "verify", policy, policy, "--policy", policy]);
    assert!(stderr(&output).contains("not a proof"), "{}", stderr(&output));
    // a stranger reads the same files
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/tests/main/verifier.py");
    let log = house.place().log();
    match Command::new("python3").arg(script).arg("log").arg(log).arg(policy).output() {
        Ok(output) => assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "600"),
        Err(cause) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 is needed: {cause}");
            eprintln!("skipped: needs python3");
        }
    }
}

#[test]
fn the_report_counts_what_stands_in_the_log() {
    let house = House::new("report", "");
    assert!(stderr(&house.ledger(&["report"])).contains("no ledger"), "said before there is one");
    house.record(&lines(0..300));
    let report: Value = serde_json::from_slice(&house.ledger(&["report", "-o", "json"]).stdout).unwrap();
    let mut leaves = BTreeMap::new();
    house
        .view()
        .audit(|_, entry| {
            let entry: Value = serde_json::from_slice(entry).unwrap();
            *leaves.entry(entry["what"]["decision"]["act"].as_str().unwrap().to_owned()).or_insert(0_u64) +=
                1;
        })
        .unwrap();
    assert_eq!(leaves, BTreeMap::from([("configuration".to_owned(), 300)]));
    let halves = report["halves"].as_array().unwrap();
    let counted: u64 = halves.iter().map(|half| half["decisions"]["configuration"].as_u64().unwrap()).sum();
    assert_eq!((counted, report["entries"].as_u64()), (300, Some(300)));
    let text = String::from_utf8(house.ledger(&["report", "-o", "text"]).stdout).unwrap();
    assert!(text.contains("add up to the signed root") && text.contains("decision: configuration"), "{text}");
    // one octet of one old entry, and the report is refused
    let bundle = house.place().log().join("tile/entries/000");
    let mut octets = std::fs::read(&bundle).unwrap();
    octets[100] ^= 1;
    std::fs::write(&bundle, octets).unwrap();
    let output = house.ledger(&["report"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("restore the ledger's folder"), "{}", stderr(&output));
}

#[test]
fn the_whole_log_is_exported_as_it_was_hashed() {
    let house = House::new("export", "");
    house.record(&lines(0..300));
    let exported = json_lines(&house.ledger(&["export"]));
    let (head, entries) = exported.split_last().unwrap();
    assert_eq!((&head["size"], entries.len()), (&300.into(), 300));
    assert_eq!(head["note"], house.view().note());
    for at in [0, 255, 299] {
        let octets = house.view().entry(at).unwrap();
        let exported = &entries[usize::try_from(at).unwrap()];
        let leaf = ledger::Hash::leaf(&octets).base64();
        assert_eq!((&exported["index"], &exported["leaf"]), (&at.into(), &leaf.into()));
        assert_eq!(exported["entry"], serde_json::from_slice::<Value>(&octets).unwrap());
    }
    let from = house.ledger(&["export", "--from", "298", "-o", "json"]);
    let document: Value = serde_json::from_slice(&from.stdout).unwrap();
    assert_eq!(document["entries"].as_array().unwrap().len(), 2);
    assert_eq!(document["head"], *head);
    let none = house.ledger(&["export", "--from", "300", "-o", "json"]);
    let document: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!(document["entries"], serde_json::json!([]));
    // what is not what was signed is not handed on, and nothing of it is
    let bundle = house.place().log().join("tile/entries/000");
    let mut octets = std::fs::read(&bundle).unwrap();
    octets[100] ^= 1;
    std::fs::write(&bundle, octets).unwrap();
    let refused = house.ledger(&["export"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
}

#[test]
fn what_was_answered_is_there_after_kill_9_at_any_instant() {
    let house = House::new("kill", "");
    let (mut promised, mut at) = (0, 0_u64);
    for round in 0..12_u32 {
        let mut child = house.recorder().spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let feed = std::thread::Builder::new()
            .spawn(move || (0..200_000).try_for_each(|n| writeln!(input, "round {round} decision {n}")))
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        // instants that differ from round to round, from before the first append to far behind it
        at = at
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407 + u64::from(round));
        std::thread::sleep(Duration::from_micros(at >> 45));
        child.kill().unwrap();
        child.wait().unwrap();
        // it may be torn off in the middle of a line; the feeder ends with the pipe
        let _ = feed.join().unwrap();
        let mut line = String::new();
        while answers.read_line(&mut line).is_ok_and(|octets| octets > 0) {
            if let Ok(answer) = serde_json::from_str::<Value>(&line) {
                promised = promised.max(answer["index"].as_u64().unwrap() + 1);
            }
            line.clear();
        }
        if !house.place().checkpoint().exists() {
            assert_eq!(promised, 0);
            continue;
        }
        let view = house.view();
        assert!(view.checkpoint().size >= promised, "{} of {promised}", view.checkpoint().size);
        let mut seen = 0;
        view.audit(|_, _| seen += 1).unwrap();
        assert_eq!(seen, view.checkpoint().size);
        if let Some(last) = seen.checked_sub(1) {
            let policy = Policy::parse(&std::fs::read_to_string(house.place().policy()).unwrap()).unwrap();
            policy.receipt(&view.entry(last).unwrap(), &view.prove(last).unwrap()).unwrap();
            let content = view.secret(last).unwrap().unwrap().content.unwrap();
            assert!(content.contains("decision"), "{content}");
        }
    }
    let more = house.record("the last one\n");
    let index = json_lines(&more)[0]["index"].as_u64().unwrap();
    assert!(index >= promised, "{index} of {promised}");
    assert!(house.view().secret(index).unwrap().unwrap().content.unwrap().contains("the last one"));
}

/// Copies a folder as `cp -a` would.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_copy_from_before_is_found_out_and_nothing_is_written() {
    let house = House::new("rollback", "");
    house.record(&lines(0..10));
    let (now, before) = (house.scratch.path("state/ledger"), house.scratch.path("before"));
    copy(&now, &before);
    house.record(&lines(10..30));
    std::fs::rename(&now, house.scratch.path("newer")).unwrap();
    copy(&before, &now);
    let output = house.record("one more\n");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("has 10 entries, but") && said.contains("remembers 30"), "{said}");
    assert_eq!(house.view().checkpoint().size, 10);
    // without its folder at all
    std::fs::remove_dir_all(&now).unwrap();
    std::fs::create_dir(&now).unwrap();
    std::fs::copy(before.join("key"), now.join("key")).unwrap();
    assert!(stderr(&house.record("x\n")).contains("has 0 entries"), "a key alone");
    // another history of the same length, signed by the same key
    std::fs::remove_dir_all(&now).unwrap();
    copy(&before, &now);
    let head = house.scratch.path("state/ledger.head");
    let remembered = std::fs::read(&head).unwrap();
    std::fs::remove_file(&head).unwrap();
    house.record(&lines(100..140));
    std::fs::write(&head, remembered).unwrap();
    let said = stderr(&house.record("x\n"));
    assert!(said.contains("first 30 entries") && said.contains("rewritten"), "{said}");
    // the newer one back, and it goes on
    std::fs::remove_dir_all(&now).unwrap();
    std::fs::rename(house.scratch.path("newer"), &now).unwrap();
    assert_eq!(json_lines(&house.record("x\n"))[0]["index"], 30);
}

#[test]
fn a_whole_state_folder_that_was_put_back_is_found_out_by_what_is_elsewhere() {
    let elsewhere = Scratch::new("ledger-elsewhere");
    let file = elsewhere.path("head");
    let house = House::new("elsewhere", &format!("[ledger]\nremember = \"{}\"", file.display()));
    house.record(&lines(0..5));
    copy(&house.scratch.path("state"), &house.scratch.path("before"));
    house.record(&lines(5..9));
    std::fs::remove_dir_all(house.scratch.path("state")).unwrap();
    std::fs::rename(house.scratch.path("before"), house.scratch.path("state")).unwrap();
    let said = stderr(&house.record("x\n"));
    assert!(said.contains("remembers 9") && said.contains(file.to_str().unwrap()), "{said}");
}

#[test]
fn two_writers_take_turns() {
    let house = House::new("turns", "");
    let run = |from: u32| {
        let mut child = house.recorder().spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let feed = std::thread::Builder::new().spawn(move || {
            (from..from + 300).try_for_each(|n| {
                std::thread::sleep(Duration::from_micros(300));
                writeln!(input, "decision {n}")
            })
        });
        (child, feed.unwrap())
    };
    let writers = [run(0), run(1_000)];
    let mut indices: Vec<u64> = Vec::new();
    for (child, feed) in writers {
        feed.join().unwrap().unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        indices.extend(json_lines(&output).iter().map(|line| line["index"].as_u64().unwrap()));
    }
    indices.sort_unstable();
    assert_eq!(indices, (0..600).collect::<Vec<_>>());
    let view = house.view();
    let mut contents: Vec<String> =
        (0..600).map(|index| view.secret(index).unwrap().unwrap().content.unwrap()).collect();
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), 600);
    view.audit(|_, _| ()).unwrap();
}

#[test]
fn an_erased_entry_stays_and_says_nothing() {
    let house = House::new("erase", "");
    house.record(&lines(0..3));
    let output = house.ledger(&["erase", "1", "--reason", "a person asked for it"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let view = house.view();
    assert_eq!(view.checkpoint().size, 4);
    assert_eq!(view.secret(1).unwrap(), None);
    assert!(view.secret(2).unwrap().is_some());
    assert!(view.entry(1).is_ok());
    let said =
        stderr(&house.ledger(&["prove", "1", "--open", "--to", house.scratch.path("").to_str().unwrap()]));
    assert!(said.contains("was erased"), "{said}");
    assert!(stderr(&house.ledger(&["erase", "1", "--reason", "again"])).contains("nothing is kept"));
    let entry: Value = serde_json::from_slice(&view.entry(3).unwrap()).unwrap();
    assert_eq!(entry["what"]["decision"]["act"], "erasure");
    // nowhere below the folder
    let found =
        Command::new("grep").args(["-r", "decision 1"]).arg(house.scratch.path("state")).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
}

/// Runs a shell script where `$STATE` is a file system of 1 MiB; `None`: not here.
pub(crate) fn on_a_small_disk(house: &House, script: &str) -> Option<Output> {
    let spillway = env!("CARGO_BIN_EXE_spillway");
    let script = format!("set -u; mount -t tmpfs -o size=1m none \"$STATE\" || exit 99\n{script}");
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .env("STATE", house.scratch.path("state"))
        .env("CONFIG", &house.config)
        .env("SPILLWAY", spillway)
        .env("OUT", house.scratch.path(""))
        .output();
    let here = output.as_ref().is_ok_and(|output| output.status.success());
    assert!(here || std::env::var("CI").as_deref() != Ok("true"), "a mount namespace is needed: {output:?}");
    if !here {
        eprintln!("skipped: needs root and a mount namespace");
    }
    output.ok().filter(|_| here)
}

#[test]
fn a_full_disk_refuses_says_so_and_loses_nothing() {
    let house = House::new("full", "");
    let script = r#"
record() { "$SPILLWAY" ledger record configuration -c "$CONFIG"; }
seq 1 100 | record >"$OUT/first"
# nearly full: what is left is too little for the next append
head -c 2m /dev/zero >"$STATE/ballast" 2>/dev/null
seq 101 3000 | record >"$OUT/refused" 2>"$OUT/said"; echo "$?" >"$OUT/status"
"$SPILLWAY" ledger report -c "$CONFIG" -o json >"$OUT/report"
rm "$STATE/ballast"
seq 1 50 | record >"$OUT/again"
"$SPILLWAY" ledger report -c "$CONFIG" -o json >"$OUT/report2"
# and once more by its own weight: until it fits no more
i=0; while seq 1 256 | record >/dev/null 2>&1; do i=$((i+1)); [ $i -lt 60 ] || break; done
"$SPILLWAY" ledger report -c "$CONFIG" -o json >"$OUT/report3"; echo "$i" >"$OUT/rounds"
exit 0
"#;
    let Some(_) = on_a_small_disk(&house, script) else { return };
    let read = |name: &str| std::fs::read_to_string(house.scratch.path(name)).unwrap();
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();
    assert_eq!(read("status").trim(), "1", "{}", read("said"));
    assert!(
        read("said").contains("cannot be written") && read("said").contains("No space left"),
        "{}",
        read("said")
    );
    let promised = 100 + read("refused").lines().count() as u64;
    let report = json("report")["entries"].as_u64().unwrap();
    assert_eq!(report, promised);
    assert_eq!(json("report2")["entries"].as_u64(), Some(report + 50));
    assert!(json("report3")["entries"].as_u64() >= Some(report + 50));
    let rounds: u32 = read("rounds").trim().parse().unwrap();
    assert!((1..60).contains(&rounds), "{rounds}");
}

/// Routers that nobody answers for: what is wanted of them is decided all the same.
const ROUTING: &str = "[routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.approvals]\nblackhole = 2\nflowspec = 1\n\
    [routing.peers.up]\naddress = \"127.0.0.1:1\"\nasn = 64500\ncarries = [\"blackhole\", \"flowspec\"]\nnext_hop = \"192.0.2.1\"\n\
    next_hop6 = \"2001:db8:ffff::1\"\n";

fn route(house: &House, args: &[&str]) -> Value {
    let why = ["--reason", "a test", "-c", &house.config, "-o", "json"];
    let output = spillway([&["route"], args, &why].concat());
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Acts with who decided them and whether they concern a customer, in their order.
fn acts(house: &House) -> Vec<(String, String, bool)> {
    let mut acts = Vec::new();
    let note = |_, entry: &[u8]| {
        let entry: Value = serde_json::from_slice(entry).unwrap();
        let decision = &entry["what"]["decision"];
        let text = |key: &str| decision[key].as_str().unwrap_or_default().to_owned();
        acts.push((text("act"), text("by"), decision["customer"].is_string()));
    };
    house.view().audit(note).unwrap();
    acts
}

#[test]
fn routes_and_approvals_are_decisions() {
    let house = House::new("routes", ROUTING);
    let daemon = Daemon::start(&house.config);
    route(&house, &["blackhole", "198.51.100.7", "--as", "alice"]);
    route(&house, &["approve", "1", "--as", "bob"]);
    route(&house, &["announce", "r1 dst 198.51.100.99/32 proto udp -> drop", "--as", "alice"]);
    route(&house, &["withdraw", "1", "--as", "carol"]);
    // The orders themselves stand there, too, as those over the API do.
    wait("ten entries, the start among them", || (daemon.sum("spillway_ledger_size") >= 10.0).then_some(()));
    assert_eq!(daemon.sum("spillway_ledger_troubled"), 0.0);
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let person = |act: &str, of_customer| (act.to_owned(), "person".to_owned(), of_customer);
    let expected = [
        person("configuration", false),
        person("approval", true),
        person("announcement", true),
        person("announcement", false),
        person("withdrawal", true),
    ];
    let all = acts(&house);
    let (orders, decisions): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|(act, ..)| act == "operation");
    // and so do the start and the end
    assert_eq!((orders.len(), decisions), (6, expected.to_vec()));
    let view = house.view();
    let first = all.iter().position(|(act, ..)| act == "announcement").unwrap() as u64;
    let content = view.secret(first).unwrap().unwrap().content.unwrap();
    assert!(content.contains("198.51.100.7"), "{content}");
    let public = String::from_utf8(view.entry(first).unwrap()).unwrap();
    assert!(!public.contains("198.51.100") && !public.contains("alice"), "{public}");
}

#[test]
fn a_ledger_that_cannot_be_written_hinders_no_protection() {
    let house = House::new("trouble", ROUTING);
    // a file where its folder should be
    let place = house.scratch.path("state/ledger");
    std::fs::write(&place, "in the way").unwrap();
    let daemon = Daemon::start(&house.config);
    wait("the trouble to be seen", || (daemon.sum("spillway_ledger_troubled") == 1.0).then_some(()));
    route(&house, &["announce", "r1 dst 198.51.100.99/32 proto udp -> drop", "--as", "alice"]);
    let listed = route_list(&house);
    assert_eq!(listed["mitigations"].as_array().map_or(0, Vec::len), 1, "{listed}");
    assert_eq!(daemon.sum("spillway_ledger_size"), 0.0);
    assert!(daemon.sum("spillway_ledger_errors_total") >= 1.0);
    std::fs::remove_file(&place).unwrap();
    wait("what waited to be written", || (daemon.sum("spillway_ledger_size") >= 4.0).then_some(()));
    assert_eq!(daemon.sum("spillway_ledger_troubled"), 0.0);
    let person = |act: &str| (act.to_owned(), "person".to_owned(), false);
    let started = person("operation");
    assert_eq!(acts(&house), [started, person("configuration"), person("announcement"), person("operation")]);
    daemon.signal("-TERM");
    let (code, log) = daemon.ended();
    assert_eq!(code, Some(0));
    assert!(log.contains("nothing is disclosed meanwhile, protection goes on"), "{log}");
}

fn route_list(house: &House) -> Value {
    let output = spillway(["route", "list", "-c", &house.config, "-o", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}
