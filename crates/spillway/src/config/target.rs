//! `[target."PREFIX"]`, the profile of a customer, and `[[allow]]`: what holds for some prefixes only.

use base::{Prefix, Timestamp};
use engine::Mode;
use rules::Match;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::check::Problems;
use super::place::suggestion;
use super::values::Packets;
use crate::policy::allow::{Allowed, Ceiling};
use crate::policy::profile;

/// Sections `[target]`, and allowed sources, in one file.
const SECTIONS_MAX: usize = 4_096;
/// What is called normal cannot be an attack, and a hundred times that is one anywhere.
const MULTIPLES: std::ops::RangeInclusive<f64> = 1.0..=100.0;

/// Keys of a target and of a profile, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Section {
    title: Option<String>,
    why: Option<String>,
    profile: Option<Spanned<String>>,
    mode: Option<Mode>,
    floor: Option<Packets>,
    multiple: Option<Spanned<f64>>,
    collateral_max: Option<Spanned<f64>>,
    blind: Option<bool>,
    challenge: Option<bool>,
    limit: Option<Packets>,
    ordinary: Option<Vec<Spanned<String>>>,
    never_drop: Option<Vec<Spanned<String>>>,
}

/// Some packets, in the rule language.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// As written.
    pub(crate) text: String,
    /// What it asks of a packet.
    pub(crate) matches: Match,
}

/// What a target, a customer or a profile says; `None`: nothing of this.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Wishes {
    /// In one line.
    pub(crate) title: Option<String>,
    /// What is peculiar about it.
    pub(crate) why: Option<String>,
    /// How far to go.
    pub(crate) mode: Option<Mode>,
    /// Packets/s of one class below which nothing is an attack.
    pub(crate) floor: Option<f64>,
    /// How many times what is usual is an attack.
    pub(crate) multiple: Option<f64>,
    /// A rule that would hit a larger share of honest packets or peers, 0…1, is only suggested.
    pub(crate) collateral_max: Option<f64>,
    /// Rules whose price is not known act too.
    pub(crate) blind: Option<bool>,
    /// SYNs of a flood are challenged, where that is on at all.
    pub(crate) challenge: Option<bool>,
    /// Packets/s to which rules limit instead of dropping.
    pub(crate) limit: Option<f64>,
    /// What its service lives by.
    pub(crate) ordinary: Option<Vec<Shape>>,
    /// What no derived rule may drop.
    pub(crate) never_drop: Option<Vec<Shape>>,
}

/// A prefix with wishes of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// Which.
    pub(crate) prefix: Prefix,
    /// What it is like.
    pub(crate) profile: Option<String>,
    /// What it says itself.
    pub(crate) wishes: Wishes,
}

/// What a customer says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CustomerTerms {
    /// Its name.
    pub(crate) name: String,
    /// Its networks.
    pub(crate) networks: Vec<Prefix>,
    /// What it is like.
    pub(crate) profile: Option<String>,
    /// What it says itself: how far to go.
    pub(crate) wishes: Wishes,
}

/// An allowed source, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowSection {
    source: Spanned<Prefix>,
    destination: Prefix,
    protocol: Option<String>,
    port: Option<u16>,
    ceiling: Option<String>,
    owner: String,
    reason: String,
    until: Option<Timestamp>,
}

/// Keys of a profile. Texts of profiles are ours; tests read all of them.
pub(crate) fn wishes(section: Section) -> Result<Wishes, String> {
    let mut wrong = Vec::new();
    let wishes = read(section, &mut |_, message| wrong.push(message)).1;
    wrong.into_iter().next().map_or(Ok(wishes), Err)
}

fn read(section: Section, say: &mut dyn FnMut(usize, String)) -> (Option<String>, Wishes) {
    if let Some(multiple) = section.multiple.as_ref().filter(|n| !MULTIPLES.contains(n.get_ref())) {
        say(
            multiple.span().start,
            "multiple is how many times what is usual is an attack; write 1.0 to 100.0".to_owned(),
        );
    }
    if let Some(share) = section.collateral_max.as_ref().filter(|n| !(0.0..=1.0).contains(n.get_ref())) {
        let message = "collateral_max is a share of honest traffic; write 0.0 to 1.0, like 0.05";
        say(share.span().start, message.to_owned());
    }
    let mut shapes = |key: &str, written: Option<Vec<Spanned<String>>>| {
        let one = |text: Spanned<String>| match shape(text.get_ref()) {
            Ok(shape) => Some(shape),
            Err(why) => {
                say(text.span().start, format!("{key}: {why}"));
                None
            }
        };
        written.map(|all| all.into_iter().filter_map(one).collect::<Vec<_>>())
    };
    let ordinary = shapes("ordinary", section.ordinary);
    let never_drop = shapes("never_drop", section.never_drop);
    let profile = section.profile.and_then(|name| match profile::find(name.get_ref()) {
        Ok(_) => Some(name.into_inner()),
        Err(why) => {
            say(name.span().start, why);
            None
        }
    });
    let wishes = Wishes {
        title: section.title,
        why: section.why,
        mode: section.mode,
        floor: section.floor.map(|rate| rate.0),
        multiple: section.multiple.map(Spanned::into_inner),
        collateral_max: section.collateral_max.map(Spanned::into_inner),
        blind: section.blind,
        challenge: section.challenge,
        limit: section.limit.map(|rate| rate.0),
        ordinary,
        never_drop,
    };
    (profile, wishes)
}

