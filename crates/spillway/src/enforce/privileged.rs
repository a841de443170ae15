//! The helper itself: the one process with privileges. It does what the protocol can say, on the interfaces and within the
//! bounds that its own reading of the configuration gives, and nothing else: whoever takes over the daemon cannot have it
//! filter other destinations, for longer, or more.
//!
//! It gives signs of life to the kernel only when it is told to: with the daemon they end, and the dead-man switch falls.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::rules::Rule;
use ::rules::lease::LEASE_MAX;
use anyhow::{Context as _, anyhow, bail, ensure};

use super::choose::Bounds;
use super::protocol::{Kind, PART, Reply, Request, SOURCES, VERSION, hear, say};
use super::teller::{self, Refused, Teller};
use super::{Done, Enforcer, Wanted};
use crate::config::Config;
use crate::policy::allow::ALLOW_MAX;

/// Serves the daemon at the other end of standard input until that is gone.
pub(crate) fn run(path: &Path) -> anyhow::Result<()> {
    let end = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mouth: OwnedFd = std::io::stdout().as_fd().try_clone_to_owned()?;
    let mouth = Arc::new(UnixDatagram::from(mouth));
    let mut desk = Desk { path, mouth, office: None, next: Wanted::default() };
    let not_ours = "`spillway helper` is started by `spillway run`, not by people";
    while let Some(request) = hear::<Request>(&end).context(not_ours)? {
        let number = request.number;
        match desk.answer(request.said) {
            Ok(replies) => replies.into_iter().try_for_each(|reply| say(&end, number, reply))?,
            Err(error) => say(&end, number, Reply::Refused { error: format!("{error:#}") })?,
        }
    }
    Ok(())
}

struct Desk<'a> {
    path: &'a Path,
    mouth: Arc<UnixDatagram>,
    office: Option<Office>,
    /// The next set, as far as it has come.
    next: Wanted,
}

/// What one configuration makes of it.
struct Office {
    bounds: Bounds,
    enforcer: Box<dyn Enforcer>,
    refused: Refused,
    _teller: Option<Teller>,
}

impl Desk<'_> {
    fn answer(&mut self, request: Request) -> anyhow::Result<Vec<Reply>> {
        match request {
            Request::Hello { version } => {
                ensure!(
                    version == VERSION,
                    "the daemon speaks version {version}, its helper {VERSION}; restart the daemon"
                );
                self.office = None;
                self.office = Some(Office::open(self.path, &self.mouth)?);
                Ok(vec![Reply::Done])
            }
            Request::Part { rules, kind } => {
                let office = self.office.as_ref().context("nobody said hello")?;
                match office.read(&rules, self.next.rules.len() + self.next.instead.len()) {
                    Ok(read) => self.take(read, kind),
                    // A set is whole or it is not.
                    Err(error) => {
                        self.next = Wanted::default();
                        return Err(error);
                    }
                }
                Ok(vec![Reply::Done])
            }
            Request::Allow { allow } => {
                let office = self.office.as_ref().context("nobody said hello")?;
                if let Err(error) = office.let_pass(&allow, self.next.allow.len()) {
                    self.next = Wanted::default();
                    return Err(error);
                }
                self.next.allow.extend(allow);
                Ok(vec![Reply::Done])
            }
            Request::Apply { earnest } => {
                let office = self.office.as_mut().context("nobody said hello")?;
                let wanted = Wanted { earnest, ..std::mem::take(&mut self.next) };
                office.enforcer.beat()?;
                office.enforcer.apply(&wanted)?;
                Ok(vec![Reply::Done])
            }
            Request::Actual => {
                let office = self.office.as_mut().context("nobody said hello")?;
                Ok(parts(&office.enforcer.actual()?))
            }
            Request::Proven => {
                let office = self.office.as_mut().context("nobody said hello")?;
                Ok(sources(&office.enforcer.proven()?))
            }
            Request::Beat => {
                let office = self.office.as_mut().context("nobody said hello")?;
                office.enforcer.beat()?;
                let (told, lost) = office.enforcer.told();
                let (lost, counted) =
                    (lost + office.refused.load(Ordering::Relaxed), office.enforcer.counted());
                Ok(vec![Reply::Told { told, lost, counted }])
            }
        }
    }
}

impl Desk<'_> {
    fn take(&mut self, rules: Vec<Rule>, kind: Kind) {
        let ids = || rules.iter().map(|rule| rule.id.clone());
        if kind.dry {
            self.next.dry.extend(ids());
        }
        if kind.by_hand {
            self.next.by_hand.extend(ids());
        }
        if kind.instead { self.next.instead.extend(rules) } else { self.next.rules.extend(rules) }
    }
}

impl Office {
    /// Whether these sources may pass: to destinations of the operator's own alone.
    fn let_pass(&self, allow: &[dataplane::Allow], before: usize) -> anyhow::Result<()> {
        ensure!(before + allow.len() <= ALLOW_MAX, "more allowed sources than there may be ({ALLOW_MAX})");
        for one in allow {
            ensure!(
                one.scope.destination.is_some_and(|to| self.bounds.owns(&to)),
                "{} may not pass: its destination is not inside `networks`",
                one.source
            );
        }
        Ok(())
    }

