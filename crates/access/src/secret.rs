//! Secrets: made at random, shown once, kept as their hash.

use std::fmt::Write as _;

use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::AccessError;

/// So many random octets as hexadecimal digits.
pub(crate) fn random<const N: usize>() -> Result<String, AccessError> {
    Ok(hex(&octets::<N>()?))
}

/// So many random octets.
pub(crate) fn octets<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut octets = [0; N];
    SystemRandom::new().fill(&mut octets).map_err(|_| AccessError::Random)?;
    Ok(octets)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut out, octet| {
        let _ = write!(out, "{octet:02x}");
        out
    })
}

/// What is kept of a random secret: with 256 bits of chance, a slow hash would add nothing.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether it is that secret, in a time that does not tell how far it was right.
pub(crate) fn is(hash_kept: &[u8], secret: &str) -> bool {
    hash(secret).as_slice().ct_eq(hash_kept).into()
}
