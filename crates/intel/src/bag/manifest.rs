//! Manifests: a digest and a path a line.

use std::collections::BTreeMap;

use ledger::text::{from_hex, hex};

/// Files of one bag.
pub const FILES_MAX: usize = 10_000;
/// Octets of a path in a bag.
pub const PATH_MAX: usize = 1_024;

/// What a manifest's digests are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 32 octets.
    Sha256,
    /// 64 octets.
    Sha512,
}

/// A file's digests and length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256.
    pub sha256: [u8; 32],
    /// SHA-512; `None` of payload, whose manifest is by SHA-256 alone.
    pub sha512: Option<[u8; 64]>,
    /// Its length.
    pub octets: u64,
}

impl Digests {
    /// By one of both, where it is known.
    pub fn by(&self, algorithm: Algorithm) -> Option<&[u8]> {
        match algorithm {
            Algorithm::Sha256 => Some(&self.sha256),
            Algorithm::Sha512 => self.sha512.as_ref().map(<[u8; 64]>::as_slice),
        }
    }
}

impl Algorithm {
    const fn octets(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A manifest of these files, sorted by path. The paths have no line breaks and no `%`.
pub fn manifest<'a>(algorithm: Algorithm, files: impl IntoIterator<Item = (&'a str, &'a Digests)>) -> String {
    let files: BTreeMap<_, _> = files.into_iter().collect();
    let line =
        |(path, digests): (&&str, &&'a Digests)| Some(format!("{}  {path}\n", hex(digests.by(algorithm)?)));
    files.iter().filter_map(line).collect()
}

/// Digests by path of a manifest that is as [`manifest`] writes it, octet by octet; otherwise where and what is wrong.
///
/// Other programs' manifests may have other spacing, order or capitals. Here each set of files has one manifest, so that no
/// changed octet in it goes unseen.
///
/// # Errors
/// The number of the first wrong line, from 1, and what is wrong with it.
pub fn parse(algorithm: Algorithm, text: &[u8]) -> Result<BTreeMap<&str, Vec<u8>>, (usize, &'static str)> {
    let Ok(text) = core::str::from_utf8(text) else { return Err((1, "not UTF-8")) };
    let mut files = BTreeMap::new();
    let mut last = "";
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let wrong = |what| (at + 1, what);
        let line = line.strip_suffix('\n').ok_or_else(|| wrong("no line break at its end"))?;
        let (digest, path) =
            line.split_at_checked(algorithm.octets() * 2).ok_or_else(|| wrong("too short for a digest"))?;
        let digest = from_hex(digest).ok_or_else(|| wrong("no digest in lower-case hexadecimal digits"))?;
        let path = path.strip_prefix("  ").ok_or_else(|| wrong("no two spaces behind the digest"))?;
        if !is_path(path) {
            return Err(wrong("a path that leads out of the bag, or has odd characters"));
        }
        if path <= last {
            return Err(wrong("not in the order of paths"));
        }
        if files.len() >= FILES_MAX {
            return Err(wrong("too many files"));
        }
        last = path;
        files.insert(path, digest);
    }
    Ok(files)
}

fn is_path(path: &str) -> bool {
    let parts = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let plain = !path.contains(|c: char| c.is_control() || matches!(c, '%' | '\\'));
    path.len() <= PATH_MAX && parts && plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digests(octet: u8) -> Digests {
        Digests { sha256: [octet; 32], sha512: Some([octet; 64]), octets: 1 }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_no_changed_bit_of_it_is(paths in proptest::collection::btree_set("[a-z]{1,5}(/[a-z]{1,5})?", 0..5), at: usize, bit in 0..8) {
            let list: Vec<_> = paths.iter().zip(1_u8..).map(|(path, octet)| (path.as_str(), digests(octet))).collect();
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                let text = manifest(algorithm, list.iter().map(|(path, digests)| (*path, digests)));
                let read = parse(algorithm, text.as_bytes()).unwrap();
                let expected: BTreeMap<_, _> = list.iter().map(|(path, digests)| (*path, digests.by(algorithm).unwrap().to_vec())).collect();
                prop_assert_eq!(&read, &expected);
                if !text.is_empty() {
                    let mut changed = text.clone().into_bytes();
                    let at = at % changed.len();
                    changed[at] ^= 1_u8 << bit;
                    prop_assert_ne!(parse(algorithm, &changed), Ok(expected));
                }
            }
        }
    }

    #[test]
    fn a_path_out_of_the_bag_is_refused() {
        for path in ["../x", "/etc/x", "data/../../x", "data//x", "a%0Ab", "a\tb", "a\\b"] {
            let line = format!("{}  {path}\n", "00".repeat(32));
            assert_eq!(parse(Algorithm::Sha256, line.as_bytes()).map_err(|(line, _)| line), Err(1), "{path}");
        }
    }
}
