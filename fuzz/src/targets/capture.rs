//! Capture files, pcap and pcapng.

use std::io::Cursor;

use spillway::capture::Capture;

use super::Target;
use crate::measure::{Outcome, within};
use crate::seeds;

/// One buffer of a mebibyte that grows for a long record, and the words of an error.
const HELD_MAX: u64 = 3 << 20;

pub(super) const TARGET: Target = Target { name: "capture", seeds: seeds::captures, run };

fn run(input: &[u8]) -> Outcome {
    let source = Box::new(Cursor::new(input.to_vec()));
    within(HELD_MAX, || {
        let Ok(mut capture) = Capture::read("fuzz", source) else { return Outcome::of(0).with("refused") };
        let mut packets = 0;
        loop {
            match capture.next() {
                Ok(Some(packet)) => {
                    packets += 1;
                    assert!(packet.bytes.len() <= input.len());
                    // the shortest record of either format is a header of 16 octets
                    assert!(packets <= input.len() / 16, "more packets than fit the file");
                }
                Ok(None) => return Outcome::of(packets),
                Err(_) => return Outcome::of(packets).with("damaged"),
            }
        }
    })
}
