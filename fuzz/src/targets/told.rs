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
    within(MEMORY_MAX, || {
        let (mut rest, mut outcome) = (input, Outcome::of(0));
        loop {
            match bmp::frame(rest) {
                Ok(Some((kind, body, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    outcome = match bmp::read(kind, body) {
                        Ok(Message::Routes { .. }) => outcome.with("routes"),
                        Ok(Message::PeerUp { .. }) => outcome.with("up"),
                        Ok(Message::PeerDown { .. }) => outcome.with("down"),
                        Ok(_) => outcome.with("other"),
                        Err(fault) => outcome.with(fault.name()),
                    };
                }
                Ok(None) => break outcome,
                Err(fault) => break outcome.with(fault.name()),
            }
        }
    })
}

fn run_rtr(input: &[u8]) -> Outcome {
    within(MEMORY_MAX, || {
        let (mut rest, mut outcome) = (input, Outcome::of(0));
        loop {
            match rtr::read(rest) {
                Ok(Some((_, pdu, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    outcome = outcome.with(match pdu {
                        Pdu::Prefix { .. } => "prefix",
                        Pdu::EndOfData { .. } => "end",
                        Pdu::Error { .. } => "error",
                        _ => "other",
                    });
                }
                Ok(None) => break outcome,
                Err(fault) => break outcome.with(fault.name()),
            }
        }
    })
}
