//! 1:N random packet sampling, as sFlow §3.1 and RFC 5475 §5.2.2.1 mean it.

use crate::rng::Rng;

/// Decides which packets are sampled. The gap to the next one is geometric, so that each packet has the same chance.
#[derive(Clone, Debug)]
pub struct Sampler {
    rate: u32,
    rng: Rng,
    skip: u64,
    pool: u64,
}

impl Sampler {
    /// One of `rate` packets; 0 and 1 take each.
    pub fn new(rate: u32, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let skip = rng.gap(rate);
        Self { rate: rate.max(1), rng, skip, pool: 0 }
    }

    /// Whether this packet is taken.
    pub fn take(&mut self) -> bool {
        self.pool += 1;
        self.skip -= 1;
        if self.skip > 0 {
            return false;
        }
        self.skip = self.rng.gap(self.rate);
        true
    }

    /// For a stream that was thinned before: this packet is taken, and the pool grows by those which were not.
    pub fn taken(&mut self) {
        self.pool += self.rng.gap(self.rate);
    }

    /// N of 1:N.
    pub const fn rate(&self) -> u32 {
        self.rate
    }

    /// Packets seen so far.
    pub const fn pool(&self) -> u64 {
        self.pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_is_taken_and_the_pool_counts_all() {
        let mut sampler = Sampler::new(100, 5);
        let taken = (0..1_000_000).filter(|_| sampler.take()).count();
        assert!((9_700..10_300).contains(&taken), "{taken}");
        assert_eq!(sampler.pool(), 1_000_000);
    }
}
