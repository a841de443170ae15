//! A scenario from beginning to end: ordinary traffic, an attack, a filter, and the attack's end, each measured.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use base::Timestamp;

use super::attack::{Attacker, Scene};
use super::enforce::{Filter, daemon, found};
use super::first::First;
use super::honest::{Honest, PATIENCE, RATE};
use super::network::{Network, Site};
use super::report::{Found, Phase, Played};
use super::sampler::Sampler;
use super::scenario::{Place, Scenario};
use super::tools::{BASE, apt_line, missing};
use super::{link, server};
use crate::companion::Daemon;
use crate::folder::Folder;
use crate::interrupt::Interrupt;

/// Who filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The scenario's own rules, put in force while the attack goes on
    Rules,
    /// Rules that the daemon derives from sFlow of the lab
    Found,
    /// The daemon by itself, on the interfaces where packets arrive, from what it sees of them there
    Daemon,
    /// Nobody: what the attack does
    Nobody,
}

impl By {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Found => "found",
            Self::Daemon => "daemon",
            Self::Nobody => "nobody",
        }
    }
}

/// How it is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who filters.
    pub by: By,
    /// All phases together; each is at least two seconds long.
    pub length: Duration,
    /// Where what was sent is written.
    pub capture: Option<PathBuf>,
}

