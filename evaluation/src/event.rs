//! The events that are measured, what they have to be answered with, and how soon.

use engine::Floor;

/// What an event is to whom it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Has to be found.
    Attack,
    /// Has to be found; what counts beside is how soon the next pulse is answered.
    Pulses,
    /// Has to be left alone.
    Honest,
}

/// One line of the comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// In [`sim::scenario::measured`].
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) nature: Nature,
    /// Median seconds from the first attack packet, at most.
    pub(crate) aim: Option<f64>,
    pub(crate) floor: Floor,
}

/// All of them, in the order of the page.
pub(crate) const EVENTS: &[Event] = &[
    attack("syn-200k", "SYN flood 200 kpps", Some(0.5)),
    attack("syn-v6-200k", "SYN flood 200 kpps, IPv6", Some(0.5)),
    attack("dns-100k", "DNS amplification 100 kpps", Some(0.5)),
    attack("ntp-40k", "NTP amplification 40 kpps", Some(1.0)),
    attack("syn-25k", "SYN flood 25 kpps", Some(2.0)),
    Event { nature: Nature::Pulses, ..attack("pulses-150k", "pulses 150 kpps, 1 s in 10", Some(0.5)) },
    // The end of the tick in which the second pulse ends.
    Event {
        nature: Nature::Pulses,
        ..attack("short-pulses-100k", "short pulses 100 kpps, 0.3 s in 10", Some(10.5))
    },
    attack("carpet-1M", "carpet bombing 1 Mpps over a /24", Some(1.0)),
    Event {
        floor: Floor::Low,
        ..attack("low-and-slow-2k", "low and slow 2 kpps, 300 sources, `floor = \"low\"`", Some(15.0))
    },
    attack("crowd-syn-twin", "the crowd's twin: SYN flood 60 kpps", Some(3.0)),
    attack("crowd-ack-twin", "the crowd's twin: ACK flood 60 kpps", Some(3.0)),
    attack("crowd-handshake-twin", "the crowd's twin: handshakes without requests 60 kpps", Some(3.0)),
    attack("crowd-with-flood", "SYN flood 60 kpps hidden in the crowd", None),
    attack("outgoing-syn", "own host floods 50 kpps", None),
    attack("outgoing-scan", "own host scans a /16, 20 kpps", None),
    honest("crowd-60k", "flash crowd 60 kpps HTTPS"),
    honest("elephant", "one transfer of 80 kpps"),
    honest("background", "background 100 kpps"),
    honest("background-1M", "background 1 Mpps from the start"),
];

const fn attack(name: &'static str, says: &'static str, aim: Option<f64>) -> Event {
    Event { name, says, nature: Nature::Attack, aim, floor: Floor::Default }
}

const fn honest(name: &'static str, says: &'static str) -> Event {
    Event { name, says, nature: Nature::Honest, aim: None, floor: Floor::Default }
}

/// The line of this name.
pub(crate) fn named(name: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measured_event_has_its_line() {
        let mut lines: Vec<&str> = EVENTS.iter().map(|event| event.name).collect();
        let mut measured = sim::scenario::MEASURED.to_vec();
        lines.sort_unstable();
        measured.sort_unstable();
        assert_eq!(lines, measured);
    }
}
