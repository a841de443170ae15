//! Exporters whose numbers are no ground to act on.

use engine::report::{Attack, Severity};
use engine::{Profile, Settings};
use telemetry::record::Sampling;

use crate::world::{Way, last, measured, outputs, records, told_by};

/// The one attack of a SYN flood that four routers tell of, of which some are liars.
fn attack(liars: u32) -> Attack {
    let told = told_by(&measured("syn-200k", 1), Way { liars, ..Way::default() }, |_, _| true);
    let mut attacks = last(told.into_iter().map(|(_, attack)| attack).collect());
    attacks.retain(|attack| attack.severity == Severity::Attack);
    assert_eq!(attacks.len(), 1);
    attacks.remove(0)
}

#[test]
fn what_liars_tell_is_told_on_and_nothing_acts_on_it() {
    let attack = attack(4);
    assert!(attack.doubtful);
    assert_eq!(attack.rules, []);
    let line = attack.explain.iter().find(|line| line.starts_with("nothing acts on it: 100 %")).unwrap();
    assert!(line.contains("the interfaces of 192.0.2.1 count or pass 0.10 times what it tells"), "{line}");
}

#[test]
fn one_liar_among_four_disarms_nobody() {
    let attack = attack(1);
    assert!(!attack.doubtful && !attack.rules.is_empty());
    assert!(!attack.explain.iter().any(|line| line.contains("nothing acts on it")), "{:?}", attack.explain);
}

#[test]
fn volume_of_unknown_scale_never_triggers() {
    for name in ["syn-200k", "outgoing-syn"] {
        let scenario = measured(name, 1);
        let mut records = records(&scenario);
        records.iter_mut().for_each(|record| record.sampling = Sampling::UNKNOWN);
        let settings = Settings { networks: scenario.config.networks, ..Settings::of(Profile::Daemon) };
        assert_eq!(outputs(&records, settings, 1, 1), [], "{name}");
    }
}
