//! Where the entry program puts what it has read of a packet: `struct packet` of the kernel programs' `abi.h`.

use crate::rule::limits;

/// A field of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset in octets.
    pub offset: i16,
    /// Size in octets: 1, 2, 4 or 8.
    pub size: u8,
}

const fn field(offset: i16, size: u8) -> Field {
    Field { offset, size }
}

/// Upper half of the destination address; 0 for IPv4.
pub const DST_HIGH: Field = field(0, 8);
/// Lower half of the destination address, or the IPv4 address.
pub const DST_LOW: Field = field(8, 8);
/// Upper half of the source address.
pub const SRC_HIGH: Field = field(16, 8);
/// Lower half of the source address.
pub const SRC_LOW: Field = field(24, 8);
/// Length as rules mean it.
pub const LENGTH: Field = field(32, 4);
/// Source port.
pub const SRC_PORT: Field = field(36, 2);
/// Destination port.
pub const DST_PORT: Field = field(38, 2);
/// 4 or 6.
pub const FAMILY: Field = field(40, 1);
/// Upper-layer protocol.
pub const PROTOCOL: Field = field(41, 1);
/// Time to live.
pub const TTL: Field = field(42, 1);
/// Differentiated services code point.
pub const DSCP: Field = field(43, 1);
/// TCP flags.
pub const TCP_FLAGS: Field = field(44, 2);
/// TCP window.
pub const WINDOW: Field = field(46, 2);
/// ICMP type.
pub const ICMP_TYPE: Field = field(48, 1);
/// ICMP code.
pub const ICMP_CODE: Field = field(49, 1);
/// Kinds of fragment, see [`fragment`].
pub const FRAGMENT: Field = field(50, 1);
/// What is there, see [`has`].
pub const HAS: Field = field(51, 1);
/// Offset of the payload in the frame.
pub const PAYLOAD_AT: Field = field(56, 4);
/// Octets of payload that are there.
pub const PAYLOAD_LEN: Field = field(60, 4);
/// The rule that decides; [`NO_RULE`] before one is found.
pub const RULE: Field = field(68, 4);
/// The payload's first octets.
pub const PAYLOAD: Field = field(72, 8);
/// How many of them.
pub const PAYLOAD_MAX: usize = 64;
/// The kinds of the TCP options, see [`options`].
pub const TCP_OPTIONS: Field = field(136, 8);
/// Their second half.
pub const TCP_OPTIONS_REST: Field = field(144, 8);
/// Octets of the whole record.
pub const SIZE: usize = 184;
/// No rule.
pub const NO_RULE: u32 = u32::MAX;

/// [`TCP_OPTIONS`] and [`TCP_OPTIONS_REST`] of a header with options of these kinds: as many octets, zeroes, and how many in
/// the last one. `None` for more than there is room for.
pub fn options(kinds: &[u8]) -> Option<[u64; 2]> {
    let mut octets = [0; 16];
    octets.get_mut(..kinds.len()).filter(|_| kinds.len() <= limits::OPTIONS)?.copy_from_slice(kinds);
    *octets.last_mut()? = u8::try_from(kinds.len()).ok()?;
    let half = |at: usize| octets.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    Some([half(0)?, half(8)?])
}

/// Bits of [`FRAGMENT`].
pub mod fragment {
    /// Whole.
    pub const NONE: u32 = 1;
    /// Offset is not 0.
    pub const IS: u32 = 2;
    /// Offset 0, more follow.
    pub const FIRST: u32 = 4;
    /// Offset is not 0, no more follow.
    pub const LAST: u32 = 8;
    /// Do not fragment.
    pub const DONT: u32 = 16;
}

/// Bits of [`HAS`].
pub mod has {
    /// Ports of TCP or UDP.
    pub const PORTS: u32 = 1;
    /// TCP flags and window.
    pub const TCP: u32 = 2;
    /// ICMP type and code.
    pub const ICMP: u32 = 4;
}
