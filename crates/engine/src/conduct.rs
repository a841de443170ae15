//! What the clients of each server do with their connections, tick by tick: the watch over attacks whose packets are honest
//! one by one. Exact feeds only; elsewhere nothing comes in.

use base::map::{Map, Seed};
use base::prefix::{bits_of, narrow};
use base::{Span, Timestamp};
use detect::baseline::Baseline;
use detect::cell::Side;
use detect::class::Class;
use detect::connections::{ClientKey, Conduct, asks};
use detect::evidence::Term;
use detect::vector::conduct::{BEHAVIOURS, Behaviour, Doings};

use crate::report::Direction;
use crate::target::TargetKey;
use crate::tick::{Ring, prefix};

/// Servers remembered; beyond it those without a run go.
const SERVERS_MAX: usize = 1 << 14;
/// Clients of a run told apart; further ones are not counted.
const CLIENTS_MAX: usize = 1 << 17;
/// A run is weighed this often, beginning so long after its first doing.
const WEIGH_EVERY: Span = Span::from_millis(250);
/// A run shorter than this has not the time to show how often clients come back.
const RUN_MIN: Span = Span::from_secs(1);
/// Doings of a run at least.
const DOINGS_MIN: u64 = 20;
/// A client with this many doings, and this many a second, is no person who loads a page.
const HEAVY: (u32, f64) = (30, 5.0);
/// Served connections are counted over this many seconds.
const SERVED_SECS: f64 = 10.0;
/// First octets by which requests are the same or not: the path and the query, as far as they are short.
const FRONT: usize = 24;
/// The classes in which a connection's packets are counted.
pub(crate) const CLASSES: [Class; 4] = [Class::TCP_SYN, Class::TCP_ACK, Class::TCP_DATA, Class::TCP_RST_FIN];

/// Clients whose doings are to be weighed.
#[derive(Debug)]
pub(crate) struct Suspicion {
    pub(crate) key: TargetKey,
    pub(crate) behaviour: &'static Behaviour,
    pub(crate) began: Timestamp,
    /// Why; nothing where only culprits are added.
    pub(crate) terms: Vec<Term>,
    /// Who does it.
    pub(crate) culprits: Vec<u128>,
    /// What was sent before the last ticks, by whom, where it took that long to be told: packets and octets.
    pub(crate) past: Vec<(u128, u64, u64)>,
}

/// All servers.
#[derive(Debug)]
pub(crate) struct Conducts {
    servers: Map<TargetKey, Server>,
    /// Connections that each client opened, to whomever: who asks many is nobody's attacker.
    opened: Map<u128, u32>,
    seed: Seed,
}

#[derive(Debug)]
struct Server {
    touched: Timestamp,
    /// Connections served, faded over [`SERVED_SECS`].
    fruitful: f64,
    /// The most of them that ever were.
    fruitful_max: f64,
    behaviours: [State; BEHAVIOURS.len()],
}

/// One behaviour of one server's clients.
#[derive(Debug, Default)]
struct State {
    /// Doings of the last second, faded; or the number last told.
    lately: f64,
    usual: Baseline,
    run: Option<Run>,
}

/// A time in which there is more of it than the floor.
#[derive(Debug)]
struct Run {
    began: Timestamp,
    weighed: Timestamp,
    doings: u64,
    connections: u64,
    /// Told about the last time: only these are held now.
    trickling: u64,
    past: Vec<(u128, u64, u64)>,
    /// Whether it was called suspicious: then newcomers are added at once.
    followed: bool,
    clients: Map<u128, Client>,
}

/// What a client did in a run.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    doings: u32,
    /// Connections to this server, and to all before it came.
    opened: u32,
    opened_before: u32,
}

impl Client {
    /// Whether it does so much that it is no person who loads a page.
    fn is_heavy(&self, secs: f64) -> bool {
        self.doings >= HEAVY.0 && f64::from(self.doings) >= HEAVY.1 * secs
    }

    /// Whether most of its connections go to this server.
    const fn is_devoted(&self, opened_by_now: u32) -> bool {
        opened_by_now.saturating_sub(self.opened_before) <= self.opened.saturating_mul(2)
    }
}

