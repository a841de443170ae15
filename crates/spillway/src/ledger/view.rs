//! The log as anybody may see it.

use std::path::PathBuf;

use ::ledger::tile::{Reader, WIDTH};
use ::ledger::{Checkpoint, Policy, Proof, log, tree};

use super::disk::{Below, FileError, of};
use super::place::Place;
use super::secrets::{Secret, Secrets};
use super::store::Trouble;

/// The ledger as anybody may see it, at one head.
#[derive(Clone, Debug)]
pub struct View {
    place: Place,
    head: String,
    checkpoint: Checkpoint,
    policy: Policy,
}

impl View {
    /// As it is now.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn at(place: &Place) -> Result<Self, Trouble> {
        let read = |path: PathBuf| std::fs::read_to_string(&path).map_err(of(&path));
        let none = |error: FileError| {
            if error.cause.kind() == std::io::ErrorKind::NotFound {
                let folder = place.root().display();
                return Trouble::Damaged(format!(
                    "no ledger in {folder} yet: `spillway run` begins one with its first decision"
                ));
            }
            Trouble::File(error)
        };
        let policy = read(place.policy()).map_err(none)?;
        let policy = Policy::parse(&policy)
            .map_err(|why| Trouble::Damaged(format!("{}: {why}", place.policy().display())))?;
        let head = read(place.checkpoint()).map_err(none)?;
        let checkpoint = policy
            .believe(&head)
            .map_err(|why| Trouble::Damaged(format!("{}: {why}", place.checkpoint().display())))?;
        Ok(Self { place: place.clone(), head, checkpoint, policy })
    }

    /// The head.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The signed note of it.
    pub fn note(&self) -> &str {
        &self.head
    }

    /// For those who verify.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// An entry.
    ///
    /// # Errors
    /// It is not there, or the files are damaged.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Trouble> {
        let size = self.checkpoint.size;
        if index >= size {
            return Err(Trouble::Damaged(format!(
                "there is no entry {index}: the ledger has {size}, from 0 on"
            )));
        }
        let bundle = self.reader().bundle(index / WIDTH).map_err(|why| Trouble::Damaged(why.to_string()))?;
        let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        bundle.into_iter().nth(place).ok_or_else(|| Trouble::Damaged(format!("entry {index} is missing")))
    }

    /// The proof that an entry stands there.
    ///
    /// # Errors
    /// The files are damaged.
    pub fn prove(&self, index: u64) -> Result<Proof, Trouble> {
        let hashes = tree::inclusion(&mut self.reader(), index, self.checkpoint.size)
            .map_err(|why| Trouble::Damaged(why.to_string()))?;
        Ok(Proof { index, hashes, checkpoint: self.head.clone(), extra: None })
    }

    /// What is kept of an entry beside the log.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn secret(&self, index: u64) -> Result<Option<Secret>, Trouble> {
        Ok(Secrets(self.place.private()).get(index)?)
    }

    /// Reads every entry, recomputes every hash.
    ///
    /// # Errors
    /// The log is not what was signed.
    pub fn audit(&self, show: impl FnMut(u64, &[u8])) -> Result<(), Trouble> {
        log::audit(&self.checkpoint, Below(self.place.log()), show)
            .map_err(|why| Trouble::Damaged(why.to_string()))
    }

    fn reader(&self) -> Reader<Below> {
        Reader::new(Below(self.place.log()), self.checkpoint.size)
    }
}
