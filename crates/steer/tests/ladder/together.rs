//! Several towns under attack at once: what the plan for all of them has for each.

use std::collections::BTreeMap;

use base::Prefix;
use base::units::BitRate;
use steer::allot::{Allotted, Allotter, Claim, Lot, Site};
use steer::effect::Verdict;
use steer::ladder::{Choice, InForce, Mode, Situation, Step, choose};
use steer::planner::playbook::{Move, Playbook, Shift};
use steer::planner::{Mode as Aim, Settings};
use steer::rails::{Limits, Rails};

use crate::town::{MBPS, Town, at, link, neighbor, prefix};

const A: &str = "198.51.100.0/24";
const B: &str = "198.51.101.0/24";
const C: &str = "2001:db8::/48";

/// A town whose target is this, with no machine and no rule, under so many Mbps: it can be diverted or given up.
fn town(target: &str, mbps: f64) -> Town {
    let mut town = Town::under(mbps);
    town.attack.targets = vec![prefix(target)];
    town.attack.honest = steer::ladder::Volume::default();
    town.machine = None;
    town.candidates.clear();
    town.links.clear();
    let own = vec![prefix("198.51.100.0/22"), prefix("2001:db8::/32")];
    let limits = Limits { blackhole: (25, 64), ..Limits::default() };
    town.rails = Rails::new(own, [A, B, C].map(prefix).to_vec(), Vec::new(), Vec::new(), limits);
    town
}

fn site(name: &str, mbps: f64, prefixes: &[&str]) -> Site {
    Site {
        name: name.into(),
        prefixes: prefixes.iter().map(|of| (prefix(of), BitRate(0.0))).collect(),
        capacity: BitRate(mbps * MBPS),
        packets: None,
        slots: None,
        cost_per_gbps: 1.0,
    }
}

/// One who is attacked: what it is worth, and who has its traffic.
struct One<'a>(&'a Town, f64, Option<&'a str>);

fn situation<'a>(town: &'a Town, lot: Option<&'a Lot>) -> Situation<'a> {
    Situation {
        attack: &town.attack,
        links: &town.links,
        machine: town.machine,
        candidates: &town.candidates,
        routed: &town.candidates,
        neighbors: &town.neighbors,
        absorbers: &town.absorbers,
        in_force: &town.in_force,
        policy: &town.policy,
        rails: &town.rails,
        drills: &town.drills,
        lot,
    }
}

fn look(allotter: &mut Allotter, second: u64, all: &[One<'_>], sites: &[Site], book: &Playbook) -> Allotted {
    let situations: Vec<Situation<'_>> = all.iter().map(|one| situation(one.0, None)).collect();
    let claims: Vec<Claim<'_>> = all
        .iter()
        .zip(&situations)
        .map(|(one, situation)| Claim {
            target: one.0.attack.targets[0],
            value: one.1,
            situation,
            at: one.2,
            can_end: one.0.policy.mode(Step::Blackhole).is_some(),
            least: one.0.least,
        })
        .collect();
    allotter.look(at(second), &claims, sites, book, Aim::default()).unwrap()
}

fn once(all: &[One<'_>], sites: &[Site]) -> BTreeMap<Prefix, Lot> {
    look(&mut Allotter::new(Settings::default()), 0, all, sites, &Playbook::default()).lots
}

fn to<'a>(lots: &'a BTreeMap<Prefix, Lot>, target: &str) -> Option<&'a str> {
    lots[&prefix(target)].absorber.as_ref().map(|(name, _)| name.as_str())
}

/// What the ladder makes of it, with absorbers as the sites are.
fn chosen(town: &mut Town, sites: &[Site], lot: &Lot) -> Choice {
    town.absorbers = sites
        .iter()
        .flat_map(|site| {
            site.prefixes.iter().map(|(of, carried)| steer::ladder::Absorber {
                name: site.name.clone(),
                prefix: *of,
                free: site.capacity,
                carried: *carried,
            })
        })
        .collect();
    choose(at(0), &situation(town, Some(lot)))
}

