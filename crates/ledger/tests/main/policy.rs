//! Whose word counts.

use ledger::note::{Role, Signer};
use ledger::{Checkpoint, Hash, Policy};

use crate::disk::{ORIGIN, signer};

fn witness(number: u8) -> Signer {
    Signer::new(&format!("w{number}.example"), Role::Witness, [100 + number; 32]).unwrap()
}

fn head(by: &[u8]) -> String {
    let head = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: Hash::of(b"") };
    let text = head.to_string();
    by.iter().fold(head.signed(&signer()), |note, number| note + &witness(*number).cosignature(&text, 1))
}

/// Two organisations: of the first, two of three; of the second, one of two.
fn example() -> String {
    let key = |number| witness(number).verifier().to_string();
    format!(
        "# whom we trust\nlog {}\n\n  witness X1 {}\nwitness X2\t{} https://w2.example\nwitness X3 {}\ngroup X 2 X1 X2 X3\n\
         witness Y1 {}\nwitness Y2 {}\ngroup Y any Y1 Y2\ngroup both all X Y\nquorum both\n",
        signer().verifier(),
        key(1),
        key(2),
        key(3),
        key(4),
        key(5)
    )
}

#[test]
fn a_quorum_is_counted_by_groups() {
    let policy = Policy::parse(&example()).unwrap();
    for (by, enough) in [
        (&[1, 2, 4][..], true),
        (&[1, 3, 5], true),
        (&[1, 2, 3, 4, 5], true),
        (&[1, 2, 3], false),
        (&[1, 4, 5], false),
        (&[], false),
        (&[4, 5], false),
    ] {
        assert_eq!(policy.believe(&head(by)).is_ok(), enough, "{by:?}");
    }
    assert!(policy.believe(&head(&[])).unwrap_err().to_string().contains("asks for both"));
    assert_eq!(Policy::parse(&policy.to_string()).as_ref(), Ok(&policy));
}

#[test]
fn without_a_quorum_the_log_alone_is_enough_and_only_its_own_key() {
    let policy = Policy::parse(&format!("log {}\nquorum none", signer().verifier())).unwrap();
    assert_eq!(policy, Policy::of_log(signer().verifier().clone()));
    assert_eq!(policy.believe(&head(&[1])).unwrap().size, 9);
    let stranger = Signer::new(ORIGIN, Role::Log, [8; 32]).unwrap();
    let other = Policy::of_log(stranger.verifier().clone());
    assert!(other.believe(&head(&[])).unwrap_err().to_string().contains("has not signed it"));
    // a trusted key does not vouch for another log's name
    let borrowed = Signer::new("other.example", Role::Log, [7; 32]).unwrap();
    let text = Checkpoint { origin: ORIGIN.to_owned(), size: 9, root: Hash::of(b"") };
    assert!(Policy::of_log(borrowed.verifier().clone()).believe(&text.signed(&borrowed)).is_err());
}

#[test]
fn what_is_no_policy_is_refused_with_its_line() {
    let log = format!("log {}\n", signer().verifier());
    let w = |number: u8| format!("witness W{number} {}\n", witness(number).verifier());
    for (file, line, why) in [
        (log.clone(), 2, "no quorum line"),
        (format!("{log}{log}quorum none\n"), 2, "already"),
        ("quorum none\nquorum none\n".to_owned(), 2, "second quorum"),
        ("quorum W1\n".to_owned(), 1, "neither a witness nor a group"),
        (format!("{}{}quorum W1\n", w(1), w(1)), 2, "already"),
        (format!("{}group G 2 W1\nquorum G\n", w(1)), 2, "2 of 1"),
        (format!("{}group G 0 W1\nquorum G\n", w(1)), 2, "0 of 1"),
        (format!("{}group G any W1\ngroup H any W1\nquorum G\n", w(1)), 3, "in a group already"),
        (format!("{}group G any none\nquorum G\n", w(1)), 2, "neither"),
        (format!("witness none {}\nquorum none\n", witness(1).verifier()), 1, "taken"),
        (format!("log {}\nquorum none\n", witness(1).verifier()), 1, "type"),
        (format!("witness W {}\nquorum none\n", signer().verifier()), 1, "type"),
        ("quorom none\n".to_owned(), 1, "`quorom` is not how a line"),
        ("log\nquorum none\n".to_owned(), 1, "`log`"),
        ("quorum\u{1}none\n".to_owned(), 1, "control"),
    ] {
        let said = Policy::parse(&file).unwrap_err();
        assert!(said.line == line && said.what.contains(why), "{said} for {why} in {file}");
    }
}
