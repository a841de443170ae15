//! Saying something without saying it: salted commitments, and tags that only their owner recognises.

use ring::hmac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hash::Hash;
use crate::text;

/// Octets of a salt.
pub const SALT_LEN: usize = 32;

/// What hides a commitment's content: 32 random octets, one salt for one entry. Whoever destroys it makes the entry meaningless.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; SALT_LEN]);

impl Salt {
    /// From random octets.
    pub const fn new(octets: [u8; SALT_LEN]) -> Self {
        Self(octets)
    }

    /// SHA-256 over salt and content.
    pub fn commit(&self, content: &[u8]) -> Hash {
        Hash(Sha256::new().chain_update(self.0).chain_update(content).finalize().into())
    }

    /// Its octets.
    pub(crate) const fn octets(&self) -> [u8; SALT_LEN] {
        self.0
    }

    /// As hexadecimal digits; who has them can show what the entry says.
    pub fn reveal(&self) -> String {
        text::hex(&self.0)
    }

    /// From such digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        Some(Self(text::from_hex(digits)?.try_into().ok()?))
    }
}

/// Without its digits.
impl core::fmt::Debug for Salt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salt")
    }
}

/// HMAC-SHA-256 of a customer's name under the customer's key: who has that key finds all entries about himself; to others the
/// tag says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomerTag(pub Hash);

impl CustomerTag {
    /// Of this customer.
    pub fn new(key: &[u8], customer: &str) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), customer.as_bytes());
        Self(Hash::from_octets(tag.as_ref()).unwrap_or_else(Hash::empty))
    }
}