#[test]
fn of_two_that_do_not_both_fit_the_less_valuable_is_given_up_and_the_ladder_does_as_the_plan_has_it() {
    for (cheap, dear, prefixes) in
        [("198.51.100.7/32", "198.51.101.7/32", [A, B]), ("2001:db8::7/128", "198.51.101.7/32", [C, B])]
    {
        let (mut first, mut second) = (town(cheap, 500.0), town(dear, 500.0));
        let sites = [site("scrub", 800.0, &prefixes)];
        let lots = once(&[One(&first, 1.0, None), One(&second, 10.0, None)], &sites);
        assert_eq!(to(&lots, dear), Some("scrub"));
        let lost = &lots[&prefix(cheap)];
        assert!(lost.sacrificed, "{lost:?}");
        assert!(lost.why.contains("is sacrificed (value 1 of 11)"), "{}", lost.why);
        assert!(lost.why.contains(&format!("keeping it would cost {dear} (value 10)")), "{}", lost.why);
        let choice = chosen(&mut first, &sites, lost);
        assert_eq!(choice.plan.map(|plan| plan.step), Some(Step::Blackhole), "{}", choice.reason);
        assert!(choice.reason.contains("is sacrificed (value 1 of 11)"), "{}", choice.reason);
        let kept = &lots[&prefix(dear)];
        let choice = chosen(&mut second, &sites, kept);
        assert_eq!(choice.plan.map(|plan| plan.step), Some(Step::Diversion), "{}", choice.reason);
        assert!(choice.reason.contains(&format!("{cheap} is given up")), "{}", choice.reason);
    }
}

#[test]
fn nobody_is_given_up_for_a_guess_at_the_size_of_a_young_attack() {
    let sites = [site("scrub", 800.0, &[A, B])];
    let (mut young, old) = (town("198.51.100.7/32", 900.0), town("198.51.101.7/32", 300.0));
    let both = |young: &Town, allotter: &mut Allotter, second: u64| {
        let all = [One(young, 1.0, None), One(&old, 10.0, Some("scrub"))];
        look(allotter, second, &all, &sites, &Playbook::default()).lots
    };
    // A quarter of a second was seen, and taken for three times what it is.
    young.least = Some(steer::ladder::Volume { bits: BitRate(300.0 * MBPS), ..young.attack.volume });
    let mut allotter = Allotter::new(Settings::default());
    let lots = both(&young, &mut allotter, 0);
    assert_eq!((to(&lots, "198.51.100.7/32"), to(&lots, "198.51.101.7/32")), (Some("scrub"), Some("scrub")));
    // A second later it is known, and small, or large.
    (young.least, young.attack.volume.bits) = (None, BitRate(320.0 * MBPS));
    let lots = both(&young, &mut allotter, 1);
    assert!(!lots[&prefix("198.51.100.7/32")].sacrificed, "{lots:?}");
    young.attack.volume.bits = BitRate(900.0 * MBPS);
    let lots = both(&young, &mut allotter, 2);
    assert!(lots[&prefix("198.51.100.7/32")].sacrificed, "{lots:?}");
    assert_eq!(to(&lots, "198.51.101.7/32"), Some("scrub"));
    // What surely came is too much already: nothing is waited for.
    young.least = Some(steer::ladder::Volume { bits: BitRate(600.0 * MBPS), ..young.attack.volume });
    let lots = both(&young, &mut Allotter::new(Settings::default()), 0);
    assert!(lots[&prefix("198.51.100.7/32")].sacrificed, "{lots:?}");
}

#[test]
fn what_is_diverted_stays_where_it_is_unless_moving_it_keeps_somebody() {
    let (one, two) = (town("198.51.100.7/32", 500.0), town("198.51.101.7/32", 500.0));
    let sites = [site("a", 600.0, &[A, B]), site("b", 600.0, &[A, B])];
    let lots = once(&[One(&one, 1.0, Some("b")), One(&two, 1.0, None)], &sites);
    assert_eq!((to(&lots, "198.51.100.7/32"), to(&lots, "198.51.101.7/32")), (Some("b"), Some("a")));
    // The other may go to `b` alone: the first makes room for it.
    let sites = [site("a", 600.0, &[A]), site("b", 600.0, &[A, B])];
    let lots = once(&[One(&one, 1.0, Some("b")), One(&two, 1.0, None)], &sites);
    assert_eq!((to(&lots, "198.51.100.7/32"), to(&lots, "198.51.101.7/32")), (Some("a"), Some("b")));
    // An absorber that is lost is not among the sites: what it had moves.
    let lots = once(&[One(&one, 1.0, Some("lost"))], &sites);
    assert_eq!(to(&lots, "198.51.100.7/32").map(str::len), Some(1));
    // However little it is worth beside others.
    let lots = once(&[One(&one, 0.01, Some("lost")), One(&two, 10.0, Some("b"))], &sites);
    assert_eq!((to(&lots, "198.51.100.7/32"), to(&lots, "198.51.101.7/32")), (Some("a"), Some("b")));
}

