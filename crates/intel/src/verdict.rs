//! A verdict per source: evidence becomes log-odds, odds become a class, and each class needs its proof.
//!
//! Weights are natural logarithms of likelihood ratios: how many times likelier a forged source shows this than a real one.
//! They are choices, not measurements; what they lead to is measured on labelled mixtures (tests/mixtures.rs).

use std::collections::BTreeMap;
use std::net::IpAddr;

use base::Prefix;
use base::prefix::narrow;

use crate::enrich::{Enrich, Place};
use crate::finding::{Class, Finding, Reason};
use crate::forgery::{Claim, Opinion};
use crate::observe::{MIDDLEBOX, Observer, SYNACK, neighbourhood};
use crate::packet::origin;
use crate::rules::Kind;
use crate::source::{Proofs, Source};
use crate::special::special;
use crate::spread::effective;
use crate::table::Entry;
use crate::tally::ratio;

/// B1: nobody has this address.
const SPECIAL: f64 = 6.0;
/// B2: no route leads to it.
const UNROUTED: f64 = 5.0;
/// B3: its network is not behind the neighbour who sent it. Routes may be known in part, so that this outweighs that it comes again
/// and again (D2), and not that it was here in peace (R1).
const ASTRAY: f64 = 4.5;
/// T1: its network is elsewhere.
const ELSEWHERE: f64 = 3.5;
/// D2: what is drawn at random does not come back.
const RETURNS: f64 = -2.0;
/// R1: it was here before the attack.
const KNOWN: f64 = -3.0;
/// Odds from which a source is called forged: nine to one.
const FORGED: f64 = 0.9;
/// Hops between what its neighbours are away and what it is: routes move by one or two.
const HOPS: u8 = 3;
/// Packets beyond what its conversations explain that make somebody flood.
const FLOOD_MIN: u64 = 20;
/// Sources with a proof that flood in one form: together they are a botnet, whoever made it.
const TOGETHER: usize = 10;
/// SYN-ACKs of so many different ways and forms come from so many different machines.
const ANSWERERS: std::ops::RangeInclusive<f64> = 4.0..=120.0;
/// Fewer cannot be told by how different they are.
const ANSWERERS_MIN: u64 = 20;
/// How rarely a SYN-ACK that nobody asked for is anything else, where all of them are of many machines.
const SYNACK_FORM: f64 = 0.9;
/// How rarely a page that nobody asked for, from a server's port, is anything else.
const MIDDLEBOX_FORM: f64 = 0.97;

/// Whose packets were looked at, judged.
pub(crate) struct Judge<'a> {
    pub(crate) observer: &'a Observer,
    enrich: &'a dyn Enrich,
    /// By way in: the neighbour behind which whoever comes in there has to be.
    behind: Vec<Option<u32>>,
    opinions: Vec<Opinion>,
    /// Hops to networks whose hosts have proven themselves.
    hops: BTreeMap<Prefix, u8>,
    synacks_tell: bool,
    /// Sources by form that flood and have a proof.
    together: BTreeMap<u8, usize>,
}

impl<'a> Judge<'a> {
    /// `sources` are the observer's; `behind` has a line for each way in, or none.
    pub(crate) fn new(
        observer: &'a Observer,
        enrich: &'a dyn Enrich,
        sources: &[Entry],
        behind: Vec<Option<u32>>,
    ) -> Self {
        let mut judge = Self {
            observer,
            enrich,
            behind,
            opinions: Vec::new(),
            hops: BTreeMap::new(),
            synacks_tell: synacks_tell(sources),
            together: BTreeMap::new(),
        };
        for (address, source) in sources {
            if source.proof.has(Proofs::HANDSHAKE) && source.ttl > 0 {
                judge.hops.insert(neighbourhood(narrow(*address)), hops(source.ttl));
                if floods(source) && !judge.impersonated(source) {
                    *judge.together.entry(source.form).or_default() += 1;
                }
            }
        }
        judge.opinions = (0u32..)
            .zip(&observer.vectors)
            .map(|(place, _)| {
                let (mut claims, mut proven, mut bogon_answers) = (Vec::new(), 0, false);
                for (address, source) in sources {
                    if source.vectors >> place & 1 == 0 || !observer.sources.sampled(*address) {
                        continue;
                    }
                    let address = narrow(*address);
                    if !judge.stands(source) {
                        claims.push(claim(address, source));
                    } else if source.proof.has(Proofs::ANSWER) || floods(source) {
                        proven += 1;
                    }
                    bogon_answers |= judge.stands(source) && special(address);
                }
                Opinion::of(&claims, proven, bogon_answers)
            })
            .collect();
        judge
    }

