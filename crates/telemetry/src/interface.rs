//! Interfaces of exporters: what they are called, what they are for, and at which of them a packet counts.

pub mod roles;
pub mod speed;

use alloc::collections::BTreeMap;
use alloc::string::String;

use base::Timestamp;

pub use roles::{Direction, Entry, Judgement, Role, Roles};
pub use speed::Speeds;

/// Interface names kept per exporter; further ones are not kept.
const NAMES_MAX: usize = 1024;
/// Octets kept of a name.
const NAME_LEN_MAX: usize = 64;

/// Octets of memory that a name may take.
pub(crate) const NAME_MEMORY: usize = NAME_LEN_MAX + size_of::<Name>() + 16;

/// Who told a name. A later one in this order wins over an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameSource {
    /// sFlow `port_name`.
    Sflow,
    /// Options: interfaceDescription (83).
    Description,
    /// Options: interfaceName (82).
    Name,
    /// The operator.
    Static,
}

/// The name of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text; what is no UTF-8 is replaced, control characters are left out.
    pub text: String,
    /// Who told.
    pub source: NameSource,
    /// When it was told first in this form.
    pub since: Timestamp,
}

/// Names of one exporter's interfaces.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_index: BTreeMap<u32, Name>,
    revision: u64,
}

impl Names {
    /// Takes in a name. Returns the octets of memory it took, 0 where nothing changed.
    pub fn learn(&mut self, index: u32, bytes: &[u8], source: NameSource, at: Timestamp) -> usize {
        if let Some(known) = self.by_index.get(&index) {
            if known.source > source || (known.source == source && known.text.as_bytes() == trimmed(bytes)) {
                return 0;
            }
        } else if self.by_index.len() >= NAMES_MAX {
            return 0;
        }
        let text: String =
            String::from_utf8_lossy(trimmed(bytes)).chars().filter(|c| !c.is_control()).collect();
        if text.is_empty() || self.by_index.get(&index).is_some_and(|known| known.text == text) {
            return 0;
        }
        let cost = text.len() + size_of::<Name>();
        self.by_index.insert(index, Name { text, source, since: at });
        self.revision += 1;
        cost
    }

    /// The name of an interface.
    pub fn get(&self, index: u32) -> Option<&Name> {
        self.by_index.get(&index)
    }

    /// All names, by ifIndex.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Name)> {
        self.by_index.iter().map(|(index, name)| (*index, name))
    }

    /// Grows with every change, so that somebody who derives roles from names knows when to look again.
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}

/// Up to the first NUL, without spaces around it, not longer than we keep.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len()).min(NAME_LEN_MAX);
    bytes.get(..end).unwrap_or(&[]).trim_ascii()
}
