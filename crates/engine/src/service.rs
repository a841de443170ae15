//! Whether services live, by whom they serve: conversations of own hosts with foreign ones, remembered for a while.
//!
//! Counted are peers, not packets: one long download says no more than one answer. Whom a host served in peace is *known*; a
//! flood's sources are not, and however many of them are answered, or are no more, says nothing of the service. Peers of IPv6
//! are their /64. The end with the lower port serves; packets of other protocols than TCP and UDP say nothing.
//!
//! Off until [`Engine::follow_services`]: then each tick's examples are written down, within a cap.

mod count;

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;

use base::prefix::wide;
use base::{Prefix, Span, Timestamp};
use detect::class::Class;
use detect::sample::Sample;
use wire::packet::{TCP, UDP};

use crate::core::Engine;
use crate::frozen::Frozen;
use crate::tick::{Tick, hosts};

pub use count::Served;

/// Talks remembered; the oldest ticks go first.
const TALKS_MAX: usize = 1 << 17;
/// The longest that is remembered: a known peer is one of the last minutes.
const MEMORY: Span = Span::from_secs(300);
/// Peers known of one question; further ones are unknown, counted in [`Known::left_out`].
const KNOWN_MAX: usize = 1 << 13;
/// Lower half of an IPv6 address: hosts of a /64 are one peer.
const INTERFACE: u128 = (1 << 64) - 1;
/// The upper 96 bits of an IPv4 address as [`base::prefix::wide`].
const IPV4: u128 = 0xffff;

/// What one example says of a conversation.
#[derive(Clone, Copy, Debug)]
struct Talk {
    host: u128,
    peer: u128,
    kind: Kind,
    /// Packets it stands for.
    packets: u64,
    /// The host got it.
    received: bool,
    /// No attack on the host was known.
    peace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A client asks to connect.
    Syn,
    /// It is accepted.
    SynAck,
    /// A connection goes on, from the server's side.
    Connected,
    /// A datagram of a client.
    Request,
    /// A datagram of a server.
    Answer,
    /// Anything else that a host gets.
    Other,
}

impl Kind {
    /// Whether the peer is served: a server whose program is dead still accepts.
    const fn serves(self) -> bool {
        matches!(self, Self::Connected | Self::Answer)
    }
}

/// One tick's talks.
#[derive(Debug)]
struct Page {
    until: Timestamp,
    talks: Vec<Talk>,
    /// Examples of what own hosts send, and the records that they stand for, times 256.
    sent: (u64, u64),
}

/// The conversations of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Services {
    pages: VecDeque<Page>,
    talks: usize,
    /// Talks that were forgotten before their time.
    pub(crate) evicted: u64,
}

/// Whose service is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    hosts: Vec<RangeInclusive<u128>>,
    except: Vec<RangeInclusive<u128>>,
}

impl Question {
    /// The hosts of these prefixes, but for some.
    pub fn about(targets: &[Prefix], except: &[Prefix]) -> Self {
        let of = |prefixes: &[Prefix]| prefixes.iter().map(hosts).collect();
        Self { hosts: of(targets), except: of(except) }
    }

    fn is_about(&self, host: u128) -> bool {
        let within = |ranges: &[RangeInclusive<u128>]| ranges.iter().any(|range| range.contains(&host));
        within(&self.hosts) && !within(&self.except)
    }
}

/// Whom hosts served in peace.
#[derive(Clone, Debug, Default)]
pub struct Known {
    peers: BTreeSet<(u128, u128)>,
    /// For so long they stay: so much of the time is remembered twice.
    pub lasts: Span,
    /// Of those served last, the share that were served long before, 0 to 1; who comes and goes is no witness.
    pub regular: f64,
    /// Peers that found no room.
    pub left_out: u64,
}

impl Known {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

impl Services {
    pub(crate) fn note(&mut self, tick: &Tick, frozen: &Frozen, exact: bool) {
        let (mut talks, mut sent) = (Vec::new(), (0, 0));
        for (sample, times) in tick.weighed(exact) {
            if sample.outgoing {
                sent = (sent.0 + 1, sent.1 + times);
            }
            talks.extend(talk(sample, times, frozen));
        }
        self.talks += talks.len();
        self.pages.push_back(Page { until: tick.until, talks, sent });
        while let Some(page) = self.pages.front() {
            let old = tick.until.since(page.until) > MEMORY;
            if !old && self.talks <= TALKS_MAX {
                break;
            }
            let gone = page.talks.len();
            self.talks -= gone;
            if !old {
                self.evicted += u64::try_from(gone).unwrap_or(u64::MAX);
            }
            self.pages.pop_front();
        }
    }

