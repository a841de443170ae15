//! FastNetMon community, driven through the same bytes: our datagrams, sent in real time over a loopback of its own.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use base::Span;
use base::hash::Mixer;
use peers::fastnetmon::{self, Ports};
use peers::process::{Running, drops};
use peers::{Outcome, namespace};
use serde::{Deserialize, Serialize};
use sim::event::Story;
use sim::exporter::{Fleet, Sent};
use sim::scenario::{self, Scenario};

use crate::event::EVENTS;
use crate::feed::{self, Feed};
use crate::trial::lead_in;

/// How it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Variant {
    /// As the package ships it: 20,000 packets/s or 1000 Mbit/s, averaged over 5 s.
    Shipped,
    /// Averaged over one second, with this threshold in packets/s.
    Tuned(u32),
}

/// Thresholds among which the best is sought.
pub(crate) const THRESHOLDS: [u32; 4] = [3_000, 6_000, 12_000, 20_000];
/// The world by which it is sought; no figure is taken from it.
pub(crate) const TUNING_SEED: u64 = 101;
/// Worlds in which it is measured: each takes as long as it lasts.
pub(crate) const SEEDS: u64 = 2;

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duel {
    pub(crate) event: &'static str,
    pub(crate) seed: u64,
    pub(crate) variant: Variant,
}

/// What it did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bans {
    /// Seconds from the first attack packet to the script's start.
    pub(crate) delay: Option<f64>,
    /// Hosts of the victim that it banned.
    pub(crate) victims: usize,
    /// Others.
    pub(crate) innocents: Vec<String>,
    /// What it called the attack.
    pub(crate) called: Option<String>,
    /// Datagrams that the kernel dropped on their way to it.
    pub(crate) lost: u64,
}

/// Lead-in of its runs, in seconds.
const LEAD: u64 = 10;
/// How long it may take behind the end of an event.
const GRACE: Span = Span::from_secs(12);
const PORTS: Ports = Ports { sflow: 16_343, netflow: 12_055 };
/// The command with which this program calls itself inside the namespace.
pub(crate) const INSIDE: &str = "inside-peer";

/// Why it cannot be measured here; `Ok` has its version.
pub(crate) fn available() -> Result<String, String> {
    let version = fastnetmon::version()
        .ok_or_else(|| "FastNetMon is not installed (`scripts/setup peers` installs it)".to_owned())?;
    if namespace::available() {
        Ok(version)
    } else {
        Err("not root, so there is no loopback of its own to send on".to_owned())
    }
}

impl Duel {
    pub(crate) fn key(&self) -> String {
        format!("peer {} {:?} seed {}", self.event, self.variant, self.seed)
    }

    /// In a namespace, by this program again.
    pub(crate) fn run(&self) -> Result<Bans, String> {
        let threshold = match self.variant {
            Variant::Shipped => 0,
            Variant::Tuned(pps) => pps,
        };
        let args = [INSIDE.to_owned(), self.event.to_owned(), self.seed.to_string(), threshold.to_string()];
        let out = namespace::inside(args)?.stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
        if !out.status.success() {
            return Err(format!("{}: {}", self.key(), out.status));
        }
        serde_json::from_slice(&out.stdout).map_err(|e| format!("{}: {e}", self.key()))
    }
}

