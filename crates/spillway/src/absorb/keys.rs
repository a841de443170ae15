//! Keys of the brain and of absorbers: Ed25519, in a file that its owner alone may read. Who is who is said by the SHA-256 of the
//! public key, so no authority has to sign anything, and nothing expires.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::de::{self, Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

/// How a fingerprint begins.
const SCHEME: &str = "sha256:";
/// Octets of a key file at most.
const FILE_MAX: usize = 16 << 10;

/// The SHA-256 of a public key (its `SubjectPublicKeyInfo`, RFC 7250).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a public key as it goes over the wire.
    pub(super) fn of(public: &[u8]) -> Self {
        Self(Sha256::digest(public).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "`{text}` is no fingerprint; write what `spillway absorb keys FILE` prints on the other machine, \
                 \"{SCHEME}\" and 64 hexadecimal digits"
            )
        };
        let digits = text
            .strip_prefix(SCHEME)
            .filter(|digits| digits.len() == 64 && digits.is_ascii())
            .ok_or_else(bad)?;
        let mut octets = [0; 32];
        for (place, octet) in octets.iter_mut().enumerate() {
            let pair = digits.get(place * 2..place * 2 + 2).unwrap_or_default();
            *octet = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(octets))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A key of this machine's.
#[derive(Clone, Debug)]
pub struct Key {
    pub(super) certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// When it is not there, not a key, or open to others.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let make = format!("`spillway absorb keys {shown}` makes one");
        let meta = std::fs::metadata(path).with_context(|| format!("cannot read the key {shown}; {make}"))?;
        if meta.mode() & 0o077 != 0 {
            bail!("the key {shown} is open to others: `chmod 600 {shown}`");
        }
        if usize::try_from(meta.len()).unwrap_or(usize::MAX) > FILE_MAX {
            bail!("{shown} is too long for a key; {make}");
        }
        let text = std::fs::read(path).with_context(|| format!("cannot read the key {shown}"))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&text)
            .map_err(|wrong| anyhow::anyhow!("{shown} is no key in PEM ({wrong}); {make}"))?;
        let signer = any_eddsa_type(&key)
            .map_err(|wrong| anyhow::anyhow!("{shown} is no Ed25519 key ({wrong}); {make}"))?;
        let public = signer.public_key().context("a key without its public part")?.to_vec();
        let fingerprint = Fingerprint::of(&public);
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signer)),
            fingerprint,
        })
    }

    /// Reads a key, or makes one where there is none.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn load_or_make(path: &Path) -> anyhow::Result<Self> {
        let made = ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match written.and_then(|mut file| {
            file.write_all(pem(made.as_ref()).as_bytes())?;
            file.sync_all()
        }) {
            Ok(()) => {}
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            Err(cause) => {
                return Err(cause).with_context(|| format!("cannot write the key {}", path.display()));
            }
        }
        Self::load(path)
    }

    /// Who it is.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// As text (RFC 7468).
fn pem(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let word =
            three.iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            let digit = DIGITS.get(digit).copied().unwrap_or(b'=');
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_is_its_owners_alone_and_has_one_name() {
        let folder = std::env::temp_dir().join(format!("spillway-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a.key");
        assert!(format!("{:#}", Key::load(&path).unwrap_err()).contains("spillway absorb keys"));
        let made = Key::load_or_make(&path).unwrap().fingerprint();
        assert_eq!(Key::load_or_make(&path).unwrap().fingerprint(), made);
        assert_ne!(Key::load_or_make(&folder.join("b.key")).unwrap().fingerprint(), made);
        assert_eq!(made.to_string().parse(), Ok(made));
        for wrong in ["", "sha256:", &made.to_string().replace("sha256", "md5"), &format!("{made}0")] {
            assert!(wrong.parse::<Fingerprint>().unwrap_err().contains("spillway absorb keys"), "{wrong}");
        }
        std::fs::write(&path, "nothing").unwrap();
        assert!(Key::load(&path).unwrap_err().to_string().contains("no key in PEM"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Key::load(&path).unwrap_err().to_string().contains("chmod 600"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