    /// What is thought of each vector, in their order.
    pub(crate) fn opinions(&self) -> &[Opinion] {
        &self.opinions
    }

    /// Whether a source has shown, by what it sent, that it is there.
    fn stands(&self, source: &Source) -> bool {
        let proof = source.proof;
        // Half a conversation is no proof for who floods beside it.
        let half = proof.has(Proofs::HALF) || proof.has(Proofs::ASKED);
        proof.has(Proofs::HANDSHAKE | Proofs::QUIC | Proofs::CULPRIT)
            || self.answers(source)
            || half && !floods(source)
    }

    /// Whether it was here before the attack, by what was seen or is known.
    fn came_before(&self, address: IpAddr, source: &Source) -> bool {
        source.proof.has(Proofs::BEFORE) || self.enrich.knew(address)
    }

    /// Whether it came in by a neighbour who has no such network behind it. Of a source that came several ways, only where at least half
    /// of its packets came that one.
    fn astray(&self, address: IpAddr, source: &Source) -> bool {
        let way = usize::from(source.entry).checked_sub(1).filter(|_| source.keeps_to_one_way());
        let neighbour = way.and_then(|way| self.behind.get(way).copied().flatten());
        neighbour.is_some_and(|neighbour| self.enrich.behind(neighbour, address) == Some(false))
    }

    /// Whether its answers are those of a service: by their form, or for SYN-ACKs by how different they all are.
    fn answers(&self, source: &Source) -> bool {
        source.proof.has(Proofs::ANSWER) && (source.reflects != SYNACK || self.synacks_tell)
    }

    /// Its conversation and its flood come from different places.
    fn impersonated(&self, source: &Source) -> bool {
        source.ttl_most - source.ttl_least > 1 && source.proof.has(Proofs::HANDSHAKE)
    }

    /// Whether an ICMP error tells that somebody asked it in the target's name. Anybody can make such an error up, so it is evidence
    /// beside others and no proof; and what the target itself asked is not forged.
    fn quoted(&self, address: IpAddr, source: &Source) -> bool {
        let observer = self.observer;
        !source.proof.has(Proofs::ASKED)
            && (observer.quoted.contains_key(&address) || observer.quoting.contains(&address))
    }

    /// What is said of one source; `None` for one that neither attacked nor is known to be honest.
    pub(crate) fn judge(&self, address: IpAddr, source: &Source) -> Option<Finding> {
        if source.packets == 0 && !(self.stands(source) && source.other > 0) {
            return None;
        }
        let place = self.enrich.place(address);
        let mut reasons = Vec::new();
        let own = self.class(address, source, &place, &mut reasons);
        let listed = self.enrich.listed(address);
        let (class, confidence) = self.heed(address, source, &listed, own, &mut reasons);
        if source.returns() {
            reasons.push(Reason::D2);
        }
        // Whose answers were seen has sent them, whatever it was before.
        if self.came_before(address, source) && !(class == Class::Reflector && reasons.contains(&Reason::P1))
        {
            reasons.push(Reason::R1);
        }
        if matches!(class, Class::Reflector | Class::Unknown) && self.quoted(address, source) {
            reasons.push(Reason::Q1);
        }
        let tool = self.tool(source);
        if tool.is_some() {
            reasons.push(Reason::F1);
        }
        reasons.sort_unstable();
        reasons.dedup();
        let reflects = (class == Class::Reflector).then(|| self.protocol(source)).flatten();
        let reflects =
            reflects.or_else(|| (class == Class::Reflector).then(|| self.reflecting(source)).flatten());
        let bits = |place: &usize| u32::try_from(*place).is_ok_and(|place| source.vectors >> place & 1 == 1);
        Some(Finding {
            address,
            class,
            confidence,
            reasons,
            packets: source.packets,
            bytes: source.bytes,
            first: source.first,
            last: source.last,
            vectors: (0..self.observer.vectors.len()).filter(bits).collect(),
            ports: source.ports,
            ip_protocol: source.protocol,
            reflects,
            tool,
            lists: if class == Class::Spoofed { Vec::new() } else { listed.names },
            asn: place.asn,
            prefix: place.prefix,
            country: place.country,
            city: place.city,
            position: place.position,
            samples: self
                .observer
                .samples
                .get(&base::prefix::wide(address))
                .filter(|_| !matches!(class, Class::Spoofed | Class::Legitimate))
                .cloned()
                .unwrap_or_default(),
        })
    }

