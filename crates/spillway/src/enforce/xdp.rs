//! The kernel programs of interfaces as an enforcer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::rules::{Action, Rule, RuleSet};
use anyhow::{Context as _, bail};
use base::{Prefix, Span};
use dataplane::attachment::{self, Attachment, Mode};
use dataplane::decap::Decap;
use dataplane::returning::{Returned, Returning};
use dataplane::{Challenge, Installed, Policy, Proof, Protection};
use sha2::{Digest as _, Sha256};

use super::{Counted, Done, Enforcer, Wanted, passes};
use crate::config::Config;

/// Interfaces whose counters are told: those of more would not fit into a word of the helper.
const COUNTED_MAX: usize = 16;

/// What stays the same whatever is attacked.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Sources that always pass, wherever there are rules.
    pub(crate) never: Vec<Prefix>,
    /// Rules made by hand.
    pub(crate) by_hand: Vec<Rule>,
    /// How rules that challenge do it.
    pub(crate) challenge: Option<Challenge>,
    /// Packets are told as telemetry.
    pub(crate) telemetry: bool,
    /// See `dataplane.dead_man`.
    pub(crate) patience: Option<Span>,
    /// Who gets back what passes.
    pub(crate) returning: Option<Returning>,
    /// Whose tunnels end here.
    pub(crate) decap: Option<Decap>,
}

impl Frame {
    /// As the operator set it.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            never: config.rules.never.clone(),
            by_hand: config.dataplane.by_hand.clone(),
            challenge: config.dataplane.challenge,
            telemetry: config.dataplane.telemetry,
            patience: config.dataplane.dead_man,
            returning: None,
            decap: None,
        }
    }

    /// What shall be on an interface.
    fn policy(&self, wanted: &Wanted) -> Policy {
        let mut digest = Sha256::new();
        let mut automatic: BTreeSet<String> = wanted.rules.iter().map(|rule| rule.id.clone()).collect();
        let mut rules = wanted.rules.clone();
        rules.extend(self.by_hand.iter().filter(|rule| !automatic.contains(&rule.id)).cloned());
        automatic.retain(|id| !wanted.by_hand.contains(id));
        if !rules.is_empty() {
            rules.extend(passes(&self.never));
        }
        let rules = RuleSet::new(rules);
        for rule in rules.rules() {
            // The lease is no part of what a set is.
            digest.update(format!("{}\n", Rule { lease: None, ..rule.clone() }));
        }
        let dry: BTreeSet<String> = wanted.dry.intersection(&automatic).cloned().collect();
        digest.update(format!("{}{dry:?}{:?}{:?}", self.telemetry, self.challenge, wanted.allow));
        if let Some(returning) = &self.returning {
            digest.update(format!("{returning:?}"));
        }
        if let Some(decap) = &self.decap {
            digest.update(format!("{decap:?}"));
        }
        // What was made by hand challenges as `spillway dataplane attach` does.
        let challenge = self.challenge.unwrap_or_default();
        Policy {
            protection: Protection { challenge, ..Protection::default() },
            rehearsed: dry,
            allow_within: wanted.allow.clone(),
            automatic,
            rules,
            telemetry: self.telemetry,
            digest: digest.finalize().into(),
            returning: self.returning.clone(),
            decap: self.decap.clone(),
            ..Policy::default()
        }
    }
}

const fn is_challenge(rule: &Rule) -> bool {
    matches!(rule.action, Action::Challenge(_))
}

impl Frame {
    /// Without what challenges among the rules made by hand.
    fn without_challenges(&self) -> Self {
        let mut frame = self.clone();
        frame.by_hand.retain(|rule| !is_challenge(rule));
        frame
    }
}

/// What shall be in force where no SYN can be challenged.
fn without_challenges(wanted: &Wanted) -> Wanted {
    let mut wanted = wanted.clone();
    wanted.rules.retain(|rule| !is_challenge(rule));
    wanted.rules.append(&mut wanted.instead);
    wanted
}

/// The programs on some interfaces.
#[derive(Debug)]
pub(crate) struct Xdp {
    frame: Frame,
    places: Vec<Place>,
    /// Whether it was said what challenges lack.
    warned: bool,
}

/// One interface.
#[derive(Debug)]
struct Place {
    name: String,
    attachment: Option<Attachment>,
}

