//! The only source of chance: xoshiro256++ (Blackman and Vigna 2018), seeded through SplitMix64.

use base::hash::Mixer;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The stream of this seed.
    pub const fn new(seed: u64) -> Self {
        let mix = Mixer::new(seed);
        Self([mix.with(1).finish(), mix.with(2).finish(), mix.with(3).finish(), mix.with(4).finish() | 1])
    }

    /// The stream of a named part of this seed.
    pub const fn part(seed: u64, part: u64) -> Self {
        Self::new(Mixer::new(seed).with(part).finish())
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    /// 32 random bits.
    #[inline]
    pub const fn u32(&mut self) -> u32 {
        (self.bits() >> 32) as u32
    }

    /// 16 random bits.
    #[inline]
    pub const fn u16(&mut self) -> u16 {
        (self.bits() >> 48) as u16
    }

    /// 8 random bits.
    #[inline]
    pub const fn u8(&mut self) -> u8 {
        (self.bits() >> 56) as u8
    }

    /// Uniform in 0..n; 0 for n = 0.
    #[inline]
    pub const fn below(&mut self, n: u64) -> u64 {
        ((self.bits() as u128 * n as u128) >> 64) as u64
    }

    /// Uniform in lo..=hi.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the result is at most hi")]
    pub const fn range(&mut self, lo: u32, hi: u32) -> u32 {
        lo + self.below((hi.saturating_sub(lo)) as u64 + 1) as u32
    }

    /// Uniform in lo..=hi.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the result is at most hi")]
    pub const fn range16(&mut self, lo: u16, hi: u16) -> u16 {
        self.range(lo as u32, hi as u32) as u16
    }

    /// Uniform in [0, 1).
    #[inline]
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with probability `p`.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of them; the default for none.
    pub fn pick<T: Copy + Default>(&mut self, of: &[T]) -> T {
        let at = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        of.get(at).copied().unwrap_or_default()
    }

    /// Index of one of these weights.
    pub fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        for (at, weight) in weights.enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        0
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Normal with mean 0 and variance 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let r = libm::sqrt(2.0 * self.exponential());
        r * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// Poisson with this mean: by products below 30, else by the normal limit, which is within the noise of any test here.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            return round(mean + libm::sqrt(mean) * self.normal());
        }
        let limit = libm::exp(-mean);
        let mut product = self.unit();
        let mut n = 0;
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }

    /// Pareto with shape `alpha` between `lo` and `hi`.
    pub fn pareto(&mut self, alpha: f64, lo: f64, hi: f64) -> f64 {
        bounded_pareto(self.unit(), alpha, lo, hi)
    }

    /// Packets until the next one of 1:n is taken, itself counted: geometric with mean n.
    pub fn gap(&mut self, n: u32) -> u64 {
        if n <= 1 {
            return 1;
        }
        1 + round(libm::floor(-self.exponential() / libm::log1p(-1.0 / f64::from(n))))
    }
}

/// Inverse distribution function of the bounded Pareto distribution; `alpha` may be anything but 0.
pub fn bounded_pareto(u: f64, alpha: f64, lo: f64, hi: f64) -> f64 {
    let (l, h) = (libm::pow(lo, -alpha), libm::pow(hi, -alpha));
    libm::pow(l - u * (l - h), -1.0 / alpha)
}

/// To the nearest whole number; 0 for what is below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating float to int is what is meant"
)]
pub fn round(value: f64) -> u64 {
    libm::round(value.max(0.0)) as u64
}

/// A discrete distribution drawn from in constant time (Walker's alias method).
#[derive(Clone, Debug)]
pub struct Alias {
    slots: Vec<(f32, u32)>,
}

impl Alias {
    /// From weights, which need not sum to anything.
    #[expect(clippy::cast_possible_truncation, reason = "a probability needs no more than 24 bits")]
    pub fn new(weights: &[f64]) -> Self {
        let n = weights.len();
        let total: f64 = weights.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "tables are small")]
        let mut scaled: Vec<f64> = weights.iter().map(|w| w / total * n as f64).collect();
        let mut slots = vec![(1.0f32, 0u32); n];
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&i| scaled.get(i).is_some_and(|&w| w < 1.0));
        while let (Some(s), Some(&l)) = (small.pop(), large.last()) {
            let have = scaled.get(s).copied().unwrap_or(1.0);
            if let Some(slot) = slots.get_mut(s) {
                *slot = (have as f32, u32::try_from(l).unwrap_or(0));
            }
            if let Some(rest) = scaled.get_mut(l) {
                *rest -= 1.0 - have;
                if *rest < 1.0 {
                    large.pop();
                    small.push(l);
                }
            }
        }
        Self { slots }
    }

    /// Zipf over `n` ranks with exponent `s`.
    pub fn zipf(n: u32, s: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|rank| libm::pow(f64::from(rank), -s)).collect();
        Self::new(&weights)
    }

    /// One index.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        let at = rng.below(self.slots.len() as u64);
        match usize::try_from(at).ok().and_then(|at| self.slots.get(at)) {
            Some(&(p, other)) if rng.unit() >= f64::from(p) => other,
            _ => u32::try_from(at).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn means_are_what_they_claim() {
        let mut rng = Rng::new(1);
        let n = 200_000u32;
        let mean = |f: &mut dyn FnMut(&mut Rng) -> f64, rng: &mut Rng| {
            (0..n).map(|_| f(rng)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&mut |r| r.poisson(3.0) as f64, &mut rng) - 3.0).abs() < 0.02);
        assert!((mean(&mut |r| r.poisson(80.0) as f64, &mut rng) - 80.0).abs() < 0.2);
        assert!((mean(&mut |r| r.gap(100) as f64, &mut rng) - 100.0).abs() < 1.0);
        assert!((mean(&mut Rng::exponential, &mut rng) - 1.0).abs() < 0.01);
        assert!(mean(&mut Rng::normal, &mut rng).abs() < 0.01);
    }

    #[test]
    fn zipf_gives_the_first_rank_its_share() {
        let table = Alias::zipf(1000, 1.0);
        let mut rng = Rng::new(2);
        let harmonic: f64 = (1..=1000).map(|k| 1.0 / f64::from(k)).sum();
        let firsts = (0..100_000).filter(|_| table.draw(&mut rng) == 0).count();
        let expected = 100_000.0 / harmonic;
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let found = firsts as f64;
        assert!((found / expected - 1.0).abs() < 0.05, "{found} of {expected}");
    }
}
