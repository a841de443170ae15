//! Sequence numbers: how much was lost on the way, and when an exporter began anew.

/// What the next number told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The first one, or as expected.
    Fine,
    /// So many units are missing.
    Gap(u32),
    /// An older one came late; it had been counted as missing.
    Late,
    /// The exporter counts anew.
    Restart,
}

/// A gap above this is no loss but another beginning. 2²⁰ datagrams or records is far beyond what a network loses
/// between two datagrams that do arrive.
const GAP_MAX: u32 = 1 << 20;
/// Datagrams come late by less than this.
const LATE_MAX: u32 = 1 << 10;

/// One stream of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    expected: Option<u32>,
    uptime: u32,
}

impl Sequence {
    /// Takes a number and how many units it stands for; `None` when that could not be counted (IPFIX data without
    /// its template), so that the next number is believed as it is. `uptime` in milliseconds where the format has it.
    pub(crate) fn step(&mut self, number: u32, units: Option<u32>, uptime: Option<u32>) -> Step {
        let next = units.map(|n| number.wrapping_add(n));
        // An uptime that falls by more than reordering explains; a wrap falls by nearly all 2³².
        let rebooted = uptime.is_some_and(|now| {
            let fall = self.uptime.wrapping_sub(now);
            now < self.uptime && fall > 60_000 && fall < 1 << 31
        });
        let Some(expected) = self.expected else {
            self.expected = next;
            self.uptime = uptime.unwrap_or(0);
            return Step::Fine;
        };
        let ahead = number.wrapping_sub(expected);
        let step = match ahead {
            0 => Step::Fine,
            _ if rebooted => Step::Restart,
            1..=GAP_MAX => Step::Gap(ahead),
            _ if expected.wrapping_sub(number) <= LATE_MAX && number > LATE_MAX => return Step::Late,
            _ => Step::Restart,
        };
        self.expected = next;
        self.uptime = uptime.unwrap_or(0);
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_ones_wraps_and_restarts_are_told_apart() {
        let mut s = Sequence::default();
        let mut step = |n, up| s.step(n, Some(1), Some(up));
        assert_eq!(step(4_294_967_294, 100_000), Step::Fine);
        assert_eq!(step(4_294_967_295, 100_001), Step::Fine);
        assert_eq!(step(0, 100_002), Step::Fine);
        assert_eq!(step(5000, 100_003), Step::Gap(4999));
        assert_eq!(step(4990, 100_003), Step::Late);
        assert_eq!(step(5001, 100_004), Step::Fine);
        assert_eq!(step(1, 5), Step::Restart);
        assert_eq!(step(2, 6), Step::Fine);
    }

    #[test]
    fn an_uncounted_message_forgives_the_next_number() {
        let mut s = Sequence::default();
        assert_eq!(s.step(10, None, None), Step::Fine);
        assert_eq!(s.step(99, Some(3), None), Step::Fine);
        assert_eq!(s.step(104, Some(1), None), Step::Gap(2));
    }
}