impl Xdp {
    /// On these interfaces; nothing is done yet.
    pub(crate) fn new(interfaces: &[String], frame: Frame) -> Self {
        let place = |name: &String| Place { name: name.clone(), attachment: None };
        Self { frame, places: interfaces.iter().map(place).collect(), warned: false }
    }

    /// Takes over programs that are pinned and as this build has them, with whatever they do: that takes a while, which is
    /// better spent before anybody waits.
    pub(crate) fn take_over(&mut self) -> anyhow::Result<()> {
        for place in self.places.iter_mut().filter(|place| place.attachment.is_none()) {
            let Some(there) = Attachment::open(&place.name)? else { continue };
            if there.interface()? != 0 && there.is_current()? {
                place.attachment = Some(there);
            }
        }
        Ok(())
    }

    /// What rules have done, on all interfaces.
    pub(crate) fn counts(&self) -> anyhow::Result<Vec<dataplane::Counts>> {
        let mut all = Vec::new();
        for attachment in self.places.iter().filter_map(|place| place.attachment.as_ref()) {
            all.extend(attachment.plane().counts()?);
        }
        Ok(all)
    }

    /// The ways back shall be these from the next set on.
    pub(crate) fn return_by(&mut self, returning: Option<Returning>) {
        self.frame.returning = returning;
    }

    /// What went back by them, and what did not, on all interfaces.
    pub(crate) fn returned(&self) -> anyhow::Result<Vec<Returned>> {
        let mut all = Vec::new();
        for attachment in self.places.iter().filter_map(|place| place.attachment.as_ref()) {
            all.extend(attachment.plane().returned()?);
        }
        Ok(all)
    }

    /// What a challenge would lack is said in peace, not first when it is needed.
    fn warn_of_challenges(&mut self) {
        let any = ::rules::parse::rules("any proto tcp -> challenge").unwrap_or_default();
        let policy = self.frame.policy(&Wanted { rules: any, ..Wanted::default() });
        for place in &self.places {
            if let Err(reason) = attachment::check_challenges(&place.name, &policy) {
                let reason = reason.to_string();
                tracing::warn!(
                    interface = place.name,
                    reason,
                    "SYN floods will not be challenged, unless that changes; or set `dataplane.challenge` to \"off\""
                );
            }
        }
    }
}

impl Enforcer for Xdp {
    fn name(&self) -> &'static str {
        "xdp"
    }

    fn apply(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
        if self.frame.challenge.is_some() && wanted.earnest && !std::mem::replace(&mut self.warned, true) {
            self.warn_of_challenges();
        }
        let (frame, policy) = (&self.frame, self.frame.policy(wanted));
        let challenges = policy.rules.rules().iter().any(is_challenge);
        // Only made where it is needed.
        let mut others: Option<(Wanted, Policy)> = None;
        let mut trouble = Vec::new();
        for place in &mut self.places {
            let Err(error) = place.apply(&policy, wanted, frame.patience) else { continue };
            trouble.push(format!("{}: {error:#}", place.name));
            if challenges {
                // What drops is not lost because SYNs cannot be challenged.
                let (wanted, policy) = others.get_or_insert_with(|| {
                    let frame = frame.without_challenges();
                    let wanted = without_challenges(wanted);
                    let policy = frame.policy(&wanted);
                    (wanted, policy)
                });
                if let Err(error) = place.apply(policy, wanted, frame.patience) {
                    trouble.push(format!("{}: {error:#}", place.name));
                }
            }
        }
        if trouble.is_empty() { Ok(()) } else { bail!("{}", trouble.join("; ")) }
    }

    fn actual(&mut self) -> anyhow::Result<BTreeMap<String, Done>> {
        // A rule is in force where it is so on every interface.
        let mut common: Option<BTreeMap<String, Done>> = None;
        for place in &self.places {
            let counts = match &place.attachment {
                Some(attachment) => attachment.plane().counts()?,
                None => Vec::new(),
            };
            let here: BTreeMap<String, Done> = counts
                .into_iter()
                .map(|c| (c.id, Done { packets: c.packets, dropped: c.dropped, bytes: c.bytes }))
                .collect();
            common = Some(match common {
                None => here,
                Some(mut all) => {
                    all.retain(|id, _| here.contains_key(id));
                    for (id, done) in &mut all {
                        let more = here.get(id).copied().unwrap_or_default();
                        done.packets += more.packets;
                        done.dropped += more.dropped;
                        done.bytes += more.bytes;
                    }
                    all
                }
            });
        }
        Ok(common.unwrap_or_default())
    }

    fn beat(&mut self) -> anyhow::Result<()> {
        for place in &mut self.places {
            let Some(attachment) = &place.attachment else { continue };
            attachment.plane().beat(self.frame.patience).with_context(|| place.name.clone())?;
            if attachment.interface()? == 0 {
                // The next apply attaches anew where the interface is back.
                place.attachment = None;
                bail!("{}: the interface is gone; its filters wait until it is back", place.name);
            }
        }
        Ok(())
    }

    fn told(&mut self) -> (u64, u64) {
        let told = |place: &Place| place.attachment.as_ref().and_then(|a| a.plane().told().ok());
        self.places.iter().filter_map(told).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn counted(&mut self) -> Counted {
        let mut counted = Counted::default();
        for place in self.places.iter().take(COUNTED_MAX) {
            let Some(plane) = place.attachment.as_ref().map(Attachment::plane) else { continue };
            // What cannot be read now is there again at the next look.
            let (left, tables) = (plane.leaves().unwrap_or_default(), plane.fill().unwrap_or_default());
            let name = || place.name.clone();
            counted.left.extend(left.into_iter().map(|one| (name(), one.place.to_owned(), one.packets)));
            counted
                .tables
                .extend(tables.into_iter().map(|(what, has, most)| (name(), what.to_owned(), has, most)));
        }
        counted
    }

    fn proven(&mut self) -> anyhow::Result<Vec<IpAddr>> {
        let mut all = BTreeSet::new();
        for attachment in self.places.iter().filter_map(|place| place.attachment.as_ref()) {
            let proven = attachment.plane().proven()?.into_iter();
            all.extend(
                proven.filter(|one| matches!(one.how, Proof::Cookie | Proof::Reset)).map(|one| one.source),
            );
        }
        Ok(all.into_iter().collect())
    }
}

