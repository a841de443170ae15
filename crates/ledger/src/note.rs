//! Signed notes: a text and who signed it, as `c2sp.org/signed-note` and `c2sp.org/tlog-cosignature` have them.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::hash::Hash;
use crate::text;

/// Octets of a note: sixteen of the largest signatures in use fit.
pub const NOTE_MAX: usize = 128 << 10;
/// Signatures that are looked at; a note with more is refused.
pub const SIGNATURES_MAX: usize = 64;
/// Octets of a secret seed.
pub const SEED_LEN: usize = 32;

const KEY_LEN: usize = 32;
const SECRET_PREFIX: &str = "PRIVATE+KEY+";

/// Why a note or a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not have the form of one.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// A key cannot be used.
    #[error("not a key: {0}")]
    Key(&'static str),
    /// A signature by a key that is trusted does not fit the text.
    #[error("the signature of {0} does not fit what it stands under: the text or the signature was changed")]
    Forged(String),
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The note's text, as a log does (signature type 1).
    Log,
    /// That the checkpoint was seen at a time, as a witness does (signature type 4).
    Witness,
}

impl Role {
    const fn octet(self) -> u8 {
        match self {
            Self::Log => 1,
            Self::Witness => 4,
        }
    }
}

/// Whose signatures are believed: name, key and role, written like `example.org/log+2f83a1c0+AQ…` (a *vkey*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    role: Role,
    public: [u8; KEY_LEN],
}

impl VerifierKey {
    /// Reads a vkey.
    ///
    /// # Errors
    /// It is none, or of a type that is not known here.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let form = Refused::Key("a vkey is NAME+HASH+KEY, as `spillway ledger head` prints it");
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form);
        };
        let key = text::from_base64(key).ok_or(form)?;
        let (kind, public) = key.split_first().ok_or(Refused::Key("it is empty"))?;
        let role = match kind {
            1 => Role::Log,
            4 => Role::Witness,
            _ => return Err(Refused::Key("only Ed25519 keys (types 1 and 4) are known here")),
        };
        let public = public.try_into().map_err(|_| Refused::Key("an Ed25519 key has 32 octets"))?;
        let read = Self::new(name, role, public)?;
        if text::hex(&read.id().to_be_bytes()) == id {
            Ok(read)
        } else {
            Err(Refused::Key("its hash is not of its name and key"))
        }
    }

    /// From its parts.
    ///
    /// # Errors
    /// The name cannot stand in a note.
    pub fn new(name: &str, role: Role, public: [u8; KEY_LEN]) -> Result<Self, Refused> {
        if is_name(name) {
            Ok(Self { name: name.to_owned(), role, public })
        } else {
            Err(Refused::Key("a name is one word without `+`, like example.org/log"))
        }
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The 32 octets of the public key.
    pub fn public(&self) -> &[u8; KEY_LEN] {
        &self.public
    }

    /// First four octets of the hash over name, role and key.
    pub fn id(&self) -> u32 {
        let hash = Hash::of(&[self.name.as_bytes(), b"\n", &[self.role.octet()], &self.public].concat());
        let [a, b, c, d, ..] = hash.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether one of the note's signatures is by this key.
    ///
    /// # Errors
    /// One says so and is not.
    pub fn has_signed(&self, note: &Note<'_>) -> Result<bool, Refused> {
        let id = self.id();
        let mut signed = false;
        for signature in note.signatures.iter().filter(|by| by.name == self.name && by.id == id) {
            if !self.fits(note.text, &signature.octets) {
                return Err(Refused::Forged(self.name.clone()));
            }
            signed = true;
        }
        Ok(signed)
    }

    fn fits(&self, text: &str, octets: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        match self.role {
            Role::Log => key.verify(text.as_bytes(), octets).is_ok(),
            Role::Witness => octets.split_first_chunk::<8>().is_some_and(|(time, signature)| {
                let message = cosigned(u64::from_be_bytes(*time), text);
                key.verify(message.as_bytes(), signature).is_ok()
            }),
        }
    }
}

/// As a vkey.
impl core::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let key = [&[self.role.octet()][..], &self.public].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), text::base64(&key))
    }
}

