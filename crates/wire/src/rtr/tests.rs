use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn written(pdu: &Pdu, version: u8) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.write(&mut out, version);
    out
}

#[test]
fn a_prefix_is_as_the_figure_of_the_rfc_has_it() {
    // RFC 8210 §5.6 and §5.7, by hand: 192.0.2.0/24-26 of AS 64496, announced; 2001:db8::/32-48 of AS 65551, withdrawn.
    let v4 = [1, 4, 0, 0, 0, 0, 0, 20, 1, 24, 26, 0, 192, 0, 2, 0, 0, 0, 0xfb, 0xf0];
    let (pdu, version, length) = read(&v4).unwrap().unwrap();
    let vrp = Vrp { prefix: "192.0.2.0/24".parse().unwrap(), max_length: 26, asn: 64_496 };
    assert_eq!((&pdu, version, length), (&Pdu::Prefix { announce: true, vrp }, 1, 20));
    assert_eq!(written(&pdu, 1), v4);
    let mut v6 = vec![1, 6, 0, 0, 0, 0, 0, 32, 0, 32, 48, 0, 0x20, 0x01, 0x0d, 0xb8];
    v6.extend([0; 12]);
    v6.extend([0, 1, 0, 15]);
    let (pdu, ..) = read(&v6).unwrap().unwrap();
    let vrp = Vrp { prefix: "2001:db8::/32".parse().unwrap(), max_length: 48, asn: 65_551 };
    assert_eq!(pdu, Pdu::Prefix { announce: false, vrp });
    assert_eq!(written(&pdu, 1), v6);
    // Nothing is whole before its last octet.
    for end in 0..v6.len() {
        assert_eq!(read(v6.get(..end).unwrap()), Ok(None), "{end}");
    }
}

#[test]
fn every_kind_comes_back_in_both_versions() {
    let all = [
        Pdu::SerialNotify { session: 7, serial: 9 },
        Pdu::SerialQuery { session: 7, serial: u32::MAX },
        Pdu::ResetQuery,
        Pdu::CacheResponse { session: 65_535 },
        Pdu::EndOfData { session: 7, serial: 9, timing: Some(Timing { refresh: 1, retry: 2, expire: 3 }) },
        Pdu::CacheReset,
        Pdu::Error { code: error::NO_DATA, text: "come back later".into() },
    ];
    for pdu in &all {
        let octets = written(pdu, 1);
        assert_eq!(read(&octets), Ok(Some((pdu.clone(), 1, octets.len()))));
    }
    let octets = written(&Pdu::EndOfData { session: 7, serial: 9, timing: None }, 0);
    let wanted = Pdu::EndOfData { session: 7, serial: 9, timing: None };
    assert_eq!((read(&octets), octets.len()), (Ok(Some((wanted, 0, 12))), 12));
}

#[test]
fn what_cannot_be_followed_is_a_fault() {
    let header = |version: u8, kind: u8, length: u32| {
        let mut out = vec![version, kind, 0, 0];
        out.extend(length.to_be_bytes());
        out.extend([0; 40]);
        out
    };
    assert_eq!(read(&header(2, 2, 8)), Err(Fault::Version { found: 2 }));
    assert_eq!(read(&header(1, 5, 8)), Err(Fault::Value { what: "PDU Type", found: 5 }));
    for (kind, length) in [(2, 9), (4, 19), (6, 33), (7, 12), (9, 7), (9, 1 << 20), (10, u32::MAX)] {
        assert!(matches!(read(&header(1, kind, length)), Err(Fault::Length { .. })), "{kind} {length}");
    }
    // A maximum below the length, or beyond the address.
    for (length, most) in [(24, 23), (24, 33), (33, 33)] {
        let octets = [1, 4, 0, 0, 0, 0, 0, 20, 1, length, most, 0, 192, 0, 2, 0, 0, 0, 0, 1];
        assert!(matches!(read(&octets), Err(Fault::Value { what: "Max Length", .. })), "{length} {most}");
    }
    // A later version may still say why it refuses, without control characters.
    let octets = [2, 10, 0, 4, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 3, b'n', 7, b'o'];
    let wanted = Pdu::Error { code: error::UNSUPPORTED_VERSION, text: "n o".into() };
    assert_eq!(read(&octets), Ok(Some((wanted, 2, 19))));
    // One whose inner lengths lie is a fault too.
    let octets = [1, 10, 0, 4, 0, 0, 0, 16, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert!(read(&octets).is_err());
}

proptest! {
    #[test]
    fn noise_is_a_pdu_or_a_fault(kind in 0_u8..12, length in 0_u32..64, noise in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut octets = vec![1, kind, 0, 0];
        octets.extend(length.to_be_bytes());
        octets.extend(&noise);
        if let Ok(Some((pdu, version, length))) = read(&octets) {
            prop_assert!(length <= octets.len());
            if pdu != Pdu::RouterKey && !matches!(pdu, Pdu::Error { .. }) {
                let again = written(&pdu, version);
                prop_assert_eq!(read(&again), Ok(Some((pdu, version, again.len()))));
            }
        }
        let _ = read(&noise);
    }
}