#[test]
fn one_prefix_goes_to_one_absorber_however_many_ways_in_it_has() {
    let mut one = town("198.51.100.7/32", 1000.0);
    one.links =
        ["north", "south"].map(|name| steer::ladder::Link { share: 0.5, ..link(name, 500.0) }).to_vec();
    one.neighbors = vec![neighbor("transit", &["north", "south"])];
    // Only one part fits into each of them, and both parts of it into neither.
    let sites = [site("a", 600.0, &[A]), site("b", 600.0, &[A])];
    let lots = once(&[One(&one, 1.0, None)], &sites);
    assert!(lots[&prefix("198.51.100.7/32")].sacrificed, "{lots:?}");
    let sites = [site("a", 600.0, &[A]), site("b", 1100.0, &[A])];
    let lots = once(&[One(&one, 1.0, None)], &sites);
    let lot = &lots[&prefix("198.51.100.7/32")];
    assert_eq!(lot.absorber, Some(("b".into(), vec!["north".into(), "south".into()])), "{lot:?}");
}

#[test]
fn those_of_one_prefix_move_together_and_the_least_valuable_of_them_goes_first() {
    let (one, two) = (town("198.51.100.7/32", 500.0), town("198.51.100.9/32", 500.0));
    let claims = || [One(&one, 1.0, None), One(&two, 3.0, None)];
    let lots = once(&claims(), &[site("a", 1100.0, &[A])]);
    assert_eq!((to(&lots, "198.51.100.7/32"), to(&lots, "198.51.100.9/32")), (Some("a"), Some("a")));
    let lots = once(&claims(), &[site("a", 700.0, &[A])]);
    let lost = &lots[&prefix("198.51.100.7/32")];
    assert!(lost.sacrificed && lost.why.contains("198.51.100.9/32 (value 3)"), "{lost:?}");
    assert_eq!(to(&lots, "198.51.100.9/32"), Some("a"));
}

#[test]
fn rules_at_the_routers_come_before_an_absorber_and_what_did_nothing_is_not_counted_on() {
    let mut one = Town::under(500.0);
    one.machine = None;
    let target = "198.51.100.7/32";
    let sites = [site("scrub", 2000.0, &[A])];
    let lots = once(&[One(&one, 1.0, None)], &sites);
    let lot = &lots[&prefix(target)];
    assert_eq!((&lot.absorber, lot.rules["uplink"].len()), (&None, 1), "{lot:?}");
    assert_eq!(chosen(&mut one, &sites, lot).plan.map(|plan| plan.step), Some(Step::Flowspec));
    one.in_force = vec![InForce::new(Step::Flowspec, Verdict::Ineffective)];
    let lots = once(&[One(&one, 1.0, None)], &sites);
    assert_eq!(to(&lots, target), Some("scrub"));
    // Nor on a step that the policy does not allow.
    one.in_force.clear();
    one.policy.steps = [None, None, Some(Mode::Enforce), None];
    assert_eq!(to(&once(&[One(&one, 1.0, None)], &sites), target), Some("scrub"));
    // Who may be given up is, where being led away does nothing.
    one.policy.steps = [None, None, Some(Mode::Enforce), Some(Mode::Enforce)];
    one.in_force = vec![InForce::new(Step::Diversion, Verdict::Ineffective)];
    let lots = once(&[One(&one, 1.0, Some("scrub"))], &sites);
    assert_eq!(to(&lots, target), None, "it is there, and does nothing");
}

