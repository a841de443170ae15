//! An attack as channels are told of it.

use engine::Mode;
use engine::report::{Attack, Nature, Severity, State};
use notify::{Brief, Rule, Sources, Vector};

/// The attack in brief; who its customers are is filled in later.
pub(super) fn brief(attack: &Attack, mode: Mode) -> Brief {
    let vectors = attack.vectors.iter().map(|vector| Vector {
        name: vector.name.clone(),
        share: vector.share,
        src_port: vector.src_port,
        dst_port: vector.dst_port,
    });
    let rules = attack.rules.iter().map(|rule| Rule {
        id: rule.id.clone(),
        action: rule.action.clone(),
        text: rule.text.clone(),
    });
    let brief = Brief {
        id: attack.id.clone(),
        over: attack.state == State::Over,
        severity: match attack.severity {
            Severity::Attack => notify::Severity::Attack,
            Severity::Suspicious => notify::Severity::Suspicious,
        },
        target: attack.target,
        targets: attack.targets.clone(),
        targets_count: attack.targets.len() as u64,
        direction: attack.direction.name().to_owned(),
        class: attack.vectors.first().map_or_else(|| "unknown".to_owned(), |vector| vector.name.clone()),
        vectors: vectors.collect(),
        customers: Vec::new(),
        started_at: attack.started_at,
        detected_at: attack.detected_at,
        ended_at: attack.ended_at,
        peak_pps: attack.peak_pps,
        peak_bps: attack.peak_bps,
        packets: attack.packets,
        bytes: attack.bytes,
        sources: Sources {
            count: attack.sources.count,
            nature: nature(attack.sources.nature).to_owned(),
            confidence: attack.sources.confidence,
        },
        rules: rules.collect(),
        mode: match mode {
            Mode::Observe => "observe",
            Mode::Suggest => "suggest",
            Mode::Enforce => "enforce",
        }
        .to_owned(),
        doubtful: attack.doubtful,
        explain: attack.explain.clone(),
    };
    brief.capped()
}

const fn nature(nature: Nature) -> &'static str {
    match nature {
        Nature::Spoofed => "spoofed",
        Nature::Reflectors => "reflectors",
        Nature::Real => "real",
        Nature::Mixed => "mixed",
        Nature::Unknown => "unknown",
    }
}
