//! What clients do with the connections they open: counters by server and client, where every packet is seen.
//!
//! A pair of hosts lives in one lane and so in one shard (see [`crate::pairs`]); the tables and their caps belong to lanes, so
//! what is told does not depend on the number of shards. What is told is sums.

use alloc::vec::Vec;

use base::map::{Map, Seed};
use base::{Span, Timestamp};
use telemetry::Record;
use wire::packet::flags;

use crate::cell::Side;
use crate::log::{Broad, Log, Sum};
use crate::pairs::LANES;

/// Connections followed in a lane. When it is full, those that nobody took up go; a further one is not followed and counted
/// in `connections_dropped`.
const CONNECTIONS_MAX: usize = 4096;
/// From this age on a connection without an answer is held.
pub const HELD_AFTER: Span = Span::from_secs(5);
/// A SYN-ACK is waited for so long to be taken up.
const HALF_OPEN_MAX: Span = Span::from_secs(3);
/// A connection without any packet for so long is forgotten.
const IDLE_MAX: Span = Span::from_secs(300);
/// A client who sent this much is no slow one.
const FEW_OCTETS: u32 = 8192;
/// Payloads further apart than this are a trickle, not one request in parts.
const TRICKLE_GAP: Span = Span::from_secs(1);
/// Behind its hello a client sends more than this where it asks for something: a finished message and a request.
const TLS_CLIENT_MIN: u32 = 200;
/// A server that sends more than this has sent more than its certificates.
const TLS_SERVER_MIN: u32 = 5000;

/// A server and one of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey {
    /// The server, as [`base::prefix::wide`].
    pub host: u128,
    /// [`Side::Received`], or [`Side::ReceivedFromUs`] where a foreign server is asked by an own client.
    pub side: Side,
    /// The client, as [`base::prefix::wide`].
    pub source: u128,
}

/// What a client did in a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// Connections taken up: the client acknowledged the server's SYN-ACK.
    pub opened: u32,
    /// Connections that ended, or grew old, before the client sent anything.
    pub empty: u32,
    /// TLS connections that ended behind the handshake.
    pub barren: u32,
    /// HTTP requests that can be read.
    pub requests: u32,
    /// Connections in which something was asked and answered; once each.
    pub fruitful: u32,
    /// Connections held open without an answer; told once a second.
    pub held: u32,
    /// Of these, those in which the client goes on sending a little.
    pub trickling: u32,
    /// Packets and octets that the clients of held connections have sent in them so far; told once a second.
    pub past: (u64, u64),
    /// When the oldest of the held connections began.
    pub since: Option<Timestamp>,
}

impl Conduct {
    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.empty += other.empty;
        self.barren += other.barren;
        self.requests += other.requests;
        self.fruitful += other.fruitful;
        self.held += other.held;
        self.trickling += other.trickling;
        self.past = (self.past.0 + other.past.0, self.past.1 + other.past.1);
        self.since = match (self.since, other.since) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Both ends, the lower one first.
type Key = ((u128, u16), (u128, u16));

#[derive(Clone, Copy, Debug)]
struct Connection {
    server: u128,
    client: u128,
    side: Side,
    begun: Timestamp,
    last: Timestamp,
    /// When the client last sent payload.
    spoke: Timestamp,
    taken_up: bool,
    /// Octets of the client's hello, where it began with one.
    hello: Option<u32>,
    /// The client's packets and their layer-3 octets.
    sent: (u32, u32),
    client_octets: u32,
    server_octets: u32,
    fruitful: bool,
    trickles: bool,
    told_empty: bool,
}

/// The two hosts of a packet, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) src: u128,
    pub(crate) dst: u128,
    /// Where their connections live.
    pub(crate) lane: usize,
    /// Whether the receiver had never spoken to the sender.
    pub(crate) unsolicited: bool,
}