#[test]
fn rules_that_are_enough_together_only_are_all_announced() {
    let mut one = Town::under(500.0);
    one.machine = None;
    let target = "198.51.100.7/32";
    // As an amplification comes: its first fragments have ports, the later ones have none.
    let rules =
        ["r1 dst 198.51.100.7/32 proto udp fragment is", "r2 dst 198.51.100.7/32 proto udp src-port 53"];
    let of = |text: &&str| crate::town::candidate(&format!("{text} -> drop"), 0.5, Some(0.0));
    one.candidates = rules.iter().map(of).collect();
    let lots = once(&[One(&one, 1.0, None)], &[]);
    let plan = chosen(&mut one, &[], &lots[&prefix(target)]).plan.unwrap();
    assert_eq!((plan.step, plan.rules), (Step::Flowspec, vec!["r1".to_owned(), "r2".to_owned()]));
}

#[test]
fn who_may_not_be_given_up_keeps_his_place_at_an_absorber() {
    let (mut one, two) = (town("198.51.100.7/32", 500.0), town("198.51.101.7/32", 500.0));
    one.policy.steps = [None, None, Some(Mode::Enforce), None];
    let lots =
        once(&[One(&one, 1.0, Some("scrub")), One(&two, 10.0, None)], &[site("scrub", 800.0, &[A, B])]);
    assert_eq!(to(&lots, "198.51.100.7/32"), Some("scrub"));
    let lost = &lots[&prefix("198.51.101.7/32")];
    assert!(lost.sacrificed && lost.why.contains("200 Mbps over what absorber scrub"), "{lost:?}");
}

#[test]
fn what_comes_for_one_who_may_not_be_given_up_is_no_room_for_others() {
    // 200 of 1,000 Mbps are there in peace. Nothing keeps the first, and nobody may discard what comes for it.
    let (mut stuck, mut other) = (Town::under(700.0), Town::under(300.0));
    stuck.machine = None;
    stuck.candidates.clear();
    stuck.policy.steps = [Some(Mode::Enforce), Some(Mode::Enforce), Some(Mode::Enforce), None];
    // The machine of the second filters what comes, where the link carries it.
    other.attack.targets = vec![prefix("198.51.100.9/32")];
    let text = "s dst 198.51.100.9/32 proto udp src-port 53 -> drop for 10m";
    other.candidates = vec![crate::town::candidate(text, 0.98, Some(0.001))];
    other.policy.steps = [Some(Mode::Enforce), None, None, Some(Mode::Enforce)];
    let alone = once(&[One(&other, 1.0, None)], &[]);
    assert!(!alone[&prefix("198.51.100.9/32")].sacrificed, "{alone:?}");
    let lots = once(&[One(&stuck, 1.0, None), One(&other, 1.0, None)], &[]);
    let first = &lots[&prefix("198.51.100.7/32")];
    assert!(
        !first.sacrificed && first.why.contains("may not be given up, and nothing has room"),
        "{first:?}"
    );
    assert!(first.why.contains("700 Mbps go on to come at uplink"), "{first:?}");
    assert!(lots[&prefix("198.51.100.9/32")].sacrificed, "{lots:?}");
}

#[test]
fn a_link_that_all_share_is_filled_by_all_of_them_and_a_few_rules_go_to_who_is_worth_most() {
    // Each alone fits into the link of 1 Gbps, 200 Mbps of which are there in peace; together they do not.
    let (mut one, mut two) = (Town::under(500.0), Town::under(500.0));
    two.attack.targets = vec![prefix("198.51.100.9/32")];
    let text = "s dst 198.51.100.9/32 proto udp src-port 53 -> drop for 10m";
    two.candidates = vec![crate::town::candidate(text, 0.98, Some(0.001))];
    for town in [&mut one, &mut two] {
        // A machine behind the link filters what comes.
        town.neighbors = vec![steer::ladder::Neighbor { rules_left: 1, ..neighbor("transit", &["uplink"]) }];
    }
    let lots = once(&[One(&one, 1.0, None), One(&two, 2.0, None)], &[]);
    let rules: usize = lots.values().map(|lot| lot.rules.len()).sum();
    assert!(rules == 1 && lots.values().all(|lot| !lot.sacrificed), "{lots:?}");
    // With a rule that is needed for each of them, and room for one.
    (one.machine, two.machine) = (None, None);
    let lots = once(&[One(&one, 1.0, None), One(&two, 2.0, None)], &[]);
    assert!(lots[&prefix("198.51.100.7/32")].sacrificed && !lots[&prefix("198.51.100.9/32")].sacrificed);
}

