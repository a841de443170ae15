//! Conversations with absorbers, each in a thread of its own. What they shall hold is said by the desk; what they hold is asked here.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::metrics;
use base::{Prefix, Span, Timestamp};
use nix::sys::eventfd::{EfdFlags, EventFd};
use rustls::ClientConfig;
use steer::absorb::word::{Back, Kind, Load, Tell};
use steer::absorb::{Controller, Others, Settings, Standing, Truth};
use steer::effect::Witnesses;

use super::desk::Ask;
use super::order;
use crate::absorb::channel::Channel;
use crate::absorb::keys::Key;
use crate::absorb::tls;
use crate::config::{Charge, Control, Controls, Routing};

/// What is not answered within this is asked again.
const RETRY: Span = Span::from_secs(2);
/// Between two tries to reach an absorber.
const AGAIN: Duration = Duration::from_secs(1);
/// A try that takes longer is given up.
const DIAL: Duration = Duration::from_secs(3);
/// A conversation looks up at least this often.
const TURN: Duration = Duration::from_millis(500);

/// All absorbers that are spoken with.
#[derive(Debug, Default)]
pub(super) struct Absorbers {
    all: Vec<Absorber>,
}

/// One absorber.
#[derive(Debug)]
pub(super) struct Absorber {
    pub(super) control: Control,
    shared: Arc<Shared>,
    pub(super) truth: Truth,
    /// Who tells what is sent there.
    pub(super) witnesses: Witnesses,
    /// When the last report came that was compared.
    pub(super) compared: Option<Timestamp>,
    /// The last diversion that came to nothing here, and why.
    pub(super) failed: Option<(Timestamp, String)>,
    /// What others have there.
    others: Others,
}

#[derive(Debug)]
struct Shared {
    core: Mutex<Controller>,
    /// Why there is no conversation.
    trouble: Mutex<Option<String>>,
    wake: EventFd,
    stop: AtomicBool,
    /// The core's time counts from an arbitrary moment, and never goes back.
    began: Instant,
}

impl Absorbers {
    /// Begins to speak with them. `asks` is where the desk hears that something changed.
    pub(super) fn start(folder: &Path, routing: &Routing, asks: &Sender<Ask>) -> anyhow::Result<Self> {
        let Controls { key, all } = &routing.controls;
        if all.is_empty() {
            return Ok(Self::default());
        }
        let key = match key {
            Some(path) => Key::load(path),
            None => Key::load_or_make(&folder.join("absorbers.key")),
        };
        let key = key.context("absorbers cannot be spoken with")?;
        tracing::info!(fingerprint = %key.fingerprint(), absorbers = all.len(), "absorbers know us by this key");
        let name = format!("AS{} {}", routing.asn, routing.router_id);
        let all = all.iter().map(|control| Absorber::start(control, &key, &name, asks.clone()));
        Ok(Self { all: all.collect::<anyhow::Result<_>>()? })
    }

    /// By its name.
    pub(super) fn get(&self, name: &str) -> Option<&Absorber> {
        self.all.iter().find(|one| one.control.name == name)
    }

    /// Likewise.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Absorber> {
        self.all.iter_mut().find(|one| one.control.name == name)
    }

    /// Who may get a prefix.
    pub(super) fn takers<'a>(&'a self, prefix: &'a Prefix) -> impl Iterator<Item = &'a Absorber> {
        self.all.iter().filter(|one| one.charge(prefix).is_some())
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Absorber> {
        self.all.iter()
    }

    /// Likewise.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Absorber> {
        self.all.iter_mut()
    }
}

