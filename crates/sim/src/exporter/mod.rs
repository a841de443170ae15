//! Routers: packets in, the datagrams of flow export out.
//!
//! A core like the others: packets and deadlines come in with their time, datagrams come out. What a router of a vendor
//! does — when it sends, how it announces its sampling, what it gets wrong — is in its [`Settings`].

mod cache;
mod ipfix;
mod netflow5;
mod netflow9;
mod sflow;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use base::{Span, Timestamp};

use crate::packet::Packet;
use crate::sampler::Sampler;
use crate::world::World;
use cache::Cache;

/// What a router sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Packet headers and counters.
    Sflow,
    /// IPv4 only.
    NetFlow5,
    /// RFC 3954.
    NetFlow9,
    /// RFC 7011.
    Ipfix,
}

impl Format {
    /// By the names that commands use.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sflow" | "sflow5" => Self::Sflow,
            "v5" | "netflow5" => Self::NetFlow5,
            "v9" | "netflow9" => Self::NetFlow9,
            "ipfix" | "v10" => Self::Ipfix,
            _ => return None,
        })
    }
}

/// How a router of NetFlow v9 or IPFIX tells its sampling rate. (sFlow has it in each sample, v5 in its header.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Options with element 34.
    Interval,
    /// A sampler table (48, 49, 50), and each record names its sampler.
    Sampler,
    /// RFC 5477: elements 305 and 306 (one packet taken, N − 1 not).
    Spaces,
    /// Element 34 in each record.
    Record,
    /// Not at all; v5 sends 0.
    Never,
}

/// A router.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it sends.
    pub format: Format,
    /// Its own address, as its datagrams say it.
    pub address: IpAddr,
    /// N of 1:N.
    pub sampling: u32,
    /// The N that it announces, where that is another.
    pub announced: Option<u32>,
    /// How it announces it.
    pub announce: Announce,
    /// Whether the packets it gets were thinned by N before.
    pub thinned: bool,
    /// Flows are cut after this.
    pub active: Span,
    /// Flows are sent after this long without a packet.
    pub inactive: Span,
    /// Started datagrams are sent after this.
    pub flush: Span,
    /// Samples or records in a datagram at most.
    pub records_max: usize,
    /// Octets of a packet that sFlow copies.
    pub header_max: usize,
    /// How often sFlow sends the counters of its interfaces.
    pub counters: Option<Span>,
    /// How often templates and options are sent.
    pub templates: Span,
    /// Observation domain, source id, sub-agent or engine.
    pub domain: u32,
    /// When it was switched on.
    pub boot: Timestamp,
    /// Of its sampler.
    pub seed: u64,
}

impl Settings {
    /// A router with the usual settings: sent every 100 ms, caches of 60 and 15 s.
    pub const fn new(format: Format, sampling: u32, boot: Timestamp) -> Self {
        Self {
            format,
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            sampling,
            announced: None,
            announce: Announce::Interval,
            thinned: true,
            active: Span::from_secs(60),
            inactive: Span::from_secs(15),
            flush: Span::from_millis(100),
            records_max: if matches!(format, Format::Sflow) { 8 } else { 24 },
            header_max: 128,
            counters: Some(Span::from_secs(20)),
            templates: Span::from_secs(20),
            domain: 0,
            boot,
            seed: 1,
        }
    }

    /// With a cache of these timeouts.
    #[must_use]
    pub const fn cache(mut self, active: Span, inactive: Span) -> Self {
        self.active = active;
        self.inactive = inactive;
        self
    }

    /// With a cache that is sent whole at each flush.
    #[must_use]
    pub const fn prompt(self) -> Self {
        let flush = self.flush;
        self.cache(flush, flush)
    }

    /// The rate it announces; `None` = it does not.
    const fn says(&self) -> Option<u32> {
        match (self.announce, self.announced) {
            (Announce::Never, _) => None,
            (_, Some(n)) => Some(n),
            (_, None) => Some(self.sampling),
        }
    }

    /// Milliseconds since boot, as 32 bits that wrap.
    fn uptime(&self, at: Timestamp) -> u32 {
        u32::try_from((at.since(self.boot).nanos() / 1_000_000) & 0xffff_ffff).unwrap_or(0)
    }
}

/// What an interface has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Layer-2 octets received.
    pub in_octets: u64,
    /// Packets received.
    pub in_packets: u64,
    /// Layer-2 octets sent.
    pub out_octets: u64,
    /// Packets sent.
    pub out_packets: u64,
}

/// A datagram and when it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Timestamp,
    /// By which router.
    pub router: u16,
    /// Samples or flow records in it.
    pub records: u32,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

