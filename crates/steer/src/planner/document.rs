//! What is to be planned: targets, where traffic enters, what can absorb it, and the attacks; read strictly.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use serde::{Deserialize, Serialize};

/// The largest number that is taken: sums of products of two of them stay finite.
const NUMBER_MAX: f64 = 1e100;
/// Targets, entries, absorbers and attacks of one document; more are refused.
const LIST_MAX: usize = 1_000_000;
/// Rules of one attack; more are refused.
const RULES_MAX: usize = 1024;

/// A planning problem. Rates are bits/s and packets/s; 0 is zero, a maximum that is not given is no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What is attacked, or may be.
    pub targets: Vec<Target>,
    /// Where traffic enters.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Who takes diverted traffic.
    #[serde(default)]
    pub absorbers: Vec<Absorber>,
    /// What comes in: at most one for each target and entry.
    #[serde(default)]
    pub attacks: Vec<Attack>,
}

/// What is protected: a route moves all traffic of its prefix at an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its addresses.
    pub prefix: Prefix,
    /// What it is worth to keep it, in the owner's measure.
    pub value: f64,
    /// The most that it bears, bits/s, legitimate traffic included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bps: Option<f64>,
    /// The most packets/s of attacks that it bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pps: Option<f64>,
}

/// Where traffic enters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The most that the link behind it carries, bits/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bps: Option<f64>,
    /// Rules that its router takes, a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flowspec_slots: Option<f64>,
}

/// Who takes diverted traffic and returns what is clean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absorber {
    /// Its name.
    pub name: String,
    /// The most that it receives, bits/s, legitimate traffic included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_bps: Option<f64>,
    /// The most packets/s of attacks that it receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_pps: Option<f64>,
    /// What a received Gbit/s costs; decides only between plans of equal value.
    #[serde(default)]
    pub cost_per_gbps: f64,
    /// The entries that can send to it.
    #[serde(default)]
    pub reaches: Vec<String>,
}

/// What comes in for one target at one entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Whom it hits.
    pub target: Prefix,
    /// Where it enters.
    pub entry: String,
    /// The attack's bits/s, without legitimate traffic.
    pub bps: f64,
    /// The attack's packets/s.
    #[serde(default)]
    pub pps: f64,
    /// Legitimate bits/s for the target at this entry.
    #[serde(default)]
    pub legit_bps: f64,
    /// Rules that the entry's router could take, one slot each.
    #[serde(default)]
    pub rules: Vec<Filter>,
    /// Absorbers that may take it, of those that its entry reaches; not given: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absorbers: Option<Vec<String>>,
}

/// A rule that the entry's router could take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Its name, within its attack.
    pub id: String,
    /// Share of the attack that it removes, 0…1.
    pub removes: f64,
    /// Share of the legitimate traffic that it removes, 0…1.
    pub collateral: f64,
}

/// Why a document is refused: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Refusal {
    /// Like `attacks[3].rules[0].removes`.
    pub place: String,
    /// What is wrong, and the remedy.
    pub what: String,
}

fn refuse<T>(place: impl Into<String>, what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { place: place.into(), what: what.into() })
}

impl Document {
    /// Finds what contradicts itself; the first in the order of the document.
    pub fn check(&self) -> Result<(), Refusal> {
        let lists = [
            ("targets", self.targets.len()),
            ("entries", self.entries.len()),
            ("absorbers", self.absorbers.len()),
            ("attacks", self.attacks.len()),
        ];
        for (list, length) in lists {
            if length > LIST_MAX {
                return refuse(list, format!("{length} are more than {LIST_MAX}; plan parts of the network"));
            }
        }
        self.check_targets()?;
        self.check_entries()?;
        self.check_absorbers()?;
        self.check_attacks()
    }

    fn check_targets(&self) -> Result<(), Refusal> {
        let mut seen = BTreeMap::new();
        for (i, target) in self.targets.iter().enumerate() {
            let place = format!("targets[{i}]");
            once(&mut seen, target.prefix, &place, "prefix")?;
            amount(target.value, &place, "value")?;
            limit(target.max_bps, &place, "max_bps")?;
            limit(target.max_pps, &place, "max_pps")?;
        }
        Ok(())
    }

    fn check_entries(&self) -> Result<(), Refusal> {
        let mut seen = BTreeMap::new();
        for (i, entry) in self.entries.iter().enumerate() {
            let place = format!("entries[{i}]");
            named(&entry.name, &place, "name")?;
            once(&mut seen, entry.name.as_str(), &place, "name")?;
            limit(entry.link_bps, &place, "link_bps")?;
            limit(entry.flowspec_slots, &place, "flowspec_slots")?;
            if let Some(slots) = entry.flowspec_slots.filter(|slots| slots.fract() != 0.0) {
                let what = format!("{slots:?} is no number of rules; give a whole number");
                return refuse(format!("{place}.flowspec_slots"), what);
            }
        }
        Ok(())
    }

