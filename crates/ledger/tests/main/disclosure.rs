//! Nothing leaves but by its steps.

use std::collections::{BTreeMap, BTreeSet};

use base::{Span, Timestamp};
use ledger::commitment::{CustomerTag, Salt};
use ledger::disclosure::{
    Approval, Bundle, Consent, DataClass, Disclosure, Draft, Drafted, Extent, Instrument, Ledgered,
    LegalBasis, Minimised, Pap, Profile, Purpose, RecipientClass, Refused, ReviewPolicy, Reviewed, SendError,
    Sender, Stage, Tlp,
};
use ledger::entry::{Entry, Unsealed, What};
use ledger::opening::Opening;
use ledger::{Hash, Proof, Receipt, Report};

use crate::disk::{Kept, policy};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
pub(crate) const PAYLOAD: &[u8] = b"198.51.100.7 took part, says alice@example.org";
const SALT: Salt = Salt::new([42; 32]);

type Change = fn(&mut Draft);

fn draft() -> Draft {
    Draft {
        id: "d-1".to_owned(),
        author: "Dora (dora)".to_owned(),
        created: NOW,
        recipient: "abuse@hoster.example".to_owned(),
        recipient_source: "RDAP abuse role".to_owned(),
        recipient_class: RecipientClass::Hoster,
        purpose: Purpose::AbuseReport,
        basis: LegalBasis::LegitimateInterest,
        jurisdiction: "DE".to_owned(),
        tlp: Tlp::Green,
        pap: Pap::Green,
        consent: Consent::NotNeeded,
        customer: Some("acme".to_owned()),
        data: BTreeSet::from([DataClass::SourceAddresses]),
        profile: Profile::RecipientsSources,
        extent: Extent::Minimised,
        bag: None,
        archive: None,
        retention_days: 30,
        expires: NOW.plus(Span::from_secs(86_400)),
        ticket: "T-17".to_owned(),
        embargo_until: None,
        customer_may_know: true,
    }
}

/// An order of an emergency that forbids to speak of it.
fn order() -> Draft {
    Draft {
        recipient: "Hauptkommissarin X".to_owned(),
        recipient_class: RecipientClass::LawEnforcement,
        purpose: Purpose::Investigation,
        basis: LegalBasis::ProductionOrder {
            instrument: Instrument::Eu20231543,
            reference: "Az 12/26".to_owned(),
            emergency: true,
        },
        tlp: Tlp::Red,
        consent: Consent::Forbidden,
        profile: Profile::AsOrdered,
        extent: Extent::CompleteBag,
        bag: Some(Hash::of(b"its tag manifest")),
        archive: Some(Hash::of(PAYLOAD)),
        embargo_until: Some(NOW.plus(Span::from_secs(1_000))),
        customer_may_know: false,
        ..draft()
    }
}

fn minimised(draft: Draft) -> Disclosure<Minimised> {
    Disclosure::<Drafted>::new(draft)
        .unwrap()
        .minimise(PAYLOAD.to_vec(), BTreeMap::from([("sources".to_owned(), 1)]))
        .unwrap()
}

fn approval(by: &str) -> Approval {
    Approval { by: by.to_owned(), at: NOW, payload: Hash::of(PAYLOAD) }
}

fn reviewed(draft: Draft) -> Disclosure<Reviewed> {
    minimised(draft).review(&[approval("alice"), approval("bob")], ReviewPolicy::default()).unwrap()
}

fn tag() -> Option<CustomerTag> {
    Some(CustomerTag::new(b"acme's key", "acme"))
}

/// Writes that entry, and gives the receipt.
fn receipt(entry: &[u8]) -> Receipt {
    let mut kept = Kept::default();
    kept.append(&[b"before".to_vec(), entry.to_vec(), b"after".to_vec()]);
    policy().receipt(entry, &kept.prove(1)).unwrap()
}

fn ledgered(draft: Draft) -> Disclosure<Ledgered> {
    let reviewed = reviewed(draft);
    let entry = reviewed.entry(NOW, SALT, tag()).unwrap().octets().unwrap();
    reviewed.ledgered(SALT, tag(), receipt(&entry)).unwrap()
}

