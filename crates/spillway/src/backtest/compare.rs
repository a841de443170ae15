//! Which incident of one configuration is which of the other, and what they differ in.

use std::collections::BTreeSet;

use base::{Prefix, Timestamp};
use engine::report::{Direction, RuleReport};
use serde::Serialize;

use super::Incident;
use crate::card::percent;

/// What becomes of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only the new configuration finds it.
    Appears,
    /// Only the old configuration finds it.
    Vanishes,
    /// Both find it, and say different things of it.
    Differs,
    /// Of an incident of the old configuration, a part that is an incident of its own under the new.
    Split,
    /// An incident of the old configuration that is a part of another under the new.
    Merged,
    /// Both find it and say the same.
    Same,
}

impl Change {
    /// As the JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Appears => "appears",
            Self::Vanishes => "vanishes",
            Self::Differs => "differs",
            Self::Split => "split",
            Self::Merged => "merged",
            Self::Same => "same",
        }
    }
}

/// One incident under both configurations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What becomes of it.
    pub change: Change,
    /// Its target, under the new configuration where that finds it.
    pub target: Prefix,
    /// Towards us or from us.
    pub direction: Direction,
    /// Under the old configuration.
    pub old: Option<Incident>,
    /// Under the new configuration.
    pub new: Option<Incident>,
    /// What both say differently of it, in words.
    pub differences: Vec<Difference>,
}

/// One thing that both say differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `severity`, `target`, `vectors`, `detected`, `attack`, `peak`, `rules` or `collateral`.
    pub what: &'static str,
    /// By the old configuration.
    pub old: String,
    /// By the new configuration.
    pub new: String,
}

/// The incidents of both, in order of time. Partners have the same direction, go on at the same time and have the same
/// target; failing that, one's target lies inside the other's.
pub fn compare(old: &[Incident], new: &[Incident]) -> Vec<Row> {
    let mut pairs = Pairs { old: vec![None; old.len()], new: vec![None; new.len()] };
    pairs.find(old, new, |a, b| a.target == b.target);
    pairs.find(old, new, related);
    let mut rows = Vec::new();
    for (n, partner) in new.iter().zip(&pairs.new) {
        let whole = || old.iter().find(|o| o.meets(n) && related(o, n));
        rows.push(match partner.and_then(|at| old.get(at)) {
            Some(o) => Row::of_both(o, n),
            None => match whole() {
                Some(o) => Row::new(Change::Split, n, Some(o), Some(n)),
                None => Row::new(Change::Appears, n, None, Some(n)),
            },
        });
    }
    let alone = old.iter().zip(&pairs.old).filter(|(_, partner)| partner.is_none());
    for (o, _) in alone {
        let whole = new.iter().find(|n| n.meets(o) && related(n, o));
        let change = if whole.is_some() { Change::Merged } else { Change::Vanishes };
        rows.push(Row::new(change, o, Some(o), whole));
    }
    let order = |row: &Row| (row.since(), row.target, row.direction, row.change);
    rows.sort_by_key(order);
    rows
}

fn related(a: &Incident, b: &Incident) -> bool {
    a.target.covers(&b.target) || b.target.covers(&a.target)
}

/// Partners by index.
struct Pairs {
    old: Vec<Option<usize>>,
    new: Vec<Option<usize>>,
}

impl Pairs {
    /// Each that is still alone takes the first that is.
    fn find(&mut self, old: &[Incident], new: &[Incident], fits: impl Fn(&Incident, &Incident) -> bool) {
        for (j, (n, partner)) in new.iter().zip(&mut self.new).enumerate().filter(|(_, (_, p))| p.is_none()) {
            let mut free =
                old.iter().zip(&mut self.old).enumerate().filter(|(_, (_, taken))| taken.is_none());
            if let Some((i, (_, taken))) = free.find(|(_, (o, _))| o.meets(n) && fits(o, n)) {
                *taken = Some(j);
                *partner = Some(i);
            }
        }
    }
}

impl Row {
    /// Named after `named`: a part after itself, not after the whole.
    fn new(change: Change, named: &Incident, old: Option<&Incident>, new: Option<&Incident>) -> Self {
        let (target, direction, differences) = (named.target, named.direction, Vec::new());
        Self { change, target, direction, old: old.cloned(), new: new.cloned(), differences }
    }

    fn of_both(old: &Incident, new: &Incident) -> Self {
        let since = old.started_at.min(new.started_at);
        let said = said(old, since).into_iter().zip(said(new, since));
        let differences: Vec<Difference> = said
            .filter(|((_, old), (_, new))| old != new)
            .map(|((what, old), (_, new))| Difference { what, old, new })
            .collect();
        let change = if differences.is_empty() { Change::Same } else { Change::Differs };
        Self { differences, ..Self::new(change, new, Some(old), Some(new)) }
    }

    /// First packet by either.
    pub fn since(&self) -> Timestamp {
        let starts = [&self.old, &self.new].into_iter().flatten().map(|i| i.started_at);
        starts.min().unwrap_or(Timestamp::ZERO)
    }
}

