//! What all own hosts together received in a tick.

use detect::cell::Side;

use crate::tick::Tick;

/// Packets and layer-3 octets of one tick, estimated where sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub bytes: u64,
}

impl Received {
    /// Of a merged tick. Without own networks, every host is one.
    pub(crate) fn of(tick: &Tick) -> Self {
        let received = tick.counts.cells.iter().filter(|(key, _)| key.side == Side::Received);
        received.fold(Self::default(), |sum, (_, cell)| Self {
            packets: sum.packets.saturating_add(cell.packets),
            bytes: sum.bytes.saturating_add(cell.bytes),
        })
    }
}
