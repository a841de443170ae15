//! nftables as an enforcer, where XDP is not wanted: the table `inet spillway`, whose rules end by the kernel's own clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ::rules::compile::nftables;
use ::rules::{Action, Rule};
use anyhow::{Context as _, anyhow, bail};
use base::{Prefix, Span};
use dataplane::nft::{self, Failed};
use serde_json::Value;

use super::{Done, Enforcer, Wanted, allows, passes};
use crate::config::Config;

/// Signs of life go out this many times within the patience of the dead-man switch: each takes a process.
const BEATS: u32 = 6;

/// The table.
#[derive(Debug)]
pub(crate) struct Nftables {
    interfaces: Vec<String>,
    never: Vec<Prefix>,
    by_hand: Vec<Rule>,
    patience: Option<Span>,
    /// What was put there last, with what each rule would do if it were not for a dry run.
    there: Option<There>,
    beaten: Option<Instant>,
}

#[derive(Debug)]
struct There {
    rules: Vec<Rule>,
    dry: BTreeSet<String>,
    drops: BTreeMap<String, bool>,
}

impl Nftables {
    /// On these interfaces; nothing is done yet.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            interfaces: config.dataplane.interfaces.clone(),
            never: config.rules.never.clone(),
            by_hand: config.dataplane.by_hand.clone(),
            patience: config.dataplane.dead_man,
            there: None,
            beaten: None,
        }
    }

    /// The rules as they are said: in a dry run each counts and lets pass.
    fn said(&self, wanted: &Wanted) -> Vec<Rule> {
        let act = |rule: &Rule| match wanted.is_dry(rule) {
            true => Rule { action: Action::Pass, ..rule.clone() },
            false => rule.clone(),
        };
        let own = |rule: &&Rule| wanted.rules.iter().all(|other| other.id != rule.id);
        let by_hand = self.by_hand.iter().filter(own).cloned();
        let passed = passes(&self.never).chain(allows(&wanted.allow));
        wanted.rules.iter().map(act).chain(by_hand).chain(passed).collect()
    }
}

impl Enforcer for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn apply(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
        let rules = self.said(wanted);
        let same = |there: &There| {
            // what is left of a lease changes from second to second
            let of = |rules: &[Rule]| {
                rules.iter().map(|rule| Rule { lease: None, ..rule.clone() }).collect::<Vec<_>>()
            };
            there.dry == wanted.dry && of(&there.rules) == of(&rules)
        };
        let mut unsaid = Vec::new();
        // What an earlier daemon left is replaced, in one transaction: no packet meets a gap.
        if self.there.as_ref().is_some_and(same) {
            run(&nftables::leases(&rules))?;
        } else {
            let running = nftables::running(&rules, &self.interfaces, self.patience);
            run(&running.file)?;
            unsaid = running.unsaid;
        }
        let drops = wanted.rules.iter().map(|rule| (rule.id.clone(), rule.action == Action::Drop)).collect();
        self.there = Some(There { rules, dry: wanted.dry.clone(), drops });
        match unsaid.first() {
            None => Ok(()),
            Some((id, reason)) => bail!("rule {id}: {reason} ({} of such)", unsaid.len()),
        }
    }

    fn actual(&mut self) -> anyhow::Result<BTreeMap<String, Done>> {
        let Some(there) = &self.there else { return Ok(BTreeMap::new()) };
        let counted = counters(&list()?);
        let done = |(id, (packets, bytes)): (String, (u64, u64))| {
            let dropped = if there.drops.get(&id).copied().unwrap_or(false) { packets } else { 0 };
            (id, Done { packets, dropped, bytes })
        };
        Ok(counted.into_iter().map(done).collect())
    }

    fn beat(&mut self) -> anyhow::Result<()> {
        let (Some(patience), Some(_)) = (self.patience, &self.there) else { return Ok(()) };
        let every = Duration::from_nanos(patience.nanos()) / BEATS;
        if self.beaten.is_none_or(|at| at.elapsed() >= every) {
            run(&nftables::alive(patience))?;
            self.beaten = Some(Instant::now());
        }
        Ok(())
    }
}

/// Runs commands as one transaction.
fn run(commands: &str) -> anyhow::Result<()> {
    nft::run(commands).map_err(|failed| match failed {
        Failed::Missing(_) => anyhow!("{failed}, or set `dataplane.engine` to \"xdp\""),
        Failed::Refused(why) => anyhow!("nft refused the rules, the old ones stay: {why}"),
    })
}

/// The table as `nft` tells it; nothing where there is none.
fn list() -> anyhow::Result<Value> {
    let Some(text) = nft::table("spillway", true)? else { return Ok(Value::Null) };
    serde_json::from_slice(&text).context("what `nft -j` tells cannot be read")
}

/// Packets that each rule decided, and their octets, by id.
fn counters(table: &Value) -> BTreeMap<String, (u64, u64)> {
    let all = table.get("nftables").and_then(Value::as_array).into_iter().flatten();
    let mut out = BTreeMap::new();
    for rule in all.filter_map(|item| item.get("rule")) {
        let Some(id) = rule.get("comment").and_then(Value::as_str) else { continue };
        let parts = rule.get("expr").and_then(Value::as_array).into_iter().flatten();
        let counter = |part: &Value| {
            let number = |key: &str| part.get("counter")?.get(key)?.as_u64();
            Some((number("packets")?, number("bytes").unwrap_or(0)))
        };
        let sum = out.entry(id.to_owned()).or_insert((0, 0));
        for (packets, bytes) in parts.filter_map(counter) {
            (sum.0, sum.1) = (sum.0 + packets, sum.1 + bytes);
        }
    }
    out
}
