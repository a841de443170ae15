//! What a piece of input may cost.

use std::sync::atomic::{AtomicU64, Ordering};

use allocation_counter::{AllocationInfo, measure};

/// One datagram holds at most so much memory, at any moment of its decoding and after it.
pub const MEMORY_MAX: u64 = 64 << 10;

/// Octets or fields looked at per octet of input.
pub const VISITS_MAX: u64 = 64;

/// What came of an input: equal outcomes are not worth a second look.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// Things decoded, in powers of two.
    pub decoded: u32,
    /// Names of faults, sorted.
    pub faults: Vec<&'static str>,
    /// Words that tell outcomes apart, where no fault has a name.
    pub words: String,
}

impl Outcome {
    /// From a number of things decoded.
    pub fn of(decoded: usize) -> Self {
        Self { decoded: usize::BITS - decoded.leading_zeros(), ..Self::default() }
    }

    /// With a fault more.
    #[must_use]
    pub fn with(mut self, fault: &'static str) -> Self {
        if let Err(at) = self.faults.binary_search(&fault) {
            self.faults.insert(at, fault);
        }
        self
    }
}

static MEMORY_PEAK: AtomicU64 = AtomicU64::new(0);
static VISITS_PEAK: AtomicU64 = AtomicU64::new(0);

/// Most memory held at once, and most visits per octet, since this was asked last: how near the bounds are.
pub fn peaks() -> (u64, u64) {
    (MEMORY_PEAK.swap(0, Ordering::Relaxed), VISITS_PEAK.swap(0, Ordering::Relaxed))
}

/// Runs anything and asserts what it may hold at once.
///
/// # Panics
/// Where it holds more: that is the finding.
pub fn within<T>(most: u64, run: impl FnOnce() -> T) -> T {
    let mut done = None;
    let cost = measure(|| done = Some(run()));
    assert_memory(&cost, most);
    done.expect("measure calls its argument")
}

/// Asserts how much a decoder looked at.
///
/// # Panics
/// Where it was more: that is the finding.
pub fn assert_visits(visited: u64, octets: usize) {
    let octets = u64::try_from(octets.max(1)).expect("usize is at most 64 bits");
    VISITS_PEAK.fetch_max(visited.div_ceil(octets), Ordering::Relaxed);
    let most = VISITS_MAX * octets;
    assert!(visited <= most, "{visited} octets or fields visited for {octets} octets; at most {most}");
}

fn assert_memory(cost: &AllocationInfo, most: u64) {
    MEMORY_PEAK.fetch_max(cost.bytes_max, Ordering::Relaxed);
    assert!(cost.bytes_max <= most, "{} octets of memory at once; at most {most}", cost.bytes_max);
}
