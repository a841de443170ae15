//! What is remembered of one source of one attack.

use base::{Span, Timestamp};

/// Octets matter: there are up to [`crate::table::SOURCES_MAX`] of these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Source {
    /// First and last packet of the attack.
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Packets to the targets that are not of the attack.
    pub(crate) other: u32,
    /// Bit by vector.
    pub(crate) vectors: u32,
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) protocol: u8,
    /// As it arrived with the attack, first and extremes.
    pub(crate) ttl: u8,
    pub(crate) ttl_least: u8,
    pub(crate) ttl_most: u8,
    /// Form of its first packet.
    pub(crate) form: u8,
    /// Index of the tool + 1.
    pub(crate) tool: u8,
    /// Index of the reflecting protocol + 1; the two of TCP come last.
    pub(crate) reflects: u8,
    pub(crate) proof: Proofs,
    pub(crate) tool_packets: u32,
    pub(crate) reflected: u32,
    /// SYNs that it sent, as far as samples tell, and conversations that were seen to begin.
    pub(crate) syns: u32,
    pub(crate) handshakes: u32,
    /// Packets in which an answer of a reflecting protocol would have been seen.
    pub(crate) answerable: u32,
    /// Tenths of a second in which it sent, and the last of them.
    pub(crate) moments: u16,
    moment: u64,
    /// What the target expects it to acknowledge, for its last two segments.
    expected: [u32; 2],
    /// What comes after its own last segment in order.
    next: u32,
    /// The connection id that the target chose for it, hashed, and its length; 0: none was seen (RFC 9000 §5.1).
    pub(crate) cid: u32,
    pub(crate) cid_len: u8,
    /// By which way its packets came in, from 1; 0: nobody told. Of several, the one by which more than half came, if there is one.
    pub(crate) entry: u8,
    /// Packets that came that way, less those that came others: where it is half of all, at least half of all came that way.
    pub(crate) lead: u32,
}

/// What is known to have happened, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proofs(u16);

impl Proofs {
    /// It acknowledged what only the target's answer told.
    pub(crate) const HANDSHAKE: u16 = 1;
    /// Its side of a connection looks whole; the other was not seen.
    pub(crate) const HALF: u16 = 2;
    /// A valid answer that nobody asked for.
    pub(crate) const ANSWER: u16 = 4;
    /// The target spoke to it before it sent anything.
    pub(crate) const ASKED: u16 = 8;
    /// It sent to the target before the attack.
    pub(crate) const BEFORE: u16 = 16;
    /// Numbers of `expected` are set.
    const EXPECTED: u16 = 32;
    /// `next` is set.
    const NEXT: u16 = 64;
    /// Who holds it told that it is one (engine's culprits).
    pub(crate) const CULPRIT: u16 = 128;
    /// It used the connection id that only the target's answer told (RFC 9000 §8.1).
    pub(crate) const QUIC: u16 = 256;
    /// A TLS hello followed its handshake.
    pub(crate) const HELLO: u16 = 512;

    #[inline]
    pub(crate) const fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, bit: u16) {
        self.0 |= bit;
    }
}

/// How far numbers of a conversation may be from where it was: largest window without scaling, four times.
const NEAR: u32 = 1 << 18;
/// A source that comes in many of these comes again and again.
const MOMENT: Span = Span::from_millis(100);

/// What a TCP segment from a source says to its conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) syn: bool,
    pub(crate) ack: bool,
    pub(crate) rst: bool,
    pub(crate) fin: bool,
    pub(crate) seq: u32,
    pub(crate) acked: u32,
    pub(crate) payload: u32,
}

impl Said {
    const fn after(&self) -> u32 {
        self.seq.wrapping_add(self.payload).wrapping_add(self.syn as u32).wrapping_add(self.fin as u32)
    }
}

impl Source {
    /// The target said this to it.
    #[inline]
    pub(crate) fn told(&mut self, said: &Said) {
        let after = said.after();
        // A reset says nothing that could be acknowledged.
        if !said.rst && (said.syn || said.payload > 0 || said.fin || !self.proof.has(Proofs::EXPECTED)) {
            let [last, _] = self.expected;
            if after != last {
                self.expected = [after, if self.proof.has(Proofs::EXPECTED) { last } else { after }];
            }
            self.proof.set(Proofs::EXPECTED);
        }
    }

    /// It said this to the target, which stands for so many packets; tells whether a conversation explains it.
    #[inline]
    pub(crate) fn says(&mut self, said: &Said, packets: u64) -> bool {
        if said.syn && !said.ack {
            self.syns = self.syns.saturating_add(u32::try_from(packets).unwrap_or(u32::MAX));
            self.next = said.after();
            self.proof.set(Proofs::NEXT);
            return false;
        }
        let near = |a: u32, b: u32| a.wrapping_sub(b).wrapping_add(NEAR) < 2 * NEAR;
        let follows = self.proof.has(Proofs::NEXT) && near(said.seq, self.next);
        let known = self.proof.has(Proofs::EXPECTED);
        if said.ack && !said.rst && known && self.expected.contains(&said.acked) {
            // Only who receives the target's answers knows this number; by chance one of 2³¹ hits it.
            if !self.proof.has(Proofs::HANDSHAKE) || follows && said.seq == self.next && self.fresh() {
                self.handshakes = self.handshakes.saturating_add(1);
            }
            self.proof.set(Proofs::HANDSHAKE);
            self.goes_on(said);
            return true;
        }
        let fits = follows && (!known || self.expected.iter().any(|e| near(said.acked, *e)));
        if fits && said.ack && !known && said.seq == self.next {
            // The other direction was not seen. A forger who knows the numbers he drew himself looks the same.
            self.proof.set(Proofs::HALF);
            self.handshakes = self.handshakes.max(1);
        }
        if fits {
            self.goes_on(said);
        }
        fits
    }

