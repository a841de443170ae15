//! What each channel is to hear.

use std::collections::BTreeMap;

use base::{Prefix, Timestamp};
use store::{EventRow, ToldRow};

use crate::{Brief, Event, EventKind, Settings, Severity, Trouble};

/// What was told of an attack that goes on.
#[derive(Clone, Debug)]
struct Told {
    /// The highest severity so far.
    severity: Severity,
    brief: Brief,
    /// The last event or reminder, by channel.
    last: BTreeMap<String, Timestamp>,
}

/// Follows attacks and writes rows for the outbox. What it returns has to be written: it does not say it twice.
#[derive(Debug)]
pub struct Router {
    channels: Vec<Settings>,
    /// Whose prefixes are whose.
    customers: Vec<(String, Vec<Prefix>)>,
    told: BTreeMap<String, Told>,
    /// What was told as amiss, by id. After a restart what still is is told anew, under its id.
    troubles: BTreeMap<String, Trouble>,
}

/// What is to be written at once.
#[derive(Debug, Default)]
pub struct Writing {
    /// New events.
    pub events: Vec<EventRow>,
    /// What is told of attacks that go on.
    pub told: Vec<ToldRow>,
    /// Attacks that are over.
    pub forgotten: Vec<String>,
}

impl Router {
    /// Goes on from what an earlier process wrote down.
    pub fn new(channels: Vec<Settings>, customers: Vec<(String, Vec<Prefix>)>, told: Vec<ToldRow>) -> Self {
        let told = told.into_iter().filter_map(|row| {
            let brief: Brief = serde_json::from_str(&row.document).ok()?;
            let last = channels.iter().map(|channel| (channel.name.clone(), row.at)).collect();
            let severity =
                if row.severity == Severity::Attack.name() { Severity::Attack } else { brief.severity };
            Some((row.attack, Told { severity, brief, last }))
        });
        let told = told.collect();
        Self { channels, customers, told, troubles: BTreeMap::new() }
    }

    /// Goes on from what the router before was told to be amiss.
    pub fn after(self, troubles: BTreeMap<String, Trouble>) -> Self {
        Self { troubles, ..self }
    }

    /// What was told as amiss.
    pub const fn amiss(&self) -> &BTreeMap<String, Trouble> {
        &self.troubles
    }

    /// Of the attacks that were told as going on, only `active` are known any more: the others are told as ended.
    pub fn settle(&mut self, active: &[String], now: Timestamp) -> Writing {
        let gone: Vec<Brief> = self
            .told
            .values()
            .filter(|told| !active.contains(&told.brief.id))
            .map(|told| Brief { over: true, ended_at: Some(now), ..told.brief.clone() })
            .collect();
        let mut writing = Writing::default();
        for brief in gone {
            let note = "told as ended: it was not known any more after a restart".to_owned();
            self.end(brief, now, Some(note), &mut writing);
        }
        writing
    }

    /// Hears of an attack's new state.
    pub fn hear(&mut self, mut brief: Brief, now: Timestamp) -> Writing {
        brief.customers = self.whose(&brief);
        let mut writing = Writing::default();
        let known = self.told.get(&brief.id).cloned();
        match &known {
            None => self.start(&brief, now, None, &mut writing),
            Some(told) if told.severity < brief.severity => {
                self.start(&brief, now, Some(told.severity), &mut writing);
            }
            Some(told) if !brief.over && brief.differs(&told.brief) => {
                self.change(&brief, told.severity, now, &mut writing);
            }
            Some(_) => {}
        }
        if brief.over {
            self.end(brief, now, None, &mut writing);
        }
        writing
    }

    /// Hears of all that is amiss now: what is new is told, and what is not any more.
    pub fn troubles(&mut self, amiss: BTreeMap<String, Trouble>, now: Timestamp) -> Writing {
        let mut writing = Writing::default();
        let before = std::mem::replace(&mut self.troubles, amiss.clone());
        let began = amiss.values().filter(|trouble| !before.contains_key(&trouble.id));
        let over = before.values().filter(|trouble| !amiss.contains_key(&trouble.id));
        let began = began.map(|trouble| (EventKind::TroubleStarted, trouble));
        for (kind, trouble) in began.chain(over.map(|trouble| (EventKind::TroubleEnded, trouble))) {
            self.all(
                Event { kind, at: now, attack: None, trouble: Some(trouble.clone()), note: None },
                &mut writing,
            );
        }
        writing
    }

    /// Hears that a configuration was taken, or refused and why.
    pub fn configuration(&self, refused: Option<String>, now: Timestamp) -> Writing {
        let mut writing = Writing::default();
        let (kind, note) = match refused {
            None => (EventKind::ConfigurationTaken, "a new configuration was taken".to_owned()),
            Some(why) => (
                EventKind::ConfigurationRefused,
                format!("a new configuration was refused; the old one stays in force: {why}"),
            ),
        };
        self.all(Event { kind, at: now, attack: None, trouble: None, note: Some(note) }, &mut writing);
        writing
    }

