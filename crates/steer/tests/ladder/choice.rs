//! One situation, one step.

use base::units::{BitRate, PacketRate};
use proptest::prelude::*;
use steer::effect::Verdict;
use steer::ladder::{InForce, Machine, Mode, Step};
use steer::rails::Class;

use crate::town::{MBPS, Town, candidate, link, neighbor, prefix};

const VERDICTS: [Verdict; 5] =
    [Verdict::Pending, Verdict::Effective, Verdict::Partly, Verdict::Ineffective, Verdict::NotMeasurable];

#[track_caller]
fn rejected(town: &Town, step: Step, word: &str) {
    let choice = town.choose();
    let found = choice.rejected.iter().find(|rejected| rejected.step == step);
    let reason = &found.unwrap_or_else(|| panic!("{step:?} is not rejected: {choice:?}")).reason;
    assert!(reason.contains(word), "{reason}");
}

#[test]
fn what_the_link_carries_is_filtered_in_the_kernel() {
    let choice = Town::new().choose();
    let plan = choice.plan.as_ref().unwrap();
    assert_eq!(
        (plan.step, choice.mode, choice.suffices, choice.person),
        (Step::Kernel, Mode::Enforce, true, false)
    );
    assert_eq!((plan.rules.clone(), plan.cuts), (vec!["r".to_owned()], Some(0.001)));
    assert!(choice.reason.contains("gentlest"), "{}", choice.reason);
    // All others are weighed too.
    assert_eq!(
        choice.rejected.iter().map(|r| r.step).collect::<Vec<_>>(),
        Step::ALL.split_first().unwrap().1
    );
}

#[test]
fn a_full_link_asks_for_routers_before_it() {
    let mut town = Town::under(3000.0);
    assert_eq!(town.step(), Some(Step::Flowspec));
    rejected(&town, Step::Kernel, "link uplink of 1.00 Gbps would carry 3.20 Gbps");
    assert_eq!(town.choose().plan.unwrap().neighbors, ["transit"]);
    // So does a machine that is too slow.
    town = Town::new();
    town.machine = Some(Machine { packets: Some(PacketRate(1e5)) });
    assert_eq!(town.step(), Some(Step::Flowspec));
    rejected(&town, Step::Kernel, "machine that filters 100 kpps");
}

#[test]
fn what_routers_cannot_say_or_have_no_room_for_is_diverted() {
    let mut said = Town::under(3000.0);
    said.candidates =
        vec![candidate("r dst 198.51.100.7/32 proto udp ttl 200-255 -> drop for 10m", 0.98, Some(0.0))];
    let mut crowded = Town::under(3000.0);
    crowded.neighbors[0].rules_left = 0;
    let mut without = Town::under(3000.0);
    without.neighbors[0].carries.retain(|(class, _)| *class != Class::Flowspec);
    let mut weak = Town::under(10_000.0);
    weak.candidates[0].stops = 0.6;
    for (town, word) in [
        (said, "routers understand"),
        (crowded, "takes 1 more FlowSpec rules"),
        (without, "takes 1 more FlowSpec rules"),
        (weak, "link uplink"),
    ] {
        assert_eq!(town.step(), Some(Step::Diversion), "{word}");
        rejected(&town, Step::Flowspec, word);
    }
}

#[test]
fn what_nobody_can_take_is_given_up_so_that_the_others_live() {
    let mut town = Town::under(50_000.0);
    town.candidates[0].stops = 0.5;
    let choice = town.choose();
    let plan = choice.plan.clone().unwrap();
    assert_eq!((plan.step, plan.cuts, choice.suffices), (Step::Blackhole, Some(1.0), true));
    assert_eq!(plan.prefixes, [prefix("198.51.100.7/32")]);
    rejected(&town, Step::Diversion, "the absorber takes 18.0 Gbps");
    let preview = plan.preview(town.attack.honest);
    assert!(preview.contains("198.51.100.7/32 through transit") && preview.contains("100.0 %"), "{preview}");
}

