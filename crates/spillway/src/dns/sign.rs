//! Signatures: HMAC over what `wire::dns::tsig` says.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};
use steer::dnsdiversion::{Trouble, message};
use wire::dns::{Message, Name, Tsig, rcode};

use crate::config::{Algorithm, DnsZone};

/// How far our clock and the server's may differ, seconds (RFC 8945 §10).
const FUDGE: u16 = 300;

impl Algorithm {
    /// Its name (RFC 8945 §6).
    fn name(self) -> Result<Name, Trouble> {
        let text = match self {
            Self::Sha256 => "hmac-sha256",
            Self::Sha512 => "hmac-sha512",
        };
        text.parse().map_err(|bad: wire::dns::BadName| Trouble::Malformed(bad.to_string()))
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, text).map(|mac| mac.finalize().into_bytes().to_vec()),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, text).map(|mac| mac.finalize().into_bytes().to_vec()),
        }
        .unwrap_or_default()
    }

    /// Whether this is the MAC, in a time that tells nothing.
    fn verify(self, key: &[u8], text: &[u8], mac: &[u8]) -> bool {
        match self {
            Self::Sha256 => {
                keyed::<Hmac<Sha256>>(key, text).is_some_and(|made| made.verify_slice(mac).is_ok())
            }
            Self::Sha512 => {
                keyed::<Hmac<Sha512>>(key, text).is_some_and(|made| made.verify_slice(mac).is_ok())
            }
        }
    }
}

/// HMAC takes keys of any length, so there is always one.
fn keyed<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<M> {
    let mut mac = <M as Mac>::new_from_slice(key).ok()?;
    mac.update(text);
    Some(mac)
}

/// A question with its signature, and the MAC that its answer is bound to. `time` is seconds since 1970.
pub(super) fn signed(zone: &DnsZone, message: &Message, time: u64) -> Result<(Vec<u8>, Vec<u8>), Trouble> {
    let mut octets = message.write();
    let mut tsig = Tsig {
        key: zone.key_name.clone(),
        algorithm: zone.algorithm.name()?,
        time,
        fudge: FUDGE,
        mac: Vec::new(),
        id: message.id,
        error: 0,
        other: Vec::new(),
    };
    tsig.mac = zone.algorithm.mac(zone.key.octets(), &tsig.digest(None, &octets));
    tsig.append(&mut octets);
    Ok((octets, tsig.mac))
}

/// The answer to a question of this ID and MAC, if it is signed as it should be; `None`: these octets are no answer to it.
pub(super) fn answer(
    zone: &DnsZone,
    (id, mac): (u16, &[u8]),
    octets: &[u8],
    time: u64,
) -> Option<Result<Message, Trouble>> {
    let read = match wire::dns::read(octets) {
        Ok(read) => read,
        Err(_) if octets.first_chunk() != Some(&id.to_be_bytes()) => return None,
        Err(fault) => return Some(Err(Trouble::Malformed(fault.to_string()))),
    };
    if read.message.id != id || !read.message.response {
        return None;
    }
    let Some((tsig, at)) = read.tsig else {
        // A failure may come without a signature (RFC 8945 §5.3.2): believing it costs one try.
        return Some(Err(match read.message.rcode {
            rcode::NOERROR | rcode::NXDOMAIN => Trouble::Unsigned,
            code => Trouble::Rcode(code),
        }));
    };
    if let Some(trouble) = message::signature(&tsig, time) {
        return Some(Err(trouble));
    }
    let ours = tsig.key == zone.key_name && Ok(&tsig.algorithm) == zone.algorithm.name().as_ref();
    let digest = tsig.digest(Some(mac), &tsig.unsigned(octets, at));
    if !ours || !zone.algorithm.verify(zone.key.octets(), &digest, &tsig.mac) {
        return Some(Err(Trouble::Unsigned));
    }
    let apart = tsig.time.abs_diff(time);
    if apart > u64::from(tsig.fudge.min(FUDGE)) {
        return Some(Err(Trouble::BadTime { apart: Some(apart) }));
    }
    Some(Ok(read.message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn zone(algorithm: &str) -> DnsZone {
        let text = format!(
            "networks = [\"198.51.100.7/32\"]\n[listen]\nsflow = \"127.0.0.1:0\"\n[dns.main]\nserver = \"127.0.0.1\"\nzone = \"example.net\"\n\
             names = [\"www.example.net\"]\nto = [\"203.0.113.80\"]\nkey_name = \"spillway\"\nkey_file = \"{}\"\nalgorithm = \"{algorithm}\"\n",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dns/key")
        );
        Config::parse("f.toml".as_ref(), &text).unwrap().dns.remove(0)
    }

    #[test]
    fn macs_are_those_of_the_rfcs_test_vectors() {
        // RFC 4231 §4.3.
        let mac = |algorithm: Algorithm| algorithm.mac(b"Jefe", b"what do ya want for nothing?");
        let hex = |octets: Vec<u8>| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        assert_eq!(
            hex(mac(Algorithm::Sha256)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(hex(mac(Algorithm::Sha512)).starts_with("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6"));
    }

    #[test]
    fn only_an_answer_bound_to_the_question_by_the_key_is_believed() {
        for algorithm in ["hmac-sha256", "hmac-sha512"] {
            let zone = zone(algorithm);
            let time = 1_700_000_000;
            let question = Message { id: 7, ..Message::default() };
            let (_, mac) = signed(&zone, &question, time).unwrap();
            let reply = Message { id: 7, response: true, ..Message::default() };
            let plain = reply.write();
            let sign = |request: &[u8], time: u64| {
                let mut tsig = Tsig {
                    key: zone.key_name.clone(),
                    algorithm: zone.algorithm.name().unwrap(),
                    time,
                    fudge: FUDGE,
                    mac: Vec::new(),
                    id: 7,
                    error: 0,
                    other: Vec::new(),
                };
                tsig.mac = zone.algorithm.mac(zone.key.octets(), &tsig.digest(Some(request), &plain));
                let mut octets = plain.clone();
                tsig.append(&mut octets);
                octets
            };
            let heard = |octets: &[u8]| answer(&zone, (7, &mac), octets, time);
            let good = sign(&mac, time);
            assert_eq!(heard(&good), Some(Ok(reply.clone())));
            for place in 2..good.len() {
                let mut damaged = good.clone();
                damaged[place] ^= 1;
                assert!(!matches!(heard(&damaged), Some(Ok(_))), "octet {place}");
            }
            assert_eq!(heard(&plain), Some(Err(Trouble::Unsigned)));
            assert_eq!(heard(&sign(&[0; 32], time)), Some(Err(Trouble::Unsigned)), "of another question");
            assert_eq!(heard(&sign(&mac, time - 301)), Some(Err(Trouble::BadTime { apart: Some(301) })));
            assert_eq!(answer(&zone, (8, &mac), &good, time), None);
            assert_eq!(heard(b"noise"), None);
        }
    }
}
