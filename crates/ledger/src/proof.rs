//! A proof as a file: `c2sp.org/tlog-proof@v1`. It needs nothing but a policy to be checked, and no network.

use core::fmt;

use crate::hash::Hash;
use crate::note::NOTE_MAX;
use crate::text;
use crate::tree::PROOF_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Octets of a proof's file.
pub const FILE_MAX: usize = NOTE_MAX + (64 << 10);

/// That an entry stands in a log: where, the hashes beside its way to the root, and the signed root. Not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Of the entry, from 0.
    pub index: u64,
    /// From the entry's sibling up.
    pub hashes: Vec<Hash>,
    /// The note.
    pub checkpoint: String,
    /// Whatever somebody added. Nobody vouches for it.
    pub extra: Option<Vec<u8>>,
}

/// A file that is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NoProof {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl Proof {
    /// Reads such a file.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(file: &str) -> Result<Self, NoProof> {
        let wrong = |line, what| NoProof { line, what };
        if file.len() > FILE_MAX {
            return Err(wrong(1, "too long to be a proof"));
        }
        let (head, checkpoint) = file
            .split_once("\n\n")
            .ok_or_else(|| wrong(1, "not a proof: no empty line before its checkpoint"))?;
        let mut lines = head.split('\n').zip(1..).peekable();
        if lines.next().is_none_or(|(first, _)| first != FIRST_LINE) {
            return Err(wrong(1, "not a proof: the first line of one is `c2sp.org/tlog-proof@v1`"));
        }
        let extra = match lines.next_if(|(text, _)| text.starts_with("extra ")) {
            Some((text, line)) => {
                let octets = text.strip_prefix("extra ").and_then(text::from_base64);
                Some(octets.ok_or_else(|| wrong(line, "the extra data is not base64"))?)
            }
            None => None,
        };
        let (index, line) = lines.next().ok_or_else(|| wrong(2, "no index"))?;
        let index = index
            .strip_prefix("index ")
            .and_then(text::decimal)
            .ok_or_else(|| wrong(line, "not an index"))?;
        let mut hashes = Vec::new();
        for (text, line) in lines {
            if hashes.len() == PROOF_MAX {
                return Err(wrong(line, "more hashes than a proof can have"));
            }
            hashes.push(Hash::from_base64(text).ok_or_else(|| wrong(line, "not a hash in base64"))?);
        }
        Ok(Self { index, hashes, checkpoint: checkpoint.to_owned(), extra })
    }
}

/// The file.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", text::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
