//! The brain's end of a conversation with one absorber: what it shall hold, and what it said that it does.

use std::collections::{BTreeMap, VecDeque};

use base::{Prefix, Span, Timestamp};

use super::word::{Ask, Declared, Hold, Load, PREFIXES_MAX, Reason, Report, Tell, VERSION, digest};

/// What is expected is told again when it differs from what was told by more than this part of the larger one.
const DIFFERENT: u64 = 8;
/// What was refused is tried again after so long, while it is wanted.
const AGAIN: Span = Span::from_secs(10);

/// How one speaks with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our name.
    pub name: String,
    /// What is asked for holds so long without us.
    pub lease: Span,
    /// Without a word for so long it is lost.
    pub silence: Span,
    /// What is not answered within this is asked again.
    pub retry: Span,
}

/// How a prefix stands at the absorber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody wants it there.
    Unwanted,
    /// It is asked for, or will be when there is a conversation.
    Waiting,
    /// It is in force there.
    Stands,
    /// It was refused.
    Refused(Reason, String),
}

/// What shall be there.
#[derive(Clone, Debug)]
struct Want {
    rules: Vec<String>,
    /// Of these rules; `None`: whatever is there shall stay.
    digest: Option<String>,
    expects: Load,
    /// What the absorber was last told to expect.
    told: Load,
    /// The last number that was used before it was wanted: answers to earlier questions may be about a time before it was
    /// let go.
    born: u64,
    /// Number and time of a request that is not answered.
    asked: Option<(u64, Timestamp)>,
    /// The rules in force, and until when they are for sure.
    there: Option<(String, Timestamp)>,
    refused: Option<(Reason, String, Timestamp)>,
    /// When it is to be let go.
    linger: Option<Timestamp>,
}

/// The brain's end.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    wanted: BTreeMap<Prefix, Want>,
    /// A connection stands, and since when.
    up: Option<Timestamp>,
    welcome: Option<(String, Declared)>,
    report: Option<(Timestamp, Report)>,
    heard: Option<Timestamp>,
    next: u64,
    renewed: Option<Timestamp>,
    /// Number and time of a renewal that is not answered.
    renewing: Option<(u64, Timestamp)>,
    wrong: Option<String>,
    /// Whatever is not wanted now is wanted by nobody.
    is_whole: bool,
    /// What the absorber has of ours and was not wanted when it said so.
    strays: Vec<Prefix>,
    outputs: VecDeque<Ask>,
    /// Wants for which there was no room.
    pub left_out: u64,
}

