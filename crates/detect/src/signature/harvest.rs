//! The facts worth asking, read off the attack's rows of one shape and the honest rows in its way.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use base::Prefix;
use base::prefix::narrow;
use rules::{Flags, Numbers, Payload, Range};
use telemetry::record::SNIP_MAX;
use wire::packet::flags;

use super::excerpt::{Bin, Excerpt, most};
use super::fact::{Ask, Fact, NUMERIC, Slot};
use super::row::Row;

/// A value needs one of so many rows to be named: 2 %.
const SUPPORT_PARTS: usize = 50;
/// … and so many packets that show it, or half of all: of hundreds drawn from a port range at random two share a port here and
/// there, but hardly three …
const SEEN_MIN: usize = 3;
/// … and of so few hardly two (n²/2 pairs among 28,000 ports).
const FEW: usize = 50;
/// Values named in one rule at most.
const VALUES_MAX: usize = 8;
/// Single values offered per slot.
const SINGLES_MAX: usize = 6;
/// Rows needed before a range is believed: the next packet falls outside a range of n with probability 2/(n+1).
const RANGE_ROWS_MIN: usize = 40;
/// Packets needed before their payload is looked at.
const PAYLOADS_MIN: usize = 20;
/// A range of ports holds so many times more of the attack than its width would.
const DENSE: f64 = 2.0;
/// A range is believed where values drawn at random would show one like it less often than this, by its logarithm: 5 %.
const CHANCE: f64 = 3.0;
/// Weight of an honest packet against an attack packet when a range is cut.
const BETA: f64 = 4.0;

/// The facts of an excerpt's attack rows, given the honest ones of the same shape.
pub(crate) fn facts(excerpt: &Excerpt<'_>) -> Vec<Fact> {
    let attack: Vec<&Row> = (0..excerpt.attack.rows.len()).filter_map(|i| excerpt.attack.row(i)).collect();
    let mut facts = Vec::new();
    for slot in NUMERIC {
        numeric(slot, excerpt, &mut facts);
    }
    if excerpt.originals() < RANGE_ROWS_MIN {
        distrust(&mut facts);
    }
    sources(&excerpt.sources(), &mut facts);
    segment_flags(&attack, &mut facts);
    if excerpt.originals() >= PAYLOADS_MIN {
        payload(&attack, &mut facts);
    }
    facts
}

fn numeric(slot: Slot, excerpt: &Excerpt<'_>, facts: &mut Vec<Fact>) {
    let bins = excerpt.bins(slot);
    let n: usize = bins.iter().map(|b| b.attack).sum();
    let originals: usize = bins.iter().map(|b| b.originals).sum();
    if n * 2 < excerpt.attack.rows.len() || n == 0 {
        return;
    }
    let by_count = most(&bins, VALUES_MAX, |_| true);
    let least = if originals <= FEW { SEEN_MIN - 1 } else { SEEN_MIN };
    let again = |bin: &Bin| bin.originals >= least || bin.originals * 2 >= originals;
    points(slot, &most(&bins, VALUES_MAX, again), n, false, facts);
    // The same without the values that honest traffic uses.
    if bins.iter().any(|b| b.benign > 0) {
        let free = most(&bins, VALUES_MAX, |bin| bin.benign == 0 && again(bin));
        points(slot, &free, n, true, facts);
    }
    if originals >= RANGE_ROWS_MIN {
        ranges(slot, excerpt, &bins, &by_count, n, facts);
    }
}

/// Frequent values one by one, and together. Rare ones are left out: what came once will not come again.
fn points(slot: Slot, by_count: &[Bin], n: usize, around: bool, facts: &mut Vec<Fact>) {
    let least = (n / SUPPORT_PARTS).max(2);
    let frequent: Vec<u32> =
        by_count.iter().take_while(|b| b.attack >= least).map(|b| b.value).take(SINGLES_MAX).collect();
    for value in &frequent {
        push(facts, slot, vec![Range { from: *value, to: *value }], around);
    }
    // The smallest set for nearly all; a value of the set may be rarer than one worth a rule of its own.
    let rare = (n / 1000).max(2);
    let (mut set, mut sum) = (Vec::new(), 0);
    for bin in by_count.iter().take(VALUES_MAX).take_while(|b| b.attack >= rare) {
        set.push(bin.value);
        sum += bin.attack;
        // Each step that gets closer is worth offering: 90, 97, 99.5 %.
        let left = 1.0 - sum as f64 / n as f64;
        if set.len() > 1 && (left < 0.005 || set.len() == VALUES_MAX || (left < 0.1 && bin.attack * 50 > n)) {
            push(facts, slot, merged(&set), around);
        }
        if left < 0.005 {
            return;
        }
    }
    if set.len() > 1 && sum * 2 > n {
        push(facts, slot, merged(&set), around);
    }
}

