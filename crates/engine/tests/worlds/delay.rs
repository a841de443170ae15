//! What flow caches permit.

use base::Span;
use engine::report::Severity;

use crate::world::{Way, last, told_by};

#[test]
fn an_attack_told_by_flow_caches_says_how_early_it_could_be_seen() {
    let mut scenario = sim::scenario::measured("syn-200k", Span::from_secs(90), 1).unwrap();
    scenario.config.span = Span::from_secs(150);
    let told = told_by(&scenario, Way { format: "ipfix", ..Way::default() }, |_, _| true);
    let attacks = last(told.into_iter().map(|(_, attack)| attack).collect());
    let attack = attacks.iter().find(|attack| attack.severity == Severity::Attack).unwrap();
    let line = attack.explain.iter().find(|line| line.starts_with("told by a flow cache")).unwrap();
    // The routers' caches are left after 15 s of quiet, and after 60 s in any case.
    let (_, earliest) = line.split_once("earliest possible detection: ").unwrap();
    let secs: f64 = earliest.split_once(' ').unwrap().0.parse().unwrap();
    assert!((16.0..80.0).contains(&secs), "{line}");
}
