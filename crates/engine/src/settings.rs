//! What the operator decides, as the engine needs it.

use base::{Prefix, Span};

pub use detect::profile::{Floor, Profile};

/// How far the engine may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Watch and tell.
    #[default]
    Observe,
    /// Also derive rules, for a person to approve.
    Suggest,
    /// Also hand them to the enforcers.
    Enforce,
}

/// Everything that steers decisions. Two engines with equal settings and inputs give equal outputs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Capture (offline, no harm floor) or daemon.
    pub profile: Profile,
    /// The operator's own networks; empty: every destination is a possible victim.
    pub networks: Vec<Prefix>,
    /// Harm floor of the daemon.
    pub floor: Floor,
    /// How far to go.
    pub mode: Mode,
    /// From decision to effect.
    pub install_delay: Span,
    /// How long a derived rule holds unless it is renewed.
    pub lease: Span,
    /// Length of a tick.
    pub tick: Span,
    /// Quiet time that ends an attack.
    pub quiet: Span,
    /// Prefixes never to be cut (resolvers, monitors, peers).
    pub spare: Vec<Prefix>,
}

impl Settings {
    /// The defaults of a profile.
    pub fn of(profile: Profile) -> Self {
        Self {
            profile,
            networks: Vec::new(),
            floor: Floor::Default,
            mode: Mode::Observe,
            install_delay: Span::from_millis(50),
            lease: Span::from_secs(900),
            tick: match profile {
                Profile::Capture => Span::from_millis(50),
                Profile::Daemon => Span::from_millis(250),
            },
            quiet: Span::from_secs(60),
            spare: Vec::new(),
        }
    }
}