fn merged(values: &[u32]) -> Vec<Range> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let mut ranges: Vec<Range> = Vec::new();
    for value in sorted {
        match ranges.last_mut() {
            Some(last) if last.to + 1 == value => last.to = value,
            _ => ranges.push(Range { from: value, to: value }),
        }
    }
    ranges
}

/// The range of nearly all values, and the ranges that gain most against honest traffic.
fn ranges(
    slot: Slot,
    excerpt: &Excerpt<'_>,
    bins: &[Bin],
    by_count: &[Bin],
    n: usize,
    facts: &mut Vec<Fact>,
) {
    let trimmed = trim(bins, n / 400);
    let width = |r: &Range| f64::from(r.to - r.from + 1);
    // Ports, types and windows are names: a range of them means something only where there are too many to list.
    let named: usize = by_count.iter().take(VALUES_MAX).map(|b| b.attack).sum();
    let listed = slot != Slot::Length && slot != Slot::Ttl && named * 10 >= n * 9;
    let single = by_count.first().is_some_and(|b| b.attack * 10 >= n * 9);
    if listed || single {
        return;
    }
    if let Some(range) = trimmed {
        let parts = if slot == Slot::Length { 2.0 } else { 4.0 };
        if width(&range) * parts <= f64::from(slot.span()) && steady(slot, excerpt, n / 400) {
            push(facts, slot, vec![range], false);
        }
    }
    let honest: usize = bins.iter().map(|b| b.benign).sum();
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return };
    if honest == 0 {
        return;
    }
    let worth = |b: &Bin| b.attack as f64 / n as f64 - BETA * b.benign as f64 / honest as f64;
    let Some((from, to)) = heaviest(bins, &worth) else { return };
    let range = |from: usize, to: usize| Some(Range { from: bins.get(from)?.value, to: bins.get(to)?.value });
    let Some(best) = range(from, to) else { return };
    let whole = f64::from(last.value - first.value + 1);
    // A range that only steps around the honest values seen would not miss the next one; random ports have no borders.
    let most = if matches!(slot, Slot::Length | Slot::Ttl) { 0.9 } else { 0.5 };
    let within = |ranges: &[Range]| {
        let of = |b: &&Bin| ranges.iter().any(|r| (r.from..=r.to).contains(&b.value));
        bins.iter().filter(of).map(|b| b.attack).sum::<usize>()
    };
    // Ports drawn at random fill any range by its width: it would say nothing of the attack, only where honest ones were not.
    let dense = |ranges: &[Range]| {
        let wide: f64 = ranges.iter().map(width).sum();
        matches!(slot, Slot::Length | Slot::Ttl)
            || within(ranges) as f64 / n as f64 >= DENSE * wide / f64::from(slot.span())
    };
    let apart = |range: &Range| matches!(slot, Slot::Length | Slot::Ttl) || is_told_apart(bins, n, *range);
    let informative = |kept: f64| kept <= most * whole;
    if informative(width(&best)) && dense(&[best]) && apart(&best) {
        push(facts, slot, vec![best], true);
    }
    let below = bins.get(..from).and_then(|part| heaviest(part, &worth));
    let above =
        bins.get(to + 1..).and_then(|part| heaviest(part, &worth)).map(|(a, b)| (a + to + 1, b + to + 1));
    for second in [below, above].into_iter().flatten() {
        let Some(second) = range(second.0, second.1) else { continue };
        let mut both = vec![best, second];
        both.sort_unstable();
        let gained = within(&[second]);
        if gained >= n / SUPPORT_PARTS
            && informative(width(&best) + width(&second))
            && dense(&both)
            && both.iter().all(apart)
        {
            push(facts, slot, both, true);
        }
    }
}

