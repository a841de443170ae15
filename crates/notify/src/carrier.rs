//! One channel's way out: events become messages, messages are sent in order, tried again, handed over, or given up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base::{Span, Timestamp};
use store::{EventRow, MessageRow, Outbox, StoreError};

use crate::backoff::backoff;
use crate::channel::{Channel, Failure};
use crate::{Counts, EVENTS_MAX, Event, Message, Settings};

/// Attempts at what the other side refuses for good: somebody may mend its configuration meanwhile.
const REFUSALS_MAX: u32 = 3;
/// The other side may ask for so much patience.
const PATIENCE_MAX: Span = Span::from_secs(3600);
/// An outbox that cannot be used is tried again after this.
const STORE_PAUSE: Span = Span::from_secs(1);
/// A minute of sending.
const MINUTE: Span = Span::from_secs(60);

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more.
    Went,
    /// Nothing is to be done before this time, or before something new comes.
    Wait(Option<Timestamp>),
}

/// Delivers for one channel.
pub struct Carrier {
    settings: Settings,
    /// Which machine speaks.
    sender: String,
    channel: Box<dyn Channel>,
    /// Room that the outbox gives the second path.
    fallback_cap: u64,
    /// Nothing has arrived since this time.
    failing_since: Option<Timestamp>,
    /// When the last messages of a minute were sent.
    recent: std::collections::VecDeque<Timestamp>,
}

