//! Load for a collector: makes datagrams of flow export in memory, then sends them at a pace.
//!
//! `cargo run -p sim --example export -- --to 127.0.0.1:6343 --format sflow --records 500000 --rate 39000 --seed 1`
//!
//! Prints one JSON object: what was sent, and the truth about the attacks in it.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use base::{Prefix, Span, Timestamp};
use sim::attack::reflector::named;
use sim::exporter::{Announce, Fleet, Format, Sent, Settings};
use sim::population::Role;
use sim::{Config, Event, Kind, World};

const USAGE: &str = "usage: export --to ADDRESS:PORT [--format sflow|v5|v9|ipfix] [--records N] [--rate RECORDS_PER_S, 0 = at once]
  [--seed S] [--sampling N] [--per-datagram N] [--exporters N] [--hosts N] [--share-v6 0.1] [--share-out 0.35]
  [--announce interval|sampler|spaces|record|never] [--attacks 0|1] [--cache flush|60/15|10/10] [--dump DIR]";

struct Options {
    to: SocketAddr,
    format: Format,
    records: u64,
    rate: f64,
    seed: u64,
    sampling: u32,
    per_datagram: usize,
    exporters: u16,
    hosts: u32,
    share_v6: f64,
    share_out: f64,
    announce: Announce,
    attacks: bool,
    cache: String,
    dump: Option<String>,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut o = Options {
        to: SocketAddr::from(([127, 0, 0, 1], 6343)),
        format: Format::Sflow,
        records: 500_000,
        rate: 39_000.0,
        seed: 1,
        sampling: 1,
        per_datagram: 0,
        exporters: 1,
        hosts: 65_536,
        share_v6: 0.1,
        share_out: 0.35,
        announce: Announce::Interval,
        attacks: true,
        cache: "flush".into(),
        dump: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(key) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match key.as_str() {
            "--to" => o.to = value.parse()?,
            "--format" => o.format = Format::named(&value).ok_or(USAGE)?,
            "--records" => o.records = value.parse()?,
            "--rate" => o.rate = value.parse()?,
            "--seed" => o.seed = value.parse()?,
            "--sampling" => o.sampling = value.parse()?,
            "--per-datagram" => o.per_datagram = value.parse()?,
            "--exporters" => o.exporters = value.parse()?,
            "--hosts" => o.hosts = value.parse()?,
            "--share-v6" => o.share_v6 = value.parse()?,
            "--share-out" => o.share_out = value.parse()?,
            "--announce" => {
                o.announce = match value.as_str() {
                    "interval" => Announce::Interval,
                    "sampler" => Announce::Sampler,
                    "spaces" => Announce::Spaces,
                    "record" => Announce::Record,
                    "never" => Announce::Never,
                    _ => return Err(USAGE.into()),
                }
            }
            "--attacks" => o.attacks = value != "0",
            "--cache" => o.cache = value,
            "--dump" => o.dump = Some(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(o)
}

/// The world behind the load: its clock runs so that it makes as many records a second as are sent.
fn fleet(o: &Options) -> Result<Fleet, Box<dyn Error>> {
    let rate = if o.rate > 0.0 { o.rate } else { 100_000.0 };
    // A record can stand for several packets, so the world may have to run longer than records / rate.
    #[expect(clippy::cast_precision_loss, reason = "a count of records")]
    let seconds = (o.records as f64 / rate).max(0.5);
    let pps = rate * f64::from(o.sampling.max(1));
    let config = Config {
        seed: o.seed,
        start: now(),
        span: Span::from_nanos(sim::rng::round(seconds * 4.0 * 1e9)),
        pps: if o.attacks { pps * 0.87 } else { pps },
        hosts: o.hosts,
        share_v6: o.share_v6,
        share_out: Some(o.share_out),
        diurnal: 0.0,
        thin: o.sampling.max(1),
        routers: o.exporters,
        ..Config::default()
    };
    let at = |share: f64| config.start.plus(Span::from_nanos(sim::rng::round(seconds * share * 1e9)));
    let long = |share: f64| Span::from_nanos(sim::rng::round(seconds * share * 1e9));
    let mut events = Vec::new();
    if o.attacks {
        let people = World::population(&config);
        let web = Prefix::host(people.find(700, Role::Web, true));
        let dns = Prefix::host(people.find(1_900, Role::Eyeballs, true));
        let net = Prefix::of(people.find(5_000, Role::Web, true), 24);
        let ntp = named("dns").ok_or("no such reflector")?;
        events.push(
            Event::new(Kind::SynFlood { forged: true }, web, at(0.25), long(0.4), pps * 0.15).port(443),
        );
        events.push(Event::new(Kind::Amplification(ntp), dns, at(0.35), long(0.4), pps * 0.1));
        events.push(Event::new(Kind::UdpFlood, net, at(0.45), long(0.4), pps * 0.15));
        if o.format != Format::NetFlow5 && o.share_v6 > 0.0 {
            let v6 = Prefix::host(people.find(900, Role::Web, false));
            events.push(
                Event::new(Kind::SynFlood { forged: true }, v6, at(0.5), long(0.35), pps * 0.1).port(443),
            );
        }
    }
    let boot = config.start.minus(Span::from_secs(86_400));
    let mut settings = Settings::new(o.format, o.sampling.max(1), boot);
    settings = match o.cache.as_str() {
        "60/15" => settings.cache(Span::from_secs(60), Span::from_secs(15)),
        "10/10" => settings.cache(Span::from_secs(10), Span::from_secs(10)),
        _ => settings.prompt(),
    };
    settings.announce = o.announce;
    if o.per_datagram > 0 {
        settings.records_max = o.per_datagram;
    }
    let routers = (0..o.exporters)
        .map(|n| {
            let address = exporter_address(n);
            Settings { address, domain: n.into(), seed: o.seed + u64::from(n), ..settings.clone() }
        })
        .collect();
    Ok(Fleet::new(World::new(config, events), routers))
}

fn exporter_address(n: u16) -> std::net::IpAddr {
    let [a, b] = n.saturating_add(1).to_be_bytes();
    std::net::IpAddr::from([127, 0, a, b])
}

#[expect(clippy::disallowed_methods, reason = "an example is a roof of its own: it has a clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "an example is a roof of its own: it has a clock")]
fn send(o: &Options, datagrams: &[Sent]) -> Result<Duration, Box<dyn Error>> {
    let mut sockets = Vec::new();
    for n in 0..o.exporters {
        let local = if o.to.ip().is_loopback() && o.to.is_ipv4() {
            SocketAddr::new(exporter_address(n), 0)
        } else {
            SocketAddr::from(([0, 0, 0, 0], 0))
        };
        sockets.push(UdpSocket::bind(local)?);
    }
    let begin = Instant::now();
    let mut records = 0u64;
    for sent in datagrams {
        if o.rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "a count of records")]
            let due = Duration::from_secs_f64(records as f64 / o.rate);
            let gone = begin.elapsed();
            if due > gone + Duration::from_millis(1) {
                sleep(due - gone);
            }
        }
        let socket = sockets.get(usize::from(sent.router)).ok_or("no such router")?;
        socket.send_to(&sent.bytes, o.to)?;
        records += u64::from(sent.records);
    }
    Ok(begin.elapsed())
}