/// Whether a range is one by more than the gaps that any hundred ports drawn at random leave between them: the attack shows more
/// values in it than evenly between its own borders, or honest traffic fewer than evenly between all of them.
fn is_told_apart(bins: &[Bin], n: usize, range: Range) -> bool {
    let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return false };
    let borders = trim(bins, n / SUPPORT_PARTS).unwrap_or(range);
    let sum = |of: Range, count: &dyn Fn(&Bin) -> usize| {
        bins.iter().filter(|bin| (of.from..=of.to).contains(&bin.value)).map(count).sum::<usize>()
    };
    let part = |of: Range| f64::from(range.to - range.from + 1) / f64::from(of.to - of.from + 1);
    let of_attack = |bin: &Bin| bin.originals;
    let of_honest = |bin: &Bin| usize::from(bin.benign > 0);
    let all = Range { from: first.value, to: last.value };
    is_beyond_chance(sum(range, &of_attack), sum(borders, &of_attack), part(borders), Ordering::Greater)
        || is_beyond_chance(sum(range, &of_honest), sum(all, &of_honest), part(all), Ordering::Less)
}

/// Whether so many of `all` evenly spread values are in none of as many ranges, each `part` of the whole, by chance: k where μ are
/// expected come with probability exp(−(√k − √μ)²) at most (Chernoff's bound for Poisson variables).
fn is_beyond_chance(found: usize, all: usize, part: f64, than: Ordering) -> bool {
    let (found, all) = (found as f64, all as f64);
    let expected = all * part;
    let apart = libm::sqrt(found) - libm::sqrt(expected);
    found.total_cmp(&expected) == than && apart * apart >= libm::log(all.max(1.0)) + CHANCE
}

/// The smallest range that leaves at most `cut` attack rows out at either end.
fn trim(bins: &[Bin], cut: usize) -> Option<Range> {
    let edge = |found: &mut usize, b: &&Bin| {
        *found += b.attack;
        *found > cut
    };
    let (mut low, mut high) = (0, 0);
    let from = bins.iter().find(|b| edge(&mut low, b))?.value;
    let to = bins.iter().rev().find(|b| edge(&mut high, b))?.value;
    (from <= to).then_some(Range { from, to })
}

/// Whether a range read off the first half of the window still holds in the second: counters that climb and
/// senders that come later would outrun it.
fn steady(slot: Slot, excerpt: &Excerpt<'_>, cut: usize) -> bool {
    let (first, second) = excerpt.halves(slot);
    let Some(range) = trim(&first, cut / 2) else { return false };
    let inside = second.clone().filter(|v| (range.from..=range.to).contains(v)).count();
    inside as f64 >= 0.96 * second.count() as f64
}

/// Maximum-sum run of bins (Kadane): first and last index.
fn heaviest(bins: &[Bin], worth: &impl Fn(&Bin) -> f64) -> Option<(usize, usize)> {
    let (mut best, mut best_at) = (0.0, None);
    let (mut sum, mut start) = (0.0, 0);
    for (at, bin) in bins.iter().enumerate() {
        if sum <= 0.0 {
            (sum, start) = (0.0, at);
        }
        sum += worth(bin);
        if sum > best {
            (best, best_at) = (sum, Some((start, at)));
        }
    }
    best_at
}

/// The pull of lengths read off too few rows is taken away: they are asked only where that spares honest traffic.
fn distrust(facts: &mut [Fact]) {
    for fact in facts.iter_mut().filter(|f| f.slot == Slot::Length) {
        fact.tight = 0.0;
    }
}

fn push(facts: &mut Vec<Fact>, slot: Slot, ranges: Vec<Range>, around: bool) {
    let width: f64 = ranges.iter().map(|r| f64::from(r.to - r.from) + 1.0).sum();
    let tight = 1.0 - (width / f64::from(slot.span())).min(1.0);
    let ask = Ask::Numbers(Numbers(ranges));
    if !facts.iter().any(|f| f.slot == slot && f.ask == ask) {
        facts.push(Fact { slot, ask, tight, around });
    }
}

/// Sources that send a good part, alone or as a neighbourhood: only of use where they are few.
fn sources(ascending: &[(u128, bool)], facts: &mut Vec<Fact>) {
    let mut offer = |prefix: Prefix| {
        let ask = Ask::Source(prefix);
        if !facts.iter().any(|f| f.ask == ask) {
            facts.push(Fact { slot: Slot::Source, ask, tight: 1.0, around: false });
        }
    };
    let (Some((first, _)), Some((last, _))) = (ascending.first(), ascending.last()) else { return };
    let v4 = narrow(*first).is_ipv4();
    let least = (ascending.len() / 20).max(SEEN_MIN);
    let originals = |of: &[(u128, bool)]| of.iter().filter(|(_, original)| *original).count();
    for (bits, host) in if v4 { [(32u8, 0), (24, 8)] } else { [(128, 0), (64, 64)] } {
        let mut counted: Vec<(usize, u128)> = ascending
            .chunk_by(|(a, _), (b, _)| a >> host == b >> host)
            .filter(|of| of.len() >= least && originals(of) >= SEEN_MIN)
            .filter_map(|of| Some((of.len(), of.first()?.0)))
            .collect();
        counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, source) in counted.iter().take(VALUES_MAX) {
            offer(Prefix::of(narrow(*source), bits));
        }
    }
    if let Some(all) = Prefix::host(narrow(*first)).join(&Prefix::host(narrow(*last))) {
        let narrowest = if v4 { 20 } else { 44 };
        if all.bits() >= narrowest {
            offer(all);
        }
    }
}