/// The connections of one worker.
#[derive(Debug)]
pub(crate) struct Connections {
    lanes: Vec<Map<Key, Connection>>,
    told: Log<Broad<ClientKey>, Conduct, ClientKey, Conduct>,
    swept: Timestamp,
    pub(crate) dropped: u64,
}

#[derive(Clone, Copy)]
struct AddConduct;

impl Sum<Broad<ClientKey>, Conduct, ClientKey, Conduct> for AddConduct {
    fn key(self, packed: Broad<ClientKey>) -> ClientKey {
        packed.0
    }
    fn first(self, entry: &Conduct) -> Conduct {
        *entry
    }
    fn add(self, sum: &mut Conduct, entry: &Conduct) {
        sum.merge(entry);
    }
    fn merge(self, sum: &mut Conduct, other: &Conduct) {
        sum.merge(other);
    }
}

impl Connections {
    pub(crate) fn new(key: u64) -> Self {
        let lanes = (0..LANES).map(|_| Map::new(Seed::new(key))).collect();
        Self { lanes, told: Log::new(), swept: Timestamp::ZERO, dropped: 0 }
    }

    /// Takes a TCP packet of a pair, of this lane. A SYN-ACK to a SYN begins a connection of `side`; unasked ones do not.
    pub(crate) fn see(&mut self, record: &Record, pair: Pair, side: Option<Side>) {
        let h = &record.headers;
        let (Some(tcp), Some((src_port, dst_port))) = (h.tcp, h.ports) else { return };
        let Pair { src, dst, lane, unsolicited } = pair;
        let Some(table) = self.lanes.get_mut(lane) else { return };
        let (from, to) = ((src, src_port), (dst, dst_port));
        let key = if from < to { (from, to) } else { (to, from) };
        let has = |flag: u16| tcp.flags & flag != 0;
        if has(flags::SYN) {
            let begins = has(flags::ACK) && !has(flags::RST) && !unsolicited;
            if let Some(side) = side.filter(|_| begins && !table.contains_key(&key)) {
                if table.len() >= CONNECTIONS_MAX {
                    table.retain(|_, c| c.taken_up);
                    if table.len() > CONNECTIONS_MAX / 4 * 3 {
                        self.dropped += 1;
                        return;
                    }
                }
                table.insert(key, Connection::new(src, dst, side, record.at));
            }
            return;
        }
        let Some(connection) = table.get_mut(&key) else { return };
        let told = connection.see(record, src, has(flags::ACK));
        let ended = has(flags::RST | flags::FIN);
        let told = if ended { connection.end(told) } else { told };
        let name = connection.name();
        if ended {
            table.remove(&key);
        }
        if told != Conduct::default() {
            self.told.push(Broad::of(name), told, AddConduct);
        }
    }

    /// Looks at all connections once a second, so that those without packets are told too.
    pub(crate) fn sweep(&mut self, until: Timestamp) {
        if until.secs() == self.swept.secs() {
            return;
        }
        self.swept = until;
        let told = &mut self.told;
        for table in &mut self.lanes {
            table.retain(|_, connection| {
                let now = connection.age(until);
                if now != Conduct::default() {
                    told.push(Broad::of(connection.name()), now, AddConduct);
                }
                let silence = until.since(connection.last);
                silence < if connection.taken_up { IDLE_MAX } else { HALF_OPEN_MAX }
            });
        }
    }

    /// All that was told, by key.
    pub(crate) fn close(&mut self) -> Vec<(ClientKey, Conduct)> {
        self.told.close(0, AddConduct)
    }
}

impl Connection {
    const fn new(server: u128, client: u128, side: Side, at: Timestamp) -> Self {
        Self {
            server,
            client,
            side,
            begun: at,
            last: at,
            spoke: at,
            taken_up: false,
            hello: None,
            sent: (0, 0),
            client_octets: 0,
            server_octets: 0,
            fruitful: false,
            trickles: false,
            told_empty: false,
        }
    }