impl Place {
    fn apply(&mut self, policy: &Policy, wanted: &Wanted, patience: Option<Span>) -> anyhow::Result<()> {
        let Some(attachment) = &self.attachment else { return self.begin(policy, wanted, patience) };
        // The sign of life before the rules: they shall not begin as orphans.
        attachment.plane().beat(patience)?;
        put(attachment, &self.name, policy, wanted).map(|_| ())
    }

    /// Takes over what is pinned, or attaches.
    fn begin(&mut self, policy: &Policy, wanted: &Wanted, patience: Option<Span>) -> anyhow::Result<()> {
        attachment::mount()?;
        if let Some(there) = Attachment::open(&self.name)? {
            if there.interface()? == 0 {
                // The interface went, and its programs with it: what is left holds nothing.
                attachment::detach(&self.name)?;
            } else if there.is_current()? {
                there.plane().beat(patience)?;
                let rules = there.plane().in_force()?.rules;
                if put(&there, &self.name, policy, wanted)?.is_some() && rules > 0 {
                    tracing::warn!(
                        interface = self.name,
                        rules,
                        "the rules that were in force are replaced; name your own in `dataplane.rules`"
                    );
                }
                tracing::info!(interface = self.name, "the programs that were there are taken over");
                self.attachment = Some(there);
                return Ok(());
            }
        }
        let attached = Attachment::attach(&self.name, policy, &[Mode::Native, Mode::Generic], false)?;
        let there = Attachment::open(&self.name)?.context("the pins are gone again")?;
        there.plane().beat(patience)?;
        let mode = attached.mode.map_or("as before", Mode::as_str);
        tracing::info!(interface = self.name, mode, upgraded = attached.upgraded, "attached");
        if let Some(reason) = attached.no_native {
            tracing::warn!(
                interface = self.name,
                reason,
                "the driver has no XDP: the slower common path is used"
            );
        }
        self.attachment = Some(there);
        Ok(())
    }
}

/// Puts a policy in force; where it is so already, its leases are renewed. What was installed, if something was.
fn put(
    attachment: &Attachment,
    interface: &str,
    policy: &Policy,
    wanted: &Wanted,
) -> anyhow::Result<Option<Installed>> {
    let plane = attachment.plane();
    if plane.in_force()?.digest == policy.digest {
        let leases: Vec<(&str, Span)> =
            wanted.rules.iter().filter_map(|rule| Some((rule.id.as_str(), rule.lease?))).collect();
        plane.renew(&leases)?;
        return Ok(None);
    }
    Ok(Some(attachment.change(interface, policy)?))
}