impl Absorber {
    fn start(control: &Control, key: &Key, name: &str, asks: Sender<Ask>) -> anyhow::Result<Self> {
        let settings =
            Settings { name: name.to_owned(), lease: control.lease, silence: control.silence, retry: RETRY };
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared {
            core: Mutex::new(Controller::new(settings)),
            trouble: Mutex::new(Some("not reached yet".to_owned())),
            wake,
            stop: AtomicBool::new(false),
            began: Instant::now(),
        });
        let tls = tls::client(key, control.fingerprint)?;
        let (theirs, address, name) = (Arc::clone(&shared), control.address.clone(), control.name.clone());
        let run = move || theirs.run(&tls, &address, &name, &asks);
        std::thread::Builder::new().name("absorber".to_owned()).spawn(run)?;
        Ok(Self {
            control: control.clone(),
            shared,
            truth: Truth::default(),
            witnesses: Witnesses::default(),
            compared: None,
            failed: None,
            others: Others::default(),
        })
    }

    /// What the configuration says of a prefix.
    pub(super) fn charge(&self, prefix: &Prefix) -> Option<&Charge> {
        self.control.charges.iter().find(|charge| charge.prefix == *prefix)
    }

    /// It shall hold a prefix with these rules.
    pub(super) fn want(&self, prefix: Prefix, rules: Vec<String>, expects: Load) {
        self.shared.core().want(self.shared.now(), prefix, rules, expects);
        self.shared.wake();
    }

    /// It shall hold a prefix with the rules that it has, until it is known which those are.
    pub(super) fn keep(&self, prefix: Prefix, expects: Load) {
        self.shared.core().keep(self.shared.now(), prefix, expects);
        self.shared.wake();
    }

    /// All that stood before is wanted again; what it has of ours beside that, it may let go.
    pub(super) fn wants_no_more(&self) {
        self.shared.core().wants_no_more(self.shared.now());
        self.shared.wake();
    }

    /// It need not any more, after a while.
    pub(super) fn release(&self, prefix: Prefix, linger: Span) {
        self.shared.core().release(self.shared.now(), prefix, linger);
        self.shared.wake();
    }

    /// How a prefix stands there.
    pub(super) fn standing(&self, prefix: &Prefix) -> Standing {
        self.shared.core().standing(self.shared.now(), prefix)
    }

    /// Whether it was heard, and then for too long not any more.
    pub(super) fn is_silent(&self) -> bool {
        let core = self.shared.core();
        core.heard().is_some() && !core.is_alive(self.shared.now())
    }

    /// Rules that its owner has room for; `None`: it has not said so.
    pub(super) fn rules_max(&self) -> Option<usize> {
        self.shared.core().welcome().map(|(_, declared)| declared.rules)
    }

    /// Prefixes of ours that it may have at one time: as many as its owner lets it have, less what others have there; `None`: it has
    /// not said so.
    pub(super) fn slots(&self) -> Option<usize> {
        let core = self.shared.core();
        core.welcome().map(|(_, declared)| declared.held.saturating_sub(self.others.prefixes()))
    }

    /// Prefixes of ours that are there or shall be, or go when they have lingered, beside this one.
    pub(super) fn beside(&self, prefix: &Prefix) -> usize {
        self.shared.core().prefixes().filter(|other| *other != prefix).count()
    }

    /// What it received in the last second, by its last report, and when that came; `None`: it has not measured all that it has.
    pub(super) fn received(&self) -> Option<(Timestamp, Load)> {
        let core = self.shared.core();
        let (at, report) = core.report()?;
        let now = self.shared.now();
        let stands = |prefix: &&Prefix| core.standing(now, prefix) == Standing::Stands;
        let is_measured = |prefix: &Prefix| report.prefixes.iter().any(|(of, _)| of == prefix);
        if !core.prefixes().filter(stands).all(is_measured) {
            return None;
        }
        let sum =
            report.prefixes.iter().fold(Load::default(), |sum, (_, traffic)| sum.plus(traffic.received));
        Some((*at, sum))
    }

    /// Takes in its last report, for [`Self::capacity`].
    pub(super) fn look(&mut self) {
        let core = self.shared.core();
        let (Some((at, report)), Some((_, declared))) = (core.report(), core.welcome()) else { return };
        let gets = |prefix: &Prefix| {
            let of = report.prefixes.iter().find(|(of, _)| of == prefix);
            of.map(|(_, traffic)| traffic.received).unwrap_or_default()
        };
        let ours =
            core.expected().fold(Load::default(), |sum, (prefix, load)| sum.plus(load.max(gets(prefix))));
        let places = declared.held.saturating_sub(report.prefixes_free);
        let places = places.saturating_sub(core.prefixes().count());
        self.others.note(*at, declared.capacity, report.free, ours, places);
    }

    /// What may come of ours, all together: what its owner declared less what others have there, and never more than the
    /// configuration allows.
    ///
    /// # Errors
    /// Why nothing may be led there now.
    pub(super) fn capacity(&self) -> Result<Load, String> {
        let now = self.shared.now();
        if let Some(lie) = self.truth.lie() {
            return Err(format!("absorber `{}` is left out: {lie}", self.control.name));
        }
        let core = self.shared.core();
        if !core.is_alive(now) {
            drop(core);
            return Err(self.lost());
        }
        let Some((_, declared)) = core.welcome() else {
            return Err(format!("absorber `{}` has not said what it takes", self.control.name));
        };
        let allowed = self.control.charges.iter().map(|charge| whole(charge.capacity.0)).max().unwrap_or(0);
        let left = declared.capacity.less(self.others.load());
        Ok(Load { bps: left.bps.min(allowed), pps: left.pps })
    }

    /// Why nothing of what comes there for a prefix goes on to it, by its owner's word; `None`: what is clean does, or it has not said.
    pub(super) fn discards(&self, prefix: &Prefix) -> Option<String> {
        let core = self.shared.core();
        let (_, declared) = core.welcome()?;
        let name = &self.control.name;
        if declared.kind == Kind::Null {
            return Some(format!(
                "absorber `{name}` discards all that comes (kind = \"null\"): it keeps nobody, and is for diversions by hand"
            ));
        }
        let of = declared.prefixes.iter().filter(|(whole, _)| whole.covers(prefix));
        let (_, back) = of.max_by_key(|(whole, _)| whole.bits())?;
        (*back == Back::None).then(|| {
            format!(
                "absorber `{name}` gives nothing back to {prefix} (return = \"none\"): it does not keep it"
            )
        })
    }

    /// What comes there to a prefix that it holds, by its own word; `None`: it has not said, or does not count.
    pub(super) fn gets(&self, prefix: &Prefix) -> Option<(Timestamp, Load)> {
        let core = self.shared.core();
        core.welcome().filter(|(_, declared)| declared.counts)?;
        let (at, report) = core.report()?;
        let of = report.prefixes.iter().find(|(of, _)| of == prefix);
        of.map(|(_, traffic)| (*at, traffic.received))
    }

    /// Why it is not spoken with.
    pub(super) fn lost(&self) -> String {
        let trouble = self.shared.trouble().clone();
        let name = &self.control.name;
        let heard = self.shared.core().heard().map(|at| self.shared.now().since(at));
        match (trouble, heard) {
            (Some(trouble), None) => format!("absorber `{name}` is not reached: {trouble}"),
            (Some(trouble), Some(silent)) => {
                format!("absorber `{name}` is lost, silent for {} s: {trouble}", silent.secs())
            }
            (None, Some(silent)) => format!("absorber `{name}` is silent for {} s", silent.secs()),
            (None, None) => format!("absorber `{name}` has said nothing yet"),
        }
    }

    /// Numbers for `/metrics`.
    pub(super) fn numbers(&self) -> metrics::Absorber {
        let core = self.shared.core();
        let now = self.shared.now();
        let report = core.report().map(|(_, report)| report);
        let stands = |charge: &&Charge| core.standing(now, &charge.prefix) == Standing::Stands;
        let received =
            report.iter().flat_map(|report| &report.prefixes).map(|(_, traffic)| traffic.received.bps);
        let lost = report.iter().flat_map(|report| &report.prefixes).map(|(_, traffic)| traffic.lost.pps());
        let returned =
            report.iter().flat_map(|report| &report.prefixes).map(|(_, traffic)| traffic.returned.bps);
        metrics::Absorber {
            name: self.control.name.clone(),
            up: core.is_up() && core.is_alive(now),
            distrusted: self.truth.lie().is_some(),
            prefixes: u64::try_from(self.control.charges.iter().filter(stands).count()).unwrap_or(u64::MAX),
            received_bps: received.fold(0, u64::saturating_add),
            returned_bps: returned.fold(0, u64::saturating_add),
            lost_pps: lost.fold(0, u64::saturating_add),
            free_bps: report.map_or(0, |report| report.free.bps),
        }
    }

    /// For people and programs.
    pub(super) fn document(&self) -> order::Absorber {
        let core = self.shared.core();
        let now = self.shared.now();
        let report = core.report();
        let welcome = core.welcome();
        let declared = |prefix: &Prefix| {
            let (_, declared) = welcome?;
            let of = declared.prefixes.iter().filter(|(whole, _)| whole.covers(prefix));
            of.max_by_key(|(whole, _)| whole.bits()).map(|(_, back)| back.as_str().to_owned())
        };
        let prefixes = self.control.charges.iter().map(|charge| {
            let traffic = report.and_then(|(_, report)| {
                report
                    .prefixes
                    .iter()
                    .find(|(prefix, _)| *prefix == charge.prefix)
                    .map(|(_, traffic)| *traffic)
            });
            let standing = core.standing(now, &charge.prefix);
            order::AbsorberPrefix {
                prefix: charge.prefix.to_string(),
                state: match &standing {
                    Standing::Unwanted => "idle",
                    Standing::Waiting => "waiting",
                    Standing::Stands => "stands",
                    Standing::Refused(..) => "refused",
                }
                .to_owned(),
                reason: core.refused(&charge.prefix).map(str::to_owned),
                returns: declared(&charge.prefix),
                capacity_bps: whole(charge.capacity.0),
                received: traffic.map(|traffic| traffic.received),
                dropped: traffic.map(|traffic| traffic.dropped),
                returned: traffic.map(|traffic| traffic.returned),
                lost: traffic.filter(|traffic| traffic.measured).map(|traffic| traffic.lost),
                trouble: traffic.and_then(|traffic| traffic.trouble()),
            }
        });
        let lie = self.truth.lie();
        order::Absorber {
            name: self.control.name.clone(),
            control: self.control.address.clone(),
            fingerprint: self.control.fingerprint.to_string(),
            state: match (core.is_up(), core.is_alive(now), lie) {
                (_, true, Some(_)) => "distrusted",
                (true, true, None) => "up",
                _ => "down",
            }
            .to_owned(),
            reason: lie.map(|lie| lie.to_string()).or_else(|| self.shared.trouble().clone()),
            says: welcome.map(|(name, _)| name.clone()),
            kind: welcome.map(|(_, declared)| declared.kind.as_str().to_owned()),
            capacity: welcome.map(|(_, declared)| declared.capacity),
            free: report.map(|(_, report)| report.free),
            rules: report.map(|(_, report)| report.rules.len() + report.left_out),
            rules_free: report.map(|(_, report)| report.rules_free),
            prefixes_max: welcome.map(|(_, declared)| declared.held),
            links: Vec::new(),
            note: None,
            prefixes_free: report.map(|(_, report)| report.prefixes_free),
            heard_ms_ago: core.heard().map(|at| now.since(at).nanos() / 1_000_000),
            prefixes: prefixes.collect(),
        }
    }
}

