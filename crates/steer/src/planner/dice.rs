//! Numbers without a pattern, the same ones each time.

use base::hash::Mixer;

/// A sequence of numbers.
pub(super) struct Dice {
    rolls: u64,
}

impl Dice {
    /// From the first number on.
    pub(super) const fn new() -> Self {
        Self { rolls: 0 }
    }

    fn roll(&mut self) -> u64 {
        self.rolls += 1;
        Mixer::new(0x5111).with(self.rolls).finish()
    }

    /// Below n; 0 for 0.
    #[expect(clippy::cast_possible_truncation, reason = "the result is below n")]
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.roll()) * n as u128) >> 64) as usize
    }

    /// In 0..1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
