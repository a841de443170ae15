//! Whether a measure does what it was announced for: announced is not effective.
//!
//! A router that took a rule may not have installed it; one that filters may still export what it drops. So it matters
//! where somebody looked ([`Place`]): behind the measure traffic has to be gone; at the router that acts its flows have to
//! say that they were dropped (an output interface or next hop of 0, `forwardingStatus`, discard samples); before the measure
//! nothing has to change, and what changes there is the attacker's doing. Where nobody looked who could tell, the answer is
//! [`Verdict::NotMeasurable`], with the reason.
//!
//! All counts are of packets that the measure shall stop: of the blackholed prefix, of the rule's match. [`Watch`] keeps
//! them; [`judge`] is pure.

mod arrival;
mod judge;
mod watch;
mod witness;

use base::units::PacketRate;
use base::{Span, Timestamp};

pub use arrival::Arrival;
pub use judge::judge;
pub(crate) use judge::wilson;
pub use watch::{Seen, Watch};
pub use witness::Witnesses;

/// Where somebody looked, as packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Nothing that passes here has met the measure: the attack's own size.
    Before,
    /// The router that acts tells of what it received, dropped or not.
    At,
    /// What the measure stops does not come here: the egress side, the next router, the customer's side.
    Behind,
    /// The counters of the port to the customer, which count all traffic.
    Port,
}

impl Place {
    /// As people say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before the measure",
            Self::At => "at the router that acts",
            Self::Behind => "behind the measure",
            Self::Port => "at the customer's port",
        }
    }
}

/// What a flow record or sample says became of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They were forwarded.
    Forwarded,
    /// They were dropped.
    Dropped,
    /// It does not say.
    Unknown,
    /// Each was dropped by policy, and told of by itself (sFlow's dropped packet notifications): it is not known how many of such
    /// are told, so they are at least so many, and compare with nothing that is sampled.
    Notified,
}

impl Fate {
    /// By `forwardingStatus` (IPFIX element 89, RFC 7270 §4.12: the two leading bits are 1 for forwarded, 2 for dropped, 3
    /// for consumed) where it is told; else by output interface and next hop. Where the device names the output of what it
    /// forwards, one of 0 means that there was none; `names_outputs` says whether this one does.
    pub fn told(
        forwarding_status: Option<u8>,
        output_if: Option<u32>,
        next_hop: Option<std::net::IpAddr>,
        names_outputs: bool,
    ) -> Self {
        match forwarding_status.map(|status| status >> 6) {
            Some(1) => return Self::Forwarded,
            Some(2) => return Self::Dropped,
            _ => {}
        }
        match (output_if, next_hop) {
            (Some(output), _) if output != 0 => Self::Forwarded,
            (Some(0), _) if names_outputs => Self::Dropped,
            (None, Some(hop)) if !hop.is_unspecified() => Self::Forwarded,
            (None, Some(_)) if names_outputs => Self::Dropped,
            _ => Self::Unknown,
        }
    }
}

/// A rate and how many packets were really seen for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Estimated.
    pub rate: PacketRate,
    /// Packets as sampled; `u64::MAX` where a device counted every one.
    pub seen: u64,
}

/// What one place showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// In the time before the measure.
    pub before: Counted,
    /// Since it should act; at [`Place::At`] with what was dropped.
    pub after: Counted,
    /// What passes here in peace.
    pub usual: PacketRate,
    /// Of `after`: told as forwarded.
    pub forwarded: Counted,
    /// Of `after`: told as dropped, by flows or samples.
    pub dropped: Counted,
    /// Beside `after`: dropped, and told of one by one; at least so many were.
    pub notified: Counted,
    /// For how long it was looked at before, and since.
    pub spans: (Span, Span),
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// When it was announced.
    pub announced: Timestamp,
    /// Time that it takes to act and to be seen: propagation, and the export delay of those who look.
    pub settle: Span,
    /// When nothing can be said so long after `settle`, nothing is expected to be said.
    pub patience: Span,
    /// Share of the packets that it should stop, 0 to 1.
    pub expected: f64,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Too early, or too little was seen yet.
    Pending,
    /// As expected.
    Effective,
    /// It stops some.
    Partly,
    /// It stops nothing to speak of.
    Ineffective,
    /// Nobody who looked can tell.
    NotMeasurable,
}

impl Verdict {
    /// As people say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "not judged yet",
            Self::Effective => "effective",
            Self::Partly => "partly effective",
            Self::Ineffective => "not effective",
            Self::NotMeasurable => "effect not measurable",
        }
    }
}

/// A verdict and its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What it does.
    pub verdict: Verdict,
    /// Share of the packets that it stops: between these with 95 % confidence.
    pub stopped: Option<(f64, f64)>,
    /// Why we say so.
    pub reason: String,
}
