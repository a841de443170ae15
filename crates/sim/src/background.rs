//! Ordinary days: what our hosts and the Internet talk when nothing happens.

use base::hash::Mixer;
use base::{Span, Timestamp};

use crate::packet::Packet;
use crate::population::{Population, Role};
use crate::rng::Rng;
use crate::session::{Kind, Session};

/// What hosts of a role talk: share of their packets, and whether they are asked.
pub(crate) const fn talk(role: Role) -> &'static [(Kind, f64, bool)] {
    match role {
        Role::Web => &[
            (Kind::Https, 0.55, true),
            (Kind::Quic, 0.20, true),
            (Kind::Http, 0.08, true),
            (Kind::Upload, 0.06, true),
            (Kind::Interactive, 0.04, true),
            (Kind::Https, 0.045, false),
            (Kind::Dns, 0.015, false),
            (Kind::Ntp, 0.002, false),
            (Kind::Ping, 0.008, true),
        ],
        Role::Eyeballs => &[
            (Kind::Https, 0.40, false),
            (Kind::Quic, 0.31, false),
            (Kind::Http, 0.03, false),
            (Kind::Download, 0.10, false),
            (Kind::Upload, 0.02, false),
            (Kind::Game, 0.05, false),
            (Kind::Voice, 0.035, false),
            (Kind::Dns, 0.022, false),
            (Kind::DnsLarge, 0.001, false),
            (Kind::Ntp, 0.002, false),
            (Kind::Interactive, 0.02, false),
            (Kind::Tunnel, 0.007, false),
            (Kind::Ping, 0.003, false),
        ],
        Role::Games => {
            &[(Kind::Game, 0.93, true), (Kind::Https, 0.05, true), (Kind::Interactive, 0.02, true)]
        }
        Role::Resolver => &[
            (Kind::Dns, 0.62, false),
            (Kind::Dns, 0.30, true),
            (Kind::DnsLarge, 0.03, false),
            (Kind::Interactive, 0.05, true),
        ],
        Role::Clock => &[(Kind::Ntp, 0.9, true), (Kind::Ntp, 0.05, false), (Kind::Interactive, 0.05, true)],
        Role::Gateway => &[
            (Kind::Voice, 0.35, true),
            (Kind::Tunnel, 0.30, true),
            (Kind::Encapsulated(50), 0.17, true),
            (Kind::Encapsulated(47), 0.08, true),
            (Kind::Https, 0.10, true),
        ],
    }
}

/// All roles.
const ROLES: [Role; 6] = [Role::Web, Role::Eyeballs, Role::Games, Role::Resolver, Role::Clock, Role::Gateway];

/// Background traffic as a function of its settings.
#[derive(Clone, Debug)]
pub struct Background {
    /// Mean packets per second of a whole day.
    pub pps: f64,
    /// How far the evening rises above the mean, and the night falls below: 0…1.
    pub diurnal: f64,
    /// Length of a day (shorter for a time lapse).
    pub day: Span,
    /// Share of packets that leave; `None` = as the conversations have it.
    pub share_out: Option<f64>,
    /// How restless single hosts are: the deviation of the logarithm of their rate over half-minutes.
    pub restless: f64,
    key: u64,
    /// Most conversations per packet that a role has.
    density_max: f64,
}

/// How long a mood of a host lasts.
const MOOD: Span = Span::from_secs(30);
/// Moods above this many times the mean are cut.
const MOOD_MAX: f64 = 3.0;

impl Background {
    /// Packets per second, with an ordinary day.
    pub fn new(pps: f64, seed: u64) -> Self {
        let density_max = ROLES.iter().map(|role| density(*role)).fold(0.0, f64::max);
        let key = Mixer::new(seed).with(0x6d6f_6f64).finish();
        let day = Span::from_secs(86_400);
        Self { pps, diurnal: 0.4, day, share_out: None, restless: 0.35, key, density_max }
    }

    /// Packets per second at `at`.
    pub fn rate(&self, at: Timestamp) -> f64 {
        let day = self.day.as_secs_f64().max(1e-3);
        let phase = Span::from_nanos(at.nanos() % self.day.nanos().max(1)).as_secs_f64() / day;
        // Lowest at four in the morning, highest in the late afternoon.
        self.pps * (1.0 - self.diurnal * libm::cos(core::f64::consts::TAU * (phase - 4.0 / 24.0)))
    }

