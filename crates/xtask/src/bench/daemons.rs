//! The collectors under comparison, each started as its package means it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::peers::fastnetmon::{self, Ports};
use ::peers::process::Running;
use serde_json::Value;

use super::load::{Sent, words};
use crate::run::{Outcome, root};

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Daemon {
    Spillway,
    /// As shipped: connection tracking on.
    FastNetMon,
    FastNetMonUntracked,
    /// Writes files; detects nothing.
    Nfdump,
}

/// Where everybody listens for sFlow, and for the rest.
pub(crate) const SFLOW_PORT: u16 = 16_343;
pub(crate) const NETFLOW_PORT: u16 = 12_055;
pub(crate) const API_PORT: u16 = 18_080;

impl Daemon {
    pub(crate) const ALL: [Self; 4] =
        [Self::Spillway, Self::FastNetMon, Self::FastNetMonUntracked, Self::Nfdump];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spillway => "spillway run",
            Self::FastNetMon => "FastNetMon, as shipped",
            Self::FastNetMonUntracked => "FastNetMon, no connection tracking",
            Self::Nfdump => "nfcapd / sfcapd (stores only)",
        }
    }

    /// Starts it with its files in `folder`.
    pub(crate) fn start(self, folder: &Path, format: &str) -> Outcome<Running> {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut command = match self {
            Self::Spillway => spillway(folder)?,
            Self::FastNetMon => fastnetmon(folder, "on")?,
            Self::FastNetMonUntracked => fastnetmon(folder, "off")?,
            Self::Nfdump => nfdump(folder, format)?,
        };
        let mut running = Running::start(&mut command, &folder.join("log.txt"))?;
        running.listening(port(format)).map_err(|e| format!("{}: {e}", self.name()))?;
        Ok(running)
    }
}

/// Where this format goes.
pub(crate) fn port(format: &str) -> u16 {
    if format == "sflow" { SFLOW_PORT } else { NETFLOW_PORT }
}

fn spillway(folder: &Path) -> Outcome<Command> {
    let state = folder.join("state");
    std::fs::create_dir_all(&state).map_err(|e| e.to_string())?;
    let config = write(
        folder,
        "spillway.toml",
        &format!(
            "networks = [\"198.18.0.0/16\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\nmode = \"observe\"\n\n[listen]\nsflow = \
             \"127.0.0.1:{SFLOW_PORT}\"\nnetflow = \"127.0.0.1:{NETFLOW_PORT}\"\n\n[api]\nlisten = \"127.0.0.1:{API_PORT}\"\n",
            state.display()
        ),
    )?;
    let mut command = Command::new(root().join("target/release/spillway"));
    command.arg("run").arg("-c").arg(config);
    Ok(command)
}

fn fastnetmon(folder: &Path, tracking: &str) -> Outcome<Command> {
    let ports = Ports { sflow: SFLOW_PORT, netflow: NETFLOW_PORT };
    let changes = [("enable_connection_tracking", tracking.to_owned())];
    fastnetmon::command(folder, "198.18.0.0/16\n2001:db8::/32\n", ports, &changes)
}

fn nfdump(folder: &Path, format: &str) -> Outcome<Command> {
    let files = folder.join("files");
    std::fs::create_dir_all(&files).map_err(|e| e.to_string())?;
    let mut command = Command::new(if format == "sflow" { "sfcapd" } else { "nfcapd" });
    command.args(["-b", "127.0.0.1", "-p", &port(format).to_string(), "-w"]).arg(files);
    Ok(command)
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// What the running daemon says of itself.
pub(crate) struct Said {
    pub(crate) flows: u64,
    pub(crate) datagrams: u64,
    pub(crate) drops: u64,
    /// Of the attacks in the load, found at their target with one of their vectors.
    pub(crate) found: usize,
    /// Targets of severity `attack` that the load does not know.
    pub(crate) others: Vec<String>,
}

const FLOWS: &str = "spillway_ingest_flows_total";

/// Records that spillway counted so far.
pub(crate) fn flows() -> Outcome<u64> {
    Ok(total(&get("/metrics")?, FLOWS))
}

fn total(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
    });
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Asks spillway's API.
pub(crate) fn ask(sent: &Sent) -> Outcome<Said> {
    let metrics = get("/metrics")?;
    let sum = |name: &str| total(&metrics, name);
    let page: Value =
        serde_json::from_str(&get("/api/v1/attacks")?).map_err(|e| format!("/api/v1/attacks: {e}"))?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let severe: Vec<&Value> = items.iter().filter(|item| words(item, "severity") == ["attack"]).collect();
    let is = |item: &Value, target: &str, vectors: &[String]| {
        words(item, "target").concat() == target
            && words(item, "vectors").iter().any(|name| vectors.contains(name))
    };
    let found =
        sent.attacks.iter().filter(|(target, vectors)| severe.iter().any(|item| is(item, target, vectors)));
    let known =
        |item: &Value| sent.attacks.iter().any(|(target, _)| words(item, "target").concat() == *target);
    Ok(Said {
        flows: sum(FLOWS),
        datagrams: sum("spillway_ingest_datagrams_total"),
        drops: sum("spillway_ingest_socket_drops_total"),
        found: found.count(),
        others: severe
            .iter()
            .filter(|item| !known(item))
            .map(|item| words(item, "target").concat())
            .collect(),
    })
}

fn get(path: &str) -> Outcome<String> {
    let failed = |e: std::io::Error| format!("http://127.0.0.1:{API_PORT}{path}: {e}");
    let mut stream = TcpStream::connect(("127.0.0.1", API_PORT)).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(failed)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{API_PORT}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.contains(" 200 ") { Ok(body.to_owned()) } else { Err(format!("{path}: {head}")) }
}
