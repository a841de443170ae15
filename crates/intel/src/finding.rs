//! What is said of one source, and which of it may be told to others.
//!
//! An address in a packet is a claim. Documents that leave the house take a [`Verified`], which only
//! [`Finding::verified`] makes, so a forged address, an honest client or one nobody knows cannot stand in a report.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Prefix, Timestamp};
use serde::{Deserialize, Serialize};

use crate::enrich::Position;

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody else wrote this address into packets.
    Spoofed,
    /// It sent what it sent under its own address; whether willingly is not known.
    Real,
    /// It answered somebody who forged our address.
    Reflector,
    /// It sends what a known tool or botnet sends, under its own address.
    Bot,
    /// An honest client.
    Legitimate,
    /// Not to be told.
    Unknown,
}

/// Why; the codes are those of SPECIFICATION.md, "Who attacks".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// A handshake, a cookie or a challenge came back from it.
    H1,
    /// QUIC validated its address, or it sent a TLS hello after a handshake.
    H2,
    /// Its side of a connection is whole and the other was not seen, or the target spoke first: no proof, but honest.
    H3,
    /// A valid answer in a protocol that reflects.
    P1,
    /// An ICMP error, its own or another's, quotes what somebody sent it in the target's name.
    Q1,
    /// Special-purpose space (RFC 6890), while such sources can be told from anonymised ones.
    B1,
    /// No route covers it.
    B2,
    /// It came in where its network does not.
    B3,
    /// Its hop count is not the one its network has in peace.
    T1,
    /// Thousands of unrelated networks with one TTL.
    T2,
    /// The set of sources as a whole looks drawn at random.
    D1,
    /// It came again and again at a steady rate.
    D2,
    /// Its packets have the shape of a known tool or botnet.
    F1,
    /// It was an honest client before.
    R1,
    /// A list of others says so ([`Finding::lists`] names it), and nothing speaks against it.
    X1,
    /// A list says that many people share this address.
    C1,
}

impl Class {
    /// All of them, those that did send first.
    pub const ALL: [Self; 6] =
        [Self::Bot, Self::Reflector, Self::Real, Self::Legitimate, Self::Spoofed, Self::Unknown];

    /// What it means for the one who reads it, in a clause.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Spoofed => "forged: whoever has this address sent nothing",
            Self::Real => "a real sender; whether willingly is not known",
            Self::Reflector => "a misused server: it did send, and was made to",
            Self::Bot => "a machine that took part, most likely infected",
            Self::Legitimate => "an honest client",
            Self::Unknown => "not known",
        }
    }
}

impl Reason {
    /// All of them, in the order of their codes' letters as SPECIFICATION.md has them.
    pub const ALL: [Self; 16] = [
        Self::H1,
        Self::H2,
        Self::H3,
        Self::P1,
        Self::Q1,
        Self::B1,
        Self::B2,
        Self::B3,
        Self::T1,
        Self::T2,
        Self::D1,
        Self::D2,
        Self::F1,
        Self::R1,
        Self::X1,
        Self::C1,
    ];

    /// What was seen, in a clause about the source.
    pub const fn says(self) -> &'static str {
        match self {
            Self::H1 => {
                "it acknowledged what only the target's answer told, or brought the kernel's SYN cookie back"
            }
            Self::H2 => {
                "it used the QUIC connection id that only the target's answer told, or greeted in TLS after a handshake"
            }
            Self::H3 => "half a conversation was seen: whole on its side, or begun by the target",
            Self::P1 => "it answered, unasked, in a protocol that reflects",
            Self::Q1 => "an ICMP error quotes what somebody sent it in the target's name",
            Self::B1 => "nobody has this address: it is in special-purpose space",
            Self::B2 => "no route leads to it, and all routes are known",
            Self::B3 => "it came in by a neighbour behind whom its network is not",
            Self::T1 => "its network is elsewhere, by the number of hops",
            Self::T2 => "many unrelated networks arrive in one and the same way",
            Self::D1 => "the addresses of its group look drawn at random",
            Self::D2 => "it came again and again at a steady rate",
            Self::F1 => "its packets have the shape of a known tool or botnet",
            Self::R1 => "it was here in peace",
            Self::X1 => "a list of others names it, and nothing speaks against that",
            Self::C1 => "a list says that many people share this address",
        }
    }

    /// What it speaks for.
    pub const fn speaks_for(self) -> &'static str {
        match self {
            Self::H1 => {
                "it is really there: an honest client is `legitimate` with it, one that floods `real` or `bot`"
            }
            Self::H2 => "likewise; one that floods in QUIC alone is `unknown`",
            Self::H3 => "`legitimate`; it is never a proof",
            Self::P1 => "`reflector`",
            Self::Q1 => {
                "beside others, `reflector` or `unknown`; never a proof, for anybody can make such an error up"
            }
            Self::B1 | Self::B2 => "`spoofed`",
            Self::B3 => "`spoofed`; who answers (P1) is `unknown` with it",
            Self::T1 => "`spoofed`; nobody is reported against it",
            Self::T2 | Self::D1 => "`spoofed`, for a group",
            Self::D2 | Self::F1 => "`bot`, both together, for the shapes of botnets and scanners",
            Self::R1 => "an honest client: nobody with it is reported without H1",
            Self::X1 => "`bot`, or `reflector` in a reflection",
            Self::C1 => "nothing; reports of it are less sure, say so, and need a source port",
        }
    }
}