fn main() -> Result<(), Box<dyn Error>> {
    let o = options()?;
    let mut fleet = fleet(&o)?;
    let start = fleet.world().now();
    let mut datagrams = Vec::new();
    let mut records = 0;
    while records < o.records {
        let Some(sent) = fleet.next() else { break };
        records += u64::from(sent.records);
        datagrams.push(sent);
    }
    let octets: usize = datagrams.iter().map(|sent| sent.bytes.len()).sum();
    eprintln!("made {records} records in {} datagrams ({octets} octets)", datagrams.len());
    if let Some(dir) = &o.dump {
        std::fs::create_dir_all(dir)?;
        for (n, sent) in datagrams.iter().enumerate() {
            std::fs::write(format!("{dir}/{n:06}.dat"), &sent.bytes)?;
        }
    }
    let began = now();
    let took = send(&o, &datagrams)?;
    let last = datagrams.last().map_or(start, |sent| sent.at);
    // Where in the load an attack begins: by its place in the records, which are sent at an even pace.
    let place = |at: Timestamp| {
        let before: u64 =
            datagrams.iter().filter(|sent| sent.at < at).map(|sent| u64::from(sent.records)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a count of records")]
        let share = before as f64 / records.max(1) as f64;
        took.as_secs_f64() * share
    };
    let attacks: Vec<serde_json::Value> = fleet
        .world()
        .stories()
        .iter()
        .filter(|story| story.start < last)
        .map(|story| {
            serde_json::json!({
                "vectors": story.vectors, "target": story.target, "direction": story.direction, "pps": story.pps,
                "port": story.port, "first_seconds": place(story.start), "last_seconds": place(story.end),
                "world_start": story.start, "world_end": story.end,
            })
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "a count of records")]
    let pace = records as f64 / took.as_secs_f64().max(1e-9);
    let report = serde_json::json!({
        "began": began, "seconds": took.as_secs_f64(), "records": records, "datagrams": datagrams.len(),
        "octets": octets, "records_per_second": pace, "sampling": o.sampling, "attacks": attacks,
    });
    println!("{report}");
    Ok(())
}
