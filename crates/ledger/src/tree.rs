//! Proofs that an entry stands in a tree, and that one tree continues another (RFC 6962 §2.1, checked as RFC 9162 §2.1.3 and
//! §2.1.4 describe).

use crate::hash::Hash;

/// Hashes in a proof: a tree of 2⁶⁴ entries needs no more.
pub const PROOF_MAX: usize = 64;

/// Whether the entry with this leaf hash stands at `index` of the tree with this size and root.
pub fn is_included(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    root_of_inclusion(leaf, index, size, proof) == Some(root)
}

/// The root that a proof leads to; `None` where its length does not fit.
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = Hash::node(*sibling, hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::node(hash, *sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether the tree of `new` begins with all of the tree of `old`, entry for entry.
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && old_root == Hash::empty();
    }
    if old_size > new_size {
        return false;
    }
    // a whole subtree is its own first hash, which the proof leaves out
    let mut hashes = proof.iter().copied();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (first, first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = Hash::node(hash, before);
            after = Hash::node(hash, after);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = Hash::node(after, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && before == old_root && after == new_root
}

/// The hashes of whole subtrees of a tree.
pub trait Subtrees {
    /// Why one cannot be had.
    type Missing;

    /// Of the `index`-th subtree of `2^height` entries; it lies inside the tree as a whole.
    ///
    /// # Errors
    /// It cannot be had.
    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Missing>;
}

/// The root of the first `size` entries.
///
/// # Errors
/// A subtree is missing.
pub fn root<S: Subtrees>(subtrees: &mut S, size: u64) -> Result<Hash, S::Missing> {
    if size == 0 { Ok(Hash::empty()) } else { range(subtrees, 0, size) }
}

/// The proof that the entry at `index` stands in the tree of `size`, from its sibling up; `index < size`.
///
/// # Errors
/// A subtree is missing.
pub fn inclusion<S: Subtrees>(subtrees: &mut S, index: u64, size: u64) -> Result<Vec<Hash>, S::Missing> {
    let (mut start, mut end, mut proof) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range(subtrees, middle, end)?);
            end = middle;
        } else {
            proof.push(range(subtrees, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `new` entries continues the one of `old`; `old <= new`.
///
/// # Errors
/// A subtree is missing.
pub fn consistency<S: Subtrees>(subtrees: &mut S, old: u64, new: u64) -> Result<Vec<Hash>, S::Missing> {
    let (mut start, mut end, mut proof) = (0, new, Vec::new());
    if old == 0 || old == new {
        return Ok(proof);
    }
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range(subtrees, middle, end)?);
            end = middle;
        } else {
            proof.push(range(subtrees, start, middle)?);
            start = middle;
        }
    }
    // the verifier has the old root itself
    if start != 0 {
        proof.push(range(subtrees, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Of `start..end`, which begins where a subtree as large as it may begin.
fn range<S: Subtrees>(subtrees: &mut S, start: u64, end: u64) -> Result<Hash, S::Missing> {
    let count = end - start;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return subtrees.subtree(height, start >> height);
    }
    let middle = start + split(count);
    let left = range(subtrees, start, middle)?;
    Ok(Hash::node(left, range(subtrees, middle, end)?))
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}
