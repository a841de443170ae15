//! Challenges that nobody asked for by hand: SYNs to a host under a SYN flood are answered by cookies. A rule that drops hits
//! whom it describes; a challenge lets through whoever is there to answer it, so it may act where no price is known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::rules::{Action, Flags, Match, Per, Rule};
use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, Direction, RuleReport, Severity};
use sha2::{Digest as _, Sha256};

/// The vector whose SYNs are challenged.
const VECTOR: &str = "tcp-syn-flood";
/// Behind every rule that was derived: what those drop is not asked.
const PRECEDENCE: u32 = 50_000;
/// Rules for one attack at most; one with more targets gets one rule for the prefix that covers them, and no more of this
/// machine's addresses are challenged.
const TARGETS_MAX: usize = 32;
const TCP: u8 = 6;
/// SYN and none of ACK, RST, FIN.
const SYN: Flags = Flags { value: 0x02, mask: 0x17 };

/// Whether the SYNs of an attack are to be challenged: not where it is only suspected, told in doubt, or not of SYNs to us.
pub(crate) fn wants(attack: &Attack) -> bool {
    let certain = attack.severity == Severity::Attack && !attack.doubtful;
    certain && attack.direction == Direction::In && attack.vectors.iter().any(|vector| vector.name == VECTOR)
}

/// What challenges them: to all targets, or to these addresses among them.
pub(crate) fn rules(attack: &Attack, own: Option<&[IpAddr]>, lease: Span, now: Timestamp) -> Vec<RuleReport> {
    let usual: BTreeMap<Prefix, u32> =
        attack.usual_syns.iter().map(|usual| (usual.target, usual.pps)).collect();
    let targets: Vec<Prefix> = match own {
        Some(own) => {
            let own: BTreeSet<Prefix> = own.iter().map(|address| Prefix::host(*address)).collect();
            own.into_iter().filter(|host| attack.targets.iter().any(|target| target.covers(host))).collect()
        }
        None if attack.targets.len() <= TARGETS_MAX => attack.targets.clone(),
        None => vec![attack.target],
    };
    let report = |target: &Prefix| {
        let above = usual.get(target).copied().unwrap_or(0);
        let rule = rule(*target, above.min(::rules::rule::limits::UNCHALLENGED), lease);
        RuleReport {
            id: rule.id.clone(),
            text: rule.to_string(),
            action: rule.action.as_str().to_owned(),
            collateral: None,
            expires_at: now.plus(lease),
        }
    };
    targets.iter().take(TARGETS_MAX).map(report).collect()
}

/// Whether what a rule of an attack drops is challenged by the rules for these targets.
pub(crate) fn covers(challenged: &[Prefix], attack: &Attack, rule: &Rule) -> bool {
    let syns = rule.matches.tcp_flags.as_ref().is_some_and(|flags| flags.iter().all(|flags| *flags == SYN));
    let only = attack.vectors.iter().all(|vector| vector.name == VECTOR);
    let there = |dst: Prefix| challenged.iter().any(|target| target.covers(&dst));
    (syns || only) && !matches!(rule.action, Action::Challenge(_)) && rule.matches.dst.is_some_and(there)
}

/// Its name depends on the target alone: whoever is attacked again is challenged by the same rule.
fn rule(target: Prefix, above: u32, lease: Span) -> Rule {
    let digest = Sha256::digest(format!("challenge {target}"));
    Rule {
        id: digest.iter().take(4).fold("c".to_owned(), |id, octet| format!("{id}{octet:02x}")),
        precedence: PRECEDENCE,
        matches: Match {
            dst: Some(target),
            protocol: Some(TCP),
            tcp_flags: Some(vec![SYN]),
            ..Match::default()
        },
        action: Action::Challenge(above),
        per: Per::Rule,
        sample: None,
        lease: Some(lease),
    }
}
