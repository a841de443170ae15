//! The world: background and events, merged into one stream in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use base::hash::Mixer;
use base::{Prefix, Span, Timestamp};

use crate::attack::{Attack, Made};
use crate::background::Background;
use crate::event::{Event, Kind, Story};
use crate::packet::{Packet, Truth};
use crate::population::{Population, Role};
use crate::rng::Rng;
use crate::session::Session;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything follows from it.
    pub seed: u64,
    /// First instant.
    pub start: Timestamp,
    /// How long.
    pub span: Span,
    /// Our networks.
    pub networks: Vec<Prefix>,
    /// Busy hosts in them.
    pub hosts: u32,
    /// Exponent of Zipf's law of their shares.
    pub zipf: f64,
    /// Share of the hosts that speak IPv6, where both families have networks.
    pub share_v6: f64,
    /// Packets per second of the background, mean of the day.
    pub pps: f64,
    /// Share of the background that leaves; `None` = as the conversations have it.
    pub share_out: Option<f64>,
    /// How far the day swings around its mean: 0…1.
    pub diurnal: f64,
    /// Length of a day.
    pub day: Span,
    /// How restless single hosts are.
    pub restless: f64,
    /// Large honest transfers that begin per hour: 2 to 20 kpps for 5 to 45 s.
    pub bursts_per_hour: f64,
    /// Whether every packet of every conversation is made, in its order: for captures. Otherwise single packets are drawn,
    /// as a sampler would let them through, which costs the same whatever the rate.
    pub conversations: bool,
    /// Without conversations: only one of so many packets is made.
    pub thin: u32,
    /// Border routers.
    pub routers: u16,
}

impl Default for Config {
    /// A small provider: 100 kpps over a /16 and a /32 of IPv6, sampled 1:1000.
    fn default() -> Self {
        let networks = vec![
            Prefix::of(std::net::Ipv4Addr::new(198, 18, 0, 0).into(), 16),
            Prefix::of(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).into(), 32),
        ];
        Self {
            seed: 1,
            start: Timestamp::from_secs(1_800_000_000),
            span: Span::from_secs(60),
            networks,
            hosts: 65_536,
            zipf: 1.0,
            share_v6: 0.1,
            pps: 100_000.0,
            share_out: Some(0.35),
            diurnal: 0.3,
            day: Span::from_secs(86_400),
            restless: 0.35,
            bursts_per_hour: 0.0,
            conversations: false,
            thin: 1000,
            routers: 4,
        }
    }
}

/// Conversations under way at most; further ones do not begin, and [`World::refused`] counts them.
const SESSIONS_MAX: usize = 1 << 18;
/// The stream is made and sorted in slices of this length.
const SLICE: Span = Span::from_millis(10);
/// Conversations that began so long before the first instant are still under way then.
const LEAD: Span = Span::from_secs(60);
/// Honest bursts at the same time at most.
const BURSTS_MAX: usize = 64;

/// A stream of packets.
#[derive(Debug)]
pub struct World {
    config: Config,
    people: Population,
    background: Background,
    attacks: Vec<(Attack, f64, f64)>,
    stories: Vec<Story>,
    bursts: Vec<Attack>,
    rng: Rng,
    now: Timestamp,
    live: BinaryHeap<Reverse<Live>>,
    begun: u64,
    refused: u64,
    later: Vec<Packet>,
    ready: VecDeque<Packet>,
    room: Vec<Packet>,
}

/// A conversation and its next packet.
#[derive(Clone, Copy, Debug)]
struct Live {
    at: Timestamp,
    order: u64,
    next: u32,
    session: Session,
}

impl PartialEq for Live {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Live {}

impl Ord for Live {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Live {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl World {
    /// A world with these events.
    pub fn new(config: Config, events: Vec<Event>) -> Self {
        let people = Self::population(&config);
        let mut background = Background::new(config.pps, config.seed);
        background.diurnal = config.diurnal;
        background.day = config.day;
        background.share_out = config.share_out;
        background.restless = config.restless;
        let stories = events.iter().map(Event::story).collect();
        let attacks = (0u16..)
            .zip(events)
            .map(|(index, event)| {
                let attack = Attack::new(event, index, config.seed);
                let (towards, all) = attack.size(&people);
                (attack, towards.max(1e-3), all)
            })
            .collect();
        let rng = Rng::part(config.seed, 0x776f_726c);
        let mut world = Self {
            now: config.start,
            config,
            people,
            background,
            attacks,
            stories,
            bursts: Vec::new(),
            rng,
            live: BinaryHeap::new(),
            begun: 0,
            refused: 0,
            later: Vec::new(),
            ready: VecDeque::new(),
            room: Vec::new(),
        };
        if world.config.conversations {
            world.lead_in();
        }
        world
    }

