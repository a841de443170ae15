//! What a piece of input may cost.

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
    let most = VISITS_MAX * u64::try_from(octets.max(1)).expect("usize is at most 64 bits");
    assert!(visited <= most, "{visited} octets or fields visited for {octets} octets; at most {most}");
}

fn assert_memory(cost: &AllocationInfo, most: u64) {
    assert!(cost.bytes_max <= most, "{} octets of memory at once; at most {most}", cost.bytes_max);
}
