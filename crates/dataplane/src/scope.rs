//! Entries of lists that hold for some packets of their source only, or up to a ceiling: `bpf/scope.h`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use base::Prefix;
use base::prefix::wide;
use rules::Action;

use crate::abi::{self, LISTS, put, word};
use crate::error::Error;
use crate::plane::Plane;
use crate::policy::Policy;

/// `SCOPES_MAX`.
pub(crate) const SCOPES_MAX: usize = 16_384;
/// `CHAIN_MAX`.
pub(crate) const CHAIN_MAX: usize = 8;
/// Octets of `struct scope`.
const SIZE: usize = 64;

/// Packets of a source for which an entry holds. `None` asks nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Their destination, of the source's family.
    pub destination: Option<Prefix>,
    /// Their upper-layer protocol.
    pub protocol: Option<u8>,
    /// Their destination port, of TCP or UDP.
    pub port: Option<u16>,
}

/// How much passes of what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ceiling {
    /// Packets a second.
    Packets(f64),
    /// Layer-3 bits a second.
    Bits(f64),
}

/// An allowed source. What is above the ceiling is treated as if it was not allowed: a flood that is spoofed from there gets no
/// further than others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allow {
    /// The source.
    pub source: Prefix,
    /// For which of its packets this holds.
    pub scope: Scope,
    /// Of all of them together.
    pub ceiling: Option<Ceiling>,
}

/// A source that is blocked for some packets only, as those to one protected destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The source.
    pub source: Prefix,
    /// Which of its packets are dropped.
    pub scope: Scope,
}

/// Entries of a list with the value that its table has for them.
pub(crate) type Valued = Vec<(Prefix, u32)>;

/// The scopes of a set, as the programs read them.
#[derive(Debug, Default)]
pub(crate) struct Scopes(Vec<[u8; SIZE]>);

impl Scopes {
    /// Adds the scopes of one source prefix in one list; gives the value of its entry.
    fn chain(&mut self, source: Prefix, of: &[(Scope, Option<Ceiling>)]) -> Result<u32, Error> {
        let place = self.0.len() + 1;
        if of.len() > CHAIN_MAX || place + of.len() > SCOPES_MAX {
            return Err(Error::Scopes { source_prefix: source });
        }
        for (i, (scope, ceiling)) in of.iter().enumerate() {
            let next = if i + 1 == of.len() { 0 } else { u32::try_from(place + i + 1).unwrap_or(0) };
            self.0.push(octets(scope, *ceiling, next));
        }
        Ok(u32::try_from(place).unwrap_or(0))
    }

    /// The entries of a list: those that hold for all packets of their source have the value 0, and precede.
    pub(crate) fn entries(
        &mut self,
        mut scoped: Vec<(Prefix, Scope, Option<Ceiling>)>,
    ) -> Result<Valued, Error> {
        scoped.sort_by_key(|(source, ..)| *source);
        scoped
            .chunk_by(|(a, ..), (b, ..)| a == b)
            .filter_map(|same| Some((same.first()?.0, same)))
            .map(|(source, same)| {
                let wrong =
                    same.iter().find(|s| s.1.destination.is_some_and(|d| d.is_ipv4() != source.is_ipv4()));
                if wrong.is_some() {
                    return Err(Error::Families { source_prefix: source });
                }
                if same.iter().any(|(_, scope, ceiling)| *scope == Scope::default() && ceiling.is_none()) {
                    return Ok((source, 0));
                }
                let scopes: Vec<_> = same.iter().map(|(_, scope, ceiling)| (*scope, *ceiling)).collect();
                Ok((source, self.chain(source, &scopes)?))
            })
            .collect()
    }

    /// The value of an entry that is not listed whatever wider ones say.
    pub(crate) fn exempt(&mut self) -> Option<u32> {
        let place = u32::try_from(self.0.len() + 1).ok().filter(|_| self.0.len() < SCOPES_MAX)?;
        let mut out = octets(&Scope::default(), None, 0);
        put(&mut out, 63, &[EXEMPT]);
        self.0.push(out);
        Some(place)
    }
}

