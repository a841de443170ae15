//! What can be asked of the desk: the same words on the control socket and behind the API.

use std::net::IpAddr;

use base::Prefix;
use serde::{Deserialize, Serialize};

use super::allow::Ceiling;
use super::values::mode_name;
use crate::config::target::ModeWord;

/// A source that shall always pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow {
    pub(crate) source: Prefix,
    pub(crate) destination: Prefix,
    pub(crate) protocol: Option<u8>,
    pub(crate) port: Option<u16>,
    /// `None`: the default.
    pub(crate) ceiling: Option<Ceiling>,
    /// Seconds; `None`: until somebody removes it.
    pub(crate) hold: Option<u64>,
    pub(crate) reason: String,
    /// A customer asks: the ceiling has a bound, and so has the number.
    #[serde(default)]
    pub(crate) bounded: bool,
}

/// A rule that a person makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    /// In the rule language, with or without an id, which is given anew.
    pub(crate) rule: String,
    /// Seconds; `None`: the rule's own, else the configured lease.
    pub(crate) hold: Option<u64>,
    pub(crate) reason: String,
    /// Only say what would be.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// From where it is asked over the API: its own way in is not cut.
    #[serde(default)]
    pub(crate) from: Option<IpAddr>,
    /// `SSH_CONNECTION` of who asks: nor is that.
    #[serde(default)]
    pub(crate) ssh: Option<String>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// What holds for a prefix, and why.
    Show { prefix: Prefix },
    /// Prefixes of which something of their own is said.
    Targets,
    /// What profiles there are.
    Profiles,
    /// How far to go for a prefix; `None`: as the configuration has it.
    Mode { prefix: Prefix, mode: Option<ModeWord>, hold: Option<u64>, reason: String },
    /// How far to go where nothing narrower says it, what says otherwise, and what could act.
    Stance,
    /// How far to go where nothing narrower says it; `None`: as the file has it.
    General { mode: Option<ModeWord>, hold: Option<u64>, reason: String },
    /// Nothing acts for anybody from now on, not even what people asked for.
    Panic { reason: String },
    /// Things may act again.
    Resume { reason: String },
    /// Allowed sources; of those, who allows this one.
    Allowed { source: Option<Prefix> },
    /// One more.
    Allow(Allow),
    /// One less.
    Disallow { id: u64, reason: String },
    /// An attack is over, says who asks.
    Close { attack: String, reason: String },
    /// Something is written to an attack; whoever asks has looked whether there is one.
    Note { attack: String, text: String },
    /// A rule that a person made holds for so long from now.
    ExtendRule { id: String, hold: u64, reason: String },
    /// What was taken back.
    Exceptions,
    /// The engine may set it again.
    EndException { id: u64, reason: String },
    /// Rules that people made, and those of the engine that can be taken back.
    Rules,
    /// One more.
    MakeRule(Made),
    /// It stays to its end.
    ConfirmRule { id: String, reason: String },
    /// One that a person made ends; one of the engine is taken back for a while.
    TakeBack { rule: String, hold: Option<u64>, reason: String },
    /// What stands before this is carried out.
    Before(Box<Self>),
}

impl Order {
    /// Why; `None`: it changes nothing.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Show { .. }
            | Self::Targets
            | Self::Stance
            | Self::Profiles
            | Self::Allowed { .. }
            | Self::Exceptions
            | Self::Rules
            | Self::Before(_) => None,
            Self::MakeRule(made) => (!made.dry_run).then_some(&made.reason),
            Self::Allow(allow) => Some(&allow.reason),
            Self::Note { text, .. } => Some(text),
            Self::Mode { reason, .. }
            | Self::General { reason, .. }
            | Self::Panic { reason }
            | Self::Resume { reason }
            | Self::Disallow { reason, .. }
            | Self::EndException { reason, .. }
            | Self::Close { reason, .. }
            | Self::ConfirmRule { reason, .. }
            | Self::ExtendRule { reason, .. }
            | Self::TakeBack { reason, .. } => Some(reason),
        }
    }

    /// Whose it is, by this, where the order itself says it.
    pub(crate) fn about(&self) -> Option<Prefix> {
        match self {
            Self::Mode { prefix, .. } => Some(*prefix),
            Self::Allow(allow) => Some(allow.destination),
            _ => None,
        }
    }

    /// As the audit trail has it: what, and to what.
    pub(crate) fn deed(&self) -> (&'static str, String) {
        match self {
            Self::Mode { prefix, .. } => ("target.mode", prefix.to_string()),
            Self::General { mode, .. } => {
                ("mode", mode.map_or("inherit", |mode| mode_name(mode.into())).to_owned())
            }
            Self::Panic { .. } => ("panic", "everything".to_owned()),
            Self::Resume { .. } => ("resume", "everything".to_owned()),
            Self::Allow(allow) => ("allow.add", format!("{} to {}", allow.source, allow.destination)),
            Self::Disallow { id, .. } => ("allow.remove", id.to_string()),
            Self::Close { attack, .. } => ("attack.close", attack.clone()),
            Self::EndException { id, .. } => ("exception.end", id.to_string()),
            Self::MakeRule(made) => ("rule.add", made.rule.clone()),
            Self::Note { attack, .. } => ("attack.note", attack.clone()),
            Self::ExtendRule { id, .. } => ("rule.extend", id.clone()),
            Self::ConfirmRule { id, .. } => ("rule.confirm", id.clone()),
            Self::TakeBack { rule, .. } => ("rule.withdraw", rule.clone()),
            Self::Show { .. }
            | Self::Targets
            | Self::Stance
            | Self::Profiles
            | Self::Allowed { .. }
            | Self::Exceptions
            | Self::Rules
            | Self::Before(_) => ("look", String::new()),
        }
    }
}