    /// What is about the whole: for channels that ask for it and hear of everybody.
    fn all(&self, event: Event, writing: &mut Writing) {
        let asked = |channel: &&Settings| channel.events.contains(&event.kind) && channel.only.is_empty();
        let document = serde_json::to_string(&event).unwrap_or_default();
        writing.events.extend(self.channels.iter().filter(asked).map(|channel| EventRow {
            number: 0,
            channel: channel.name.clone(),
            at: event.at,
            rank: event.kind.rank(),
            replaces: None,
            document: document.clone(),
        }));
    }

    /// Time passes: reminders.
    pub fn look(&mut self, now: Timestamp) -> Writing {
        let mut writing = Writing::default();
        for told in self.told.values_mut() {
            for channel in &self.channels {
                let Some(repeat) = channel.repeat else { continue };
                let Some(last) = told.last.get_mut(&channel.name) else { continue };
                if now.since(*last) < repeat
                    || !wanted(channel, EventKind::AttackOngoing, told.severity, &told.brief)
                {
                    continue;
                }
                *last = now;
                writing.events.push(row(channel, EventKind::AttackOngoing, &told.brief, None, now));
            }
        }
        writing
    }

    /// `before`: what it looked like to those who hear of less.
    fn start(&mut self, brief: &Brief, now: Timestamp, before: Option<Severity>, writing: &mut Writing) {
        for channel in &self.channels {
            let kind = match before {
                Some(before) if before >= channel.severity => EventKind::AttackChanged,
                _ => EventKind::AttackStarted,
            };
            if wanted(channel, kind, brief.severity, brief) {
                writing.events.push(row(channel, kind, brief, None, now));
            }
        }
        self.remember(brief, brief.severity, now, writing);
    }

    fn change(&mut self, brief: &Brief, severity: Severity, now: Timestamp, writing: &mut Writing) {
        for channel in &self.channels {
            if wanted(channel, EventKind::AttackChanged, severity, brief) {
                writing.events.push(row(channel, EventKind::AttackChanged, brief, None, now));
            }
        }
        self.remember(brief, severity, now, writing);
    }

    fn remember(&mut self, brief: &Brief, severity: Severity, now: Timestamp, writing: &mut Writing) {
        let last = self.channels.iter().map(|channel| (channel.name.clone(), now)).collect();
        let told = Told { severity, brief: brief.clone(), last };
        writing.told.push(ToldRow {
            attack: brief.id.clone(),
            severity: severity.name().to_owned(),
            at: now,
            document: serde_json::to_string(brief).unwrap_or_default(),
        });
        self.told.insert(brief.id.clone(), told);
    }

    fn end(&mut self, brief: Brief, now: Timestamp, note: Option<String>, writing: &mut Writing) {
        let severity =
            self.told.remove(&brief.id).map_or(brief.severity, |told| told.severity.max(brief.severity));
        for channel in &self.channels {
            if wanted(channel, EventKind::AttackEnded, severity, &brief) {
                writing.events.push(row(channel, EventKind::AttackEnded, &brief, note.clone(), now));
            }
        }
        writing.told.retain(|told| told.attack != brief.id);
        writing.forgotten.push(brief.id);
    }

    fn whose(&self, brief: &Brief) -> Vec<String> {
        let hit = self.customers.iter().filter(|(_, networks)| hits(brief, networks));
        hit.map(|(name, _)| name.clone()).collect()
    }
}

/// Whether a channel wants to hear of it.
fn wanted(channel: &Settings, kind: EventKind, severity: Severity, brief: &Brief) -> bool {
    let asked =
        channel.events.contains(&kind) || kind == EventKind::AttackOngoing && channel.repeat.is_some();
    asked && severity >= channel.severity && (channel.only.is_empty() || hits(brief, &channel.only))
}

/// Whether an attack is on any of these.
fn hits(brief: &Brief, networks: &[Prefix]) -> bool {
    let meet = |a: &Prefix, b: &Prefix| a.covers(b) || b.covers(a);
    // The list of targets is capped; what covers them all speaks where it is not whole.
    let whole = u64::try_from(brief.targets.len()).is_ok_and(|listed| listed >= brief.targets_count);
    let targets = if whole && !brief.targets.is_empty() {
        brief.targets.as_slice()
    } else {
        std::slice::from_ref(&brief.target)
    };
    networks.iter().any(|network| targets.iter().any(|target| meet(network, target)))
}

fn row(channel: &Settings, kind: EventKind, brief: &Brief, note: Option<String>, now: Timestamp) -> EventRow {
    let event = Event { kind, at: now, attack: Some(brief.clone()), trouble: None, note };
    EventRow {
        number: 0,
        channel: channel.name.clone(),
        at: now,
        rank: kind.rank(),
        // A newer change takes the place of one that still waits.
        replaces: (kind.rank() == 0).then(|| format!("{} {}", kind.name(), brief.id)),
        document: serde_json::to_string(&event).unwrap_or_default(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