impl Plane {
    /// The scopes of a policy, and the entries of its lists that have a value.
    pub(crate) fn valued(&self, policy: &Policy) -> Result<(Scopes, [Valued; LISTS]), Error> {
        let mut scopes = Scopes::default();
        let allow = policy.allow_within.iter().map(|a| (a.source, a.scope, a.ceiling));
        let whole = |list: &[Prefix]| list.iter().copied().collect::<BTreeSet<_>>();
        let mut allow = scopes.entries(allow.collect())?;
        if !allow.is_empty() {
            let whole = whole(&policy.allow);
            allow.retain(|(source, _)| !whole.contains(source));
        }
        let block = policy.block_within.iter().map(|b| (b.source, b.scope, None));
        let mut block = scopes.entries(block.collect())?;
        if !block.is_empty() {
            let whole = whole(&policy.block);
            block.retain(|(source, _)| !whole.contains(source));
        }
        let listed = policy.block.iter().chain(block.iter().map(|(source, _)| source));
        let exempt = self.exempt(listed)?;
        if let Some(first) = exempt.first() {
            let value = scopes.exempt().ok_or(Error::Scopes { source_prefix: *first })?;
            block.retain(|(source, _)| !exempt.contains(source));
            block.extend(exempt.into_iter().map(|own| (own, value)));
        }
        Ok((scopes, [allow, block, Vec::new()]))
    }

    /// Writes the scopes of a set; no program looks there meanwhile.
    pub(crate) fn write_scopes(&self, scopes: &Scopes, set: u32) -> Result<(), Error> {
        let base = set * u32::try_from(SCOPES_MAX).unwrap_or(0);
        let keys: Vec<u8> = (base..).take(scopes.0.len()).flat_map(u32::to_ne_bytes).collect();
        let written = self.maps.get("scopes")?.set_all(&keys, &scopes.0.concat());
        written.map_err(Error::system("writing the scopes of lists"))
    }

    /// Packets of allowed sources above their ceiling.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn over_ceiling(&self) -> Result<u64, Error> {
        Ok(self.maps.read("over_ceiling", 0)?.chunks(8).map(|one| word(one, 0)).sum())
    }
}

const PROTOCOL: u8 = 1;
const PORT: u8 = 2;
const CEILING: u8 = 4;
const BITS: u8 = 8;
const EXEMPT: u8 = 16;

/// `struct scope`.
fn octets(scope: &Scope, ceiling: Option<Ceiling>, next: u32) -> [u8; SIZE] {
    let mut out = [0; SIZE];
    if let Some(prefix) = scope.destination {
        let width = if prefix.is_ipv4() { 32 } else { 128 };
        let all = u128::MAX >> (128 - width);
        let mask = all ^ all.checked_shr(prefix.bits().into()).unwrap_or(0);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        let addr = wide(prefix.addr()) & mask;
        for (at, word) in [(0, half(addr >> 64)), (8, half(addr)), (16, half(mask >> 64)), (24, half(mask))] {
            put(&mut out, at, &word.to_ne_bytes());
        }
    }
    let mut flags = 0;
    if let Some(ceiling) = ceiling {
        flags |= CEILING;
        let action = match ceiling {
            Ceiling::Packets(rate) => Action::RatePackets(rate),
            Ceiling::Bits(rate) => {
                flags |= BITS;
                Action::RateBits(rate)
            }
        };
        let (interval, burst) = abi::bucket(action);
        put(&mut out, 32, &interval.to_ne_bytes());
        put(&mut out, 40, &burst.to_ne_bytes());
    }
    put(&mut out, 56, &next.to_ne_bytes());
    if let Some(port) = scope.port {
        flags |= PORT;
        put(&mut out, 60, &port.to_ne_bytes());
    }
    if let Some(protocol) = scope.protocol {
        flags |= PROTOCOL;
        put(&mut out, 62, &[protocol]);
    }
    put(&mut out, 63, &[flags]);
    out
}
