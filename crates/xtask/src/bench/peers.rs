//! The whole daemon beside what one would use instead: the same datagrams, CPU seconds per million records, memory, and
//! whether each record was counted and each attack found.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use ::peers::process::drops;

use super::apart;
use super::daemons::{Daemon, Said, ask, port};
use super::load::{FORMATS, HEAVY, Load, Sent, send};
use crate::run::{Outcome, root};

/// Records in each run.
const RECORDS: u64 = 500_000;
/// Who gets the heavier loads: those that decide.
const HEAVY_DAEMONS: [Daemon; 3] = [Daemon::Spillway, Daemon::FastNetMon, Daemon::FastNetMonUntracked];
/// How long a daemon is watched doing nothing, to subtract it.
const IDLE: Duration = Duration::from_secs(4);

pub(crate) fn run() -> Outcome<String> {
    apart::run("peers", measure_all)
}

struct Row {
    daemon: Daemon,
    load: Load,
    /// CPU seconds per million records received, idle load subtracted.
    cpu: f64,
    resident: f64,
    sent: Sent,
    kernel_drops: u64,
    said: Option<Said>,
}

impl Row {
    /// Whether what was counted and what the kernel dropped are what was sent.
    fn counted_exactly(&self) -> bool {
        self.said.as_ref().is_some_and(|said| {
            said.datagrams + self.kernel_drops == self.sent.datagrams
                && said.drops == self.kernel_drops
                && (self.kernel_drops > 0 || said.flows == self.sent.records)
        })
    }
}

fn measure_all() -> Outcome<String> {
    let loads = FORMATS.iter().map(|(format, rate)| Load::new(format, *rate, RECORDS));
    let rows = measure_each(loads, &Daemon::ALL)?;
    let heavy = measure_each(HEAVY.into_iter(), &HEAVY_DAEMONS)?;
    Ok(table(&rows) + &heavy_table(&heavy))
}

fn measure_each(loads: impl Iterator<Item = Load>, daemons: &[Daemon]) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for load in loads {
        for daemon in daemons {
            match measure(*daemon, load) {
                Ok(row) => rows.push(row),
                // a peer that is not here or does not start leaves a hole in the table, said aloud
                Err(why) if *daemon != Daemon::Spillway => {
                    eprintln!("left out: {}, {}: {why}", daemon.name(), load.format)
                }
                Err(why) => return Err(why),
            }
        }
    }
    Ok(rows)
}

fn measure(daemon: Daemon, load: Load) -> Outcome<Row> {
    let Load { format, rate, records, hosts, .. } = load;
    eprintln!("{} <- {records} records of {format}, {rate}/s, {hosts} hosts", daemon.name());
    let folder = root().join("target/bench").join(format!("{daemon:?}-{format}"));
    let _ = std::fs::remove_dir_all(&folder);
    let running = daemon.start(&folder, format)?;
    sleep(Duration::from_secs(2));
    let before = running.cpu();
    sleep(IDLE);
    let idle = (running.cpu() - before) / IDLE.as_secs_f64();
    let (before, clock) = (running.cpu(), std::time::Instant::now());
    let sent = send(&load, port(format))?;
    // the last window has to close, the last counters to be published
    sleep(Duration::from_secs(3));
    let used = running.cpu() - before - idle * clock.elapsed().as_secs_f64();
    let kernel_drops = drops(port(format));
    let said = if daemon == Daemon::Spillway { Some(ask(&sent)?) } else { None };
    let resident = running.resident_peak();
    running.stop()?;
    let kept = share(sent.datagrams.saturating_sub(kernel_drops), sent.datagrams);
    let received = kept * millions(sent.records);
    Ok(Row { daemon, load, cpu: used.max(0.0) / received, resident, sent, kernel_drops, said })
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    text.push_str("CPU seconds (user + system) per million records, idle load subtracted; in brackets how many times as much as\nspillway in the same run; kernel drops in percent of datagrams where there were any.\n\n");
    text.push_str(
        "| | sFlow | NetFlow v5 | NetFlow v9 | IPFIX | resident at most |\n|---|---|---|---|---|---|\n",
    );
    let find = |daemon: Daemon, format: &str| {
        rows.iter().find(|row| row.daemon == daemon && row.load.format == format)
    };
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
        let exact = row.counted_exactly();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {}{} | {} of {} | {} |",
            row.load.format,
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
    text
}

fn heavy_table(rows: &[Row]) -> String {
    let mut text = String::from(
        "\nHeavier loads: CPU seconds per million records received, how many times ours, losses, resident at most.\n\n| load | ours counted | spillway run | FastNetMon, as shipped | FastNetMon, no connection tracking |\n|---|---|---|---|---|\n",
    );
    for of_load in rows.chunk_by(|a, b| a.load == b.load) {
        let Some(ours) = of_load.iter().find(|row| row.daemon == Daemon::Spillway) else { continue };
        let Load { format, rate, records, hosts, .. } = ours.load;
        let exact = if ours.counted_exactly() { "exact" } else { "NOT exact" };
        let _ = write!(text, "| {records} records of {format}, {rate}/s, {hosts} hosts | {exact} |");
        for daemon in HEAVY_DAEMONS {
            let Some(row) = of_load.iter().find(|row| row.daemon == daemon) else {
                text.push_str(" not measured |");
                continue;
            };
            let times = row.cpu / ours.cpu;
            let _ = write!(text, " {:.2} ({times:.1}×){}, {:.0} MB |", row.cpu, lost(row), row.resident);
        }
        text.push('\n');
    }
    text
}

fn lost(row: &Row) -> String {
    if row.kernel_drops == 0 {
        String::new()
    } else {
        format!(", {:.1} % lost", 100.0 * share(row.kernel_drops, row.sent.datagrams))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn millions(n: u64) -> f64 {
    share(n, 1_000_000)
}