fn shape(text: &str) -> Result<Shape, String> {
    let wrong = |why: &str| {
        format!(
            "`{text}` are no packets in the rule language: {why}; write them like \"proto tcp dst-port 443\""
        )
    };
    let rules = rules::parse::rules(&format!("x {text} -> pass"))
        .map_err(|errors| wrong(&errors.first().map(ToString::to_string).unwrap_or_default()))?;
    match <[rules::Rule; 1]>::try_from(rules) {
        Ok([rule]) if rule.matches.dst.is_none() => {
            Ok(Shape { text: text.to_owned(), matches: rule.matches })
        }
        Ok(_) => Err(wrong("the destination is said already")),
        Err(_) => Err(wrong("one line each")),
    }
}

/// The targets, or what speaks against them.
pub(super) fn checked(
    problems: &mut Problems<'_>,
    networks: &[Prefix],
    sections: std::collections::BTreeMap<Spanned<String>, Section>,
) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    if sections.len() > SECTIONS_MAX {
        problems.at(0, format!("at most {SECTIONS_MAX} sections [target] are taken"));
    }
    for (name, section) in sections {
        let (start, text) = (name.span().start, name.get_ref());
        let Ok(prefix) = text.parse::<Prefix>() else {
            problems.at(start, format!("`{text}` is not a prefix; write [target.\"198.51.100.0/28\"]"));
            continue;
        };
        if !networks.iter().any(|own| own.covers(&prefix)) {
            problems.at(start, format!("{prefix} is not inside `networks`; add it there too"));
        }
        if targets.iter().any(|other| other.prefix == prefix) {
            problems.at(start, format!("{prefix} has two sections [target]; make one of them"));
        }
        let (profile, wishes) = read(section, &mut |at, message| problems.at(at, message));
        targets.push(Target { prefix, profile, wishes });
    }
    // the longest first, then in order
    targets.sort_by_key(|target| (std::cmp::Reverse(target.prefix.bits()), target.prefix));
    targets
}

/// The profile of a customer by its name.
pub(super) fn named(problems: &mut Problems<'_>, name: Option<&Spanned<String>>) -> Option<String> {
    let name = name?;
    match profile::find(name.get_ref()) {
        Ok(_) => Some(name.get_ref().clone()),
        Err(why) => {
            problems.at(name.span().start, why);
            None
        }
    }
}

/// Allowed sources, or what speaks against them.
pub(super) fn allowed(
    problems: &mut Problems<'_>,
    networks: &[Prefix],
    (limits_held, usual): (bool, Ceiling),
    sections: Vec<AllowSection>,
) -> Vec<Allowed> {
    let mut out = Vec::new();
    if sections.len() > crate::policy::allow::ALLOW_MAX {
        let most = crate::policy::allow::ALLOW_MAX;
        problems.at(0, format!("at most {most} sections [[allow]] are taken; join prefixes"));
    }
    for section in sections {
        let start = section.source.span().start;
        let ceiling = section.ceiling.as_deref().map(str::parse::<Ceiling>).transpose();
        let protocol = section.protocol.as_deref().map(crate::policy::allow::protocol).transpose();
        let (ceiling, protocol) = match (ceiling, protocol) {
            (Ok(ceiling), Ok(protocol)) => (ceiling.unwrap_or(usual), protocol),
            (Err(why), _) | (_, Err(why)) => {
                problems.at(start, why);
                continue;
            }
        };
        let one = Allowed {
            source: section.source.into_inner(),
            destination: section.destination,
            protocol,
            port: section.port,
            ceiling,
            owner: section.owner,
            reason: section.reason,
            until: section.until,
        };
        match one.check(networks, limits_held).and_then(|()| crate::policy::allow::room(&out, &one)) {
            Ok(()) => out.push(one),
            Err(why) => problems.at(start, why),
        }
    }
    out
}

/// Says which of these names is nearest.
pub(crate) fn nearest(name: &str, known: &[&str]) -> String {
    suggestion(name, known)
}

/// How far to go, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ModeWord {
    /// Watch and tell
    Observe,
    /// Also show what rules would do
    Suggest,
    /// Also let them act
    Enforce,
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Observe => Self::Observe,
            ModeWord::Suggest => Self::Suggest,
            ModeWord::Enforce => Self::Enforce,
        }
    }
}
