//! Who asked, who agreed, and what is announced: nothing before the journal has it, nothing after its time.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeSet;

use base::{Prefix, Span, Timestamp};
use proptest::prelude::*;
use rules::parse;
use steer::book::{Actor, Approvals, Book, Entry, Output, Stage, What, Wish, Wrong};
use steer::rails::{Limits, Rails, Refusal};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn rails() -> Rails {
    let limits = Limits { routes: 1000, per_minute: 100_000, blackholed_share: 1.0, ..Limits::default() };
    Rails::new(vec![prefix("198.51.100.0/22")], vec![prefix("198.51.100.0/24")], vec![], vec![], limits)
}

fn person(name: &str) -> Actor {
    Actor::Person(name.into())
}

fn wish(host: u8, actor: Actor) -> Wish {
    Wish {
        what: What::Blackhole(prefix(&format!("198.51.101.{host}/32"))),
        neighbors: vec!["upstream".into()],
        actor,
        reason: "test".into(),
        hold: Span::from_secs(900),
    }
}

/// Does what the book asks; entries up to `writes` reach the disk.
struct Driver {
    journal: Vec<Entry>,
    announced: BTreeSet<u64>,
    /// Withdrawals in the order they came, and whether the neighbour may hold it from before.
    withdrawn: Vec<(u64, bool)>,
}

impl Driver {
    const fn new() -> Self {
        Self { journal: Vec::new(), announced: BTreeSet::new(), withdrawn: Vec::new() }
    }

    fn drive(&mut self, book: &mut Book) {
        while let Some(output) = book.poll_output() {
            match output {
                Output::Journal(number, entry) => {
                    self.journal.push(entry);
                    assert_eq!(u64::try_from(self.journal.len()).unwrap(), number);
                    book.journalled(number);
                }
                Output::Announce { id, .. } => {
                    let starts =
                        self.journal.iter().any(|e| matches!(e, Entry::Started { id: of, .. } if *of == id));
                    assert!(starts, "announced before the journal has it");
                    self.announced.insert(id);
                }
                Output::Withdraw { id, forgotten, .. } => {
                    self.announced.remove(&id);
                    self.withdrawn.push((id, forgotten));
                }
            }
        }
    }
}

fn automatic() -> Approvals {
    Approvals { flowspec: 0, diversion: 0, blackhole: 0 }
}

#[test]
fn nothing_is_announced_before_the_journal_has_it() {
    let mut book = Book::new(rails(), automatic());
    let id = book.propose(NOW, wish(1, Actor::Engine)).unwrap();
    let mut last = 0;
    while let Some(output) = book.poll_output() {
        let Output::Journal(number, _) = output else { panic!("{output:?}") };
        last = number;
    }
    // A disk that does not answer: nothing goes out.
    assert_eq!((book.poll_output(), book.all().next().unwrap().stage.clone()), (None, Stage::Starting));
    book.journalled(last - 1);
    assert_eq!(book.poll_output(), None);
    book.journalled(last);
    assert!(matches!(book.poll_output(), Some(Output::Announce { id: of, .. }) if of == id));
}

#[test]
fn as_many_different_persons_agree_as_the_class_needs() {
    let two = Approvals { flowspec: 0, diversion: 1, blackhole: 2 };
    let (mut book, mut driver) = (Book::new(rails(), two), Driver::new());
    let id = book.propose(NOW, wish(1, person("ada"))).unwrap();
    driver.drive(&mut book);
    assert!(driver.announced.is_empty());
    assert_eq!(book.approve(NOW, id, &person("ada")), Err(Wrong::SamePerson("ada".into())));
    assert_eq!(book.approve(NOW, id, &Actor::Engine), Err(Wrong::NoPerson));
    book.approve(NOW, id, &person("bob")).unwrap();
    driver.drive(&mut book);
    assert_eq!(driver.announced, [id].into());
    assert_eq!(book.approve(NOW, id, &person("eve")), Err(Wrong::NotWaiting(id)));
    // The engine asks, one person agrees.
    let diversion = Wish { what: What::Diversion(prefix("198.51.100.0/24")), ..wish(0, Actor::Engine) };
    let id = book.propose(NOW, diversion).unwrap();
    driver.drive(&mut book);
    assert!(!driver.announced.contains(&id));
    book.approve(NOW, id, &person("ada")).unwrap();
    driver.drive(&mut book);
    assert!(driver.announced.contains(&id));
}

