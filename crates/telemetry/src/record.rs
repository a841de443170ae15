//! The one shape in which traffic reaches detection, whatever told us of it.

use base::Timestamp;
use wire::Headers;

/// Leading payload octets kept of a packet: enough for protocol proofs (DNS flags, NTP mode, HTTP method and path).
pub const SNIP_MAX: usize = 32;
const LEN_MAX: u8 = 32;

/// The first octets behind the TCP or UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snip {
    bytes: [u8; SNIP_MAX],
    len: u8,
}

impl Snip {
    /// Nothing.
    pub const EMPTY: Self = Self { bytes: [0; SNIP_MAX], len: 0 };

    /// The front of `payload`.
    #[inline]
    pub fn of(payload: &[u8]) -> Self {
        let mut snip = Self::EMPTY;
        snip.take(payload);
        snip
    }

    /// The front of `payload` instead of what was there.
    #[inline]
    pub(crate) fn take(&mut self, payload: &[u8]) {
        // The usual lengths, all and nothing, need no copy of a length that has to be looked up.
        if let Some(front) = payload.first_chunk::<SNIP_MAX>() {
            (self.bytes, self.len) = (*front, LEN_MAX);
            return;
        }
        *self = Self::EMPTY;
        let n = payload.len();
        if n > 0
            && let Some(to) = self.bytes.get_mut(..n)
        {
            to.copy_from_slice(payload);
            self.len = u8::try_from(n).unwrap_or(0);
        }
    }

    /// The octets.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// Where a sampling rate comes from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateSource {
    /// sFlow flow sample.
    Sample,
    /// NetFlow v5 header.
    Header,
    /// A field of the data record itself.
    Record,
    /// Options of the sampler or selector that the record names.
    Sampler,
    /// Options of the same observation domain.
    Domain,
    /// Options of another domain of the same exporter, where only one rate is known.
    Exporter,
    /// The operator's configuration.
    Config,
    /// Nobody said: the rate is unknown and volume must not be trusted.
    None,
}

impl RateSource {
    /// As `decode` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Header => "header",
            Self::Record => "record",
            Self::Sampler => "sampler",
            Self::Domain => "domain",
            Self::Exporter => "exporter",
            Self::Config => "config",
            Self::None => "none",
        }
    }
}

/// N of 1:N, with its provenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// N; `None` when unknown.
    pub rate: Option<u32>,
    /// Who said so.
    pub source: RateSource,
}

impl Sampling {
    /// Every packet was seen: a capture or an unsampled mirror.
    pub const EVERY: Self = Self { rate: Some(1), source: RateSource::Sample };
    /// Nobody said.
    pub const UNKNOWN: Self = Self { rate: None, source: RateSource::None };
}

/// How much of [`Record::headers`] was really seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A packet's headers: every field is that packet's.
    Packet,
    /// A flow's summary: addresses, protocol, ports, TCP flags (or of all packets) and ICMP type are known;
    /// `length` is the mean; TTL, window, DSCP, fragment and payload are not to be believed.
    Flow,
}

/// At which end of its way through the exporter a packet was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Observed {
    /// Nobody said.
    #[default]
    Unknown,
    /// Where it came in.
    Ingress,
    /// Where it went out.
    Egress,
    /// Where it went out, and this exporter also looks where it came in: the same packet was told already.
    EgressAgain,
}

/// One packet or one flow, normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// When we received it (live), or its capture time.
    pub at: Timestamp,
    /// First packet of the flow; equals `at` for packets.
    pub start: Timestamp,
    /// Last packet of the flow; equals `at` for packets.
    pub end: Timestamp,
    /// Headers.
    pub headers: Headers,
    /// How much of `headers` was seen.
    pub detail: Detail,
    /// First payload octets, where seen.
    pub snip: Snip,
    /// Packets as exported, before scaling.
    pub packets: u64,
    /// Layer-3 octets as exported, before scaling.
    pub bytes: u64,
    /// N of 1:N.
    pub sampling: Sampling,
    /// Which exporter told: an index that the collector hands out, in order of first appearance.
    pub exporter: u32,
    /// Interface it came in by.
    pub input_if: Option<u32>,
    /// Interface it left by.
    pub output_if: Option<u32>,
    /// At which end the exporter looked.
    pub observed: Observed,
    /// The exporter's own counters belie it: its numbers are no ground to act on.
    pub doubtful: bool,
}

impl Record {
    /// What all packets that one exporter tells of at `at` have in common; the rest is to be filled in.
    pub(crate) const fn blank(at: Timestamp, exporter: u32) -> Self {
        Self {
            at,
            start: at,
            end: at,
            headers: Headers::NOTHING,
            detail: Detail::Packet,
            snip: Snip::EMPTY,
            packets: 1,
            bytes: 0,
            sampling: Sampling::UNKNOWN,
            exporter,
            input_if: None,
            output_if: None,
            observed: Observed::Unknown,
            doubtful: false,
        }
    }

    /// One packet that we saw ourselves.
    #[inline]
    pub fn packet(at: Timestamp, parsed: &wire::packet::Parsed<'_>) -> Self {
        Self {
            at,
            start: at,
            end: at,
            headers: parsed.headers,
            detail: Detail::Packet,
            snip: Snip::of(parsed.payload),
            packets: 1,
            bytes: u64::from(parsed.headers.length),
            sampling: Sampling::EVERY,
            exporter: 0,
            input_if: None,
            output_if: None,
            observed: Observed::Unknown,
            doubtful: false,
        }
    }
}