/// A port that samples what arrives by it.
#[derive(Debug)]
struct Port {
    sampler: Sampler,
    samples: u32,
    /// Packets of which it told that they were dropped.
    discards: u32,
    /// Of counter samples.
    sequence: u32,
    traffic: Traffic,
}

/// A router at work.
#[derive(Debug)]
pub struct Exporter {
    settings: Settings,
    router: u16,
    ports: BTreeMap<u16, Port>,
    sflow: sflow::Writer,
    cache: Cache,
    pending: Vec<cache::Flow>,
    sequence: u32,
    /// Flows that its format cannot carry.
    untold: u64,
    flush_at: Timestamp,
    templates_at: Timestamp,
    counters_at: Option<Timestamp>,
    output: VecDeque<Sent>,
}

impl Exporter {
    /// Router number `router`, switched on; its clock begins to matter at `start`.
    pub fn new(settings: Settings, router: u16, start: Timestamp) -> Self {
        let flow = settings.format != Format::Sflow;
        let counters_at = settings.counters.filter(|_| !flow).map(|every| start.plus(every));
        Self {
            router,
            ports: BTreeMap::new(),
            sflow: sflow::Writer::default(),
            cache: Cache::default(),
            pending: Vec::new(),
            sequence: 0,
            untold: 0,
            flush_at: start.plus(settings.flush),
            templates_at: start,
            counters_at,
            output: VecDeque::new(),
            settings,
        }
    }

    /// A packet passes at `packet.at`, or is dropped; deadlines before it have to be handled first. What is dropped reaches neither
    /// the sampler nor the counters of packets (RFC 2863 `ifInUcastPkts`); sFlow tells of it as a discarded packet.
    pub fn packet(&mut self, packet: &Packet) {
        let mut frame = Vec::new();
        let whole = packet.frame(&mut frame, self.settings.header_max);
        let settings = &self.settings;
        let port = self.ports.entry(packet.input_if).or_insert_with(|| {
            let seed = base::hash::Mixer::new(settings.seed).with(packet.input_if.into()).finish();
            Port {
                sampler: Sampler::new(settings.sampling, seed),
                samples: 0,
                discards: 0,
                sequence: 0,
                traffic: Traffic::default(),
            }
        });
        if packet.dropped {
            if settings.format == Format::Sflow {
                self.sflow_discard(packet, &frame, whole);
            }
            return;
        }
        let pool_before = port.sampler.pool();
        let taken = if settings.thinned {
            port.sampler.taken();
            true
        } else {
            port.sampler.take()
        };
        let passed = port.sampler.pool() - pool_before;
        let octets = passed * (u64::from(whole) + sflow::FCS);
        port.traffic.in_packets += passed;
        port.traffic.in_octets += octets;
        if let Some(out) = self.ports.get_mut(&packet.output_if) {
            out.traffic.out_packets += passed;
            out.traffic.out_octets += octets;
        }
        if !taken {
            return;
        }
        if settings.format == Format::Sflow {
            self.sflow_sample(packet, &frame, whole);
        } else {
            self.cache.add(packet, &self.settings);
            while let Some(flow) = self.cache.overflow() {
                self.flow(flow, packet.at);
            }
        }
    }

    /// When it next wants to be called.
    pub fn poll_timeout(&self) -> Timestamp {
        let next = match self.counters_at {
            Some(at) => at.min(self.flush_at),
            None => self.flush_at,
        };
        if self.settings.format == Format::NetFlow9 || self.settings.format == Format::Ipfix {
            next.min(self.templates_at)
        } else {
            next
        }
    }

