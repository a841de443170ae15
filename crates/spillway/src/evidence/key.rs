//! The key that seals bags: in the state folder, made when it is first needed, readable by its owner alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use intel::dossier::Reporter;
use ledger::note::{Role, SEED_LEN};
use ledger::{Signer, VerifierKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::config::Config;

/// Octets of a key file at most.
const FILE_MAX: u64 = 4_096;

/// Where the key of this state folder is.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("evidence.key")
}

/// What a key is named after who reports.
pub fn name(reporter: &Reporter) -> String {
    let domain = if reporter.domain.is_empty() { "spillway" } else { &reporter.domain };
    format!("{domain}/evidence")
}

/// The key of a configuration, made where there is none; `None`: there is no state folder, the daemon never ran here.
///
/// # Errors
/// When it cannot be read or written, is no key, or is open to others.
pub fn of(config: &Config) -> anyhow::Result<Option<Signer>> {
    let key = config.state_dir.is_dir().then(|| path(&config.state_dir));
    key.map(|key| load_or_make(&key, &name(&config.evidence.reporter))).transpose()
}

/// Reads the key, or makes one where there is none.
///
/// # Errors
/// When it cannot be read or written, is no key, or is open to others.
pub fn load_or_make(path: &Path, name: &str) -> anyhow::Result<Signer> {
    let shown = path.display();
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match written {
        Ok(mut file) => {
            let mut seed = [0; SEED_LEN];
            SystemRandom::new().fill(&mut seed).map_err(|_| anyhow!("the system gives no random numbers"))?;
            let signer = Signer::new(name, Role::Log, seed)?;
            file.write_all(format!("{}\n", signer.secret()).as_bytes())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("cannot write the key {shown}"))?;
            Ok(signer)
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => load(path),
        Err(cause) => Err(cause).with_context(|| format!("cannot write the key {shown}")),
    }
}

/// Reads a key.
///
/// # Errors
/// When it is not there, no key, or open to others.
pub fn load(path: &Path) -> anyhow::Result<Signer> {
    let shown = path.display();
    let about = std::fs::metadata(path).with_context(|| format!("cannot read the key {shown}"))?;
    if about.mode() & 0o077 != 0 {
        bail!("the key {shown} is open to others: `chmod 600 {shown}`");
    }
    if about.len() > FILE_MAX {
        bail!("{shown} is too long for a key");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read the key {shown}"))?;
    Signer::parse(text.trim_end()).map_err(|wrong| {
        anyhow!("{shown}: {wrong}; if it is lost, remove the file: the next bag makes a new key")
    })
}

/// Reads a public key as others hand it over: the vkey itself, or a file that holds it.
///
/// # Errors
/// When it is neither.
pub fn trusted(text: &str) -> anyhow::Result<VerifierKey> {
    VerifierKey::parse(text.trim()).or_else(|wrong| {
        let read = std::fs::read_to_string(text).map_err(|_| anyhow!("`{text}`: {wrong}"))?;
        VerifierKey::parse(read.trim()).map_err(|wrong| anyhow!("{text}: {wrong}"))
    })
}
