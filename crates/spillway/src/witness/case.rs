//! One attack that is followed: its observer, and its open bag.

use std::net::IpAddr;
use std::sync::Arc;

use base::map::Seed;
use base::{Prefix, Timestamp};
use detect::class::Classifier;
use engine::report::Attack;
use intel::dossier::{Dossier, Ingress, Reporter};
use intel::enrich::Enrich;
use intel::observe::Entry;
use intel::{Observer, Rules, Scope};
use telemetry::record::Detail;
use wire::Headers;
use wire::packet::{Parsed, network, parse};

use super::lens::{Batch, Item};
use super::sampled::{self, Sampled};
use crate::capture::writer::Described;
use crate::capture::{self, link};
use crate::config::Named;
use crate::dossier::belonging;
use crate::dossier::collect::incident;
use crate::evidence::flows::Row;
use crate::evidence::{Channel, Payload, Recorder};

/// Sources remembered of one attack: some 25 MB with everything else.
const SOURCES_MAX: usize = 32_768;

/// See above.
pub(super) struct Case {
    pub(super) attack: Attack,
    names: Vec<String>,
    observer: Observer,
    classifier: Classifier,
    pub(super) recorder: Option<Recorder>,
    /// What allows payload, and of which packets.
    named: Option<Named>,
    pub(super) payload: Payload,
    /// N of 1:N of the coarsest records; `None`: one came without.
    sampling: Option<u32>,
    /// Something came since it was concluded last.
    pub(super) changed: bool,
    /// What it is sealed with, besides why bags are kept.
    pub(super) remarks: Vec<String>,
    /// Packets to be looked at.
    pub(super) samples: Sampled,
}

/// A packet or flow, and where it came from.
struct Seen<'a> {
    packet: intel::Packet<'a>,
    entry: Entry,
}

impl Case {
    /// From now on; packets keep some of their payload where it is `named` what allows it.
    pub(super) fn new(attack: Attack, rules: &Arc<Rules>, key: u64, named: Option<Named>) -> Self {
        let scope = Scope {
            vectors: Vec::new(),
            started: attack.started_at,
            culprits: Vec::new(),
            proven: Vec::new(),
            sources_max: SOURCES_MAX,
            key,
            seed: Seed::new(key),
        };
        let mut case = Self {
            observer: Observer::new(Arc::clone(rules), scope),
            names: Vec::new(),
            classifier: Classifier::default(),
            recorder: None,
            named,
            payload: Payload::default(),
            sampling: Some(1),
            changed: true,
            remarks: Vec::new(),
            samples: Sampled::default(),
            attack: attack.clone(),
        };
        case.hear(attack);
        case
    }

    /// The attack's latest state: it may have got other vectors and targets.
    pub(super) fn hear(&mut self, attack: Attack) {
        for vector in &attack.vectors {
            self.observer.vector(&vector.name);
        }
        self.names = self.observer.vectors().map(str::to_owned).collect();
        let rules = attack.rules.iter().map(|rule| rule.text.as_str());
        self.payload = Payload::new(rules, self.named.as_ref());
        self.attack = attack;
        self.changed = true;
    }