impl Carrier {
    /// For this channel; `fallback_cap` is the `queue_max` of the second path.
    pub fn new(settings: Settings, sender: String, channel: Box<dyn Channel>, fallback_cap: u64) -> Self {
        Self { settings, sender, channel, fallback_cap, failing_since: None, recent: Default::default() }
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Does the next thing. `clock` is asked after an attempt, too, for that may take long.
    pub fn step(&mut self, outbox: &Mutex<Outbox>, clock: &dyn Fn() -> Timestamp, counts: &Counts) -> Step {
        let now = clock();
        self.next(outbox, now, clock, counts).unwrap_or_else(|cause| {
            tracing::error!(channel = self.settings.name, %cause, "the outbox of notifications; tried again");
            Step::Wait(Some(now.plus(STORE_PAUSE)))
        })
    }

    fn next(
        &mut self,
        outbox: &Mutex<Outbox>,
        now: Timestamp,
        clock: &dyn Fn() -> Timestamp,
        counts: &Counts,
    ) -> Result<Step, StoreError> {
        let head = lock(outbox).head(&self.settings.name)?;
        let Some(head) = head else { return self.form(outbox, now) };
        let free = self.free_at(now);
        let ready = head.next_at.max(free);
        if ready > now {
            return Ok(Step::Wait(Some(ready)));
        }
        self.recent.push_back(now);
        // The lock is not held while it is sent.
        let message = serde_json::from_str::<Message>(&head.document);
        let attack = message.as_ref().ok().and_then(Message::attack).map(str::to_owned).unwrap_or_default();
        let result = match message {
            Ok(message) => self.channel.send(&message, &head.document, now),
            Err(cause) => Err(Failure::refused(format!("the outbox holds no message: {cause}"))),
        };
        match result {
            Ok(answer) => {
                self.arrived(&head, &attack, &answer);
                counts.add(&self.settings.name, "sent", 1);
                lock(outbox).sent(head.number)?;
            }
            Err(failure) => self.failed(outbox, head, &attack, failure, clock(), counts)?,
        }
        Ok(Step::Went)
    }

    /// Events that waited long enough become messages: each its own while they are few, else together.
    fn form(&self, outbox: &Mutex<Outbox>, now: Timestamp) -> Result<Step, StoreError> {
        let name = &self.settings.name;
        let limit = u32::try_from(EVENTS_MAX).unwrap_or(u32::MAX);
        let mut outbox = lock(outbox);
        let rows = outbox.events(name, limit)?;
        let Some(first) = rows.first() else { return Ok(Step::Wait(None)) };
        let due = first.at.plus(self.settings.group_wait);
        if due > now && rows.len() < EVENTS_MAX {
            return Ok(Step::Wait(Some(due)));
        }
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        let part = if rows.len() > self.settings.group_max { rows.len() } else { 1 };
        let messages: Vec<MessageRow> =
            rows.chunks(part).filter_map(|chunk| self.message(chunk, now)).collect();
        outbox.form(&numbers, &messages)?;
        Ok(Step::Went)
    }

    fn message(&self, rows: &[EventRow], now: Timestamp) -> Option<MessageRow> {
        let events: Vec<Event> =
            rows.iter().filter_map(|row| serde_json::from_str(&row.document).ok()).collect();
        let number = rows.first()?.number;
        let message = Message::of(&self.settings.name, &self.sender, number, now, events);
        Some(MessageRow {
            channel: self.settings.name.clone(),
            id: message.id.clone(),
            made_at: now,
            rank: message.rank(),
            next_at: now,
            document: message.json(),
            ..MessageRow::default()
        })
    }

    fn arrived(&mut self, head: &MessageRow, attack_id: &str, answer: &str) {
        let channel = &self.settings.name;
        if let Some(since) = self.failing_since.take() {
            tracing::warn!(channel, %since, "notifications arrive again");
        }
        tracing::info!(
            channel,
            notification = head.id,
            attack_id,
            attempts = head.attempts + 1,
            answer,
            "notified"
        );
    }

    fn failed(
        &mut self,
        outbox: &Mutex<Outbox>,
        mut head: MessageRow,
        attack_id: &str,
        failure: Failure,
        now: Timestamp,
        counts: &Counts,
    ) -> Result<(), StoreError> {
        let Settings { name, retry, retry_max, give_up, fallback, .. } = &self.settings;
        head.attempts = head.attempts.saturating_add(1);
        let since = *head.failed_since.get_or_insert(now);
        let failing = *self.failing_since.get_or_insert(since);
        head.answer = Some(failure.text.clone());
        counts.add(name, if failure.refused { "refused" } else { "failed" }, 1);
        if head.attempts.is_power_of_two() {
            let (attempts, why) = (head.attempts, &failure.text);
            tracing::warn!(
                channel = name,
                notification = head.id,
                attempts,
                why,
                "a notification did not arrive"
            );
        }
        let hopeless = failure.refused && head.attempts >= REFUSALS_MAX;
        if let Some((to, after)) = fallback
            && (hopeless || now.since(failing) >= *after)
        {
            tracing::warn!(
                channel = name,
                notification = head.id,
                attack_id,
                to,
                "handed over to the second path"
            );
            counts.add(name, "handed_over", 1);
            let gone = lock(outbox).hand_over(&head, to, now, self.fallback_cap)?;
            counts.add(to, "dropped", gone);
            return Ok(());
        }
        if hopeless || now.since(since) >= *give_up {
            tracing::error!(
                channel = name,
                notification = head.id,
                why = failure.text,
                "a notification is given up"
            );
            counts.add(name, "dead", 1);
            head.dead_at = Some(now);
            // What is not a message is not kept at all.
            let whole = serde_json::from_str::<Message>(&head.document);
            head.document = whole.map(|message| message.buried().json()).unwrap_or_default();
        }
        let asked = failure.retry_after.unwrap_or(Span::ZERO).min(PATIENCE_MAX);
        let wait = backoff(&head.id, head.attempts, *retry, *retry_max).max(asked);
        head.next_at = now.plus(wait);
        // The second path does not wait for the next attempt.
        if let Some((_, after)) = fallback {
            head.next_at = head.next_at.min(failing.plus(*after).max(now.plus(*retry)));
        }
        lock(outbox).failed(&head)
    }

    /// When the next message may go under the cap of a minute.
    fn free_at(&mut self, now: Timestamp) -> Timestamp {
        while self.recent.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            self.recent.pop_front();
        }
        let most = usize::try_from(self.settings.per_minute.max(1)).unwrap_or(usize::MAX);
        match self.recent.front() {
            Some(oldest) if self.recent.len() >= most => oldest.plus(MINUTE),
            _ => now,
        }
    }
}

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn lock(outbox: &Mutex<Outbox>) -> MutexGuard<'_, Outbox> {
    outbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
