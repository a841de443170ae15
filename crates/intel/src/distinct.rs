//! How many different addresses there were, in constant memory.

/// Registers: 2¹⁶ give a standard error of 0.41 % (Flajolet et al. 2007, 1.04/√m).
const BITS: u32 = 16;
const REGISTERS: usize = 1 << BITS;
/// From Flajolet et al. 2007, figure 3, for m ≥ 128.
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / 65_536.0);

/// HyperLogLog. Whoever reads this could choose addresses that fall into few registers, so callers hash under a key.
#[derive(Clone, Debug)]
pub(crate) struct Distinct {
    registers: Vec<u8>,
}

impl Distinct {
    /// Of nothing.
    pub(crate) fn new() -> Self {
        Self { registers: vec![0; REGISTERS] }
    }

    /// Adds one value by its hash, [`Mixer`](base::hash::Mixer) of all of its bits.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let at = register(hash);
        // The guard bit ends the run of zeros.
        let run = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() + 1;
        if let Some(register) = self.registers.get_mut(at) {
            *register = (*register).max(u8::try_from(run).unwrap_or(u8::MAX));
        }
    }

    /// Looks where [`Self::add`] will look, so that the memory is near by then; the number means nothing.
    #[inline]
    pub(crate) fn approach(&self, hash: u64) -> u64 {
        self.registers.get(register(hash)).copied().unwrap_or(0).into()
    }

    /// The estimate. Few values are counted by the registers that stayed empty.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate of a count")]
    pub(crate) fn count(&self) -> u64 {
        let m = f64::from(1u32 << BITS);
        let sum: f64 = self.registers.iter().map(|r| libm::exp2(-f64::from(*r))).sum();
        let raw = ALPHA * m * m / sum;
        let empty = self.registers.iter().map(|r| u32::from(*r == 0)).sum::<u32>();
        let estimate = if raw <= 2.5 * m && empty > 0 { m * libm::log(m / f64::from(empty)) } else { raw };
        libm::round(estimate) as u64
    }
}

#[inline]
fn register(hash: u64) -> usize {
    usize::try_from(hash >> (64 - BITS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use base::hash::Mixer;

    use super::*;

    #[test]
    fn counts_are_within_two_percent_over_six_orders_of_magnitude() {
        let mut distinct = Distinct::new();
        let mut next = 1u64;
        for n in 1..=4_000_000u64 {
            let hash = Mixer::new(7).with_wide(u128::from(n)).finish();
            distinct.add(hash);
            distinct.add(hash);
            if n == next {
                let off = (distinct.count() as f64 / n as f64 - 1.0).abs();
                assert!(off <= 0.02, "{n}: {}", distinct.count());
                next *= 10;
            }
        }
        assert!((distinct.count() as f64 / 4e6 - 1.0).abs() <= 0.02);
    }
}