    fn class(
        &self,
        address: IpAddr,
        source: &Source,
        place: &Place,
        reasons: &mut Vec<Reason>,
    ) -> (Class, f64) {
        let bogons_tell = self.opinions.iter().any(|opinion| opinion.bogons_tell);
        let astray = self.astray(address, source);
        if self.answers(source) {
            reasons.push(Reason::P1);
            let against = [(Reason::B1, bogons_tell && special(address)), (Reason::B3, astray)];
            if let Some((reason, _)) = against.into_iter().find(|(_, holds)| *holds) {
                reasons.push(reason);
                return (Class::Unknown, 0.5);
            }
            return (Class::Reflector, self.answering(source));
        }
        let proof = source.proof;
        if proof.has(Proofs::HANDSHAKE) {
            reasons.push(Reason::H1);
            if proof.has(Proofs::HELLO | Proofs::QUIC) {
                reasons.push(Reason::H2);
            }
            return self.proven(source, reasons);
        }
        if proof.has(Proofs::QUIC) {
            reasons.push(Reason::H2);
            // A connection may change its ids unseen: who sends much beside it need not flood.
            let much = floods(source);
            return if much { (Class::Unknown, 0.5) } else { (Class::Legitimate, 0.95) };
        }
        if (proof.has(Proofs::HALF) || proof.has(Proofs::ASKED)) && !floods(source) {
            reasons.push(Reason::H3);
            return (Class::Legitimate, 0.75);
        }
        let group = self.group(address, source);
        let mut odds = group.map_or(0.0, |(forged, _)| logit(forged));
        let mut add = |reason: Reason, weight: f64, holds: bool| {
            if holds {
                odds += weight;
                reasons.push(reason);
            }
        };
        let unrouted = self.enrich.knows_all_routes(address.is_ipv4()) && place.prefix.is_none();
        let elsewhere = self
            .hops
            .get(&neighbourhood(address))
            .copied()
            .or_else(|| self.enrich.hops(address))
            .is_some_and(|known| source.ttl > 0 && known.abs_diff(hops(source.ttl)) >= HOPS);
        add(Reason::B1, SPECIAL, bogons_tell && special(address));
        add(Reason::B2, UNROUTED, unrouted);
        add(Reason::B3, ASTRAY, astray);
        add(Reason::T1, ELSEWHERE, elsewhere);
        add(Reason::D2, RETURNS, source.returns());
        add(Reason::R1, KNOWN, self.came_before(address, source));
        let forged = 1.0 / (1.0 + libm::exp(-odds));
        if forged >= FORGED {
            reasons.extend(group.filter(|(p, _)| *p > 0.5).map(|(_, why)| why));
            return (Class::Spoofed, forged.min(0.99));
        }
        let against =
            [Reason::B1, Reason::B2, Reason::B3, Reason::T1].iter().any(|reason| reasons.contains(reason));
        if let Some(tool) = self.rule(source)
            && !against
            && source.returns()
            && group.is_none_or(|(forged, _)| forged < 0.5)
            // A tool that only floods is told to forge as easily as not; a scanner wants its answers.
            && matches!(tool.kind, Kind::Botnet | Kind::Scanner)
        {
            return (Class::Bot, tool.confidence * 0.9);
        }
        (Class::Unknown, (1.0 - forged).clamp(0.0, 0.5))
    }

