//! A speaker and a peer, joined by a wire that the test holds. Time jumps to the next deadline; nothing sleeps.
#![expect(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{Prefix, Span, Timestamp};
use steer::bgp::out::Key;
use steer::bgp::session::{Farewell, Output};
use steer::bgp::step::State;
use steer::bgp::{Dialect, Down, Input, Pacing, Peer, Route, Session, Settings};
use wire::bgp::attribute::{Segment, community};
use wire::bgp::{Attributes, Family, Notification, Open, nlri};

pub(crate) fn settings(local_as: u32, peer_as: u32, id: u8) -> Settings {
    Settings {
        local_as,
        peer_as,
        id: Ipv4Addr::new(192, 0, 2, id),
        families: Family::ALL.to_vec(),
        hold_time: 90,
        patience: 0,
        restart_time: Some(120),
        on_stop: Farewell::Withdraw,
        dialect: Dialect::default(),
    }
}

/// A host that is announced: of IPv6 from 1,000 on.
pub(crate) fn prefix(number: u32) -> Prefix {
    match number {
        0..1000 => Prefix::host(Ipv4Addr::from(0xcb00_7100 + number).into()),
        _ => Prefix::host(Ipv6Addr::from((0x2001_0db8 << 96) + u128::from(number)).into()),
    }
}

/// Its communities as the peer has them.
pub(crate) fn communities(number: u32) -> Vec<u32> {
    vec![0xffff_029a + number % 3, community::NO_LLGR]
}

pub(crate) fn route(number: u32) -> Route {
    let prefix = prefix(number);
    let mut octets = Vec::new();
    nlri::write(&mut octets, &prefix);
    let attributes = Attributes {
        origin: Some(0),
        as_path: Some(vec![Segment::sequence(vec![65010])]),
        communities: vec![0xffff_029a + number % 3],
        ..Attributes::default()
    };
    let (family, hop): (Family, IpAddr) = match prefix.is_ipv4() {
        true => (Family::IPV4, Ipv4Addr::new(192, 0, 2, 1).into()),
        false => (Family::IPV6, Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).into()),
    };
    let key = Key { family, nlri: octets };
    Route { key, next_hop: Some(hop), attributes, rank: 1 + number % 5 }
}

/// The peer's side: a session, the routes it heard, and those it cannot bear.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) us: Peer,
    pub(crate) them: Session,
    pub(crate) rib: BTreeMap<Prefix, Vec<u32>>,
    pub(crate) poison: BTreeSet<Prefix>,
    /// What the peer says when it meets one; `None`: it closes.
    pub(crate) complaint: Option<Notification>,
    pub(crate) connected: bool,
    /// Connections are refused.
    pub(crate) away: bool,
    pub(crate) heard: Vec<Output>,
    pub(crate) ends_of_rib: Vec<Family>,
    /// The peer keeps routes when the connection ends without a word (RFC 4724).
    pub(crate) keeps: bool,
    /// Those that wait for End-of-RIB.
    pub(crate) stale: BTreeSet<Prefix>,
    /// What the test has no use for is not remembered.
    pub(crate) forgets: bool,
}

impl World {
    pub(crate) fn new(pacing: Pacing) -> Self {
        let mut them = Session::new(settings(65020, 65010, 2), false);
        let now = Timestamp::from_secs(1_000_000);
        them.handle(now, Input::Start);
        Self {
            now,
            us: Peer::new(settings(65010, 65020, 1), pacing, false),
            them,
            rib: BTreeMap::new(),
            poison: BTreeSet::new(),
            complaint: None,
            connected: false,
            away: false,
            heard: Vec::new(),
            ends_of_rib: Vec::new(),
            keeps: false,
            stale: BTreeSet::new(),
            forgets: false,
        }
    }

    pub(crate) fn started(pacing: Pacing) -> Self {
        let mut world = Self::new(pacing);
        world.us.handle(world.now, Input::Start);
        world.settle();
        assert_eq!(world.us.session().state(), State::Established);
        world
    }

    /// Until both have nothing to say.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.us.poll_output(self.now) {
                quiet = false;
                match &output {
                    Output::Dial if self.away => self.us.handle(self.now, Input::Closed),
                    Output::Dial => {
                        self.connected = true;
                        self.them.handle(self.now, Input::Start);
                        self.them.handle(self.now, Input::Connected);
                        self.us.handle(self.now, Input::Connected);
                    }
                    Output::Send(octets) if self.connected => {
                        self.them.handle(self.now, Input::Received(octets))
                    }
                    Output::Close => self.cut(),
                    _ => {}
                }
                if !self.forgets {
                    self.heard.push(output);
                }
            }
            while let Some(output) = self.them.poll_output() {
                quiet = false;
                match output {
                    Output::Send(octets) if self.connected => {
                        self.us.handle(self.now, Input::Received(&octets))
                    }
                    Output::Close => self.cut(),
                    Output::Down(Down::Closed | Down::Silent) if self.keeps => {
                        self.stale = self.rib.keys().copied().collect();
                    }
                    Output::Down(_) => {
                        self.rib.clear();
                        self.stale.clear();
                    }
                    Output::Routes(update) => {
                        let bad = update.announced.iter().any(|prefix| self.poison.contains(prefix));
                        for prefix in update.withdrawn {
                            self.rib.remove(&prefix);
                        }
                        for prefix in update.announced {
                            self.stale.remove(&prefix);
                            self.rib.insert(prefix, update.attributes.communities.clone());
                        }
                        if let Some(family) = update.end_of_rib {
                            let ended = |prefix: &Prefix| prefix.is_ipv4() == (family == Family::IPV4);
                            let unicast = matches!(family, Family::IPV4 | Family::IPV6);
                            self.rib.retain(|prefix, _| {
                                !(unicast && ended(prefix) && self.stale.contains(prefix))
                            });
                            self.stale.retain(|prefix| !(unicast && ended(prefix)));
                            self.ends_of_rib.push(family);
                        }
                        if bad {
                            if let Some(complaint) = &self.complaint {
                                self.us.handle(self.now, Input::Received(&complaint.write()));
                            }
                            self.cut();
                        }
                    }
                    _ => {}
                }
            }
            if quiet {
                return;
            }
        }
    }

    /// The connection ends, for both.
    pub(crate) fn cut(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.us.handle(self.now, Input::Closed);
            self.them.handle(self.now, Input::Closed);
        }
    }

    /// Time passes, deadline by deadline.
    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.now.plus(span);
        loop {
            let next = [self.us.poll_timeout(), self.them.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.us.handle_timeout(self.now);
            self.them.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    pub(crate) fn announce(&mut self, number: u32) {
        self.us.announce(self.now, route(number)).unwrap();
        self.settle();
    }

    /// The OPEN that the peer would send.
    pub(crate) fn opened(&self) -> Open {
        let mut them = Session::new(settings(65020, 65010, 2), false);
        them.handle(self.now, Input::Start);
        them.handle(self.now, Input::Connected);
        loop {
            if let Output::Send(octets) = them.poll_output().unwrap() {
                return Open::read(octets.get(19..).unwrap_or_default()).unwrap();
            }
        }
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.rib.contains_key(&prefix(number))
    }

    pub(crate) fn downs(&self) -> Vec<&Down> {
        self.heard.iter().filter_map(|o| if let Output::Down(why) = o { Some(why) } else { None }).collect()
    }
}
