//! A narrower rule where little is known of whom a wide one would harm.

use wire::packet::{ICMP, ICMP6};

use super::beam::State;
use super::excerpt::{Excerpt, Item};
use super::fact::{Ask, Slot};
use super::shape::{Kind, Segment, Shape};

/// What a narrowed rule still covers of its shape.
const STILL: f64 = 0.97;
/// Fewer honest samples of a shape than this say little about it.
const THIN: usize = 30;

/// Where little is known of honest traffic and the rule looks like it, a length, window or TTL that the whole attack
/// shares, early and late, is worth asking even though FlowSpec cannot say all of them.
pub(crate) fn narrow(excerpt: &Excerpt<'_>, items: &[Item], state: &mut State) {
    let shape = &excerpt.cell.shape;
    let count = state.attack.count();
    let originals = excerpt.attack.in_arena(&state.attack).count_and(&excerpt.arena.originals);
    if excerpt.benign.rows.len() >= THIN || originals < 50 || !looks_honest(shape, items, state) {
        return;
    }
    let least = STILL * excerpt.arena.attack_share * excerpt.attack.rows.len() as f64;
    let early = state.attack.first(count / 2);
    for slot in telling(shape.kind) {
        if state.facts.of(items).any(|i| i.fact.slot == *slot) {
            continue;
        }
        let best = items
            .iter()
            .enumerate()
            .filter(|(_, i)| i.fact.slot == *slot && i.fact.tight > 0.96)
            .filter(|(_, i)| {
                let (before, all) =
                    (i.attack.count_and(&early) as f64, i.attack.count_and(&state.attack) as f64);
                let drift = before / (count / 2) as f64 - (all - before) / (count - count / 2) as f64;
                all >= least && drift.abs() < 0.03
            })
            .max_by(|a, b| a.1.fact.tight.total_cmp(&b.1.fact.tight).then(b.0.cmp(&a.0)));
        if let Some((at, item)) = best {
            state.attack = state.attack.and(&item.attack);
            state.benign = state.benign.and(&item.benign);
            state.facts = state.facts.with(at);
            return;
        }
    }
}

/// What tells a generator from honest stacks, the most telling and best expressible first. Honest resets have window 0
/// as well.
const fn telling(kind: Kind) -> &'static [Slot] {
    match kind {
        Kind::Tcp(Segment::Rst) => &[Slot::Ttl],
        Kind::Tcp(Segment::Syn | Segment::SynAck) => &[Slot::Window, Slot::Ttl],
        Kind::Tcp(_) => &[Slot::Length, Slot::Window, Slot::Ttl],
        Kind::Plain => &[Slot::Length, Slot::Ttl],
        // Each reflector has its own distance, and its path its own fragment size.
        Kind::Later => &[],
    }
}

/// Whether honest packets of common stacks have this shape: opening segments carry options, others need none.
fn looks_honest(shape: &Shape, items: &[Item], state: &State) -> bool {
    let facts = || state.facts.of(items).map(|i| &i.fact);
    if facts().any(|f| f.slot == Slot::Source) {
        return false;
    }
    match shape.kind {
        Kind::Tcp(Segment::Odd) => false,
        Kind::Tcp(Segment::Syn | Segment::SynAck) => {
            !facts().any(|f| f.slot == Slot::Length)
                || facts().any(|f| match &f.ask {
                    Ask::Numbers(n) if f.slot == Slot::Length => {
                        n.0.iter().any(|r| r.from <= 80 && r.to >= 48)
                    }
                    _ => false,
                })
        }
        Kind::Tcp(_) => true,
        // Errors and echoes are what hosts send all the time.
        Kind::Plain if matches!(shape.protocol, ICMP | ICMP6) => true,
        Kind::Later | Kind::Plain => facts().map(|f| f.tight).sum::<f64>() < 1.5,
    }
}
