//! What an absorber does with packets: the seam between what it holds and the kernel. How what is clean goes back is
//! [`super::way`]'s.

use std::collections::BTreeMap;

use ::rules::{Action, Match, Per, Rule};
use base::{Prefix, Span};
use dataplane::attachment::{self, Attachment};
use dataplane::decap::Decap;
use dataplane::returning::{self, Returning};
use steer::absorb::word::{Back, Kind, Load, RESERVED};

use super::way::{self, Gone, Way};
use crate::enforce::xdp::{Frame, Xdp};
use crate::enforce::{Enforcer as _, Wanted};

/// Behind all rules that are pushed.
const LAST: u32 = u32::MAX;

/// A prefix that is held, and how long from now.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Which.
    pub(crate) prefix: Prefix,
    /// How long.
    pub(crate) lease: Span,
    /// The way back.
    pub(crate) way: Way,
}

/// What came to a prefix since it is held, and what was dropped of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Octets and packets.
    pub(crate) received: (u64, u64),
    /// Likewise; octets are in proportion to packets.
    pub(crate) dropped: (u64, u64),
    /// What the tunnel to its owner took; `None`: it has none, or none whose counters are its own.
    pub(crate) gone: Option<Gone>,
}

impl Sum {
    /// Both together.
    pub(super) const fn plus(self, other: Self) -> Self {
        const fn both(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
            (a.0.saturating_add(b.0), a.1.saturating_add(b.1))
        }
        Self {
            received: both(self.received, other.received),
            dropped: both(self.dropped, other.dropped),
            // Those go on from set to set by themselves.
            gone: self.gone,
        }
    }
}

/// Of rules by id, packets decided and dropped; and what each prefix got.
pub(crate) type Counts = (BTreeMap<String, (u64, u64)>, BTreeMap<Prefix, Sum>);

/// Puts in force what is held.
pub(crate) trait Filter: Send {
    /// Exactly this shall be in force; said again, leases are renewed.
    fn apply(&mut self, held: &[Kept], rules: &[Rule]) -> anyhow::Result<()>;

    /// Whether rules can be in force at all.
    fn takes_rules(&self) -> bool;

    /// What rules did, and what these prefixes got.
    fn counts(&mut self, held: &[Prefix]) -> anyhow::Result<Counts>;

    /// Whoever decides lives.
    fn beat(&mut self) -> anyhow::Result<()>;
}