#[test]
fn a_plan_that_holds_is_not_exchanged_for_one_that_is_hardly_better() {
    let (one, two) = (town("198.51.100.7/32", 500.0), town("198.51.101.7/32", 500.0));
    let sites = [site("scrub", 800.0, &[A, B])];
    let mut allotter = Allotter::new(Settings::default());
    let mut given_up = |second: u64, values: [f64; 2], at: [Option<&str>; 2]| {
        let claims = [One(&one, values[0], at[0]), One(&two, values[1], at[1])];
        let lots = look(&mut allotter, second, &claims, &sites, &Playbook::default()).lots;
        lots.into_iter().filter(|(_, lot)| lot.sacrificed).map(|(target, _)| target).collect::<Vec<_>>()
    };
    let diverted = [Some("scrub"), None];
    assert_eq!(given_up(0, [10.0, 9.0], [None, None]), [prefix("198.51.101.7/32")]);
    assert_eq!(given_up(1, [10.0, 10.4], diverted), [prefix("198.51.101.7/32")], "4 % are not enough");
    assert_eq!(given_up(2, [10.0, 10.6], diverted), [prefix("198.51.100.7/32")]);
}

#[test]
fn an_announcement_that_was_measured_to_move_little_is_not_counted_on() {
    let one = town("198.51.100.7/32", 500.0);
    let sites = [site("a", 2000.0, &[A]), site("b", 2000.0, &[A])];
    let mut book = Playbook::default();
    let shift =
        |absorber: &str, share: f64| Shift { entry: "the network".into(), absorber: absorber.into(), share };
    let measured = |announcement: &str, shifts| Move {
        announcement: announcement.into(),
        measured: "2027-01-15T08:00:00Z".into(),
        shifts,
    };
    book.note(measured("198.51.100.0/24 to a", vec![shift("a", 0.2)])).unwrap();
    let lots = look(&mut Allotter::new(Settings::default()), 0, &[One(&one, 1.0, None)], &sites, &book).lots;
    assert_eq!(to(&lots, "198.51.100.7/32"), Some("b"));
    book.note(measured("198.51.100.0/24 to a, at both", vec![shift("a", 0.97)])).unwrap();
    let lots =
        look(&mut Allotter::new(Settings::default()), 0, &[One(&one, 1.0, Some("a"))], &sites, &book).lots;
    assert_eq!(to(&lots, "198.51.100.7/32"), Some("a"), "another announcement moves it");
    let mut little = Playbook::default();
    little.note(measured("198.51.100.0/24 to a", vec![shift("a", 0.2)])).unwrap();
    let alone = [site("a", 2000.0, &[A])];
    let lots =
        look(&mut Allotter::new(Settings::default()), 0, &[One(&one, 1.0, None)], &alone, &little).lots;
    let lot = &lots[&prefix("198.51.100.7/32")];
    assert!(
        lot.sacrificed && lot.why.contains("led from the network to a too little was measured"),
        "{lot:?}"
    );
}

#[test]
fn a_router_that_is_away_for_a_moment_makes_nobody_be_given_up_where_it_is_waited_for() {
    for (target, needs) in [("198.51.100.7/32", A), ("2001:db8::7/128", C)] {
        let mut one = town(target, 500.0);
        one.links = vec![link("north", 250.0), link("south", 250.0)];
        one.neighbors = vec![neighbor("n", &["north"]), neighbor("s", &["south"])];
        let sites = [site("scrub", 2000.0, &[needs])];
        let held = |one: &Town| {
            let lots = once(&[One(one, 1.0, Some("scrub"))], &sites);
            (to(&lots, target) == Some("scrub"), lots[&prefix(target)].sacrificed)
        };
        assert_eq!(held(&one), (true, false), "{target}");
        one.neighbors[1].up = false;
        assert_eq!(held(&one), (false, true), "{target}: what comes there goes nowhere else");
        // As whoever waits for it says.
        one.neighbors[1].up = true;
        assert_eq!(held(&one), (true, false), "{target}");
    }
}

