//! What others have at an absorber: of its head-room, what is missing beside ours.

use std::collections::VecDeque;

use base::Timestamp;

use super::word::Load;

/// What is missing in so many reports one after the other is missing: a report may be older than what was asked since.
const REPORTS: usize = 3;

/// Follows the reports.
#[derive(Clone, Debug, Default)]
pub struct Others {
    noted: Option<Timestamp>,
    missing: VecDeque<(Load, usize)>,
}

impl Others {
    /// A report came: what the absorber takes at most, what it says is free, and what ours have there; and places for prefixes that
    /// are neither free nor ours.
    pub fn note(&mut self, at: Timestamp, capacity: Load, free: Load, ours: Load, places: usize) {
        if self.noted == Some(at) {
            return;
        }
        self.noted = Some(at);
        if self.missing.len() >= REPORTS {
            self.missing.pop_front();
        }
        self.missing.push_back((capacity.less(free).less(ours), places));
    }

    /// What others have, as far as it is sure.
    pub fn load(&self) -> Load {
        if self.missing.len() < REPORTS {
            return Load::default();
        }
        let least = |of: fn(&Load) -> u64| self.missing.iter().map(|(load, _)| of(load)).min().unwrap_or(0);
        Load { bps: least(|load| load.bps), pps: least(|load| load.pps) }
    }

    /// Prefixes that they have, as far as it is sure.
    pub fn prefixes(&self) -> usize {
        let all = self.missing.iter().map(|(_, places)| *places);
        if self.missing.len() < REPORTS { 0 } else { all.min().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn load(bps: u64) -> Load {
        Load { bps, pps: 0 }
    }

    #[test]
    fn what_others_have_is_believed_when_three_reports_say_so() {
        let mut others = Others::default();
        for second in 1..=2 {
            others.note(Timestamp::from_secs(second), load(100), load(30), load(50), 2);
        }
        assert_eq!(others.load(), Load::default());
        // The same report, seen again, is no other.
        others.note(Timestamp::from_secs(2), load(100), load(30), load(50), 2);
        assert_eq!(others.load(), Load::default());
        others.note(Timestamp::from_secs(3), load(100), load(35), load(50), 2);
        assert_eq!((others.load(), others.prefixes()), (load(15), 2));
        // Ours was let go, and the report does not know it yet.
        others.note(Timestamp::from_secs(4), load(100), load(35), load(0), 3);
        assert_eq!(others.load(), load(15));
        others.note(Timestamp::from_secs(5), load(100), load(100), load(0), 0);
        assert_eq!(others.load(), Load::default());
    }
}