#[test]
fn policy_says_which_steps_there_are_and_what_is_only_proposed() {
    let mut town = Town::under(50_000.0);
    town.candidates[0].stops = 0.5;
    town.policy.steps[3] = Some(Mode::Suggest);
    assert_eq!(town.choose().mode, Mode::Suggest);
    town.policy.steps[3] = None;
    let choice = town.choose();
    // Nothing suffices: what stops most is done.
    assert_eq!((choice.plan.unwrap().step, choice.suffices), (Step::Diversion, false));
    assert!(choice.reason.contains("nothing suffices"), "{}", choice.reason);
    town.policy.steps = [None; 4];
    assert_eq!(town.step(), None);
    rejected(&town, Step::Kernel, "policy");
    town = Town::new();
    town.attack.sure = false;
    assert_eq!((town.step(), town.choose().mode), (None, Mode::Observe));
}

#[test]
fn a_price_that_is_too_high_or_unknown_is_not_paid() {
    let mut town = Town::new();
    town.candidates[0].price = Some(0.2);
    assert_eq!(town.step(), Some(Step::Diversion));
    rejected(&town, Step::Kernel, "spares enough honest traffic");
    town.candidates[0].price = None;
    rejected(&town, Step::Kernel, "price is known");
    town.policy.blind = true;
    let plan = town.choose().plan.unwrap();
    assert_eq!((plan.step, plan.cuts), (Step::Kernel, None));
    assert!(plan.preview(town.attack.honest).contains("an unknown part"));
}

#[test]
fn what_is_not_effective_is_left_for_the_next_step() {
    let mut town = Town::under(3000.0);
    for (verdict, step) in [
        (Verdict::Effective, Step::Flowspec),
        (Verdict::Pending, Step::Flowspec),
        (Verdict::NotMeasurable, Step::Flowspec),
        (Verdict::Ineffective, Step::Diversion),
        (Verdict::Partly, Step::Diversion),
    ] {
        town.in_force = vec![InForce::new(Step::Flowspec, verdict)];
        assert_eq!(town.step(), Some(step), "{verdict:?}");
    }
}

#[test]
fn rules_that_did_too_little_are_no_word_against_others() {
    let mut town = Town::under(3000.0);
    for verdict in [Verdict::Ineffective, Verdict::Partly] {
        let rules = vec![town.candidates[0].rule.id.clone()];
        town.in_force = vec![InForce { step: Step::Flowspec, verdict, rules }];
        assert_eq!(town.step(), Some(Step::Diversion), "{verdict:?}");
        town.in_force[0].rules = vec!["before".to_owned()];
        assert_eq!(town.step(), Some(Step::Flowspec), "{verdict:?}");
    }
}

#[test]
fn what_nobody_could_measure_brings_no_blackhole_without_a_person() {
    let mut town = Town::under(50_000.0);
    town.candidates[0].stops = 0.5;
    town.in_force = vec![InForce::new(Step::Flowspec, Verdict::NotMeasurable)];
    let choice = town.choose();
    assert_eq!(
        (choice.plan.unwrap().step, choice.person, choice.mode),
        (Step::Blackhole, true, Mode::Suggest)
    );
    assert!(choice.reason.contains("nobody could measure what the FlowSpec does"), "{}", choice.reason);
    town.in_force = vec![InForce::new(Step::Flowspec, Verdict::Ineffective)];
    let choice = town.choose();
    assert_eq!((choice.person, choice.mode), (false, Mode::Enforce));
}

