//! `bpf/abi.h`, mirrored: what the programs and user space share.

use rules::limit::BURST_SECONDS;
use rules::{Action, Per, Rule};

/// Sets held side by side.
pub(crate) const SETS: u32 = 2;
/// Rules of one set at most.
pub(crate) const RULES_MAX: u32 = 16384;
/// Octets of `struct config` before its sets.
pub(crate) const SETS_AT: usize = 16;
/// Where it says whether the programs take frames in several buffers.
pub(crate) const BUFFERS_AT: usize = SETS_AT + 2 * SET;
/// Where `struct host` stands in it.
pub(crate) const HOST_AT: usize = 8;
/// The slot of the program that answers SYNs.
pub(crate) const SLOT_CHALLENGE: u32 = SETS + 1;
/// The slot of the program that does what the rule says.
pub(crate) const SLOT_VERDICT: u32 = SETS;
/// The slot of the program that sees proofs of sources.
pub(crate) const SLOT_TCP: u32 = SLOT_CHALLENGE + 1;
/// The slot of the program that challenges over UDP.
pub(crate) const SLOT_UDP: u32 = SLOT_CHALLENGE + 2;
/// The slot of the program that leads packets elsewhere.
pub(crate) const SLOT_TUNNEL: u32 = SLOT_CHALLENGE + 3;
/// The slot of the program that reads a packet, for what comes out of a tunnel.
pub(crate) const SLOT_ENTRY: u32 = SLOT_BEHIND + SETS;
/// The slot of the program that gives back what passes.
pub(crate) const SLOT_RETURN: u32 = SLOT_ENTRY + 1;
/// The slot of the program that tells senders of packets that are too big for the way back.
pub(crate) const SLOT_TELL: u32 = SLOT_ENTRY + 2;
/// Octets of `struct set`.
pub(crate) const SET: usize = 8 + LISTS * LIST + 32;
/// Lists of a set: allowed, blocked, protected.
pub(crate) const LISTS: usize = 3;
/// Octets of `struct list`.
pub(crate) const LIST: usize = 48;
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
pub(crate) const SLOT_BEHIND: u32 = SLOT_CHALLENGE + 4;
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
/// `SET_OPTIONS`.
pub(crate) const SET_OPTIONS: u32 = 128;

/// `RULE_PER_SOURCE`.
const RULE_PER_SOURCE: u32 = 2;
/// `RULE_PER_DESTINATION`.
const RULE_PER_DESTINATION: u32 = 4;
/// Octets of `struct limit_key`.
pub(crate) const LIMIT_KEY: u32 = 24;
/// `DESTINATIONS_MAX`.
pub(crate) const DESTINATIONS_MAX: u32 = 65_536;
/// `SET_TELEMETRY`.
pub(crate) const SET_TELEMETRY: u32 = 2048;
/// `RULE_DRY`.
pub(crate) const RULE_DRY: u32 = 1;
/// `RULE_AUTOMATIC`.
pub(crate) const RULE_AUTOMATIC: u32 = 8;
/// Where `struct rule` has its flags, and its end.
pub(crate) const RULE_FLAGS_AT: usize = 4;
/// See [`RULE_FLAGS_AT`].
pub(crate) const RULE_UNTIL_AT: usize = 8;

/// `SET_PROOFS`.
pub(crate) const SET_PROOFS: u32 = 512;
/// `SET_ENGINE`.
pub(crate) const SET_ENGINE: u32 = 64;

/// `SET_SAMPLE`.
pub(crate) const SET_SAMPLE: u32 = 4096;
/// `SET_DECAP`.
pub(crate) const SET_DECAP: u32 = 8192;
/// `SET_RETURN`.
pub(crate) const SET_RETURN: u32 = 16384;
/// `RULE_SAMPLE`.
pub(crate) const RULE_SAMPLE: u32 = 16;

/// Where a packet left: `enum leave`.
pub(crate) const LEAVES: [&str; 39] = [
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
    "neighbour",
    "administrator",
    "quiet",
    "proven",
    "echoed",
    "first",
    "repeated",
    "capped",
    "excessive",
    "stray",
    "stray-dropped",
    "truncated",
    "redirected",
    "tunnelled",
    "no-route",
    "too-big",
    "no-headroom",
    "returned",
    "discarded",
    "undeclared",
    "nested",
    "looped",
    "expired",
    "no-way",
    "oversized",
    "told",
    "handed",
];

/// Octets of `struct rule`.
pub(crate) const RULE: usize = 40;
/// Where its own rate of samples stands.
pub(crate) const RULE_SAMPLE_AT: usize = 32;

/// Where it says how much passes unasked.
pub(crate) const RULE_ABOVE_AT: usize = 36;

/// What rules ask of the programs before them: flags of their set.
pub(crate) fn asks(rules: &[Rule]) -> u32 {
    let payload = rules.iter().any(|rule| rule.matches.payload.is_some());
    let options = rules.iter().any(|rule| rule.matches.tcp_options.is_some());
    (SET_RULES * u32::from(!rules.is_empty()))
        | (SET_PAYLOAD * u32::from(payload))
        | (SET_OPTIONS * u32::from(options))
}

/// The octets of a rule's id that are kept.
pub(crate) fn name(rule: &Rule) -> &[u8] {
    rule.id.as_bytes().get(..NAME).unwrap_or(rule.id.as_bytes())
}

/// What one of so many processors may do of what all may.
pub(crate) fn share(all: u32, processors: u32) -> u32 {
    if all == 0 { 0 } else { (all / processors.max(1)).max(1) }
}

/// `struct rule` of a rule installed at `now`, in nanoseconds of the programs' clock, on so many processors.
pub(crate) fn rule(rule: &Rule, now: u64, processors: u32) -> [u8; RULE] {
    let action = match rule.action {
        Action::Pass => 0u32,
        Action::Drop => 1,
        Action::RatePackets(_) => 2,
        Action::RateBits(_) => 3,
        Action::Challenge(_) => 4,
        Action::Redirect(_) | Action::Tunnel(..) => 5,
    };
    let (interval, burst) = bucket(rule.action);
    let until = rule.lease.map_or(0, |lease| now.saturating_add(lease.nanos()).max(1));
    let mut out = [0; RULE];
    let words = [(0, u64::from(action)), (8, until), (16, interval), (24, burst)];
    for (at, word) in words {
        put(&mut out, at, &word.to_ne_bytes());
    }
    let mut flags: u32 = match rule.per {
        Per::Rule => 0,
        Per::Source => RULE_PER_SOURCE,
        Per::Destination => RULE_PER_DESTINATION,
    };
    if let Some(rate) = rule.sample {
        flags |= RULE_SAMPLE;
        put(&mut out, RULE_SAMPLE_AT, &rate.to_ne_bytes());
    }
    if let Action::Challenge(above) = rule.action {
        put(&mut out, RULE_ABOVE_AT, &share(above, processors).to_ne_bytes());
    }
    put(&mut out, RULE_FLAGS_AT, &flags.to_ne_bytes());
    out
}

/// `interval` and `burst` of an action's rate; 0 for one without.
pub(crate) fn bucket(action: Action) -> (u64, u64) {
    let (per_second, unit) = match action {
        Action::RatePackets(rate) => (rate, 1.0),
        Action::RateBits(rate) => (rate, 0.0),
        _ => (0.0, 0.0),
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
    (interval, burst)
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