/// Prefixes that the lots lead to an absorber.
fn led(lots: &BTreeMap<Prefix, Lot>, name: &str) -> usize {
    let there = |lot: &&Lot| lot.absorber.as_ref().is_some_and(|(site, _)| site == name);
    lots.values().filter(there).count()
}

#[test]
fn no_absorber_gets_more_prefixes_than_it_takes_and_who_has_no_place_is_told_so() {
    let (first, second, third) =
        (town("198.51.100.7/32", 50.0), town("198.51.101.7/32", 50.0), town("2001:db8::7/128", 50.0));
    let all = [One(&first, 1.0, None), One(&second, 5.0, None), One(&third, 3.0, None)];
    let wide = site("scrub", 1000.0, &[A, B, C]);
    assert_eq!(led(&once(&all, std::slice::from_ref(&wide)), "scrub"), 3);
    let narrow = Site { slots: Some(2), ..wide.clone() };
    let lots = once(&all, std::slice::from_ref(&narrow));
    assert_eq!((led(&lots, "scrub"), to(&lots, "198.51.101.7/32")), (2, Some("scrub")));
    let lost = &lots[&prefix("198.51.100.7/32")];
    assert!(lost.sacrificed, "{lost:?}");
    assert!(lost.why.contains("absorber scrub takes 2 prefixes of ours at one time"), "{}", lost.why);
    // Another one has places: nobody is given up, also where only the most valuable may go there.
    for elsewhere in [A, B, C] {
        let other = Site { slots: Some(1), ..site("spare", 100.0, &[elsewhere]) };
        let lots = once(&all, &[narrow.clone(), other]);
        assert_eq!((led(&lots, "scrub"), led(&lots, "spare")), (2, 1), "{elsewhere}: {lots:?}");
    }
    // Without any place nothing is led there.
    assert_eq!(led(&once(&all, &[Site { slots: Some(0), ..wide }]), "scrub"), 0);
}

#[test]
fn in_many_towns_at_once_every_absorber_has_places_for_what_it_gets() {
    let towns: Vec<Town> = (0..24_u32).map(|n| town(&format!("198.51.{}.7/32", 100 + n % 4), 10.0)).collect();
    let mut towns = towns;
    for (n, town) in towns.iter_mut().enumerate() {
        town.attack.targets = vec![prefix(&format!("2001:db8:{n:x}::7/128"))];
    }
    let prefixes: Vec<String> = (0..24).map(|n| format!("2001:db8:{n:x}::/48")).collect();
    let own = vec![prefix("2001:db8::/32")];
    for town in &mut towns {
        let diversion = prefixes.iter().map(|of| prefix(of)).collect();
        let limits = Limits { blackhole: (25, 64), ..Limits::default() };
        town.rails = Rails::new(own.clone(), diversion, Vec::new(), Vec::new(), limits);
    }
    let names: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let all: Vec<One<'_>> = towns.iter().zip(1..).map(|(town, n)| One(town, f64::from(n), None)).collect();
    for slots in [[0, 0, 0], [1, 2, 3], [7, 0, 9], [8, 8, 8], [30, 2, 1]] {
        let sites = [0, 1, 2].map(|at| {
            // Each is prepared for some of them.
            let some: Vec<&str> = names.iter().skip(at * 4).take(16).copied().collect();
            Site { slots: Some(slots[at]), ..site(&format!("s{at}"), 500.0, &some) }
        });
        let lots = once(&all, &sites);
        for (at, site) in sites.iter().enumerate() {
            assert!(led(&lots, &site.name) <= slots[at], "{slots:?}: {lots:?}");
        }
        let kept = lots.values().filter(|lot| !lot.sacrificed).count();
        let may: usize = slots.iter().map(|slots| *slots.min(&16)).sum();
        assert!(kept + 3 >= may.min(24), "{kept} kept with {slots:?}");
    }
}
