//! RFC 3161: what is asked of a time stamping authority, and whether it answered that.
//!
//! The answer is a signature of somebody else's, kept as it is; `openssl ts -verify` and courts look into it. Here it is only
//! checked that it was granted and is over the right digest.

/// Octets of an answer; those with a chain of certificates have some ten thousand.
pub const ANSWER_MAX: usize = 1 << 20;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// 2.16.840.1.101.3.4.2.1, id-sha256, with its parameters: NULL.
const SHA256: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];

/// Why a stamp is no stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not what RFC 3161 describes.
    #[error("no answer of a time stamping authority")]
    Form,
    /// It was asked in vain.
    #[error("the authority refused: status {0} (RFC 3161, section 2.4.2)")]
    Status(u8),
    /// It is of something else.
    #[error("the time stamp is over something else")]
    Imprint,
}

/// A `TimeStampReq` for a SHA-256, with a nonce, that wants the authority's certificate in the answer.
pub fn query(digest: &[u8; 32], nonce: [u8; 8]) -> Vec<u8> {
    // a positive INTEGER of nine octets whatever the nonce is, as DER wants it: no needless zero in front
    let [first, ..] = nonce;
    let number = [&[first & 0x7f | 0x40][..], &nonce].concat();
    let imprint = [&SHA256[..], &der(OCTET_STRING, digest)].concat();
    let body = [
        der(INTEGER, &[1]),
        der(SEQUENCE, &imprint),
        der(INTEGER, &number),
        // certReq
        vec![0x01, 0x01, 0xff],
    ];
    der(SEQUENCE, &body.concat())
}

/// Whether a `TimeStampResp` was granted and its token is over this digest.
///
/// # Errors
/// Why not.
pub fn granted(answer: &[u8], digest: &[u8; 32]) -> Result<(), Refused> {
    let (kind, body, rest) = element(answer).ok_or(Refused::Form)?;
    if kind != SEQUENCE || !rest.is_empty() || answer.len() > ANSWER_MAX {
        return Err(Refused::Form);
    }
    let (kind, info, token) = element(body).ok_or(Refused::Form)?;
    let (status_kind, status, _) = element(info).ok_or(Refused::Form)?;
    if kind != SEQUENCE || status_kind != INTEGER {
        return Err(Refused::Form);
    }
    match status {
        // granted, granted with modifications
        [0 | 1] => {}
        [other] => return Err(Refused::Status(*other)),
        _ => return Err(Refused::Form),
    }
    let (kind, _, rest) = element(token).ok_or(Refused::Form)?;
    if kind != SEQUENCE || !rest.is_empty() {
        return Err(Refused::Form);
    }
    // the imprint stands in TSTInfo, inside the signed content
    let imprint = [&SHA256[..], &der(OCTET_STRING, digest)].concat();
    if token.windows(imprint.len()).any(|window| window == imprint) { Ok(()) } else { Err(Refused::Imprint) }
}

/// An element of fewer than 65,536 octets.
fn der(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![kind, low],
        0x80..=0xff => vec![kind, 0x81, low],
        _ => vec![kind, 0x82, high, low],
    };
    [&head, body].concat()
}

/// The first element's kind and body, and what is behind it.
fn element(text: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = text.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((*kind, body, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_the_der_of_rfc_3161() {
        let query = query(&[7; 32], [0xff, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(&query[..5], [0x30, 68, 0x02, 1, 1]);
        assert_eq!(query.len(), 70);
        assert_eq!(&query[56..], [0x02, 9, 0x7f, 0xff, 2, 3, 4, 5, 6, 7, 8, 0x01, 0x01, 0xff]);
    }

    #[test]
    fn noise_and_refusals_are_no_stamp() {
        assert_eq!(granted(b"", &[0; 32]), Err(Refused::Form));
        assert_eq!(granted(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0; 32]), Err(Refused::Form));
        assert_eq!(granted(&[0x30, 5, 0x30, 3, 0x02, 1, 2], &[0; 32]), Err(Refused::Status(2)));
        let other = [&[0x30, 7, 0x30, 3, 0x02, 1, 0, 0x30, 0][..]].concat();
        assert_eq!(granted(&other, &[0; 32]), Err(Refused::Imprint));
    }
}
