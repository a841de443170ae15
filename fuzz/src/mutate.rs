//! Small damages: what wires, clocks and attackers do to octets.

use crate::rng::Rng;

/// Longest input made: a UDP payload is at most 65,507 octets, most are below 1,500.
pub const INPUT_MAX: usize = 4096;

/// Lengths, counts and ids at which decoders tend to break.
const EDGES: &[u32] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    10,
    15,
    16,
    17,
    20,
    31,
    32,
    40,
    63,
    64,
    127,
    128,
    255,
    256,
    257,
    512,
    1023,
    1024,
    1500,
    4095,
    4096,
    0x7fff,
    0x8000,
    0x8001,
    0xfffe,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

/// One to eight damages.
pub fn mutate(rng: &mut Rng, input: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..=rng.below(8) {
        once(rng, input, others);
    }
    input.truncate(INPUT_MAX);
}

fn once(rng: &mut Rng, input: &mut Vec<u8>, others: &[Vec<u8>]) {
    let len = input.len();
    let at = rng.below(len);
    match rng.below(10) {
        0 => flip(rng, input, at),
        1 => set(input, at, &[rng.octet()]),
        2 => set(input, at, &[edge(rng)[3]]),
        // fields are mostly aligned to two or four octets
        3 => set(input, at & !1, &edge(rng)[2..]),
        4 => set(input, at & !3, &edge(rng)),
        5 => input.truncate(at),
        6 => drop(input.drain(at..len.min(at + 1 + rng.below(16)))),
        7 => repeat(rng, input, at),
        8 => splice(rng, input, at, others),
        _ => input.insert(at, rng.octet()),
    }
}

fn edge(rng: &mut Rng) -> [u8; 4] {
    rng.pick(EDGES).copied().unwrap_or(0).to_be_bytes()
}

fn flip(rng: &mut Rng, input: &mut [u8], at: usize) {
    if let Some(octet) = input.get_mut(at) {
        *octet ^= 1 << rng.below(8);
    }
}

fn set(input: &mut [u8], at: usize, with: &[u8]) {
    if let Some(place) = input.get_mut(at..at + with.len()) {
        place.copy_from_slice(with);
    }
}

/// A piece stands there once or several times more.
fn repeat(rng: &mut Rng, input: &mut Vec<u8>, at: usize) {
    let piece: Vec<u8> = input.iter().skip(at).take(1 + rng.below(64)).copied().collect();
    for _ in 0..=rng.below(4) {
        if input.len() < INPUT_MAX {
            input.splice(at..at, piece.iter().copied());
        }
    }
}

/// The rest of another input follows.
fn splice(rng: &mut Rng, input: &mut Vec<u8>, at: usize, others: &[Vec<u8>]) {
    let Some(other) = rng.pick(others) else { return };
    input.truncate(at);
    let from = if rng.below(2) == 0 { at.min(other.len()) } else { rng.below(other.len()) };
    input.extend(other.iter().skip(from).copied());
}