    fn open(path: &Path, mouth: &Arc<UnixDatagram>) -> anyhow::Result<Self> {
        let config = Config::load(path).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the helper cannot take the configuration: {}", all.join("; "))
        })?;
        let enforcer = super::of(&config).context("`dataplane.interfaces` is empty")?;
        let refused = Refused::default();
        let teller = config.dataplane.telemetry.then(|| {
            let (mouth, refused) = (Arc::clone(mouth), Arc::clone(&refused));
            let interfaces = config.dataplane.interfaces.clone();
            Teller::start(move |stop| teller::run(&interfaces, &mouth, stop, &refused))
        });
        Ok(Self { bounds: Bounds::of(&config), enforcer, refused, _teller: teller })
    }

    /// Rules from their texts, `before` of them taken already.
    fn read(&self, texts: &[String], before: usize) -> anyhow::Result<Vec<Rule>> {
        let most = self.bounds.rules_max();
        ensure!(before + texts.len() <= most, "more rules than `dataplane.rules_max` ({most}) allows");
        let read = |text: &String| {
            let parsed = ::rules::parse::rules(text).ok().filter(|rules| rules.len() == 1);
            let Some(rule) = parsed.and_then(|mut rules| rules.pop()) else { bail!("not a rule: {text}") };
            self.bounds.check(&rule).map_err(|reason| anyhow!("rule {}: {reason}", rule.id))?;
            ensure!(
                rule.lease.is_some_and(|lease| lease <= LEASE_MAX),
                "rule {}: a rule needs a lease of at most {LEASE_MAX}",
                rule.id
            );
            Ok(rule)
        };
        texts.iter().map(read).collect()
    }
}

/// What the kernel has, in packets that fit.
fn parts(actual: &BTreeMap<String, Done>) -> Vec<Reply> {
    let said = |(id, done): (&String, &Done)| (id.clone(), done.packets, done.dropped, done.bytes);
    let all: Vec<(String, u64, u64, u64)> = actual.iter().map(said).collect();
    let mut parts: Vec<Reply> =
        all.chunks(PART).map(|part| Reply::Actual { rules: part.to_vec(), more: true }).collect();
    match parts.last_mut() {
        Some(Reply::Actual { more, .. }) => *more = false,
        _ => parts.push(Reply::Actual { rules: Vec::new(), more: false }),
    }
    parts
}

/// Addresses, in packets that fit.
fn sources(all: &[IpAddr]) -> Vec<Reply> {
    let mut chunks = all.chunks(SOURCES).peekable();
    let mut parts = Vec::new();
    while let Some(chunk) = chunks.next() {
        parts.push(Reply::Proven { sources: chunk.to_vec(), more: chunks.peek().is_some() });
    }
    if parts.is_empty() {
        parts.push(Reply::Proven { sources: Vec::new(), more: false });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_configuration_allows_is_taken() {
        let text = "networks = [\"198.18.0.0/16\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n[dataplane]\n\
                    interfaces = [\"none0\"]\nrules_max = 3\n";
        let folder = std::env::temp_dir().join(format!("spillway-helper-{}", std::process::id()));
        std::fs::write(&folder, text).unwrap();
        let (mouth, _ear) = UnixDatagram::pair().unwrap();
        let office = Office::open(&folder, &Arc::new(mouth)).unwrap();
        std::fs::remove_file(&folder).unwrap();
        let refused = |text: &str, before| office.read(&[text.to_owned()], before).unwrap_err().to_string();
        let good = "a dst 198.18.7.7/32 proto udp -> drop for 15m";
        assert_eq!(office.read(&[good.to_owned()], 2).unwrap().len(), 1);
        assert!(refused(good, 3).contains("rules_max"));
        assert!(refused("a dst 192.0.2.1/32 proto udp -> drop for 15m", 0).contains("networks"));
        assert!(refused("a dst 198.18.0.0/15 -> drop for 15m", 0).contains("networks"));
        assert!(refused("a proto udp -> drop for 15m", 0).contains("networks"));
        assert!(refused("a dst 198.18.7.7/32 -> drop", 0).contains("lease"));
        assert!(refused("a dst 198.18.7.7/32 -> drop for 2d", 0).contains("lease"));
        assert!(refused("rm -rf /", 0).contains("not a rule"));
        let pass = |to: &str, before| {
            let scope = dataplane::Scope { destination: to.parse().ok(), ..dataplane::Scope::default() };
            let one = dataplane::Allow { source: "203.0.113.0/24".parse().unwrap(), scope, ceiling: None };
            office.let_pass(&[one], before)
        };
        assert!(pass("198.18.7.0/24", 0).is_ok());
        assert!(pass("192.0.2.1/32", 0).unwrap_err().to_string().contains("networks"));
        assert!(pass("everywhere", 0).is_err() && pass("198.18.7.0/24", ALLOW_MAX).is_err());
        assert!(refused(&format!("{good}\nb dst 198.18.7.8/32 -> drop for 15m"), 0).contains("not a rule"));
        let many = BTreeMap::from_iter((0..PART * 2).map(|n| (format!("{n}"), Done::default())));
        let more: Vec<bool> =
            parts(&many).iter().map(|part| matches!(part, Reply::Actual { more: true, .. })).collect();
        assert_eq!(more, [true, false]);
        let widest: IpAddr = "2001:db8:1111:1111:1111:1111:1111:1111".parse().unwrap();
        let (here, there) = super::super::protocol::pair().unwrap();
        let mut heard = 0;
        for (number, part) in (1..).zip(sources(&vec![widest; SOURCES * 2 + 1])) {
            say(&here, number, part).unwrap();
            let Some(part) = hear::<Reply>(&there).unwrap() else { panic!("it was said") };
            let Reply::Proven { sources, more } = part.said else { panic!("{part:?}") };
            heard += sources.len();
            assert_eq!(more, number < 3);
        }
        assert_eq!(heard, SOURCES * 2 + 1);
        assert_eq!(sources(&[]), [Reply::Proven { sources: Vec::new(), more: false }]);
    }
}
