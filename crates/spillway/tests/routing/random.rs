//! Random rules that FlowSpec can say, each with a destination of its own.
#![expect(clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::Prefix;
use rules::{Action, Flags, Fragments, Match, Numbers, Range, Rule, parse};
use sim::rng::Rng;

/// Flags that ExaBGP knows by name: FIN to NS.
const FLAGS: u64 = 0x200;

/// Packet lengths that ExaBGP reads: it ends the session over longer ones.
pub(super) const SHORT: u32 = 65_535;

/// A rule of this family, with packet lengths up to `longest`. Its number is in its destination, so that no two rules have the same NLRI.
pub(super) fn rule(rng: &mut Rng, number: u32, v6: bool, longest: u32) -> Rule {
    let mut rule: Rule = parse::rules("x dst 192.0.2.1/32 -> drop\n").unwrap().remove(0);
    rule.id = format!("r{number}");
    rule.matches = matches(rng, number, v6);
    rule.matches.length = maybe(rng, 4, |rng| lengths(rng, longest));
    rule.action = action(rng, v6);
    rule
}

fn maybe<T>(rng: &mut Rng, one_in: u64, of: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (rng.below(one_in) == 0).then(|| of(rng))
}

fn matches(rng: &mut Rng, number: u32, v6: bool) -> Match {
    let (dst, src) = match v6 {
        // A bit more than the numbers need, so that lengths differ.
        true => {
            let net = (0x2001_0db8_u128 << 96) | (u128::from(number) << 64);
            let bits = u8::try_from(rng.range(64, 128)).unwrap();
            let host = net | u128::from(rng.bits());
            (Prefix::of(Ipv6Addr::from(host).into(), bits), source6(rng))
        }
        false => {
            let bits = u8::try_from(rng.range(26, 32)).unwrap();
            let host = 0x0a00_0000 | (number << 6) | rng.range(0, 63);
            (Prefix::of(Ipv4Addr::from(host).into(), bits), source4(rng))
        }
    };
    let fragments = if v6 { 15 } else { 31 };
    Match {
        dst: Some(dst),
        src: maybe(rng, 3, |_| src),
        protocol: maybe(rng, 2, Rng::u8),
        port: maybe(rng, 6, |rng| numbers(rng, 65535)),
        dst_port: maybe(rng, 4, |rng| numbers(rng, 65535)),
        src_port: maybe(rng, 4, |rng| numbers(rng, 65535)),
        icmp_type: maybe(rng, 6, |rng| numbers(rng, 255)),
        icmp_code: maybe(rng, 6, |rng| numbers(rng, 255)),
        tcp_flags: maybe(rng, 4, flags),
        dscp: maybe(rng, 6, |rng| numbers(rng, 63)),
        fragment: maybe(rng, 5, |rng| kinds(rng.range(1, fragments))),
        ..Match::default()
    }
}

fn source4(rng: &mut Rng) -> Prefix {
    Prefix::of(Ipv4Addr::from(rng.u32()).into(), u8::try_from(rng.range(0, 32)).unwrap())
}

fn source6(rng: &mut Rng) -> Prefix {
    let address = u128::from(rng.bits()) << 64 | u128::from(rng.bits());
    Prefix::of(Ipv6Addr::from(address).into(), u8::try_from(rng.range(0, 128)).unwrap())
}

/// One to three ranges; small numbers and large ones, so that values of each length occur.
fn numbers(rng: &mut Rng, max: u32) -> Numbers {
    let mut value = || {
        let most = [255, 65535, max][usize::try_from(rng.below(3)).unwrap()].min(max);
        (rng.range(0, most), rng.below(4))
    };
    let mut range = || {
        let ((a, kind), (b, _)) = (value(), value());
        match kind {
            0 => Range::one(a),
            1 => Range { from: a, to: max },
            2 => Range { from: 0, to: a },
            _ => Range { from: a.min(b), to: a.max(b) },
        }
    };
    let mut list = vec![range()];
    if list[0].from % 2 == 1 {
        list.extend([range(), range()]);
    }
    Numbers(list)
}

/// Values up to `longest`; a range without an end goes on to where the field ends.
fn lengths(rng: &mut Rng, longest: u32) -> Numbers {
    let mut list = numbers(rng, longest);
    for range in &mut list.0 {
        if range.to == longest && range.from < longest {
            range.to = u32::MAX;
        }
    }
    list
}

fn flags(rng: &mut Rng) -> Vec<Flags> {
    let count = rng.range(1, 3);
    let mut one = || {
        let mask = u16::try_from(rng.below(FLAGS - 1) + 1).unwrap();
        Flags { value: rng.u16() & mask, mask }
    };
    (0..count).map(|_| one()).collect()
}

fn kinds(bits: u32) -> Fragments {
    let is = |bit: u32| bits & bit != 0;
    Fragments { none: is(1), is: is(2), first: is(4), last: is(8), dont: is(16) }
}

fn action(rng: &mut Rng, v6: bool) -> Action {
    let to: IpAddr = match v6 {
        true => Ipv6Addr::from(u128::from(rng.bits()) << 64 | 1).into(),
        false => Ipv4Addr::from(rng.u32()).into(),
    };
    match rng.below(5) {
        0 => Action::Pass,
        1 => Action::Drop,
        // Whole octets of single precision: rates are IEEE singles in FlowSpec.
        2 => Action::RateBits(f64::from(rng.range(1, 1 << 20)) * 8.0),
        3 => Action::RatePackets(f64::from(rng.range(1, 1 << 20))),
        _ => Action::Redirect(to),
    }
}