    /// A record of some target, of this attack's or of another's.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(super) fn take(&mut self, item: &Item, batch: &Batch) -> anyhow::Result<()> {
        let record = &item.record;
        let (to, from) = self.sides(&record.headers);
        if !to && !from {
            return Ok(());
        }
        self.changed = true;
        self.sampling = self.sampling.zip(record.sampling.rate).map(|(known, rate)| known.max(rate));
        let frame = item.raw.map(|raw| raw.octets(&batch.octets)).unwrap_or_default();
        let length = item.raw.map_or(0, |raw| raw.frame);
        let parsed = item.raw.and_then(|raw| parse(raw.link, frame, raw.frame).ok());
        // Where packets inside tunnels are judged, the frame is another packet than the record.
        let same = |parsed: &Parsed<'_>| {
            (parsed.headers.src, parsed.headers.dst) == (record.headers.src, record.headers.dst)
        };
        let whole = parsed.as_ref().filter(|parsed| same(parsed));
        let ip = item.raw.filter(|_| whole.is_some()).and_then(|raw| network(raw.link, frame).ok());
        let rate = u64::from(record.sampling.rate.unwrap_or(1).max(1));
        let channel =
            Channel { exporter: item.exporter, interface: record.input_if, rate: record.sampling.rate };
        let seen = Seen {
            packet: intel::Packet {
                at: record.at,
                headers: &record.headers,
                ip: ip.unwrap_or_default(),
                transport: whole.map(|parsed| parsed.transport).unwrap_or_default(),
                payload: whole.map_or_else(|| record.snip.bytes(), |parsed| parsed.payload),
                packets: record.packets.saturating_mul(rate),
                bytes: record.bytes.saturating_mul(rate),
                single: record.detail == Detail::Packet,
            },
            entry: Entry { exporter: item.exporter, interface: record.input_if },
        };
        let vector = self.show(&seen, to, from);
        let packet = item.raw.map(|raw| capture::Packet {
            number: 0,
            at: record.at,
            link: raw.link,
            link_number: link::number(raw.link),
            original_len: length.max(u32::try_from(frame.len()).unwrap_or(u32::MAX)),
            interface: 0,
            bytes: frame,
        });
        if let Some(vector) = vector {
            let (payload, names) = (&self.payload, &self.names);
            self.samples.take(|| {
                let kept = packet.as_ref().zip(whole).map(|(packet, parsed)| payload.cut(packet, parsed));
                let headers = kept.and_then(|kept| network(kept.link, kept.bytes).ok());
                let (counts, is_packet) = ((record.packets, record.bytes), record.detail == Detail::Packet);
                let vector = names.get(vector).cloned();
                let one = sampled::of(record.at, &record.headers, counts, is_packet, vector, headers);
                sampled::by(channel, one)
            });
        }
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        let (Some(packet), Some(parsed)) = (&packet, &parsed) else {
            return recorder.flow(&Row::of(record, item.exporter));
        };
        recorder.packet_by(&self.payload.cut(packet, parsed), channel)
    }

    /// A packet that was recorded before.
    pub(super) fn again(&mut self, packet: &capture::Packet<'_>, said: &Described) {
        let Some(parsed) = packet.parse() else { return };
        let channel = Channel::of(said);
        let (to, from) = self.sides(&parsed.headers);
        let rate = channel.and_then(|channel| channel.rate);
        self.sampling = self.sampling.zip(rate).map(|(known, rate)| known.max(rate));
        let weight = u64::from(rate.unwrap_or(1).max(1));
        let nobody = IpAddr::from([0; 4]);
        let seen = Seen {
            packet: intel::Packet {
                at: packet.at,
                headers: &parsed.headers,
                ip: network(packet.link, packet.bytes).unwrap_or_default(),
                transport: parsed.transport,
                payload: parsed.payload,
                packets: weight,
                bytes: u64::from(parsed.headers.length).saturating_mul(weight),
                single: true,
            },
            entry: channel.map_or(Entry { exporter: nobody, interface: None }, |channel| Entry {
                exporter: channel.exporter,
                interface: channel.interface,
            }),
        };
        self.show(&seen, to, from);
    }

    /// What was told before without packets.
    pub(super) fn told_again(&mut self, row: &Row) {
        let headers = row.headers();
        let (to, from) = self.sides(&headers);
        self.sampling = self.sampling.zip(row.sampling_rate).map(|(known, rate)| known.max(rate));
        let (packets, bytes) = row.scaled();
        let seen = Seen {
            packet: intel::Packet {
                at: row.at,
                headers: &headers,
                ip: &[],
                transport: &[],
                payload: &[],
                packets,
                bytes,
                single: false,
            },
            entry: Entry { exporter: row.exporter, interface: row.input_if },
        };
        self.show(&seen, to, from);
    }

    /// A source has brought a cookie back.
    pub(super) fn prove(&mut self, source: IpAddr) {
        self.observer.prove(source);
    }

    /// What is known by now; `way` says what is known of a way in.
    pub(super) fn conclude(
        &self,
        way: impl Fn(Entry) -> Ingress,
        reporter: &Reporter,
        enrich: &dyn Enrich,
    ) -> Dossier {
        let mut incident = incident(&self.attack, self.sampling);
        incident.ingress = self.observer.entries().map(way).collect();
        self.observer.conclude(incident, reporter.clone(), enrich)
    }

    /// Whether a packet is to a target, and from one.
    fn sides(&self, headers: &Headers) -> (bool, bool) {
        let of = |address| self.attack.targets.iter().any(|target: &Prefix| target.contains(address));
        (of(headers.dst), of(headers.src))
    }

    /// Shows it to the observer; of which vector of the attack it is, if it is of one.
    fn show(&mut self, Seen { packet, entry }: &Seen<'_>, to: bool, from: bool) -> Option<usize> {
        let mut vector = None;
        if to {
            let class = self.classifier.received(packet.headers, !packet.single && packet.packets > 1);
            let during = self.attack.started_at <= packet.at && !is_after(packet.at, self.attack.ended_at);
            vector = if during { belonging::vector(&self.names, class) } else { None };
            self.observer.receive_by(packet, vector, *entry);
        }
        if from {
            self.observer.answer(packet);
        }
        vector
    }
}

fn is_after(at: Timestamp, end: Option<Timestamp>) -> bool {
    end.is_some_and(|end| at > end)
}
