//! What history costs: writing, merging, and questions over five million samples.
//!
//! `history [FOLDER]`: the segments stay in FOLDER where one is named, for others to be asked the same.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use base::hash::Mixer;
use base::{Span, Timestamp};
use history::{
    Archive, Direction, Field, Measure, Question, Recorder, Sample, Spilling, Work, ask, merge, usage,
};

/// Samples, over so many hours.
const SAMPLES: u64 = 5_000_000;
const HOURS: u64 = 48;
/// Hosts that were attacked, each for ten minutes.
const ATTACKS: u64 = 200;
/// Questions of a kind.
const ASKED: usize = 7;
/// 2026-11-24T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_795_478_400);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let named = std::env::args().nth(1).map(PathBuf::from);
    let folder = match &named {
        Some(folder) => folder.clone(),
        None => std::env::current_dir()?.join(format!("target/history-bench-{}", std::process::id())),
    };
    let ids: Vec<String> =
        (0..ATTACKS).map(|attack| format!("{:016x}", Mixer::new(attack).finish())).collect();
    let (seconds, work) = write(&folder, &ids)?;
    let begun = (Instant::now(), worked());
    let mut merged = 0;
    loop {
        let done = merge(&folder, START.plus(Span::from_secs(86_400 * 30)), u64::MAX, &mut || false)?;
        merged += done.rows;
        if done.from == 0 {
            break;
        }
    }
    let merging = (begun.0.elapsed().as_secs_f64(), worked() - begun.1);
    let there = usage(&folder)?;
    println!("| what | figure |\n|---|---|");
    println!(
        "| written, with fsync of each segment | {:.0} samples/s, {:.0} a second of work |",
        rate(SAMPLES, seconds),
        rate(SAMPLES, work)
    );
    if merged > 0 {
        println!(
            "| merged | {:.0} samples/s, {:.0} a second of work |",
            rate(merged, merging.0),
            rate(merged, merging.1)
        );
    }
    println!(
        "| on the disk | {} segments, {:.1} octets a sample |",
        there.segments,
        rate(there.bytes, rate(SAMPLES, 1.0))
    );
    println!("\n| question | work, mean | time, median | quickest | samples read |\n|---|---|---|---|---|");
    let target = format!("dst = {}", host(7));
    let attack = format!("attack = {}", ids.get(7).map_or("", String::as_str));
    let half = "dst in 198.18.0.0/20 and proto = udp and not src-port in (53, 123) and bytes > 100";
    for (name, filter, by, step) in [
        ("top 20 sources of a target", target.as_str(), "src", None),
        ("a target by class, each 5 minutes", target.as_str(), "class", Some(Span::from_secs(300))),
        ("top 20 sources of an attack, by its id", attack.as_str(), "src", None),
        ("a prefix of 4,096 hosts with ports and sizes, by class", half, "class", None),
        ("all, top 20 ASNs", "", "asn", None),
        ("all, by class each hour", "", "class", Some(Span::from_secs(3_600))),
        ("all, top 20 sources", "", "foreign", None),
    ] {
        question(&folder, name, filter, by, step)?;
    }
    if named.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Seconds of all threads, also those that are over, on a processor: on a machine that does other work, what a question costs. In
/// hundredths, so it is asked before and after several.
fn worked() -> f64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = told.rsplit_once(')').map_or("", |(_, behind)| behind);
    let ticks: u64 =
        behind.split_whitespace().skip(11).take(2).filter_map(|one| one.parse::<u64>().ok()).sum();
    Span::from_millis(10 * ticks).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of millions")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn host(number: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0xc612_0000 + u32::try_from(number * 31 % 16_384).unwrap_or(0)))
}

