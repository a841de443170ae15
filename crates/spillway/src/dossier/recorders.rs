//! The open bags of a recording: each packet goes to those whose attack it is of.

use std::path::Path;

use base::{Prefix, Timestamp};
use wire::packet::Parsed;

use crate::capture::Packet;
use crate::evidence::recorder::Recorded;
use crate::evidence::{About, Payload, Recorder};

/// Which packets a bag keeps: those to and from these targets at these times.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The attack's targets.
    pub targets: Vec<Prefix>,
    /// First packet.
    pub from: Timestamp,
    /// Last packet; `None`: it goes on.
    pub until: Option<Timestamp>,
}

/// The open bags.
#[derive(Default)]
pub struct Recorders(Vec<(Scope, Recorder)>);

impl Recorders {
    /// Opens one more, in `FOLDER/evidence`; they are closed in the order in which they were opened.
    ///
    /// # Errors
    /// When there is a bag already, or the disk does not take it.
    pub fn open(
        &mut self,
        bag: &Path,
        scope: Scope,
        (file, sampling): (&str, Option<u32>),
        payload: Payload,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let nets: Vec<String> = scope.targets.iter().map(|target| format!("net {target}")).collect();
        let about = About { interface: file.to_owned(), filter: nets.join(" or "), sampling, payload };
        self.0.push((scope, Recorder::open(bag, about, at)?));
        Ok(())
    }

    /// Keeps a packet wherever it belongs.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn packet(&mut self, packet: &Packet<'_>, parsed: &Parsed<'_>) -> anyhow::Result<()> {
        let (src, dst) = (parsed.headers.src, parsed.headers.dst);
        for (scope, recorder) in &mut self.0 {
            let during = scope.from <= packet.at && scope.until.is_none_or(|until| packet.at <= until);
            if during && scope.targets.iter().any(|target| target.contains(dst) || target.contains(src)) {
                recorder.packet(packet, parsed)?;
            }
        }
        Ok(())
    }

    /// Keeps a packet that is to or from a target of this one, if it is of its time.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn packet_of(
        &mut self,
        place: usize,
        packet: &Packet<'_>,
        parsed: &Parsed<'_>,
    ) -> anyhow::Result<()> {
        let Some((scope, recorder)) = self.0.get_mut(place) else { return Ok(()) };
        let during = scope.from <= packet.at && scope.until.is_none_or(|until| packet.at <= until);
        if during { recorder.packet(packet, parsed) } else { Ok(()) }
    }

    /// Closes all.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn finish(self) -> anyhow::Result<Vec<Recorded>> {
        self.0.into_iter().map(|(_, recorder)| recorder.finish()).collect()
    }
}
