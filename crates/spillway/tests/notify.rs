//! Notifications from the real daemon to real far ends: a Python program that checks signatures by its own `hmac` and documents by
//! their schema, a mail server, sockets for syslog; and far ends that are dead, that hang, that come back.
#![expect(clippy::indexing_slicing, reason = "documents are looked into by key")]

mod amiss;
mod asked;
mod channels;
mod lasting;
mod secured;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base::Timestamp;
use serde_json::Value;
use store::EventRow;

use crate::support::{Scratch, spillway};

const SECRET: &str = "correct horse battery staple";

/// The far ends; dropping ends them.
struct Receiver {
    child: Child,
    kept: PathBuf,
    ports: Value,
}

impl Receiver {
    /// `None`, said aloud: Python's packages are not there.
    fn start(scratch: &Scratch) -> Option<Self> {
        Self::start_with(scratch, &[])
    }

    /// Likewise, with a certificate and its key for mail.
    fn start_with(scratch: &Scratch, more: &[&str]) -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../../.venv/bin/python");
        if !python.exists() {
            let what = "skipped: needs .venv; `scripts/setup python` makes it";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}, and CI has to have it");
            eprintln!("{what}");
            return None;
        }
        let schema = spillway(["notify", "schema"]);
        let schema = scratch.file("schema.json", &schema.stdout);
        let kept = PathBuf::from(scratch.file("received.jsonl", b""));
        let mut child = Command::new(python)
            .arg(here.join("tests/notify/receiver.py"))
            .args([kept.to_str().unwrap(), SECRET, &schema])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { child, kept, ports: serde_json::from_str(&line).unwrap() })
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports["http"])
    }

    /// What came to a path, or by mail.
    fn got(&self, path: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.kept).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let all = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|one| one["path"] == path || one["kind"] == path).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that keeps what it got.
fn program(scratch: &Scratch) -> (String, PathBuf) {
    let kept = scratch.path("program.json");
    let text = format!("#!/bin/sh\ncat > {0}.tmp && mv {0}.tmp {0}\n", kept.display());
    let path = scratch.file("tell.sh", text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (path, kept)
}

fn secret(scratch: &Scratch) -> String {
    let path = scratch.file("noc.secret", format!("{SECRET}\n").as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// An event that waits for a channel.
fn event(channel: &str, id: usize) -> EventRow {
    let at = Timestamp::from_secs(1_700_000_000);
    let document =
        serde_json::json!({ "kind": "attack_started", "at": at, "attack": null, "note": format!("{id}") });
    EventRow {
        channel: channel.to_owned(),
        at,
        rank: 2,
        document: document.to_string(),
        ..EventRow::default()
    }
}

/// A file that its owner alone reads.
fn closed(scratch: &Scratch, name: &str, text: &str) -> String {
    let path = scratch.file(name, text.as_bytes());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}
