//! Octets on their way to a file: gathered into large pieces, and hashed as they go.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::past::{BLOCK, Past, skew};

/// Octets written at once; past the cache each writing is waited for, so there are fewer of them.
const PIECE: usize = 1 << 18;
const PIECE_PAST: usize = 1 << 20;
/// The longest that usually comes in one go.
const MORE: usize = 1 << 16;

/// See above.
pub(super) struct Sink {
    file: Place,
    gathered: Vec<u8>,
    /// Octets in front of what was gathered, so that it begins where a disk wants it.
    lead: usize,
    digest: Option<Sha256>,
}

enum Place {
    Cached(File),
    Past(Past),
}

impl Sink {
    /// Into a file that is created or overwritten; `hashed`: its SHA-256 is wanted in the end.
    pub(super) fn create(path: &Path, hashed: bool) -> io::Result<Self> {
        let gathered = Vec::with_capacity(PIECE + MORE);
        Ok(Self {
            file: Place::Cached(File::create(path)?),
            gathered,
            lead: 0,
            digest: hashed.then(Sha256::new),
        })
    }

    /// Likewise, past the page cache; [`Write::flush`] keeps the last octets back until [`Self::close`].
    pub(super) fn past(path: &Path, hashed: bool) -> io::Result<Self> {
        let gathered = Vec::with_capacity(PIECE_PAST + MORE + 2 * BLOCK);
        let file = Place::Past(Past::create(path)?);
        let mut sink = Self { file, gathered, lead: 0, digest: hashed.then(Sha256::new) };
        sink.begin(&[]);
        Ok(sink)
    }

    /// Room for octets to be appended; [`Self::settle`] afterwards.
    #[inline]
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Writes what was gathered, when it is enough.
    #[inline]
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let enough = match self.file {
            Place::Cached(_) => PIECE,
            Place::Past(_) => PIECE_PAST,
        };
        if self.gathered.len() < enough { Ok(()) } else { self.flush() }
    }

    /// Writes the rest; the SHA-256 of all that was written, where it is wanted.
    pub(super) fn close(mut self) -> io::Result<Option<[u8; 32]>> {
        self.flush()?;
        let rest = self.gathered.get(self.lead..).unwrap_or_default();
        if let (Place::Past(file), false) = (&mut self.file, rest.is_empty()) {
            if let Some(digest) = &mut self.digest {
                digest.update(rest);
            }
            file.put(rest)?;
        }
        Ok(self.digest.map(|digest| digest.finalize().into()))
    }

    /// Gathers anew, from where a disk wants it.
    fn begin(&mut self, first: &[u8]) {
        self.gathered.clear();
        self.lead = skew(&self.gathered);
        self.gathered.resize(self.lead, 0);
        self.gathered.extend_from_slice(first);
    }
}

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(octets);
        self.settle()?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let gathered = self.gathered.get(self.lead..).unwrap_or_default();
        let whole = match self.file {
            Place::Cached(_) => gathered.len(),
            Place::Past(_) => gathered.len() / BLOCK * BLOCK,
        };
        let (now, later) = gathered.split_at_checked(whole).unwrap_or_default();
        if let Some(digest) = &mut self.digest {
            digest.update(now);
        }
        match &mut self.file {
            Place::Cached(file) => {
                let written = file.write_all(now);
                self.gathered.clear();
                written
            }
            Place::Past(file) => {
                let written = file.put(now);
                // Less than a block.
                let later = later.to_vec();
                self.begin(&later);
                written
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_past_the_cache_has_the_same_octets_and_digest() {
        let folder = std::env::temp_dir();
        let paths =
            ["plain", "past"].map(|name| folder.join(format!("spillway-sink-{name}-{}", std::process::id())));
        for lengths in [
            &[][..],
            &[7],
            &[BLOCK, BLOCK],
            &[100, PIECE_PAST, 3, 5 * MORE, 2 * PIECE_PAST, 1],
            &[PIECE_PAST; 4],
        ] {
            let [plain, past] = &paths;
            let mut sinks = [Sink::create(plain, true).unwrap(), Sink::past(past, true).unwrap()];
            let mut whole = Vec::new();
            for (n, length) in lengths.iter().enumerate() {
                let octets: Vec<u8> = (0..*length).map(|at| (at % 253 + n) as u8).collect();
                whole.extend_from_slice(&octets);
                for sink in &mut sinks {
                    sink.room().extend_from_slice(&octets);
                    sink.settle().unwrap();
                }
                sinks[1].flush().unwrap();
            }
            let expected: [u8; 32] = Sha256::digest(&whole).into();
            for (sink, path) in sinks.into_iter().zip(&paths) {
                assert_eq!(sink.close().unwrap(), Some(expected));
                assert!(std::fs::read(path).unwrap() == whole, "{} of {lengths:?}", path.display());
            }
        }
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
