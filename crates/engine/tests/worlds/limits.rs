//! Fixed limits of host groups, beside what is learned.

use engine::settings::{Group, Limits};
use engine::{Profile, Settings};

use crate::world::{found_with, measured};

#[test]
fn a_fixed_limit_is_an_attack_where_the_operator_says_so() {
    let scenario = measured("crowd-60k", 1);
    let target = scenario.events[0].target;
    let limit = |pps| {
        let incoming = Limits { pps: Some(pps), ..Limits::default() };
        let group = Group { name: "shop".into(), networks: vec![target], incoming, ..Group::default() };
        Settings { groups: vec![group], ..Settings::of(Profile::Daemon) }
    };
    let told = found_with(&scenario, limit(20_000.0));
    assert_eq!(told.iter().map(|a| a.target).collect::<Vec<_>>(), [target]);
    let explained =
        told[0].explain.iter().any(|line| line.contains("above the limit of 20000") && line.contains("shop"));
    assert!(explained, "{:?}", told[0].explain);
    assert_eq!(found_with(&scenario, limit(500_000.0)), []);
}
