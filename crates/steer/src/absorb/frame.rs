//! Frames: the length of a JSON document in four octets, the most significant first, and the document.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Octets of a document at most: the rules of one prefix have room, however long they are.
pub const FRAME_MAX: usize = 4 << 20;
/// Octets of a length.
const HEAD: usize = 4;

/// Why what came is no conversation. It ends with the connection: where the next frame begins is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its length.
    #[error("a frame of {0} octets; at most {FRAME_MAX} are taken")]
    Long(usize),
    /// Its contents.
    #[error("a frame that is no message: {0}")]
    Unreadable(String),
}

impl Fault {
    /// Its name, for counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Long(_) => "long",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

/// Octets in, messages out.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// These came. Never is more kept than came.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next message that is whole; `None`: more has to come.
    ///
    /// # Errors
    /// When it is no message: then the conversation is to be ended.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        let Some((head, rest)) = self.buffer.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > FRAME_MAX {
            return Err(Fault::Long(length));
        }
        let Some(document) = rest.get(..length) else { return Ok(None) };
        let read = serde_json::from_slice(document).map_err(|wrong| Fault::Unreadable(wrong.to_string()));
        self.buffer.drain(..HEAD + length);
        read.map(Some)
    }

    /// Octets that wait for the rest of their frame.
    pub const fn waiting(&self) -> usize {
        self.buffer.len()
    }
}

/// A message as a frame.
///
/// # Errors
/// When it is longer than a frame may be.
pub fn write(message: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let document = serde_json::to_vec(message).map_err(|wrong| Fault::Unreadable(wrong.to_string()))?;
    let length = u32::try_from(document.len()).ok().filter(|_| document.len() <= FRAME_MAX);
    let length = length.ok_or(Fault::Long(document.len()))?;
    Ok([&length.to_be_bytes(), document.as_slice()].concat())
}