/// Everything that is compared, in words; delays count from the first packet that either saw.
fn said(incident: &Incident, since: Timestamp) -> [(&'static str, String); 8] {
    let after = |at: Timestamp| format!("after {:.2} s", at.since(since).as_secs_f64());
    [
        ("severity", incident.certainty().to_owned()),
        ("target", incident.target.to_string()),
        ("vectors", incident.vectors.join(", ")),
        ("detected", after(incident.detected_at)),
        ("attack", incident.attack_at.map_or_else(|| "never".to_owned(), after)),
        ("peak", format!("{} pps, {} bps", incident.peak_pps, incident.peak_bps)),
        ("rules", texts(&incident.rules)),
        ("collateral", collateral(&incident.rules)),
    ]
}

/// The rules without their ids, precedences and leases: what they do.
fn texts(rules: &[RuleReport]) -> String {
    let bare = |rule: &RuleReport| match rule.text.parse::<rules::Rule>() {
        Ok(parsed) => format!("{} -> {}", parsed.matches, parsed.action),
        Err(_) => rule.text.clone(),
    };
    let texts: BTreeSet<String> = rules.iter().map(bare).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.into_iter().collect::<Vec<_>>().join("; ") }
}

/// The worst of the rules.
pub(super) fn collateral(rules: &[RuleReport]) -> String {
    if rules.is_empty() {
        return "none".to_owned();
    }
    let Some(prices) = rules.iter().map(|rule| rule.collateral).collect::<Option<Vec<_>>>() else {
        return "unknown".to_owned();
    };
    let worst =
        |of: fn(&engine::report::Collateral) -> f64| percent(prices.iter().map(of).fold(0.0, f64::max));
    format!(
        "at most {} of honest packets, {} of octets, {} of peers",
        worst(|c| c.packets_upper95),
        worst(|c| c.bytes_upper95),
        worst(|c| c.peers_upper95),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::report::Severity;
    use std::slice;

    fn incident(target: &str, from: u64, to: u64) -> Incident {
        Incident {
            id: format!("{target} {from}"),
            target: target.parse().unwrap(),
            direction: Direction::In,
            severity: Severity::Attack,
            vectors: vec!["udp-flood".into()],
            started_at: Timestamp::from_secs(from),
            detected_at: Timestamp::from_secs(from + 1),
            attack_at: Some(Timestamp::from_secs(from + 1)),
            ended_at: (to > 0).then(|| Timestamp::from_secs(to)),
            peak_pps: 1000,
            peak_bps: 1_000_000,
            rules: Vec::new(),
        }
    }

    fn changes(old: &[Incident], new: &[Incident]) -> Vec<(Change, String)> {
        compare(old, new).into_iter().map(|row| (row.change, row.target.to_string())).collect()
    }

    #[test]
    fn partners_share_direction_time_and_target() {
        let a = incident("192.0.2.1/32", 10, 20);
        assert_eq!(
            changes(slice::from_ref(&a), slice::from_ref(&a)),
            [(Change::Same, "192.0.2.1/32".into())]
        );
        let later = incident("192.0.2.1/32", 21, 0);
        let out = Incident { direction: Direction::Out, ..a.clone() };
        let other = incident("192.0.2.2/32", 10, 20);
        for new in [later, out, other] {
            let found = changes(slice::from_ref(&a), &[new]);
            let mut kinds: Vec<Change> = found.into_iter().map(|(change, _)| change).collect();
            kinds.sort_unstable();
            assert_eq!(kinds, [Change::Appears, Change::Vanishes]);
        }
    }

    #[test]
    fn a_prefix_takes_its_hosts_and_gives_them_back() {
        let net = incident("192.0.2.0/24", 10, 30);
        let hosts = [incident("192.0.2.1/32", 11, 20), incident("192.0.2.9/32", 12, 20)];
        let expected = |of_other| [(Change::Differs, of_other), (Change::Merged, "192.0.2.9/32".to_owned())];
        assert_eq!(changes(&hosts, slice::from_ref(&net)), expected("192.0.2.0/24".to_owned()));
        let split = changes(&[net], &hosts);
        assert_eq!(
            split,
            [(Change::Differs, "192.0.2.1/32".to_owned()), (Change::Split, "192.0.2.9/32".to_owned())]
        );
    }

    #[test]
    fn what_both_say_differently_is_named() {
        let old =
            Incident { severity: Severity::Suspicious, attack_at: None, ..incident("192.0.2.1/32", 10, 20) };
        let new = Incident { detected_at: Timestamp::from_millis(10_250), ..incident("192.0.2.1/32", 9, 20) };
        let rows = compare(&[old], &[new]);
        let told: Vec<_> =
            rows[0].differences.iter().map(|d| (d.what, d.old.as_str(), d.new.as_str())).collect();
        assert_eq!(
            told,
            [
                ("severity", "suspicious", "attack"),
                ("detected", "after 2.00 s", "after 1.25 s"),
                ("attack", "never", "after 1.00 s"),
            ]
        );
    }
}
