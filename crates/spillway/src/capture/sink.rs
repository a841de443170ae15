//! Octets on their way to a file: gathered into large pieces, and hashed as they go.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use sha2::{Digest as _, Sha256};

use super::past::{BLOCK, Past, skew};

/// Octets written at once; past the cache each writing is waited for, so there are fewer of them.
const PIECE: usize = 1 << 18;
const PIECE_PAST: usize = 1 << 20;
/// The longest that usually comes in one go.
const MORE: usize = 1 << 16;

/// See above.
pub(super) struct Sink {
    gathered: Vec<u8>,
    /// Octets in front of what was gathered, so that it begins where a disk wants it.
    lead: usize,
    file: Place,
}

enum Place {
    Cached(File, Option<Sha256>),
    Past(Apart),
}

/// Pieces are hashed and written by a thread of its own: whoever makes the next one waits for neither.
struct Apart {
    way: Option<SyncSender<(Vec<u8>, usize)>>,
    back: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<[u8; 32]>>>,
}

impl Sink {
    /// Into a file that is created or overwritten; `hashed`: its SHA-256 is wanted in the end.
    pub(super) fn create(path: &Path, hashed: bool) -> io::Result<Self> {
        let file = Place::Cached(File::create(path)?, hashed.then(Sha256::new));
        Ok(Self { gathered: Vec::with_capacity(PIECE + MORE), lead: 0, file })
    }

    /// Likewise, hashed and past the page cache; [`Write::flush`] keeps the last octets back until [`Self::close`].
    pub(super) fn past(path: &Path) -> io::Result<Self> {
        let mut sink =
            Self { gathered: Vec::new(), lead: 0, file: Place::Past(Apart::start(Past::create(path)?)?) };
        sink.begin(room(), &[]);
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
            Place::Cached(..) => PIECE,
            Place::Past(_) => PIECE_PAST,
        };
        if self.gathered.len() < enough { Ok(()) } else { self.flush() }
    }

    /// Writes the rest; the SHA-256 of all that was written, where it is wanted.
    pub(super) fn close(mut self) -> io::Result<Option<[u8; 32]>> {
        self.flush()?;
        match self.file {
            Place::Cached(_, digest) => Ok(digest.map(|digest| digest.finalize().into())),
            Place::Past(mut apart) => {
                apart.give((self.gathered, self.lead))?;
                apart.end().map(Some)
            }
        }
    }

    /// Gathers into this from now on, from where a disk wants it.
    fn begin(&mut self, room: Vec<u8>, first: &[u8]) {
        self.gathered = room;
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
        let next = match &mut self.file {
            Place::Cached(file, digest) => {
                if let Some(digest) = digest {
                    digest.update(&self.gathered);
                }
                let written = file.write_all(&self.gathered);
                self.gathered.clear();
                return written;
            }
            Place::Past(apart) => apart.back.try_recv().unwrap_or_else(|_| room()),
        };
        let mut piece = std::mem::take(&mut self.gathered);
        let lead = self.lead;
        let whole = lead + piece.len().saturating_sub(lead) / BLOCK * BLOCK;
        self.begin(next, piece.get(whole..).unwrap_or_default());
        piece.truncate(whole);
        match &mut self.file {
            Place::Past(apart) => apart.give((piece, lead)),
            Place::Cached(..) => Ok(()),
        }
    }
}

/// For a piece.
fn room() -> Vec<u8> {
    Vec::with_capacity(PIECE_PAST + MORE + 2 * BLOCK)
}

impl Apart {
    fn start(mut file: Past) -> io::Result<Self> {
        let (way, pieces) = mpsc::sync_channel::<(Vec<u8>, usize)>(1);
        let (used, back) = mpsc::channel();
        let work = move || {
            let mut digest = Sha256::new();
            for (piece, lead) in pieces {
                let octets = piece.get(lead..).unwrap_or_default();
                digest.update(octets);
                file.put(octets)?;
                // Nobody wants it any more when all is gathered.
                let _ = used.send(piece);
            }
            Ok(digest.finalize().into())
        };
        let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(work)?;
        Ok(Self { way: Some(way), back, thread: Some(thread) })
    }

    /// One more piece; what went wrong with one before it.
    fn give(&mut self, piece: (Vec<u8>, usize)) -> io::Result<()> {
        let given = self.way.as_ref().is_some_and(|way| way.send(piece).is_ok());
        if given { Ok(()) } else { self.end().map(drop) }
    }

    /// Waits until all is written; its SHA-256.
    fn end(&mut self) -> io::Result<[u8; 32]> {
        drop(self.way.take());
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.unwrap_or_else(|| Err(io::Error::other("a thread gave up; please report this")))
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
            let mut sinks = [Sink::create(plain, true).unwrap(), Sink::past(past).unwrap()];
            let mut whole = Vec::new();
            for (n, length) in lengths.iter().enumerate() {
                let octets: Vec<u8> = (0..*length).map(|at| u8::try_from(at % 200 + n).unwrap()).collect();
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
