//! `spillway support bundle`: what helps to find a fault, in one archive, without secrets and without the addresses of others.
//!
//! The configuration is read as a tree and only what is known to be harmless is kept of it ([`config`]); everything then goes
//! through one sieve ([`scrub`]) that takes out what the configuration keeps secret, tokens, keys, and addresses.

pub mod config;
mod gather;
pub mod scrub;

use std::io::Write;

use serde::Serialize;

pub(crate) use gather::gather;

/// One file of a bundle.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its name in the archive.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its text.
    pub text: String,
}

/// A line of the list of content.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its name in the archive.
    pub file: &'static str,
    /// Octets.
    pub bytes: usize,
    /// What it is.
    pub what: &'static str,
}

/// The list of content.
pub fn list(pieces: &[Piece]) -> Vec<Listed> {
    pieces
        .iter()
        .map(|piece| Listed { file: piece.name, bytes: piece.text.len(), what: piece.what })
        .collect()
}

/// Writes the archive; all files are in one folder, and belong to nobody in particular.
///
/// # Errors
/// What `out` refuses.
pub fn pack(pieces: &[Piece], seconds: u64, out: impl Write) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(out);
    for piece in pieces {
        let mut header = tar::Header::new_ustar();
        header.set_size(piece.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        archive.append_data(
            &mut header,
            format!("spillway-support/{}", piece.name),
            piece.text.as_bytes(),
        )?;
    }
    archive.finish()
}
