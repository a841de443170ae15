//! How long to wait before the next attempt.

use base::Span;
use sha2::{Digest as _, Sha256};

/// Twice as long each time from `first` up to `longest`, and up to a quarter off, by a hash of message and attempt: what failed
/// together does not come again together, and the same message waits the same time in every run.
pub(crate) fn backoff(id: &str, attempt: u32, first: Span, longest: Span) -> Span {
    let doublings = attempt.saturating_sub(1).min(32);
    let whole = first.nanos().saturating_mul(1u64 << doublings).min(longest.nanos());
    let digest = Sha256::new().chain_update(id).chain_update(attempt.to_be_bytes()).finalize();
    let chance = digest.iter().take(2).fold(0u64, |sum, octet| sum << 8 | u64::from(*octet));
    Span::from_nanos(whole - whole / 4 / 65_536 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_differ_by_message() {
        let (first, longest) = (Span::from_secs(1), Span::from_secs(300));
        let wait = |id: &str, attempt| backoff(id, attempt, first, longest);
        for attempt in 1..=40 {
            let whole = (1u64 << (attempt - 1).min(20)).min(300);
            let got = wait("a", attempt);
            assert!(got <= Span::from_secs(whole), "{attempt}: {got}");
            assert!(got >= Span::from_millis(whole * 750), "{attempt}: {got}");
        }
        assert_eq!(wait("a", 3), wait("a", 3));
        assert_ne!(wait("a", 3), wait("b", 3));
        assert_eq!(backoff("a", u32::MAX, Span::ZERO, longest), Span::ZERO);
    }
}