/// Writes all, hour by hour; tells how long it took and how long it worked, without the making up.
fn write(folder: &Path, ids: &[String]) -> Outcome<(f64, f64)> {
    let mut recorder = Recorder::open(folder, Spilling::default(), START)?;
    recorder.know(&["198.18.0.0/15".parse()?]);
    let (mut seconds, mut work) = (0.0, 0.0);
    for hour in 0..HOURS {
        let from = hour * SAMPLES / HOURS;
        let samples: Vec<Sample<'_>> =
            (from..(hour + 1) * SAMPLES / HOURS).map(|number| sample(number, hour, ids)).collect();
        let begun = (Instant::now(), worked());
        samples.iter().for_each(|sample| recorder.push(sample));
        recorder.tick(START)?;
        recorder.spill(START)?;
        seconds += begun.0.elapsed().as_secs_f64();
        work += worked() - begun.1;
    }
    Ok((seconds, work))
}

fn sample(number: u64, hour: u64, ids: &[String]) -> Sample<'_> {
    let hash = Mixer::new(1).with(number);
    let draw = |which: u64, below: u64| hash.with(which).finish() % below;
    // Some 300,000 sources, a few of which send most.
    let skewed = draw(0, 300_000).min(draw(1, 300_000)).min(draw(2, 300_000));
    let source =
        Ipv4Addr::from_bits(u32::try_from(Mixer::new(9).with(skewed).finish() & 0x7fff_ffff).unwrap_or(0));
    let under = draw(3, 3) == 0;
    let attack = draw(4, ATTACKS);
    let target = if under { attack } else { draw(5, 16_384) };
    let udp = draw(6, 2) == 0;
    let port =
        |which: u64| u16::try_from(if draw(which, 2) == 0 { 443 } else { 1_024 + draw(which, 60_000) }).ok();
    let packets = 1_000 * (1 + draw(7, 4));
    Sample {
        at: START.plus(Span::from_secs(3_600 * hour)).plus(Span::from_nanos(draw(8, 3_600_000_000_000))),
        target: host(target),
        foreign: source.into(),
        direction: if draw(9, 5) == 0 { Direction::Out } else { Direction::In },
        protocol: if udp { 17 } else { 6 },
        target_port: port(10),
        foreign_port: port(11),
        tcp_flags: (!udp).then_some(0x18),
        class: if udp { "udp-other" } else { "tcp-data" },
        packets,
        bytes: packets * (60 + draw(12, 1_400)),
        rate: Some(1_000),
        asn: Some(64_496 + u32::try_from(skewed % 5_000).unwrap_or(0)),
        country: usize::try_from(skewed % 5)
            .ok()
            .and_then(|at| ["DE", "BR", "US", "JP", "IN"].get(at))
            .copied(),
        attack: under.then(|| ids.get(usize::try_from(attack).unwrap_or(0)).map_or("", String::as_str)),
        customer: (target % 3 == 0).then_some("acme"),
        exporter: IpAddr::from([192, 0, 2, 1]),
        input_if: Some(u32::try_from(draw(13, 8)).unwrap_or(0)),
        output_if: Some(9),
    }
}

fn question(folder: &Path, name: &str, filter: &str, by: &str, step: Option<Span>) -> Outcome<()> {
    let question = Question {
        filter: filter.parse()?,
        from: START,
        to: START.plus(Span::from_secs(3_600 * HOURS)),
        by: Field::named(by).into_iter().collect(),
        step,
        top: 20,
        order: Measure::Bytes,
    };
    let mut times = Vec::new();
    let before = worked();
    let mut rows = 0;
    for _ in 0..ASKED {
        let mut never = || false;
        let begun = Instant::now();
        let answer = ask(Archive { folder, recent: None }, &question, &mut Work::until(&mut never))?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        rows = answer.scanned.rows;
    }
    times.sort_by(f64::total_cmp);
    let (least, median) =
        (times.first().copied().unwrap_or(0.0), times.get(ASKED / 2).copied().unwrap_or(0.0));
    let work = (worked() - before) * 1e3 / rate(ASKED as u64, 1.0);
    println!("| {name} | {work:.1} ms | {median:.1} ms | {least:.1} ms | {rows} |");
    Ok(())
}
