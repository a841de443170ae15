//! An attack that is only imagined, through the whole chain: telemetry, detection, filters, what they would do to both kinds of
//! traffic, and what this configuration would then do with them.
//!
//! [`chain`] makes a world and lets the engine look at it through a router's flow export, [`effect`] counts what its rules do to
//! the same packets, and [`outcome`] asks policy and ladder. All of it is a calculation in virtual time. **Invariant:** no socket,
//! no packet, no file that is written; a running daemon is asked for its mode, and for nothing else.

mod chain;
mod effect;
mod outcome;
mod vector;

use std::net::IpAddr;

use base::{Prefix, Span, Timestamp};
use serde_json::{Value, json};
use sim::aimed::{AROUND, Aimed};

use crate::config::Config;
use crate::error::usage;
pub(crate) use outcome::Said;
pub(crate) use vector::resolve;

/// The most packets that a simulation looks at: those of which a sample is made.
const SAMPLES_MAX: f64 = 3e6;
/// The world's clock begins here, whatever the time is: the same question has the same answer.
const START: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Ordinary traffic alone, before the attack.
const CALM: Span = Span::from_secs(60);

/// What is to be imagined.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// By the interface's name.
    pub(crate) vector: String,
    /// Whom it hits.
    pub(crate) target: Prefix,
    /// Packets per second.
    pub(crate) pps: f64,
    /// Of honest traffic to the target.
    pub(crate) honest: f64,
    /// How long.
    pub(crate) lasts: Span,
    /// Of how many packets a router tells one.
    pub(crate) sampling: u32,
    /// Other packets of the same kind.
    pub(crate) seed: u64,
}

/// Imagines it. `said` is what a running daemon says of the target's mode.
///
/// # Errors
/// It cannot be imagined like this: what is wrong, and the remedy.
pub(crate) fn run(config: &Config, wish: &Wish, said: Option<Said>) -> anyhow::Result<Value> {
    let target = wish.target;
    if !config.networks.iter().any(|own| own.covers(&target)) {
        let own: Vec<String> = config.networks.iter().take(8).map(ToString::to_string).collect();
        return Err(usage(format!(
            "{target} is not inside `networks` ({}): aim at an address of yours, or add its network in {}",
            own.join(", "),
            config.path.display()
        )));
    }
    let seconds = CALM.as_secs_f64() + wish.lasts.as_secs_f64();
    let samples = (wish.pps + wish.honest + AROUND) * seconds / f64::from(wish.sampling.max(1));
    if samples > SAMPLES_MAX {
        return Err(usage(format!(
            "that is {samples:.0} samples to look at, and {SAMPLES_MAX} are the most: a lower --pps, a shorter --for, or a higher --sampling"
        )));
    }
    let aimed = Aimed {
        vector: wish.vector.clone(),
        target,
        networks: config.networks.clone(),
        pps: wish.pps,
        honest: wish.honest,
        start: START,
        calm: CALM,
        lasts: wish.lasts,
        thin: wish.sampling,
        seed: wish.seed,
    };
    let found = chain::run(config, &aimed, router(config, target))?;
    let effect = effect::measure(&aimed, &found, config.rules.install_delay)?;
    let outcome = outcome::of(config, &wish.target, &found, said, effect.honest);
    Ok(json!({
        "simulated": true,
        "vector": wish.vector,
        "target": target,
        "pps": wish.pps,
        "honest_pps": wish.honest,
        "seconds": wish.lasts.as_secs_f64(),
        "sampling": wish.sampling,
        "detected": found.attack().is_some(),
        "detected_after_seconds": found.delay(&aimed),
        "attack": found.attack(),
        "attacks": found.attacks().len(),
        "other_reports": found.others,
        "effect": effect.document(),
        "policy": outcome.policy,
        "mode_by": outcome.mode_by,
        "rules": outcome.rules,
        "routers": outcome.routers,
        "why_not_more": outcome.why_not_more,
        "next": outcome.next,
    }))
}

/// A router of which the configuration says nothing, so that it is taken at its word.
fn router(config: &Config, target: Prefix) -> IpAddr {
    let known = |address: &IpAddr| config.exporters.iter().any(|(known, _)| known == address);
    let mut all = (1..=254u8).map(|last| IpAddr::from([192, 0, 2, last]));
    all.find(|address| !known(address)).unwrap_or_else(|| target.addr())
}
