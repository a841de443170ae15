//! Whether the RPKI lets us announce what is ours (RFC 6811): an optional rail.
//!
//! [`Vrps`] is what a cache told, [`Client`] asks it (RFC 8210), [`Ownership`] is the rail. A `/32` under a ROA that ends at
//! `/24` is invalid, and who validates drops it, so a blackhole may never arrive; neighbours that accept blackholes without
//! validation are the operator's knowledge, and then this rail is told so.

mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Prefix;
use wire::rtr::Vrp;

use crate::rails::{Class, Refusal};

pub use client::{Client, Output, Settings};

/// What a cache told, at most, where nothing else is configured. In 2025 there are about 800,000 of them.
pub const VRPS_MAX: usize = 2_000_000;

/// What the RPKI says of an announcement (RFC 6811 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Somebody who may says that this AS may announce it.
    Valid,
    /// Another AS may, or not a part so small.
    Invalid {
        /// This AS may announce it up to this length; `None`: it may announce nothing of it.
        up_to: Option<u8>,
    },
    /// Nobody says anything of it.
    NotFound,
}

/// Who may announce what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vrps {
    by_prefix: BTreeMap<Prefix, BTreeSet<(u32, u8)>>,
    count: usize,
}

impl Vrps {
    /// Adds one; false where it was there.
    pub fn insert(&mut self, vrp: Vrp) -> bool {
        let fresh = self.by_prefix.entry(vrp.prefix).or_default().insert((vrp.asn, vrp.max_length));
        self.count += usize::from(fresh);
        fresh
    }

    /// Removes one; false where it was not there.
    pub fn remove(&mut self, vrp: Vrp) -> bool {
        let Some(all) = self.by_prefix.get_mut(&vrp.prefix) else { return false };
        let was = all.remove(&(vrp.asn, vrp.max_length));
        if all.is_empty() {
            self.by_prefix.remove(&vrp.prefix);
        }
        self.count -= usize::from(was);
        was
    }

    /// How many.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether this AS may announce this prefix.
    pub fn validity(&self, prefix: Prefix, asn: u32) -> Validity {
        let mut covered = false;
        let mut up_to = None;
        for length in 0..=prefix.bits() {
            let Some(all) = self.by_prefix.get(&Prefix::of(prefix.addr(), length)) else { continue };
            covered = true;
            // Nothing is announced by AS 0 (RFC 6483 §4).
            for (_, max_length) in all.iter().filter(|(may, _)| *may == asn && asn != 0) {
                if *max_length >= prefix.bits() {
                    return Validity::Valid;
                }
                up_to = up_to.max(Some(*max_length));
            }
        }
        if covered { Validity::Invalid { up_to } } else { Validity::NotFound }
    }
}

/// The rail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// What the cache told; `None`: it has not told all yet, or not for too long.
    pub vrps: Option<Arc<Vrps>>,
    /// The AS that our neighbours see as the origin.
    pub asn: u32,
    /// Refuse also what nobody says anything of, and everything while the cache has told nothing.
    pub strict: bool,
    /// Neighbours take blackholes without validation: those are judged as if their prefix were as short as the ROA has it.
    pub blackholes_unvalidated: bool,
}

impl Ownership {
    /// Whether it may be announced.
    ///
    /// # Errors
    /// What the RPKI says, and what to do.
    pub fn check(&self, prefix: Prefix, class: Class) -> Result<(), Refusal> {
        let refusal = |state, hint| Err(Refusal::Rpki { prefix, state, hint });
        // Rules are validated by the unicast route to their destination (RFC 8955 §6), which is there already.
        if class == Class::Flowspec {
            return Ok(());
        }
        let Some(vrps) = &self.vrps else {
            return match self.strict {
                true => {
                    refusal("not known", "the RPKI cache tells nothing: see that it runs, or end `strict`")
                }
                false => Ok(()),
            };
        };
        match vrps.validity(prefix, self.asn) {
            Validity::Valid => Ok(()),
            Validity::NotFound if self.strict => refusal("not found", "make a ROA for it, or end `strict`"),
            Validity::NotFound => Ok(()),
            Validity::Invalid { up_to: Some(_) }
                if class == Class::Blackhole && self.blackholes_unvalidated =>
            {
                Ok(())
            }
            Validity::Invalid { up_to: Some(_) } => refusal(
                "invalid",
                "its ROA does not allow parts so small: raise the ROA's maxLength, or say that the neighbours take blackholes unvalidated",
            ),
            Validity::Invalid { up_to: None } => {
                refusal("invalid", "its ROAs name other ASes: make one for ours, or correct `networks`")
            }
        }
    }
}
