//! The store in trouble: no attack is lost because `spillway.db` could not be written for a while.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{Daemon, attacked, config, syns, wait};
use crate::support::Scratch;

/// Somebody else who has locked the database until this ends.
struct Locked(Child);

impl Locked {
    fn at(path: &Path) -> Self {
        let program = "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1],timeout=60)\nd.execute('BEGIN EXCLUSIVE')\nprint('locked',flush=True)\nsys.stdin.read()";
        Self::by(program, path)
    }

    fn by(program: &str, path: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Self(child)
    }

    /// Locked and free in turns, until this ends: mostly locked, and never for as long as anybody gives a disk.
    fn in_turns(path: &Path) -> Self {
        let program = "import select,sqlite3,sys,time\nd=sqlite3.connect(sys.argv[1],timeout=60,isolation_level=None)\nprint('locked',flush=True)\nwhile not select.select([sys.stdin],[],[],0.15)[0]:\n d.execute('BEGIN EXCLUSIVE'); time.sleep(0.35); d.execute('ROLLBACK')";
        Self::by(program, path)
    }

    fn open(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// What stands in the database of this attack, its severity; `inside`: as this process sees the disk.
fn row(inside: Option<u32>, database: &Path, id: &str) -> Option<String> {
    let program = "import sqlite3,sys\nd=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\nfor r in d.execute('SELECT severity FROM attacks WHERE id=?',sys.argv[2:]): print(r[0])";
    // a path through /proc/PID/root is none for SQLite, which follows links itself
    let mut asked = Command::new(if inside.is_some() { "nsenter" } else { "python3" });
    if let Some(process) = inside {
        asked.args(["-t", &process.to_string(), "-m", "python3"]);
    }
    asked.args(["-c", program]).arg(database).arg(id);
    let out = asked.output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    (!said.is_empty()).then(|| said.trim().to_owned())
}

fn errors(daemon: &Daemon) -> f64 {
    daemon.sum("spillway_store_errors_total")
}

fn id(attack: &Value) -> String {
    attack["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_attack_while_another_process_holds_the_database_is_written_when_it_lets_go() {
    let scratch = Scratch::new("store-locked");
    let daemon = Daemon::start(&config(&scratch, "", ""));
    let database = scratch.path("state/spillway.db");
    let lock = Locked::at(&database);
    let id = id(&attacked(&daemon));
    wait("a write that fails", || (errors(&daemon) > 0.0).then_some(()));
    assert_eq!(row(None, &database, &id), None, "nothing can be written");
    assert!(daemon.attacks().iter().any(|attack| attack["id"] == id.as_str()), "it is told meanwhile");
    assert!(daemon.sum("spillway_store_told_unwritten_total") > 0.0, "and that is counted");
    lock.open();
    let severity = wait("the row", || row(None, &database, &id));
    assert_eq!(severity, "attack");
    assert_eq!(daemon.sum("spillway_store_lost_total"), 0.0);
    // and it is known to the next one
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
    let daemon = Daemon::start(scratch.path("spillway.toml").to_str().unwrap());
    assert!(daemon.attacks().iter().any(|attack| attack["id"] == id.as_str()));
}

#[test]
fn an_attack_while_the_disk_is_full_is_written_when_there_is_room() {
    let scratch = Scratch::new("store-full");
    let (file, state) = (config(&scratch, "", ""), scratch.path("state"));
    let Some((daemon, inside)) = Daemon::in_tmpfs(&file, &state, 24 << 10) else { return };
    let ballast = inside.join("ballast");
    let mut zeroes = std::io::repeat(0).take(64 << 20);
    std::io::copy(&mut zeroes, &mut std::fs::File::create(&ballast).unwrap()).unwrap_err();
    let id = id(&attacked(&daemon));
    wait("a write that fails", || (errors(&daemon) > 0.0).then_some(()));
    assert!(daemon.attacks().iter().any(|attack| attack["id"] == id.as_str()), "it is told meanwhile");
    std::fs::remove_file(&ballast).unwrap();
    let severity = wait("the row", || row(Some(daemon.id()), &state.join("spillway.db"), &id));
    assert_eq!(severity, "attack");
    assert_eq!(daemon.sum("spillway_store_lost_total"), 0.0);
    daemon.signal("-TERM");
    assert_eq!(daemon.ended().0, Some(0));
}

/// Attacks as events told of them: severity and state by id, as told last.
struct Told(std::thread::JoinHandle<Vec<u8>>);

impl Told {
    fn by(daemon: &Daemon) -> Self {
        let address = daemon.ready["api"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /api/v1/events HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert!(head.ends_with(b"200"), "{}", String::from_utf8_lossy(&head));
        Self(std::thread::spawn(move || {
            let mut all = Vec::new();
            // who is killed resets the connection; what came before is in `all`
            let _ = stream.read_to_end(&mut all);
            all
        }))
    }

    fn until_the_end(self) -> BTreeMap<String, Value> {
        let all = String::from_utf8(self.0.join().unwrap()).unwrap();
        let documents = all.lines().filter_map(|line| line.strip_prefix("data:"));
        let documents = documents.filter_map(|text| serde_json::from_str::<Value>(text.trim()).ok());
        let attacks = documents.filter(|document| document["peak_pps"].is_u64());
        attacks.map(|attack| (id(&attack), attack)).collect()
    }
}

/// Floods this host of the test network until told to stop.
fn flood(to: SocketAddr, host: u8, stop: &AtomicBool) {
    let sender = UdpSocket::bind("127.0.0.7:0").unwrap();
    let mut sequence = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut datagram = syns(sequence, 10);
        // 24 octets of header, 48 a record, the target behind the source
        datagram[24..].chunks_mut(48).for_each(|record| record[7] = host);
        sender.send_to(&datagram, to).unwrap();
        sequence += 10;
        std::thread::sleep(Duration::from_millis(4));
    }
}

/// Attacks of which this log says that the disk did not answer in time.
fn told_unwritten(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines
        .filter_map(|line| line["unwritten"].is_u64().then(|| line["attacks"].as_str().unwrap().to_owned()));
    told.flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn whatever_was_told_of_an_attack_is_there_after_kill_9_at_any_moment() {
    let scratch = Scratch::new("store-told");
    let calls = scratch.path("calls");
    let script = format!("#!/bin/sh\ncat >> '{0}'\necho >> '{0}'\n", calls.display());
    let script = scratch.file("tell", script.as_bytes());
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
    let file = config(&scratch, "mode = \"suggest\"", &format!("[notify.exec]\npath = \"{script}\""));
    let rank = |attack: &Value| usize::from(attack["severity"] == "attack");
    let (mut told_of, mut excused) = (0, BTreeSet::new());
    let database = scratch.path("state/spillway.db");
    for round in 0..8u8 {
        let daemon = Daemon::start(&file);
        // who told first and wrote then would be found out here: what is told while nothing can be written is killed at once
        let locked = (round % 2 == 0).then(|| Locked::in_turns(&database));
        let told = Told::by(&daemon);
        let stop = AtomicBool::new(false);
        // in turns: the very moment in which the API tells of it, and some other one
        std::thread::scope(|scope| {
            scope.spawn(|| flood(daemon.listen(1), 100 + round, &stop));
            let target = format!("198.18.7.{}/32", 100 + round);
            let severity = if round % 4 == 0 { "suspicious" } else { "attack" };
            let told = |attack: &Value| {
                attack["target"] == target.as_str()
                    && [severity, "attack"].iter().any(|word| attack["severity"] == *word)
            };
            if round % 2 == 0 {
                wait("the attack", || daemon.attacks().iter().any(told).then_some(()));
            } else {
                std::thread::sleep(Duration::from_millis(700 + u64::from(round) * 137));
            }
            daemon.signal("-KILL");
            stop.store(true, Ordering::Relaxed);
        });
        let (_, log) = daemon.ended();
        let mut told = told.until_the_end();
        if let Some(locked) = locked {
            locked.open();
        }
        // on a machine that is too busy to write for a second it is told all the same, and that is said
        let late = told_unwritten(&log);
        told.retain(|id, _| !late.contains(id));
        told_of += told.len();
        let daemon = Daemon::start(&file);
        for (id, before) in &told {
            let (status, text) = daemon.get(&format!("/api/v1/attacks/{id}"));
            assert_eq!(status, 200, "round {round}: {id} was told and is gone: {text}");
            let now: Value = serde_json::from_str(&text).unwrap();
            assert!(rank(&now) >= rank(before), "round {round}: {before}\nis now\n{now}");
            let rules = |attack: &Value| attack["rules"].as_array().map_or(0, Vec::len);
            assert!(rules(&now) >= rules(before).min(1), "round {round}: {before}\nis now\n{now}");
            assert!(before["state"] != "over" || now["state"] == "over");
        }
        let called = std::fs::read_to_string(&calls).unwrap_or_default();
        for called in called.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let (status, _) = daemon.get(&format!("/api/v1/attacks/{}", id(&called)));
            excused.extend(late.iter().cloned());
            assert!(
                status == 200 || excused.contains(&id(&called)),
                "round {round}: a program was called, and it is gone: {called}"
            );
        }
        daemon.signal("-KILL");
        daemon.ended();
    }
    assert!(told_of >= 4, "only {told_of} attacks were told of");
}
