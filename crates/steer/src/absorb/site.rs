//! The absorber's end: what it holds for which brain, until when, and what it refuses.

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};
use rules::{Action, Rule};
use serde::{Deserialize, Serialize};

use super::word::{
    Ask, Declared, Hold, LEASE_MAX, Load, NAME_MAX, PREFIXES_MAX, REPORTED_MAX, RESERVED, RULES_MAX, Reason,
    Report, Tell, Traffic, VERSION, digest,
};

/// Counts of what was asked of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Prefixes and rules taken.
    pub taken: u64,
    /// Refused.
    pub refused: u64,
    /// Leases that ended because nobody renewed them.
    pub ended: u64,
}

/// A prefix that is held, as it is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keepsake {
    /// Which.
    pub prefix: Prefix,
    /// For whom.
    pub owner: String,
    /// Its rules.
    pub rules: Vec<String>,
    /// What the brain knows them by.
    pub digest: String,
    /// What was said will come.
    pub expects: Load,
    /// When its lease ends, in nanoseconds since 1970.
    pub until: u64,
}

/// A prefix that is held.
#[derive(Clone, Debug)]
struct Held {
    owner: String,
    rules: Vec<Rule>,
    digest: String,
    expects: Load,
    until: Timestamp,
    /// As it was measured last, if it was.
    traffic: Option<Traffic>,
}

/// A request that the kernel has to agree to.
#[derive(Debug)]
struct Pending {
    number: u64,
    prefix: Prefix,
    lease: u64,
    /// What was there.
    before: Option<Held>,
}

/// The absorber.
#[derive(Debug)]
pub struct Site {
    name: String,
    declared: Declared,
    held: BTreeMap<Prefix, Held>,
    pending: Option<Pending>,
    changed: bool,
    /// What was asked of it.
    pub counts: Counts,
}

impl Site {
    /// With what its owner declared.
    pub fn new(name: &str, declared: Declared) -> Self {
        let mut declared = declared;
        declared.prefixes.truncate(PREFIXES_MAX);
        declared.held = declared.held.min(PREFIXES_MAX);
        Self {
            name: name.to_owned(),
            declared,
            held: BTreeMap::new(),
            pending: None,
            changed: false,
            counts: Counts::default(),
        }
    }

    /// What is to be kept over a restart.
    pub fn keepsakes(&self) -> Vec<Keepsake> {
        let of = |(prefix, held): (&Prefix, &Held)| Keepsake {
            prefix: *prefix,
            owner: held.owner.clone(),
            rules: held.rules.iter().map(Rule::to_string).collect(),
            digest: held.digest.clone(),
            expects: held.expects,
            until: held.until.nanos(),
        };
        self.held.iter().map(of).collect()
    }

    /// Holds again what was kept, where its lease goes on and its owner may still ask for it. Traffic may be coming already, so
    /// nobody asks whether there is room. What is left out ends.
    pub fn resume(&mut self, now: Timestamp, kept: Vec<Keepsake>, knows: impl Fn(&str) -> bool) {
        for one in kept.into_iter().take(self.declared.held) {
            let until = Timestamp::from_nanos(one.until).min(now.plus(Span::from_secs(LEASE_MAX)));
            let declared = self.declared.prefixes.iter().any(|(whole, _)| whole.covers(&one.prefix));
            let rules = self.read(one.prefix, &one.rules);
            let (true, Ok(rules)) = (until > now && declared && knows(&one.owner), rules) else { continue };
            let (owner, digest, expects) = (one.owner, one.digest, one.expects);
            let held = Held { owner, rules, digest, expects, until, traffic: None };
            self.held.insert(one.prefix, held);
            self.changed = true;
        }
    }

    /// A brain, by the name under which its key is known, asks. Where [`Self::is_pending`] afterwards, the answer comes from
    /// [`Self::settle`].
    pub fn handle(&mut self, now: Timestamp, owner: &str, ask: Ask) -> Option<Tell> {
        match ask {
            Ask::Hello { version, .. } if version != VERSION => {
                let text = format!(
                    "the brain speaks version {version}, this absorber {VERSION}: bring both to one version"
                );
                Some(Tell::Wrong { text })
            }
            Ask::Hello { name, .. } if name.len() > NAME_MAX => {
                Some(Tell::Wrong { text: format!("a name has at most {NAME_MAX} octets") })
            }
            Ask::Hello { .. } => Some(Tell::Welcome {
                version: VERSION,
                name: self.name.clone(),
                declared: self.declared.clone(),
                holds: self.holds(now, owner),
            }),
            Ask::Take { number, prefix, rules, expects, lease } => {
                match self.take(now, owner, prefix, &rules, expects, lease) {
                    Ok((before, lease)) => {
                        self.pending = Some(Pending { number, prefix, lease, before });
                        None
                    }
                    Err((why, text)) => {
                        self.counts.refused += 1;
                        Some(Tell::Refused { number, prefix, why, text })
                    }
                }
            }
            Ask::Renew { number, lease, holds } => {
                let until = now.plus(Span::from_secs(lease.min(LEASE_MAX)));
                for (prefix, digest) in holds.iter().take(PREFIXES_MAX) {
                    if let Some(held) = self.held.get_mut(prefix)
                        && (held.owner.as_str(), &held.digest) == (owner, digest)
                    {
                        held.until = until;
                        self.changed = true;
                    }
                }
                Some(Tell::Holds { number, holds: self.holds(now, owner) })
            }
            Ask::Release { number, prefix } => {
                if self.held.get(&prefix).is_some_and(|held| held.owner == owner) {
                    self.held.remove(&prefix);
                    self.changed = true;
                }
                Some(Tell::Holds { number, holds: self.holds(now, owner) })
            }
        }
    }