/// Who signs: the secret half of a key.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: VerifierKey,
    seed: [u8; SEED_LEN],
}

impl Signer {
    /// From a name and 32 random octets.
    ///
    /// # Errors
    /// The name cannot stand in a note.
    pub fn new(name: &str, role: Role, seed: [u8; SEED_LEN]) -> Result<Self, Refused> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Refused::Key("the seed is unusable"))?;
        let public =
            pair.public_key().as_ref().try_into().map_err(|_| Refused::Key("the seed is unusable"))?;
        Ok(Self { key: VerifierKey::new(name, role, public)?, pair, seed })
    }

    /// Reads a secret key, `PRIVATE+KEY+NAME+HASH+KEY`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let form = Refused::Key("a secret key is PRIVATE+KEY+NAME+HASH+KEY");
        let body = text.trim_end().strip_prefix(SECRET_PREFIX).ok_or_else(|| form.clone())?;
        let mut parts = body.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form);
        };
        let key = text::from_base64(key).ok_or_else(|| form.clone())?;
        let (role, seed) = match key.split_first() {
            Some((1, seed)) => (Role::Log, seed),
            Some((4, seed)) => (Role::Witness, seed),
            _ => return Err(form),
        };
        let signer = Self::new(name, role, seed.try_into().map_err(|_| form)?)?;
        if text::hex(&signer.key.id().to_be_bytes()) == id {
            Ok(signer)
        } else {
            Err(Refused::Key("its hash is not of its name and key"))
        }
    }

    /// The secret key as text.
    pub fn secret(&self) -> String {
        let key = [&[self.key.role.octet()][..], &self.seed].concat();
        format!("{SECRET_PREFIX}{}+{:08x}+{}", self.key.name, self.key.id(), text::base64(&key))
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.key
    }

    /// The line that says that a log stands by a text, which ends in a newline.
    pub fn signature(&self, text: &str) -> String {
        self.line(self.pair.sign(text.as_bytes()).as_ref())
    }

    /// The line that says that a witness saw a checkpoint at a time, in seconds since 1970.
    pub fn cosignature(&self, text: &str, seconds: u64) -> String {
        let signature = self.pair.sign(cosigned(seconds, text).as_bytes());
        self.line(&[&seconds.to_be_bytes()[..], signature.as_ref()].concat())
    }

    fn line(&self, signature: &[u8]) -> String {
        let octets = [&self.key.id().to_be_bytes()[..], signature].concat();
        format!("\u{2014} {} {}\n", self.key.name, text::base64(&octets))
    }
}

/// Without the secret.
impl core::fmt::Debug for Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a witness signs.
fn cosigned(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// A text and its signatures, none of which has been looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// With its last newline.
    pub text: &'a str,
    signatures: Vec<Signature<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature<'a> {
    name: &'a str,
    id: u32,
    octets: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(note: &'a str) -> Result<Self, Refused> {
        if note.len() > NOTE_MAX {
            return Err(Refused::Form("it is too long"));
        }
        if note.bytes().any(|octet| octet < b' ' && octet != b'\n') {
            return Err(Refused::Form("control characters in it"));
        }
        let split = note.rfind("\n\n").ok_or(Refused::Form("no empty line before the signatures"))?;
        let (text, signatures) = note.split_at_checked(split + 1).ok_or(Refused::Form("no text"))?;
        let lines = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(Refused::Form("no newline at its end, or no signature"))?;
        let signatures = lines
            .split('\n')
            .take(SIGNATURES_MAX + 1)
            .map(|line| {
                Signature::parse(line).ok_or(Refused::Form("a line below the empty one is no signature"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Refused::Form("too many signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// Signatures under it, whoever made them.
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }
}

impl<'a> Signature<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, base64) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let octets = text::from_base64(base64)?;
        let (id, signature) = octets.split_first_chunk::<4>()?;
        let id = u32::from_be_bytes(*id);
        (is_name(name) && !signature.is_empty()).then(|| Self { name, id, octets: signature.to_vec() })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}
