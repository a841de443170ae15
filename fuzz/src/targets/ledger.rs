//! What somebody hands over to be verified: proofs, notes, policies, entries, bundles of entries.

use std::str::from_utf8;
use std::sync::LazyLock;

use ledger::note::{Note, Role, Signer};
use ledger::opening::Opening;
use ledger::{Checkpoint, Entry, Hash, Log, Policy, Proof, canonical, tile};

use super::Target;
use crate::measure::{Outcome, within};

pub(super) const PROOF: Target = Target { name: "ledger-proof", seeds: proofs, run: proof };
pub(super) const NOTE: Target = Target { name: "ledger-note", seeds: notes, run: note };
pub(super) const POLICY: Target = Target { name: "ledger-policy", seeds: policies, run: policy };
pub(super) const ENTRY: Target = Target { name: "ledger-entry", seeds: entries, run: entry };

/// Memory that what is read may take: it is copied and taken apart, and JSON values are larger than their text.
fn most(input: &[u8], per_octet: u64) -> u64 {
    64 * 1024 + per_octet * u64::try_from(input.len()).unwrap_or(u64::MAX)
}

fn proof(input: &[u8]) -> Outcome {
    let Ok(text) = from_utf8(input) else { return Outcome::of(0) };
    match within(most(input, 4), || Proof::parse(text)) {
        Ok(proof) => {
            assert_eq!(proof.to_string(), text, "written otherwise");
            let policy = &*TRUSTED;
            let verified = within(most(input, 200), || policy.verify(&proof, b"an entry"));
            if let Ok(verified) = verified {
                assert_eq!(verified.receipt.entry(), b"an entry", "another entry");
            }
            Outcome::of(1)
        }
        Err(_) => Outcome::of(0),
    }
}

fn note(input: &[u8]) -> Outcome {
    let Ok(text) = from_utf8(input) else { return Outcome::of(0) };
    let read = within(most(input, 4), || Note::parse(text));
    let Ok(note) = read else { return Outcome::of(0) };
    assert!(text.starts_with(note.text) && note.text.ends_with('\n'), "another text");
    if let Ok(checkpoint) = Checkpoint::parse(note.text) {
        let written = checkpoint.to_string();
        assert_eq!(Checkpoint::parse(&written), Ok(checkpoint), "written otherwise");
    }
    let policy = &*TRUSTED;
    if let Ok(believed) = within(most(input, 8), || policy.believe(text)) {
        assert_eq!(believed, *HEAD, "a head that nobody signed");
    }
    Outcome::of(1)
}

fn policy(input: &[u8]) -> Outcome {
    let Ok(text) = from_utf8(input) else { return Outcome::of(0) };
    match within(most(input, 64), || Policy::parse(text)) {
        Ok(policy) => {
            assert_eq!(Policy::parse(&policy.to_string()).as_ref(), Ok(&policy), "written otherwise");
            Outcome::of(1)
        }
        Err(_) => Outcome::of(0),
    }
}

fn entry(input: &[u8]) -> Outcome {
    if let Some(entries) = within(most(input, 64), || tile::entries(input).map(|all| all.len())) {
        assert!(2 * entries <= input.len(), "entries out of nothing");
    }
    // of an opening nothing is believed before its entry is proven
    let _ = within(most(input, 200), || canonical::read::<Opening>(input));
    match within(most(input, 200), || Entry::parse(input)) {
        Ok(entry) => {
            assert_eq!(entry.octets().expect("it was read"), input, "written otherwise");
            Outcome::of(1)
        }
        Err(_) => Outcome::of(0),
    }
}

fn signer() -> Signer {
    Signer::new("example.org/ledger", Role::Log, [1; 32]).expect("a name")
}

/// Made once: a key takes longer than what is tried here.
static TRUSTED: LazyLock<Policy> = LazyLock::new(|| Policy::of_log(signer().verifier().clone()));
static HEAD: LazyLock<Checkpoint> = LazyLock::new(head);

fn log() -> Log {
    let entries = [&b"an entry"[..], b"another", b"and one more"];
    Log::default().append(entries).expect("they are short").0
}

fn head() -> Checkpoint {
    log().head("example.org/ledger")
}

fn notes() -> Vec<Vec<u8>> {
    let witness = Signer::new("w.example", Role::Witness, [2; 32]).expect("a name");
    let head = head();
    let plain = head.signed(&signer());
    let cosigned = format!("{plain}{}", witness.cosignature(&head.to_string(), 1_700_000_000));
    let other = "a text\n\nof two parts\n\n\u{2014} x AAAAAQc=\n".to_owned();
    vec![plain.into_bytes(), cosigned.into_bytes(), other.into_bytes()]
}

fn proofs() -> Vec<Vec<u8>> {
    let hashes = vec![Hash::leaf(b"another"), Hash::leaf(b"and one more")];
    let proof = Proof { index: 0, hashes, checkpoint: head().signed(&signer()), extra: None };
    let extra = Proof { extra: Some(b"{}".to_vec()), ..proof.clone() };
    let other = Proof { index: 2, hashes: Vec::new(), ..proof.clone() };
    [proof, extra, other].map(|proof| proof.to_string().into_bytes()).to_vec()
}

fn policies() -> Vec<Vec<u8>> {
    let witness = |n: u8| {
        let signer = Signer::new(&format!("w{n}.example"), Role::Witness, [n; 32]).expect("a name");
        format!("witness W{n} {}\n", signer.verifier())
    };
    let groups = format!(
        "# two of three\nlog {}\n{}{}{}group G 2 W2 W3 W4\nquorum G\n",
        signer().verifier(),
        witness(2),
        witness(3),
        witness(4)
    );
    let single = format!("{}quorum W9\n", witness(9).replace("W9 ", "W9 \t"));
    vec![TRUSTED.to_string().into_bytes(), groups.into_bytes(), single.into_bytes()]
}

fn entries() -> Vec<Vec<u8>> {
    let zeros = "0".repeat(64);
    let time = "2026-03-01T00:00:00.000000000Z";
    let decision = format!(
        r#"{{"schema":"spillway.ledger/1","time":"{time}","what":{{"decision":{{"act":"mitigation","by":"product","commitment":"{zeros}","counts":{{"rules":1}}}}}}}}"#
    );
    let sealed = format!(
        r#"{{"schema":"spillway.ledger/1","time":"{time}","what":{{"sealed":{{"commitment":"{zeros}"}}}}}}"#
    );
    let mut bundle = Vec::new();
    tile::push_entry(&mut bundle, decision.as_bytes()).expect("it is short");
    tile::push_entry(&mut bundle, b"").expect("it is short");
    assert!(
        Entry::parse(decision.as_bytes()).is_ok() && Entry::parse(sealed.as_bytes()).is_ok(),
        "seeds are entries"
    );
    vec![decision.into_bytes(), sealed.into_bytes(), bundle]
}