impl Controller {
    /// Nothing is wanted yet.
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            wanted: BTreeMap::new(),
            up: None,
            welcome: None,
            report: None,
            heard: None,
            next: 1,
            renewed: None,
            renewing: None,
            wrong: None,
            is_whole: false,
            strays: Vec::new(),
            outputs: VecDeque::new(),
            left_out: 0,
        }
    }

    /// A prefix shall be there with these rules.
    pub fn want(&mut self, now: Timestamp, prefix: Prefix, rules: Vec<String>, expects: Load) {
        let digest = digest(&prefix, &rules);
        self.wants(now, prefix, Some((rules, digest)), expects);
    }

    /// A prefix shall be there with the rules that it has there, until it is known which it shall have.
    pub fn keep(&mut self, now: Timestamp, prefix: Prefix, expects: Load) {
        self.wants(now, prefix, None, expects);
    }

    fn wants(&mut self, now: Timestamp, prefix: Prefix, rules: Option<(Vec<String>, String)>, expects: Load) {
        if self.wanted.len() >= PREFIXES_MAX && !self.wanted.contains_key(&prefix) {
            self.left_out += 1;
            return;
        }
        let born = self.next;
        let want = self.wanted.entry(prefix).or_insert_with(|| Want {
            born,
            rules: Vec::new(),
            digest: None,
            expects,
            told: Load::default(),
            asked: None,
            there: None,
            refused: None,
            linger: None,
        });
        want.linger = None;
        want.expects = expects;
        if let Some((rules, digest)) = rules
            && want.digest.as_ref() != Some(&digest)
        {
            want.digest = Some(digest);
            want.rules = rules;
            want.asked = None;
            want.refused = None;
        }
        self.handle_timeout(now);
    }

    /// All that stood before a restart is wanted again: what the absorber has beside that is let go, for it takes room there. It held
    /// it for us when a break, or our own restart, kept it from hearing that it is over.
    pub fn wants_no_more(&mut self, now: Timestamp) {
        self.is_whole = true;
        self.handle_timeout(now);
    }

    /// It is not wanted any more: it is let go after so long, for what is on its way still comes.
    /// Meanwhile it keeps nobody else from the absorber: no more is expected for it.
    pub fn release(&mut self, now: Timestamp, prefix: Prefix, linger: Span) {
        let speaks = self.is_up();
        if let Some(want) = self.wanted.get_mut(&prefix).filter(|want| want.linger.is_none()) {
            want.linger = Some(now.plus(linger));
            (want.expects, want.told) = (Load::default(), Load::default());
            if speaks && want.there.is_some() && linger > Span::ZERO {
                self.next += 1;
                let (number, rules) = (self.next, want.rules.clone());
                let (expects, lease) = (Load::default(), self.settings.lease.secs());
                self.outputs.push_back(Ask::Take { number, prefix, rules, expects, lease });
            }
        }
        self.handle_timeout(now);
    }

    /// A connection stands.
    pub fn connected(&mut self, now: Timestamp) {
        self.up = Some(now);
        self.welcome = None;
        self.renewing = None;
        self.renewed = None;
        self.wrong = None;
        self.outputs.clear();
        self.outputs.push_back(Ask::Hello { version: VERSION, name: self.settings.name.clone() });
        self.wanted.values_mut().for_each(|want| want.asked = None);
    }

    /// It ended: what was not sent is not sent any more.
    pub fn disconnected(&mut self) {
        self.up = None;
        self.outputs.clear();
    }

    /// The absorber says.
    pub fn receive(&mut self, now: Timestamp, tell: Tell) {
        self.heard = Some(now);
        match tell {
            Tell::Welcome { version, name, mut declared, holds } => {
                if version != VERSION {
                    self.wrong = Some(format!(
                        "the absorber speaks version {version}, the brain {VERSION}: bring both to one version"
                    ));
                    return;
                }
                declared.prefixes.truncate(PREFIXES_MAX);
                self.welcome = Some((name, declared));
                // What is left was counted after the connection stood, so this errs to the safe side.
                self.compare(u64::MAX, self.up.unwrap_or(now), &holds);
                self.strays = holds.into_iter().take(PREFIXES_MAX).map(|hold| hold.prefix).collect();
                // Much of these leases may be over.
                self.renewed = None;
            }
            Tell::Taken { number, prefix, digest, lease } => {
                let Some(want) = self.wanted.get_mut(&prefix) else { return };
                let Some((_, asked)) = want.asked.filter(|(asked, _)| *asked == number) else { return };
                want.asked = None;
                want.refused = None;
                want.there = Some((digest, asked.plus(Span::from_secs(lease).min(self.settings.lease))));
            }
            Tell::Refused { number, prefix, why, text } => {
                let Some(want) = self.wanted.get_mut(&prefix) else { return };
                if want.asked.is_some_and(|(asked, _)| asked == number) {
                    want.asked = None;
                    want.refused = Some((why, text, now));
                }
            }
            Tell::Holds { number, holds } => {
                // The answer to a release says the same, but when it was asked is not known.
                if let Some((_, asked)) = self.renewing.take_if(|(asked, _)| *asked == number) {
                    self.compare(number, asked, &holds);
                }
            }
            Tell::Ended { prefix } => {
                if let Some(want) = self.wanted.get_mut(&prefix) {
                    want.there = None;
                    want.asked = None;
                }
            }
            Tell::Report(report) => self.report = Some((now, report)),
            Tell::Wrong { text } => self.wrong = Some(text),
        }
        self.handle_timeout(now);
    }

    /// Asks for what is missing, renews what is half over, lets go of what lingered long enough.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for want in self.wanted.values_mut() {
            want.there.take_if(|(_, until)| *until <= now);
        }
        if self.up.is_none() || self.welcome.is_none() {
            self.wanted.retain(|_, want| want.linger.is_none_or(|until| until > now));
            return;
        }
        let gone: Vec<Prefix> = self
            .wanted
            .iter()
            .filter(|(_, want)| want.linger.is_some_and(|until| until <= now))
            .map(|(prefix, _)| *prefix)
            .collect();
        for prefix in gone {
            self.wanted.remove(&prefix);
            let number = self.number();
            self.outputs.push_back(Ask::Release { number, prefix });
        }
        if self.is_whole {
            for prefix in std::mem::take(&mut self.strays) {
                if !self.wanted.contains_key(&prefix) {
                    let number = self.number();
                    self.outputs.push_back(Ask::Release { number, prefix });
                }
            }
        }
        self.ask(now);
        self.renew(now);
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let settings = &self.settings;
        let silent = self.heard.or(self.up).map(|heard| heard.plus(settings.silence));
        let ends = self.wanted.values().filter_map(|want| want.linger);
        let ends = ends.chain(self.wanted.values().filter_map(|want| Some(want.there.as_ref()?.1)));
        let asked = self.wanted.values().filter_map(|want| Some(want.asked?.1.plus(settings.retry)));
        let again = self.wanted.values().filter_map(|want| Some(want.refused.as_ref()?.2.plus(AGAIN)));
        let renewal = self.renewed.map(|at| at.plus(self.renewal()));
        let retried = self.renewing.map(|(_, at)| at.plus(settings.retry));
        ends.chain(asked).chain(again).chain(renewal).chain(retried).chain(silent).min()
    }

    /// What is to be said next.
    pub fn poll_output(&mut self) -> Option<Ask> {
        self.up?;
        self.outputs.pop_front()
    }

    /// How a prefix stands.
    pub fn standing(&self, now: Timestamp, prefix: &Prefix) -> Standing {
        let Some(want) = self.wanted.get(prefix) else { return Standing::Unwanted };
        match (&want.there, &want.refused) {
            (Some((_, until)), _) if *until > now && self.is_alive(now) => Standing::Stands,
            (_, Some((why, text, _))) => Standing::Refused(*why, text.clone()),
            _ => Standing::Waiting,
        }
    }

    /// Rules that the absorber does not take, and why, where others stand meanwhile.
    pub fn refused(&self, prefix: &Prefix) -> Option<&str> {
        self.wanted.get(prefix)?.refused.as_ref().map(|(_, text, _)| text.as_str())
    }

    /// Whether it said something lately; a connection that breaks and comes back meanwhile is no death.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < self.settings.silence)
    }

    /// Whether there is a conversation now.
    pub const fn is_up(&self) -> bool {
        self.up.is_some() && self.welcome.is_some()
    }

    /// When it last said something.
    pub const fn heard(&self) -> Option<Timestamp> {
        self.heard
    }

    /// Whether the conversation is to be ended: it says nothing, or it cannot be spoken with.
    pub fn is_dead(&self, now: Timestamp) -> bool {
        let since = self.heard.max(self.up);
        let silent = since.is_some_and(|since| now.since(since) >= self.settings.silence);
        self.up.is_some() && (self.wrong.is_some() || silent)
    }

    /// Why it cannot be spoken with.
    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// Its name and what its owner declared, once it said so.
    pub const fn welcome(&self) -> Option<&(String, Declared)> {
        self.welcome.as_ref()
    }

    /// What it said last of how it is, and when.
    pub const fn report(&self) -> Option<&(Timestamp, Report)> {
        self.report.as_ref()
    }

    /// Prefixes that are wanted there, or linger.
    pub fn prefixes(&self) -> impl Iterator<Item = &Prefix> {
        self.wanted.keys()
    }

    /// What each of them is expected to bring.
    pub fn expected(&self) -> impl Iterator<Item = (&Prefix, Load)> {
        self.wanted.iter().map(|(prefix, want)| (prefix, want.expects.max(want.told)))
    }

    /// Three times in each lease.
    const fn renewal(&self) -> Span {
        Span::from_nanos(self.settings.lease.nanos() / 3)
    }

    const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// What it holds, as of when it was asked.
    fn compare(&mut self, number: u64, asked: Timestamp, holds: &[Hold]) {
        let settings = &self.settings;
        for (prefix, want) in self.wanted.iter_mut().filter(|(_, want)| want.born < number) {
            want.there = holds.iter().find(|hold| hold.prefix == *prefix).map(|hold| {
                let left = Span::from_millis(hold.left_ms).min(settings.lease);
                (hold.digest.clone(), asked.plus(left))
            });
        }
    }

    fn ask(&mut self, now: Timestamp) {
        let (retry, lease) = (self.settings.retry, self.settings.lease.secs());
        let mut asks = Vec::new();
        for (prefix, want) in &mut self.wanted {
            let stands = want.there.as_ref().is_some_and(|(there, _)| match &want.digest {
                Some(digest) => digest == there && !differ(want.told, want.expects),
                // Whatever is there shall stay: what it is told to expect goes with rules.
                None => true,
            });
            let waits = want.asked.is_some_and(|(_, at)| now.since(at) < retry)
                || want.refused.as_ref().is_some_and(|(_, _, at)| now.since(*at) < AGAIN);
            if stands || waits || want.linger.is_some() {
                continue;
            }
            self.next += 1;
            want.asked = Some((self.next, now));
            want.told = want.expects;
            let (number, prefix, expects) = (self.next, *prefix, want.expects);
            asks.push(Ask::Take { number, prefix, rules: want.rules.clone(), expects, lease });
        }
        self.outputs.extend(asks);
    }

    fn renew(&mut self, now: Timestamp) {
        let unanswered = self.renewing.is_some_and(|(_, at)| now.since(at) < self.settings.retry);
        if unanswered || self.renewed.is_some_and(|at| now.since(at) < self.renewal()) {
            return;
        }
        let there =
            self.wanted.iter().filter_map(|(prefix, want)| Some((*prefix, want.there.as_ref()?.0.clone())));
        let holds: Vec<(Prefix, String)> = there.collect();
        self.renewed = Some(now);
        if holds.is_empty() {
            self.renewing = None;
            return;
        }
        let number = self.number();
        self.renewing = Some((number, now));
        self.outputs.push_back(Ask::Renew { number, lease: self.settings.lease.secs(), holds });
    }
}

/// Whether what is expected now is worth telling.
const fn differ(told: Load, expects: Load) -> bool {
    const fn far(a: u64, b: u64) -> bool {
        let larger = if a > b { a } else { b };
        a.abs_diff(b) > larger / DIFFERENT
    }
    far(told.bps, expects.bps) || far(told.pps, expects.pps)
}