    /// Whether more SYNs than handshakes were counted.
    const fn fresh(&self) -> bool {
        self.handshakes < self.syns
    }

    fn goes_on(&mut self, said: &Said) {
        self.next = said.after();
        self.proof.set(Proofs::NEXT);
    }

    /// Notes a packet of the attack.
    #[inline]
    pub(crate) fn attacks(&mut self, at: Timestamp, packets: u64, bytes: u64, ttl: u8) {
        if self.packets == 0 {
            (self.first, self.ttl, self.ttl_least, self.ttl_most) = (at, ttl, ttl, ttl);
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.ttl_least = self.ttl_least.min(ttl);
        self.ttl_most = self.ttl_most.max(ttl);
        let moment = at.tick(MOMENT) + 1;
        if moment != self.moment {
            self.moment = moment;
            self.moments = self.moments.saturating_add(1);
        }
    }

    /// So many packets came in by a way with this number: a vote of majority (Boyer and Moore), which needs no room by way.
    pub(crate) fn enters(&mut self, entry: u8, packets: u64) {
        let packets = u32::try_from(packets).unwrap_or(u32::MAX);
        if self.entry == entry {
            self.lead = self.lead.saturating_add(packets);
        } else if self.lead > packets {
            self.lead -= packets;
        } else {
            (self.entry, self.lead) = (entry, packets - self.lead);
        }
    }

    /// Whether at least half of its packets came in by the way that is remembered, for sure.
    pub(crate) fn keeps_to_one_way(&self) -> bool {
        self.entry > 0 && u64::from(self.lead) * 2 >= self.packets.min(u32::MAX.into())
    }

    /// Whether it came again and again: not once, not in one burst.
    pub(crate) const fn returns(&self) -> bool {
        self.packets >= RETURNS_PACKETS && self.moments >= RETURNS_MOMENTS
    }
}

/// Packets and tenths of a second that make a source one that comes again and again.
const RETURNS_PACKETS: u64 = 10;
const RETURNS_MOMENTS: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(flags: &str, seq: u32, acked: u32, payload: u32) -> Said {
        let has = |c| flags.contains(c);
        Said { syn: has('S'), ack: has('A'), rst: has('R'), fin: has('F'), seq, acked, payload }
    }

    #[test]
    fn who_acknowledges_the_targets_number_has_received_it() {
        let mut source = Source::default();
        assert!(!source.says(&said("S", 100, 0, 0), 1));
        source.other += 1;
        source.told(&said("SA", 7_000, 101, 0));
        assert!(source.says(&said("A", 101, 7_001, 0), 1));
        assert!(source.says(&said("A", 101, 7_001, 400), 1));
        assert!(source.proof.has(Proofs::HANDSHAKE) && !source.proof.has(Proofs::ASKED));
        assert_eq!((source.syns, source.handshakes), (1, 1));
    }

    #[test]
    fn who_guesses_has_not() {
        let mut source = Source::default();
        source.says(&said("S", 100, 0, 0), 1);
        source.other += 1;
        source.told(&said("SA", 7_000, 101, 0));
        assert!(!source.says(&said("A", 101, 0x9000_0000, 0), 1));
        assert!(!source.says(&said("R", 101, 0, 0), 1) || !source.proof.has(Proofs::HANDSHAKE));
        assert!(!source.proof.has(Proofs::HANDSHAKE));
    }

    #[test]
    fn the_way_by_which_most_packets_came_is_remembered_in_any_order() {
        let of = |ways: &[(u8, u64)]| {
            let mut source = Source::default();
            for (way, packets) in ways {
                source.enters(*way, *packets);
                source.packets += packets;
            }
            (source.entry, source.keeps_to_one_way())
        };
        assert_eq!(of(&[]), (0, false));
        assert_eq!(of(&[(1, 1)]), (1, true));
        for ways in [[(1, 10), (2, 2), (3, 1)], [(2, 2), (1, 10), (3, 1)], [(2, 2), (3, 1), (1, 10)]] {
            assert_eq!(of(&ways), (1, true), "{ways:?}");
        }
        for ways in [[(1, 10), (2, 9)], [(2, 9), (1, 10)]] {
            assert_eq!(of(&ways), (1, false), "{ways:?}");
        }
        assert!(!of(&[(1, 10), (2, 10)]).1);
        // What a sampled record stands for does not wrap.
        assert_eq!(of(&[(1, u64::MAX / 2), (2, 7)]), (1, true));
    }

    #[test]
    fn half_a_connection_is_no_proof() {
        let mut source = Source::default();
        source.says(&said("S", 100, 0, 0), 1);
        source.other += 1;
        assert!(source.says(&said("A", 101, 55_555, 0), 1));
        assert!(source.proof.has(Proofs::HALF) && !source.proof.has(Proofs::HANDSHAKE));
    }
}
