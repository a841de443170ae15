//! A file, its proof and a policy: all that somebody outside has.

use std::collections::BTreeMap;

use base::Timestamp;
use ledger::commitment::Salt;
use ledger::entry::{Act, By, Decision, Entry, What};
use ledger::opening::{NotVerified, Opening};
use ledger::{Proof, text};

use crate::disk::{Kept, policy};

const SALT: Salt = Salt::new([9; 32]);
const CONTENT: &[u8] = b"{\"rule\":\"dst 192.0.2.1/32 -> drop\"}";

fn opened() -> (Proof, Vec<u8>) {
    let decision = Decision {
        act: Act::Mitigation,
        by: By::Product,
        customer: None,
        commitment: SALT.commit(CONTENT),
        counts: BTreeMap::new(),
    };
    let entry = Entry::new(Timestamp::from_secs(1_790_000_000), What::Decision(decision));
    let octets = entry.octets().unwrap();
    let mut kept = Kept::default();
    kept.append(&[b"a".to_vec(), octets.clone(), b"b".to_vec()]);
    (Opening::new(entry, SALT, None).attach(kept.prove(1)).unwrap(), octets)
}

#[test]
fn what_an_entry_commits_to_is_proven_by_the_file_itself() {
    let (proof, entry) = opened();
    let read = Proof::parse(&proof.to_string()).unwrap();
    let verified = policy().verify(&read, CONTENT).unwrap();
    assert!(!verified.is_entry);
    assert_eq!((verified.receipt.index(), verified.time), (1, Some(Timestamp::from_secs(1_790_000_000))));
    assert_eq!(verified.receipt.entry(), entry);
    // the entry itself is proven by the same proof without its extra line
    let bare = Proof { extra: None, ..read.clone() };
    assert!(policy().verify(&bare, &entry).unwrap().is_entry);
    assert_eq!(policy().verify(&read, &entry).unwrap_err(), NotVerified::OtherFile(1));
    assert!(matches!(policy().verify(&bare, CONTENT), Err(NotVerified::Unproven(_))));
    assert!(proof.to_string().len() <= 1_536, "{}", proof.to_string().len());
}

#[test]
fn one_changed_bit_in_the_file_or_the_opened_proof_is_refused() {
    let (proof, _) = opened();
    for at in 0..CONTENT.len() * 8 {
        let mut changed = CONTENT.to_vec();
        changed[at / 8] ^= 1 << (at % 8);
        assert_eq!(policy().verify(&proof, &changed).unwrap_err(), NotVerified::OtherFile(1), "bit {at}");
    }
    let octets = proof.to_string().into_bytes();
    for at in 0..octets.len() * 8 {
        let mut changed = octets.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let read = String::from_utf8(changed).ok().and_then(|text| Proof::parse(&text).ok());
        assert!(read.is_none_or(|proof| policy().verify(&proof, CONTENT).is_err()), "bit {at}");
    }
    // and in what the extra line says, however it is written
    let extra = proof.extra.clone().unwrap();
    for at in 0..extra.len() * 8 {
        let mut changed = extra.clone();
        changed[at / 8] ^= 1 << (at % 8);
        let proof = Proof { extra: Some(changed), ..proof.clone() };
        assert!(policy().verify(&proof, CONTENT).is_err(), "bit {at} of {}", text::hex(&extra));
    }
}
