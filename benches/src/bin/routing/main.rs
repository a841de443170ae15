//! From a decision to the UPDATE on the wire, and how long a full table takes: our speaker beside gobgpd, BIRD and ExaBGP
//! in the same run, on loopback, each with the same receiver, which counts.

mod others;
mod receiver;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base::Prefix;
use receiver::Receiver;
use spillway::routing::{Neighbor, Speaker};
use steer::bgp::out::Key;
use steer::bgp::session::Farewell;
use steer::bgp::{Dialect, Pacing, Route, Settings};
use wire::bgp::attribute::{Segment, community};
use wire::bgp::{Attributes, Family, nlri};

/// Of the senders.
pub(crate) const LOCAL_AS: u32 = 65010;
/// Of the receiver.
pub(crate) const PEER_AS: u32 = 65020;
/// Routes of a full table.
pub(crate) const TABLE: u32 = 10_000;
const RULES: u32 = 3_000;
const DECISIONS: u32 = 2_000;
const RUNS: usize = 5;

fn main() -> anyhow::Result<()> {
    let latency = decisions()?;
    let command = others::gobgp_command()?;
    let (table, table_up) = (least(|| full(hosts()))?, least(|| started_with(hosts()))?);
    let (rules, rules_up) = (least(|| full(flowspec()))?, least(|| started_with(flowspec()))?);
    let peak = peak().context("/proc/self/status has no VmHWM")?;
    println!(
        "Decision to UPDATE read by the receiver, {DECISIONS} single blackholes a millisecond apart; the command {} times.\n",
        others::COMMANDS
    );
    println!("| | median | p99 | most |\n|---|---|---|---|");
    println!("| spillway's speaker | {} |", row(&latency));
    println!("| `gobgp global rib add` | {} |", row(&command));
    println!(
        "\nA table, from the announcement (or from the session that comes up) to the last route; least of {RUNS} runs.\n"
    );
    println!("| | announced | session comes up |\n|---|---|---|");
    println!("| spillway's speaker, {TABLE} /32 | {} | {} |", seconds(table), seconds(table_up));
    let (most, last) = others::bird()?;
    println!("| BIRD, {TABLE} /32 (one run): 99 of 100 | | {} |", seconds(most));
    println!("| its last | | {} |", seconds(last));
    let (announced, up) = (others::exabgp_api()?, others::exabgp()?);
    println!(
        "| ExaBGP, {TABLE} /32, by its API and by its configuration (one run each) | {} | {} |",
        seconds(announced),
        seconds(up)
    );
    println!("| spillway's speaker, {RULES} FlowSpec rules | {} | {} |", seconds(rules), seconds(rules_up));
    println!("\nPeak memory of the process with speaker, receiver and all these routes: {peak} KiB.");
    Ok(())
}

fn seconds(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

/// Median, 99th of a hundred, and the most.
fn row(sorted: &[Duration]) -> String {
    let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1)));
    let text = |span: Option<&Duration>| {
        span.map_or_else(String::new, |s| format!("{:.3} ms", s.as_secs_f64() * 1e3))
    };
    format!("{} | {} | {}", text(at(50)), text(at(99)), text(sorted.last()))
}

fn least(mut run: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        best = best.min(run()?);
    }
    Ok(best)
}

/// Kibibytes that this process had in memory at most.
fn peak() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn neighbor(address: SocketAddr) -> Neighbor {
    let settings = Settings {
        local_as: LOCAL_AS,
        peer_as: PEER_AS,
        id: Ipv4Addr::new(192, 0, 2, 1),
        families: Family::ALL.to_vec(),
        hold_time: 90,
        patience: 0,
        restart_time: None,
        on_stop: Farewell::Withdraw,
        dialect: Dialect::default(),
    };
    Neighbor {
        name: "peer".into(),
        address,
        local: None,
        settings,
        pacing: Pacing { per_second: 0, burst: 1, peer_limit: 0, search: false },
        md5: None,
        hops: None,
        restarting: false,
        learned: None,
    }
}

fn attributes() -> Attributes {
    Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![LOCAL_AS])]),
        communities: vec![community::BLACKHOLE, community::NO_EXPORT, community::NO_LLGR],
        ..Attributes::default()
    }
}

/// The n-th of the /32.
pub(crate) fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + number)
}

fn host(number: u32) -> Route {
    let mut octets = Vec::new();
    nlri::write(&mut octets, &Prefix::host(address(number).into()));
    let key = Key { family: Family::IPV4, nlri: octets };
    Route { key, next_hop: Some(Ipv4Addr::new(192, 0, 2, 66).into()), attributes: attributes(), rank: 1 }
}

fn hosts() -> Vec<Route> {
    (0..TABLE).map(host).collect()
}

/// Rules of the kind that amplification asks for, each for a host of its own; a third has a rate of its own, so that not
/// all fit into the same messages.
fn flowspec() -> Vec<Route> {
    let rule = |number: u32| {
        let rate = if number.is_multiple_of(3) { f32::from_bits(0x4600_0000 + number * 64) } else { 0.0 };
        let [a, b, c, d] = address(number).octets();
        let nlri = vec![16, 1, 32, a, b, c, d, 3, 0x81, 17, 6, 0x81, 123, 10, 0x93, 1, 212];
        let mut attributes = attributes();
        wire::bgp::traffic::Traffic::RateBytes(rate).put(&mut attributes);
        Route { key: Key { family: Family::FLOWSPEC4, nlri }, next_hop: None, attributes, rank: 1 }
    };
    (0..RULES).map(rule).collect()
}

/// Times from the order to the octets at the receiver, sorted.
fn decisions() -> anyhow::Result<Vec<Duration>> {
    let mut receiver = Receiver::listen()?;
    let speaker = Speaker::start(vec![neighbor(receiver.address())])?;
    let session = receiver.accept()?;
    session.quiet()?;
    let mut taken = Vec::new();
    for number in 0..DECISIONS {
        let began = Instant::now();
        speaker.announce("peer", host(number))?;
        taken.push(session.routes(1)?.saturating_duration_since(began));
        std::thread::sleep(Duration::from_millis(1));
    }
    taken.sort_unstable();
    Ok(taken)
}

/// A session is up, and all is announced at once.
fn full(routes: Vec<Route>) -> anyhow::Result<Duration> {
    let mut receiver = Receiver::listen()?;
    let speaker = Speaker::start(vec![neighbor(receiver.address())])?;
    let session = receiver.accept()?;
    session.quiet()?;
    let count = routes.len();
    let began = Instant::now();
    let refused = speaker.announce_all("peer", routes)?;
    anyhow::ensure!(refused.is_empty(), "{refused:?}");
    Ok(session.routes(count)?.saturating_duration_since(began))
}

/// All is wanted, and the session comes up.
fn started_with(routes: Vec<Route>) -> anyhow::Result<Duration> {
    let mut receiver = Receiver::listen()?;
    // Nobody answers before the receiver accepts.
    let speaker = Speaker::start(vec![neighbor(receiver.address())])?;
    let count = routes.len();
    speaker.announce_all("peer", routes)?;
    let session = receiver.accept()?;
    Ok(session.routes(count)?.saturating_duration_since(session.up))
}
