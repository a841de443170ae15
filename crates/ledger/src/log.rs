//! The log as a value: what it needs to grow, and what has to be written when it does.

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::tile::{self, Files, Kind, LEVELS, Reader, Tile, TooLong, Unreadable, WIDTH};

/// A log's right edge. It knows no files: [`Log::append`] says what to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    size: u64,
    /// Per level the hashes of its last tile, while that is partial.
    edge: Vec<Vec<Hash>>,
    /// The last bundle, while it is partial.
    bundle: Vec<u8>,
}

/// What makes a log durable as it is after some entries more, to be done in this order: all of `writes`, wait until they are on
/// the disk, the checkpoint in one step, wait; then what is `complete` needs its partial files no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Files with their content.
    pub writes: Vec<(Tile, Vec<u8>)>,
    /// Tiles and bundles that became full.
    pub complete: Vec<Tile>,
}

/// Why a log cannot be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage<E: core::fmt::Debug + core::fmt::Display> {
    /// Its files cannot be used.
    #[error(transparent)]
    File(#[from] Unreadable<E>),
    /// Its files are not what was signed.
    #[error(
        "the ledger's files do not add up to the root that it signed for {size} entries; restore its folder from a copy"
    )]
    Root {
        /// Entries under the signed root.
        size: u64,
    },
}

impl Log {
    /// Entries in it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree over all entries.
    pub fn root(&self) -> Hash {
        let mut root = None;
        for row in &self.edge {
            let mut rest = row.as_slice();
            while !rest.is_empty() {
                // the smallest whole subtree stands last
                let count = 1 << rest.len().trailing_zeros();
                let (before, last) = rest.split_at(rest.len() - count);
                let whole = tile::fold(last);
                root = match (whole, root) {
                    (Some(left), Some(right)) => Some(Hash::node(left, right)),
                    (whole, root) => root.or(whole),
                };
                rest = before;
            }
        }
        root.unwrap_or_else(Hash::empty)
    }

    /// Its head, as a checkpoint of this origin.
    pub fn head(&self, origin: &str) -> Checkpoint {
        Checkpoint { origin: origin.to_owned(), size: self.size, root: self.root() }
    }

