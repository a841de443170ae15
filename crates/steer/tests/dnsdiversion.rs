//! DNS diversions against a server in memory that loses, refuses and is changed by others.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base::{Span, Timestamp};
use proptest::prelude::*;
use steer::dnsdiversion::message::{same, sorted};
use steer::dnsdiversion::{Address, Core, End, Entry, Heard, Output, Refusal, Seen, State, Trouble, Zone};
use wire::dns::{Name, rcode};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const WHO: (&str, &str) = ("alice", "attack 3f9a");

fn name() -> Name {
    "www.example.net".parse().unwrap()
}

fn addresses(all: &[(&str, u32)]) -> Vec<Address> {
    sorted(all.iter().map(|(address, ttl)| Address { address: address.parse().unwrap(), ttl: *ttl }))
}

fn was() -> Vec<Address> {
    addresses(&[("198.51.100.7", 3600), ("198.51.100.8", 3600), ("2001:db8::7", 1800)])
}

fn diverted() -> Vec<Address> {
    addresses(&[("203.0.113.80", 30), ("2001:db8:80::1", 30)])
}

fn zone() -> Zone {
    Zone {
        section: "main".to_owned(),
        zone: "example.net".parse().unwrap(),
        names: vec![name()],
        to: ["203.0.113.80", "2001:db8:80::1"].map(|text| text.parse().unwrap()).to_vec(),
        ttl: 30,
        lease_max: Span::from_secs(86_400),
    }
}

/// What becomes of an exchange.
#[derive(Clone, Debug)]
enum Fate {
    Fine,
    /// The question is lost.
    Lost,
    /// It is done, and the answer is lost.
    Unheard,
    Refused(Trouble),
}

/// A server, a desk with its journal, and a clock.
struct World {
    core: Core,
    there: Vec<Address>,
    journal: Vec<Entry>,
    now: Timestamp,
    looks: usize,
    updates: usize,
}

impl World {
    fn new() -> Self {
        let core = Core::restore(&[zone()], &[], START);
        Self { core, there: was(), journal: Vec::new(), now: START, looks: 0, updates: 0 }
    }

    /// Does all that is to be done now.
    fn settle(&mut self, fate: &mut impl FnMut() -> Fate) {
        self.core.handle_timeout(self.now);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Journal(number, entry) => {
                    self.journal.push(entry);
                    self.core.journalled(number);
                    continue;
                }
                Output::Look(name) => {
                    self.looks += 1;
                    let heard = match fate() {
                        Fate::Fine => Ok(Seen { addresses: self.there.clone(), negative_ttl: Some(300) }),
                        Fate::Lost | Fate::Unheard => Err(Trouble::NoAnswer),
                        Fate::Refused(trouble) => Err(trouble),
                    };
                    self.core.handle(self.now, &name, Heard::Looked(heard));
                }
                Output::Update { name, from, to } => {
                    self.updates += 1;
                    let fate = fate();
                    let holds = same(&self.there, &from);
                    if holds && matches!(fate, Fate::Fine | Fate::Unheard) {
                        self.there = to;
                    }
                    let heard = match fate {
                        Fate::Fine if holds => Ok(()),
                        Fate::Fine => Err(Trouble::Changed),
                        Fate::Lost | Fate::Unheard => Err(Trouble::NoAnswer),
                        Fate::Refused(trouble) => Err(trouble),
                    };
                    self.core.handle(self.now, &name, Heard::Updated(heard));
                }
            }
            self.core.handle_timeout(self.now);
        }
    }

    /// Jumps from deadline to deadline for so long.
    fn pass(&mut self, time: Span, fate: &mut impl FnMut() -> Fate) {
        let end = self.now.plus(time);
        self.settle(fate);
        while let Some(due) = self.core.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.settle(fate);
        }
        self.now = end;
    }

    fn divert(&mut self, hold: u64) {
        self.core.divert(self.now, &name(), Span::from_secs(hold), WHO).unwrap();
    }

    fn crash(&mut self) {
        self.core = Core::restore(&[zone()], &self.journal, self.now);
    }

    fn state(&self) -> State {
        self.core.place(&name()).unwrap().state()
    }

    fn end(&self) -> End {
        self.core.place(&name()).unwrap().last().unwrap().how.clone()
    }

    fn trouble(&self) -> Option<Trouble> {
        self.core.place(&name()).unwrap().trouble().cloned()
    }
}

fn fine() -> Fate {
    Fate::Fine
}

