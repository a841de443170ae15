//! What people are told of attacks: only what a restart would find again.
//!
//! What was decided acts at once. That an attack began, changed or ended goes to people (API, events, notifications, log) when
//! its row is on the disk, so that whoever kills the daemon at any moment takes back nothing that was said. Nobody waits for a
//! disk that does not answer: after [`TELL_MAX`] it is told all the same, and counted.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::report::Attack;

use super::mailbox::Mailbox;

/// What is not on the disk by then is told before it is.
const TELL_MAX: Duration = Duration::from_secs(1);
/// While something is to be told, the disk is looked at this often.
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// An attack at a turn.
#[derive(Debug)]
pub(super) struct News {
    /// As it is now.
    pub(super) attack: Attack,
    /// It was not called an attack before.
    pub(super) risen: bool,
}

/// What is to be told, in order. Bounded by what the core follows and the turns that it can take in [`TELL_MAX`].
#[derive(Debug)]
pub(super) struct Herald {
    mailbox: Arc<Mailbox>,
    /// With when it happened, and the number under which it was laid into the mailbox.
    owed: VecDeque<(News, Instant, Option<u64>)>,
    /// How the attacks were told last that have something to be told; `None`: not at all.
    told: BTreeMap<String, Option<Attack>>,
}

impl Herald {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, owed: VecDeque::new(), told: BTreeMap::new() }
    }

    /// Takes news of an attack that was so `before`.
    pub(super) fn owe(&mut self, news: News, before: Option<&Attack>) {
        self.told.entry(news.attack.id.clone()).or_insert_with(|| before.cloned());
        self.owed.push_back((news, Instant::now(), None));
    }

    /// All that is owed lies in the mailbox now, under this number.
    pub(super) fn laid(&mut self, number: u64) {
        for (.., at) in self.owed.iter_mut().filter(|(.., at)| at.is_none()) {
            *at = Some(number);
        }
    }

    /// What may be told now, in order; with how many of them are not on the disk.
    pub(super) fn release(&mut self) -> (Vec<News>, u64) {
        let reached = if self.owed.is_empty() { 0 } else { self.mailbox.reached() };
        let (mut out, mut unwritten) = (Vec::new(), 0);
        while let Some((_, since, at)) = self.owed.front() {
            let written = at.is_some_and(|at| at <= reached);
            if !written && since.elapsed() < TELL_MAX {
                break;
            }
            unwritten += u64::from(!written);
            let Some((news, ..)) = self.owed.pop_front() else { break };
            let id = &news.attack.id;
            if self.owed.iter().any(|(later, ..)| later.attack.id == *id) {
                self.told.insert(id.clone(), Some(news.attack.clone()));
            } else {
                self.told.remove(id);
            }
            out.push(news);
        }
        (out, unwritten)
    }

    /// The attacks as people may see them.
    pub(super) fn seen<'a>(
        &self,
        attacks: &'a BTreeMap<String, Attack>,
    ) -> Cow<'a, BTreeMap<String, Attack>> {
        if self.told.is_empty() {
            return Cow::Borrowed(attacks);
        }
        let mut seen = attacks.clone();
        for (id, told) in self.told.iter().filter(|(id, _)| attacks.contains_key(*id)) {
            match told {
                Some(told) => seen.insert(id.clone(), told.clone()),
                None => seen.remove(id),
            };
        }
        Cow::Owned(seen)
    }

    /// Whether this attack has something to be told.
    pub(super) fn owes(&self, id: &str) -> bool {
        self.told.contains_key(id)
    }

    /// Whether anything is to be told.
    pub(super) fn waits(&self) -> bool {
        !self.owed.is_empty()
    }
}