/// What is said of one source of one attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// As claimed by the packets.
    pub address: IpAddr,
    /// What it is.
    pub class: Class,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// Why, sorted, without doubles.
    pub reasons: Vec<Reason>,
    /// Packets of the attack, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets of the attack, estimated where sampled.
    pub bytes: u64,
    /// Its first packet of the attack.
    pub first: Timestamp,
    /// Its last packet of the attack.
    pub last: Timestamp,
    /// Vectors it takes part in, by index in [`crate::Incident::vectors`].
    pub vectors: Vec<usize>,
    /// Where its first packet came from and went to; `None` where packets have no ports.
    pub ports: Option<(u16, u16)>,
    /// IP protocol number of its first packet.
    pub ip_protocol: u8,
    /// The reflecting protocol it answered in: NAME of the vector `udp-amplification-NAME`, or `tcp-synack`, `tcp-middlebox`.
    pub reflects: Option<String>,
    /// Id of the rule whose tool or botnet its packets look like (see F1).
    pub tool: Option<String>,
    /// Names of the lists of others on which it stands, sorted; none of a forged address.
    pub lists: Vec<Arc<str>>,
    /// Network that announces it, where a file or a session told.
    pub asn: Option<u32>,
    /// The announced prefix that covers it, likewise.
    pub prefix: Option<Prefix>,
    /// ISO 3166 two-letter country, where a file told.
    pub country: Option<String>,
    /// City, where a file told.
    pub city: Option<String>,
    /// Where that is, where a file told.
    pub position: Option<Position>,
    /// A few packets as they came, headers and at most the cut payload; at most [`SAMPLES_MAX`].
    pub samples: Vec<Sample>,
}

/// Packets kept of one source.
pub const SAMPLES_MAX: usize = 20;

/// A packet as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// Octets from the IP header on, as far as they may be kept.
    pub octets: Vec<u8>,
    /// Octets that the packet had, from the IP header on.
    pub length: u32,
}

/// A source that did send, by proof: the only kind of source that leaves the house.
///
/// Nobody makes one of an address that packets merely claim:
/// ```compile_fail
/// use intel::finding::{Finding, Reflector, Verified};
/// fn claimed(finding: &Finding) -> Verified<'_> {
///     Verified::Reflector(Reflector(finding))
/// }
/// ```
/// ```compile_fail
/// fn of(address: std::net::IpAddr) -> intel::Verified<'static> {
///     address.into()
/// }
/// ```
/// and what writes reports takes nothing else:
/// ```compile_fail
/// fn report(shared: &intel::export::Shared<'_>, finding: &intel::Finding) {
///     intel::export::xarf::reflector(shared, finding);
/// }
/// ```
/// ```compile_fail
/// fn bot_as_reflector(shared: &intel::export::Shared<'_>, bot: intel::finding::Bot<'_>) {
///     intel::export::xarf::reflector(shared, bot);
/// }
/// ```
/// while this is how it goes:
/// ```
/// fn report(shared: &intel::export::Shared<'_>, finding: &intel::Finding) {
///     if let Some(intel::Verified::Reflector(source)) = finding.verified() {
///         intel::export::xarf::reflector(shared, source);
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Verified<'a> {
    /// A host whose service was used; its owner can close it.
    Reflector(Reflector<'a>),
    /// An infected host.
    Bot(Bot<'a>),
    /// A host that floods.
    Real(Real<'a>),
}

/// See [`Verified::Reflector`].
#[derive(Clone, Copy, Debug)]
pub struct Reflector<'a>(&'a Finding);

/// See [`Verified::Bot`].
#[derive(Clone, Copy, Debug)]
pub struct Bot<'a>(&'a Finding);

