//! The search: its bounds, its rows, and what it gives up by them.

use super::*;

#[test]
fn work_is_bounded_and_the_best_found_by_then_is_the_answer() {
    let mut dice = Dice(11);
    let attack: Vec<Sample> = (0..4_000)
        .map(|i| {
            let src = dice.below(u32::MAX);
            let mut s = sample(false, i, src, UDP, 400 + dice.below(900));
            s.headers.ports = Some((dice.port(), dice.pick(&[53, 123, 389, 1900, 11211])));
            s
        })
        .collect();
    let benign: Vec<Sample> = (0..4_000)
        .map(|i| {
            let src = dice.below(900);
            let mut s = sample(false, i, src, UDP, 60 + dice.below(1_300));
            s.headers.ports = Some((dice.port(), dice.pick(&[53, 443, 4500])));
            s
        })
        .collect();
    let targets = [Prefix::host(host(false, VICTIM))];
    let with = |work| derive(&Request { work, ..Request::new(&attack, &benign, &targets) });
    let free = with(u64::MAX / 2);
    assert!(!free.cut && free.covered > 0.7, "{free:?}");
    let mut covered = 0.0;
    for work in [200_000, 3_000_000, super::super::WORK_MAX, 100_000_000] {
        let bounded = with(work);
        assert!(bounded.work <= work, "{} of {work}", bounded.work);
        assert_eq!(bounded, with(work), "the same every time");
        assert!(bounded.covered >= covered, "more work, no less found");
        // Where nothing was found in time, the rest is still limited.
        assert!(!bounded.rules.is_empty());
        covered = bounded.covered;
    }
    assert_eq!(covered, free.covered);
}

#[test]
fn rows_asked_by_their_places_are_those_that_the_whole_question_holds() {
    use super::super::arena::{Arena, Cell};
    use super::super::bits::Bits;
    use super::super::excerpt::Excerpt;
    use super::super::fact::{Ask, Fact, NUMERIC, Slot};
    use super::super::index::Index;
    use super::super::shape::Shape;
    use super::super::work::Work;
    let mut dice = Dice(5);
    for v6 in [false, true] {
        let mut rows: Vec<Row> = Vec::new();
        for i in 0..600 {
            let protocol = dice.pick(&[TCP, UDP, ICMP, GRE]);
            let mut s = sample(v6, i, dice.below(9), protocol, 40 + dice.below(4));
            s.headers.ttl = (60 + dice.below(4)) as u8;
            s.headers.ports =
                matches!(protocol, TCP | UDP).then_some((dice.below(4) as u16, dice.below(4) as u16));
            s.headers.icmp = (protocol == ICMP).then_some((dice.below(4) as u8, dice.below(4) as u8));
            s.headers.tcp =
                (protocol == TCP).then_some(Tcp { flags: 2, window: dice.below(4) as u16, options_len: 0 });
            s.detail = dice.pick(&[Detail::Packet, Detail::Flow]);
            rows.push(Row::of(&s));
        }
        let arena = Arena::new(rows.clone(), (rows.clone(), Vec::new()), 0.01, 1.0, Work::of(u64::MAX));
        let index = Index::of(&arena);
        // A part of the rows: numbers of the excerpt are not those of the arena.
        let part = |of: usize| Bits::of(rows.len(), |i| i % of != 0);
        let cell = Cell { shape: Shape::of(&rows[0], None), left: part(3), benign: part(2) };
        let excerpt = Excerpt::of(&arena, &index, &cell);
        let mut facts = Vec::new();
        for slot in NUMERIC {
            for from in [0, 1, 41, 42, 61, 62] {
                let range = |from| rules::Range { from, to: from + 1 };
                for ranges in [alloc::vec![range(from)], alloc::vec![range(from), range(from + 3)]] {
                    let ask = Ask::Numbers(rules::Numbers(ranges));
                    facts.push(Fact { slot, ask, tight: 0.0, around: false });
                }
            }
        }
        for (source, bits) in [(3, 128), (3, 64), (3, 32), (0, 29), (4, 30), (0, 0)] {
            let ask = Ask::Source(Prefix::of(host(v6, source), bits));
            facts.push(Fact { slot: Slot::Source, ask, tight: 0.0, around: false });
        }
        let mut held = 0;
        for item in excerpt.ask(facts) {
            let m = item.fact.matches();
            for (found, side, unknown) in [
                (&item.attack, &excerpt.attack, Unknown::Misses),
                (&item.benign, &excerpt.benign, Unknown::Matches),
            ] {
                for (i, at) in side.rows.iter().enumerate() {
                    let row = &rows[*at];
                    assert_eq!(
                        found.contains(i),
                        holds(&m, row, unknown),
                        "{:?} {unknown:?} {row:?}",
                        item.fact
                    );
                    held += usize::from(found.contains(i));
                }
            }
            assert_eq!(item.count, item.attack.count());
        }
        assert!(held > 1000, "{held}");
    }
}

#[test]
fn a_floods_rules_are_those_of_a_search_without_bound() {
    // Requests of forty lengths, each a little rarer than the one before: no rule names more than eight.
    let attack = many(4096, |d, i| {
        let kind = d.below(40).min(d.below(60));
        let mut s = sample(false, i, d.below(u32::MAX), TCP, 200 + 30 * kind);
        s.headers.ttl = (40 + d.below(90)) as u8;
        tcp(s, (d.port(), 443), flags::ACK | flags::PSH, (500 + d.below(8) * 400) as u16)
    });
    let honest = many(4096, |d, i| {
        let mut s = sample(false, i, 0x0a00_0000 + d.below(900), TCP, 60 + d.below(1400));
        s.headers.ttl = (40 + d.below(90)) as u8;
        tcp(s, (d.port(), 443), flags::ACK | flags::PSH, (500 + d.below(8) * 400) as u16)
    });
    let targets = [target(false)];
    let request = Request { stability: Some(1.0), ..Request::new(&attack, &honest, &targets) };
    let bounded = derive(&request);
    let free = derive(&Request { work: u64::MAX / 2, ..request });
    assert!(!bounded.cut && bounded.rules.len() > 3, "{bounded:?}");
    assert_eq!(bounded, free);
}