    fn check_absorbers(&self) -> Result<(), Refusal> {
        let entries = self.entry_names();
        let mut seen = BTreeMap::new();
        for (i, absorber) in self.absorbers.iter().enumerate() {
            let place = format!("absorbers[{i}]");
            named(&absorber.name, &place, "name")?;
            once(&mut seen, absorber.name.as_str(), &place, "name")?;
            limit(absorber.capacity_bps, &place, "capacity_bps")?;
            limit(absorber.capacity_pps, &place, "capacity_pps")?;
            amount(absorber.cost_per_gbps, &place, "cost_per_gbps")?;
            for (j, entry) in absorber.reaches.iter().enumerate() {
                known(&entries, entry, &format!("{place}.reaches[{j}]"))?;
            }
        }
        Ok(())
    }

    fn check_attacks(&self) -> Result<(), Refusal> {
        let entries = self.entry_names();
        let targets: BTreeSet<Prefix> = self.targets.iter().map(|target| target.prefix).collect();
        let mut seen = BTreeMap::new();
        for (i, attack) in self.attacks.iter().enumerate() {
            let place = format!("attacks[{i}]");
            if !targets.contains(&attack.target) {
                let what =
                    format!("`{}` is not among the targets; add it there, with its value", attack.target);
                return refuse(format!("{place}.target"), what);
            }
            known(&entries, &attack.entry, &format!("{place}.entry"))?;
            if let Some(first) = seen.insert((attack.target, attack.entry.as_str()), i) {
                let what = format!(
                    "a second attack on {} at {}, after attacks[{first}]; add them up",
                    attack.target, attack.entry
                );
                return refuse(place, what);
            }
            amount(attack.bps, &place, "bps")?;
            amount(attack.pps, &place, "pps")?;
            amount(attack.legit_bps, &place, "legit_bps")?;
            attack.check_rules(&place)?;
            for (j, name) in attack.absorbers.iter().flatten().enumerate() {
                if !self.absorbers.iter().any(|absorber| absorber.name == *name) {
                    let what = format!("`{name}` is not among the absorbers; add it, or mend the name");
                    return refuse(format!("{place}.absorbers[{j}]"), what);
                }
            }
        }
        Ok(())
    }

    fn entry_names(&self) -> BTreeSet<&str> {
        self.entries.iter().map(|entry| entry.name.as_str()).collect()
    }
}

impl Attack {
    fn check_rules(&self, place: &str) -> Result<(), Refusal> {
        if self.rules.len() > RULES_MAX {
            let what = format!("{} are more than {RULES_MAX}; keep the best", self.rules.len());
            return refuse(format!("{place}.rules"), what);
        }
        let mut seen = BTreeMap::new();
        for (j, rule) in self.rules.iter().enumerate() {
            let place = format!("{place}.rules[{j}]");
            named(&rule.id, &place, "id")?;
            once(&mut seen, rule.id.as_str(), &place, "id")?;
            share(rule.removes, &place, "removes")?;
            share(rule.collateral, &place, "collateral")?;
        }
        Ok(())
    }
}

/// Each name once; the refusal says where it stood before.
fn once<K: Ord + ToString + Clone>(
    seen: &mut BTreeMap<K, String>,
    key: K,
    place: &str,
    field: &str,
) -> Result<(), Refusal> {
    match seen.insert(key.clone(), place.to_owned()) {
        None => Ok(()),
        Some(first) => {
            let what = format!("`{}` is already {first}; leave one of them out", key.to_string());
            refuse(format!("{place}.{field}"), what)
        }
    }
}

fn named(name: &str, place: &str, field: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return refuse(format!("{place}.{field}"), "an empty name; give it one");
    }
    Ok(())
}

fn known(entries: &BTreeSet<&str>, name: &str, place: &str) -> Result<(), Refusal> {
    if entries.contains(name) {
        return Ok(());
    }
    let names = entries.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let there = match entries.len() {
        0 => "there are none".to_owned(),
        1..=5 => format!("there are {names}"),
        n => format!("there are {n}: {names} …"),
    };
    refuse(place, format!("`{name}` is not among the entries ({there}); add it, or mend the name"))
}

fn amount(number: f64, place: &str, field: &str) -> Result<(), Refusal> {
    let wrong = match number {
        n if !n.is_finite() => "is no number",
        n if n < 0.0 => "is negative",
        n if n > NUMBER_MAX => "is more than 1e100",
        _ => return Ok(()),
    };
    refuse(format!("{place}.{field}"), format!("{number:?} {wrong}; give a number from 0 on"))
}

fn limit(number: Option<f64>, place: &str, field: &str) -> Result<(), Refusal> {
    let Some(number) = number else { return Ok(()) };
    amount(number, place, field)
        .map_err(|wrong| Refusal { what: format!("{}, or leave it out for no limit", wrong.what), ..wrong })
}

fn share(number: f64, place: &str, field: &str) -> Result<(), Refusal> {
    if (0.0..=1.0).contains(&number) {
        return Ok(());
    }
    refuse(format!("{place}.{field}"), format!("{number:?} is no share; give a number from 0 to 1"))
}