/// The other half: `inside-peer EVENT SEED THRESHOLD`, threshold 0 as shipped; prints one JSON object.
pub(crate) fn inside(args: &[String]) -> Outcome {
    let [event, seed, threshold] = args else { return Err(format!("{INSIDE} EVENT SEED THRESHOLD")) };
    let seed = seed.parse().map_err(|e| format!("{seed}: {e}"))?;
    let variant = match threshold.parse().map_err(|e| format!("{threshold}: {e}"))? {
        0 => Variant::Shipped,
        pps => Variant::Tuned(pps),
    };
    let folder = crate::folder().join(format!("fastnetmon-{event}-{threshold}-{seed}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let bans = measure(event, seed, variant, &folder)?;
    println!("{}", serde_json::to_string(&bans).map_err(|e| e.to_string())?);
    Ok(())
}

/// What it is sent, in one number: another is another measurement.
pub(crate) fn worlds() -> u64 {
    let datagrams =
        EVENTS.iter().filter_map(|event| load(event.name, 1)).flat_map(|(_, datagrams)| datagrams);
    datagrams.fold(Mixer::new(1), |mixer, sent| crate::digest(mixer, &sent.bytes)).finish()
}

/// An event's world and its datagrams until nothing more is to be expected.
fn load(event: &str, seed: u64) -> Option<(Scenario, Vec<Sent>)> {
    let scenario = scenario::measured(event, lead_in(LEAD, seed), seed)?;
    let config = &scenario.config;
    let end = config.start.plus(config.span);
    let until =
        scenario.events.iter().map(sim::Event::end).max().map_or(end, |last| last.plus(GRACE).min(end));
    let routers = Feed::Sflow.routers(config.routers, config.thin, config.start, seed);
    let datagrams = Fleet::new(scenario.world(), routers).take_while(|sent| sent.at < until).collect();
    Some((scenario, datagrams))
}

fn measure(event: &str, seed: u64, variant: Variant, folder: &Path) -> Outcome<Bans> {
    let lead = lead_in(LEAD, seed);
    let (scenario, datagrams) = load(event, seed).ok_or_else(|| format!("no event {event}"))?;
    let config = &scenario.config;
    let notes = folder.join("bans");
    let script = script(folder, &notes)?;
    let mut changes = vec![
        ("enable_ban", "on".to_owned()),
        ("enable_ban_ipv6", "on".to_owned()),
        ("prometheus", "off".to_owned()),
        ("notify_script_path", script.display().to_string()),
    ];
    if let Variant::Tuned(pps) = variant {
        changes.push(("average_calculation_time", "1".to_owned()));
        changes.push(("threshold_pps", pps.to_string()));
    }
    let networks: String = config.networks.iter().map(|network| format!("{network}\n")).collect();
    let mut command = fastnetmon::command(folder, &networks, PORTS, &changes)?;
    let mut running = Running::start(&mut command, &folder.join("log.txt"))?;
    running.listening(PORTS.sflow)?;
    sleep(Duration::from_secs(2));
    let begun = now();
    send(&datagrams, config.start, config.routers)?;
    sleep(Duration::from_secs(1));
    let lost = drops(PORTS.sflow);
    running.stop()?;
    let story = scenario.events.iter().find(|event| event.kind.vector().is_some()).map(sim::Event::story);
    let first_packet = begun + lead.as_secs_f64();
    let mut bans = Bans { delay: None, victims: 0, innocents: Vec::new(), called: None, lost };
    for line in std::fs::read_to_string(&notes).unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [at, address, direction, _, "ban"] = fields.as_slice() else { continue };
        let (Ok(at), Ok(address)) = (at.parse::<f64>(), address.parse()) else { continue };
        let victim = story.as_ref().is_some_and(|story| {
            let outgoing = story.own.contains(&address) && *direction == "outgoing";
            (story.target.contains(address) || outgoing) && at >= first_packet
        });
        if victim {
            bans.victims += 1;
            bans.delay = Some(bans.delay.map_or(at - first_packet, |first| first.min(at - first_packet)));
        } else {
            bans.innocents.push(format!("{address} {direction} after {:.1} s", at - first_packet));
        }
    }
    let details = std::fs::read_to_string(folder.join("details")).unwrap_or_default();
    bans.called = story.as_ref().and_then(|story| called(&details, story));
    Ok(bans)
}

/// What its details call the attack on the victim; of an IPv6 host they say `0.0.0.0`.
fn called(details: &str, story: &Story) -> Option<String> {
    let mut of_victim = false;
    for line in details.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("IP:").and_then(|text| text.trim().parse::<IpAddr>().ok()) {
            of_victim = story.target.contains(address)
                || story.own.contains(&address)
                || (!story.target.is_ipv4() && address.is_unspecified());
        } else if let Some(kind) = line.strip_prefix("Attack type:").filter(|_| of_victim) {
            return Some(kind.trim().to_owned());
        }
    }
    None
}

/// What it calls at a ban: notes the time first, then what it is told.
fn script(folder: &Path, notes: &Path) -> Outcome<PathBuf> {
    let path = folder.join("notify.sh");
    let details = folder.join("details");
    let text = format!(
        "#!/bin/sh\necho \"$(date +%s.%N) $1 $2 $3 $4\" >> {}\ncat >> {}\n",
        notes.display(),
        details.display()
    );
    std::fs::write(&path, text)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// At their pace.
fn send(datagrams: &[Sent], start: base::Timestamp, routers: u16) -> Outcome {
    let failed = |e: std::io::Error| format!("sending: {e}");
    let to = SocketAddr::from(([127, 0, 0, 1], PORTS.sflow));
    let sockets: Vec<UdpSocket> = (0..routers)
        .map(|router| UdpSocket::bind(SocketAddr::new(feed::address(router), 0)))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let begun = Instant::now();
    for sent in datagrams {
        let due = Duration::from_nanos(sent.at.since(start).nanos());
        sleep(due.saturating_sub(begun.elapsed()));
        let socket = sockets.get(usize::from(sent.router)).ok_or("no such router")?;
        socket.send_to(&sent.bytes, to).map_err(failed)?;
    }
    Ok(())
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attack_is_called_what_the_victims_own_details_say() {
        let story = |v4| {
            let name = if v4 { "syn-200k" } else { "syn-v6-200k" };
            scenario::measured(name, Span::from_secs(1), 1).unwrap().events[0].story()
        };
        let victim = story(true).target.addr();
        let details = format!("IP: 198.18.0.9\nAttack type: unknown\nIP: {victim}\nAttack type: syn_flood\n");
        assert_eq!(called(&details, &story(true)).as_deref(), Some("syn_flood"));
        assert_eq!(called("IP: 198.18.0.9\nAttack type: unknown\n", &story(true)), None);
        let unspecified = "IP: 0.0.0.0\nAttack type: udp_flood\n";
        assert_eq!(called(unspecified, &story(false)).as_deref(), Some("udp_flood"));
        assert_eq!(called(unspecified, &story(true)), None);
    }
}
