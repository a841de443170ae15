//! The document in words: fixed sentences, the same in mail, chats and syslog.

use std::collections::BTreeMap;

use crate::{Brief, Event, EventKind, Message};

/// Events in one line.
pub(crate) fn summary(events: &[Event]) -> String {
    if let [event] = events {
        return line(event);
    }
    let count = |of: fn(&Event) -> bool| {
        let mut kinds: BTreeMap<EventKind, usize> = BTreeMap::new();
        for event in events.iter().filter(|event| of(event)) {
            *kinds.entry(event.kind).or_insert(0) += 1;
        }
        kinds.iter().map(|(kind, count)| format!("{count} {}", verb(*kind))).collect::<Vec<_>>().join(", ")
    };
    let (attacks, other) = (count(|event| event.attack.is_some()), count(|event| event.attack.is_none()));
    let first = events.iter().find_map(|event| event.attack.as_ref());
    let target = first.map_or_else(String::new, |attack| format!(" (first: {})", attack.target));
    match (attacks.as_str(), other.as_str()) {
        ("", other) => other.to_owned(),
        (attacks, "") => format!("attacks: {attacks}{target}"),
        (attacks, other) => format!("attacks: {attacks}{target}; {other}"),
    }
}

/// One event in one line.
pub(crate) fn line(event: &Event) -> String {
    if let Some(trouble) = &event.trouble {
        let since = trouble.since;
        return match event.kind {
            EventKind::TroubleEnded => format!("well again: {} (since {since})", trouble.text),
            _ => format!("trouble: {}", trouble.text),
        };
    }
    let Some(attack) = &event.attack else {
        return event.note.clone().unwrap_or_else(|| verb(event.kind).to_owned());
    };
    let noun = if attack.severity == crate::Severity::Attack { "attack" } else { "suspicious traffic" };
    let side = if attack.direction == "out" { "from" } else { "on" };
    let mut line = format!(
        "{noun} {}: {} {side} {}, peak {} / {}",
        verb(event.kind),
        attack.class,
        attack.target,
        scaled(attack.peak_pps, "pps"),
        scaled(attack.peak_bps, "bit/s"),
    );
    if !attack.customers.is_empty() {
        line.push_str(&format!(" [{}]", attack.customers.join(", ")));
    }
    line
}

/// The whole message for people: its line, then each event with what is known.
pub(crate) fn text(message: &Message, length_max: usize) -> String {
    let mut out = String::new();
    if message.test {
        out.push_str("[TEST] ");
    }
    out.push_str(&message.summary);
    out.push('\n');
    for event in &message.events {
        let mut part = String::new();
        if message.events.len() > 1 {
            part.push_str(&format!("\n* {}\n", line(event)));
        }
        if let Some(attack) = &event.attack {
            details(&mut part, attack);
        }
        if let Some(note) = event.note.as_ref().filter(|_| event.attack.is_some()) {
            part.push_str(&format!("  {note}\n"));
        }
        // Room for the line that says that there is more, and for the last one.
        if out.chars().count() + part.chars().count() + 160 > length_max {
            out.push_str("\n… more in `spillway` and its API\n");
            break;
        }
        out.push_str(&part);
    }
    out.push_str(&format!("\nsent by {} as {}\n", message.sender, message.id));
    out
}

fn details(out: &mut String, attack: &Brief) {
    let mut say = |what: &str, text: String| out.push_str(&format!("  {what}: {text}\n"));
    say("id", attack.id.clone());
    say("started", attack.started_at.to_string());
    if let Some(end) = attack.ended_at {
        say("ended", format!("{end}, after {} s", end.since(attack.started_at).secs()));
    }
    if attack.targets_count > 1 {
        say("targets", attack.targets_count.to_string());
    }
    let sources = &attack.sources;
    say("sources", format!("{}, {}", sources.count, sources.nature));
    let vectors: Vec<String> =
        attack.vectors.iter().map(|v| format!("{} {:.0} %", v.name, v.share * 100.0)).collect();
    say("vectors", vectors.join(", "));
    say("mode", format!("{}, {} rules", attack.mode, attack.rules.len()));
    for rule in &attack.rules {
        say("rule", format!("{} {}", rule.id, rule.text));
    }
    if attack.doubtful {
        say("doubtful", "told by exporters whose own counters belie them; nothing acts on it".to_owned());
    }
}

const fn verb(kind: EventKind) -> &'static str {
    match kind {
        EventKind::AttackStarted => "started",
        EventKind::AttackChanged => "changed",
        EventKind::AttackOngoing => "ongoing",
        EventKind::AttackEnded => "ended",
        EventKind::TroubleStarted => "in trouble",
        EventKind::TroubleEnded => "well again",
        EventKind::ConfigurationTaken => "configuration taken",
        EventKind::ConfigurationRefused => "configuration refused",
        EventKind::Test => "test",
    }
}

/// Three digits and a prefix.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled(number: u64, unit: &str) -> String {
    let mut value = number as f64;
    for prefix in ["", "k", "M", "G", "T"] {
        if value < 1000.0 || prefix == "T" {
            let digits = if prefix.is_empty() || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.digits$} {prefix}{unit}");
        }
        value /= 1000.0;
    }
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (number, text) in [(0, "0 pps"), (999, "999 pps"), (1000, "1.0 kpps"), (123_456, "123 kpps")] {
            assert_eq!(scaled(number, "pps"), text);
        }
        assert!(scaled(u64::MAX, "bit/s").ends_with(" Tbit/s"));
    }
}
