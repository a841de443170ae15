//! The attack vectors: what of a class is suspect, and what speaks for an attack.
//!
//! One file a family, one line in [`FAMILIES`]. A family says three things: how many of a tick's packets are suspect (the
//! sequential test's input), which terms beyond volume count, and how the vector is called. What packets alone cannot tell,
//! because each of them is honest, is judged by what clients do ([`conduct`]).

use alloc::format;
use alloc::string::{String, ToString};

use crate::class::Class;
use crate::evidence::{Evidence, Terms};

pub mod conduct;
pub mod opinion;
pub mod scan;

mod amplification;
mod connection_flood;
mod dns_query;
mod fragment;
mod http;
mod icmp;
mod odd_flags;
mod other;
mod quic;
mod slow;
mod syn;
mod tcp_flood;
mod tcp_reflection;
mod tls_handshake;
mod udp;

/// Packets of one class and target in one tick, and what the same host did meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// The class.
    pub class: Class,
    /// Packets of the class received.
    pub received: f64,
    /// Of these, from senders to whom the receiver had not spoken; exact feeds only.
    pub unsolicited: f64,
    /// Packets of the class sent by the target.
    pub sent: f64,
    /// TCP packets received in established connections.
    pub established: f64,
    /// Any TCP packets sent, but resets and SYN-ACKs.
    pub tcp_sent: f64,
    /// SYNs sent.
    pub syns_sent: f64,
    /// All packets sent.
    pub all_sent: f64,
    /// Whether every packet is seen.
    pub exact: bool,
}

/// Every fixed name that a vector may have, but for `udp-amplification-NAME` with NAME as [`Class::reflector`] has it, or `other`.
pub const NAMES: [&str; 19] = [
    "tcp-syn-flood",
    "tcp-ack-flood",
    "tcp-rst-fin-flood",
    "tcp-odd-flags-flood",
    "tcp-synack-reflection",
    "tcp-middlebox-reflection",
    "tcp-connection-flood",
    "tcp-slow",
    "tls-handshake-flood",
    "http-flood",
    "udp-flood",
    "udp-fragment-flood",
    "ip-fragment-flood",
    "icmp-flood",
    "gre-flood",
    "other-protocol-flood",
    "quic-flood",
    "dns-query-flood",
    "scan",
];

/// A family of vectors.
#[derive(Debug)]
pub struct Family {
    /// Whether it judges this class.
    pub takes: fn(Class) -> bool,
    /// How many of a tick's packets are suspect; negative where answers outweigh.
    pub suspect: fn(&Counts) -> f64,
    /// Packets that one of the other direction excuses: makes the noise of a sampled difference larger than that of a count.
    pub excuses: f64,
    /// Whether steady one-sided traffic of this kind is ordinary, so that nothing is said before it is learned.
    pub needs_learning: bool,
    /// Terms beyond the common ones.
    pub judge: fn(&Evidence, &mut Terms),
    /// The vector's fixed name.
    pub name: fn(&Evidence) -> String,
    /// Lowest rate for this family, times the profile's floor.
    pub floor_factor: f64,
}

/// Every family. Each class is taken by exactly one.
pub static FAMILIES: [&Family; 11] = [
    &syn::FAMILY,
    &tcp_reflection::FAMILY,
    &tcp_flood::FAMILY,
    &odd_flags::FAMILY,
    &amplification::FAMILY,
    &quic::FAMILY,
    &dns_query::FAMILY,
    &udp::FAMILY,
    &fragment::FAMILY,
    &icmp::FAMILY,
    &other::FAMILY,
];

/// The family that judges `class`: what [`Family::takes`] says, as a table, because every cell of every tick asks.
pub fn family(class: Class) -> &'static Family {
    match class {
        Class::TCP_SYN => &syn::FAMILY,
        Class::TCP_SYNACK => &tcp_reflection::FAMILY,
        Class::TCP_ACK | Class::TCP_DATA | Class::TCP_RST_FIN => &tcp_flood::FAMILY,
        Class::TCP_ODD => &odd_flags::FAMILY,
        Class::QUIC => &quic::FAMILY,
        Class::DNS_QUERY => &dns_query::FAMILY,
        Class::UDP_OTHER => &udp::FAMILY,
        Class::UDP_FRAGMENT | Class::IP_FRAGMENT => &fragment::FAMILY,
        Class::ICMP_ECHO | Class::ICMP_ERROR | Class::ICMP_OTHER => &icmp::FAMILY,
        Class::GRE | Class::OTHER => &other::FAMILY,
        _ => &amplification::FAMILY,
    }
}

/// Packets without an answer that are no chance: a dialogue with three for one would bring as many once in twenty cases.
const ANSWER_SAMPLES: f64 = 10.0;
/// What a fixed limit weighs.
const LIMIT: f64 = 12.0;

/// Judges one stream: the terms, common ones first.
pub fn judge(evidence: &Evidence) -> Terms {
    let mut terms = Terms::default();
    if let Some(limit) = &evidence.limit {
        // The operator's word: it decides alone.
        terms.say(LIMIT, limit.clone());
        return terms;
    }
    common(evidence, &mut terms);
    (family(evidence.class).judge)(evidence, &mut terms);
    opinion::judge(evidence, &mut terms);
    terms
}

