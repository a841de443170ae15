//! `[dataplane]`: filters on interfaces of this machine.

use std::path::PathBuf;

use base::Span;
use dataplane::Challenge;
use rules::Rule;
use serde::Deserialize;
use toml::Spanned;

use super::challenge::Ask;
use super::check::Problems;
use super::values::Wait;

/// The longest name of an interface, in octets (`IFNAMSIZ` less the zero).
const NAME_MAX: usize = 15;
/// Signs of life come each second, and one may be late.
const PATIENCE_MIN: Span = Span::from_secs(3);
/// Rules at one time that the kernel's tables hold.
const RULES_MAX: usize = 16_384;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Section {
    interfaces: Vec<Spanned<String>>,
    engine: Engine,
    telemetry: bool,
    rules_max: Spanned<usize>,
    collateral_max: Spanned<f64>,
    blind: bool,
    challenge: Option<Spanned<Ask>>,
    dead_man: DeadMan,
    dead_man_after: Spanned<Wait>,
    rules: Option<Spanned<PathBuf>>,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            engine: Engine::Xdp,
            telemetry: true,
            rules_max: Spanned::new(0..0, 1000),
            collateral_max: Spanned::new(0..0, 0.05),
            blind: false,
            challenge: None,
            dead_man: DeadMan::DryRun,
            dead_man_after: Spanned::new(0..0, Wait(Span::from_secs(60))),
            rules: None,
        }
    }
}

/// What filters in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Programs in the driver, before the kernel spends anything on a packet.
    #[default]
    Xdp,
    /// Rules of nftables, for machines where XDP is not wanted. No local packets as telemetry.
    Nftables,
}

/// What becomes of automatic rules when nobody is there to take them back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DeadMan {
    /// They count what they would drop, and drop nothing.
    #[default]
    DryRun,
    /// They act until their leases end.
    Keep,
}

/// Filters on interfaces of this machine.
#[derive(Clone, Debug)]
pub struct Dataplane {
    /// Where packets arrive. Empty: no filters.
    pub interfaces: Vec<String>,
    /// What filters there.
    pub engine: Engine,
    /// Packets that arrive are telemetry too.
    pub telemetry: bool,
    /// Rules in force at one time.
    pub rules_max: usize,
    /// A rule that would hit a larger share of honest packets or peers, 0…1, is only suggested.
    pub collateral_max: f64,
    /// Rules whose price is not known act too.
    pub blind: bool,
    /// How SYNs to a host under a SYN flood are challenged; `None`: they are not.
    pub challenge: Option<Challenge>,
    /// Without a sign of life for so long automatic rules stop to drop; `None`: they go on to the end of their leases.
    pub dead_man: Option<Span>,
    /// Rules made by hand: in force in every mode, without an end.
    pub by_hand: Vec<Rule>,
}

/// The section, or what speaks against it.
pub(super) fn checked(problems: &mut Problems<'_>, section: &Section) -> Dataplane {
    for (place, spanned) in section.interfaces.iter().enumerate() {
        let name = spanned.get_ref();
        let strange = |c: char| c == '/' || c == '"' || c.is_whitespace() || c.is_control();
        let odd = name.is_empty() || name.len() > NAME_MAX || name.starts_with('.') || name.contains(strange);
        if odd {
            let message = format!("`{name}` is not the name of an interface; see `ip link`");
            problems.at(spanned.span().start, message);
        }
        if section.interfaces.iter().take(place).any(|other| other.get_ref() == name) {
            problems.at(spanned.span().start, format!("{name} stands here twice; remove one of them"));
        }
    }
    if !(1..=RULES_MAX).contains(section.rules_max.get_ref()) {
        problems.at(section.rules_max.span().start, format!("rules_max must be 1 to {RULES_MAX}"));
    }
    if !(0.0..=1.0).contains(section.collateral_max.get_ref()) {
        let message = "collateral_max is a share of honest traffic; write 0.0 to 1.0, like 0.05";
        problems.at(section.collateral_max.span().start, message.to_owned());
    }
    let patience = section.dead_man_after.get_ref().0;
    if patience < PATIENCE_MIN {
        let message =
            format!("dead_man_after must be at least {PATIENCE_MIN}: signs of life come each second");
        problems.at(section.dead_man_after.span().start, message);
    }
    let asked = section.challenge.as_ref();
    if let Some(asked) = asked.filter(|asked| asked.get_ref().0.is_some() && section.engine != Engine::Xdp) {
        let message = "nftables cannot challenge a source; set engine to \"xdp\", or challenge to \"off\"";
        problems.at(asked.span().start, message.to_owned());
    }
    Dataplane {
        interfaces: section.interfaces.iter().map(|name| name.get_ref().clone()).collect(),
        engine: section.engine,
        telemetry: section.telemetry && section.engine == Engine::Xdp,
        rules_max: *section.rules_max.get_ref(),
        collateral_max: *section.collateral_max.get_ref(),
        blind: section.blind,
        challenge: asked.map_or_else(|| Ask::default(section.engine), |asked| *asked.get_ref()).0,
        dead_man: (section.dead_man == DeadMan::DryRun).then_some(patience),
        by_hand: section.rules.as_ref().map_or_else(Vec::new, |path| by_hand(problems, path)),
    }
}

/// Reads the rules that somebody made by hand.
fn by_hand(problems: &mut Problems<'_>, path: &Spanned<PathBuf>) -> Vec<Rule> {
    let (at, name) = (path.span().start, path.get_ref().display());
    let read = std::fs::read_to_string(path.get_ref());
    let text = match read {
        Ok(text) => text,
        Err(cause) => {
            problems.at(at, format!("{name} cannot be read: {cause}; check the path"));
            return Vec::new();
        }
    };
    let rules = rules::parse::rules(&text).unwrap_or_else(|wrong| {
        let first = wrong.first().map(ToString::to_string).unwrap_or_default();
        problems.at(at, format!("{name}: {first}"));
        Vec::new()
    });
    rules.into_iter().map(|rule| Rule { lease: None, ..rule }).collect()
}
