//! The best rule for one cell.

use super::arena::{Arena, Cell, Pick};
use super::beam::{self, State};
use super::bits::Bits;
use super::excerpt::{Excerpt, Item};
use super::fact::Slot;
use super::fair::Fair;
use super::harvest;
use super::index::Index;
use super::narrow::narrow;
use super::shape::Kind;
use super::work;

/// Facts of a shape that are tried at most; the first offered stay.
pub(crate) const ITEMS_MAX: usize = 96;

/// The best rule for what is left of `cell`, when `harmed` honest rows are lost already: the best fair one, else
/// the best of all, of those that could be looked at.
pub(crate) fn best(arena: &Arena, index: &Index, cell: &Cell, harmed: &Bits) -> Option<Pick> {
    if cell.left.count() == 0 || arena.work.is_spent() {
        return None;
    }
    let excerpt = Excerpt::of(arena, index, cell);
    arena.work.spend(excerpt.attack.rows.len() + excerpt.benign.rows.len(), work::HARVEST);
    let mut facts = harvest::facts(&excerpt);
    facts.retain(|f| cell.shape.own.is_none() || f.slot != Slot::Source);
    facts.retain(|f| !arena.flowspec || f.slot.in_flowspec());
    facts.truncate(ITEMS_MAX);
    arena.work.spend(1, work::CELL);
    arena.work.spend(facts.len(), work::ITEM);
    let items = excerpt.ask(facts);
    let mut chosen = beam::best(&excerpt, &items, &mut Fair::of(&excerpt, harmed));
    narrow(&excerpt, &items, &mut chosen);
    Some(pick(&excerpt, &items, &chosen))
}

fn pick(excerpt: &Excerpt<'_>, items: &[Item], state: &State) -> Pick {
    let cell = excerpt.cell;
    let mut matches = cell.shape.matches();
    for item in state.facts.of(items) {
        item.fact.put(&mut matches);
    }
    // Without a question about the transport header the rule would also hold fragments, which are another shape.
    let transport = matches.tcp_flags.is_some()
        || matches.src_port.is_some()
        || matches.dst_port.is_some()
        || matches.icmp_type.is_some()
        || matches.icmp_code.is_some()
        || matches.payload.is_some();
    if cell.shape.kind == Kind::Plain && !transport {
        let rows = || state.attack.iter().filter_map(|i| excerpt.attack.row(i)).map(|r| r.fragment);
        if rows().all(|f| f.is_some()) {
            let first = rows().flatten().any(|f| f.more);
            matches.fragment = Some(rules::Fragments { none: true, first, ..Default::default() });
        }
    }
    let fitted = state.facts.of(items).any(|item| item.fact.is_fitted());
    let (attack, benign) = (excerpt.attack.in_arena(&state.attack), excerpt.benign.in_arena(&state.benign));
    Pick { matches, attack, benign, fair: state.fair, fitted }
}