/// The exact six flags, where all segments show the same.
fn segment_flags(attack: &[&Row], facts: &mut Vec<Fact>) {
    const SIX: u16 = 0x3f;
    const PUSHY: u16 = flags::PSH | flags::URG;
    let mut values = attack.iter().map(|r| r.flags.filter(|_| !r.flow));
    if let Some(Some(first)) = values.next()
        && values.all(|v| v.is_some_and(|v| v & SIX == first & SIX))
        && (first & PUSHY != 0 || first & SIX == flags::ACK)
    {
        let test = Flags { value: first & SIX, mask: SIX };
        facts.push(Fact { slot: Slot::Flags, ask: Ask::Flags(test), tight: 0.5, around: false });
    }
}

/// Payload octets that nearly all packets share, and the most frequent beginning.
fn payload(attack: &[&Row], facts: &mut Vec<Fact>) {
    let snips: Vec<&[u8]> = attack.iter().filter_map(|r| r.snip.as_ref().map(|s| s.bytes())).collect();
    let with = snips.iter().filter(|s| s.len() >= 4).count();
    if with < PAYLOADS_MIN || with * 4 < attack.len() {
        return;
    }
    let shared = |at| shared(&snips, at).map_or((0, 0), |octet| (octet, 0xff));
    let mut shared: Vec<(u8, u8)> = (0..SNIP_MAX.min(16)).map(shared).collect();
    while shared.last().is_some_and(|(_, mask)| *mask == 0) {
        shared.pop();
    }
    let front = shared.iter().take_while(|(_, mask)| *mask == 0).count();
    let kept = shared.get(front..).unwrap_or(&[]);
    if kept.iter().filter(|(_, mask)| *mask != 0).count() >= 2 {
        let payload = Payload {
            offset: u16::try_from(front).unwrap_or(0),
            value: kept.iter().map(|(value, _)| *value).collect(),
            mask: kept.iter().map(|(_, mask)| *mask).collect(),
        };
        facts.push(Fact { slot: Slot::Payload, ask: Ask::Payload(payload), tight: 1.0, around: false });
    }
    let mut heads: Vec<[u8; 4]> = snips.iter().filter_map(|s| s.first_chunk::<4>().copied()).collect();
    heads.sort_unstable();
    let mut counted: Vec<(usize, [u8; 4])> = Vec::new();
    for head in heads {
        match counted.last_mut() {
            Some((n, last)) if *last == head => *n += 1,
            _ => counted.push((1, head)),
        }
    }
    counted.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, head) in counted.iter().take_while(|(n, _)| n * 4 >= snips.len()).take(2) {
        let ask = Ask::Payload(Payload { offset: 0, value: head.to_vec(), mask: vec![0xff; 4] });
        if !facts.iter().any(|f| f.ask == ask) {
            facts.push(Fact { slot: Slot::Payload, ask, tight: 1.0, around: false });
        }
    }
}

/// The octet that nearly all have at this place, 98.5 %. Such a one is also the majority of any sixteenth of them.
fn shared(snips: &[&[u8]], at: usize) -> Option<u8> {
    let misses_max = snips.len() * 3 / 200;
    let (mut octet, mut lead) = (None, 0u32);
    // Boyer and Moore 1981.
    for found in snips.iter().take(snips.len().div_ceil(16)).map(|snip| snip.get(at)) {
        match (found == octet, lead) {
            (true, _) => lead += 1,
            (false, 0) => (octet, lead) = (found, 1),
            (false, _) => lead -= 1,
        }
    }
    let octet = octet?;
    let mut misses = snips.iter().filter(|snip| snip.get(at) != Some(octet));
    misses.nth(misses_max).is_none().then_some(*octet)
}
