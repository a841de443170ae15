//! What is asked of the server and what its answers mean.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use wire::dns::{Data, Message, Name, Question, Record, class, kind, opcode, rcode, tsig};

use super::Trouble;

/// Addresses of a name at most; one that has more is not diverted.
const ADDRESSES_MAX: usize = 64;

/// An A or AAAA record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// How long others may remember it, seconds.
    pub ttl: u32,
}

/// What a name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its addresses, in order.
    pub addresses: Vec<Address>,
    /// How long others may remember that there is nothing of a family, seconds (RFC 2308 §5).
    pub negative_ttl: Option<u32>,
}

/// In order, each once.
pub fn sorted(all: impl IntoIterator<Item = Address>) -> Vec<Address> {
    let mut all: Vec<Address> = all.into_iter().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether two lists have the same addresses; TTLs may differ.
pub fn same(one: &[Address], other: &[Address]) -> bool {
    let addresses = |all: &[Address]| all.iter().map(|one| one.address).collect::<Vec<_>>();
    addresses(one) == addresses(other)
}

/// As people read it.
pub fn text(all: &[Address]) -> String {
    if all.is_empty() {
        return "no address".to_owned();
    }
    let one = |Address { address, ttl }: &Address| format!("{address} (TTL {ttl})");
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What is asked to see a name's addresses and the zone's negative TTL. IDs are the sender's to fill in.
pub fn questions(zone: &Name, name: &Name) -> [Message; 3] {
    [(name, kind::A), (name, kind::AAAA), (zone, kind::SOA)].map(|(name, kind)| Message {
        question: vec![Question { name: name.clone(), kind, class: class::IN }],
        ..Message::default()
    })
}

/// What the answers to these questions say.
///
/// # Errors
/// When the name cannot be diverted, or the server does not tell.
pub fn seen(name: &Name, answers: &[Message]) -> Result<Seen, Trouble> {
    let mut addresses = Vec::new();
    let mut negative_ttl = None;
    for answer in answers {
        if !matches!(answer.rcode, rcode::NOERROR | rcode::NXDOMAIN) {
            return Err(Trouble::Rcode(answer.rcode));
        }
        if !answer.authoritative {
            return Err(Trouble::NotAuthoritative);
        }
        for record in answer.answer.iter().filter(|record| record.class == class::IN) {
            match &record.data {
                Data::Address(address) if record.name == *name => {
                    addresses.push(Address { address: *address, ttl: record.ttl });
                }
                Data::Cname(other) if record.name == *name => {
                    return Err(Trouble::Alias(other.to_string()));
                }
                Data::Soa(soa) => negative_ttl = Some(record.ttl.min(soa.minimum)),
                _ => {}
            }
        }
    }
    let addresses = sorted(addresses);
    if addresses.len() > ADDRESSES_MAX {
        return Err(Trouble::Crowded(addresses.len()));
    }
    Ok(Seen { addresses, negative_ttl })
}

/// The update (RFC 2136 §2) that puts `to` in the place of `from`, whole or not at all, and only where `from` is what is there.
pub fn update(zone: &Name, name: &Name, from: &[Address], to: &[Address]) -> Message {
    let record = |class, ttl, data| Record { name: name.clone(), class, ttl, data };
    // §2.4.5: there is no alias; an update of its addresses would be passed over in silence.
    let mut prerequisites = vec![record(class::NONE, 0, Data::Nothing(kind::CNAME))];
    let mut changes = Vec::new();
    for (kind, ipv4) in [(kind::A, true), (kind::AAAA, false)] {
        let of = |all: &[Address]| {
            all.iter().filter(|one| one.address.is_ipv4() == ipv4).copied().collect::<Vec<_>>()
        };
        let (from, to) = (of(from), of(to));
        if from.is_empty() {
            prerequisites.push(record(class::NONE, 0, Data::Nothing(kind)));
        }
        // §2.4.2: these and no others.
        prerequisites.extend(from.iter().map(|one| record(class::IN, 0, Data::Address(one.address))));
        if from != to {
            if !from.is_empty() {
                changes.push(record(class::ANY, 0, Data::Nothing(kind)));
            }
            changes.extend(to.iter().map(|one| record(class::IN, one.ttl, Data::Address(one.address))));
        }
    }
    Message {
        opcode: opcode::UPDATE,
        question: vec![Question { name: zone.clone(), kind: kind::SOA, class: class::IN }],
        answer: prerequisites,
        authority: changes,
        ..Message::default()
    }
}

/// What the answer to an update says.
///
/// # Errors
/// When it was not done.
pub const fn updated(answer: &Message) -> Result<(), Trouble> {
    match answer.rcode {
        rcode::NOERROR => Ok(()),
        rcode::NXRRSET | rcode::YXRRSET | rcode::NXDOMAIN | rcode::YXDOMAIN => Err(Trouble::Changed),
        code => Err(Trouble::Rcode(code)),
    }
}

/// What a signature's error says; `None`: nothing is wrong. `time` is ours, seconds since 1970.
pub fn signature(tsig: &wire::dns::Tsig, time: u64) -> Option<Trouble> {
    match tsig.error {
        0 => None,
        tsig::error::BADKEY => Some(Trouble::BadKey),
        tsig::error::BADSIG | tsig::error::BADTRUNC => Some(Trouble::BadSignature),
        tsig::error::BADTIME => {
            Some(Trouble::BadTime { apart: tsig.server_time().map(|theirs| theirs.abs_diff(time)) })
        }
        other => Some(Trouble::Signature(other)),
    }
}