#[test]
fn a_proposal_that_nobody_answers_is_forgotten() {
    let (mut book, mut driver) = (Book::new(rails(), Approvals::default()), Driver::new());
    book.propose(NOW, wish(1, Actor::Engine)).unwrap();
    book.handle_timeout(NOW.plus(Span::from_secs(3600)));
    driver.drive(&mut book);
    assert_eq!((book.all().count(), driver.withdrawn.len()), (0, 0));
}

#[test]
fn time_ends_it_and_the_engine_alone_cannot_hold_it_beyond_a_day() {
    let (mut book, mut driver) = (Book::new(rails(), automatic()), Driver::new());
    let id = book.propose(NOW, wish(1, Actor::Engine)).unwrap();
    driver.drive(&mut book);
    let mut now = NOW;
    for _ in 0..200 {
        now = book.poll_timeout().unwrap().minus(Span::from_secs(1));
        let until = book.renew(now, id, &Actor::Engine, Span::from_secs(900)).unwrap();
        assert!(until <= NOW.plus(Span::from_secs(86_400)));
        if until <= now.plus(Span::from_secs(1)) {
            break;
        }
    }
    book.handle_timeout(NOW.plus(Span::from_secs(86_400)));
    driver.drive(&mut book);
    assert_eq!((driver.announced.len(), driver.withdrawn.as_slice()), (0, &[(id, false)][..]));
    // A person can.
    let id = book.propose(now, wish(2, Actor::Engine)).unwrap();
    driver.drive(&mut book);
    let later = now.plus(Span::from_secs(800));
    let until = book.renew(later, id, &person("ada"), Span::from_secs(86_400)).unwrap();
    assert_eq!(until, later.plus(Span::from_secs(86_400)));
}

#[test]
fn panic_ends_everything_and_freezes() {
    let (mut book, mut driver) = (Book::new(rails(), automatic()), Driver::new());
    for host in 0..5 {
        book.propose(NOW, wish(host, Actor::Engine)).unwrap();
    }
    driver.drive(&mut book);
    book.panic(&person("ada"), "wrong prefix");
    driver.drive(&mut book);
    assert_eq!((driver.announced.len(), driver.withdrawn.len()), (0, 5));
    assert_eq!(book.propose(NOW, wish(1, person("ada"))), Err(Wrong::Refused(Refusal::Frozen)));
    // A restart does not thaw.
    let mut book = Book::restore(rails(), automatic(), &driver.journal, NOW);
    assert_eq!(book.propose(NOW, wish(1, person("ada"))), Err(Wrong::Refused(Refusal::Frozen)));
    book.thaw(&person("ada"));
    book.propose(NOW, wish(1, person("ada"))).unwrap();
}

#[test]
fn after_a_restart_what_is_over_goes_first_and_what_holds_is_announced_again() {
    let (mut book, mut driver) = (Book::new(rails(), automatic()), Driver::new());
    let old = book.propose(NOW, wish(1, Actor::Engine)).unwrap();
    let rule = "r dst 198.51.100.7/32 proto udp src-port 123 -> drop\n";
    let rule = What::Flowspec(Box::new(parse::rules(rule).unwrap().remove(0)));
    let later = NOW.plus(Span::from_secs(600));
    let new = book.propose(later, Wish { what: rule, ..wish(0, Actor::Engine) }).unwrap();
    driver.drive(&mut book);
    let text = serde_json::to_string(&driver.journal).unwrap();
    let journal: Vec<Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(journal, driver.journal);
    let mut book = Book::restore(rails(), automatic(), &journal, NOW.plus(Span::from_secs(1000)));
    let outputs: Vec<Output> = std::iter::from_fn(|| book.poll_output()).collect();
    let kinds: Vec<(&str, u64)> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Withdraw { id, forgotten: true, .. } => Some(("withdraw", *id)),
            Output::Announce { id, .. } => Some(("announce", *id)),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [("withdraw", old), ("announce", new)]);
}

#[test]
fn what_is_not_ours_any_more_after_a_restart_is_withdrawn() {
    let (mut book, mut driver) = (Book::new(rails(), automatic()), Driver::new());
    let id = book.propose(NOW, wish(1, Actor::Engine)).unwrap();
    driver.drive(&mut book);
    let foreign = Rails::new(vec![prefix("203.0.113.0/24")], vec![], vec![], vec![], Limits::default());
    let mut book = Book::restore(foreign, automatic(), &driver.journal, NOW);
    let mut again = Driver { journal: driver.journal.clone(), ..Driver::new() };
    again.drive(&mut book);
    assert_eq!((again.announced.len(), again.withdrawn.as_slice()), (0, &[(id, true)][..]));
}