#[test]
fn of_steps_that_suffice_one_that_passed_a_drill_is_preferred_but_no_blackhole_for_that() {
    let mut town = Town::under(3000.0);
    town.drilled(Class::Diversion, 3, None);
    assert_eq!(town.step(), Some(Step::Diversion));
    rejected(&town, Step::Flowspec, "no drill of it passed lately");
    town.drilled(Class::Flowspec, 29, None);
    assert_eq!(town.step(), Some(Step::Flowspec));
    // Too long ago is as good as never.
    town.drilled(Class::Flowspec, 31, None);
    assert_eq!(town.step(), Some(Step::Diversion));
    town.drilled(Class::Diversion, 1, Some("probes still arrived"));
    assert_eq!(town.step(), Some(Step::Flowspec));
    rejected(&town, Step::Diversion, "drill of it failed at transit");
    // Another neighbour may still take it.
    town.drilled(Class::Flowspec, 1, Some("probes still arrived"));
    assert_eq!(town.step(), Some(Step::Blackhole));
    town.neighbors.push(neighbor("second", &["uplink"]));
    assert_eq!(town.choose().plan.unwrap().neighbors, ["second"]);
    let mut town = Town::under(3000.0);
    town.drilled(Class::Blackhole, 3, None);
    assert_eq!(town.step(), Some(Step::Flowspec));
}

#[test]
fn a_carpet_is_taken_as_the_prefix_that_covers_it() {
    let hosts = || (0..64_u32).step_by(3);
    for (carpet, wide) in [
        (hosts().map(|host| format!("198.51.101.{host}/32")).collect::<Vec<_>>(), "198.51.101.0/26"),
        (hosts().map(|host| format!("2001:db8:0:7::{host:x}/128")).collect(), "2001:db8:0:7::/122"),
    ] {
        let mut town = Town::under(50_000.0);
        town.candidates.clear();
        town.attack.targets = carpet.iter().map(|host| prefix(host)).collect();
        let plan = town.choose().plan.unwrap();
        assert_eq!((plan.step, plan.prefixes), (Step::Blackhole, vec![prefix(wide)]));
        // A few hosts are not worth their neighbours.
        town.attack.targets.truncate(3);
        assert_eq!(town.choose().plan.unwrap().prefixes.len(), 3);
    }
}

#[test]
fn what_may_never_be_announced_is_no_step() {
    let mut town = Town::under(50_000.0);
    town.candidates.clear();
    town.attack.targets = vec![prefix("198.51.102.1/32")];
    town.absorbers[0].prefix = prefix("198.51.102.0/24");
    assert_eq!(town.step(), None);
    rejected(&town, Step::Blackhole, "the router, which is never announced");
    rejected(&town, Step::Diversion, "the router, which is never announced");
}

#[test]
fn each_link_needs_somebody_before_it() {
    let mut town = Town::under(3000.0);
    town.absorbers.clear();
    town.links = vec![link("uplink", 1500.0), link("peering", 1500.0)];
    // Rules at one neighbour do not help the other link; neither does a blackhole.
    rejected(&town, Step::Blackhole, "link peering");
    let choice = town.choose();
    assert_eq!((choice.plan.unwrap().step, choice.suffices), (Step::Flowspec, false));
    town.neighbors.push(neighbor("exchange", &["peering"]));
    let plan = town.choose().plan.unwrap();
    assert_eq!(
        (plan.step, plan.neighbors),
        (Step::Flowspec, vec!["transit".to_owned(), "exchange".to_owned()])
    );
    town.neighbors[1].up = false;
    let reason = town.choose().reason;
    assert!(reason.contains("nothing suffices") && reason.contains("link peering"), "{reason}");
}

#[test]
fn of_more_rules_than_there_is_room_for_those_that_stop_most_are_taken() {
    let mut town = Town::under(3000.0);
    town.candidates = vec![
        candidate("a dst 198.51.100.7/32 proto udp src-port 53 -> drop for 10m", 0.03, Some(0.0)),
        candidate("b dst 198.51.100.7/32 proto udp src-port 123 -> drop for 10m", 0.95, Some(0.0)),
    ];
    town.neighbors[0].rules_left = 1;
    assert_eq!(town.choose().plan.unwrap().rules, ["b"]);
    // An exception and its rule go together or not at all.
    town.candidates = vec![
        candidate(
            "a @1 dst 198.51.100.7/32 src 203.0.113.5/32 proto udp src-port 123 -> pass for 10m",
            0.0,
            Some(0.0),
        ),
        candidate("b @2 dst 198.51.100.7/32 proto udp src-port 123 -> drop for 10m", 0.95, Some(0.0)),
    ];
    assert_eq!(town.step(), Some(Step::Diversion));
    town.neighbors[0].rules_left = 2;
    assert_eq!(town.choose().plan.unwrap().rules, ["a", "b"]);
    town.candidates[0] = candidate(
        "a @1 dst 198.51.100.7/32 proto udp src-port 123 ttl 60-64 -> pass for 10m",
        0.0,
        Some(0.0),
    );
    assert_eq!(town.step(), Some(Step::Diversion));
    rejected(&town, Step::Flowspec, "routers understand");
}