impl Conducts {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { servers: Map::new(seed.clone()), opened: Map::new(seed.clone()), seed }
    }

    /// Takes a tick's doings and says whose are suspicious. With `last` nothing is waited for.
    pub(crate) fn tick(
        &mut self,
        (from, until): (Timestamp, Timestamp),
        doings: &[(ClientKey, Conduct)],
        ring: &Ring,
        last: bool,
    ) -> Vec<Suspicion> {
        if self.opened.len() > CLIENTS_MAX {
            self.opened.clear();
        }
        for (client, conduct) in doings.iter().filter(|(_, conduct)| conduct.opened > 0) {
            *self.opened.get_or_insert_with(client.source, || 0) += conduct.opened;
        }
        let mut found = Vec::new();
        let mut rest = doings;
        while let Some((first, _)) = rest.first() {
            let (host, side) = (first.host, first.side);
            let end = rest.iter().position(|(key, _)| (key.host, key.side) != (host, side));
            let (of_server, tail) = rest.split_at(end.unwrap_or(rest.len()));
            rest = tail;
            let direction = if side == Side::ReceivedFromUs { Direction::Out } else { Direction::In };
            let key = TargetKey { addr: host, bits: bits_of(narrow(host)), direction };
            let all = All { seed: &self.seed, opened: &self.opened };
            let server = self.servers.get_or_insert_with(key, || Server::new(from));
            server.tick(from, until, of_server, &all);
        }
        // Doings go on counting against a server in ticks without any.
        let weigh = |server: &Server| server.behaviours.iter().any(|state| state.run.is_some());
        for (key, _) in self.servers.sorted().into_iter().filter(|(_, server)| weigh(server)) {
            found.push(*key);
        }
        let mut suspicions = Vec::new();
        for key in found {
            if let Some(server) = self.servers.get_mut(&key) {
                server.weigh(key, until, ring, &self.opened, last, &mut suspicions);
            }
        }
        if self.servers.len() > SERVERS_MAX {
            self.servers.retain(|_, server| weigh(server));
        }
        suspicions
    }
}

impl Server {
    fn new(now: Timestamp) -> Self {
        Self { touched: now, fruitful: 0.0, fruitful_max: 0.0, behaviours: Default::default() }
    }

    fn tick(&mut self, from: Timestamp, until: Timestamp, doings: &[(ClientKey, Conduct)], all: &All<'_>) {
        let secs = until.since(self.touched).as_secs_f64();
        self.touched = until;
        let sum =
            |count: &dyn Fn(&Conduct) -> u32| doings.iter().map(|(_, c)| f64::from(count(c))).sum::<f64>();
        self.fruitful = self.fruitful * (-secs / SERVED_SECS).exp() + sum(&|c| c.fruitful);
        self.fruitful_max = self.fruitful_max.max(self.fruitful);
        for (behaviour, state) in BEHAVIOURS.iter().zip(&mut self.behaviours) {
            let now = sum(&behaviour.count);
            let heard = Heard { span: (from, until), now, behaviour, doings, all };
            if behaviour.gauge {
                state.gauge(&heard);
            } else {
                state.lately = state.lately * (-secs).exp() + now;
                state.events(&heard);
            }
        }
    }

