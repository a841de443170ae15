//! Rules for an incident: the miner's answer with names, leases and prices.

use base::prefix::narrow;
use base::{Span, Timestamp};
use detect::class::Class;
use detect::sample::Sample;
use detect::signature::{self, Derived, Kin, Request, senders};
use rules::{Per, Rule};
use sha2::{Digest, Sha256};

use crate::incident::{Incident, VectorState};
use crate::report::{Collateral, Direction, RuleReport};
use crate::reservoir::Reservoir;
use crate::routers;
use crate::settings::Settings;
use crate::tick::Ring;

/// Precedence of an attack's first rule, and the step to the next: room for an operator's own between them.
const PRECEDENCE: (u32, u32) = (1000, 10);
/// An attack that was found late may have begun so long before it was seen to begin, or twice as long as that took.
const LEAD: Span = Span::from_secs(8);
/// Examples from before, of whatever class, that say what a target gets in peace.
const KNOWN_MIN: usize = 6;
/// Examples of honest traffic looked at.
const BENIGN_MAX: usize = 4096;

/// What the rules are derived from, besides the incident.
pub(crate) struct Evidence<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) reservoir: &'a Reservoir,
    pub(crate) ring: &'a Ring,
}

/// Derives the incident's rules anew.
pub(crate) fn derive(incident: &mut Incident, evidence: &Evidence<'_>, now: Timestamp) {
    let settings = evidence.settings;
    let mut attack: Vec<Sample> = incident.samples.iter().map(|(_, sample)| *sample).collect();
    // Beside a flood, whose packets are told by what they are, nothing is asked of those that are told by who sent them.
    let exact = settings.profile.is_exact();
    let behaves = |vector: &VectorState| vector.by_culprit || exact && vector.name == "tcp-connection-flood";
    let incoming = incident.key.direction == Direction::In;
    let by_senders = incoming && !incident.vectors.is_empty() && incident.vectors.iter().all(behaves);
    if incoming && !by_senders {
        attack.retain(|sample| incident.vector(sample.class).is_some_and(|vector| !behaves(vector)));
    }
    if attack.is_empty() && !by_senders {
        return;
    }
    let mut benign = benign(incident, evidence);
    benign.extend(incident.outcomes.hurt(&benign).collect::<Vec<_>>());
    let targets = incident.targets();
    let (kin, likeness) = if incoming { evidence.reservoir.kin(&incident.areas) } else { Default::default() };
    let request = Request {
        own: if incident.key.direction == Direction::Out { &settings.networks } else { &[] },
        kin: &kin,
        rate_floor: settings.profile.floor_pps(settings.floor),
        // Twenty searches beside one: live only each fourth time.
        stability: incident
            .stability
            .filter(|_| !settings.profile.is_exact() && !incident.derived.is_multiple_of(4)),
        attack_share: attack_share(incident),
        ..Request::new(&attack, &benign, &targets)
    };
    let derived = if by_senders {
        let senders = incident.sources.sorted().into_iter();
        let senders: Vec<_> =
            senders.map(|(source, state)| (narrow(*source), state.packets.into())).collect();
        senders::derive(&request, &senders)
    } else {
        signature::derive(&request)
    };
    let lease = (settings.lease, now);
    let rules = told(&derived, incident, &incident.rules, lease);
    // A capture's rules are for whoever reads them; those of senders ask for nothing else.
    let asks_more = if exact || by_senders { None } else { routers::beyond(&rules) };
    let (router_rules, covered_by_routers, line) = match asks_more {
        None => (Vec::new(), None, None),
        Some(asked) => {
            let found = signature::derive(&routers::request(&request, &derived));
            let told = || told(&found, incident, &incident.router_rules, lease);
            let (rules, covered) =
                if routers::shuts(&found) { (Vec::new(), 0.0) } else { (told(), found.covered) };
            let line = routers::explain(&asked, &rules, &found);
            (rules, Some(covered), Some(line))
        }
    };
    let same = alike(&rules, &incident.rules) && alike(&router_rules, &incident.router_rules);
    incident.rules_explain = vec![
        format!(
            "rules: {} derived from {} examples against {} honest ones; they drop {:.1} % of the examples; {:.0} % of bootstrap runs agree",
            rules.len(),
            attack.len(),
            benign.len(),
            derived.covered * 100.0,
            derived.stability * 100.0
        ),
        match &derived.collateral {
            Some(c) => {
                format!(
                    "collateral expected: {:.2} % of honest packets, {:.2} % of bytes, {:.2} % of peers (at most {:.2}, {:.2}, {:.2} % with 95 % confidence)",
                    c.packets.estimate * 100.0,
                    c.bytes.estimate * 100.0,
                    c.peers.estimate * 100.0,
                    c.packets.upper95 * 100.0,
                    c.bytes.upper95 * 100.0,
                    c.peers.upper95 * 100.0
                ) + &origin(benign.len(), &kin, &likeness)
            }
            None => "collateral unknown: no honest traffic to the target was seen; nothing acts by itself"
                .to_string(),
        },
    ];
    if derived.cut {
        incident.searches_cut += 1;
        incident.rules_explain.push(format!(
            "the search for rules ended when its work was used up ({} units, less than 10 ms), in {} of {} searches: these are the best found by then",
            signature::WORK_MAX,
            incident.searches_cut,
            incident.derived + 1
        ));
    }
    incident.rules_explain.extend(line);
    incident.stability = Some(derived.stability);
    incident.covered = Some(derived.covered);
    incident.covered_by_routers = covered_by_routers;
    incident.changed |= !same;
    incident.rules = rules;
    incident.router_rules = router_rules;
}

