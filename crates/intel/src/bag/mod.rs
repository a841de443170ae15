//! An evidence bag: BagIt 1.0 (RFC 8493) with a signature, a time stamp and a proof that it stands in the ledger.
//!
//! `tagmanifest-sha256.txt` covers what was sealed and is what gets signed, stamped and logged. Signature, stamp and proof come
//! after it, so a second tag manifest, `tagmanifest-sha512.txt`, covers them too; RFC 8493 §2.2.1 lets tag manifests differ. So
//! every file but the tag manifests is under a manifest, and these are only accepted as this module writes them.
//!
//! Knows texts and digests; files are the roof's.

mod info;
mod manifest;
pub mod timestamp;
mod verify;

pub use info::Info;
pub use manifest::{Algorithm, Digests, FILES_MAX, PATH_MAX, manifest, parse};
pub use verify::{Contents, Fault, Report, verify};

/// The file that makes a folder a bag.
pub const BAGIT: &str = "bagit.txt";
/// What stands in it.
pub const BAGIT_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// About the bag.
pub const BAG_INFO: &str = "bag-info.txt";
/// Digests of the payload.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// Digests of what was sealed.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// Digests of what was sealed and of what was added to the seal.
pub const OUTER_MANIFEST: &str = "tagmanifest-sha512.txt";
/// [`TAG_MANIFEST`] as a signed note.
pub const SIGNATURE: &str = "signature/tagmanifest.note";
/// Whose signature it is, as a vkey.
pub const SIGNATURE_KEY: &str = "signature/key.txt";
/// The time stamp's request (RFC 3161).
pub const STAMP_QUERY: &str = "timestamp/tagmanifest.tsq";
/// The time stamp over [`TAG_MANIFEST`].
pub const STAMP: &str = "timestamp/tagmanifest.tsr";
/// The chain of custody.
pub const CUSTODY: &str = "data/custody.jsonl";

/// Whether a file is payload.
pub fn is_payload(path: &str) -> bool {
    path.starts_with("data/")
}

/// Whether a file is a tag manifest.
pub fn is_tag_manifest(path: &str) -> bool {
    path == TAG_MANIFEST || path == OUTER_MANIFEST
}

/// Whether a file was added to the seal.
pub fn is_added(path: &str) -> bool {
    ["signature/", "timestamp/", "ledger/"].iter().any(|folder| path.starts_with(folder))
}
