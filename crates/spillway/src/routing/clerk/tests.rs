//! What needs no router: a core that falls silent, and a journal that ends between its line and the announcement.

use std::path::{Path, PathBuf};

use steer::book::{Stage, What, Wish};

use super::*;
use crate::config::Hop;
use crate::routing::express::Unfit;
use crate::routing::order::{Answer, Caller, Drills, Order};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-clerk-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Nobody listens at the router's address.
    fn setup(&self) -> Setup {
        let text = format!(
            "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n\
             [routing]\nasn = 64512\nrouter_id = \"192.0.2.1\"\n[routing.approvals]\nblackhole = \"automatic\"\n\
             [routing.peers.up]\naddress = \"127.0.0.1:1\"\nasn = 64500\ncarries = [\"blackhole\", \"flowspec\"]\n\
             next_hop = \"192.0.2.1\"\nnext_hop6 = \"2001:db8:ffff::1\"\n",
            self.0.display()
        );
        Setup::of(&crate::config::Config::parse(Path::new("f.toml"), &text).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn wish(prefix: &str, actor: Actor) -> Wish {
    Wish {
        what: What::Blackhole(prefix.parse().unwrap()),
        neighbors: vec!["up".to_owned()],
        actor,
        reason: "a test".to_owned(),
        hold: Span::from_secs(600),
    }
}

/// Where absorbers would wake the desk; there is none.
fn asks() -> Sender<Ask> {
    std::sync::mpsc::channel().0
}

/// A clerk that nobody else writes for or listens to.
fn started(setup: Setup, pulse: &Pulse) -> Clerk {
    let ways = (Pen::default(), Events::new(0), crate::policy::Desk::default());
    Clerk::start(setup, Board::default(), pulse.clone(), ways, &asks(), None).unwrap()
}

fn wanted(clerk: &Clerk) -> usize {
    clerk.peers().iter().map(|peer| peer.wanted).sum()
}

#[test]
fn a_core_that_falls_silent_loses_its_automatic_mitigations_alone() {
    let folder = Folder::new("dead-man");
    let mut setup = folder.setup();
    setup.routing.dead_man = Span::from_secs(3600);
    let pulse = Pulse::default();
    let mut clerk = started(setup, &pulse);
    let now = clerk.clock.now();
    let alone = clerk.book.propose(now, wish("198.51.100.7/32", Actor::Engine)).unwrap();
    let vouched = clerk.book.propose(now, wish("198.51.100.8/32", Actor::Engine)).unwrap();
    let asked = clerk.book.propose(now, wish("2001:db8::9/128", Actor::Person("ada".to_owned()))).unwrap();
    clerk.turn();
    clerk.book.renew(now, vouched, &Actor::Person("ada".to_owned()), Span::from_secs(900)).unwrap();
    clerk.turn();
    assert_eq!(wanted(&clerk), 3, "the core lives");
    // From now on every silence is too long.
    clerk.setup.routing.dead_man = Span::ZERO;
    clerk.turn();
    let left: Vec<u64> = clerk.book.all().map(|one| one.id).collect();
    assert_eq!(left, [vouched, asked], "{alone} is withdrawn");
    assert_eq!((wanted(&clerk), clerk.counts.dead_man), (2, 1));
    let Answer::History(lines) = clerk.history(Some(alone), 1).unwrap() else { panic!("no history") };
    assert!(lines[0].reason.contains("gave no sign of life"), "{lines:?}");
}

#[test]
fn a_kill_between_the_journal_and_the_announcement_is_made_good_at_the_start() {
    let folder = Folder::new("between");
    let clock = Clock::start();
    let line = |entry: &Entry| Line { entry: serde_json::to_string(entry).ok(), ..Line::default() };
    let begun = |id: u64, what: &str, until: Timestamp| {
        let proposed = Entry::Proposed {
            id,
            at: clock.now().nanos(),
            class: "blackhole".to_owned(),
            what: what.to_owned(),
            neighbors: vec!["up".to_owned()],
            actor: Actor::Person("ada".to_owned()),
            reason: "a test".to_owned(),
            hold: 600,
        };
        let started = Entry::Started { id, at: clock.now().nanos(), until: until.nanos() };
        [line(&proposed), line(&started)]
    };
    let now = clock.now();
    let mut journal = Journal::open(&folder.0).unwrap();
    journal.append(&begun(1, "198.51.100.7/32", now.plus(Span::from_secs(600)))).unwrap();
    journal.append(&begun(2, "198.51.100.8/32", now.minus(Span::from_secs(1)))).unwrap();
    journal.append(&begun(3, "203.0.113.1/32", now.plus(Span::from_secs(600)))).unwrap();
    // A line of a build that knew more.
    journal.append(&[Line { entry: Some("{\"event\":\"blessed\"}".to_owned()), ..Line::default() }]).unwrap();
    // Years from now, as a clock that was set back makes it look.
    journal.append(&begun(4, "2001:db8::4/128", now.plus(Span::from_secs(100_000_000)))).unwrap();
    drop(journal);
    let clerk = started(folder.setup(), &Pulse::default());
    let holds: Vec<(u64, &Stage)> = clerk.book.all().map(|one| (one.id, &one.stage)).collect();
    assert_eq!(holds, [(1, &Stage::Active), (4, &Stage::Active)], "the second is over, the third is foreign");
    assert!(clerk.book.get(4).unwrap().until <= clock.now().plus(steer::book::LONGEST_ALONE));
    assert_eq!(wanted(&clerk), 2);
    let Answer::History(lines) = clerk.history(None, 2).unwrap() else { panic!("no history") };
    let reasons: Vec<&str> = lines.iter().map(|line| line.reason.as_str()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("does not lie within `networks`"), "{reasons:?}");
    assert_eq!(reasons[1], "its time is over");
}

#[test]
fn a_route_says_what_its_router_wants_to_hear() {
    let folder = Folder::new("said");
    let mut setup = folder.setup();
    let router = &mut setup.routing.routers[0];
    let route = |router: &Router, what: &str| {
        express::route(&What::Blackhole(what.parse().unwrap()), router, 64512, None)
    };
    let v4 = route(router, "198.51.100.7/32").unwrap();
    assert_eq!(v4.next_hop, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(
        v4.attributes.communities,
        [0xffff_0007, 0xffff_029a, 0xffff_ff01],
        "NO_LLGR, BLACKHOLE, NO_EXPORT"
    );
    assert_eq!(v4.attributes.local_pref, None);
    let v6 = route(router, "2001:db8::7/128").unwrap();
    assert_eq!(v6.next_hop, Some("2001:db8:ffff::1".parse().unwrap()));
    // What is diverted goes to its own absorber, where there are several.
    let to = |router: &Router, what: &str, absorber: Option<&str>| {
        express::route(&What::Diversion(what.parse().unwrap()), router, 64512, absorber).unwrap().next_hop
    };
    let diverted = |router: &Router, what: &str| to(router, what, None);
    router.carries = vec![Class::Blackhole, Class::Diversion];
    router.diversion.next_hops = (Some("192.0.2.21".parse().unwrap()), None);
    let hop = |absorber: &str, hop: &str| Hop {
        absorber: absorber.to_owned(),
        prefix: "198.51.101.0/24".parse().unwrap(),
        hop: hop.parse().unwrap(),
    };
    router.absorber_hops = vec![hop("a", "192.0.2.22"), hop("b", "192.0.2.23")];
    assert_eq!(to(router, "198.51.101.0/24", Some("b")), Some("192.0.2.23".parse().unwrap()));
    assert_eq!(diverted(router, "198.51.100.0/24"), Some("192.0.2.21".parse().unwrap()));
    assert_eq!(diverted(router, "198.51.101.0/24"), Some("192.0.2.22".parse().unwrap()));
    // Within an AS the path is empty, and the preference is said.
    router.asn = 64512;
    let inner = route(router, "198.51.100.7/32").unwrap().attributes;
    assert_eq!((inner.local_pref, inner.as_path), (Some(100), Some(Vec::new())));
    router.carries = vec![Class::Flowspec];
    assert!(matches!(route(router, "198.51.100.7/32"), Err(Unfit::Class(..))));
}

#[test]
fn drills_are_for_peace_and_an_attack_ends_them() {
    let folder = Folder::new("peace");
    let mut setup = folder.setup();
    let pulse = Pulse::default();
    let wanted = |anyway| {
        let (peers, classes, reason) = (Vec::new(), vec!["blackhole".to_owned()], "a test".to_owned());
        Order::Drill(Drills { peers, classes, anyway, reason })
    };
    let ada = Caller::Person("ada".to_owned());
    {
        let mut clerk = started(setup.clone(), &pulse);
        let none = clerk.take(&ada, wanted(false)).unwrap_err();
        assert!(none.contains("no spare address is configured; add [routing.drill]"), "{none}");
    }
    setup.routing.drill.spare = vec!["198.51.100.99/32".parse().unwrap()];
    let mut clerk = started(setup, &pulse);
    let progress = |clerk: &Clerk| {
        let Answer::Drill(progress) = clerk.progress(0) else { panic!("no progress") };
        progress
    };
    pulse.sees(1);
    let refused = clerk.take(&ada, wanted(false)).unwrap_err();
    assert!(refused.contains("drills are for peace, and 1 attacks go on"), "{refused}");
    clerk.take(&ada, wanted(true)).unwrap();
    clerk.turn();
    assert!(progress(&clerk).running, "they go on when told so");
    clerk.take(&ada, Order::DrillStop { reason: "enough".to_owned() }).unwrap();
    clerk.turn();
    assert!(!progress(&clerk).running);
    // One that began in peace ends with it.
    pulse.sees(0);
    clerk.take(&ada, wanted(false)).unwrap();
    clerk.turn();
    assert!(progress(&clerk).running);
    pulse.sees(2);
    clerk.turn();
    let after = progress(&clerk);
    assert_eq!((after.running, after.records.len(), after.unfinished), (false, 0, 1));
    assert!(after.lines.last().unwrap().contains("2 attacks go on"), "{:?}", after.lines);
    assert_eq!(clerk.drilled().all().count(), 0);
}

/// Somebody who is allowed, in the configuration below what people decide.
fn allows(folder: &Folder, entries: &str) -> crate::policy::Desk {
    let text = format!(
        "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n\
         [target.\"198.51.100.9\"]\nnever_drop = [\"proto udp dst-port 53\"]\n{entries}",
        folder.0.display()
    );
    let desk = crate::policy::Desk::default();
    desk.adapt(&crate::config::Config::parse(Path::new("f.toml"), &text).unwrap(), 0);
    desk
}

const ALLOWED: &str = "[[allow]]\nsource = \"192.0.2.1\"\ndestination = \"198.51.100.0/24\"\nowner = \"ada\"\nreason = \"monitor\"\n\
    [[allow]]\nsource = \"2001:db8:ffff::1\"\ndestination = \"2001:db8::/48\"\nprotocol = \"tcp\"\nport = 443\nowner = \"ada\"\nreason = \"monitor\"\n";

#[test]
fn no_rule_goes_to_a_router_that_would_hit_who_is_allowed_or_what_is_never_dropped() {
    let folder = Folder::new("spared");
    let policy = allows(&folder, ALLOWED);
    let pen = (Pen::default(), Events::new(0), policy.clone());
    let mut clerk =
        Clerk::start(folder.setup(), Board::default(), Pulse::default(), pen, &asks(), None).unwrap();
    let ada = Caller::Person("ada".to_owned());
    let rule = |text: &str| {
        Order::Announce(crate::routing::order::Request {
            class: "flowspec".to_owned(),
            what: text.to_owned(),
            peers: Vec::new(),
            hold: Some(600),
            reason: "a test".to_owned(),
            dry_run: false,
        })
    };
    // It cannot be cut around a source that it says nothing of; where it can, it is said how; nothing is left of the third.
    let refused: [(&str, &str); 6] = [
        ("a dst 198.51.100.7/32 proto udp -> drop", "a router can be told of no exception"),
        ("b dst 198.51.100.7/32 src 192.0.2.0/30 proto udp -> drop", "what is left of it: b-without-"),
        ("c dst 198.51.100.7/32 src 192.0.2.1/32 -> rate 1Mbps", "all that it matches is spared"),
        ("d dst 2001:db8::7/128 proto tcp dst-port 400-500 src 2001:db8:ffff::/48 -> drop", "no exception"),
        ("e dst 2001:db8::7/128 proto tcp src 2001:db8:ffff::1/128 fragment none -> drop", "dst-port"),
        (
            "f dst 198.51.100.9/32 proto udp dst-port 53 src 192.0.2.9/32 -> drop",
            "never dropped of 198.51.100.9/32",
        ),
    ];
    for (text, why) in refused {
        let said = clerk.take(&ada, rule(text)).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
    // What does not hit them goes, and so does what only leads them elsewhere.
    for text in [
        "g dst 198.51.100.7/32 src 192.0.2.2/31 -> drop",
        "h dst 2001:db8::7/128 proto udp -> drop",
        "i dst 198.51.101.7/32 -> drop",
        "j dst 198.51.100.9/32 proto udp dst-port 53 src 192.0.2.9/32 -> rate 1Mbps",
    ] {
        clerk.take(&ada, rule(text)).unwrap();
    }
    assert_eq!(wanted(&clerk), 4);
    // A blackhole is not kept from it: it says whom it hits.
    let mut hole = wish("198.51.100.7/32", Actor::Person("ada".to_owned()));
    let preview = clerk.preview(&hole);
    assert!(
        preview.effect.contains("allowed sources among them: 192.0.2.1/32 to 198.51.100.0/24"),
        "{preview:?}"
    );
    hole.what = What::Blackhole("198.51.103.7/32".parse().unwrap());
    assert!(!clerk.preview(&hole).effect.contains("allowed"));
    // Who is allowed later is spared from then on.
    policy.adapt(
        &crate::config::Config::parse(
            Path::new("f.toml"),
            &format!(
                "networks = [\"198.51.100.0/22\", \"2001:db8::/32\"]\nstate_dir = \"{}\"\n[listen]\nsflow = \"127.0.0.1:0\"\n\
                 [[allow]]\nsource = \"2001:db8:ffff::2\"\ndestination = \"2001:db8::/48\"\nowner = \"ada\"\nreason = \"x\"\n",
                folder.0.display()
            ),
        )
        .unwrap(),
        0,
    );
    clerk.turn();
    let left: Vec<String> = clerk.book.all().map(|one| one.wish.what.class().as_str().to_owned()).collect();
    assert_eq!((left.len(), wanted(&clerk)), (3, 3), "{left:?}");
    let Answer::History(lines) = clerk.history(None, 1).unwrap() else { panic!("no history") };
    assert!(lines[0].reason.contains("2001:db8:ffff::2/128"), "{lines:?}");
}
