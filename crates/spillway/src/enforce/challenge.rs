//! Challenges that nobody asked for by hand: SYNs to a host under a SYN flood are answered by cookies. A rule that drops hits
//! whom it describes; a challenge lets through whoever is there to answer it, so it may act where no price is known.

use std::collections::BTreeMap;

use ::rules::{Action, Flags, Match, Per, Rule};
use base::{Prefix, Span, Timestamp};
use engine::report::{Attack, Direction, RuleReport, Severity};
use sha2::{Digest as _, Sha256};

/// The vector whose SYNs are challenged.
const VECTOR: &str = "tcp-syn-flood";
/// Behind every rule that was derived: what those drop is not asked.
const PRECEDENCE: u32 = 50_000;
/// Rules for one attack at most; one with more targets gets one rule for the prefix that covers them.
const TARGETS_MAX: usize = 32;
const TCP: u8 = 6;
/// SYN and none of ACK, RST, FIN.
const SYN: Flags = Flags { value: 0x02, mask: 0x17 };

/// What challenges the SYNs of an attack: none for one that is only suspected, told in doubt, or not of SYNs towards us.
pub(crate) fn rules(attack: &Attack, lease: Span, now: Timestamp) -> Vec<RuleReport> {
    let certain = attack.severity == Severity::Attack && !attack.doubtful;
    let of_syns = attack.vectors.iter().any(|vector| vector.name == VECTOR);
    if !certain || !of_syns || attack.direction != Direction::In {
        return Vec::new();
    }
    let usual: BTreeMap<Prefix, u32> =
        attack.usual_syns.iter().map(|usual| (usual.target, usual.pps)).collect();
    let few = attack.targets.len() <= TARGETS_MAX;
    let targets = if few { attack.targets.as_slice() } else { std::slice::from_ref(&attack.target) };
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
    targets.iter().map(report).collect()
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