#[test]
fn a_name_is_diverted_held_and_restored_with_its_ttls() {
    let mut world = World::new();
    world.divert(600);
    world.settle(&mut fine);
    assert_eq!((world.state(), &world.there), (State::Diverted, &diverted()));
    assert!(matches!(world.journal.as_slice(), [Entry::Started(one)] if one.was == was()));
    let one = world.core.place(&name()).unwrap().diversion().unwrap().clone();
    assert_eq!(one.moved_by(), Some(START.plus(Span::from_secs(3600))), "the longest TTL of what was there");
    world.pass(Span::from_secs(599), &mut fine);
    assert_eq!((world.state(), world.updates), (State::Diverted, 1));
    world.pass(Span::from_secs(2), &mut fine);
    assert_eq!((world.state(), &world.there, world.end()), (State::Idle, &was(), End::Restored));
    let last = world.core.place(&name()).unwrap().last().unwrap().clone();
    assert_eq!(last.back_by, Some(START.plus(Span::from_secs(630))), "the TTL of what was diverted");
    // Once more, ended by hand.
    world.divert(600);
    world.settle(&mut fine);
    assert_eq!(world.state(), State::Diverted);
    world.core.put_back(world.now, &name(), WHO).unwrap();
    world.settle(&mut fine);
    assert_eq!((world.state(), &world.there), (State::Idle, &was()));
}

#[test]
fn rails_refuse_other_names_and_long_leases() {
    let mut world = World::new();
    let hour = Span::from_secs(3600);
    for other in ["example.net", "ns.example.net", "a.www.example.net"] {
        let other: Name = other.parse().unwrap();
        let refused = world.core.divert(START, &other, hour, WHO);
        assert_eq!(refused, Err(Refusal::Unknown(other.clone())));
        assert_eq!(world.core.put_back(START, &other, WHO), Err(Refusal::Unknown(other)));
    }
    for hold in [0, 86_401] {
        let refused = world.core.divert(START, &name(), Span::from_secs(hold), WHO);
        assert!(matches!(refused, Err(Refusal::Lease(_))), "{hold}");
    }
    assert_eq!(world.core.put_back(START, &name(), WHO), Err(Refusal::Idle(name())));
    world.settle(&mut fine);
    assert!(world.journal.is_empty() && world.updates == 0);
}

#[test]
fn a_refusal_is_tried_within_bounds_and_left_out_with_its_remedy() {
    for trouble in [
        Trouble::Rcode(rcode::REFUSED),
        Trouble::Rcode(rcode::NOTAUTH),
        Trouble::Rcode(rcode::SERVFAIL),
        Trouble::BadKey,
        Trouble::BadTime { apart: Some(900) },
        Trouble::NoAnswer,
    ] {
        // From the first look on, and from the first update on.
        for looks in [false, true] {
            let mut world = World::new();
            world.settle(&mut fine);
            world.divert(600);
            let mut fates = 0;
            let bad = trouble.clone();
            world.pass(Span::from_secs(30), &mut || {
                fates += 1;
                // Looks are fine, updates are not: they take turns.
                if looks && fates % 2 == 1 { Fate::Fine } else { Fate::Refused(bad.clone()) }
            });
            assert_eq!((world.state(), &world.there), (State::Idle, &was()), "{trouble} {looks}");
            let End::LeftOut(why) = world.end() else { panic!("{:?}", world.end()) };
            assert_eq!(why, trouble.to_string());
            assert_eq!(world.updates, if looks { 3 } else { 0 });
            assert!(world.looks <= 6, "{} looks", world.looks);
        }
    }
    assert!(Trouble::BadTime { apart: Some(900) }.to_string().contains("differ by 900 s"));
}

#[test]
fn what_somebody_else_changes_is_found_said_and_left_alone() {
    let theirs = addresses(&[("192.0.2.99", 60)]);
    // While it holds, and at its end.
    for pass in [Span::from_secs(61), Span::from_secs(600)] {
        let mut world = World::new();
        world.divert(600);
        world.settle(&mut fine);
        world.there.clone_from(&theirs);
        world.pass(pass, &mut fine);
        assert_eq!((world.state(), &world.there, world.updates), (State::Idle, &theirs, 1));
        assert_eq!(world.end(), End::Foreign("192.0.2.99 (TTL 60)".to_owned()));
    }
    // Between the look and the update.
    let mut world = World::new();
    world.divert(600);
    let mut fates = 0;
    world.there = was();
    world.core.handle_timeout(START);
    while let Some(output) = world.core.poll_output() {
        match output {
            Output::Look(name) => {
                fates += 1;
                let seen = Seen { addresses: world.there.clone(), negative_ttl: None };
                world.core.handle(START, &name, Heard::Looked(Ok(seen)));
            }
            Output::Journal(number, _) => {
                world.there.clone_from(&theirs);
                world.core.journalled(number);
            }
            Output::Update { name, from, .. } => {
                assert!(!same(&from, &world.there));
                world.core.handle(START, &name, Heard::Updated(Err(Trouble::Changed)));
            }
        }
        world.now = world.now.plus(Span::from_secs(1));
        world.core.handle_timeout(world.now);
    }
    assert_eq!((world.state(), fates), (State::Idle, 2));
    assert!(matches!(world.end(), End::Foreign(_)));
}

