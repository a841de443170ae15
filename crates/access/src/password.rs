//! Passwords: argon2id with the parameters of RFC 9106 §4 as OWASP lowers them for servers (19 MiB, two passes).

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::{AccessError, secret};

/// Octets of a password at least.
pub const PASSWORD_MIN: usize = 12;
/// Octets of a password at most: nobody buys work with length.
pub const PASSWORD_MAX: usize = 256;
/// KiB, passes, lanes.
const COST: (u32, u32, u32) = (19_456, 2, 1);

fn argon() -> Argon2<'static> {
    let params = Params::new(COST.0, COST.1, COST.2, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// What is kept of a password, in the PHC format.
pub(crate) fn hash(password: &str) -> Result<String, AccessError> {
    if !(PASSWORD_MIN..=PASSWORD_MAX).contains(&password.len()) {
        return Err(AccessError::Wrong(format!(
            "a password has {PASSWORD_MIN} to {PASSWORD_MAX} octets: a few unrelated words make a good one"
        )));
    }
    let salt = SaltString::encode_b64(&secret::octets::<16>()?).map_err(|_| AccessError::Random)?;
    let hash = argon().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|why| AccessError::Wrong(format!("this password cannot be kept: {why}")))
}

/// Whether it is that password. Without one the same work is done, so that time does not tell who exists.
pub(crate) fn is(kept: Option<&str>, password: &str) -> bool {
    let parsed = kept.and_then(|kept| PasswordHash::new(kept).ok());
    let password = password.as_bytes();
    if password.len() > PASSWORD_MAX {
        return false;
    }
    match parsed {
        Some(hash) => argon().verify_password(password, &hash).is_ok(),
        None => {
            let mut out = [0; 32];
            let _ = argon().hash_password_into(password, &[7; 16], &mut out);
            false
        }
    }
}
