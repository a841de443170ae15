//! The head of a log: how many entries it has and what they hash to (`c2sp.org/tlog-checkpoint`).

use core::fmt;

use crate::hash::Hash;
use crate::note::Signer;
use crate::text;

/// How a log stood when it signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Entries in it.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// A text that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub struct NoCheckpoint(&'static str);

impl Checkpoint {
    /// Reads the text of a checkpoint's note. Lines behind the third are not ours and say nothing.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NoCheckpoint> {
        let body = text.strip_suffix('\n').ok_or(NoCheckpoint("no newline at its end"))?;
        if body.split('\n').any(str::is_empty) {
            return Err(NoCheckpoint("an empty line in it"));
        }
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoCheckpoint("fewer than three lines"));
        };
        Ok(Self {
            origin: origin.to_owned(),
            size: text::decimal(size).ok_or(NoCheckpoint("the second line is not a size"))?,
            root: Hash::from_base64(root).ok_or(NoCheckpoint("the third line is not a hash"))?,
        })
    }

    /// As a note, signed.
    pub fn signed(&self, signer: &Signer) -> String {
        let text = self.to_string();
        format!("{text}\n{}", signer.signature(&text))
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.base64())
    }
}
