//! Three machines count: nftables, the tree and the tables. All have to count for each rule what the evaluator decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dataplane::{Engine, Plane, Policy};
use proptest::strategy::{Strategy, ValueTree};
use rules::{Action, Rule, RuleSet};

use crate::agreement::{frame, plane, runner};
use crate::kernel::{Trial, kernel, namespace, trials};
use crate::make::{self, Packet};
use crate::near::{self, Random};

/// Pairs of a rule set and a packet.
const PAIRS: usize = 100_000;
/// Packets for each set.
const PACKETS: usize = 500;

/// What a plane counts for each rule.
fn counted(plane: &Plane, trial: &Trial, engine: Engine) -> BTreeMap<String, u64> {
    // Where a rule leads to is no matter here, and needs a way there.
    let here = |rule: &Rule| match rule.action {
        Action::Redirect(_) | Action::Tunnel(..) => Rule { action: Action::Pass, ..rule.clone() },
        _ => rule.clone(),
    };
    let rules = RuleSet::new(trial.rules.iter().map(here).collect());
    plane.install(&Policy { rules, engine, ..Policy::default() }).unwrap();
    for packet in &trial.packets {
        plane.test_run(&frame(packet), 1).unwrap();
    }
    plane.counts().unwrap().into_iter().map(|count| (count.id, count.packets)).collect()
}

/// The kernel's own checks of IPv6 addresses and of options hop by hop come before nftables (`ip6_rcv_core`).
fn reaches_nftables(packet: &Packet) -> bool {
    if packet.src.is_ipv6() && packet.protocol == 0 {
        return false;
    }
    let odd = |address: IpAddr| address.is_ipv6() && (address.is_multicast() || address.is_loopback());
    !odd(packet.src) && !odd(packet.dst)
}

#[test]
fn nftables_the_tree_and_the_tables_count_what_the_evaluator_decides() {
    let Some(plane) = plane() else { return };
    if !namespace() {
        return;
    }
    let mut runner = runner(23);
    let some: Vec<Packet> =
        (0..500).map(|_| make::a_packet().new_tree(&mut runner).unwrap().current()).collect();
    let mut trials = trials(PAIRS / PACKETS, PACKETS);
    let (mut random, mut near_misses) = (Random(9), 0);
    for trial in &mut trials {
        let any: Vec<Packet> = some.iter().map(|_| some[random.below(500) as usize].clone()).collect();
        for (turn, place) in trial.packets.iter_mut().enumerate() {
            let (packet, near_miss) = loop {
                let drawn = near::draw(&mut random, &trial.rules, &any, turn);
                if reaches_nftables(&drawn.0) {
                    break drawn;
                }
            };
            near_misses += usize::from(near_miss);
            *place = packet.bytes();
        }
    }
    for rule in trials.iter_mut().flat_map(|trial| &mut trial.rules) {
        // Nobody here leads packets elsewhere; and what is over cannot be counted.
        let action = if matches!(rule.action, Action::Redirect(_)) { Action::Drop } else { rule.action };
        *rule = Rule { action, lease: None, ..rule.clone() };
    }
    let pairs: Vec<(&[Rule], &[Vec<u8>])> =
        trials.iter().map(|t| (t.rules.as_slice(), t.packets.as_slice())).collect();
    let found = kernel(&pairs, "nft-and-ours");
    assert_eq!(found.len(), trials.len());
    let (mut decided, mut by_nftables) = (0, 0);
    for (trial, (total, nftables)) in trials.iter().zip(found) {
        assert_eq!(usize::try_from(total), Ok(PACKETS), "every packet reaches nftables");
        let wanted = trial.decided(&trial.packets);
        let rules = || trial.rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("\n");
        assert_eq!(nftables, trial.expected(&trial.packets), "nftables:\n{}", rules());
        for engine in [Engine::Tree, Engine::Maps] {
            assert_eq!(counted(&plane, trial, engine), wanted, "{engine:?}:\n{}", rules());
        }
        decided += wanted.values().sum::<u64>();
        by_nftables += nftables.values().sum::<u64>();
    }
    println!(
        "{PAIRS} pairs, {decided} decided, {by_nftables} of them by rules that nftables can say; {near_misses} one step \
         beside a rule"
    );
    assert!(decided > 30_000 && by_nftables > 20_000, "the packets hardly meet the rules");
    assert!(near_misses * 20 > PAIRS * 9, "the packets are hardly beside the rules");
}
