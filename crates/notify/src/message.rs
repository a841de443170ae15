//! The document that every channel sends.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Event, EventKind, words};

/// Name and number of the schema. Fields are added under the same number; one that goes or changes its meaning raises it.
pub const SCHEMA_NAME: &str = "spillway.notification/1";
/// The JSON Schema of [`Message`].
pub const SCHEMA: &str = include_str!("../schema/notification-1.json");
/// Events in one message at most; what is more goes in the next.
pub const EVENTS_MAX: usize = 50;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// [`SCHEMA_NAME`].
    pub schema: String,
    /// The same in every attempt and on a second path: who has seen it need not act again.
    pub id: String,
    /// For which channel it was made.
    pub channel: String,
    /// Which machine speaks.
    pub sender: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Nothing happened: somebody tries the channel.
    pub test: bool,
    /// All of it in one line.
    pub summary: String,
    /// What happened, the oldest first.
    pub events: Vec<Event>,
}

impl Message {
    /// Of these events; `number` is what tells it from all others of this outbox.
    pub fn of(channel: &str, sender: &str, number: u64, now: Timestamp, events: Vec<Event>) -> Self {
        let mut hash = Sha256::new();
        for part in [channel, sender] {
            hash.update(part);
            hash.update([0]);
        }
        hash.update(number.to_be_bytes());
        hash.update(now.nanos().to_be_bytes());
        let id: String = hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect();
        Self {
            schema: SCHEMA_NAME.to_owned(),
            id,
            channel: channel.to_owned(),
            sender: sender.to_owned(),
            created_at: now,
            test: events.iter().any(|event| event.kind == EventKind::Test),
            summary: words::summary(&events),
            events,
        }
    }

    /// One that says that nothing happened.
    pub fn test(channel: &str, sender: &str, now: Timestamp) -> Self {
        let note = "TEST of this channel by `spillway notify test`: nothing happened, nothing is to be done";
        let event = Event {
            kind: EventKind::Test,
            at: now,
            attack: None,
            trouble: None,
            note: Some(note.to_owned()),
        };
        Self::of(channel, sender, 0, now, vec![event])
    }

    /// As it is sent. Plain structs with text keys always serialise.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is kept of one that was given up: which events of which attacks, and nothing of what it said of them. The attacks
    /// themselves are where they are kept, for as long as they are.
    pub(crate) fn buried(&self) -> Self {
        let bury = |event: &Event| {
            let about = event.attack.as_ref().map(|attack| format!("attack {}", attack.id));
            let about = about.or_else(|| event.trouble.as_ref().map(|trouble| trouble.id.clone()));
            Event { kind: event.kind, at: event.at, attack: None, trouble: None, note: about }
        };
        let summary = format!("{} events, given up", self.events.len());
        Self { summary, events: self.events.iter().map(bury).collect(), ..self.clone() }
    }

    /// The attack that it is about, where it is about one alone.
    pub(crate) fn attack(&self) -> Option<&str> {
        match self.events.as_slice() {
            [event] => event.attack.as_ref().map(|attack| attack.id.as_str()),
            _ => None,
        }
    }

    /// The most important thing in it.
    pub(crate) fn rank(&self) -> u8 {
        self.events.iter().map(|event| event.kind.rank()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::tests::brief;
    use crate::{Brief, Rule, Vector};

    /// A change of this file is a change of what others read: `GOLDEN_WRITE=1` writes it anew.
    #[test]
    fn the_document_keeps_its_form() {
        let at = Timestamp::from_secs(1_700_000_010);
        let vector =
            Vector { name: "tcp-syn-flood".to_owned(), share: 1.0, src_port: None, dst_port: Some(443) };
        let rule = Rule {
            id: "r1".to_owned(),
            action: "drop".to_owned(),
            text: "r1 dst 2001:db8::7/128 -> drop".to_owned(),
        };
        let six = Brief {
            over: true,
            ended_at: Some(at),
            vectors: vec![vector],
            customers: vec!["six".to_owned()],
            rules: vec![rule],
            ..brief("fedcba9876543210", "2001:db8::7/128")
        };
        let events = vec![
            Event {
                kind: EventKind::AttackStarted,
                at,
                attack: Some(brief("0123456789abcdef", "198.51.100.7/32")),
                trouble: None,
                note: None,
            },
            Event {
                kind: EventKind::AttackEnded,
                at,
                attack: Some(six),
                trouble: None,
                note: Some("a note".to_owned()),
            },
        ];
        let message = Message::of("noc", "host", 7, at, events);
        let whole = serde_json::to_string_pretty(&message).unwrap() + "\n";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/notification.json");
        if std::env::var_os("GOLDEN_WRITE").is_some() {
            std::fs::write(&path, &whole).unwrap();
        }
        assert_eq!(whole, std::fs::read_to_string(path).unwrap());
        assert_eq!(serde_json::from_str::<Message>(&whole).unwrap(), message);
        let text = words::text(&message, 4096);
        assert!(
            text.contains("attack ended: tcp-syn-flood on 2001:db8::7/128, peak 120 kpps / 800 Mbit/s [six]"),
            "{text}"
        );
        assert!(words::text(&message, 400).chars().count() <= 400);
    }
}
