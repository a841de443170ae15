//! The names under which Prometheus finds our numbers: one list, one place.
//!
//! The daemon fills [`Metrics`] from its counters when it is asked; nothing is counted here. No label ever names a single
//! host of the traffic. Labels that a sender could multiply (exporters) are capped where they are collected.

mod absorber;
mod api;
mod dns;
mod history;
mod intel;
mod ledger;
mod plain;
mod privacy;
mod routing;
mod told;

use std::collections::BTreeMap;
use std::fmt;

pub use absorber::Absorber;
pub use api::Api;
pub use dns::Dns;
pub use history::History;
pub use intel::{FileNumbers, Intel, ListNumbers};
pub use ledger::Ledger;
pub use plain::plain;
pub use privacy::Privacy;
pub use routing::{Drill, Router, Routing};
pub use told::Told;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// All numbers at one instant.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Version of the build.
    pub version: String,
    /// One entry per listener, from the start.
    pub listeners: Vec<Listener>,
    /// One entry per exporter and listener that it reached.
    pub exporters: Vec<Exporter>,
    /// Active attacks by (vector, severity).
    pub attacks_active: BTreeMap<(String, String), u64>,
    /// Attacks since the start by leading vector.
    pub attacks: BTreeMap<String, u64>,
    /// Targets (hosts and prefixes) under watch.
    pub tracked_hosts: u64,
    /// Share of own hosts under watch of which it is known what is usual, by customer.
    pub baseline_ready: Vec<(String, f64)>,
    /// Disclosures by (purpose, result).
    pub reports: BTreeMap<(String, String), u64>,
    /// What own networks got and sent since the start, by customer.
    pub traffic: Vec<Flowed>,
    /// What the core left out at its caps, by name.
    pub left_out: Vec<(&'static str, u64)>,
    /// Rules by (backend, state).
    pub rules: BTreeMap<(String, String), u64>,
    /// Notifications by (channel, result).
    pub notifications: BTreeMap<(String, String), u64>,
    /// Events and messages that wait, by channel.
    pub notifications_waiting: BTreeMap<String, u64>,
    /// Time from an attack's first packet to the decision.
    pub detection_delay: Histogram,
    /// Duration of the core's work per tick.
    pub tick: Histogram,
    /// Duration of writes to the store.
    pub store_write: Histogram,
    /// Writes that failed.
    pub store_errors: u64,
    /// Attacks that waited for the store until there was no room for them.
    pub store_lost: u64,
    /// Turns of attacks that were told before they were on the disk, which took too long.
    pub store_unwritten: u64,
    /// Octets of the last snapshot.
    pub snapshot_bytes: u64,
    /// Whether the last reload of the configuration was taken.
    pub reload_ok: bool,
    /// When a configuration was last taken, seconds since 1970.
    pub reload_at: f64,
    /// Resident memory of the process.
    pub resident_bytes: u64,
    /// CPU time of the process, user and system.
    pub cpu_seconds: f64,
    /// Filters on interfaces of this machine, where there are any.
    pub dataplane: Option<Dataplane>,
    /// Routers that are spoken with, where there are any.
    pub routing: Option<Routing>,
    /// Names that may be diverted, where there are any.
    pub dns: Option<Dns>,
    /// The log of decisions; `None`: there is none.
    pub ledger: Option<Ledger>,
    /// The API itself; it fills this in.
    pub api: Option<Api>,
    /// What is followed of the sources of attacks; `None`: nothing is.
    pub intel: Option<Intel>,
    /// What retention did.
    pub privacy: Privacy,
    /// Flow samples that are kept; `None`: none are.
    pub history: Option<History>,
}

/// What the networks of a customer got, or sent, of one protocol.
#[derive(Clone, Debug, Default)]
pub struct Flowed {
    /// The customer's name, or `other`.
    pub group: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// `tcp`, `udp`, `icmp` or `other`.
    pub proto: &'static str,
    /// Packets, estimated where sampled.
    pub packets: u64,
    /// Layer-3 octets, likewise.
    pub bytes: u64,
}

/// What the enforcer on this machine did.
#[derive(Clone, Debug, Default)]
pub struct Dataplane {
    /// `xdp` or `nftables`.
    pub backend: String,
    /// Rules that shall be in force.
    pub wanted: u64,
    /// Rules that the kernel had at the last look.
    pub actual: u64,
    /// Whether nothing went wrong since.
    pub as_wanted: bool,
    /// Sets put in force.
    pub applied: u64,
    /// Attempts that failed.
    pub errors: u64,
    /// From the decision to the kernel.
    pub apply: Histogram,
    /// Local packets told as telemetry.
    pub told: u64,
    /// Local packets that were to be told and found no room.
    pub lost: u64,
    /// What rules have decided, by what they do: packets and layer-3 octets.
    pub decided: BTreeMap<&'static str, (u64, u64)>,
    /// Interface, where packets left the programs, how many.
    pub left: Vec<(String, String, u64)>,
    /// Interface, table, entries and how many there can be.
    pub tables: Vec<(String, String, u64, u64)>,
}