/// No interface is filtered on: prefixes are held, and no rules.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Filter for Nothing {
    fn apply(&mut self, _held: &[Kept], _rules: &[Rule]) -> anyhow::Result<()> {
        Ok(())
    }

    fn takes_rules(&self) -> bool {
        false
    }

    fn counts(&mut self, held: &[Prefix]) -> anyhow::Result<Counts> {
        Ok((BTreeMap::new(), held.iter().map(|prefix| (*prefix, Sum::default())).collect()))
    }

    fn beat(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The kernel programs on an interface.
#[derive(Debug)]
pub(crate) struct Kernel {
    kind: Kind,
    xdp: Xdp,
    /// The ways back that are tunnels, by declared prefixes.
    returning: Option<Returning>,
    /// Destinations of the rules in force, by id.
    places: BTreeMap<String, Prefix>,
}

impl Kernel {
    /// On this interface, with the ways back of what is declared, and whose tunnels end here; `tells`: some of what comes is told of.
    /// Nothing is done yet.
    pub(crate) fn new(interface: &str, kind: Kind, ways: &[Way], decap: Option<Decap>, tells: bool) -> Self {
        let returning = way::tunnels(kind, ways);
        // Rules end with their leases, and not before: what is diverted goes on to come for a while when this ends.
        let frame = Frame {
            never: Vec::new(),
            by_hand: Vec::new(),
            challenge: None,
            telemetry: tells,
            patience: None,
            returning: returning.clone(),
            decap,
        };
        Self { kind, xdp: Xdp::new(&[interface.to_owned()], frame), returning, places: BTreeMap::new() }
    }

    /// The kernel looks for the neighbours on the ways back: its programs use them and do not ask for them.
    fn wake(&self) {
        self.returning.iter().for_each(returning::wake);
    }

    /// Attaches where nothing is, for that takes a while: a brain that asks waits for seconds only. What is there from before
    /// holds until its leases end, or until a brain says what shall be instead.
    pub(crate) fn prepare(&mut self, interface: &str) -> anyhow::Result<()> {
        attachment::mount()?;
        match Attachment::open(interface)? {
            None => self.apply(&[], &[]),
            Some(_) => self.xdp.take_over(),
        }
    }
}

impl Filter for Kernel {
    fn apply(&mut self, held: &[Kept], rules: &[Rule]) -> anyhow::Result<()> {
        let last = held.iter().map(|kept| last(self.kind, kept));
        let rules: Vec<Rule> = rules.iter().cloned().chain(last).collect();
        let place = |rule: &Rule| Some((rule.id.clone(), rule.matches.dst?));
        self.places = rules.iter().filter_map(place).collect();
        self.wake();
        self.xdp.return_by(self.returning.as_ref().map(|declared| way::narrowed(declared, held)));
        self.xdp.apply(&Wanted { rules, ..Wanted::default() })
    }

    fn takes_rules(&self) -> bool {
        true
    }

    fn counts(&mut self, held: &[Prefix]) -> anyhow::Result<Counts> {
        let mut sums: BTreeMap<Prefix, Sum> = held.iter().map(|prefix| (*prefix, Sum::default())).collect();
        let mut done = BTreeMap::new();
        self.wake();
        for count in self.xdp.counts()? {
            done.insert(count.id.clone(), (count.packets, count.dropped));
            let Some(dst) = self.places.get(&count.id) else { continue };
            // The longest prefix that is held and has it.
            let of = sums
                .iter_mut()
                .filter(|(prefix, _)| prefix.covers(dst))
                .max_by_key(|(prefix, _)| prefix.bits());
            if let Some((_, sum)) = of {
                let share = |part: u64| {
                    let octets =
                        u128::from(count.bytes) * u128::from(part) / u128::from(count.packets.max(1));
                    u64::try_from(octets).unwrap_or(u64::MAX)
                };
                sum.received = (sum.received.0 + count.bytes, sum.received.1 + count.packets);
                sum.dropped = (sum.dropped.0 + share(count.dropped), sum.dropped.1 + count.dropped);
            }
        }
        if self.returning.is_some() {
            for one in self.xdp.returned()? {
                if let Some(sum) = sums.get_mut(&one.prefix) {
                    sum.gone = Some(sum.gone.unwrap_or_default().plus(&one));
                }
            }
        }
        Ok((done, sums))
    }

    fn beat(&mut self) -> anyhow::Result<()> {
        self.xdp.beat()
    }
}

/// The rule that decides what no other does: it counts. What passes goes back by the way of its prefix.
fn last(kind: Kind, kept: &Kept) -> Rule {
    let action = match (kind, kept.way.back) {
        (Kind::Null, _) | (_, Back::None) => Action::Drop,
        (Kind::Scrub, Back::Routed | Back::Gre | Back::Ipip) => Action::Pass,
    };
    Rule {
        id: format!("{RESERVED}{}", kept.prefix.to_string().replace(['.', ':', '/'], "-")),
        precedence: LAST,
        matches: Match { dst: Some(kept.prefix), ..Match::default() },
        action,
        per: Per::Rule,
        sample: None,
        lease: Some(kept.lease),
    }
}

/// What came per second between two sums; a sum that began anew counts from there.
pub(super) fn rate(before: (u64, u64), after: (u64, u64), millis: u64) -> Load {
    let per = |before: u64, after: u64, scale: u64| {
        let more = if after < before { after } else { after - before };
        let more = u128::from(more) * u128::from(scale) * 1000;
        u64::try_from(more / u128::from(millis.max(1))).unwrap_or(u64::MAX)
    };
    Load { bps: per(before.0, after.0, 8), pps: per(before.1, after.1, 1) }
}