/// What was found, with names, leases and prices, less what is forbidden by now.
fn told(
    derived: &Derived,
    incident: &Incident,
    before: &[RuleReport],
    (lease, now): (Span, Timestamp),
) -> Vec<RuleReport> {
    let rules = (0u32..)
        .zip(&derived.rules)
        .map(|(place, found)| {
            let rule = Rule {
                id: String::new(),
                precedence: PRECEDENCE.0 + PRECEDENCE.1 * place,
                matches: found.matches.clone(),
                action: found.action,
                per: Per::Rule,
                sample: None,
                lease: Some(lease),
            };
            let told = report(rule, found.collateral.as_ref().map(flat), now.plus(lease));
            (told, &found.matches)
        })
        .filter(|(told, matches)| !incident.outcomes.forbid(&told.id, matches))
        .map(|(told, _)| told)
        .collect();
    if derived.collateral.is_some() { rules } else { beside_priced(rules, before, now.plus(lease)) }
}

fn alike(new: &[RuleReport], old: &[RuleReport]) -> bool {
    new.len() == old.len() && new.iter().zip(old).all(|(new, old)| new.text == old.text)
}

/// Rules without a price beside those from before that have one: the honest traffic that they were weighed against is
/// forgotten, as after a restart, and they are as good as they were.
fn beside_priced(fresh: Vec<RuleReport>, before: &[RuleReport], expires_at: Timestamp) -> Vec<RuleReport> {
    let priced = before.iter().filter(|rule| rule.collateral.is_some());
    let mut all: Vec<RuleReport> = priced.map(|rule| RuleReport { expires_at, ..rule.clone() }).collect();
    all.extend(
        fresh
            .into_iter()
            .filter(|rule| !before.iter().any(|old| old.id == rule.id && old.collateral.is_some())),
    );
    all
}

/// Where the price comes from.
fn origin(own: usize, kin: &[Kin], likeness: &str) -> String {
    let others: usize = kin.iter().map(|kin| kin.samples.len()).sum();
    if others == 0 {
        return format!("; from {own} honest packets to the target");
    }
    let likeness = if likeness.is_empty() { String::new() } else { format!(": {likeness}") };
    format!("; from {own} honest packets to the target and {others} to hosts that it may be like{likeness}")
}

/// Share of the attack's examples that is attack. Of SYNs those are honest that others of the target's packets explain: each
/// connection sends two more packets at least and ends once; twice as many ends as were seen are granted to those under way.
#[expect(clippy::cast_precision_loss, reason = "a share of counts")]
fn attack_share(incident: &Incident) -> f64 {
    match incident.vectors.as_slice() {
        [only] if only.class == Class::TCP_SYN && !only.by_culprit => {
            let (carried_on, ended) = incident.connections;
            let honest = (0.5 * carried_on as f64).min(2.0 * ended as f64);
            1.0 - (honest / only.packets.max(1) as f64).min(1.0)
        }
        _ => 1.0,
    }
}

/// Honest traffic to the targets: what was remembered, and what the last ticks hold, less what the attack claims.
fn benign(incident: &Incident, evidence: &Evidence<'_>) -> Vec<Sample> {
    let exact = evidence.settings.profile.is_exact();
    // Behind a sampler nobody tells a victim's honest packets from the attack's one by one: only what came before is known. When
    // it began is known no better than it was soon found: what is of its kind and came that long before may be its first packets,
    // and rules cut around these would spare the attack.
    let doubt = incident.started.minus(incident.detected.since(incident.started));
    let claimed = |sample: &Sample| {
        if exact {
            return sample.at >= incident.started && incident.claims(sample, exact);
        }
        sample.at >= incident.started || sample.at >= doubt && incident.vector(sample.class).is_some()
    };
    let remembered = evidence.reservoir.of(&incident.areas);
    let ring = incident
        .areas
        .iter()
        .flat_map(|area| evidence.ring.samples(Timestamp::ZERO, *area, |_| true))
        .filter(|(_, sample)| !claimed(sample));
    let kept = remembered.iter().map(|(hash, sample)| (*hash, sample)).filter(|(_, sample)| !claimed(sample));
    let mut found: Vec<(u64, &Sample)> = kept.chain(ring).collect();
    if !exact {
        let lead = lead(incident);
        for vector in &incident.vectors {
            if rose(&found, vector.class, lead, incident.started) {
                found.retain(|(_, sample)| sample.class != vector.class || sample.at < lead);
            }
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.at.cmp(&b.1.at)));
    found.truncate(BENIGN_MAX);
    found.into_iter().map(|(_, sample)| *sample).collect()
}