    /// Conversations per second at `at`, before [`Background::begin`] refuses some.
    pub fn session_rate(&self, at: Timestamp) -> f64 {
        self.rate(at) * self.density_max
    }

    /// A conversation that begins at `at`; `None` when the draw fell on a host whose conversations are fewer and longer.
    pub fn begin(&self, people: &Population, rng: &mut Rng, at: Timestamp) -> Option<Session> {
        let rank = self.host(people, rng, at);
        let role = people.role(rank);
        if !rng.chance(density(role) / self.density_max) {
            return None;
        }
        let talk = talk(role);
        let at_kind = rng.weighted(talk.iter().map(|(kind, share, _)| share / kind.mean_len()));
        let (kind, _, serves) = talk.get(at_kind).copied()?;
        let mut session = self.session(people, rng, rank, kind, serves, rng.clone().bits(), false);
        rng.bits();
        session.start = at;
        Some(session)
    }

    /// One packet at `at`, drawn at random from all there are.
    pub fn one(&self, people: &Population, rng: &mut Rng, at: Timestamp) -> Packet {
        let rank = self.host(people, rng, at);
        self.of(people, rng, at, rank)
    }

    /// One packet at `at`, drawn at random from those that the host of this rank receives or sends.
    pub fn of(&self, people: &Population, rng: &mut Rng, at: Timestamp, rank: u32) -> Packet {
        let talk = talk(people.role(rank));
        let at_kind = rng.weighted(talk.iter().map(|(_, share, _)| *share));
        let (kind, _, serves) = talk.get(at_kind).copied().unwrap_or((Kind::Https, 1.0, true));
        let long = matches!(kind, Kind::Game | Kind::Voice | Kind::Tunnel | Kind::Encapsulated(_));
        // Long conversations are met again: a host has a few of them at a time, each for some minutes.
        let (seed, mut peer) = if long {
            let slot =
                Mixer::new(self.key).with(u64::from(rank)).with(rng.below(6)).with(at.secs() / 240).finish();
            (slot, Rng::new(slot))
        } else {
            (rng.bits(), Rng::new(rng.bits()))
        };
        let session = self.session(people, &mut peer, rank, kind, serves, seed, true);
        let mut i = rng.below(u64::from(session.len));
        if let Some(share) = self.share_out {
            let out = rng.chance(share);
            for _ in 0..8 {
                if session.inbound(u32::try_from(i).unwrap_or(0)) != out {
                    break;
                }
                i = rng.below(u64::from(session.len));
            }
        }
        let mut packet = session.packet(u32::try_from(i).unwrap_or(0));
        packet.at = at;
        packet
    }

    /// A host by its share and its mood.
    fn host(&self, people: &Population, rng: &mut Rng, at: Timestamp) -> u32 {
        for _ in 0..16 {
            let rank = people.draw(rng);
            if self.restless <= 0.0 || rng.chance(self.mood(rank, at) / MOOD_MAX) {
                return rank;
            }
        }
        people.draw(rng)
    }

    /// How busy a host is now against its mean: log-normal, each half-minute anew, gliding between.
    fn mood(&self, rank: u32, at: Timestamp) -> f64 {
        let block = at.tick(MOOD);
        let level = |block: u64| {
            let normal = Rng::new(Mixer::new(self.key).with(u64::from(rank)).with(block).finish()).normal();
            libm::exp(self.restless * normal - self.restless * self.restless / 2.0)
        };
        let part = Span::from_nanos(at.nanos() % MOOD.nanos()).as_secs_f64() / MOOD.as_secs_f64();
        (level(block) * (1.0 - part) + level(block + 1) * part).min(MOOD_MAX)
    }

    #[expect(clippy::too_many_arguments, reason = "a conversation has this many sides")]
    fn session(
        &self,
        people: &Population,
        rng: &mut Rng,
        rank: u32,
        kind: Kind,
        serves: bool,
        seed: u64,
        by_size: bool,
    ) -> Session {
        let ours = people.host(rank);
        let theirs = if serves { people.remote(ours, rng) } else { people.cloud(ours, rng) };
        let (client, server) = if serves { (theirs, ours) } else { (ours, theirs) };
        Session::new(kind, client, server, serves, seed, by_size)
    }
}

/// Conversations per packet of a role.
fn density(role: Role) -> f64 {
    let talk = talk(role);
    let shares: f64 = talk.iter().map(|(_, share, _)| share).sum();
    talk.iter().map(|(kind, share, _)| share / shares / kind.mean_len()).sum()
}
