//! What goes into a bundle.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::Piece;
use super::config::redacted;
use super::scrub::Scrub;
use crate::client::Reach;
use crate::config::Config;

/// Lines of the log at most, and octets of a file of them.
const LOG_LINES: usize = 2_000;
const LOG_MAX: u64 = 4 << 20;
/// Files of the state folder that are listed.
const FILES_MAX: usize = 2_000;
/// Octets of a file that the configuration takes a secret from.
const SECRET_MAX: u64 = 64 << 10;
/// What is read of the kernel.
const KERNEL: [&str; 14] = [
    "/proc/version",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/snmp",
    "/proc/net/snmp6",
    "/proc/net/softnet_stat",
    "/proc/net/dev",
    "/proc/sys/net/core/rmem_max",
    "/proc/sys/net/core/rmem_default",
    "/proc/sys/net/core/netdev_max_backlog",
    "/proc/sys/net/core/bpf_jit_enable",
    "/proc/sys/kernel/unprivileged_bpf_disabled",
    "/proc/self/status",
];

/// All pieces, clean; and what could not be had, a sentence each.
pub(crate) fn gather(
    reach: &Reach,
    log: Option<&Path>,
    clear: bool,
) -> anyhow::Result<(Vec<Piece>, Vec<String>)> {
    let mut missing = Vec::new();
    let text = std::fs::read_to_string(&reach.config);
    let checked = Config::load(&reach.config);
    let (document, mut hidden) = match &text {
        Err(cause) => {
            missing.push(format!("{}: {cause}", reach.config.display()));
            (Value::Null, BTreeSet::new())
        }
        Ok(text) => redacted(text).unwrap_or_else(|why| {
            missing
                .push(format!("{}: it is not TOML, so nothing of it is kept: {why}", reach.config.display()));
            (Value::Null, words(text))
        }),
    };
    let referred: Vec<String> = hidden.iter().flat_map(|text| refers(text)).collect();
    hidden.extend(referred);
    let own = checked.as_ref().map(|config| config.networks.clone()).unwrap_or_default();
    let mut pieces = vec![
        Piece { name: "version.txt", what: "build, system, processor", text: version() },
        Piece {
            name: "configuration.json",
            what: "the configuration; what is not known to be harmless is hidden",
            text: pretty(&document),
        },
        Piece {
            name: "doctor.json",
            what: "what `spillway doctor` finds",
            text: doctor(reach, &mut missing),
        },
        Piece { name: "kernel.txt", what: "the kernel's counters and settings", text: kernel() },
    ];
    if let Ok(config) = &checked {
        pieces.push(Piece {
            name: "files.txt",
            what: "names, sizes and modes of the state folder, no content",
            text: files(&config.state_dir),
        });
    }
    daemon(reach, &mut pieces, &mut missing);
    match lines(log) {
        Ok(text) => pieces.push(Piece { name: "log.txt", what: "the last lines of the log", text }),
        Err(why) => missing.push(format!("the log: {why}")),
    }
    let mut scrub = Scrub::new(hidden, own, clear);
    for piece in &mut pieces {
        piece.text = scrub.text(&piece.text);
    }
    let missing: Vec<String> = missing.iter().map(|line| scrub.text(line)).collect();
    let addresses = if clear {
        "Addresses stand here as they are (--with-addresses).".to_owned()
    } else {
        format!(
            "{} addresses stand here as ipv4-N and ipv6-N, the same one always with the same number; which is which is not kept. Those of `networks` and of loopback are as they are.",
            scrub.pseudonyms()
        )
    };
    let mut about = format!("A support bundle of spillway {}.\n{addresses}\n\n", env!("CARGO_PKG_VERSION"));
    for piece in &pieces {
        let _ = writeln!(about, "{:<22} {}", piece.name, piece.what);
    }
    for line in &missing {
        let _ = writeln!(about, "not there: {line}");
    }
    pieces.insert(
        0,
        Piece { name: "README.txt", what: "what is in here, and what could not be had", text: about },
    );
    Ok((pieces, missing))
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

/// Of a file that cannot be read as TOML, every value is hidden wherever it is told.
fn words(text: &str) -> BTreeSet<String> {
    let quoted = text.split(['"', '\'']).skip(1).step_by(2);
    quoted.filter(|word| word.len() >= 4).map(str::to_owned).collect()
}

/// What `${file:PATH}` and `${env:NAME}` lead to.
fn refers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("${").skip(1) {
        let Some(reference) = part.split('}').next() else { continue };
        let value = match reference.split_once(':') {
            Some(("file", path)) => {
                let small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= SECRET_MAX);
                small.then(|| std::fs::read_to_string(path).ok()).flatten()
            }
            Some(("env", name)) => std::env::var(name).ok(),
            _ => None,
        };
        for line in value.iter().flat_map(|value| value.lines()) {
            if line.trim().len() >= 4 {
                found.push(line.trim().to_owned());
            }
        }
    }
    found
}

