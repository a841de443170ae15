//! By which way a packet of a bag came: an exporter, its interface, and its sampling.

use std::net::IpAddr;

use crate::capture::writer::Described;

/// See above; each is an interface of the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Channel {
    /// Who told.
    pub(crate) exporter: IpAddr,
    /// Its interface, by ifIndex.
    pub(crate) interface: Option<u32>,
    /// N of 1:N; `None` where nobody told.
    pub(crate) rate: Option<u32>,
}

impl Channel {
    /// As the capture says it; `about` is what it says of all of them.
    pub(crate) fn described(&self, about: &Described) -> Described {
        let interface = match self.interface {
            Some(index) => format!("{} if {index}", self.exporter),
            None => self.exporter.to_string(),
        };
        Described { interface, comment: sampling(self.rate), ..about.clone() }
    }

    /// Of what a capture says.
    pub(crate) fn of(said: &Described) -> Option<Self> {
        let (exporter, interface) = match said.interface.split_once(" if ") {
            Some((exporter, index)) => (exporter, Some(index.parse().ok()?)),
            None => (said.interface.as_str(), None),
        };
        let rate = said.comment.strip_prefix("sampling 1:").and_then(|rate| rate.parse().ok());
        Some(Self { exporter: exporter.parse().ok()?, interface, rate })
    }
}

/// In words.
pub(crate) fn sampling(rate: Option<u32>) -> String {
    rate.map_or_else(|| "sampling unknown".to_owned(), |rate| format!("sampling 1:{rate}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_again() {
        for (exporter, interface, rate) in
            [("192.0.2.1", Some(7), Some(1000)), ("2001:db8::1", None, None), ("100::1", Some(0), Some(1))]
        {
            let channel = Channel { exporter: exporter.parse().unwrap(), interface, rate };
            assert_eq!(Channel::of(&channel.described(&Described::default())), Some(channel));
        }
        let file = Described { interface: "capture.pcap".into(), ..Described::default() };
        assert_eq!(Channel::of(&file), None);
    }
}
