//! `dataplane.challenge`: how the daemon challenges SYNs by itself, or not.

use dataplane::Challenge;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::dataplane::Engine;

/// What is asked for; `None`: no challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask(pub(super) Option<Challenge>);

impl Ask {
    /// Without a word: on the host's own addresses alone. There a challenge cuts no client off, and what is forwarded goes on
    /// as it did; beyond it the gateway has to see both directions of each connection, and only the operator knows whether it
    /// does. nftables cannot.
    pub(super) const fn default(engine: Engine) -> Self {
        match engine {
            Engine::Xdp => Self(Some(Challenge::Host)),
            Engine::Nftables => Self(None),
        }
    }
}

/// As it is written.
const NAMES: &[&str] = &["host", "auto", "gateway", "reset", "first", "off"];

struct Form;

impl Visitor<'_> for Form {
    type Value = Ask;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("true, false, \"host\", \"auto\", \"gateway\", \"reset\", \"first\" or \"off\"")
    }

    /// `true` is what `spillway dataplane attach` does with a challenge.
    fn visit_bool<E: de::Error>(self, on: bool) -> Result<Ask, E> {
        Ok(Ask(on.then_some(Challenge::Auto)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Ask, E> {
        Ok(Ask(match text {
            "host" => Some(Challenge::Host),
            "auto" => Some(Challenge::Auto),
            "gateway" => Some(Challenge::Gateway),
            "reset" => Some(Challenge::Reset),
            "first" => Some(Challenge::First),
            "off" => None,
            _ => return Err(de::Error::unknown_variant(text, NAMES)),
        }))
    }
}

impl<'de> Deserialize<'de> for Ask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}