proptest! {
    /// Killed between any two outputs: what the restarted book announces is what the journal on the disk says.
    #[test]
    fn a_kill_at_any_moment_leaves_what_the_journal_says(
        steps in proptest::collection::vec((0u8..5, 0u8..20), 1..60), kill in 0usize..200,
    ) {
        let mut book = Book::new(rails(), automatic());
        let (mut journal, mut at_peer, mut done) = (Vec::new(), BTreeSet::new(), 0usize);
        let mut now = NOW;
        'run: for (step, host) in steps {
            match step {
                0..3 => drop(book.propose(now, wish(host, Actor::Engine))),
                3 => {
                    let id = book.all().nth(usize::from(host)).map(|m| m.id);
                    if let Some(id) = id {
                        book.withdraw(id, &person("ada"), "enough").unwrap();
                    }
                }
                _ => {
                    now = now.plus(Span::from_secs(u64::from(host) * 60));
                    book.handle_timeout(now);
                }
            }
            while let Some(output) = book.poll_output() {
                if done == kill {
                    break 'run;
                }
                done += 1;
                match output {
                    Output::Journal(number, entry) => {
                        journal.push(entry);
                        book.journalled(number);
                    }
                    Output::Announce { id, .. } => drop(at_peer.insert(id)),
                    Output::Withdraw { id, .. } => drop(at_peer.remove(&id)),
                }
            }
        }
        // A graceful restart keeps what the peer has; then the new book speaks.
        let mut model = BTreeSet::new();
        for entry in &journal {
            match entry {
                Entry::Started { id, until, .. } if *until > now.nanos() => drop(model.insert(*id)),
                Entry::Ended { id, .. } => drop(model.remove(id)),
                _ => {}
            }
        }
        let mut book = Book::restore(rails(), automatic(), &journal, now);
        let mut said = BTreeSet::new();
        while let Some(output) = book.poll_output() {
            match output {
                Output::Announce { id, .. } => drop(said.insert(id)),
                Output::Withdraw { id, .. } => drop(at_peer.remove(&id)),
                Output::Journal(..) => {}
            }
        }
        prop_assert_eq!(&said, &model);
        // What the peer keeps beyond that ends with End-of-RIB: it was never said again.
        at_peer.retain(|id| said.contains(id));
        prop_assert!(at_peer.is_subset(&model));
    }
}

#[test]
fn who_agreed_while_a_cap_was_in_the_way_may_try_again() {
    let limits = Limits { per_minute: 1, ..Limits::default() };
    let rails = Rails::new(vec![prefix("198.51.100.0/22")], vec![], vec![], vec![], limits);
    let mut book = Book::new(rails, Approvals { blackhole: 2, ..Approvals::default() });
    let ids = [1, 2].map(|host| book.propose(NOW, wish(host, person("ada"))).unwrap());
    book.approve(NOW, ids[0], &person("bob")).unwrap();
    assert_eq!(book.approve(NOW, ids[1], &person("bob")), Err(Refusal::TooFast(1).into()));
    let later = NOW.plus(Span::from_secs(61));
    book.approve(later, ids[1], &person("bob")).unwrap();
    assert_eq!(book.get(ids[1]).unwrap().stage, Stage::Starting);
}

#[test]
fn a_restart_neither_prolongs_a_proposal_nor_forgets_who_vouched() {
    let two = Approvals { blackhole: 2, ..Approvals::default() };
    let (mut book, mut driver) = (Book::new(rails(), two), Driver::new());
    book.propose(NOW, wish(1, person("ada"))).unwrap();
    driver.drive(&mut book);
    let after = |secs| Book::restore(rails(), two, &driver.journal, NOW.plus(Span::from_secs(secs)));
    let hour = NOW.plus(Span::from_secs(3600));
    assert_eq!(after(3500).all().map(|one| (one.asked, one.until)).collect::<Vec<_>>(), [(NOW, hour)]);
    assert_eq!(after(3601).all().count(), 0);
    let (mut book, mut driver) = (Book::new(rails(), automatic()), Driver::new());
    let ids = [2, 3].map(|host| book.propose(NOW, wish(host, Actor::Engine)).unwrap());
    driver.drive(&mut book);
    book.renew(NOW, ids[1], &person("ada"), Span::from_secs(900)).unwrap();
    driver.drive(&mut book);
    let book = Book::restore(rails(), automatic(), &driver.journal, NOW);
    assert_eq!(ids.map(|id| book.get(id).unwrap().is_automatic()), [true, false]);
}