    fn weigh(
        &mut self,
        key: TargetKey,
        until: Timestamp,
        ring: &Ring,
        opened: &Map<u128, u32>,
        last: bool,
        suspicions: &mut Vec<Suspicion>,
    ) {
        let idle = until.since(self.touched).as_secs_f64();
        let served = self.fruitful;
        for (behaviour, state) in BEHAVIOURS.iter().copied().zip(&mut self.behaviours) {
            let rate = if behaviour.gauge { state.lately } else { state.lately * (-idle).exp() };
            let Some(run) = &mut state.run else { continue };
            // A gauge is told each second; without word from it nothing is held any more.
            let over = if behaviour.gauge { idle > 2.0 } else { rate < 0.5 * behaviour.floor };
            if over && !last {
                state.run = None;
                continue;
            }
            let due = until.since(run.weighed) >= WEIGH_EVERY || last;
            let mut terms = detect::evidence::Terms::default();
            if run.doings >= DOINGS_MIN && due {
                run.weighed = until;
                let fruitful = if behaviour.gauge { served } else { served / SERVED_SECS };
                let waiting = 3.0 * self.fruitful_max / SERVED_SECS * run.secs(until);
                let lately = Lately { rate, usual: state.usual.expected(), fruitful, waiting };
                (behaviour.judge)(&run.doings(key, behaviour, lately, until, (ring, opened)), &mut terms);
            }
            let sum = detect::evidence::sum(&terms.0);
            run.followed |= sum >= detect::evidence::SUSPICIOUS;
            if sum < detect::evidence::SUSPICIOUS {
                terms.0.clear();
            }
            if run.followed || !terms.0.is_empty() {
                let (culprits, past) = (run.culprits(until, opened), std::mem::take(&mut run.past));
                let (began, terms) = (run.began, terms.0);
                suspicions.push(Suspicion { key, behaviour, began, terms, culprits, past });
            }
        }
    }
}

impl State {
    fn events(&mut self, heard: &Heard<'_>) {
        let Heard { span: (from, until), now, behaviour, doings, all } = *heard;
        if self.run.is_none() && self.lately >= behaviour.floor {
            self.run = Some(Run::new(from, all.seed));
        }
        self.usual.learn(until, until.since(from), now, self.run.is_some());
        if let Some(run) = &mut self.run {
            for (client, conduct) in doings {
                run.add(client.source, (behaviour.count)(conduct), conduct.opened, all);
            }
        }
    }

    fn gauge(&mut self, heard: &Heard<'_>) {
        let Heard { span: (from, until), now, behaviour, doings, all } = *heard;
        if now <= 0.0 {
            return;
        }
        // A number that is told each second is learned like a rate; while it rises there is nothing usual about it.
        let rises = now > 1.1 * self.lately + 1.0;
        self.usual.learn(until, until.since(from), now, rises || self.run.is_some());
        self.lately = now;
        if now < behaviour.floor {
            self.run = None;
        }
        if now >= behaviour.floor {
            let began = doings.iter().filter_map(|(_, c)| c.since).min().unwrap_or(from);
            let mut run = Run::new(self.run.as_ref().map_or(began, |run| run.began), all.seed);
            (run.weighed, run.followed) =
                self.run.take().map_or((from, false), |old| (old.weighed, old.followed));
            for (client, conduct) in doings {
                run.add(client.source, (behaviour.count)(conduct), 0, all);
                run.trickling += u64::from(conduct.trickling);
                let (packets, octets) = conduct.past;
                if packets > 0 && run.past.len() < CLIENTS_MAX {
                    run.past.push((client.source, packets, octets));
                }
            }
            self.run = Some(run);
        }
    }
}

/// What a server's clients did in a tick, in the eyes of one behaviour.
struct Heard<'a> {
    /// Of the tick.
    span: (Timestamp, Timestamp),
    /// Of all clients together.
    now: f64,
    behaviour: &'a Behaviour,
    doings: &'a [(ClientKey, Conduct)],
    all: &'a All<'a>,
}

/// What holds for all servers.
struct All<'a> {
    seed: &'a Seed,
    opened: &'a Map<u128, u32>,
}

/// What is known of a server besides a run.
struct Lately {
    rate: f64,
    usual: f64,
    fruitful: f64,
    waiting: f64,
}

impl Run {
    fn new(began: Timestamp, seed: &Seed) -> Self {
        let clients = Map::new(seed.clone());
        Self {
            began,
            weighed: began,
            doings: 0,
            connections: 0,
            trickling: 0,
            past: Vec::new(),
            followed: false,
            clients,
        }
    }

