//! `[routing.rpki]`: caches that say whose a prefix is, and how strictly they are heard.

use std::net::SocketAddr;

use serde::Deserialize;
use toml::Spanned;

use crate::config::check::Problems;
use crate::config::values::Address;

/// Caches at most.
const CACHES_MAX: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    caches: Vec<Spanned<Address>>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    blackholes_unvalidated: bool,
}

/// What the RPKI is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpki {
    /// Caches (RFC 8210), the most trusted first.
    pub caches: Vec<SocketAddr>,
    /// Refuse also what nobody says anything of, and everything while no cache has told all.
    pub strict: bool,
    /// Neighbours take blackholes that are longer than their ROA.
    pub blackholes_unvalidated: bool,
}

/// The section, or what speaks against it.
pub(super) fn checked(problems: &mut Problems<'_>, at: usize, section: &Section) -> Rpki {
    let mut caches: Vec<SocketAddr> = Vec::new();
    for cache in &section.caches {
        let (address, at) = (cache.get_ref().0, cache.span().start);
        if caches.contains(&address) {
            problems.at(at, format!("{address} stands here twice; keep one"));
        }
        if address.ip().is_unspecified() || address.port() == 0 {
            problems
                .at(at, format!("{address} is not where a cache listens; write it like \"127.0.0.1:3323\""));
        }
        caches.push(address);
    }
    if caches.is_empty() || caches.len() > CACHES_MAX {
        let message = format!(
            "[routing.rpki] names 1 to {CACHES_MAX} caches, like caches = [\"127.0.0.1:3323\"]; to ask none, leave the section out"
        );
        problems.at(section.caches.first().map_or(at, |cache| cache.span().start), message);
    }
    Rpki { caches, strict: section.strict, blackholes_unvalidated: section.blackholes_unvalidated }
}
