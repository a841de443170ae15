//! A disk that is a map, and a log on it.

use std::collections::BTreeMap;

use ledger::log::Damage;
use ledger::note::Role;
use ledger::tile::{Files, Reader, Tile};
use ledger::{Checkpoint, Hash, Log, Policy, Proof, Signer, tree};

pub(crate) const ORIGIN: &str = "example.org/ledger";

/// Files by their paths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files for &Disk {
    type Error = String;

    fn read(&mut self, tile: Tile) -> Result<Vec<u8>, String> {
        let file = self.0.get(&tile.to_string()).or_else(|| self.0.get(&tile.full().to_string()));
        file.cloned().ok_or_else(|| "not there".to_owned())
    }
}

/// The same seed, the same log.
pub(crate) fn signer() -> Signer {
    Signer::new(ORIGIN, Role::Log, [7; 32]).unwrap()
}

/// Entries of all lengths, none like another.
pub(crate) fn entries(count: u64) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let entry = |at: u64| {
        let length = usize::try_from(next() % 90).unwrap();
        let noise = std::iter::repeat_with(&mut next).flat_map(u64::to_le_bytes).take(length);
        at.to_be_bytes().into_iter().chain(noise).collect()
    };
    (0..count).map(entry).collect()
}

/// A log as somebody keeps it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) disk: Disk,
    pub(crate) log: Log,
}

impl Kept {
    /// With these entries, appended so many at a time.
    pub(crate) fn of(entries: &[Vec<u8>], at_once: usize) -> Self {
        let mut kept = Self::default();
        entries.chunks(at_once).for_each(|some| kept.append(some));
        kept
    }

    pub(crate) fn append(&mut self, entries: &[Vec<u8>]) {
        let (log, growth) = self.log.append(entries.iter().map(Vec::as_slice)).unwrap();
        for (tile, content) in growth.writes {
            self.disk.0.insert(tile.to_string(), content);
        }
        for full in growth.complete {
            let partial = format!("{full}.p/");
            self.disk.0.retain(|path, _| !path.starts_with(&partial));
        }
        self.log = log;
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        self.log.head(ORIGIN)
    }

    pub(crate) fn reader(&self) -> Reader<&Disk> {
        Reader::new(&self.disk, self.log.size())
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        tree::root(&mut self.reader(), size).unwrap()
    }

    pub(crate) fn resumed(&self) -> Result<Log, Damage<String>> {
        Log::resume(&self.checkpoint(), &self.disk)
    }

    pub(crate) fn prove(&self, index: u64) -> Proof {
        let size = self.log.size();
        let hashes = tree::inclusion(&mut self.reader(), index, size).unwrap();
        Proof { index, hashes, checkpoint: self.checkpoint().signed(&signer()), extra: None }
    }
}

/// Who trusts that log alone.
pub(crate) fn policy() -> Policy {
    Policy::of_log(signer().verifier().clone())
}
