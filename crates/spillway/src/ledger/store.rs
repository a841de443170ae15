//! The log on a disk.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

use ::ledger::commitment::{CustomerTag, Salt};
use ::ledger::disclosure::Record;
use ::ledger::entry::{Entry, NoEntry};
use ::ledger::note::{Role, Signer};
use ::ledger::tile::Reader;
use ::ledger::{Checkpoint, Log, Policy, Receipt, tree};
use nix::fcntl::{Flock, FlockArg};

use super::disk::{Below, Disk, FileError, of};
use super::place::Place;
use super::secrets::{Secret, Secrets};
use super::view::View;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file: the disk is full, or not there.
    #[error("the ledger cannot be written: {0}")]
    File(#[from] FileError),
    /// What should stand in it.
    #[error(transparent)]
    Entry(#[from] NoEntry),
    /// Older than what was remembered.
    #[error(
        "the ledger in {folder} has {have} entries, but {remembered} remembers {had}: an older copy was put in its place; put the newer \
         one back, or move both away to begin another ledger, and tell those who verify"
    )]
    RolledBack {
        /// Where it is.
        folder: String,
        /// Entries in it.
        have: u64,
        /// Who remembers.
        remembered: String,
        /// Entries then.
        had: u64,
    },
    /// Another than what was remembered.
    #[error(
        "the first {had} entries of the ledger in {folder} are not those that {remembered} remembers: it is another ledger, or was \
         rewritten; put the right one back, or move both away to begin another ledger, and tell those who verify"
    )]
    Forked {
        /// Where it is.
        folder: String,
        /// Who remembers.
        remembered: String,
        /// Entries then.
        had: u64,
    },
    /// Its files are not what they should be.
    #[error("{0}")]
    Damaged(String),
}

impl Trouble {
    /// Whether what stands in it is not what it should be, and not the disk is to blame.
    pub(crate) const fn is_of_content(&self) -> bool {
        matches!(self, Self::RolledBack { .. } | Self::Forked { .. } | Self::Damaged(_))
    }
}

/// What is to be appended.
#[derive(Clone, Debug)]
pub struct Item {
    /// What everybody may see.
    pub entry: Entry,
    /// What hides the rest.
    pub salt: Salt,
    /// The rest, where it is a document.
    pub content: Option<String>,
    /// What a sealed entry hides.
    pub record: Option<Record>,
}

/// Who writes.
#[derive(Debug)]
pub struct Store {
    place: Place,
    signer: Signer,
    disk: Disk,
    /// The head as it is in the file, and the log under it.
    head: Option<String>,
    log: Log,
}

impl Store {
    /// Opens a ledger, or begins one: a key and no entries.
    ///
    /// # Errors
    /// It cannot be used, and what to do.
    pub fn open(place: &Place) -> Result<Self, Trouble> {
        let root = place.root();
        if !root.is_dir() {
            // above it the state folder is there
            Disk::new(root.parent().unwrap_or(root))?.write(&place.lock(), &[], 0o600)?;
        }
        let mut disk = Disk::new(root)?;
        let lock = lock(place)?;
        let signer = signer(place, &mut disk)?;
        let mut store = Self { place: place.clone(), signer, disk, head: None, log: Log::default() };
        store.refresh(true)?;
        drop(lock);
        Ok(store)
    }

