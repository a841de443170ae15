//! Who sends a stream that simmers: seconds of single samples, of which the last moments show too few to tell a few senders
//! from many.

use base::hash;
use base::prefix::wide;
use detect::class::Class;
use detect::sample::Sample;

/// A sketch of the senders since a test last stood at zero: one bit each (Whang et al. 1990), and the packets looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sketch {
    bits: u64,
    seen: u16,
}

impl Sketch {
    /// Packets looked at in one tick at most: where there are more, the last moments show enough.
    pub(crate) const TICK_MAX: u32 = 16;

    /// Adds the examples of a class.
    pub(crate) fn note(&mut self, samples: &[(u64, Sample)], class: Class) {
        for (_, sample) in samples.iter().filter(|(_, s)| s.class == class) {
            let source = wide(sample.headers.src);
            let source = if sample.headers.src.is_ipv4() { source } else { source >> 64 };
            self.bits |= 1 << (hash::pair(0x7365_6e64, source, 0, 0) & 63);
            self.seen = self.seen.saturating_add(1);
        }
    }

    /// Packets looked at.
    pub(crate) fn seen(self) -> u64 {
        self.seen.into()
    }

    /// Distinct senders among them, about, by the bits that stayed free; never more than packets.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most some hundreds")]
    pub(crate) fn distinct(self) -> u64 {
        let free = f64::from(self.bits.count_zeros()).max(0.5);
        ((64.0 * (64.0 / free).ln()).round() as u64).min(self.seen())
    }

    /// Share that the busiest can have at most, when each of the others has one packet at least.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    pub(crate) fn top_max(self) -> f64 {
        if self.seen == 0 { 1.0 } else { (self.seen() + 1 - self.distinct()) as f64 / self.seen() as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sources: &[u32]) -> Sketch {
        let mut senders = Sketch::default();
        for source in sources {
            senders.bits |= 1 << (hash::pair(0x7365_6e64, u128::from(*source), 0, 0) & 63);
            senders.seen += 1;
        }
        senders
    }

    #[test]
    fn many_senders_are_told_from_few() {
        let many = of(&(0..25).collect::<Vec<_>>());
        assert!((20..=25).contains(&many.distinct()) && many.top_max() < 0.25, "{many:?}");
        let few = of(&[1, 2, 1, 1, 2, 2, 1, 2, 1]);
        assert_eq!((few.seen(), few.distinct()), (9, 2));
        assert_eq!(Sketch::default().top_max(), 1.0);
    }
}
