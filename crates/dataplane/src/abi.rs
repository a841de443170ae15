//! `bpf/abi.h`, mirrored: what the programs and user space share.

use rules::limit::BURST_SECONDS;
use rules::{Action, Rule};

/// Sets held side by side.
pub(crate) const SETS: u32 = 2;
/// Rules of one set at most.
pub(crate) const RULES_MAX: u32 = 16384;
/// Octets of `struct config` before its sets.
pub(crate) const SETS_AT: usize = 16;
/// Where `struct host` stands in it.
pub(crate) const HOST_AT: usize = 8;
/// The slot of the program that answers SYNs.
pub(crate) const SLOT_CHALLENGE: u32 = SETS + 1;
/// The slot of the program that does what the rule says.
pub(crate) const SLOT_VERDICT: u32 = SETS;
/// Octets of `struct set`.
pub(crate) const SET: usize = 8 + LISTS * LIST + 32;
/// Lists of a set: allowed, blocked, protected.
pub(crate) const LISTS: usize = 3;
/// Octets of `struct list`.
pub(crate) const LIST: usize = 40;
/// Octets of `struct key4`.
pub(crate) const KEY4: usize = 8;
/// Octets of `struct key6`.
pub(crate) const KEY6: usize = 24;
/// Octets of a rule's id that are kept.
pub(crate) const NAME: usize = 64;
/// `NO_SET`.
pub(crate) const NO_SET: u32 = u32::MAX;
/// Octets of `struct counter`.
pub(crate) const COUNTER: usize = 24;
/// Octets of `struct tally`.
pub(crate) const TALLY: usize = 16;

/// The slot of what comes behind the rules of the first set.
pub(crate) const SLOT_BEHIND: u32 = SLOT_CHALLENGE + 6;
/// Where `struct rule` has its end.
pub(crate) const UNTIL_AT: usize = 8;

/// `SET_RULES`.
pub(crate) const SET_RULES: u32 = 1;
/// `SET_PAYLOAD`.
pub(crate) const SET_PAYLOAD: u32 = 2;
/// `SET_ALLOW`, `SET_BLOCK`, `SET_PROTECT`: of the lists in their order.
pub(crate) const SET_LISTS: [u32; LISTS] = [4, 8, 16];
/// `SET_DRY`.
pub(crate) const SET_DRY: u32 = 32;
/// `SET_ENGINE`.
pub(crate) const SET_ENGINE: u32 = 64;

/// Where a packet left: `enum leave`.
pub(crate) const LEAVES: [&str; 12] = [
    "not-ip",
    "malformed",
    "unprotected",
    "allowed",
    "blocked",
    "no-rules",
    "unmatched",
    "passed",
    "dropped",
    "lapsed",
    "challenged",
    "unchallenged",
];

/// What rules ask of the programs before them: flags of their set.
pub(crate) fn asks(rules: &[Rule]) -> u32 {
    let payload = rules.iter().any(|rule| rule.matches.payload.is_some());
    (SET_RULES * u32::from(!rules.is_empty())) | (SET_PAYLOAD * u32::from(payload))
}

/// The octets of a rule's id that are kept.
pub(crate) fn name(rule: &Rule) -> &[u8] {
    rule.id.as_bytes().get(..NAME).unwrap_or(rule.id.as_bytes())
}

/// `struct rule` of a rule installed at `now`, in nanoseconds of the programs' clock.
pub(crate) fn rule(rule: &Rule, now: u64) -> [u8; 32] {
    let (action, per_second, unit) = match rule.action {
        Action::Pass => (0u32, 0.0, 0.0),
        Action::Drop => (1, 0.0, 0.0),
        Action::RatePackets(rate) => (2, rate, 1.0),
        Action::RateBits(rate) => (3, rate, 0.0),
        Action::Challenge => (4, 0.0, 0.0),
        Action::Redirect(_) => (5, 0.0, 0.0),
    };
    // Of a bucket that holds `BURST_SECONDS`, a packet has to find one whole token.
    let (interval, burst) = if per_second > 0.0 {
        let depth = (per_second * BURST_SECONDS).max(unit);
        (1e9 / per_second * 65536.0, (depth - unit) / per_second * 1e9)
    } else {
        (0.0, 0.0)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, never negative")]
    let (interval, burst) = (interval as u64, burst as u64);
    let until = rule.lease.map_or(0, |lease| now.saturating_add(lease.nanos()).max(1));
    let mut out = [0; 32];
    let words = [(0, u64::from(action)), (8, until), (16, interval), (24, burst)];
    for (at, word) in words {
        put(&mut out, at, &word.to_ne_bytes());
    }
    out
}

/// Writes octets at a place.
pub(crate) fn put(out: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = out.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

/// The word at a place.
pub(crate) fn word(octets: &[u8], at: usize) -> u64 {
    octets.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// The number at a place.
pub(crate) fn number(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes)
}
