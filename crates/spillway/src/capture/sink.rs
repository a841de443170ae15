//! Octets on their way to a file: gathered into large pieces, and hashed as they go.

use std::fs::File;
use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

/// Octets written at once.
const PIECE: usize = 1 << 18;

/// See above.
pub(super) struct Sink {
    file: File,
    gathered: Vec<u8>,
    digest: Option<Sha256>,
}

impl Sink {
    /// Into this file; `hashed`: its SHA-256 is wanted in the end.
    pub(super) fn new(file: File, hashed: bool) -> Self {
        Self { file, gathered: Vec::with_capacity(PIECE + (1 << 16)), digest: hashed.then(Sha256::new) }
    }

    /// Room for octets to be appended; [`Self::settle`] afterwards.
    #[inline]
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        &mut self.gathered
    }

    /// Writes what was gathered, when it is enough.
    #[inline]
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.gathered.len() < PIECE { Ok(()) } else { self.flush() }
    }

    /// Writes the rest; the SHA-256 of all that was written, where it is wanted.
    pub(super) fn close(mut self) -> io::Result<Option<[u8; 32]>> {
        self.flush()?;
        Ok(self.digest.map(|digest| digest.finalize().into()))
    }
}

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(octets);
        self.settle()?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.gathered);
        }
        let written = self.file.write_all(&self.gathered);
        self.gathered.clear();
        written
    }
}