    /// Entries in it, as far as this process knows.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// A customer's tag. His key is this ledger's word to him: with it he finds all entries about himself.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn tag(&mut self, customer: &str) -> Result<CustomerTag, Trouble> {
        let path = self.place.tags();
        let master = match std::fs::read(&path) {
            Ok(master) => master,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let master = super::random::<32>().map_err(of(&path))?;
                self.disk.replace(&path, &master, 0o600)?;
                master.to_vec()
            }
            Err(cause) => return Err(of(&path)(cause).into()),
        };
        let key = CustomerTag::new(&master, customer);
        Ok(CustomerTag::new(&key.0.0, customer))
    }

    /// Appends, all or nothing; afterwards it is on the disk.
    ///
    /// # Errors
    /// Nothing was appended, and why.
    pub fn append(&mut self, items: &[Item]) -> Result<Range<u64>, Trouble> {
        let entries = items.iter().map(|item| item.entry.octets()).collect::<Result<Vec<_>, _>>()?;
        let _lock = lock(&self.place)?;
        self.refresh(false)?;
        let first = self.log.size();
        if items.is_empty() {
            return Ok(first..first);
        }
        let (log, growth) = self
            .log
            .append(entries.iter().map(Vec::as_slice))
            .map_err(|long| Trouble::Damaged(long.to_string()))?;
        let secrets: Vec<Secret> = items
            .iter()
            .zip(first..)
            .map(|(item, index)| Secret {
                index,
                salt: item.salt.reveal(),
                content: item.content.clone(),
                record: item.record.clone(),
            })
            .collect();
        Secrets(self.place.private()).append(&mut self.disk, &secrets)?;
        let folder = self.place.log();
        let paths: Vec<PathBuf> =
            growth.writes.iter().map(|(tile, _)| folder.join(tile.to_string())).collect();
        let written = growth
            .writes
            .iter()
            .zip(&paths)
            .try_for_each(|((_, content), path)| self.disk.write(path, content, 0o644));
        let head = log.head(self.signer.verifier().name()).signed(&self.signer);
        let signed = written
            .and_then(|()| self.disk.sync())
            .and_then(|()| self.disk.replace(&self.place.checkpoint(), head.as_bytes(), 0o644));
        if let Err(cause) = signed {
            // The head may be there or not: the next append looks. Under an old one these files mean nothing and take room.
            if std::fs::read(self.place.checkpoint()).is_ok_and(|there| there != head.as_bytes())
                || first == 0
            {
                paths.iter().for_each(|path| drop(std::fs::remove_file(path)));
            }
            return Err(cause.into());
        }
        self.head = Some(head.clone());
        self.log = log;
        for full in growth.complete {
            // Partial ones have done their duty; what stays takes room only.
            let _ = std::fs::remove_dir_all(folder.join(format!("{full}.p")));
        }
        for path in self.place.remembered() {
            if let Err(error) = self.disk.replace(path, head.as_bytes(), 0o600) {
                tracing::warn!(%error, "the ledger's head is not remembered there");
            }
        }
        Ok(first..self.log.size())
    }

    /// The receipt for an entry.
    ///
    /// # Errors
    /// It is not there, or the files are damaged.
    pub fn receipt(&self, index: u64) -> Result<Receipt, Trouble> {
        let view = View::at(&self.place)?;
        let entry = view.entry(index)?;
        let proof = view.prove(index)?;
        let policy = Policy::of_log(self.signer.verifier().clone());
        policy.receipt(&entry, &proof).map_err(|why| Trouble::Damaged(why.to_string()))
    }

    /// Destroys what is kept of an entry beside the log; says whether there was something.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn erase(&mut self, index: u64) -> Result<bool, Trouble> {
        let _lock = lock(&self.place)?;
        Ok(Secrets(self.place.private()).erase(&mut self.disk, index)?)
    }

    /// Destroys what is kept beside entries, the first ones first, as long as they are old; says of how many. What a sealed entry
    /// hides stays.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn erase_while(&mut self, is_old: impl Fn(u64) -> bool) -> Result<u64, Trouble> {
        let _lock = lock(&self.place)?;
        Ok(Secrets(self.place.private()).erase_while(&mut self.disk, is_old)?)
    }

    /// Takes up what another process has appended; `all`: looks at what is remembered in any case.
    fn refresh(&mut self, all: bool) -> Result<(), Trouble> {
        let path = self.place.checkpoint();
        let head = match std::fs::read_to_string(&path) {
            Ok(head) => Some(head),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => return Err(of(&path)(cause).into()),
        };
        if head == self.head && !all {
            return Ok(());
        }
        let policy = Policy::of_log(self.signer.verifier().clone());
        let believe = |note: &str, path: &std::path::Path| {
            policy.believe(note).map_err(|why| Trouble::Damaged(format!("{}: {why}", path.display())))
        };
        let log = match &head {
            Some(note) => {
                let checkpoint = believe(note, &path)?;
                Log::resume(&checkpoint, Below(self.place.log()))
                    .map_err(|why| Trouble::Damaged(why.to_string()))?
            }
            None => Log::default(),
        };
        let mut reader = Reader::new(Below(self.place.log()), log.size());
        let folder = self.place.root().display().to_string();
        let mut known: Vec<(String, Checkpoint)> = Vec::new();
        for path in self.place.remembered() {
            match std::fs::read_to_string(path) {
                Ok(note) => known.push((path.display().to_string(), believe(&note, path)?)),
                Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
                Err(cause) => return Err(of(path)(cause).into()),
            }
        }
        if self.head.is_some() {
            known.push(("this process".to_owned(), self.log.head(self.signer.verifier().name())));
        }
        for (remembered, checkpoint) in known {
            let had = checkpoint.size;
            if had > log.size() {
                return Err(Trouble::RolledBack { folder, have: log.size(), remembered, had });
            }
            let root = tree::root(&mut reader, had).map_err(|why| Trouble::Damaged(why.to_string()))?;
            if root != checkpoint.root {
                return Err(Trouble::Forked { folder, remembered, had });
            }
        }
        self.head = head;
        self.log = log;
        Ok(())
    }
}

/// Nobody appends while this is held.
///
/// # Errors
/// The lock's file cannot be used.
pub fn hold(place: &Place) -> Result<Flock<File>, Trouble> {
    lock(place)
}

fn lock(place: &Place) -> Result<Flock<File>, Trouble> {
    let path = place.lock();
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(of(&path))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, cause)| of(&path)(cause.into()).into())
}

/// The key that is there, or a new one.
fn signer(place: &Place, disk: &mut Disk) -> Result<Signer, Trouble> {
    let path = place.key();
    let signer = match std::fs::read_to_string(&path) {
        Ok(text) => {
            Signer::parse(&text).map_err(|why| Trouble::Damaged(format!("{}: {why}", path.display())))?
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && place.checkpoint().exists() => {
            return Err(Trouble::Damaged(format!(
                "{} is missing, and what it signed is there: put the key back from a backup, or move {} away to begin another \
                 ledger, and tell those who verify",
                path.display(),
                place.root().display()
            )));
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            let seed = super::random().map_err(of(&path))?;
            let signer = Signer::new(place.origin(), Role::Log, seed).map_err(|why| {
                Trouble::Damaged(format!(
                    "the ledger cannot be called `{}` (`ledger.origin`): {why}",
                    place.origin()
                ))
            })?;
            disk.replace(&path, (signer.secret() + "\n").as_bytes(), 0o600)?;
            signer
        }
        Err(cause) => return Err(of(&path)(cause).into()),
    };
    if !place.policy().exists() {
        let policy = Policy::of_log(signer.verifier().clone()).to_string();
        disk.replace(&place.policy(), policy.as_bytes(), 0o644)?;
    }
    Ok(signer)
}