    /// How likely a source is forged by what its group is, and why; `None`: nothing is known of it.
    pub(crate) fn group(&self, address: IpAddr, source: &Source) -> Option<(f64, Reason)> {
        let claim = claim(address, source);
        (0u32..)
            .zip(&self.opinions)
            .filter(|(place, _)| source.vectors >> place & 1 == 1)
            .find_map(|(_, opinion)| opinion.forged(&claim))
    }

    /// How sure a reflector is one: as rarely as anything else has the form of its answers, by the share of what it sent that has it.
    fn answering(&self, source: &Source) -> f64 {
        let form = match source.reflects {
            SYNACK => SYNACK_FORM,
            MIDDLEBOX => MIDDLEBOX_FORM,
            at => usize::from(at)
                .checked_sub(1)
                .and_then(|at| self.observer.rules.reflectors.get(at))
                .map_or(0.0, |reflector| reflector.confidence),
        };
        form * ratio(source.reflected.into(), source.answerable.into())
    }

    /// Who holds conversations: an honest client, or one that floods under its own address.
    fn proven(&self, source: &Source, reasons: &mut Vec<Reason>) -> (Class, f64) {
        if !floods(source) {
            return (Class::Legitimate, 0.95);
        }
        if self.impersonated(source) {
            reasons.push(Reason::T1);
            return (Class::Unknown, 0.5);
        }
        if self.tool(source).is_some() {
            return (Class::Bot, 0.97);
        }
        match self.together.get(&source.form) {
            Some(others) if *others >= TOGETHER => (Class::Bot, 0.85),
            _ => (Class::Real, 0.95),
        }
    }

    /// The rule that nearly all of its packets follow.
    fn rule(&self, source: &Source) -> Option<&'a crate::rules::Tool> {
        let most = u64::from(source.tool_packets) * 10 >= source.packets.min(u64::from(u32::MAX)) * 8;
        let at = usize::from(source.tool).checked_sub(1)?;
        self.observer.rules.tools.get(at).filter(|_| most || source.proof.has(Proofs::HANDSHAKE))
    }

    fn tool(&self, source: &Source) -> Option<String> {
        self.rule(source).map(|tool| tool.id.clone())
    }

    fn protocol(&self, source: &Source) -> Option<String> {
        match source.reflects {
            SYNACK => Some("tcp-synack".into()),
            MIDDLEBOX => Some("tcp-middlebox".into()),
            at => {
                let at = usize::from(at).checked_sub(1)?;
                self.observer.rules.reflectors.get(at).map(|reflector| reflector.name.clone())
            }
        }
    }
}

/// Whether it sends far more than its conversations explain.
fn floods(source: &Source) -> bool {
    if source.proof.has(Proofs::CULPRIT) {
        return true;
    }
    // Of sampled conversations hardly one is seen to begin; but who holds them sends more beside its SYNs, and who floods with
    // SYNs does not.
    let opened = source.handshakes.saturating_mul(3).saturating_add(3).max(source.other);
    let tries = u64::from(source.syns.min(opened));
    let beyond = source.packets.saturating_sub(tries);
    beyond >= FLOOD_MIN && beyond * 2 > source.packets
}

const fn claim(address: IpAddr, source: &Source) -> Claim {
    Claim { address, form: source.form, ttl: source.ttl, packets: source.packets }
}

const fn hops(ttl: u8) -> u8 {
    origin(ttl).saturating_sub(ttl)
}

fn logit(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

/// A forger's SYN-ACKs are all alike; those of servers have the forms and the ways of as many machines.
fn synacks_tell(sources: &[Entry]) -> bool {
    let mut kinds: BTreeMap<(u8, u8), u64> = BTreeMap::new();
    let mut n = 0;
    for (_, source) in sources.iter().filter(|(_, source)| source.reflects == SYNACK) {
        *kinds.entry((source.form, source.ttl)).or_default() += 1;
        n += 1;
    }
    n < ANSWERERS_MIN || ANSWERERS.contains(&effective(&kinds))
}