    fn add(&mut self, client: u128, doings: u32, opened: u32, all: &All<'_>) {
        if doings == 0 && opened == 0 {
            return;
        }
        self.doings += u64::from(doings);
        self.connections += u64::from(opened);
        if self.clients.len() < CLIENTS_MAX || self.clients.contains_key(&client) {
            let before = || all.opened.get(&client).map_or(0, |by_now| by_now.saturating_sub(opened));
            let counts = self
                .clients
                .get_or_insert_with(client, || Client { opened_before: before(), ..Client::default() });
            counts.doings = counts.doings.saturating_add(doings);
            counts.opened = counts.opened.saturating_add(opened);
        }
    }

    /// How long it has lasted, but no less than tells something.
    fn secs(&self, until: Timestamp) -> f64 {
        until.since(self.began).max(RUN_MIN).as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "shares of counts")]
    fn doings(
        &self,
        key: TargetKey,
        behaviour: &Behaviour,
        lately: Lately,
        until: Timestamp,
        (ring, opened): (&Ring, &Map<u128, u32>),
    ) -> Doings {
        let secs = self.secs(until);
        let (mut sources, mut top, mut heavy, mut openers) = (0u64, 0u32, 0u64, 0u64);
        for (address, client) in self.clients.sorted() {
            sources += u64::from(client.doings > 0);
            openers += u64::from(client.opened > 0);
            top = top.max(client.doings);
            if client.is_heavy(secs) && client.is_devoted(opened.get(address).copied().unwrap_or(0)) {
                heavy += u64::from(client.doings);
            }
        }
        let connections = self.connections.max(1) as f64;
        let (examples, same, different) = requests(key, self.began, ring);
        Doings {
            rate: lately.rate,
            floor: behaviour.floor,
            usual: lately.usual,
            fruitful: lately.fruitful,
            waiting: lately.waiting,
            sources,
            source_top: f64::from(top) / self.doings.max(1) as f64,
            heavy: heavy as f64 / self.doings.max(1) as f64,
            repeats: 1.0 - (openers as f64 / connections).min(1.0),
            per_connection: self.doings as f64 / connections,
            examples,
            same,
            different,
            trickling: self.trickling as f64 / self.doings.max(1) as f64,
        }
    }

    /// Where a few do nearly all of it, these; else everybody.
    fn culprits(&self, until: Timestamp, opened: &Map<u128, u32>) -> Vec<u128> {
        let secs = self.secs(until);
        let all = self.clients.sorted().into_iter();
        let is_heavy = |(address, client): &(&u128, &Client)| {
            client.is_heavy(secs) && client.is_devoted(opened.get(*address).copied().unwrap_or(0))
        };
        let heavy: u64 = all.clone().filter(is_heavy).map(|(_, client)| u64::from(client.doings)).sum();
        // Beside the heaviest, those count that do a good part of what is heavy: they are of the same kind, only later. Where
        // all are alike, newcomers who have not come to it yet are of them.
        let least = if heavy * 2 >= self.doings { HEAVY.1 / 5.0 * secs } else { 0.0 };
        all.filter(|(_, client)| f64::from(client.doings) >= least).map(|(address, _)| *address).collect()
    }
}

/// Requests among the examples of the last second, the share of the commonest and that of different ones.
#[expect(clippy::cast_precision_loss, reason = "shares of examples")]
fn requests(key: TargetKey, began: Timestamp, ring: &Ring) -> (u64, f64, f64) {
    let samples = ring.samples(began, prefix(&key), |class| class == Class::TCP_DATA);
    let mut fronts: Vec<&[u8]> = samples
        .map(|(_, sample)| sample.snip.bytes())
        .filter(|front| asks(front))
        .map(|front| front.get(..FRONT).unwrap_or(front))
        .collect();
    fronts.sort_unstable();
    let (total, mut top, mut different) = (fronts.len(), 0, 0);
    let mut rest = fronts.as_slice();
    while let Some(first) = rest.first() {
        let run = rest.partition_point(|front| front <= first);
        top = top.max(run);
        different += 1;
        rest = rest.get(run..).unwrap_or(&[]);
    }
    let of = |part: usize| part as f64 / total.max(1) as f64;
    (total as u64, of(top), of(different))
}