fn version() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let system = read("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or("?")
        .trim_matches('"')
        .to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default()
        .trim_start_matches([' ', '\t', ':'])
        .to_owned();
    format!(
        "spillway {}\nsystem {system}\nkernel {}cores {cores}\nprocessor {cpu}\n",
        env!("CARGO_PKG_VERSION"),
        read("/proc/sys/kernel/osrelease")
    )
}

fn doctor(reach: &Reach, missing: &mut Vec<String>) -> String {
    // Whoever may read the configuration may usually ask the daemon itself, which takes no token.
    let mut here = reach.clone();
    if Config::load(&reach.config).is_ok() {
        here.api = None;
    }
    match crate::cmd::doctor::look(&here) {
        Ok(found) => serde_json::to_value(api::Diagnosis::of(found))
            .map(|document| pretty(&document))
            .unwrap_or_default(),
        Err(why) => {
            missing.push(format!("the doctor: {why:#}"));
            "null\n".to_owned()
        }
    }
}

fn kernel() -> String {
    let mut text = String::new();
    for path in KERNEL {
        // What this kernel does not have is not there.
        if let Ok(content) = std::fs::read_to_string(path) {
            let _ = writeln!(text, "== {path}\n{}", content.trim_end());
        }
    }
    text
}

fn files(folder: &Path) -> String {
    let mut text = String::new();
    let mut waiting = vec![folder.to_owned()];
    let mut left = FILES_MAX;
    while let Some(at) = waiting.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&at).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let Ok(meta) = entry.metadata() else { continue };
            if left == 0 {
                let _ = writeln!(text, "and more");
                return text;
            }
            left -= 1;
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).display();
            let _ = writeln!(text, "{:o} {} {:>12} {name}", meta.mode() & 0o7777, meta.uid(), meta.len());
            if meta.is_dir() {
                waiting.push(path);
            }
        }
    }
    text
}

/// What the daemon tells, where one answers.
fn daemon(reach: &Reach, pieces: &mut Vec<Piece>, missing: &mut Vec<String>) {
    let api = match reach.api() {
        Ok(api) => api,
        Err(why) => return missing.push(format!("the daemon's numbers: {why:#}")),
    };
    for (name, what, path) in [
        ("status.json", "how the daemon is", "/api/v1/status"),
        ("exporters.json", "who tells of traffic", "/api/v1/exporters"),
        ("metrics.txt", "all counters of the daemon", "/metrics"),
        (
            "attacks.json",
            "the last attacks: when, what and how large; no sources",
            "/api/v1/attacks?limit=50",
        ),
        ("rules.json", "filters whose lease runs", "/api/v1/rules"),
    ] {
        match api.get(path) {
            Ok((200, text)) if name == "attacks.json" => {
                pieces.push(Piece { name, what, text: attacks(&text) });
            }
            Ok((200, text)) => pieces.push(Piece { name, what, text }),
            Ok((status, _)) => {
                missing.push(format!("{path}: status {status}; give a token in SPILLWAY_TOKEN"))
            }
            Err(why) => {
                missing.push(format!("the daemon's numbers: {why:#}"));
                return;
            }
        }
    }
}

/// Of attacks, what tells nothing of their sources.
fn attacks(text: &str) -> String {
    const KEPT: [&str; 13] = [
        "id",
        "state",
        "severity",
        "direction",
        "target",
        "started_at",
        "detected_at",
        "ended_at",
        "peak_pps",
        "peak_bps",
        "vectors",
        "doubtful",
        "stability",
    ];
    let page: Value = serde_json::from_str(text).unwrap_or_default();
    let items = page.get("items").and_then(Value::as_array).into_iter().flatten();
    let kept = items.filter_map(Value::as_object).map(|one| {
        let kept = one.iter().filter(|(key, _)| KEPT.contains(&key.as_str()));
        Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    });
    pretty(&json!({ "items": kept.collect::<Vec<_>>() }))
}

/// The end of a file, or of the unit's journal.
fn lines(log: Option<&Path>) -> Result<String, String> {
    let text = match log {
        Some(path) => {
            let read = || -> std::io::Result<Vec<u8>> {
                use std::io::{Read as _, Seek as _, SeekFrom};
                let mut file = std::fs::File::open(path)?;
                let from = file.metadata()?.len().saturating_sub(LOG_MAX);
                file.seek(SeekFrom::Start(from))?;
                let mut octets = Vec::new();
                file.take(LOG_MAX).read_to_end(&mut octets)?;
                Ok(octets)
            };
            read().map_err(|cause| format!("{}: {cause}", path.display()))?
        }
        None => {
            let count = LOG_LINES.to_string();
            let asked = Command::new("journalctl")
                .args(["-u", "spillway", "-n", &count, "--no-pager", "-o", "short-iso"])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output();
            match asked {
                Ok(output) if output.status.success() => output.stdout,
                _ => return Err("there is no journal of systemd here; name a file with --log".to_owned()),
            }
        }
    };
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    let from = all.len().saturating_sub(LOG_LINES);
    Ok(all.get(from..).unwrap_or_default().join("\n") + "\n")
}
