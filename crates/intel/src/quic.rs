//! Connection ids of QUIC (RFC 9000 §17): who uses the one that the other end chose has received its packet.

use base::hash::Mixer;

/// A server's connection id is no shorter; shorter ones could be guessed.
const ID_MIN: usize = 8;
/// RFC 9000 §17.2.
const ID_MAX: usize = 20;
/// Versions whose long headers have this form: 1 and 2 (RFC 9369).
const VERSIONS: [u32; 2] = [1, 0x6b33_43cf];

/// A connection id that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    /// Never 0.
    pub(crate) hash: u32,
    /// In octets.
    pub(crate) len: u8,
}

/// What the sender of a packet with a long header wants to be called; `None` for other packets, and for short ids.
#[inline]
pub(crate) fn chosen(payload: &[u8]) -> Option<Id> {
    let (_, rest) = long(payload)?;
    let (len, rest) = rest.split_first()?;
    of(rest.get(..usize::from(*len))?)
}

/// Whether a packet is addressed by this id.
#[inline]
pub(crate) fn uses(payload: &[u8], id: Id) -> bool {
    let used = match payload.first() {
        Some(first) if first & 0x80 != 0 => long(payload).map(|(used, _)| used),
        Some(first) if first & 0x40 != 0 => payload.get(1..1 + usize::from(id.len)),
        _ => None,
    };
    used.and_then(of) == Some(id)
}

/// The destination's id of a long header, and what stands behind it.
fn long(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let [first, a, b, c, d, len, rest @ ..] = payload else { return None };
    let known = VERSIONS.contains(&u32::from_be_bytes([*a, *b, *c, *d]));
    if first & 0xc0 != 0xc0 || !known || usize::from(*len) > ID_MAX {
        return None;
    }
    rest.split_at_checked(usize::from(*len))
}

fn of(id: &[u8]) -> Option<Id> {
    if !(ID_MIN..=ID_MAX).contains(&id.len()) {
        return None;
    }
    let mix = id.chunks(8).fold(Mixer::new(0x7175_6963), |mix, part| {
        let mut word = [0; 8];
        part.iter().zip(&mut word).for_each(|(octet, to)| *to = *octet);
        mix.with(u64::from_be_bytes(word))
    });
    let [.., a, b, c, d] = mix.finish().to_be_bytes();
    Some(Id { hash: u32::from_be_bytes([a, b, c, d]).max(1), len: u8::try_from(id.len()).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, version: u32, dcid: &[u8], scid: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        out.extend(version.to_be_bytes());
        out.push(u8::try_from(dcid.len()).unwrap());
        out.extend(dcid);
        out.push(u8::try_from(scid.len()).unwrap());
        out.extend(scid);
        out.extend([7; 9]);
        out
    }

    #[test]
    fn who_was_told_the_id_uses_it_and_who_guesses_does_not() {
        let (mine, theirs) = ([1, 2, 3, 4, 5, 6, 7, 8], [9; 8]);
        let id = chosen(&packet(0xe0, 1, &mine, &theirs)).unwrap();
        assert!(uses(&packet(0xe0, 1, &theirs, &mine), id));
        assert!(uses(&[&[0x41][..], &theirs, &[1, 2, 3]].concat(), id));
        assert!(!uses(&packet(0xc0, 1, &mine, &mine), id));
        assert!(!uses(&[&[0x41][..], &mine, &[1, 2, 3]].concat(), id));
        assert!(!uses(&[], id) && !uses(&[0x41, 9], id));
    }

    #[test]
    fn other_versions_short_ids_and_damage_are_none() {
        let good = packet(0xe0, 0x6b33_43cf, &[1; 8], &[2; 20]);
        assert!(chosen(&good).is_some());
        for bad in [
            packet(0xe0, 0, &[1; 8], &[2; 8]),
            packet(0x60, 1, &[1; 8], &[2; 8]),
            packet(0xe0, 1, &[1; 8], &[2; 4]),
            packet(0xe0, 1, &[1; 21], &[2; 8]),
            packet(0xe0, 1, &[1; 8], &[2; 21]),
        ] {
            assert_eq!(chosen(&bad), None);
        }
        for cut in 0..36.min(good.len()) {
            let _ = chosen(&good[..cut]);
        }
    }
}