    /// The hosts of a world with this configuration, to find victims among them before the script is written.
    pub fn population(config: &Config) -> Population {
        let Config { networks, hosts, zipf, share_v6, routers, seed, .. } = config;
        Population::new(networks, *hosts, *zipf, *share_v6, *routers, *seed)
    }

    /// The truth about each event, in the order of the script; packets point into it.
    pub fn stories(&self) -> &[Story] {
        &self.stories
    }

    /// Who lives here.
    pub const fn people(&self) -> &Population {
        &self.people
    }

    /// Conversations that were not begun for want of room.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// What our hosts talk when nothing happens.
    pub const fn background(&self) -> &Background {
        &self.background
    }

    /// Behind the last instant.
    pub const fn end(&self) -> Timestamp {
        self.config.start.plus(self.config.span)
    }

    /// Up to when everything has been made.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Its packets as captured frames, each with its truth.
    pub fn frames(self) -> impl Iterator<Item = (Timestamp, Vec<u8>, Truth)> {
        self.map(|packet| {
            let mut bytes = Vec::new();
            packet.frame(&mut bytes, usize::MAX);
            (packet.at, bytes, packet.truth)
        })
    }

    /// Conversations that began before the first instant and are still under way.
    fn lead_in(&mut self) {
        let start = self.config.start;
        let rate = self.background.session_rate(start);
        let n = self.rng.poisson(rate * LEAD.as_secs_f64());
        for _ in 0..n {
            let before = Span::from_nanos(self.rng.below(LEAD.nanos()));
            let Some(session) = self.background.begin(&self.people, &mut self.rng, start.minus(before))
            else {
                continue;
            };
            // The first packet that is still to come; offsets only grow.
            let (mut lo, mut hi) = (0, session.len);
            while lo < hi {
                let mid = lo + (hi - lo) / 2;
                if session.start.plus(session.offset(mid)) < start {
                    lo = mid + 1;
                } else {
                    hi = mid;
                }
            }
            if lo < session.len {
                self.begin(session, lo);
            }
        }
    }

    fn begin(&mut self, session: Session, next: u32) {
        if self.live.len() >= SESSIONS_MAX {
            self.refused += 1;
            return;
        }
        self.begun += 1;
        let at = session.start.plus(session.offset(next));
        self.live.push(Reverse(Live { at, order: self.begun, next, session }));
    }

    /// Packets of which one is made.
    const fn thin(&self) -> u32 {
        if self.config.conversations || self.config.thin == 0 { 1 } else { self.config.thin }
    }

    /// Writes one more event into the script, which begins now at the earliest; `false`: as many as have numbers stand there.
    pub fn add(&mut self, event: Event) -> bool {
        let index = u16::try_from(self.stories.len()).ok().filter(|index| *index < u16::MAX);
        let Some(index) = index else { return false };
        let now = self.now;
        self.attacks.retain(|(attack, ..)| attack.event.end() > now);
        self.stories.push(event.story());
        let attack = Attack::new(event, index, self.config.seed);
        let (towards, all) = attack.size(&self.people);
        self.attacks.push((attack, towards.max(1e-3), all));
        true
    }