/// The instant before which nothing is of this attack: it may have begun before it was seen to begin.
pub(crate) fn lead(incident: &Incident) -> Timestamp {
    let late = incident.detected.since(incident.started).times(2);
    incident.started.minus(LEAD.max(late))
}

/// Whether so much more of a class came in the time before an attack of that class was seen to begin than ever before, that it
/// is the attack's first packets: one that is found late has left some among the honest ones, and a price that has them
/// in it would spare the attack to its end.
#[expect(clippy::cast_precision_loss, reason = "a few thousand examples, and seconds")]
pub(crate) fn rose(found: &[(u64, &Sample)], class: Class, lead: Timestamp, started: Timestamp) -> bool {
    let Some(first) = found.iter().map(|(_, sample)| sample.at).min().filter(|first| *first < lead) else {
        return false;
    };
    let (mut all, mut before, mut lately) = (0_usize, 0_usize, 0_usize);
    for (_, sample) in found {
        let is_old = sample.at < lead;
        all += usize::from(is_old);
        before += usize::from(is_old && sample.class == class);
        lately += usize::from(!is_old && sample.class == class);
    }
    if all < KNOWN_MIN {
        return false;
    }
    let per_second = before as f64 / lead.since(first).as_secs_f64();
    let expected = per_second * started.since(lead).as_secs_f64();
    if before == 0 { lately > 0 } else { lately as f64 > 4.0 * expected + 3.0 }
}

/// Names a rule after what it says.
fn report(mut rule: Rule, collateral: Option<Collateral>, expires_at: Timestamp) -> RuleReport {
    let digest = Sha256::digest(format!("{} {:?}", rule.matches, rule.action));
    rule.id = digest.iter().take(4).fold("r".to_string(), |id, byte| format!("{id}{byte:02x}"));
    RuleReport {
        id: rule.id.clone(),
        text: rule.to_string(),
        action: rule.action.as_str().to_string(),
        collateral,
        expires_at,
    }
}

fn flat(c: &rules::collateral::Collateral) -> Collateral {
    Collateral {
        packets: c.packets.estimate,
        bytes: c.bytes.estimate,
        peers: c.peers.estimate,
        packets_upper95: c.packets.upper95,
        bytes_upper95: c.bytes.upper95,
        peers_upper95: c.peers.upper95,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use detect::cell::Lasting;
    use telemetry::record::{Detail, Snip};
    use wire::Headers;

    /// A packet of a class at so many seconds.
    fn at(secs: u64, class: Class) -> Sample {
        Sample {
            at: Timestamp::from_secs(secs),
            last: Timestamp::from_secs(secs),
            headers: Headers::NOTHING,
            class,
            detail: Detail::Packet,
            several: false,
            snip: Snip::EMPTY,
            packets: 1,
            bytes: 100,
            entry: (0, None),
            outgoing: false,
            unsolicited: false,
            lasting: Lasting::default(),
            unscaled: false,
            doubtful: false,
        }
    }

    fn rises(all: &[Sample]) -> bool {
        let found: Vec<(u64, &Sample)> = all.iter().map(|sample| (0, sample)).collect();
        rose(&found, Class::TCP_SYN, Timestamp::from_secs(92), Timestamp::from_secs(100))
    }

    /// A packet of data each ten seconds, and these SYNs.
    fn with(syns: &[u64]) -> Vec<Sample> {
        let data = (0..100).step_by(10).map(|secs| at(secs, Class::TCP_DATA));
        data.chain(syns.iter().map(|secs| at(*secs, Class::TCP_SYN))).collect()
    }

    #[test]
    fn what_came_of_a_class_just_before_and_hardly_ever_earlier_is_the_attacks() {
        assert!(rises(&with(&[99])), "never before");
        assert!(!rises(&with(&[])));
        let often: Vec<u64> = (0..100).step_by(4).collect();
        assert!(!rises(&with(&often)), "as often as ever");
        let more: Vec<u64> = often.iter().copied().chain([93, 94, 95]).collect();
        assert!(!rises(&with(&more)), "a few more are no rise");
        let many: Vec<u64> = often.into_iter().chain((92..100).flat_map(|secs| [secs; 3])).collect();
        assert!(rises(&with(&many)));
    }

    #[test]
    fn of_whom_nothing_is_known_from_before_nothing_is_said() {
        assert!(!rises(&[at(98, Class::TCP_SYN), at(99, Class::TCP_SYN)]));
    }
}