    /// A deadline has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if now >= self.templates_at {
            match self.settings.format {
                Format::NetFlow9 => self.netflow9_templates(now),
                Format::Ipfix => self.ipfix_templates(now),
                Format::Sflow | Format::NetFlow5 => {}
            }
            self.templates_at = now.plus(self.settings.templates);
        }
        if self.counters_at.is_some_and(|at| now >= at) {
            self.sflow_counters(now);
            self.counters_at = self.settings.counters.map(|every| now.plus(every));
        }
        if now >= self.flush_at {
            while let Some(flow) = self.cache.due(now, &self.settings) {
                self.flow(flow, now);
            }
            self.send(now);
            self.flush_at = now.plus(self.settings.flush);
        }
    }

    /// Everything still in the cache is sent, as at a shutdown.
    pub fn finish(&mut self, now: Timestamp) {
        while let Some(flow) = self.cache.first() {
            self.flow(flow, now);
        }
        self.send(now);
    }

    /// The next datagram.
    pub fn poll_output(&mut self) -> Option<Sent> {
        self.output.pop_front()
    }

    /// Flows that the format cannot carry (IPv6 in NetFlow v5).
    pub const fn untold(&self) -> u64 {
        self.untold
    }

    /// What the interfaces have counted.
    pub fn traffic(&self) -> impl Iterator<Item = (u16, Traffic)> + '_ {
        self.ports.iter().map(|(index, port)| (*index, port.traffic))
    }

    /// One flow is to be told.
    fn flow(&mut self, flow: cache::Flow, now: Timestamp) {
        if self.settings.format == Format::NetFlow5 && !flow.key.src.is_ipv4() {
            self.untold += 1;
            return;
        }
        self.pending.push(flow);
        if self.pending.len() >= self.settings.records_max {
            self.send(now);
        }
    }

    /// What waits is sent.
    fn send(&mut self, now: Timestamp) {
        match self.settings.format {
            Format::Sflow => self.sflow_send(now),
            _ if self.pending.is_empty() => {}
            Format::NetFlow5 => self.netflow5_send(now),
            Format::NetFlow9 => self.netflow9_send(now),
            Format::Ipfix => self.ipfix_send(now),
        }
    }

    fn emit(&mut self, at: Timestamp, records: usize, bytes: Vec<u8>) {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        self.output.push_back(Sent { at, router: self.router, records, bytes });
    }
}

/// A world and its border routers: the datagrams of all of them in the order of time.
#[derive(Debug)]
pub struct Fleet<I = World> {
    packets: I,
    until: Timestamp,
    exporters: Vec<Exporter>,
    waiting: Option<Packet>,
    done: bool,
    output: VecDeque<Sent>,
}

impl Fleet {
    /// Packets of router `n` go to `routers[n]`; those of routers that do not exist are not told.
    pub fn new(world: World, routers: Vec<Settings>) -> Self {
        let (from, until) = (world.now(), world.end());
        Self::over(world, from, until, routers)
    }

    /// The world behind.
    pub const fn world(&self) -> &World {
        &self.packets
    }
}

impl<I: Iterator<Item = Packet>> Fleet<I> {
    /// Where packets come from, to change what comes.
    pub const fn packets_mut(&mut self) -> &mut I {
        &mut self.packets
    }

    /// The same over packets from anywhere, in the order of time: a recording, or a world with somebody watching it. The
    /// routers are switched on at `from` and shut down at `until`.
    pub fn over(packets: I, from: Timestamp, until: Timestamp, routers: Vec<Settings>) -> Self {
        let exporters = (0u16..).zip(routers).map(|(n, settings)| Exporter::new(settings, n, from)).collect();
        Self { packets, until, exporters, waiting: None, done: false, output: VecDeque::new() }
    }

    /// The routers.
    pub fn exporters(&self) -> &[Exporter] {
        &self.exporters
    }

    fn step(&mut self) {
        let packet = match self.waiting.take() {
            Some(packet) => Some(packet),
            None => self.packets.next(),
        };
        let deadline = self.exporters.iter().map(Exporter::poll_timeout).min();
        match (packet, deadline) {
            (Some(packet), Some(deadline)) if deadline <= packet.at => {
                self.waiting = Some(packet);
                self.at(deadline);
            }
            (Some(packet), _) => {
                if let Some(exporter) = self.exporters.get_mut(usize::from(packet.router)) {
                    exporter.packet(&packet);
                    while let Some(sent) = exporter.poll_output() {
                        self.output.push_back(sent);
                    }
                }
            }
            // What is still to be sent at its time, before all is sent at once.
            (None, Some(deadline)) if deadline < self.until => self.at(deadline),
            (None, _) => {
                let now = self.until;
                self.at(now);
                for exporter in &mut self.exporters {
                    exporter.finish(now);
                }
                self.collect();
                self.done = true;
            }
        }
    }

    fn at(&mut self, now: Timestamp) {
        for exporter in &mut self.exporters {
            if exporter.poll_timeout() <= now {
                exporter.handle_timeout(now);
            }
        }
        self.collect();
    }

    fn collect(&mut self) {
        for exporter in &mut self.exporters {
            while let Some(sent) = exporter.poll_output() {
                self.output.push_back(sent);
            }
        }
    }
}

impl<I: Iterator<Item = Packet>> Iterator for Fleet<I> {
    type Item = Sent;

    fn next(&mut self) -> Option<Sent> {
        while self.output.is_empty() && !self.done {
            self.step();
        }
        self.output.pop_front()
    }
}
