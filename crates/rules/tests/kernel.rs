//! Generated rules and packets, and what nftables counts of them in a namespace of its own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rules::compile::nftables;
use rules::{EvalCounts, Per, Rule, RuleSet};

use crate::make::{self, Packet, parsed};
use crate::tool;

/// A set of rules, packets near their edges, and what the evaluator counts.
pub(crate) struct Trial {
    pub(crate) rules: Vec<Rule>,
    pub(crate) packets: Vec<Vec<u8>>,
}

impl Trial {
    /// What nftables has to count: of the rules that it can say.
    pub(crate) fn expected(&self, packets: &[Vec<u8>]) -> BTreeMap<String, u64> {
        let file = nftables::file(&self.rules);
        let said = |id: &str| !file.contains(&format!("# {id}: error: "));
        self.decided(packets).into_iter().filter(|(id, _)| said(id)).collect()
    }

    /// Packets that each rule decides.
    pub(crate) fn decided(&self, packets: &[Vec<u8>]) -> BTreeMap<String, u64> {
        let set = RuleSet::new(self.rules.clone());
        let mut counts = EvalCounts::new(&set);
        for packet in packets {
            counts.add(&set, &parsed(packet));
        }
        counts.rules.into_iter().map(|r| (r.id, r.decided_packets)).collect()
    }
}

/// Sets of rules, half of them single ones, and so many packets for each.
pub(crate) fn trials(count: usize, packets: usize) -> Vec<Trial> {
    let mut runner = TestRunner::deterministic();
    let mut draw = |trial: usize| {
        // Half the sets are single rules, where nothing hides behind precedence.
        let most = if trial.is_multiple_of(2) { 1 } else { 12 };
        let mut rules = make::rule_set(most).new_tree(&mut runner).unwrap().current();
        // What cannot be said is left to the rules behind it; of what that is there shall not be too much.
        for rule in &mut rules {
            rule.matches.tcp_options = rule.matches.tcp_options.take().filter(Vec::is_empty);
            rule.sample = None;
            rule.per = Per::Rule;
        }
        let packets = (0..packets)
            .map(|_| {
                make::a_packet().prop_map(|p: Packet| p.bytes()).new_tree(&mut runner).unwrap().current()
            })
            .collect();
        Trial { rules, packets }
    };
    (0..count).map(&mut draw).collect()
}

/// Whether nftables can be asked here.
pub(crate) fn namespace() -> bool {
    tool::there(&[
        &["nft", "--version"],
        &["python3", "--version"],
        &["ip", "-V"],
        &["unshare", "-n", "test", "-c", "/dev/net/tun"],
    ])
}

/// Loads each file, sends its packets, and gives the counters. `None` stands for a file that does not load.
pub(crate) fn kernel(trials: &[(&[Rule], &[Vec<u8>])], name: &str) -> Vec<(u64, BTreeMap<String, u64>)> {
    let folder = tool::folder(name);
    let mut command = Command::new("unshare");
    command.args(["-n", "python3", &tool::script("tun_counters.py")]);
    for (i, (rules, packets)) in trials.iter().enumerate() {
        let (nft, raw) = (folder.join(format!("{i}.nft")), folder.join(format!("{i}.packets")));
        fs::write(&nft, nftables::file(rules)).unwrap();
        let framed = |p: &Vec<u8>| [&u16::try_from(p.len()).unwrap().to_be_bytes()[..], p].concat();
        fs::write(&raw, packets.iter().flat_map(framed).collect::<Vec<u8>>()).unwrap();
        command.args([nft, raw]);
    }
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{}\nthe files are in {}",
        String::from_utf8_lossy(&out.stderr),
        folder.display()
    );
    let _ = fs::remove_dir_all(&folder);
    let line = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let counters = json["counters"].as_object().unwrap();
        let counters = counters.iter().map(|(id, n)| (id.clone(), n.as_u64().unwrap())).collect();
        (json["total"].as_u64().unwrap(), counters)
    };
    String::from_utf8(out.stdout).unwrap().lines().map(line).collect()
}