/// Volume, one-way share, spread of sources, sameness.
fn common(e: &Evidence, terms: &mut Terms) {
    let over = e.rate / e.floor.max(e.normal).max(1.0);
    let volume = 4.0 + libm::log(over.max(1.0)).min(8.0);
    terms.say(
        volume,
        format!(
            "{} of {}, {over:.1} times what is normal or harmless here ({}); sequential test of {} at {:.1} of its threshold",
            e.class.name(),
            e.measure.rate(e.rate),
            e.measure.rate(e.floor.max(e.normal)),
            e.measure.name(),
            e.test
        ),
    );
    let sources = e.sources.max(e.shape.sources);
    if sources > 1 {
        #[expect(clippy::cast_precision_loss, reason = "a logarithm of a count")]
        let weight = libm::log(sources as f64).min(4.0) * (1.0 - 0.8 * e.source_top.clamp(0.0, 1.0));
        terms.say(
            weight,
            format!("{sources} sources, the busiest with {:.0} % of the packets", e.source_top * 100.0),
        );
    }
    if e.shape.samples >= 10 && e.shape.length_top >= 0.7 {
        terms.say(2.0, format!("{:.0} % of the packets have one length", e.shape.length_top * 100.0));
    }
}

/// For classes in which honest traffic is a dialogue.
fn one_way(e: &Evidence, terms: &mut Terms) {
    if e.exact {
        let share = e.unsolicited / e.received.max(1.0);
        if share >= 0.8 {
            terms.say(
                3.0,
                format!("{:.0} % come from senders whom the target never addressed", share * 100.0),
            );
        } else if share < 0.3 {
            terms.say(
                -3.0,
                format!("only {:.0} % come from senders whom the target never addressed", share * 100.0),
            );
        }
    } else if e.sent * 20.0 < e.received && e.excused < 0.5 {
        // Few packets without an answer may be chance.
        let seen = e.simmered.0.max(e.shape.samples);
        #[expect(clippy::cast_precision_loss, reason = "a count of examples")]
        let sure = (seen as f64 / ANSWER_SAMPLES).min(1.0);
        terms.say(
            3.0 * sure,
            format!(
                "hardly anything goes back ({:.0} to {:.0} packets, {seen} looked at)",
                e.sent, e.received
            ),
        );
    }
    few_senders(e, terms);
    if !e.exact && e.usual > 0.0 && e.rate < 4.0 * e.usual {
        terms.say(-5.0, format!("the target is used to {} of this class", e.measure.rate(e.usual)));
    }
    single_conversation(e, terms);
}

/// A stream that rose over seconds, packet by packet, and comes from a few: rather their dialogue, of which the sampler missed
/// the other half, than a flood.
fn few_senders(e: &Evidence, terms: &mut Terms) {
    let (seen, senders) = e.simmered;
    if seen >= 6 && senders * 3 <= seen {
        terms.say(-4.0, format!("the last {seen} packets come from {senders} senders only"));
    }
}

/// A moment after the first packet nobody can tell whether the rest will follow; a flood of this size need not be waited for.
fn patience(e: &Evidence, terms: &mut Terms) {
    if e.young && e.rate < 200.0 * e.floor {
        terms.say(-8.0, "answers to these packets may still be on their way".to_string());
    }
}

/// Many who ask, each a little, and nearly all of them are answered: a crowd.
fn crowd(e: &Evidence, answers: f64, asked: f64, terms: &mut Terms) {
    let sources = e.sources.max(e.shape.sources);
    if e.exact && sources >= 50 && e.source_top < 0.2 && answers >= 0.75 * asked {
        let share = (answers / asked.max(1.0)).min(1.0) * 100.0;
        terms.say(-6.0, format!("{share:.0} % of the questions of {sources} hosts are answered"));
    }
}

/// One sender with one pair of ports is rather a stream than a flood.
fn single_conversation(e: &Evidence, terms: &mut Terms) {
    if e.shape.samples >= 10 && e.shape.conversation_top >= 0.9 {
        terms.say(-4.0, format!("{:.0} % belong to one conversation", e.shape.conversation_top * 100.0));
    }
}

/// Suspect packets where a dialogue is normal: the unasked ones, or what exceeds `ratio` times what was sent.
fn beyond_dialogue(c: &Counts, ratio: f64) -> f64 {
    if c.exact { c.unsolicited } else { c.received - ratio * c.sent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::COUNT;

    #[test]
    fn each_class_has_exactly_one_family() {
        for index in 0..COUNT {
            let class = Class(u8::try_from(index).unwrap());
            let takers = FAMILIES.iter().filter(|family| (family.takes)(class)).count();
            assert_eq!(takers, 1, "{}", class.name());
            assert!((family(class).takes)(class), "{}", class.name());
        }
    }

    #[test]
    fn every_name_that_a_family_or_a_behaviour_gives_is_listed() {
        let files = [
            include_str!("syn.rs"),
            include_str!("tcp_reflection.rs"),
            include_str!("tcp_flood.rs"),
            include_str!("odd_flags.rs"),
            include_str!("quic.rs"),
            include_str!("dns_query.rs"),
            include_str!("udp.rs"),
            include_str!("fragment.rs"),
            include_str!("icmp.rs"),
            include_str!("other.rs"),
        ];
        let texts = files.iter().flat_map(|file| file.split('"').skip(1).step_by(2));
        let names = texts
            .filter(|text| !text.contains(' ') && text.ends_with("-flood") || text.ends_with("-reflection"));
        let mut given: alloc::collections::BTreeSet<&str> = names.collect();
        given.extend(conduct::BEHAVIOURS.iter().map(|behaviour| behaviour.name));
        given.insert(scan::NAME);
        assert_eq!(given, NAMES.into_iter().collect());
    }
}