    const fn name(&self) -> ClientKey {
        ClientKey { host: self.server, side: self.side, source: self.client }
    }

    fn see(&mut self, record: &Record, src: u128, acknowledges: bool) -> Conduct {
        let mut told = Conduct::default();
        let octets = record.headers.payload_len.unwrap_or(0);
        self.last = record.at;
        if src == self.server {
            self.server_octets = self.server_octets.saturating_add(octets);
        } else {
            let (packets, all) = self.sent;
            self.sent = (packets.saturating_add(1), all.saturating_add(record.headers.length));
            if !self.taken_up && acknowledges {
                self.taken_up = true;
                told.opened = 1;
            }
            if octets > 0 {
                let front = record.snip.bytes();
                if self.client_octets == 0 {
                    self.hello = hello(front);
                } else if record.at.since(self.spoke) >= TRICKLE_GAP {
                    self.trickles = true;
                }
                told.requests = u32::from(asks(front));
                self.client_octets = self.client_octets.saturating_add(octets);
                self.spoke = record.at;
            }
        }
        if !self.fruitful && self.bears() {
            self.fruitful = true;
            told.fruitful = 1;
        }
        told
    }

    /// Whether something was asked and answered.
    const fn bears(&self) -> bool {
        match self.hello {
            Some(hello) => {
                self.client_octets.saturating_sub(hello) >= TLS_CLIENT_MIN
                    || self.server_octets >= TLS_SERVER_MIN
            }
            None => self.client_octets > 0 && self.server_octets > 0,
        }
    }

    /// It ends.
    fn end(&self, mut told: Conduct) -> Conduct {
        if self.taken_up && !self.fruitful && !self.told_empty {
            told.empty = u32::from(self.client_octets == 0);
            told.barren = u32::from(self.hello.is_some());
        }
        told
    }

    /// A second has passed.
    fn age(&mut self, now: Timestamp) -> Conduct {
        let mut told = Conduct::default();
        let old = self.taken_up && now.since(self.begun) >= HELD_AFTER;
        if !old || self.fruitful {
            return told;
        }
        if self.client_octets == 0 {
            told.empty = u32::from(!self.told_empty);
            self.told_empty = true;
        }
        if self.client_octets < FEW_OCTETS {
            told.held = 1;
            told.trickling = u32::from(self.trickles);
            told.past = (self.sent.0.into(), self.sent.1.into());
            told.since = Some(self.begun);
        }
        told
    }
}

