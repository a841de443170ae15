//! Keys and notes.

use ledger::note::{Note, Role, Signer};
use ledger::{Checkpoint, Hash, VerifierKey};

use crate::disk::{ORIGIN, signer};

/// The example of the specification, whose key is published with it.
#[test]
fn the_note_of_the_specification_verifies() {
    let note = "\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
";
    let read = Note::parse(note).unwrap();
    assert!(read.text.ends_with("ed è subito sera.\n"));
    assert_eq!(read.signatures(), 1);
}

#[test]
fn keys_are_read_as_they_are_written() {
    for role in [Role::Log, Role::Witness] {
        let signer = Signer::new("example.org/x", role, [3; 32]).unwrap();
        let key = VerifierKey::parse(&signer.verifier().to_string()).unwrap();
        assert_eq!(&key, signer.verifier());
        let again = Signer::parse(&signer.secret()).unwrap();
        assert_eq!(again.verifier(), &key);
        assert!(!format!("{signer:?}").contains("seed"));
    }
    let vkey = signer().verifier().to_string();
    for wrong in
        ["", "a+b", "a+b+c", &vkey[1..], &vkey[..vkey.len() - 1], &vkey.replace("example", "exomple")]
    {
        assert!(VerifierKey::parse(wrong).is_err(), "{wrong}");
    }
    assert!(Signer::new("two words", Role::Log, [0; 32]).is_err());
    assert!(Signer::new("a+b", Role::Log, [0; 32]).is_err());
}

#[test]
fn a_witness_signs_the_time_with_the_text() {
    let head = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: Hash::of(b"") };
    let witness = Signer::new("witness.example", Role::Witness, [9; 32]).unwrap();
    let text = head.to_string();
    let note = head.signed(&signer()) + &witness.cosignature(&text, 1_700_000_000);
    let read = Note::parse(&note).unwrap();
    assert_eq!(signer().verifier().has_signed(&read), Ok(true));
    assert_eq!(witness.verifier().has_signed(&read), Ok(true));
    let stranger = Signer::new("witness.example", Role::Witness, [10; 32]).unwrap();
    assert_eq!(stranger.verifier().has_signed(&read), Ok(false));
    let forged = note.replacen("\n9\n", "\n8\n", 1);
    assert!(witness.verifier().has_signed(&Note::parse(&forged).unwrap()).is_err());
}

#[test]
fn what_is_no_note_is_refused() {
    let good = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: Hash::of(b"") }.signed(&signer());
    assert!(Note::parse(&good).is_ok());
    let many = good.clone() + &good.lines().last().map(|line| format!("{line}\n")).unwrap().repeat(64);
    for (wrong, why) in [
        (good.replace("\n\n", "\n"), "no empty line"),
        (good.trim_end().to_owned(), "no newline"),
        (good.replace("\u{2014} ", "- "), "no signature"),
        (good.replace("ledger\n", "led\tger\n"), "control"),
        (many, "too many"),
        ("x".repeat(200_000), "too long"),
    ] {
        let said = Note::parse(&wrong).unwrap_err().to_string();
        assert!(said.contains(why), "{said} for {why}");
    }
}
