//! The store in trouble: no attack is lost because `spillway.db` could not be written for a while.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::daemon::{Daemon, attacked, config, wait};
use crate::support::Scratch;

/// Somebody else who has locked the database until this ends.
struct Locked(Child);

impl Locked {
    fn at(path: &Path) -> Self {
        let program = "import sqlite3,sys\nd=sqlite3.connect(sys.argv[1],timeout=60)\nd.execute('BEGIN EXCLUSIVE')\nprint('locked',flush=True)\nsys.stdin.read()";
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
