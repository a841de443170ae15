//! What all targets together get while nothing is learned yet.

use detect::cell::Side;
use detect::class::COUNT;

use crate::target::TickCounts;
use crate::tick::Tick;

/// What everybody receives, by class: the only measure of a daemon that has just begun.
#[derive(Debug)]
pub(super) struct Crowd {
    packets: [u64; COUNT],
    hosts: [u32; COUNT],
}

impl Crowd {
    /// Hosts that make a crowd.
    const HOSTS_MIN: u32 = 64;

    pub(super) fn of(tick: &Tick) -> Self {
        let mut crowd = Self { packets: [0; COUNT], hosts: [0; COUNT] };
        for (key, cell) in tick.counts.cells.iter().filter(|(key, _)| key.side == Side::Received) {
            if let (Some(packets), Some(hosts)) =
                (crowd.packets.get_mut(key.class.index()), crowd.hosts.get_mut(key.class.index()))
            {
                *packets += cell.packets;
                *hosts += 1;
            }
        }
        crowd
    }

    /// Whether one target gets more of a class than all others together.
    #[expect(clippy::cast_precision_loss, reason = "counts of one tick")]
    pub(super) fn stands_out(&self, counts: &TickCounts, share: f64) -> bool {
        let at = counts.class.index();
        let all = self.packets.get(at).copied().unwrap_or(0);
        let hosts = self.hosts.get(at).copied().unwrap_or(0);
        hosts >= Self::HOSTS_MIN && share * counts.received.packets as f64 > all as f64 / 2.0
    }
}
