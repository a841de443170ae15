//! The API while flow export comes in: how long answers take, and what they and listeners cost the daemon.

mod client;
mod histogram;

use std::fmt::Write as _;
use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use ::peers::process::{Running, drops};
use client::Client;
use histogram::Histogram;

use super::apart;
use super::daemons::{API_PORT, Daemon, flows, port};
use super::load::{Load, send};
use crate::run::{Outcome, root};

/// Records a second that come in all the while.
const RATE: u32 = 200_000;
/// Requests a second, and connections that they go over.
const REQUESTS: u32 = 500;
const CONNECTIONS: u32 = 16;
/// Who listens to events.
const LISTENERS: usize = 200;
/// How long each part of it takes.
const EACH: Duration = Duration::from_secs(8);
/// Until the load is under way, at most.
const BEGIN_MAX: Duration = Duration::from_secs(600);
/// Of twenty requests.
const MIXTURE: [(&str, u32, Option<&str>); 6] = [
    ("/api/v1/attacks", 6, None),
    ("/api/v1/rules", 4, None),
    ("/api/v1/traffic", 3, None),
    ("/api/v1/targets", 2, None),
    ("/api/v1/status", 3, None),
    ("/api/v1/flows/query", 2, Some(r#"{"filter":"dst = 198.18.0.7","by":["src"],"last":60,"top":10}"#)),
];
const OF: u32 = 20;
/// The daemon's threads that serve: the server's own, and those beside it that answer what takes longer.
const SERVING: [&str; 3] = ["api", "tokio-rt-worker", "history-read"];

/// Whoever is asked, and who listens, in one part.
const PARTS: [(&str, bool, bool); 4] = [
    ("nobody asks", false, false),
    ("200 listen to events", false, true),
    ("500 requests a second", true, false),
    ("both", true, true),
];

/// What one part came to.
struct Part {
    name: &'static str,
    /// Of one processor, in hundredths: the whole daemon, and those of its threads that serve. What the others do differs from part to
    /// part whoever asks: attacks begin, and segments are written and merged.
    share: f64,
    serving: f64,
    records: f64,
    /// By endpoint.
    took: Vec<Histogram>,
    refused: u64,
    messages: u64,
}

pub(crate) fn run() -> Outcome<String> {
    apart::run("api", measure)
}

fn measure() -> Outcome<String> {
    let folder = root().join("target/bench/api");
    let _ = std::fs::remove_dir_all(&folder);
    let running = Daemon::Spillway.start(&folder, "v9")?;
    let seconds = u64::try_from(PARTS.len()).unwrap_or(0) * EACH.as_secs() + 10;
    let load = Load::new("v9", RATE, u64::from(RATE) * seconds);
    let (parts, sent) = scope(|scope| {
        let sending = scope.spawn(|| send(&load, port("v9")));
        let parts = under_way().and_then(|()| {
            PARTS
                .iter()
                .map(|(name, ask, listen)| part(&running, name, *ask, *listen))
                .collect::<Outcome<Vec<_>>>()
        });
        (parts, sending.join())
    });
    let (parts, sent) = (parts?, sent.map_err(|_| "the load's thread ended".to_owned())??);
    let (lost, resident) = (drops(port("v9")), running.resident_peak());
    running.stop()?;
    Ok(table(&parts, sent.datagrams, lost, resident))
}

/// Waits until records are counted: they are made before they are sent.
fn under_way() -> Outcome {
    let begun = Instant::now();
    while flows()? < u64::from(RATE) {
        if begun.elapsed() > BEGIN_MAX {
            return Err(format!("no load after {} s", BEGIN_MAX.as_secs()));
        }
        sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn part(running: &Running, name: &'static str, ask: bool, listen: bool) -> Outcome<Part> {
    eprintln!("{name}");
    let listeners: Outcome<Vec<TcpStream>> =
        (0..if listen { LISTENERS } else { 0 }).map(|_| Client::connect(API_PORT)?.listen()).collect();
    let (mut listeners, over, messages) = (listeners?, AtomicBool::new(false), AtomicU64::new(0));
    let others = || running.cpu_besides(&SERVING);
    let (before, beside, counted, clock) = (running.cpu(), others(), flows()?, Instant::now());
    let (took, refused) = scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                messages.fetch_add(listeners.iter_mut().map(hear).sum(), Ordering::Relaxed);
                sleep(Duration::from_millis(20));
            }
        });
        let asked = if ask {
            let askers: Vec<_> = (0..CONNECTIONS).map(|at| scope.spawn(move || asker(at, clock))).collect();
            askers.into_iter().map(|asker| asker.join().map_err(|_| "an asker's thread ended")?).collect()
        } else {
            sleep(EACH);
            Ok(Vec::new())
        };
        over.store(true, Ordering::Relaxed);
        asked.map(|all: Vec<(Vec<Histogram>, u64)>| together(&all))
    })?;
    let seconds = clock.elapsed().as_secs_f64();
    let (all, beside) = (running.cpu() - before, others() - beside);
    Ok(Part {
        name,
        share: 100.0 * all / seconds,
        serving: (100.0 * (all - beside) / seconds).max(0.0),
        records: number(flows()? - counted) / seconds,
        took,
        refused,
        messages: messages.into_inner(),
    })
}

