//! The busiest second of an attack.

use std::collections::VecDeque;

/// The busiest second, in steps of a fifth of a tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlidingSecond {
    parts: VecDeque<(u64, u64, u64)>,
    packets: u64,
    bytes: u64,
    pub(crate) packets_max: u64,
    pub(crate) bytes_max: u64,
}

impl SlidingSecond {
    /// Adds counts at `part`, a running number of which `per_second` make a second. Parts come in order.
    pub(super) fn add(&mut self, part: u64, per_second: u64, packets: u64, bytes: u64) {
        if packets == 0 && bytes == 0 {
            return;
        }
        match self.parts.back_mut() {
            Some(last) if last.0 == part => {
                last.1 += packets;
                last.2 += bytes;
            }
            _ => self.parts.push_back((part, packets, bytes)),
        }
        self.packets += packets;
        self.bytes += bytes;
        while let Some(&(old, p, b)) = self.parts.front() {
            if part.saturating_sub(old) < per_second {
                break;
            }
            self.packets -= p;
            self.bytes -= b;
            self.parts.pop_front();
        }
        self.packets_max = self.packets_max.max(self.packets);
        self.bytes_max = self.bytes_max.max(self.bytes);
    }
}