#[test]
fn routers_relieve_the_link_and_the_kernel_does_the_rest() {
    let mut town = Town::under(3000.0);
    town.candidates = vec![
        candidate("a dst 198.51.100.7/32 proto udp src-port 53 -> drop for 10m", 0.8, Some(0.0)),
        candidate("b dst 198.51.100.7/32 proto udp ttl 200-255 -> drop for 10m", 0.18, Some(0.0)),
    ];
    let plan = town.choose().plan.unwrap();
    assert_eq!((plan.step, plan.rules), (Step::Flowspec, vec!["a".to_owned()]));
    town.machine = None;
    assert_eq!(town.step(), Some(Step::Diversion));
    rejected(&town, Step::Flowspec, "20 % of the attack would still reach the target");
}

fn town() -> impl Strategy<Value = Town> {
    let parts = (
        1.0_f64..100_000.0,
        prop::option::of(0.0_f64..0.3),
        0.0_f64..1.0,
        prop::collection::btree_map(0_usize..4, 0_usize..5, 0..3),
        prop::collection::vec(prop::option::of(0_usize..3), 4),
        (any::<[bool; 4]>(), 0.0_f64..50_000.0),
    );
    parts.prop_map(|(mbps, price, stops, in_force, modes, (has, free))| {
        let mut town = Town::under(mbps);
        let [machine, known, absorber, up] = has;
        town.candidates[0].price = price;
        town.candidates[0].stops = stops;
        town.in_force = in_force
            .into_iter()
            .map(|(step, verdict)| InForce::new(Step::ALL[step], VERDICTS[verdict]))
            .collect();
        for (slot, mode) in town.policy.steps.iter_mut().zip(modes) {
            *slot = mode.map(|mode| [Mode::Observe, Mode::Suggest, Mode::Enforce][mode]);
        }
        if !machine {
            town.machine = None;
        }
        if !known {
            town.links[0].capacity = None;
        }
        town.absorbers[0].free = BitRate(free * MBPS);
        if !absorber {
            town.absorbers.clear();
        }
        town.neighbors[0].up = up;
        town
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_choice_breaks_policy_or_gives_up_a_target_on_what_nobody_measured(town in town()) {
        let choice = town.choose();
        let lower = town.in_force.iter().filter(|held| held.step < Step::Blackhole);
        let unmeasured = lower.max_by_key(|held| held.step).is_some_and(|held| {
            matches!(held.verdict, Verdict::NotMeasurable | Verdict::Pending)
        });
        let policy = &town.policy;
        // Each step is chosen or has its reason.
        let mut told: Vec<Step> = choice.rejected.iter().map(|rejected| rejected.step).collect();
        if let Some(plan) = &choice.plan {
            prop_assert!(policy.mode(plan.step).is_some_and(|mode| choice.mode <= mode));
            prop_assert!(plan.step != Step::Blackhole || !unmeasured || choice.mode < Mode::Enforce);
            let ineffective = InForce::new(plan.step, Verdict::Ineffective);
            prop_assert!(town.in_force.iter().find(|held| held.step == plan.step) != Some(&ineffective));
            prop_assert!(plan.step == Step::Kernel || town.neighbors[0].up);
            told.push(plan.step);
        }
        told.sort();
        prop_assert_eq!(told, Step::ALL);
        prop_assert!(choice.rejected.iter().all(|rejected| !rejected.reason.is_empty()) && !choice.reason.is_empty());
    }
}

impl std::fmt::Debug for Town {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?} {:?}", self.attack, self.candidates, self.in_force, self.policy.steps)
    }
}
