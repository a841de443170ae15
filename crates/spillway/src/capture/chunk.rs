//! One buffer between a file of any length and a parser that wants whole records.

use std::io::{self, ErrorKind, Read};

/// Octets read at once.
const CHUNK: usize = 1 << 18;
/// Longest record held; a longer one is damage or not for us.
pub(super) const RECORD_MAX: usize = 16 << 20;

pub(super) struct Chunks {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset in the file of the first octet of the buffer.
    base: u64,
}

/// What asking for more gave.
#[derive(PartialEq, Eq)]
pub(super) enum More {
    Some,
    End,
    /// The record is longer than [`RECORD_MAX`].
    Full,
}

impl Chunks {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, buffer: vec![0; CHUNK], start: 0, end: 0, base: 0 }
    }

    /// Moves what is left to the front and reads behind it; grows for records longer than the buffer.
    pub(super) fn more(&mut self) -> io::Result<More> {
        if self.end - self.start >= RECORD_MAX {
            return Ok(More::Full);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize((2 * self.end).min(RECORD_MAX), 0);
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.source.read(room) {
                Ok(0) => return Ok(More::End),
                Ok(n) => {
                    self.end += n;
                    return Ok(More::Some);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }

    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// What lies `back` octets before the current place.
    #[inline]
    pub(super) fn behind(&self, back: usize, len: usize) -> &[u8] {
        let start = self.start.saturating_sub(back);
        self.buffer.get(start..start + len).unwrap_or_default()
    }

    /// The current place in the file.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }
}