    /// Makes the next slice.
    fn advance(&mut self) {
        let from = self.now;
        let until = from.plus(SLICE).min(self.config.start.plus(self.config.span));
        let dt = until.since(from);
        let mut made: Vec<Packet> = Vec::new();
        if self.config.conversations {
            self.conversations(from, dt);
        } else {
            let mean = self.background.rate(from) * dt.as_secs_f64() / f64::from(self.thin());
            for _ in 0..self.rng.poisson(mean) {
                let at = from.plus(Span::from_nanos(self.rng.below(dt.nanos())));
                made.push(self.background.one(&self.people, &mut self.rng, at));
            }
        }
        self.start_bursts(from, dt);
        for at in 0..self.attacks.len() {
            self.attack(at, from, dt, &mut made);
        }
        self.run_bursts(from, dt, &mut made);
        while self.live.peek().is_some_and(|Reverse(live)| live.at < until) {
            let Some(Reverse(mut live)) = self.live.pop() else { break };
            made.push(live.session.packet(live.next));
            live.next += 1;
            if live.next < live.session.len {
                live.at = live.session.start.plus(live.session.offset(live.next));
                self.live.push(Reverse(live));
            }
        }
        made.append(&mut self.later);
        made.sort_by_key(|packet| packet.at);
        let due = made.partition_point(|packet| packet.at < until);
        self.later.extend(made.drain(due..));
        for packet in &mut made {
            self.people.route(packet);
        }
        self.ready.extend(made);
        self.now = until;
    }

    /// New conversations of the background.
    fn conversations(&mut self, from: Timestamp, dt: Span) {
        let n = self.rng.poisson(self.background.session_rate(from) * dt.as_secs_f64());
        for _ in 0..n {
            let at = from.plus(Span::from_nanos(self.rng.below(dt.nanos())));
            if let Some(session) = self.background.begin(&self.people, &mut self.rng, at) {
                self.begin(session, 0);
            }
        }
    }

    fn attack(&mut self, at: usize, from: Timestamp, dt: Span, made: &mut Vec<Packet>) {
        let Some((attack, towards, all)) = self.attacks.get(at) else { return };
        if attack.event.end() <= from || attack.event.start >= from.plus(dt) {
            return;
        }
        let whole = self.config.conversations;
        let lots = attack.event.pps / towards * dt.as_secs_f64();
        let mean = if whole { lots } else { lots * all / f64::from(self.thin()) };
        let mut begun = Vec::new();
        for _ in 0..self.rng.poisson(mean) {
            let at = from.plus(Span::from_nanos(self.rng.below(dt.nanos())));
            if !self.rng.chance(attack.event.level(at)) {
                continue;
            }
            if !whole {
                made.extend(attack.one(&self.people, &mut self.rng, at, &mut self.room));
            } else if let Made::Session(session) = attack.make(&self.people, &mut self.rng, at, made) {
                begun.push(session);
            }
        }
        for session in begun {
            self.begin(session, 0);
        }
    }

    /// Large honest transfers begin now and then.
    fn start_bursts(&mut self, from: Timestamp, dt: Span) {
        self.bursts.retain(|burst| burst.event.end() > from);
        for _ in 0..self.rng.poisson(self.config.bursts_per_hour / 3600.0 * dt.as_secs_f64()) {
            if self.bursts.len() >= BURSTS_MAX {
                break;
            }
            let rank = self.people.draw(&mut self.rng);
            let receives = self.people.role(rank) == Role::Eyeballs;
            let span = Span::from_millis(self.rng.range(5_000, 45_000).into());
            let pps = self.rng.pareto(1.2, 2_000.0, 20_000.0);
            let target = Prefix::host(self.people.host(rank));
            let event = Event::new(Kind::Elephant { receives }, target, from, span, pps);
            self.begun += 1;
            self.bursts.push(Attack::new(
                event,
                u16::MAX,
                Mixer::new(self.config.seed).with(self.begun).finish(),
            ));
        }
    }

    fn run_bursts(&mut self, from: Timestamp, dt: Span, made: &mut Vec<Packet>) {
        for burst in &self.bursts {
            let mean = burst.event.pps * 1.5 * dt.as_secs_f64() / f64::from(self.thin());
            for _ in 0..self.rng.poisson(mean) {
                let at = from.plus(Span::from_nanos(self.rng.below(dt.nanos())));
                if at < burst.event.end() {
                    let before = made.len();
                    made.extend(burst.one(&self.people, &mut self.rng, at, &mut self.room));
                    if let Some(packet) = made.get_mut(before) {
                        packet.truth = Truth::BENIGN;
                    }
                }
            }
        }
    }
}

impl Iterator for World {
    type Item = Packet;

    fn next(&mut self) -> Option<Packet> {
        let end = self.config.start.plus(self.config.span);
        while self.ready.is_empty() && self.now < end {
            self.advance();
        }
        self.ready.pop_front()
    }
}
