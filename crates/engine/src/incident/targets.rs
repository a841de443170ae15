//! Whom an attack hits, in as few prefixes as say it.

use base::Prefix;
use base::prefix::narrow;

use super::Incident;
use crate::tick::hosts;

impl Incident {
    /// The smallest set of prefixes that holds the attacked hosts.
    pub(crate) fn targets(&self) -> Vec<Prefix> {
        if self.key_is_host() && self.areas.len() == 1 {
            return self.areas.clone();
        }
        let victims: Vec<u128> = self.victims.sorted().into_iter().map(|(host, _)| *host).collect();
        let mut out = Vec::new();
        for area in &self.areas {
            let range = hosts(area);
            let from = victims.partition_point(|v| v < range.start());
            let to = victims.partition_point(|v| v <= range.end());
            dense(*area, victims.get(from..to).unwrap_or(&[]), &mut out);
        }
        if out.is_empty() {
            out.clone_from(&self.areas);
        }
        base::prefix::aggregate(out)
    }
}

/// Splits `block` until what is left is well filled with victims.
fn dense(block: Prefix, victims: &[u128], out: &mut Vec<Prefix>) {
    let Some(first) = victims.first() else { return };
    if victims.len() == 1 || block.is_host() {
        out.push(Prefix::host(narrow(*first)));
        return;
    }
    let free = if block.is_ipv4() { 32 - block.bits() } else { 128 - block.bits() };
    let size = if free >= 64 { u64::MAX } else { 1u64 << free };
    let filled = u64::try_from(victims.len()).unwrap_or(u64::MAX);
    let half_bits = block.bits() + 1;
    let lower = Prefix::of(block.addr(), half_bits);
    let split = victims.partition_point(|v| v <= hosts(&lower).end());
    let (a, b) = victims.split_at_checked(split).unwrap_or((victims, &[]));
    // In large blocks a random carpet leaves gaps: both halves busy alike will do.
    let even = filled >= 12 && a.len().min(b.len()) * 3 >= victims.len();
    if filled.saturating_mul(2) >= size || even {
        out.push(block);
        return;
    }
    dense(lower, a, out);
    if let Some(next) = b.first() {
        dense(Prefix::of(narrow(*next), half_bits), b, out);
    }
}