impl Drop for Absorber {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Its thread may be dialling; it ends by itself, and nobody waits for that.
        self.shared.wake();
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_secs(1_000_000).plus(Span::from_nanos(passed))
    }

    fn core(&self) -> MutexGuard<'_, Controller> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let _ = self.wake.write(1);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn run(&self, tls: &Arc<ClientConfig>, address: &str, name: &str, asks: &Sender<Ask>) {
        let mut said = String::new();
        while !self.stopped() {
            let ended = self.talk(tls, address, name, asks);
            self.core().disconnected();
            if let Err(reason) = ended {
                let reason = format!("{reason:#}");
                // Once for each reason: an absorber may be away for days.
                if said != reason {
                    tracing::warn!(absorber = name, address, reason, "the absorber is not spoken with");
                    said.clone_from(&reason);
                }
                *self.trouble() = Some(reason);
            }
            let _ = asks.send(Ask::Wake);
            let end = Instant::now() + AGAIN;
            while !self.stopped() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    fn talk(
        &self,
        tls: &Arc<ClientConfig>,
        address: &str,
        name: &str,
        asks: &Sender<Ask>,
    ) -> anyhow::Result<()> {
        let mut channel = self.reach(tls, address)?;
        while !channel.is_up() {
            if self.stopped() {
                return Ok(());
            }
            channel.wait(Some(self.wake.as_fd()), TURN)?;
        }
        self.core().connected(self.now());
        while !self.stopped() {
            let mut news = false;
            while let Some(tell) = channel.hear::<Tell>()? {
                news |= !matches!(tell, Tell::Report(_));
                if let Tell::Welcome { name: theirs, .. } = &tell {
                    *self.trouble() = None;
                    tracing::info!(absorber = name, says = theirs, "the absorber is spoken with");
                }
                self.core().receive(self.now(), tell);
            }
            let pause = {
                let mut core = self.core();
                let now = self.now();
                core.handle_timeout(now);
                while let Some(ask) = core.poll_output() {
                    channel.say(&ask)?;
                }
                if core.is_dead(now) {
                    let wrong = core.wrong().map_or_else(|| "it says nothing".to_owned(), str::to_owned);
                    anyhow::bail!("{wrong}");
                }
                core.poll_timeout().map_or(TURN, |at| Duration::from_nanos(at.since(now).nanos()).min(TURN))
            };
            if news {
                let _ = asks.send(Ask::Wake);
            }
            channel.wait(Some(self.wake.as_fd()), pause.max(Duration::from_millis(1)))?;
            let _ = self.wake.read();
        }
        Ok(())
    }

    fn reach(&self, tls: &Arc<ClientConfig>, address: &str) -> anyhow::Result<Channel> {
        let all: Vec<SocketAddr> =
            address.to_socket_addrs().with_context(|| format!("cannot find {address}"))?.collect();
        let mut last = anyhow::anyhow!("{address} has no address");
        for to in all {
            if self.stopped() {
                break;
            }
            match Channel::dial(tls, to, DIAL) {
                Ok(channel) => return Ok(channel),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate above 0")]
pub(super) fn whole(rate: f64) -> u64 {
    rate as u64
}
