//! Filters of the border, by the routes that brought them.

use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use base::prefix::PrefixTable;
use rules::limit::{Fate, Limiter};
use rules::parse::flowspec;
use rules::{Action, Match, Per, Rule, RuleSet};
use sim::Packet;
use wire::bgp::attribute::community;
use wire::bgp::traffic::Traffic;
use wire::bgp::{Attributes, Family, Flows, Update};
use wire::packet::Parsed;

/// Routes of each kind at most, as routers have such a bound; further ones are not taken.
const ROUTES_MAX: usize = 4_096;

/// What holds.
#[derive(Debug)]
pub(super) struct Table {
    /// By family and NLRI, as BGP has it.
    rules: BTreeMap<(Family, Vec<u8>), Rule>,
    holes: BTreeSet<Prefix>,
    thin: f64,
    set: RuleSet,
    limiter: Limiter,
    /// Destinations that something stands for, and whether it is a hole.
    known: PrefixTable<bool>,
}

impl Table {
    /// Nothing holds; each packet that is asked about stands for `thin`.
    pub(super) fn new(thin: u32) -> Self {
        let set = RuleSet::default();
        let limiter = Limiter::new(&set);
        let known = PrefixTable::new([]);
        Self { rules: BTreeMap::new(), holes: BTreeSet::new(), thin: thin.into(), set, limiter, known }
    }

    /// Takes in what a peer said: how many rules came, and how many were not taken.
    pub(super) fn update(&mut self, update: &Update) -> (u64, u64) {
        let (mut came, mut unread) = (0, 0);
        for flows in &update.flowspec {
            let (read, left) = self.flows(flows, &update.attributes);
            came += read;
            unread += left;
        }
        for prefix in &update.withdrawn {
            self.holes.remove(prefix);
        }
        let is_hole = update.attributes.communities.contains(&community::BLACKHOLE);
        for prefix in &update.announced {
            // what is announced again replaces what was
            self.holes.remove(prefix);
            if is_hole && self.holes.len() < ROUTES_MAX {
                self.holes.insert(*prefix);
            }
        }
        self.settle();
        (came, unread)
    }

    /// The session is over, and what it brought with it.
    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.holes.clear();
        self.settle();
    }

    /// Whether a packet is dropped; `None`: nothing stands for its destination.
    pub(super) fn judge(&mut self, packet: &Packet) -> Option<bool> {
        let hole = *self.known.longest(packet.headers.dst)?;
        let parsed =
            Parsed { headers: packet.headers, payload: packet.data.bytes(), transport: &[], vlan: None };
        let fate = self.limiter.judge(&self.set, packet.at, &parsed).fate;
        Some(hole || fate == Fate::Dropped)
    }

    fn flows(&mut self, flows: &Flows, attributes: &Attributes) -> (u64, u64) {
        let (mut came, mut unread) = (0, 0);
        for flow in flowspec::read(&flows.octets, flows.family == Family::FLOWSPEC6) {
            let key = (flows.family, flow.nlri.to_vec());
            self.rules.remove(&key);
            if flows.ended {
                continue;
            }
            let rule =
                flow.matches.ok().zip(self.action(attributes)).filter(|_| self.rules.len() < ROUTES_MAX);
            match rule {
                Some((matches, action)) => {
                    came += 1;
                    let rule = rule_of(&key.1, matches, action);
                    self.rules.insert(key, rule);
                }
                None => unread += 1,
            }
        }
        (came, unread)
    }

    /// What is done, at the rates of packets of which one in so many is made; `None`: these routers cannot.
    fn action(&self, attributes: &Attributes) -> Option<Action> {
        let mut action = Action::Pass;
        for traffic in Traffic::all(attributes) {
            action = match traffic {
                Traffic::RateBytes(rate) | Traffic::RatePackets(rate) if rate <= 0.0 => Action::Drop,
                Traffic::RateBytes(rate) => Action::RateBits(f64::from(rate) * 8.0 / self.thin),
                Traffic::RatePackets(rate) => Action::RatePackets(f64::from(rate) / self.thin),
                Traffic::Action { .. } | Traffic::Marking(_) => action,
                _ => return None,
            };
        }
        Some(action)
    }

    fn settle(&mut self) {
        self.set = RuleSet::new(self.rules.values().cloned().collect());
        self.limiter = Limiter::new(&self.set);
        // a hole may lie within a rule's destination, and a rule's within a hole
        let within = |prefix: &Prefix| self.holes.iter().any(|hole| hole.covers(prefix));
        let of_rules = self.rules.values().filter_map(|rule| rule.matches.dst);
        let all: BTreeMap<Prefix, bool> = of_rules
            .map(|prefix| (prefix, within(&prefix)))
            .chain(self.holes.iter().map(|prefix| (*prefix, true)))
            .collect();
        self.known = PrefixTable::new(all);
    }
}

