//! Fingerprints of others. What is wrong is refused with its place.

use super::Fingerprint;

/// Octets of a fingerprint; more are refused before they are read.
pub const OCTETS_MAX: usize = 32 << 20;

/// Why a fingerprint is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}; ask its sender for another copy")]
pub struct Refused {
    /// Where: line and column, or a field.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

/// Reads a fingerprint.
///
/// # Errors
/// Where it is too long, damaged, not what the format says, or its key is a SHA-256 that does not belong to what it says.
pub fn read(octets: &[u8]) -> Result<Fingerprint, Refused> {
    let refused = |place: &str, reason: String| Refused { place: place.to_owned(), reason };
    if octets.len() > OCTETS_MAX {
        return Err(refused("file", format!("{} octets, at most {OCTETS_MAX} are read", octets.len())));
    }
    let fingerprint: Fingerprint = serde_json::from_slice(octets).map_err(|wrong| {
        let place = format!("line {} column {}", wrong.line(), wrong.column());
        let what = wrong.to_string();
        refused(&place, what.split(" at line ").next().unwrap_or_default().to_owned())
    })?;
    if fingerprint.attack_vectors.is_empty() {
        return Err(refused("attack_vectors", "a fingerprint has at least one vector".to_owned()));
    }
    for (at, vector) in fingerprint.attack_vectors.iter().enumerate() {
        if vector.fraction_of_attack.is_some_and(|part| !(0.0..=1.0).contains(&part)) {
            let place = format!("attack_vectors[{at}].fraction_of_attack");
            return Err(refused(&place, "no fraction; fractions are 0 to 1".to_owned()));
        }
        if vector.nr_packets.is_none() && vector.nr_flows.is_none() {
            let place = format!("attack_vectors[{at}].nr_packets");
            return Err(refused(&place, "neither packets nor flows are counted".to_owned()));
        }
    }
    let digits = fingerprint.key.bytes().all(|octet| octet.is_ascii_hexdigit());
    match fingerprint.key.len() {
        // the dissector's, which covers too little to be checked
        32 if digits => {}
        64 if digits => {
            let content = fingerprint.content_key();
            if content != fingerprint.key {
                return Err(refused(
                    "key",
                    format!("says {}, but the content is {content}", fingerprint.key),
                ));
            }
        }
        _ => return Err(refused("key", "neither an MD5 nor a SHA-256 in hexadecimal digits".to_owned())),
    }
    Ok(fingerprint)
}
