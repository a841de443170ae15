//! The hashes of a Merkle tree (RFC 6962 §2.1).

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::text;

/// Octets of a hash.
pub const HASH_LEN: usize = 32;

/// A SHA-256 hash: of an entry, of a part of the tree, or of something committed to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_LEN]);

impl Hash {
    /// Of these octets, plainly.
    pub fn of(octets: &[u8]) -> Self {
        Self(Sha256::digest(octets).into())
    }

    /// Of an entry of a log: a zero octet stands before it.
    pub fn leaf(entry: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
    }

    /// Of two neighbours in the tree.
    pub fn node(left: Self, right: Self) -> Self {
        Self(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
    }

    /// The root of the tree without entries.
    pub fn empty() -> Self {
        Self::of(&[])
    }

    /// As checkpoints and proofs write it.
    pub fn base64(&self) -> String {
        text::base64(&self.0)
    }

    /// From such a text.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_octets(&text::from_base64(text)?)
    }

    /// From exactly 32 octets.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        Some(Self(octets.try_into().ok()?))
    }
}

/// In lower-case hexadecimal digits.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let octets = text::from_hex(&text).and_then(|octets| Self::from_octets(&octets));
        octets.ok_or_else(|| serde::de::Error::custom("not a hash: 64 lower-case hexadecimal digits are"))
    }
}