/// What is told while it goes on.
#[derive(Debug)]
pub enum News<'a> {
    /// Servers and clients are there.
    Ready(&'a Scenario),
    /// Attackers begin.
    Attack(&'a Scenario),
    /// The daemon has found something.
    Found(&'a Found),
    /// These rules are in force.
    Filter(&'a str),
    /// Attackers stop.
    Over,
    /// A phase has been measured.
    Phase(&'a Phase),
}

/// The lab's tag: names of namespaces begin with `spillway-lab-`.
pub const TAG: &str = "lab";

/// After a change, until what follows is measured; and as long for the last requests of what was before.
const SETTLE: Duration = Duration::from_millis(1_200);
/// Between two looks whether the daemon acts.
const LOOK: Duration = Duration::from_millis(10);
const POLL: Duration = Duration::from_millis(100);
/// Attackers end by themselves so long after they should have been ended.
const SLACK: Duration = Duration::from_secs(10);
/// A daemon has to see what is usual before it can tell what is not.
const LEAD: Duration = Duration::from_secs(10);
/// A daemon that has found nothing for so long finds nothing.
const FINDS_WITHIN: Duration = Duration::from_secs(15);

/// Plays it. Whatever happens, everything that it started is ended.
///
/// # Errors
/// Without root or the tools, when something does not start, or when it is interrupted.
pub fn play(
    scenario: &Scenario,
    options: &Options,
    interrupt: &Interrupt,
    tell: &mut dyn FnMut(News<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Played> {
    let needed: Vec<&str> = BASE.iter().chain(scenario.tools).copied().collect();
    let lacking = missing(Some(&needed));
    if !lacking.is_empty() {
        let names: Vec<&str> = lacking.iter().map(|one| one.program).collect();
        bail!("{} needs {}: {}", scenario.name, names.join(", "), apt_line(&lacking));
    }
    // In this order, so that they go in the reverse one.
    let network = Network::build(TAG)?;
    let folder = Folder::new("spillway-lab")?;
    let mut stage = Stage::set(scenario, options, interrupt, &network, &folder)?;
    tell(News::Ready(scenario))?;
    let quarter = (options.length / 4).max(Duration::from_secs(2));
    let mut phases = Vec::new();

    let lead = if matches!(options.by, By::Found | By::Daemon) { quarter.max(LEAD) } else { quarter };
    let before = stage.measure("before", lead)?;
    let length = quarter * 2 + FINDS_WITHIN + SLACK;
    let scene = Scene { network: &network, folder: &folder, length };
    if options.by == By::Daemon {
        stage.first = Some(First::watch(stage.filter.interfaces().1)?);
    }
    let attackers: Vec<Attacker> = (scenario.start)(&scene)?;
    tell(News::Attack(scenario))?;
    phases.push(stage.told(before, tell)?);

    let attack = match options.by {
        By::Daemon => stage.measure_until("attack", FINDS_WITHIN, |stage| stage.acted().is_some())?,
        _ => stage.measure("attack", quarter)?,
    };
    let rules = match options.by {
        By::Nobody => String::new(),
        By::Rules => scenario.rules.to_owned(),
        By::Found => stage.find(tell)?,
        By::Daemon if stage.acted().is_none() => String::new(),
        By::Daemon => stage.find(tell)?,
    };
    let filtered = !rules.is_empty();
    if filtered {
        if options.by != By::Daemon {
            stage.filter.attach(&rules)?;
        }
        tell(News::Filter(&rules))?;
    }
    phases.push(stage.told(attack, tell)?);

    let second = stage.measure(if filtered { "filtered" } else { "attack" }, quarter)?;
    drop(attackers);
    tell(News::Over)?;
    phases.push(stage.told(second, tell)?);
    let after = stage.measure("after", quarter)?;
    stage.wait(SETTLE)?;
    phases.push(stage.told(after, tell)?);

    let (rules, challenged) = stage.filter.counts()?;
    let (by, synthetic) = (options.by.name(), scenario.synthetic);
    let acted = stage.acted();
    let found = stage.end()?;
    let first = found.iter().map(|one| one.began).min();
    let acted_ms = acted.zip(first).map(|(acted, first)| acted.since(first).nanos() / 1_000_000);
    Ok(Played { scenario: scenario.name, by, synthetic, phases, found, acted_ms, rules, challenged })
}

/// The server's addresses.
const fn servers() -> [std::net::IpAddr; 2] {
    [Site::Server.v4(2), Site::Server.v6(2)]
}

/// Everything that is there through all phases.
struct Stage<'a> {
    honest: Honest,
    filter: Filter<'a>,
    found: Vec<Found>,
    /// When the daemon first dropped or challenged.
    first: Option<First>,
    sampler: Option<Sampler>,
    daemon: Option<Daemon>,
    #[expect(dead_code, reason = "held for its end")]
    reflector: Option<super::reflector::Reflector>,
    nginx: super::process::Running,
    folder: &'a Folder,
    network: &'a Network,
    interrupt: &'a Interrupt,
    /// Where the daemon is.
    site: Site,
}

/// Waits, unless it is interrupted.
pub(super) fn wait(interrupt: &Interrupt, length: Duration) -> anyhow::Result<()> {
    let until = Instant::now() + length;
    loop {
        if interrupt.asked() {
            bail!("interrupted; the lab is taken down");
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(POLL));
    }
}

/// A phase that has been lived through; its last requests may still be on their way.
struct Lived {
    name: &'static str,
    from: Instant,
    to: Instant,
    attack_pps: u64,
    dropped: u64,
}

impl<'a> Stage<'a> {
    fn set(
        scenario: &Scenario,
        options: &Options,
        interrupt: &'a Interrupt,
        network: &'a Network,
        folder: &'a Folder,
    ) -> anyhow::Result<Self> {
        match scenario.place {
            // The flood has to hurt: a server as it was before cookies were the rule.
            Place::Server => network.set(Site::Server, "net.ipv4.tcp_syncookies", "0")?,
            Place::Router => link::narrow(network)?,
        }
        let nginx = server::start(&network.at(Site::Server), Site::Server.v4(2), folder)?;
        let reflector = scenario.reflector.map(|kind| kind.start(network, folder)).transpose()?;
        let filter = Filter { network, folder, place: scenario.place };
        let daemon = match options.by {
            By::Found => Some(daemon(network, interrupt)?),
            By::Daemon => Some(filter.daemon(interrupt)?),
            By::Rules | By::Nobody => None,
        };
        let collector = daemon.as_ref().filter(|_| options.by == By::Found).map(Daemon::collector);
        let listens = collector.is_some() || options.capture.is_some();
        let capture = options.capture.as_deref();
        let sampler = listens.then(|| Sampler::start(network, collector, capture)).transpose()?;
        let honest = Honest::start(&network.at(Site::Clients), servers(), RATE)?;
        let site = if options.by == By::Daemon { filter.interfaces().0 } else { Site::Server };
        let (found, first) = (Vec::new(), None);
        let stage = Self {
            honest,
            filter,
            found,
            first,
            sampler,
            daemon,
            reflector,
            nginx,
            folder,
            network,
            interrupt,
            site,
        };
        stage.wait(SETTLE)?;
        Ok(stage)
    }

    fn wait(&self, length: Duration) -> anyhow::Result<()> {
        wait(self.interrupt, length)
    }

    fn acted(&self) -> Option<Timestamp> {
        self.first.as_ref().and_then(First::seen)
    }

    /// Lives through a phase.
    fn measure(&mut self, name: &'static str, length: Duration) -> anyhow::Result<Lived> {
        self.measure_until(name, length, |_| false)
    }

    /// Likewise, until something has come about; no longer than so.
    fn measure_until(
        &mut self,
        name: &'static str,
        length: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<Lived> {
        let (from, sent, dropped) = (Instant::now(), self.sent()?, self.dropped()?);
        while !done(self) && from.elapsed() < length {
            self.wait(LOOK.min(length.saturating_sub(from.elapsed())))?;
        }
        self.nginx.check(self.folder)?;
        if let Some(daemon) = &mut self.daemon {
            daemon.check()?;
        }
        let to = Instant::now();
        let millis = u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX).max(1);
        let attack_pps = (self.sent()? - sent) * 1_000 / millis;
        let dropped = self.dropped()?.saturating_sub(dropped);
        Ok(Lived { name, from, to, attack_pps, dropped })
    }

    /// Waits until the last request of a phase has its outcome, and tells of it.
    fn told(
        &self,
        lived: Lived,
        tell: &mut dyn FnMut(News<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Phase> {
        self.wait((lived.to + PATIENCE + PATIENCE / 5).saturating_duration_since(Instant::now()))?;
        let outcomes = self.honest.between(lived.from, lived.to);
        let mut phase = Phase::new(lived.name, lived.to - lived.from, &outcomes);
        (phase.attack_pps, phase.dropped) = (lived.attack_pps, lived.dropped);
        tell(News::Phase(&phase))?;
        Ok(phase)
    }

    /// Waits until the daemon has found the attack and what would stop it; its rules.
    fn find(&mut self, tell: &mut dyn FnMut(News<'_>) -> anyhow::Result<()>) -> anyhow::Result<String> {
        let Some(daemon) = &self.daemon else { return Ok(String::new()) };
        let began = Instant::now();
        while began.elapsed() < FINDS_WITHIN {
            let all = found(self.network, self.site, daemon)?;
            if all.iter().any(|one| !one.rules.is_empty()) {
                all.iter().try_for_each(|one| tell(News::Found(one)))?;
                let mut lines: Vec<String> = all.iter().flat_map(|one| one.rules.clone()).collect();
                lines.sort_unstable();
                lines.dedup();
                self.found = all;
                return Ok(lines.iter().map(|line| format!("{line}\n")).collect());
            }
            self.wait(POLL)?;
        }
        Ok(String::new())
    }

    fn sent(&self) -> anyhow::Result<u64> {
        Ok(link::sent(self.network, Site::Attackers)? + link::sent(self.network, Site::Reflectors)?)
    }

    fn dropped(&self) -> anyhow::Result<u64> {
        Ok(self.filter.counts()?.0.iter().map(|rule| rule.dropped).sum())
    }

    /// Ends in order what has a last word.
    fn end(self) -> anyhow::Result<Vec<Found>> {
        let Self { honest, mut found, sampler, daemon, network, site, .. } = self;
        drop(honest);
        if let Some(sampler) = sampler {
            sampler.finish()?;
        }
        if let Some(daemon) = daemon {
            // What was found while nobody waited belongs to the story too.
            let late = super::enforce::found(network, site, &daemon)?;
            let known: Vec<String> = found.iter().map(|one| one.id.clone()).collect();
            found.extend(late.into_iter().filter(|one| !known.contains(&one.id)));
            daemon.stop()?;
        }
        Ok(found)
    }
}
