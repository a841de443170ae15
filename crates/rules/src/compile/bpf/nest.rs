//! Rules by a prefix that they ask for: blocks, each inside the next wider one, and the block that holds for each address.

use alloc::vec::Vec;

use base::Prefix;

use super::question::{Question, addresses};
use crate::family::Family;

/// Rules with one prefix, in deciding order.
pub(super) struct Block<'r> {
    /// `None`: any address.
    pub(super) prefix: Option<Prefix>,
    pub(super) rules: Vec<Question<'r>>,
    /// The place among the blocks of the next wider prefix.
    pub(super) parent: Option<usize>,
}

/// The blocks of one family's rules, which come in deciding order; wider prefixes before those inside them.
pub(super) fn nest(mut asked: Vec<(Option<Prefix>, Question<'_>)>) -> Vec<Block<'_>> {
    for (prefix, _) in &mut asked {
        *prefix = prefix.filter(|prefix| prefix.bits() > 0);
    }
    // By first address, then the wider first; within a prefix the rules' order stays.
    asked.sort_by_key(|(prefix, _)| prefix.map(|prefix| (addresses(&prefix).0, prefix.bits())));
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut above: Vec<usize> = Vec::new();
    for (prefix, question) in asked {
        if let Some(block) = blocks.last_mut()
            && block.prefix == prefix
        {
            block.rules.push(question);
            continue;
        }
        let covers = |wide: &Option<Prefix>| wide.is_none_or(|w| prefix.is_some_and(|p| w.covers(&p)));
        while above.last().and_then(|at| blocks.get(*at)).is_some_and(|block| !covers(&block.prefix)) {
            above.pop();
        }
        let parent = above.last().copied();
        above.push(blocks.len());
        blocks.push(Block { prefix, rules: alloc::vec![question], parent });
    }
    blocks
}

/// From each address on, the block with the longest prefix that covers it; rising, the first at 0.
pub(super) fn ranges(blocks: &[Block<'_>], family: Family) -> Vec<(u128, Option<usize>)> {
    let anywhere = blocks.first().filter(|block| block.prefix.is_none()).map(|_| 0);
    // From each address on, the block that holds for it and those that follow.
    let mut from: Vec<(u128, Option<usize>)> = alloc::vec![(0, anywhere)];
    let mut open: Vec<(u128, usize)> = Vec::new();
    let close = |open: &mut Vec<(u128, usize)>, from: &mut Vec<_>, before: Option<u128>| {
        while let Some((last, _)) = open.last().copied()
            && before.is_none_or(|before| last < before)
        {
            open.pop();
            let holds = open.last().map_or(anywhere, |(_, block)| Some(*block));
            from.extend(last.checked_add(1).map(|next| (next, holds)));
        }
    };
    for (place, block) in blocks.iter().enumerate() {
        let Some(prefix) = block.prefix else { continue };
        let (first, last) = addresses(&prefix);
        close(&mut open, &mut from, Some(first));
        from.push((first, Some(place)));
        open.push((last, place));
    }
    close(&mut open, &mut from, None);
    // The last said of an address holds.
    from.reverse();
    from.sort_by_key(|(first, _)| *first);
    from.dedup_by_key(|(first, _)| *first);
    from.dedup_by_key(|(_, block)| *block);
    if family == Family::V4 {
        from.retain(|(first, _)| u32::try_from(*first).is_ok());
    }
    from
}
