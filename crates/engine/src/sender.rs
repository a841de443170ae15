//! The watch over what own hosts send to foreign ones, against the fixed limits of their groups: such an attack is known by
//! its sender, whomever it hits.
//!
//! What is sent is counted from the examples, each with the number of records that it stands for; long flows are poured out
//! as everywhere. A sender that exceeds a limit counts as an attacker until it is below half of each, and the attack ends
//! after the usual quiet from then on: a rate that swings around its limit is one attack.

use std::collections::BTreeSet;

use base::Prefix;
use base::map::{Map, Seed};
use base::prefix::wide;
use base::{Span, Timestamp};
use detect::cell::{Cell, CellKey};
use detect::class::Class;
use detect::log::merge;

use crate::limits::{Book, Exceeded, Totals};
use crate::pour::Pours;
use crate::reach;
use crate::report::Direction;
use crate::settings::Settings;
use crate::target::TickCounts;
use crate::tick::Tick;

/// Senders remembered; beyond it the quiet ones go, then further ones are not looked at: counted in `refused`.
const SENDERS_MAX: usize = 1 << 16;
/// Examples of whither one of them sends; at the cap those of earlier ticks are forgotten. A tick brings no more than it keeps.
const PLACES_MAX: usize = 1 << 12;
/// So far back that counts.
const PLACES_SPAN: Span = Span::from_secs(1);
/// Below this part of each limit a sender is within them again.
const RELIEF: f64 = 0.5;

/// What a sender above its limits does in one tick.
#[derive(Debug)]
pub(crate) struct Excess {
    pub(crate) host: u128,
    /// The limit that it exceeds, if it does in this tick.
    pub(crate) exceeded: Option<Exceeded>,
    /// The smallest prefix with nearly all places it sends to.
    pub(crate) target: Option<Prefix>,
    /// What it sends, by class.
    pub(crate) cells: Vec<(Class, Cell)>,
}

/// All own hosts with limits on what they send.
#[derive(Debug)]
pub(crate) struct Senders {
    book: Book,
    pours: Pours,
    senders: Map<u128, Sender>,
    /// Those above their limits, until relieved.
    above: BTreeSet<u128>,
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
struct Sender {
    touched: Timestamp,
    totals: Totals,
    places: Vec<(u128, Timestamp)>,
}

impl Senders {
    pub(crate) fn new(settings: &Settings, seed: Seed) -> Self {
        Self {
            book: Book::new(&settings.groups, Direction::Out),
            pours: Pours::default(),
            senders: Map::new(seed),
            above: BTreeSet::new(),
            refused: 0,
        }
    }

    /// Long flows of senders that were not poured out.
    pub(crate) const fn pours_evicted(&self) -> u64 {
        self.pours.evicted
    }

    /// Takes a tick and says who is above his limits, in the order of addresses.
    pub(crate) fn tick(&mut self, settings: &Settings, tick: &Tick) -> Vec<Excess> {
        if self.book.is_empty() {
            return Vec::new();
        }
        let until = tick.until;
        let sent = tick.sent(settings.profile.is_exact(), |host| self.book.of(host).is_some());
        let cells = merge(sent.short, self.pours.tick(until, settings.tick, &sent.long), Cell::merge);
        let mut told = Vec::new();
        for of_host in cells.chunk_by(|(a, _), (b, _)| a.host == b.host) {
            let Some((first, _)) = of_host.first() else { continue };
            told.extend(self.count(first.host, of_host, until));
        }
        for (_, sample) in tick.counts.chosen.samples.iter().filter(|(_, s)| s.outgoing) {
            if let Some(sender) = self.senders.get_mut(&wide(sample.headers.src)) {
                sender.sends_to(wide(sample.headers.dst), until);
            }
        }
        let (book, senders) = (&self.book, &mut self.senders);
        self.above.retain(|host| {
            senders.get_mut(host).zip(book.of(*host)).is_some_and(|(sender, held)| {
                sender.pass(until);
                sender.totals.reached(held) >= RELIEF
            })
        });
        told.retain(|excess: &Excess| self.above.contains(&excess.host));
        for excess in &mut told {
            excess.target = self.senders.get(&excess.host).and_then(Sender::target);
        }
        if self.senders.len() >= SENDERS_MAX {
            self.senders.retain(|_, sender| {
                sender.pass(until);
                !sender.totals.is_quiet()
            });
        }
        told
    }

    /// Whether a host is above its limits and was not relieved since.
    pub(crate) fn is_above(&self, host: u128) -> bool {
        self.above.contains(&host)
    }

    fn count(&mut self, host: u128, cells: &[(CellKey, Cell)], until: Timestamp) -> Option<Excess> {
        let held = self.book.of(host)?;
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&host) {
            self.refused += 1;
            return None;
        }
        let sender = self.senders.get_or_insert_with(host, Sender::default);
        sender.pass(until);
        let counts =
            cells.iter().map(|(key, cell)| TickCounts { class: key.class, received: *cell, sent: 0.0 });
        let exceeded = sender.totals.tick(held, &counts.collect::<Vec<_>>());
        if exceeded.is_some() {
            self.above.insert(host);
        }
        let cells = cells.iter().map(|(key, cell)| (key.class, *cell)).collect();
        Some(Excess { host, exceeded, target: None, cells })
    }
}

impl Sender {
    fn pass(&mut self, until: Timestamp) {
        let secs = until.since(self.touched).as_secs_f64();
        if secs > 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "a factor below one")]
            self.totals.fade((-secs).exp() as f32);
            self.touched = until;
        }
    }

    /// The places of the last second in which there were any.
    fn sends_to(&mut self, host: u128, until: Timestamp) {
        if self.places.last().is_some_and(|(_, at)| *at != until) {
            self.places.retain(|(_, at)| until.since(*at) < PLACES_SPAN);
            if self.places.len() >= PLACES_MAX {
                self.places.clear();
            }
        }
        self.places.push((host, until));
    }

    fn target(&self) -> Option<Prefix> {
        let mut hosts: Vec<u128> = self.places.iter().map(|(host, _)| *host).collect();
        hosts.sort_unstable();
        reach::nearly_all(hosts)
    }
}