/// Octets of a TLS client hello with its record (RFC 8446 §4.1.2, §5.1), by its first octets.
fn hello(front: &[u8]) -> Option<u32> {
    match front {
        [22, 3, 0..=4, high, low, 1, ..] => Some(5 + u32::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// Whether these octets begin an HTTP/1 request (RFC 9110 §9.3).
pub fn asks(front: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"DELETE ", b"PATCH "];
    METHODS.iter().any(|method| front.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::lane;
    use telemetry::record::{Detail, Observed, Sampling, Snip};
    use wire::Headers;
    use wire::packet::{TCP, Tcp};

    const CLIENT: u128 = 0xffff_c633_6401;
    const SERVER: u128 = 0xffff_c612_0001;

    fn packet(ms: u64, from_client: bool, bits: u16, payload: &[u8], payload_len: u32) -> Record {
        let (client, server) = (base::prefix::narrow(CLIENT), base::prefix::narrow(SERVER));
        let (src, dst) = if from_client { (client, server) } else { (server, client) };
        let at = Timestamp::from_nanos(ms * 1_000_000);
        let headers = Headers {
            src,
            dst,
            protocol: TCP,
            length: 40 + payload_len,
            ports: Some(if from_client { (40_000, 443) } else { (443, 40_000) }),
            tcp: Some(Tcp { flags: bits, window: 1000, options_len: 0 }),
            payload_len: Some(payload_len),
            ..Headers::NOTHING
        };
        Record {
            at,
            start: at,
            end: at,
            headers,
            detail: Detail::Packet,
            snip: Snip::of(payload),
            packets: 1,
            bytes: 40,
            sampling: Sampling::EVERY,
            exporter: 0,
            input_if: None,
            output_if: None,
            observed: Observed::Unknown,
            doubtful: false,
        }
    }

    /// What is told of a connection that is set up and then sees these packets: from whom, flags, first octets, length.
    fn told(rest: &[(u64, bool, u16, &[u8], u32)], until: u64) -> Conduct {
        let mut connections = Connections::new(7);
        let head = [(1, false, flags::SYN | flags::ACK, &[] as &[u8], 0), (2, true, flags::ACK, &[], 0)];
        for (ms, from_client, bits, payload, len) in head.iter().chain(rest).copied() {
            let (src, dst) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
            let record = packet(ms, from_client, bits, payload, len);
            let pair = Pair { src, dst, lane: lane(src, dst), unsolicited: false };
            connections.see(&record, pair, Some(Side::Received));
        }
        connections.sweep(Timestamp::from_secs(until));
        let mut sum = Conduct::default();
        connections.close().iter().for_each(|(_, conduct)| sum.merge(conduct));
        sum
    }

    #[test]
    fn each_way_to_use_a_connection_is_told_apart() {
        const DATA: u16 = flags::ACK | flags::PSH;
        const END: u16 = flags::ACK | flags::FIN;
        let get: &[u8] = b"GET / HTTP/1.1\r\n";
        let hello: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 0xfc];
        let opened = Conduct { opened: 1, ..Conduct::default() };
        assert_eq!(told(&[(9, true, flags::RST, &[], 0)], 1), Conduct { empty: 1, ..opened });
        let served = told(&[(9, true, DATA, get, 90), (10, false, DATA, b"HTTP/1.1 200", 900)], 1);
        assert_eq!(served, Conduct { requests: 1, fruitful: 1, ..opened });
        let barren =
            told(&[(9, true, DATA, hello, 517), (10, false, DATA, &[], 1400), (11, true, END, &[], 0)], 1);
        assert_eq!(barren, Conduct { barren: 1, ..opened });
        let asked = [(9, true, DATA, hello, 517), (10, false, DATA, &[], 1400), (11, true, DATA, &[], 400)];
        assert_eq!(told(&asked, 1), Conduct { fruitful: 1, ..opened });
        let slow = told(&[(9, true, DATA, get, 90), (4_000, true, DATA, b"X-a: b\r\n", 8)], 6);
        assert_eq!((slow.held, slow.trickling, slow.past.0, slow.requests), (1, 1, 3, 1));
        assert_eq!(told(&[(9, true, DATA, get, 90)], 4).held, 0, "too young to be held");
    }

    #[test]
    fn a_flood_of_opened_doors_leaves_room_for_connections() {
        let mut connections = Connections::new(7);
        let answer = packet(1, false, flags::SYN | flags::ACK, &[], 0);
        for client in 0..1_000_000u128 {
            let pair = Pair { src: SERVER, dst: client, lane: lane(SERVER, client), unsolicited: false };
            connections.see(&answer, pair, Some(Side::Received));
        }
        assert_eq!(connections.dropped, 0);
        assert!(connections.lanes.iter().all(|lane| lane.len() <= CONNECTIONS_MAX));
    }

    #[test]
    fn counts_add_up_in_any_order() {
        let since = |secs| Some(Timestamp::from_secs(secs));
        let one = Conduct { opened: 1, held: 2, past: (3, 120), since: since(7), ..Conduct::default() };
        let two = Conduct { empty: 4, held: 1, past: (1, 40), since: since(5), ..Conduct::default() };
        let (mut a, mut b) = (one, two);
        a.merge(&two);
        b.merge(&one);
        assert_eq!(a, b);
        assert_eq!((a.held, a.past, a.since), (3, (4, 160), since(5)));
    }
}