/// What one listening address did.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    /// `sflow`, `netflow` or `ipfix`: the key in the configuration.
    pub name: String,
    /// Datagrams from exporters that the allow-list does not name.
    pub refused: u64,
    /// Datagrams that the kernel dropped because our buffer was full.
    pub socket_drops: u64,
    /// Errors of the socket itself.
    pub errors: u64,
}

/// What one exporter sent.
#[derive(Clone, Debug, Default)]
pub struct Exporter {
    /// Its address.
    pub address: String,
    /// By listener and format: (datagrams, flows).
    pub counts: BTreeMap<(String, String), (u64, u64)>,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    /// Datagrams lost on the way, by sequence numbers.
    pub sequence_lost: u64,
    /// N of 1:N, where known.
    pub sampling_rate: Option<u32>,
    /// Time of the last datagram, seconds since 1970; 0 when none came since the start.
    pub last_seen: f64,
    /// Packets and layer-3 octets of the traffic that it told of, with the sampling applied, each counted at one place.
    pub traffic: (u64, u64),
    /// From a flow's first packet to its arrival, and how long flows last, for 99 of 100, in seconds.
    pub export_delay: Option<f64>,
    /// See `export_delay`.
    pub flow_duration: Option<f64>,
    /// Earliest possible detection, seconds after the first packet.
    pub earliest_detection: Option<f64>,
    /// How many times what its samples say its interfaces count.
    pub truth_factor: Option<f64>,
    /// Whether its numbers are no ground to act on.
    pub doubtful: bool,
    /// How it is heard, once that can be told.
    pub hearing: Option<Hearing>,
}

/// How an exporter is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// As usual.
    Whole,
    /// In part.
    Part,
    /// Not at all.
    Silent,
}

/// Counts per bucket of a duration.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// (upper bound in seconds, observations in this bucket alone), ascending; the last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
    /// Sum of all observations in seconds.
    pub sum: f64,
}

impl Histogram {
    /// An empty one with these bounds.
    pub fn new(bounds: &[f64]) -> Self {
        let buckets = bounds.iter().copied().chain([f64::INFINITY]).map(|bound| (bound, 0)).collect();
        Self { buckets, sum: 0.0 }
    }

    /// Counts one duration.
    pub fn observe(&mut self, seconds: f64) {
        self.sum += seconds;
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
    }
}

