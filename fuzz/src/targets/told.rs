//! What monitored routers and RPKI caches send.

use wire::bmp::{self, Message};
use wire::rtr::{self, Pdu};

use super::Target;
use crate::measure::{MEMORY_MAX, Outcome, within};

pub(super) const BMP: Target = Target { name: "bmp", seeds: monitored, run: run_bmp };
pub(super) const RTR: Target = Target { name: "rtr", seeds: cached, run: run_rtr };

/// A message of each kind, as short as may be.
fn monitored() -> Vec<Vec<u8>> {
    (0..7).map(|kind| bmp::message(kind, &[0; 110])).collect()
}

/// A PDU of each kind.
fn cached() -> Vec<Vec<u8>> {
    let lengths = [12u8, 12, 8, 8, 20, 8, 32, 24, 8, 8, 16];
    let pdu = |(kind, length): (u8, u8)| {
        let mut octets = vec![1, kind, 0, 0, 0, 0, 0, length];
        octets.resize(usize::from(length), 0);
        octets
    };
    (0u8..).zip(lengths).map(pdu).collect()
}

fn run_bmp(input: &[u8]) -> Outcome {
    walked(input, |rest| {
        let Some((kind, body, length)) = bmp::frame(rest)? else { return Ok(None) };
        let name = match bmp::read(kind, body) {
            Ok(Message::Routes { .. }) => "routes",
            Ok(Message::PeerUp { .. }) => "up",
            Ok(Message::PeerDown { .. }) => "down",
            Ok(_) => "other",
            Err(fault) => fault.name(),
        };
        Ok(Some((name, length)))
    })
}

fn run_rtr(input: &[u8]) -> Outcome {
    walked(input, |rest| {
        let Some((_, pdu, length)) = rtr::read(rest)? else { return Ok(None) };
        let name = match pdu {
            Pdu::Prefix { .. } => "prefix",
            Pdu::EndOfData { .. } => "end",
            Pdu::Error { .. } => "error",
            _ => "other",
        };
        Ok(Some((name, length)))
    })
}

/// From message to message, each with what it is and how long.
fn walked(
    input: &[u8],
    next: impl Fn(&[u8]) -> Result<Option<(&'static str, usize)>, wire::Fault>,
) -> Outcome {
    within(MEMORY_MAX, || {
        let (mut rest, mut names) = (input, Vec::new());
        loop {
            match next(rest) {
                Ok(Some((name, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    names.push(name);
                }
                Ok(None) => break,
                Err(fault) => {
                    names.push(fault.name());
                    break;
                }
            }
        }
        let decoded = input.len() - rest.len();
        names.into_iter().fold(Outcome::of(decoded), Outcome::with)
    })
}