/// All routers have of an order is that of RFC 8955 §5.1.
fn rule_of(nlri: &[u8], matches: Match, action: Action) -> Rule {
    let id = nlri.iter().map(|octet| format!("{octet:02x}")).collect();
    Rule { id, precedence: 0, matches, action, per: Per::Rule, sample: None, lease: None }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use base::Timestamp;
    use rules::compile::flowspec::lines;
    use rules::parse;
    use sim::Truth;
    use sim::packet::{Data, Draft};
    use wire::bgp::{Frame, frame, nlri, update};

    use super::*;

    fn read(messages: &[Vec<u8>]) -> Update {
        let Some(Frame { body, .. }) = frame(&messages[0]).unwrap() else { panic!("not whole") };
        Update::read(body, true).unwrap()
    }

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// A rule as the daemon's speaker would send it, and as it would end.
    fn sent(text: &str, ended: bool) -> Update {
        let line = lines(&parse::rules(text).unwrap()).remove(0);
        let family = if line.afi == 1 { Family::FLOWSPEC4 } else { Family::FLOWSPEC6 };
        let extended = line.ext_communities.iter().map(|hex| octets(hex).try_into().unwrap()).collect();
        let attributes =
            Attributes { origin: Some(0), as_path: Some(vec![]), extended, ..Attributes::default() };
        let route = [octets(&line.nlri.unwrap())];
        read(&if ended {
            update::withdraw(family, &route).0
        } else {
            update::announce(family, None, &attributes, &route, true).0
        })
    }

    fn hole(prefix: &str, ended: bool) -> Update {
        let prefix: Prefix = prefix.parse().unwrap();
        let mut route = Vec::new();
        nlri::write(&mut route, &prefix);
        let family = if prefix.is_ipv4() { Family::IPV4 } else { Family::IPV6 };
        let hop: IpAddr =
            if prefix.is_ipv4() { [192, 0, 2, 66].into() } else { "2001:db8::66".parse().unwrap() };
        let communities = vec![community::BLACKHOLE];
        let attributes =
            Attributes { origin: Some(0), as_path: Some(vec![]), communities, ..Attributes::default() };
        read(&if ended {
            update::withdraw(family, &[route]).0
        } else {
            update::announce(family, Some(hop), &attributes, &[route], true).0
        })
    }

    fn packet(at: u64, dst: &str, from: u16) -> Packet {
        let dst: IpAddr = dst.parse().unwrap();
        let src: IpAddr =
            if dst.is_ipv4() { [203, 0, 113, 5].into() } else { "2001:db9::5".parse().unwrap() };
        let at = Timestamp::from_nanos(1_800_000_000_000_000_000 + at);
        Draft { at, src, dst, ttl: 60, inbound: true, truth: Truth::BENIGN }.udp(
            (from, 4444),
            972,
            Data::EMPTY,
        )
    }

    #[test]
    fn rules_and_holes_of_both_families_hold_from_their_route_to_its_end() {
        for (host, other, bits) in [("198.18.0.7", "198.18.0.8", 32), ("2001:db8::7", "2001:db8::8", 128)] {
            let mut table = Table::new(1000);
            let text = format!("x dst {host}/{bits} proto udp src-port 53 -> drop\n");
            assert_eq!(table.judge(&packet(0, host, 53)), None);
            assert_eq!(table.update(&sent(&text, false)), (1, 0));
            assert_eq!(table.judge(&packet(0, host, 53)), Some(true));
            assert_eq!(table.judge(&packet(0, host, 123)), Some(false));
            assert_eq!(table.judge(&packet(0, other, 53)), None);
            table.update(&hole(&format!("{host}/{bits}"), false));
            assert_eq!(table.judge(&packet(0, host, 123)), Some(true));
            table.update(&hole(&format!("{host}/{bits}"), true));
            assert_eq!(table.judge(&packet(0, host, 123)), Some(false));
            table.update(&sent(&text, true));
            assert_eq!(table.judge(&packet(0, host, 53)), None);
            table.update(&sent(&text, false));
            table.clear();
            assert_eq!(table.judge(&packet(0, host, 53)), None);
        }
    }

    #[test]
    fn a_rate_is_that_of_the_packets_that_those_made_stand_for() {
        let mut table = Table::new(1000);
        // 8,000 packets of 1,000 octets a second may pass: 8 of those that are made
        table.update(&sent("x dst 198.18.0.7/32 proto udp -> rate 64Mbps\n", false));
        let made = (0..10_000u64).map(|number| packet(number * 1_000_000, "198.18.0.7", 53));
        let passed = made.filter(|packet| table.judge(packet) == Some(false)).count();
        assert!((78..=84).contains(&passed), "{passed} in ten seconds");
        // what leads elsewhere is not read as something else
        assert_eq!(table.update(&sent("y dst 198.18.0.7/32 -> redirect 192.0.2.1\n", false)), (0, 1));
    }
}