    /// The log with these entries behind it, and what has to be written for that.
    ///
    /// # Errors
    /// An entry is too long; nothing of this is to be done then.
    pub fn append<'a>(&self, entries: impl IntoIterator<Item = &'a [u8]>) -> Result<(Self, Growth), TooLong> {
        let mut next = self.clone();
        let mut growth = Growth::default();
        // the lowest level that got no new hash
        let mut touched = 0;
        for entry in entries {
            tile::push_entry(&mut next.bundle, entry)?;
            let index = next.size / WIDTH;
            next.size += 1;
            if next.size.is_multiple_of(WIDTH) {
                let full = Tile { kind: Kind::Entries, index, width: 256 };
                growth.writes.push((full, core::mem::take(&mut next.bundle)));
                growth.complete.push(full);
            }
            touched = touched.max(next.push(0, Hash::leaf(entry), &mut growth));
        }
        let partial =
            |kind, level: u32| Tile::of(kind, next.size.checked_shr(8 * (level + 1)).unwrap_or(0), next.size);
        if touched > 0
            && let Some(tile) = partial(Kind::Entries, 0)
        {
            growth.writes.push((tile, next.bundle.clone()));
        }
        for (row, level) in next.edge.iter().zip(0_u8..).take(touched) {
            if let Some(tile) = partial(Kind::Hashes(level), u32::from(level)) {
                growth.writes.push((tile, row.iter().flat_map(|hash| hash.0).collect()));
            }
        }
        Ok((next, growth))
    }

    /// Takes a hash into a level, and its tile's root into the next one where it became full; says how many levels were touched.
    fn push(&mut self, level: usize, hash: Hash, growth: &mut Growth) -> usize {
        if self.edge.len() <= level {
            self.edge.resize(level + 1, Vec::new());
        }
        let Some(row) = self.edge.get_mut(level) else { return level };
        row.push(hash);
        if row.len() < 256 {
            return level + 1;
        }
        let row = core::mem::take(row);
        let depth = u32::try_from(level).unwrap_or(u32::MAX);
        let number = u8::try_from(level).unwrap_or(u8::MAX);
        let index = (self.size - 1).checked_shr(8 * (depth + 1)).unwrap_or(0);
        let full = Tile { kind: Kind::Hashes(number), index, width: 256 };
        growth.writes.push((full, row.iter().flat_map(|hash| hash.0).collect()));
        growth.complete.push(full);
        match tile::fold(&row) {
            Some(root) => self.push(level + 1, root, growth),
            None => level + 1,
        }
    }

    /// The log as it was when it signed this checkpoint, from its files. What lies beside them (of an append that was not finished)
    /// is not looked at.
    ///
    /// # Errors
    /// Its files cannot be used, or are not what was signed.
    pub fn resume<F: Files>(checkpoint: &Checkpoint, files: F) -> Result<Self, Damage<F::Error>> {
        let size = checkpoint.size;
        let mut reader = Reader::new(files, size);
        let mut log = Self { size, ..Self::default() };
        for level in 0..LEVELS {
            let things = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
            if things == 0 {
                break;
            }
            let row = if things.is_multiple_of(WIDTH) {
                Vec::new()
            } else {
                reader.tile(level, things / WIDTH)?.to_vec()
            };
            log.edge.push(row);
        }
        if !size.is_multiple_of(WIDTH) {
            let entries = reader.bundle(size / WIDTH)?;
            let hashed: Vec<Hash> = entries.iter().map(|entry| Hash::leaf(entry)).collect();
            if log.edge.first() != Some(&hashed) {
                return Err(Damage::Root { size });
            }
            for entry in &entries {
                tile::push_entry(&mut log.bundle, entry).map_err(|_| Damage::Root { size })?;
            }
        }
        if log.root() == checkpoint.root { Ok(log) } else { Err(Damage::Root { size }) }
    }
}

/// Reads every entry of a log, recomputes every hash, and shows each entry, in their order.
///
/// # Errors
/// A file cannot be used, or the entries are not what was signed.
pub fn audit<F: Files>(
    checkpoint: &Checkpoint,
    files: F,
    mut show: impl FnMut(u64, &[u8]),
) -> Result<(), Damage<F::Error>> {
    let size = checkpoint.size;
    let mut reader = Reader::new(files, size);
    let mut log = Log::default();
    while log.size < size {
        let (before, index) = (log.size, log.size / WIDTH);
        let entries = reader.bundle(index)?;
        let (next, growth) =
            log.append(entries.iter().map(Vec::as_slice)).map_err(|_| Damage::Root { size })?;
        if entries.is_empty() {
            return Err(Damage::Root { size });
        }
        // each file of hashes has to hold what its entries come to
        for (tile, content) in growth.writes {
            let Kind::Hashes(level) = tile.kind else { continue };
            if tile.is_full() && Some(reader.tile(level, tile.index)?) != tile::hashes(&content).as_deref() {
                return Err(tile::damaged(tile, "its hashes are not of its entries").into());
            }
        }
        for (entry, at) in entries.iter().zip(before..) {
            show(at, entry);
        }
        log = next;
    }
    for (row, level) in log.edge.iter().zip(0_u8..) {
        let index = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        if reader.tile(level, index)? != row.as_slice() {
            let tile =
                Tile { kind: Kind::Hashes(level), index, width: u16::try_from(row.len()).unwrap_or(256) };
            return Err(tile::damaged(tile, "its hashes are not of its entries").into());
        }
    }
    if log.root() == checkpoint.root { Ok(()) } else { Err(Damage::Root { size }) }
}