#[test]
fn a_name_without_addresses_or_with_the_absorbers_is_left_out_at_once() {
    for (there, trouble) in [(Vec::new(), Trouble::Nothing), (diverted(), Trouble::Already)] {
        let mut world = World::new();
        world.there = there;
        world.divert(600);
        world.settle(&mut fine);
        assert_eq!((world.state(), world.trouble(), world.updates), (State::Idle, Some(trouble), 0));
        assert!(matches!(world.end(), End::LeftOut(_)));
    }
}

#[test]
fn nothing_is_sent_before_the_journal_has_it() {
    let mut core = Core::restore(&[zone()], &[], START);
    core.divert(START, &name(), Span::from_secs(60), WHO).unwrap();
    core.handle_timeout(START);
    assert_eq!(core.poll_output(), Some(Output::Look(name())));
    core.handle(START, &name(), Heard::Looked(Ok(Seen { addresses: was(), negative_ttl: None })));
    let Some(Output::Journal(number, Entry::Started(_))) = core.poll_output() else { panic!() };
    core.handle_timeout(START.plus(Span::from_secs(30)));
    assert_eq!(core.poll_output(), None);
    core.journalled(number - 1);
    assert_eq!(core.poll_output(), None);
    core.journalled(number);
    assert!(matches!(core.poll_output(), Some(Output::Update { .. })));
}

#[test]
fn a_restore_is_tried_until_the_server_is_back() {
    let mut world = World::new();
    world.divert(60);
    world.settle(&mut fine);
    world.pass(Span::from_secs(3600), &mut || Fate::Lost);
    assert_eq!((world.state(), &world.there), (State::Restoring, &diverted()));
    assert_eq!(world.trouble(), Some(Trouble::NoAnswer));
    let looks = world.looks;
    assert!(looks < 100, "an hour of retries is bounded: {looks}");
    world.crash();
    world.pass(Span::from_secs(60), &mut fine);
    assert_eq!((world.state(), &world.there), (State::Idle, &was()));
}

#[test]
fn a_name_that_is_not_configured_any_more_is_an_orphan() {
    let mut world = World::new();
    world.divert(600);
    world.settle(&mut fine);
    let core = Core::restore(&[], &world.journal, world.now);
    assert_eq!(core.orphans().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["www.example.net."]);
    // Its number is not given again.
    let mut core = Core::restore(
        &[Zone { names: vec!["b.example.net".parse().unwrap()], ..zone() }],
        &world.journal,
        START,
    );
    let next = core.divert(START, &"b.example.net".parse().unwrap(), Span::from_secs(60), WHO);
    assert_eq!(next, Ok(2));
}

fn a_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Fine),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Unheard),
        1 => Just(Fate::Refused(Trouble::Rcode(rcode::SERVFAIL))),
    ]
}

proptest! {
    /// Whatever is lost and whenever the process dies: after the lease the zone is as it was.
    #[test]
    fn after_the_lease_everything_is_as_it_was(
        fates in prop::collection::vec(a_fate(), 0..40),
        deaths in prop::collection::vec(0..700u64, 0..4),
        by_hand in prop::option::of(0..100u64),
    ) {
        let mut world = World::new();
        world.divert(600);
        let mut fates = fates.into_iter();
        let mut fate = || fates.next().unwrap_or(Fate::Fine);
        let mut deaths = deaths;
        deaths.sort_unstable();
        for death in deaths {
            let at = START.plus(Span::from_secs(death));
            world.pass(at.since(world.now), &mut fate);
            world.crash();
        }
        if let Some(more) = by_hand {
            world.pass(Span::from_secs(more), &mut fate);
            let _ = world.core.put_back(world.now, &name(), WHO);
        }
        world.pass(Span::from_secs(3000), &mut fate);
        prop_assert_eq!(world.state(), State::Idle);
        prop_assert_eq!(&world.there, &was());
        prop_assert!(!matches!(world.core.place(&name()).unwrap().last().map(|last| &last.how), Some(End::Foreign(_))));
    }
}