/// See [`Verified::Real`].
#[derive(Clone, Copy, Debug)]
pub struct Real<'a>(&'a Finding);

impl Finding {
    /// Of whom nothing else is known.
    pub const fn of(address: IpAddr, class: Class) -> Self {
        Self {
            address,
            class,
            confidence: 0.0,
            reasons: Vec::new(),
            packets: 0,
            bytes: 0,
            first: Timestamp::ZERO,
            last: Timestamp::ZERO,
            vectors: Vec::new(),
            ports: None,
            ip_protocol: 0,
            reflects: None,
            tool: None,
            lists: Vec::new(),
            asn: None,
            prefix: None,
            country: None,
            city: None,
            position: None,
            samples: Vec::new(),
        }
    }

    /// The source, if it may be told of.
    ///
    /// The class alone does not do: a reflector has its P1; a bot and a real host a proof, or a shape that came again
    /// and again with nothing against it. A list of others does for each of them, where nothing speaks against it. Who was an
    /// honest client before is told of only with a handshake in the attack itself.
    pub fn verified(&self) -> Option<Verified<'_>> {
        use Reason::{B1, B2, B3, D2, F1, H1, H2, P1, R1, T1, X1};
        let has = |reason| self.reasons.contains(&reason);
        let against = has(B1) || has(B2) || has(B3) || has(T1);
        let listed = has(X1) && !against;
        let proven = has(H1) || has(H2) || has(P1) || listed;
        let likely = has(F1) && has(D2) && !against;
        if has(R1) && !has(H1) {
            return None;
        }
        match self.class {
            Class::Reflector if has(P1) || listed => Some(Verified::Reflector(Reflector(self))),
            Class::Bot if proven || likely => Some(Verified::Bot(Bot(self))),
            Class::Real if proven || likely => Some(Verified::Real(Real(self))),
            _ => None,
        }
    }
}

impl<'a> Verified<'a> {
    /// What is said of it.
    pub const fn finding(&self) -> &'a Finding {
        match self {
            Self::Reflector(Reflector(finding)) | Self::Bot(Bot(finding)) | Self::Real(Real(finding)) => {
                finding
            }
        }
    }
}

impl<'a> Reflector<'a> {
    /// What is said of it.
    pub const fn finding(&self) -> &'a Finding {
        self.0
    }
}

impl<'a> Bot<'a> {
    /// What is said of it.
    pub const fn finding(&self) -> &'a Finding {
        self.0
    }
}

impl<'a> Real<'a> {
    /// What is said of it.
    pub const fn finding(&self) -> &'a Finding {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(class: Class, reasons: &[Reason]) -> Finding {
        Finding { reasons: reasons.to_vec(), ..Finding::of(IpAddr::from([192, 0, 2, 1]), class) }
    }

    #[test]
    fn who_is_forged_honest_or_unknown_is_never_told_of() {
        let every = [Reason::H1, Reason::P1, Reason::X1];
        for class in [Class::Spoofed, Class::Legitimate, Class::Unknown] {
            assert!(finding(class, &every).verified().is_none(), "{class:?}");
        }
    }

    #[test]
    fn a_class_without_its_proof_is_not_told_of() {
        for class in [Class::Reflector, Class::Bot, Class::Real] {
            assert!(finding(class, &[Reason::F1]).verified().is_none(), "{class:?}");
            assert!(finding(class, &[Reason::X1, Reason::R1]).verified().is_none(), "{class:?}");
        }
        let shaped = [Reason::D2, Reason::F1];
        assert!(matches!(finding(Class::Bot, &shaped).verified(), Some(Verified::Bot(_))));
        assert!(finding(Class::Bot, &[Reason::D2, Reason::F1, Reason::T1]).verified().is_none());
        assert!(matches!(finding(Class::Reflector, &[Reason::P1]).verified(), Some(Verified::Reflector(_))));
        for class in [Class::Reflector, Class::Bot] {
            assert!(finding(class, &[Reason::X1]).verified().is_some(), "{class:?}");
            for against in [Reason::B1, Reason::B2, Reason::B3, Reason::T1] {
                assert!(finding(class, &[against, Reason::X1]).verified().is_none(), "{class:?} {against:?}");
            }
        }
    }
}