    fn pages(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Page> {
        let begin = self.pages.partition_point(|page| page.until <= from);
        self.pages.range(begin..).take_while(move |page| page.until <= to)
    }

    /// Whom they served in peace between two times.
    fn peers(&self, asked: &Question, from: Timestamp, to: Timestamp) -> BTreeSet<(u128, u128)> {
        let talks = self.pages(from, to).flat_map(|page| &page.talks);
        let served = talks.filter(|talk| talk.peace && talk.kind.serves() && asked.is_about(talk.host));
        served.map(|talk| (talk.host, talk.peer)).collect()
    }

    fn known(&self, asked: &Question, until: Timestamp, window: Span) -> Known {
        let begun = self.pages.front().map_or(until, |page| page.until);
        let recent = until.minus(window);
        // Who was served in the older half and again at the end is there to stay for as long as that.
        let middle = recent.minus(Span::from_nanos(recent.since(begun).nanos() / 2));
        let last = self.peers(asked, recent, until);
        let old = self.peers(asked, Timestamp::ZERO, middle);
        let mut peers = self.peers(asked, Timestamp::ZERO, recent);
        let left_out = peers.len().saturating_sub(KNOWN_MAX);
        if let Some(beyond) = peers.iter().nth(KNOWN_MAX).copied() {
            peers.split_off(&beyond);
        }
        let again = last.intersection(&old).count();
        #[expect(clippy::cast_precision_loss, reason = "counts of peers")]
        let regular = if last.is_empty() { 0.0 } else { again as f64 / last.len() as f64 };
        let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        Known { peers, lasts: recent.since(middle), regular, left_out }
    }
}

impl Engine {
    /// From now on conversations are remembered, so that one can ask how services do.
    pub fn follow_services(&mut self) {
        self.services.get_or_insert_default();
    }

    /// Whom these hosts served before a time, those left aside who came in the last `window` before it.
    pub fn known_peers(&self, asked: &Question, until: Timestamp, window: Span) -> Known {
        let services = self.services.as_ref();
        services.map(|services| services.known(asked, until, window)).unwrap_or_default()
    }

    /// What was seen of these hosts' services between two times; `None` where that is not remembered.
    pub fn served(&self, asked: &Question, known: &Known, from: Timestamp, to: Timestamp) -> Option<Served> {
        let services = self.services.as_ref()?;
        let begun = services.pages.front()?.until.minus(self.settings.tick);
        (begun <= from && from < to).then(|| count::count(services, asked, known, (from, to)))
    }
}

/// What an example says; nothing where neither end is an own host's service or question.
fn talk(sample: &Sample, times: u64, frozen: &Frozen) -> Option<Talk> {
    let h = &sample.headers;
    let packets = sample.packets.saturating_mul(times) / 256;
    let (src, dst) = (wide(h.src), wide(h.dst));
    let (host, peer) = if sample.outgoing { (src, dst) } else { (dst, src) };
    let peer = if peer >> 32 == IPV4 { peer } else { peer & !INTERFACE };
    let kind = h.ports.map_or(Kind::Other, |(from, to)| {
        // Between equal ports the own host serves.
        let by_server = from < to || from == to && sample.outgoing;
        match (h.protocol, sample.class, by_server) {
            (TCP, Class::TCP_SYN, false) => Kind::Syn,
            (TCP, Class::TCP_SYNACK, true) => Kind::SynAck,
            (TCP, Class::TCP_DATA | Class::TCP_ACK, true) => Kind::Connected,
            (UDP, _, true) => Kind::Answer,
            (UDP, _, false) => Kind::Request,
            _ => Kind::Other,
        }
    });
    let received = !sample.outgoing;
    let said = || Talk { host, peer, kind, packets, received, peace: !frozen.touches(host) };
    (received || kind != Kind::Other).then(said)
}