    /// Whether a request waits for the kernel's word: [`Self::rules`] are to be put in force, then [`Self::settle`].
    pub const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether something else is to be in force since the last time that one asked.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The kernel agreed, or why it did not: the answer to what was pending.
    pub fn settle(&mut self, done: Result<(), String>) -> Option<Tell> {
        let Pending { number, prefix, lease, before } = self.pending.take()?;
        match done {
            Ok(()) => {
                self.counts.taken += 1;
                let digest = self.held.get(&prefix)?.digest.clone();
                Some(Tell::Taken { number, prefix, digest, lease })
            }
            Err(text) => {
                self.counts.refused += 1;
                match before {
                    Some(before) => self.held.insert(prefix, before),
                    None => self.held.remove(&prefix),
                };
                self.changed = true;
                Some(Tell::Refused { number, prefix, why: Reason::Kernel, text })
            }
        }
    }

    /// Ends what is over: whose, and what.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<(String, Tell)> {
        let over: Vec<Prefix> =
            self.held.iter().filter(|(_, held)| held.until <= now).map(|(prefix, _)| *prefix).collect();
        let mut told = Vec::new();
        for prefix in over {
            if let Some(held) = self.held.remove(&prefix) {
                self.counts.ended += 1;
                self.changed = true;
                told.push((held.owner, Tell::Ended { prefix }));
            }
        }
        told
    }

    /// When a lease ends next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.held.values().map(|held| held.until).min()
    }

    /// Prefixes that are held.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.held.keys().copied()
    }

    /// When the lease of a prefix ends.
    pub fn until(&self, prefix: &Prefix) -> Option<Timestamp> {
        self.held.get(prefix).map(|held| held.until)
    }

    /// What each prefix got in the last second, as it was measured; `None`: it was not.
    pub fn measured(&mut self, traffic: impl Fn(&Prefix) -> Option<Traffic>) {
        for (prefix, held) in &mut self.held {
            held.traffic = traffic(prefix);
        }
    }

    /// What was measured last of each prefix, where it was.
    pub fn traffic(&self) -> impl Iterator<Item = (Prefix, Traffic)> {
        self.held.iter().filter_map(|(prefix, held)| Some((*prefix, held.traffic?)))
    }

    /// The rules that shall be in force, each with what is left of its lease.
    pub fn rules(&self, now: Timestamp) -> Vec<Rule> {
        let of = |held: &Held| {
            let lease = Some(held.until.since(now));
            held.rules.iter().map(move |rule| Rule { lease, ..rule.clone() }).collect::<Vec<_>>()
        };
        self.held.values().filter(|held| held.until > now).flat_map(of).collect()
    }

    /// How it is, for one brain; what its rules did comes from the kernel.
    pub fn report(&self, owner: &str, done: impl Fn(&str) -> Option<(u64, u64)>) -> Report {
        let mine = || self.held.iter().filter(|(_, held)| held.owner == owner);
        let rules = mine().flat_map(|(_, held)| &held.rules);
        let all = rules.clone().count();
        let rules: Vec<(String, u64, u64)> = rules
            .filter_map(|rule| done(&rule.id).map(|(packets, dropped)| (rule.id.clone(), packets, dropped)))
            .take(REPORTED_MAX)
            .collect();
        Report {
            prefixes: mine().filter_map(|(prefix, held)| Some((*prefix, held.traffic?))).collect(),
            free: self.free(None),
            rules_free: self.declared.rules.saturating_sub(self.slots(None)),
            prefixes_free: self.declared.held.saturating_sub(self.held.len()),
            left_out: all.saturating_sub(rules.len()),
            rules,
        }
    }

    /// What a brain has here.
    pub fn holds(&self, now: Timestamp, owner: &str) -> Vec<Hold> {
        let mine = self.held.iter().filter(|(_, held)| held.owner == owner && held.until > now);
        let of = |(prefix, held): (&Prefix, &Held)| Hold {
            prefix: *prefix,
            digest: held.digest.clone(),
            left_ms: held.until.since(now).nanos() / 1_000_000,
        };
        mine.map(of).collect()
    }

    /// What could come, with one prefix left out.
    fn free(&self, except: Option<&Prefix>) -> Load {
        let others = self.held.iter().filter(|(prefix, _)| Some(*prefix) != except);
        let gets = |held: &Held| held.traffic.map(|traffic| traffic.received).unwrap_or_default();
        let taken = others.fold(Load::default(), |sum, (_, held)| sum.plus(held.expects.max(gets(held))));
        self.declared.capacity.less(taken)
    }

    fn slots(&self, except: Option<&Prefix>) -> usize {
        let others = self.held.iter().filter(|(prefix, _)| Some(*prefix) != except);
        others.map(|(_, held)| held.rules.len()).sum()
    }

    /// Takes it, until the kernel says otherwise: what was there before, and the seconds that are granted.
    fn take(
        &mut self,
        now: Timestamp,
        owner: &str,
        prefix: Prefix,
        texts: &[String],
        expects: Load,
        lease: u64,
    ) -> Result<(Option<Held>, u64), (Reason, String)> {
        if lease == 0 || self.pending.is_some() {
            return Err((Reason::Request, "a lease of no time, or another request is not done".to_owned()));
        }
        let declared = self.declared.prefixes.iter().any(|(declared, _)| declared.covers(&prefix));
        if !declared {
            let text =
                format!("{prefix} is not declared at `{}`: its owner adds it to [prefixes]", self.name);
            return Err((Reason::NotDeclared, text));
        }
        // A part of what another holds, or the whole of it, would be two brains' at once.
        let mut others = self.held.iter().filter(|(held, _)| held.covers(&prefix) || prefix.covers(held));
        if let Some((held, _)) = others.find(|(_, held)| held.owner != owner) {
            return Err((Reason::Held, format!("{held} is held for another brain")));
        }
        let is_new = !self.held.contains_key(&prefix);
        if is_new && self.held.len() >= self.declared.held {
            let text =
                format!("`{}` holds {} prefixes already, as many as it may", self.name, self.held.len());
            return Err((Reason::Full, text));
        }
        let free = self.free(Some(&prefix));
        if is_new && !free.fits(expects) {
            let (name, bps) = (&self.name, free.bps);
            let text = if self.declared.capacity.pps == u64::MAX {
                format!("`{name}` has {bps} bit/s left; {} bit/s are expected for {prefix}", expects.bps)
            } else {
                format!(
                    "`{name}` has {bps} bit/s and {} packets/s left; {} bit/s and {} packets/s are expected for {prefix}",
                    free.pps, expects.bps, expects.pps
                )
            };
            return Err((Reason::Full, text));
        }
        let rules = self.read(prefix, texts)?;
        let lease = lease.min(LEASE_MAX);
        let held = Held {
            owner: owner.to_owned(),
            rules,
            digest: digest(&prefix, texts),
            expects,
            until: now.plus(Span::from_secs(lease)),
            traffic: self.held.get(&prefix).and_then(|held| held.traffic),
        };
        Ok((self.held.insert(prefix, held), lease))
    }

    /// Rules from their texts.
    fn read(&self, prefix: Prefix, texts: &[String]) -> Result<Vec<Rule>, (Reason, String)> {
        let room = self.declared.rules.saturating_sub(self.slots(Some(&prefix))).min(RULES_MAX);
        if texts.len() > room {
            let text = format!("`{}` has room for {room} rules, not for {}", self.name, texts.len());
            return Err((Reason::Full, text));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for text in texts {
            let parsed = rules::parse::rules(text).ok().filter(|all| all.len() == 1);
            let Some(rule) = parsed.and_then(|mut all| all.pop()) else {
                return Err((Reason::Rule, format!("not a rule: {}", text.get(..200).unwrap_or(text))));
            };
            let id = &rule.id;
            if id.starts_with(RESERVED) {
                let text = format!("rule {id}: ids that begin with `{RESERVED}` are the absorber's own");
                return Err((Reason::Rule, text));
            }
            if !rule.matches.dst.is_some_and(|dst| prefix.covers(&dst)) {
                return Err((Reason::Rule, format!("rule {id}: its destination is not inside {prefix}")));
            }
            if matches!(rule.action, Action::Challenge(_)) {
                // Sequence numbers of a connection that was opened for the server have to be translated both ways.
                let text = format!(
                    "rule {id}: what the server answers does not pass here, and a connection whose SYN an absorber \
                     answered would need it to; limit or drop, and challenge at the server or its gateway \
                     (`dataplane.challenge`)"
                );
                return Err((Reason::Rule, text));
            }
            if !matches!(
                rule.action,
                Action::Pass | Action::Drop | Action::RatePackets(_) | Action::RateBits(_)
            ) {
                let text = format!(
                    "rule {id}: an absorber passes, drops and limits; `{}` is for others",
                    rule.action.as_str()
                );
                return Err((Reason::Rule, text));
            }
            let elsewhere = self.held.iter().filter(|(held, _)| **held != prefix);
            let mut known = elsewhere.flat_map(|(_, held)| &held.rules).chain(&rules);
            if known.any(|other| other.id == *id) {
                return Err((Reason::Rule, format!("rule {id}: another rule has this id")));
            }
            rules.push(rule);
        }
        Ok(rules)
    }
}
