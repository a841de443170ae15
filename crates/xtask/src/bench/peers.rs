//! The whole daemon beside what one would use instead: the same datagrams, CPU seconds per million records, memory, and
//! whether each record was counted and each attack found.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use ::peers::namespace;
use ::peers::process::drops;

use super::build;
use super::daemons::{Daemon, Said, ask, port};
use super::load::{FORMATS, Sent, send};
use crate::run::{Outcome, finish, root};

/// Records in each run.
const RECORDS: u64 = 500_000;
/// Records of the run that touches every host.
const RECORDS_HOSTS: u64 = 2_000_000;
/// How long a daemon is watched doing nothing, to subtract it.
const IDLE: Duration = Duration::from_secs(4);
/// Set inside the namespace.
const INSIDE: &str = "SPILLWAY_BENCH_INSIDE";

pub(crate) fn run() -> Outcome<String> {
    if std::env::var_os(INSIDE).is_none() {
        build()?;
        if namespace::available() {
            return inside_namespace();
        }
        eprintln!("not root: on the machine's own loopback, not in a namespace");
    }
    measure_all()
}

struct Row {
    daemon: Daemon,
    format: &'static str,
    /// CPU seconds per million records received, idle load subtracted.
    cpu: f64,
    resident: f64,
    sent: Sent,
    kernel_drops: u64,
    said: Option<Said>,
}

fn measure_all() -> Outcome<String> {
    let mut rows = Vec::new();
    for (format, rate) in FORMATS {
        for daemon in Daemon::ALL {
            match measure(daemon, format, *rate, RECORDS) {
                Ok(row) => rows.push(row),
                // a peer that is not here or does not start leaves a hole in the table, said aloud
                Err(why) if daemon != Daemon::Spillway => {
                    eprintln!("left out: {}, {format}: {why}", daemon.name())
                }
                Err(why) => return Err(why),
            }
        }
    }
    let hosts = [Daemon::Spillway, Daemon::FastNetMonUntracked]
        .map(|daemon| measure(daemon, "v9", 120_000, RECORDS_HOSTS));
    Ok(table(&rows, &hosts))
}

fn measure(daemon: Daemon, format: &'static str, rate: u32, records: u64) -> Outcome<Row> {
    eprintln!("{} <- {records} records of {format}", daemon.name());
    let folder = root().join("target/bench").join(format!("{daemon:?}-{format}"));
    let _ = std::fs::remove_dir_all(&folder);
    let running = daemon.start(&folder, format)?;
    sleep(Duration::from_secs(2));
    let before = running.cpu();
    sleep(IDLE);
    let idle = (running.cpu() - before) / IDLE.as_secs_f64();
    let (before, clock) = (running.cpu(), std::time::Instant::now());
    let sent = send(format, rate, records, port(format))?;
    // the last window has to close, the last counters to be published
    sleep(Duration::from_secs(3));
    let used = running.cpu() - before - idle * clock.elapsed().as_secs_f64();
    let kernel_drops = drops(port(format));
    let said = if daemon == Daemon::Spillway { Some(ask(&sent)?) } else { None };
    let resident = running.resident_peak();
    running.stop()?;
    let kept = share(sent.datagrams.saturating_sub(kernel_drops), sent.datagrams);
    let received = kept * millions(sent.records);
    Ok(Row { daemon, format, cpu: used.max(0.0) / received, resident, sent, kernel_drops, said })
}

fn table(rows: &[Row], hosts: &[Outcome<Row>]) -> String {
    let mut text = String::new();
    text.push_str("CPU seconds (user + system) per million records, idle load subtracted; in brackets how many times as much as\nspillway in the same run; kernel drops in percent of datagrams where there were any.\n\n");
    text.push_str(
        "| | sFlow | NetFlow v5 | NetFlow v9 | IPFIX | resident at most |\n|---|---|---|---|---|---|\n",
    );
    let find =
        |daemon: Daemon, format: &str| rows.iter().find(|row| row.daemon == daemon && row.format == format);
    for daemon in Daemon::ALL {
        let _ = write!(text, "| {} |", daemon.name());
        let mut resident: f64 = 0.0;
        for (format, _) in FORMATS {
            let Some(row) = find(daemon, format) else {
                text.push_str(" not measured |");
                continue;
            };
            resident = resident.max(row.resident);
            let ours = find(Daemon::Spillway, format).map_or(f64::NAN, |ours| row.cpu / ours.cpu);
            let _ = write!(text, " {:.2} ({ours:.1}×){} |", row.cpu, lost(row));
        }
        let _ = writeln!(text, " {resident:.0} MB |");
    }
    text.push_str("\nWhat spillway counted in those runs, and the attacks mixed into the load:\n\n");
    text.push_str("| format | records sent | datagrams sent | dropped by the kernel | it says so | records counted | attacks found | others called attacks |\n|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let Some(said) = &row.said else { continue };
        let exact = said.datagrams + row.kernel_drops == row.sent.datagrams
            && said.drops == row.kernel_drops
            && (row.kernel_drops > 0 || said.flows == row.sent.records);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {}{} | {} of {} | {} |",
            row.format,
            row.sent.records,
            row.sent.datagrams,
            row.kernel_drops,
            said.drops,
            said.flows,
            if exact { ", exact" } else { ", NOT exact" },
            said.found,
            row.sent.attacks.len(),
            if said.others.is_empty() { "none".to_owned() } else { said.others.join(" ") },
        );
    }
    text.push_str("\n65,536 hosts, 2,000,000 records of NetFlow v9:");
    for row in hosts {
        match row {
            Ok(row) => {
                let _ = write!(
                    text,
                    " {} {:.0} MB resident at most, {:.2} s per million;",
                    row.daemon.name(),
                    row.resident,
                    row.cpu
                );
            }
            Err(why) => {
                let _ = write!(text, " not measured ({why});");
            }
        }
    }
    format!("{}.\n", text.trim_end_matches(';'))
}

fn lost(row: &Row) -> String {
    if row.kernel_drops == 0 {
        String::new()
    } else {
        format!(", {:.1} % lost", 100.0 * share(row.kernel_drops, row.sent.datagrams))
    }
}

/// Everybody alone on a loopback of their own.
fn inside_namespace() -> Outcome<String> {
    let sheet = root().join("target/bench/peers.md");
    std::fs::create_dir_all(root().join("target/bench")).map_err(|e| e.to_string())?;
    let mut inside = namespace::inside([OsStr::new("bench-peers-inside"), sheet.as_os_str()])?;
    finish(inside.current_dir(root()).env(INSIDE, "1"))?;
    std::fs::read_to_string(&sheet).map_err(|e| format!("{}: {e}", sheet.display()))
}

/// The other half of the re-exec: measures and leaves the table in a file.
pub(crate) fn inside(args: &[String]) -> Outcome {
    let [sheet] = args else { return Err("bench-peers-inside FILE".to_owned()) };
    let text = run()?;
    std::fs::write(sheet, text).map_err(|e| format!("{sheet}: {e}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn millions(n: u64) -> f64 {
    share(n, 1_000_000)
}
