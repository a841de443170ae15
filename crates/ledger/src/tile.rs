//! The files of a log: tiles of hashes and bundles of entries, as `c2sp.org/tlog-tiles` lays them out.

use core::fmt;

use crate::hash::{HASH_LEN, Hash};
use crate::tree::Subtrees;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Octets of an entry: its length goes into two.
pub const ENTRY_MAX: usize = u16::MAX as usize;
/// Levels of tiles: more entries than 2⁶⁴ cannot be counted.
pub(crate) const LEVELS: u8 = 8;

/// What a file of the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Entries, each with its length before it.
    Entries,
    /// Hashes of this level: 0 of entries, above it of full tiles of the level below.
    Hashes(u8),
}

/// One file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Which one of its kind.
    pub index: u64,
    /// Things in it, 1 to 256; below 256 it is a partial one.
    pub width: u16,
}

impl Tile {
    /// The tile of this kind and index in a log of `size` entries; `None` where nothing is in it.
    pub fn of(kind: Kind, index: u64, size: u64) -> Option<Self> {
        let level = match kind {
            Kind::Entries => 0,
            Kind::Hashes(level) => level,
        };
        let things = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let width = things.saturating_sub(index.checked_mul(WIDTH)?).min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { kind, index, width })
    }

    /// Whether no more will come into it.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// The same one when it is full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }
}

/// Its path below the log's prefix, such as `tile/0/x001/x234/067` or `tile/entries/000.p/17`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut divisor = 1;
        while self.index / divisor >= 1000 {
            divisor *= 1000;
        }
        while divisor > 1 {
            write!(f, "x{:03}/", self.index / divisor % 1000)?;
            divisor /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Hashes one after the other.
pub fn hashes(octets: &[u8]) -> Option<Vec<Hash>> {
    let (whole, rest) = octets.as_chunks::<HASH_LEN>();
    rest.is_empty().then(|| whole.iter().copied().map(Hash).collect())
}

/// The entries of a bundle; `None` where an entry is cut off.
pub fn entries(mut octets: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = octets.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        octets = rest;
    }
    octets.is_empty().then_some(entries)
}

/// Writes an entry behind a bundle.
///
/// # Errors
/// It is longer than [`ENTRY_MAX`].
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| TooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// An entry that no bundle takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {0} octets does not fit: at most {ENTRY_MAX} do; log a hash of it instead")]
pub struct TooLong(pub usize);

/// Who has the files of a log.
pub trait Files {
    /// Why one cannot be had.
    type Error: fmt::Debug + fmt::Display;

    /// The content of a file; a full one may be given for a partial one.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&mut self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

/// Why a tree cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable<E: fmt::Debug + fmt::Display> {
    /// A file cannot be had.
    #[error("{tile}: {cause}")]
    Missing {
        /// Which one.
        tile: String,
        /// Why.
        cause: E,
    },
    /// A file does not hold what its name says.
    #[error("{tile}: is not what its name says: {what}; restore the ledger's folder from a copy")]
    Damaged {
        /// Which one.
        tile: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// The subtrees of a log of a known size, from its tiles. The last tile that was read is kept.
#[derive(Debug)]
pub struct Reader<F> {
    files: F,
    size: u64,
    kept: Option<(Tile, Vec<Hash>)>,
}

impl<F: Files> Reader<F> {
    /// Of a log of `size` entries.
    pub fn new(files: F, size: u64) -> Self {
        Self { files, size, kept: None }
    }

    /// The hashes of the tile at this place, as many as the size says.
    ///
    /// # Errors
    /// The file cannot be read or does not hold that many.
    pub fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], Unreadable<F::Error>> {
        let Some(tile) = Tile::of(Kind::Hashes(level), index, self.size) else { return Ok(&[]) };
        let kept = self.kept.take().filter(|(of, _)| *of == tile);
        let (_, content) = match kept {
            Some(kept) => self.kept.insert(kept),
            None => {
                let octets = read(&mut self.files, tile)?;
                let mut content = hashes(&octets).unwrap_or_default();
                if content.len() < usize::from(tile.width) {
                    return Err(damaged(tile, "too short"));
                }
                content.truncate(usize::from(tile.width));
                self.kept.insert((tile, content))
            }
        };
        Ok(content)
    }

    /// The entries of the bundle at this place, as many as the size says.
    ///
    /// # Errors
    /// The file cannot be read or does not hold that many.
    pub fn bundle(&mut self, index: u64) -> Result<Vec<Vec<u8>>, Unreadable<F::Error>> {
        let Some(tile) = Tile::of(Kind::Entries, index, self.size) else { return Ok(Vec::new()) };
        let octets = read(&mut self.files, tile)?;
        let found = entries(&octets).ok_or_else(|| damaged(tile, "an entry is cut off"))?;
        if found.len() < usize::from(tile.width) {
            return Err(damaged(tile, "too short"));
        }
        Ok(found.into_iter().take(usize::from(tile.width)).map(<[u8]>::to_vec).collect())
    }
}

fn read<F: Files>(files: &mut F, tile: Tile) -> Result<Vec<u8>, Unreadable<F::Error>> {
    files.read(tile).map_err(|cause| Unreadable::Missing { tile: tile.to_string(), cause })
}

pub(crate) fn damaged<E: fmt::Debug + fmt::Display>(tile: Tile, what: &'static str) -> Unreadable<E> {
    Unreadable::Damaged { tile: tile.to_string(), what }
}

impl<F: Files> Subtrees for Reader<F> {
    type Missing = Unreadable<F::Error>;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Missing> {
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let inner = height % 8;
        let count = 1_u64 << inner;
        let first = index << inner;
        let (tile, from) = (first / WIDTH, usize::try_from(first % WIDTH).unwrap_or(usize::MAX));
        let all = self.tile(level, tile)?;
        let part = usize::try_from(count).ok().and_then(|count| all.get(from..)?.get(..count));
        let named = Tile { kind: Kind::Hashes(level), index: tile, width: 256 };
        part.and_then(fold).ok_or_else(|| damaged(named, "too short"))
    }
}

/// The root over a power of two of hashes.
pub(crate) fn fold(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| Hash::node(*left, *right)).collect();
    }
    row.first().copied()
}