impl Metrics {
    /// OpenMetrics text.
    pub fn encode(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing into a string cannot fail; an empty answer would show as a missing target.
        if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
            text.clear();
        }
        text
    }

    fn ingest(&self, out: &mut Page<'_>) -> fmt::Result {
        let mut datagrams = Vec::new();
        let mut flows = Vec::new();
        for listener in &self.listeners {
            // From the start, so that a sum over labels exists before the first datagram.
            datagrams.push((vec![("listener", listener.name.clone())], 0));
            flows.push((vec![("listener", listener.name.clone())], 0));
        }
        for exporter in &self.exporters {
            for ((listener, format), (d, f)) in &exporter.counts {
                let labels = vec![
                    ("listener", listener.clone()),
                    ("exporter", exporter.address.clone()),
                    ("proto", format.clone()),
                ];
                datagrams.push((labels.clone(), *d));
                flows.push((labels, *f));
            }
        }
        out.counters("spillway_ingest_datagrams", "Export datagrams taken in", datagrams)?;
        out.counters("spillway_ingest_flows", "Flow records and packet samples taken in", flows)?;
        let told = |of: fn(&Exporter) -> u64| {
            self.exporters.iter().map(|e| (vec![("exporter", e.address.clone())], of(e))).collect()
        };
        out.counters(
            "spillway_ingest_packets",
            "Packets of the traffic that was told of, with the sampling applied",
            told(|e| e.traffic.0),
        )?;
        out.counters(
            "spillway_ingest_bytes",
            "Layer-3 octets of the traffic that was told of, with the sampling applied",
            told(|e| e.traffic.1),
        )?;
        let by_listener = |count: fn(&Listener) -> u64| {
            self.listeners.iter().map(|l| (vec![("listener", l.name.clone())], count(l))).collect()
        };
        out.counters(
            "spillway_ingest_socket_drops",
            "Datagrams dropped by the kernel, receive buffer full",
            by_listener(|l| l.socket_drops),
        )?;
        out.counters(
            "spillway_ingest_refused",
            "Datagrams of exporters that the allow-list does not name",
            by_listener(|l| l.refused),
        )?;
        out.counters("spillway_ingest_socket_errors", "Errors of the socket", by_listener(|l| l.errors))?;
        let faults = self.exporters.iter().flat_map(|exporter| {
            exporter.faults.iter().map(|(reason, count)| {
                (vec![("exporter", exporter.address.clone()), ("reason", reason.clone())], *count)
            })
        });
        out.counters("spillway_ingest_errors", "Faults inside datagrams", faults.collect())
    }

    fn exporters(&self, out: &mut Page<'_>) -> fmt::Result {
        let label = |exporter: &Exporter| vec![("exporter", exporter.address.clone())];
        out.counters(
            "spillway_ingest_sequence_lost",
            "Export datagrams or records that never came, by sequence numbers",
            self.exporters.iter().map(|e| (label(e), e.sequence_lost)).collect(),
        )?;
        out.gauges(
            "spillway_ingest_sampling_rate",
            "N of 1:N as last resolved; absent while unknown",
            self.exporters.iter().filter_map(|e| Some((label(e), f64::from(e.sampling_rate?)))).collect(),
        )?;
        out.gauges(
            "spillway_exporter_last_seen_timestamp_seconds",
            "Time of the last datagram",
            self.exporters.iter().filter(|e| e.last_seen > 0.0).map(|e| (label(e), e.last_seen)).collect(),
        )?;
        let gauge = |of: fn(&Exporter) -> Option<f64>| {
            self.exporters.iter().filter_map(move |e| Some((label(e), of(e)?))).collect()
        };
        out.gauges(
            "spillway_exporter_export_delay_seconds",
            "First packet of a flow to its arrival, 99th percentile",
            gauge(|e| e.export_delay),
        )?;
        out.gauges(
            "spillway_exporter_flow_duration_seconds",
            "Duration of flows, 99th percentile: the active timeout in effect",
            gauge(|e| e.flow_duration),
        )?;
        out.gauges(
            "spillway_exporter_earliest_detection_seconds",
            "Earliest possible detection after the first packet",
            gauge(|e| e.earliest_detection),
        )?;
        let truths = || self.exporters.iter().filter_map(|e| Some((e, e.truth_factor?)));
        out.gauges(
            "spillway_exporter_truth_factor",
            "Packets by interface counters over packets estimated from samples, last five minutes",
            truths().map(|(e, factor)| (label(e), factor)).collect(),
        )?;
        out.gauges(
            "spillway_exporter_doubtful",
            "1 while nothing acts on what it tells, for its own counters or the speed of its interfaces belie it",
            self.exporters
                .iter()
                .filter(|e| e.truth_factor.is_some() || e.doubtful)
                .map(|e| (label(e), f64::from(u8::from(e.doubtful))))
                .collect(),
        )?;
        let heard = |how: Hearing| {
            let known = self.exporters.iter().filter_map(move |e| Some((e, e.hearing?)));
            known.map(|(e, hearing)| (label(e), f64::from(u8::from(hearing == how)))).collect()
        };
        out.gauges("spillway_exporter_silent", "1 while nothing comes of it", heard(Hearing::Silent))?;
        out.gauges(
            "spillway_exporter_heard_in_part",
            "1 while most of what it usually tells is missing",
            heard(Hearing::Part),
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    fn detection(&self, out: &mut Page<'_>) -> fmt::Result {
        let pair = |first: &'static str, second: &'static str| {
            move |((a, b), count): (&(String, String), &u64)| {
                (vec![(first, a.clone()), (second, b.clone())], *count)
            }
        };
        let gauges = |rows: Vec<(Labels, u64)>| rows.into_iter().map(|(l, n)| (l, n as f64)).collect();
        out.gauges(
            "spillway_attacks_active",
            "Attacks that go on",
            gauges(self.attacks_active.iter().map(pair("class", "severity")).collect()),
        )?;
        out.counters(
            "spillway_attacks",
            "Attacks found since the start",
            self.attacks.iter().map(|(class, n)| (vec![("class", class.clone())], *n)).collect(),
        )?;
        out.counters(
            "spillway_engine_left_out",
            "What the core left out at its caps: attacks, targets, habits, late and long flows",
            self.left_out.iter().map(|(what, n)| (vec![("what", (*what).to_owned())], *n)).collect(),
        )?;
        let flowed = |of: fn(&Flowed) -> u64| {
            let labels = |one: &Flowed| {
                let (direction, proto) = (one.direction.to_owned(), one.proto.to_owned());
                vec![("group", one.group.clone()), ("direction", direction), ("proto", proto)]
            };
            self.traffic.iter().map(|one| (labels(one), of(one))).collect()
        };
        out.counters(
            "spillway_traffic_packets",
            "Packets of own networks by customer, estimated where sampled",
            flowed(|one| one.packets),
        )?;
        out.counters(
            "spillway_traffic_bytes",
            "Layer-3 octets of own networks by customer, estimated where sampled",
            flowed(|one| one.bytes),
        )?;
        out.gauge("spillway_tracked_hosts", "Hosts and prefixes under watch", self.tracked_hosts as f64)?;
        out.gauges(
            "spillway_baseline_ready_ratio",
            "Share of own hosts under watch whose usual rate was learned from at least one whole window; the others go by peers and floors",
            self.baseline_ready.iter().map(|(group, ratio)| (vec![("group", group.clone())], *ratio)).collect(),
        )?;
        out.counters(
            "spillway_reports_sent",
            "Disclosures that left, by purpose; without those under an embargo",
            self.reports.iter().map(pair("format", "result")).collect(),
        )?;
        out.histogram("spillway_detection_delay_seconds", "First packet to decision", &self.detection_delay)?;
        out.histogram("spillway_tick_seconds", "Work of the decision core per tick", &self.tick)?;
        out.gauges(
            "spillway_rules",
            "Rules whose lease runs",
            gauges(self.rules.iter().map(pair("backend", "state")).collect()),
        )?;
        out.counters(
            "spillway_notifications",
            "Notifications",
            self.notifications.iter().map(pair("channel", "result")).collect(),
        )?;
        out.gauges(
            "spillway_notifications_waiting",
            "Notifications that wait in the outbox",
            gauges(
                self.notifications_waiting
                    .iter()
                    .map(|(channel, n)| (vec![("channel", channel.clone())], *n))
                    .collect(),
            ),
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    fn dataplane(&self, out: &mut Page<'_>) -> fmt::Result {
        let Some(plane) = &self.dataplane else { return Ok(()) };
        let labels = || vec![("backend", plane.backend.clone())];
        let gauge = |value: u64| vec![(labels(), value as f64)];
        out.gauges("spillway_dataplane_rules_wanted", "Rules that shall be in force", gauge(plane.wanted))?;
        out.gauges("spillway_dataplane_rules_actual", "Rules that the kernel has", gauge(plane.actual))?;
        out.gauges(
            "spillway_dataplane_as_wanted",
            "1 while the kernel has what it shall have",
            gauge(u64::from(plane.as_wanted)),
        )?;
        let counter = |value: u64| vec![(labels(), value)];
        out.counters("spillway_dataplane_applied", "Sets of rules put in force", counter(plane.applied))?;
        out.counters("spillway_dataplane_errors", "Sets that could not be", counter(plane.errors))?;
        out.histogram("spillway_dataplane_apply_seconds", "From the decision to the kernel", &plane.apply)?;
        let decided = |of: fn(&(u64, u64)) -> u64| {
            let labels =
                |action: &str| vec![("backend", plane.backend.clone()), ("action", action.to_owned())];
            plane.decided.iter().map(|(action, sum)| (labels(action), of(sum))).collect()
        };
        out.counters(
            "spillway_rule_packets",
            "Packets that rules decided, also below a rate, by what they do",
            decided(|sum| sum.0),
        )?;
        out.counters("spillway_rule_bytes", "Layer-3 octets of those", decided(|sum| sum.1))?;
        out.counters(
            "spillway_rule_apply_errors",
            "Sets that could not be put in force",
            counter(plane.errors),
        )?;
        out.histogram("spillway_rule_apply_seconds", "From the decision to what enforces", &plane.apply)?;
        if !plane.left.is_empty() {
            let left = plane.left.iter().map(|(iface, verdict, packets)| {
                (vec![("iface", iface.clone()), ("verdict", verdict.clone())], *packets)
            });
            out.counters(
                "spillway_xdp_packets",
                "Packets by where they left the kernel programs",
                left.collect(),
            )?;
            let saved = plane.left.iter().filter(|(_, verdict, _)| verdict == "allowed");
            out.counters(
                "spillway_allowlist_saves",
                "Packets of allowed sources that passed before every filter",
                vec![(Vec::new(), saved.map(|(_, _, packets)| packets).sum())],
            )?;
        }
        let table = |of: fn(&(String, String, u64, u64)) -> u64| {
            let labels =
                |one: &(String, String, u64, u64)| vec![("iface", one.0.clone()), ("map", one.1.clone())];
            plane.tables.iter().map(|one| (labels(one), of(one) as f64)).collect()
        };
        out.gauges("spillway_map_entries", "Entries of tables in the kernel", table(|one| one.2))?;
        out.gauges("spillway_map_capacity", "Entries that there can be", table(|one| one.3))?;
        out.counters("spillway_dataplane_told", "Local packets told as telemetry", counter(plane.told))?;
        out.counters(
            "spillway_dataplane_told_lost",
            "Local packets that were to be told and found no room",
            counter(plane.lost),
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 53 bits")]
    fn platform(&self, out: &mut Page<'_>) -> fmt::Result {
        out.gauges("spillway_build_info", "The build", vec![(vec![("version", self.version.clone())], 1.0)])?;
        out.gauge(
            "spillway_config_last_reload_successful",
            "1 when the last configuration was taken",
            f64::from(u8::from(self.reload_ok)),
        )?;
        out.gauge(
            "spillway_config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken",
            self.reload_at,
        )?;
        out.histogram("spillway_store_write_seconds", "Writes to the store", &self.store_write)?;
        out.counters(
            "spillway_store_errors",
            "Writes that failed and are tried again",
            vec![(Vec::new(), self.store_errors)],
        )?;
        out.counters(
            "spillway_store_lost",
            "Attacks that are over and were not written, as nothing could be for too long",
            vec![(Vec::new(), self.store_lost)],
        )?;
        out.counters(
            "spillway_store_told_unwritten",
            "Attacks that began, changed or ended and were told before that was on the disk, which took longer than a second",
            vec![(Vec::new(), self.store_unwritten)],
        )?;
        let flows = self.history.iter().map(|history| ("flows", history.bytes));
        let stored = std::iter::once(("snapshot", self.snapshot_bytes)).chain(flows);
        let stored = stored.map(|(kind, bytes)| (vec![("kind", kind.to_owned())], bytes as f64));
        out.gauges(
            "spillway_store_bytes",
            "Size of the last snapshot, and of the segments of flow samples",
            stored.collect(),
        )?;
        out.gauge("process_resident_memory_bytes", "Resident memory", self.resident_bytes as f64)?;
        out.float_counter("process_cpu_seconds", "CPU time, user and system", self.cpu_seconds)
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Page(encoder);
        self.ingest(&mut out)?;
        self.exporters(&mut out)?;
        self.detection(&mut out)?;
        self.dataplane(&mut out)?;
        self.routing.as_ref().map_or(Ok(()), |routing| routing.encode(&mut out))?;
        self.dns.as_ref().map_or(Ok(()), |dns| dns.encode(&mut out))?;
        self.ledger.as_ref().map_or(Ok(()), |ledger| ledger.encode(&mut out))?;
        self.api.as_ref().map_or(Ok(()), |api| api.encode(&mut out))?;
        self.intel.as_ref().map_or(Ok(()), |intel| intel.encode(&mut out))?;
        self.privacy.encode(&mut out)?;
        self.history.as_ref().map_or(Ok(()), |history| history.encode(&mut out))?;
        self.platform(&mut out)
    }
}

type Labels = Vec<(&'static str, String)>;

/// One family after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn family(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn counters(&mut self, name: &'static str, help: &'static str, rows: Vec<(Labels, u64)>) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Counter)?;
        for (labels, count) in rows {
            family.encode_family(&labels)?.encode_counter::<Labels, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn float_counter(&mut self, name: &'static str, help: &'static str, value: f64) -> fmt::Result {
        self.family(name, help, MetricType::Counter)?.encode_counter::<Labels, _, u64>(&value, None)
    }

    fn gauges(&mut self, name: &'static str, help: &'static str, rows: Vec<(Labels, f64)>) -> fmt::Result {
        let mut family = self.family(name, help, MetricType::Gauge)?;
        for (labels, value) in rows {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) -> fmt::Result {
        self.family(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn histogram(&mut self, name: &'static str, help: &'static str, histogram: &Histogram) -> fmt::Result {
        let count = histogram.buckets.iter().map(|(_, n)| n).sum();
        self.family(name, help, MetricType::Histogram)?.encode_histogram::<Labels>(
            histogram.sum,
            count,
            &histogram.buckets,
            None,
        )
    }
}