/// One that may be spoken of and one that may not: its name, the proof with what opens it, and the entry.
pub(crate) fn disclosed() -> Vec<(&'static str, Proof, Vec<u8>)> {
    let opened = |what, draft: Draft| {
        let reviewed = reviewed(draft);
        let entry = reviewed.entry(NOW, SALT, tag()).unwrap();
        let octets = entry.octets().unwrap();
        let sealed = matches!(entry.what, What::Sealed(_));
        let record = sealed.then(|| reviewed.record(SALT, tag()).unwrap());
        let mut kept = Kept::default();
        kept.append(&[b"before".to_vec(), octets.clone(), b"after".to_vec()]);
        (what, Opening::new(entry, SALT, record).attach(kept.prove(1)).unwrap(), octets)
    };
    vec![opened("disclosure", draft()), opened("sealed", order())]
}

#[derive(Default)]
struct Post(Vec<(String, Vec<u8>)>);

impl Sender for Post {
    type Error = &'static str;

    fn send(&mut self, bundle: &Bundle<'_>) -> Result<(), Self::Error> {
        assert!(bundle.receipt().proof_text().starts_with("c2sp.org/tlog-proof@v1\n"));
        self.0.push((bundle.draft().recipient.clone(), bundle.payload().to_vec()));
        Ok(())
    }
}

#[test]
fn a_report_goes_all_the_way_and_its_entry_was_there_before() {
    let mut post = Post::default();
    let sent = ledgered(draft()).send(&mut post, NOW).unwrap();
    assert_eq!(post.0, [("abuse@hoster.example".to_owned(), PAYLOAD.to_vec())]);
    assert_eq!((sent.stage(), sent.sent_at()), (Stage::Sent, NOW));
    let Entry { what: What::Disclosure(record), .. } = Entry::parse(sent.receipt().entry()).unwrap() else {
        panic!("not a disclosure")
    };
    assert_eq!(record.payload, SALT.commit(PAYLOAD));
    assert_eq!((record.approvals, record.basis.as_str()), (2, "gdpr-6-1-f"));
    let sent = sent.becomes(Stage::Acknowledged).unwrap().becomes(Stage::Withdrawn).unwrap();
    let ended = sent.becomes(Stage::Expired).unwrap();
    let said = ended.becomes(Stage::Acknowledged).unwrap_err().to_string();
    assert!(said.contains("Expired and cannot become Acknowledged"), "{said}");
}