/// Messages that came since the last look; a message ends with an empty line.
fn hear(stream: &mut TcpStream) -> u64 {
    let mut buffer = [0; 65_536];
    let _ = stream.set_nonblocking(true);
    let mut heard = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return heard,
            Ok(length) => {
                let read = buffer.get(..length).unwrap_or_default();
                heard += read.windows(2).map(|pair| u64::from(pair == b"\n\n")).sum::<u64>();
            }
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(_) => return heard,
        }
    }
}

/// Every request of one connection when it is due, whatever the last one took: an answer's time counts from then.
fn asker(at: u32, begun: Instant) -> Outcome<(Vec<Histogram>, u64)> {
    let mut client = Client::connect(API_PORT)?;
    let mut took: Vec<Histogram> = MIXTURE.iter().map(|_| Histogram::new()).collect();
    let mut refused = 0;
    let mut turn = at;
    loop {
        let due = begun + Duration::from_secs(1) * turn / REQUESTS;
        if due > begun + EACH {
            return Ok((took, refused));
        }
        sleep(due.saturating_duration_since(Instant::now()));
        let which = which(turn);
        if let Some((path, _, body)) = MIXTURE.get(which) {
            let (status, _) = client.ask(path, *body)?;
            refused += u64::from(status != 200);
            if let Some(took) = took.get_mut(which) {
                took.note(due.elapsed());
            }
        }
        turn += CONNECTIONS;
    }
}

/// The endpoint of a turn: all of them in each twenty, and each connection meets all.
fn which(turn: u32) -> usize {
    let mut place = (turn % OF + turn / OF * 7) % OF;
    for (which, (_, weight, _)) in MIXTURE.iter().enumerate() {
        if place < *weight {
            return which;
        }
        place -= weight;
    }
    0
}

fn together(all: &[(Vec<Histogram>, u64)]) -> (Vec<Histogram>, u64) {
    let mut sums: Vec<Histogram> = MIXTURE.iter().map(|_| Histogram::new()).collect();
    for (took, _) in all {
        sums.iter_mut().zip(took).for_each(|(sum, took)| sum.merge(took));
    }
    (sums, all.iter().map(|(_, refused)| refused).sum())
}

fn table(parts: &[Part], datagrams: u64, lost: u64, resident: f64) -> String {
    let mut text = format!(
        "{RATE} records of NetFlow v9 a second over loopback from four exporters, attacks among them; {REQUESTS} requests a second over {CONNECTIONS} \
         connections, their times from the instant at which each was due; {} s each. Processor time (user and system) of the daemon alone, and of its \
         threads that serve.\n\n\
         | meanwhile | of a processor | to serve | records counted a second | answers | not 200 | p50 | p99 | longest | events heard |\n|---|---|---|---|---|---|---|---|---|---|\n",
        EACH.as_secs()
    );
    for part in parts {
        let mut all = Histogram::new();
        part.took.iter().for_each(|took| all.merge(took));
        let _ = writeln!(
            text,
            "| {} | {:.1} % | {:.1} % | {:.0} | {} | {} | {} | {} |",
            part.name,
            part.share,
            part.serving,
            part.records,
            all.count(),
            part.refused,
            times(&all),
            part.messages
        );
    }
    let _ = writeln!(
        text,
        "\nThe kernel dropped {lost} of {datagrams} datagrams; resident at most {resident:.0} MB. By endpoint, while all of that happens:\n\n\
         | endpoint | answers | p50 | p99 | longest |\n|---|---|---|---|---|"
    );
    let last = parts.last().map_or(&[][..], |part| &part.took);
    for ((path, _, _), took) in MIXTURE.iter().zip(last) {
        let _ = writeln!(text, "| `{path}` | {} | {} |", took.count(), times(took));
    }
    text
}

fn times(took: &Histogram) -> String {
    if took.count() == 0 {
        return " | | ".to_owned();
    }
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    format!("{} | {} | {}", millis(took.at(500)), millis(took.at(990)), millis(took.most()))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixture_is_one_of_twenty_and_each_connection_asks_for_all_of_it() {
        assert_eq!(MIXTURE.iter().map(|(_, weight, _)| weight).sum::<u32>(), OF);
        for (number, (path, weight, _)) in MIXTURE.iter().enumerate() {
            let asked = (0..OF).filter(|turn| which(*turn) == number).count();
            assert_eq!(u32::try_from(asked), Ok(*weight), "{path}");
            for at in 0..CONNECTIONS {
                assert!(
                    (0..1_000).any(|turn| which(at + turn * CONNECTIONS) == number),
                    "{at} never asks {path}"
                );
            }
        }
    }
}
