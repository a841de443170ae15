//! A file, its proof and a policy: all that somebody outside has.

use std::collections::BTreeMap;

use base::Timestamp;
use ledger::commitment::Salt;
use ledger::entry::{Act, By, Decision, Entry, What};
use ledger::opening::{NotVerified, Opening};
use ledger::{Checkpoint, Hash, Proof, text};

use crate::disclosure::{PAYLOAD, disclosed};
use crate::disk::{Kept, ORIGIN, policy, signer};

const SALT: Salt = Salt::new([9; 32]);
pub(crate) const CONTENT: &[u8] = b"{\"rule\":\"dst 192.0.2.1/32 -> drop\"}";

pub(crate) fn opened() -> (Proof, Vec<u8>) {
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
    assert!(matches!(policy().verify(&read, &entry), Err(NotVerified::Unproven(_))));
    assert!(matches!(policy().verify(&bare, CONTENT), Err(NotVerified::Unproven(_))));
    assert!(proof.to_string().len() <= 1_536, "{}", proof.to_string().len());
}

#[test]
fn one_changed_bit_in_the_file_or_the_opened_proof_is_refused() {
    let (proof, _) = opened();
    for at in 0..CONTENT.len() * 8 {
        let mut changed = CONTENT.to_vec();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(matches!(policy().verify(&proof, &changed), Err(NotVerified::Unproven(_))), "bit {at}");
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

/// Octets of the file of an opened proof of the last entry of a log with 2ⁿ entries.
fn octets_in(proof: &Proof, depth: u32) -> usize {
    let size = 1_u64 << depth;
    let head = Checkpoint { origin: ORIGIN.to_owned(), size, root: Hash::empty() };
    let hashes = (0..depth).map(|_| Hash::empty()).collect();
    let longest = Proof { index: size - 1, hashes, checkpoint: head.signed(&signer()), ..proof.clone() };
    longest.to_string().len()
}

#[test]
fn an_opened_proof_takes_a_kilobyte_and_a_half_in_a_log_of_tens_of_millions() {
    let (decision, _) = opened();
    let disclosures = disclosed();
    let most =
        |proof: &Proof| (0..64).take_while(|depth| octets_in(proof, *depth) <= 1_536).last().unwrap_or(0);
    for (what, proof) in
        [("decision", &decision)].into_iter().chain(disclosures.iter().map(|(what, proof, _)| (*what, proof)))
    {
        let extra = proof.extra.as_ref().unwrap().len();
        let without = Proof { extra: None, ..proof.clone() };
        println!(
            "{what}: {extra} octets open it, {} octets in a log of 2^20, at most 1,536 up to 2^{}; unopened up to 2^{}",
            octets_in(proof, 20),
            most(proof),
            most(&without)
        );
        let least = if what == "decision" { 26 } else { 20 };
        assert!(most(proof) >= least, "{what}: {} octets in a log of 2^{least}", octets_in(proof, least));
    }
}

/// Nanoseconds that this thread has been on a processor; others may have had most of the time.
fn worked() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// What verifying costs on a processor is printed: the signature, and all of it.
#[test]
fn most_of_verifying_is_the_signature() {
    let (proof, _) = opened();
    let policy = policy();
    let hashes = (0..20).map(|_| Hash::empty()).collect();
    let longer = Proof { hashes, ..proof.clone() };
    // Such times are told to some milliseconds.
    let mean = |work: &dyn Fn() -> bool| {
        let begun = worked();
        assert!((0..2_000).all(|_| work()));
        (worked() - begun) / 2_000
    };
    let head = mean(&|| policy.believe(&proof.checkpoint).is_ok());
    let whole = mean(&|| policy.verify(&proof, CONTENT).is_ok());
    let climb =
        mean(&|| ledger::tree::root_of_inclusion(Hash::leaf(CONTENT), 5, 1 << 20, &longer.hashes).is_some());
    let read = mean(&|| Proof::parse(&longer.to_string()).is_ok());
    println!(
        "ns: checkpoint {head}, an opened proof {whole}, 20 hashes {climb}, its text written and read {read}"
    );
}

#[test]
fn what_is_disclosed_sealed_or_not_is_opened_by_what_was_sent() {
    for (what, proof, entry) in disclosed() {
        let verified = policy().verify(&proof, PAYLOAD).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(verified.receipt.entry(), entry, "{what}");
        assert!(policy().verify(&proof, CONTENT).is_err(), "{what}");
    }
}

#[test]
fn a_proof_of_before_is_read_as_ever() {
    let (proof, octets) = opened();
    let entry = String::from_utf8(octets).unwrap();
    let extra = format!("{{\"entry\":{entry},\"salt\":\"{}\"}}", SALT.reveal()).into_bytes();
    let old = Proof { extra: Some(extra), ..proof };
    assert!(!policy().verify(&old, CONTENT).unwrap().is_entry);
    assert_eq!(policy().verify(&old, b"another").unwrap_err(), NotVerified::OtherFile(1));
}