#[test]
fn the_entry_holds_nobodys_name_and_no_address() {
    for draft in [draft(), order(), Draft { embargo_until: None, customer_may_know: true, ..order() }] {
        let entry = reviewed(draft).entry(NOW, SALT, tag()).unwrap().octets().unwrap();
        let text = String::from_utf8(entry).unwrap();
        for secret in ["alice", "bob", "198.51.100.7", "acme", "abuse@", "T-17", "Az 12/26", "Haupt", "RDAP"]
        {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn a_receipt_of_anything_else_sends_nothing() {
    let reviewed = reviewed(draft());
    let entry = reviewed.entry(NOW, SALT, tag()).unwrap();
    let other = |change: fn(&mut Entry)| {
        let mut other = entry.clone();
        change(&mut other);
        receipt(&other.octets().unwrap())
    };
    let wrong = [
        other(|entry| {
            if let What::Disclosure(record) = &mut entry.what {
                record.payload = Hash::of(b"another letter");
            }
        }),
        other(|entry| {
            if let What::Disclosure(record) = &mut entry.what {
                record.recipient_class = RecipientClass::Cert;
            }
        }),
        receipt(b"no entry at all"),
    ];
    for receipt in wrong {
        assert!(reviewed.clone().ledgered(SALT, tag(), receipt).is_err());
    }
    let right = receipt(&entry.octets().unwrap());
    assert!(reviewed.clone().ledgered(Salt::new([43; 32]), tag(), right.clone()).is_err());
    assert!(reviewed.clone().ledgered(SALT, None, right.clone()).is_err());
    assert!(reviewed.ledgered(SALT, tag(), right).is_ok());
}

#[test]
fn what_expired_is_not_sent() {
    let mut post = Post::default();
    let expires = draft().expires;
    assert!(matches!(
        ledgered(draft()).send(&mut post, expires),
        Err(SendError::Refused(Refused::Expired(_)))
    ));
    assert!(post.0.is_empty());
}

#[test]
fn four_eyes_are_two_persons_who_saw_these_octets() {
    let automatic = ReviewPolicy { automatic_abuse_reports: true };
    let default = ReviewPolicy::default();
    let amber = || Draft { tlp: Tlp::Amber, ..draft() };
    let police = || Draft { recipient_class: RecipientClass::LawEnforcement, ..draft() };
    let warning = || Draft { purpose: Purpose::Warning, ..draft() };
    let stale = Approval { payload: Hash::of(b"an earlier version"), ..approval("carol") };
    let early = Approval { at: Timestamp::from_secs(5), ..approval("carol") };
    for (draft, approvals, policy, enough) in [
        (draft(), vec![], default, false),
        (draft(), vec![], automatic, true),
        (draft(), vec![approval("alice")], default, true),
        (warning(), vec![], automatic, false),
        (amber(), vec![], automatic, false),
        (amber(), vec![approval("alice")], automatic, false),
        (amber(), vec![approval("alice"), approval("Alice ")], default, false),
        (amber(), vec![approval("alice"), approval("bob")], default, true),
        (amber(), vec![approval("alice"), stale], default, false),
        (amber(), vec![approval("alice"), early], default, false),
        (amber(), vec![approval("alice"), approval(" ")], default, false),
        (amber(), vec![approval("alice"), approval("bob ( )")], default, false),
        // two names behind one account are one person; who drafted it is one, too
        (amber(), vec![approval("alice (root)"), approval("bob (root)")], default, false),
        (amber(), vec![approval("alice (uid 1)"), approval("alice (uid 2)")], default, true),
        (draft(), vec![approval("dora")], default, true),
        (amber(), vec![approval("dora"), approval("alice (Dora)")], default, false),
        (amber(), vec![approval("alice"), approval("dora")], default, true),
        (police(), vec![approval("alice")], default, false),
        (police(), vec![approval("alice"), approval("bob")], default, true),
        (order(), vec![approval("alice")], default, false),
        (order(), vec![approval("alice"), approval("bob")], default, true),
    ] {
        let said = minimised(draft.clone()).review(&approvals, policy);
        assert_eq!(said.is_ok(), enough, "{draft:?} {approvals:?}");
    }
}

#[test]
fn a_draft_says_all_that_is_needed_and_does_not_contradict_itself() {
    assert_eq!(draft().check(), Ok(()));
    assert_eq!(order().check(), Ok(()));
    let wrong: [(&str, Change); 18] = [
        ("id", |draft| draft.id.clear()),
        ("author", |draft| draft.author = " ".to_owned()),
        ("recipient", |draft| draft.recipient.clear()),
        ("recipient", |draft| draft.recipient = "two\nlines".to_owned()),
        ("recipient_source", |draft| draft.recipient_source.clear()),
        ("ticket", |draft| draft.ticket.clear()),
        ("basis", |draft| draft.basis = LegalBasis::Contract { reference: String::new() }),
        ("jurisdiction", |draft| draft.jurisdiction = "Germany".to_owned()),
        ("data", |draft| draft.data.clear()),
        ("retention_days", |draft| draft.retention_days = 0),
        ("expires", |draft| draft.expires = draft.created),
        ("extent", |draft| draft.extent = Extent::CompleteBag),
        ("profile", |draft| draft.profile = Profile::AsOrdered),
        ("data", |draft| draft.profile = Profile::AggregatesOnly),
        ("consent", |draft| draft.consent = Consent::Refused),
        ("consent", |draft| draft.consent = Consent::Forbidden),
        ("embargo_until", |draft| draft.embargo_until = Some(NOW)),
        ("tlp", |draft| draft.recipient_class = RecipientClass::Public),
    ];
    for (field, change) in wrong {
        let mut draft = draft();
        change(&mut draft);
        assert_eq!(draft.check().map_err(|incomplete| incomplete.field), Err(field), "{draft:?}");
    }
    let wrong: [(&str, Change); 6] = [
        ("recipient_class", |draft| draft.recipient_class = RecipientClass::Cert),
        ("profile", |draft| draft.profile = Profile::TargetShown),
        ("bag", |draft| draft.bag = None),
        ("bag", |draft| draft.archive = None),
        ("archive", |draft| {
            draft.extent = Extent::Minimised;
            draft.profile = Profile::TargetShown;
        }),
        ("bag", |draft| {
            draft.archive = None;
            draft.extent = Extent::Minimised;
            draft.profile = Profile::TargetShown;
            draft.bag = None;
        }),
    ];
    for (field, change) in wrong {
        let mut draft = order();
        change(&mut draft);
        assert_eq!(draft.check().map_err(|incomplete| incomplete.field), Err(field), "{draft:?}");
    }
}

#[test]
fn an_order_gets_the_sealed_bag_and_no_other_octets() {
    let other =
        Disclosure::<Drafted>::new(order()).unwrap().minimise(b"another bag".to_vec(), BTreeMap::new());
    assert!(other.unwrap_err().to_string().contains("not what was packed from the sealed bag"));
    let named = Draft { extent: Extent::NamedData, ..order() };
    let other = Disclosure::<Drafted>::new(named).unwrap().minimise(b"more".to_vec(), BTreeMap::new());
    assert!(other.unwrap_err().to_string().contains("not what was packed from the sealed bag"));
    let record = reviewed(order()).record(SALT, None).unwrap();
    assert_eq!(record.bag, Some(Hash::of(b"its tag manifest")), "the ledger names the bag");
    assert_eq!(order().basis.time_limit(), Some(Span::from_secs(8 * 3600)));
    let plain = LegalBasis::ProductionOrder {
        instrument: Instrument::Eu20231543,
        reference: "x".to_owned(),
        emergency: false,
    };
    assert_eq!(plain.time_limit(), Some(Span::from_secs(10 * 86_400)));
}

#[test]
fn under_an_embargo_only_that_and_when_are_seen_and_later_all() {
    let ledgered = ledgered(order());
    let octets = ledgered.receipt().entry();
    let entry = Entry::parse(octets).unwrap();
    let What::Sealed(sealed) = &entry.what else { panic!("not sealed") };
    assert_eq!(sealed.customer, None);
    let text = String::from_utf8(octets.to_vec()).unwrap();
    assert!(
        !text.contains("law-enforcement") && !text.contains("embargo") && !text.contains("red"),
        "{text}"
    );
    // the customer sees that there is something, where the order lets him
    let told = Draft { customer_may_know: true, ..order() };
    let told = reviewed(told).entry(NOW, SALT, tag()).unwrap();
    assert!(matches!(told.what, What::Sealed(sealed) if sealed.customer == tag()));

    let mut report = Report::default();
    report.add(octets);
    assert_eq!(report.halves().next().unwrap().1.sealed, 1);

    // opened later, it is what was committed to
    let open = Draft { embargo_until: None, customer_may_know: true, ..order() };
    let What::Disclosure(mut record) = reviewed(open).entry(NOW, SALT, tag()).unwrap().what else {
        panic!("not open")
    };
    record.embargo_until = order().embargo_until;
    record.draft = SALT.commit(&ledger::canonical::octets(&order()).unwrap());
    let opened = Unsealed { index: 1, salt: SALT.reveal(), record };
    assert!(opened.opens(sealed));
    let mut lie = opened.clone();
    lie.record.recipient_class = RecipientClass::Hoster;
    assert!(!lie.opens(sealed));
    let entry = Entry::new(NOW, What::Unsealed(opened));
    assert_eq!(Entry::parse(&entry.octets().unwrap()).unwrap(), entry);
}
