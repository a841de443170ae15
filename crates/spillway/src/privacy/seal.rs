//! The core's own state at rest: sealed under the key of the day on which it was saved. It has to name addresses, for a restart goes
//! on with them; without the key it names nobody.

use anyhow::{Context as _, bail};
use base::Day;
use hmac::{Hmac, Mac as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

use super::keys::Key;

/// What a sealed state begins with; its day follows, then a nonce, then the rest.
const MARK: &[u8] = b"spillway-sealed-1 ";
/// Octets of a day's text.
const DAY_LEN: usize = 10;

/// The day whose key seals this; `None`: it is not sealed.
pub(super) fn day(sealed: &[u8]) -> Option<Day> {
    let day = sealed.strip_prefix(MARK)?.get(..DAY_LEN)?;
    std::str::from_utf8(day).ok()?.parse().ok()
}

/// Seals the state of this name.
///
/// # Errors
/// There are no random numbers.
pub(super) fn seal(key: &Key, day: Day, name: &str, state: &[u8]) -> anyhow::Result<Vec<u8>> {
    let nonce: [u8; NONCE_LEN] = crate::ledger::random().context("no random numbers")?;
    let mut body = state.to_vec();
    let sealed = aead(key).and_then(|aead| {
        aead.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(name.as_bytes()),
            &mut body,
        )
    });
    sealed.ok().context("a state that is too long to be sealed")?;
    Ok([MARK, day.to_string().as_bytes(), &nonce, &body].concat())
}

/// Opens it again.
///
/// # Errors
/// It was sealed under another key, or under another name, or is damaged.
pub(super) fn open(key: &Key, name: &str, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Some((nonce, body)) =
        sealed.get(MARK.len() + DAY_LEN..).and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
    else {
        bail!("it is cut off")
    };
    let mut body = body.to_vec();
    let opened = aead(key).and_then(|aead| {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        Ok(aead.open_in_place(nonce, Aad::from(name.as_bytes()), &mut body)?.len())
    });
    let length = opened.ok().context("it is damaged, or sealed under another key")?;
    body.truncate(length);
    Ok(body)
}

/// Another key than that of the pseudonyms, from the same file.
fn aead(key: &Key) -> Result<LessSafeKey, ring::error::Unspecified> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| ring::error::Unspecified)?;
    mac.update(b"state at rest");
    UnboundKey::new(&CHACHA20_POLY1305, &mac.finalize().into_bytes()).map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_under_its_key_and_name_alone() {
        let today: Day = "2026-11-26".parse().unwrap();
        let sealed = seal(&[7; 32], today, "core", b"198.51.100.7").unwrap();
        assert_eq!(day(&sealed), Some(today));
        assert!(!sealed.windows(6).any(|six| six == b"198.51"));
        assert_eq!(open(&[7; 32], "core", &sealed).unwrap(), b"198.51.100.7");
        assert!(open(&[8; 32], "core", &sealed).is_err());
        assert!(open(&[7; 32], "learned", &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(open(&[7; 32], "core", &sealed[..cut]).is_err());
        }
        assert_eq!((day(b"{}"), day(b"spillway-sealed-1 2026-13-01")), (None, None));
        assert_ne!(seal(&[7; 32], today, "core", b"").unwrap(), seal(&[7; 32], today, "core", b"").unwrap());
    }
}
