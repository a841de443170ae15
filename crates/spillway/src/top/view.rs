//! What the daemon answered, as rows and rates.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::demo::http::metric;

/// One look at the daemon.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Milliseconds on a clock that only goes forward.
    pub at_ms: u64,
    /// `/api/v1/status`.
    pub status: Value,
    /// `/api/v1/attacks?state=active`.
    pub attacks: Value,
    /// `/api/v1/rules`.
    pub rules: Value,
    /// `/api/v1/exporters`.
    pub exporters: Value,
    /// `/metrics`.
    pub metrics: String,
}

/// What is shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct View {
    /// The daemon's version.
    pub version: String,
    /// All of it in a sentence.
    pub sentence: String,
    /// What is amiss, a sentence each.
    pub notes: Vec<String>,
    /// Since the look before; `null` at the first one.
    pub rates: Option<Rates>,
    /// Attacks that go on.
    pub attacks: Vec<Attack>,
    /// What is attacked.
    pub targets: Vec<Target>,
    /// Filters whose lease runs.
    pub rules: Vec<Rule>,
    /// Who tells of traffic.
    pub exporters: Vec<Exporter>,
}

/// Rates per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Packets that arrive, as exporters tell, with the sampling applied.
    pub arriving_pps: f64,
    /// Bits that arrive.
    pub arriving_bps: f64,
    /// Packets that rules on this machine dropped; `null`: there is no data plane here.
    pub dropped_pps: Option<f64>,
    /// What is left of those that arrive.
    pub passed_pps: Option<f64>,
    /// Flow records and packet samples.
    pub records: f64,
    /// Export datagrams.
    pub datagrams: f64,
    /// Datagrams that the kernel dropped.
    pub kernel_drops: f64,
}

/// One attack.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Attack {
    /// Its id.
    pub id: String,
    /// `attack` or `suspicious`.
    pub severity: String,
    /// `in` or `out`.
    pub direction: String,
    /// What is attacked.
    pub target: String,
    /// Vectors, the largest first.
    pub vectors: String,
    /// Packets/s at its peak.
    pub peak_pps: f64,
    /// Bits/s at its peak.
    pub peak_bps: f64,
    /// Distinct sources.
    pub sources: u64,
    /// What they are.
    pub nature: String,
    /// Its beginning.
    pub started_at: String,
    /// Filters, and how many of them act.
    pub rules: (usize, usize),
}

/// One target.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Target {
    /// The prefix.
    pub prefix: String,
    /// Attacks on it.
    pub attacks: usize,
    /// Packets/s of their peaks.
    pub pps: f64,
    /// Bits/s of their peaks.
    pub bps: f64,
}

/// One filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rule {
    /// Its state.
    pub state: String,
    /// In the rule language.
    pub text: String,
    /// Whose it is.
    pub attack: String,
    /// Packets that it dropped.
    pub dropped: Option<u64>,
    /// Why it does not act.
    pub reason: Option<String>,
}

/// One exporter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Exporter {
    /// Its address.
    pub address: String,
    /// How it is heard.
    pub heard: String,
    /// N of 1:N.
    pub sampling: Option<u64>,
    /// Records taken in.
    pub records: u64,
    /// Datagrams that never came.
    pub lost: u64,
    /// Its last datagram.
    pub last_seen: Option<String>,
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, key: &str) -> f64 {
    value.get(key).and_then(Value::as_f64).unwrap_or(0.0)
}

fn whole(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page.get("items").and_then(Value::as_array).into_iter().flatten()
}

impl View {
    /// Of an answer, and the one before.
    pub fn of(now: &Answers, before: Option<&Answers>) -> Self {
        let attacks: Vec<Attack> = items(&now.attacks).map(Attack::of).collect();
        let mut targets: BTreeMap<String, Target> = BTreeMap::new();
        for one in &attacks {
            let target = targets.entry(one.target.clone()).or_default();
            target.prefix.clone_from(&one.target);
            target.attacks += 1;
            target.pps += one.peak_pps;
            target.bps += one.peak_bps;
        }
        let rules: Vec<Rule> = items(&now.rules).map(Rule::of).collect();
        let exporters: Vec<Exporter> = items(&now.exporters).map(Exporter::of).collect();
        let notes = now.status.get("notes").and_then(Value::as_array).into_iter().flatten();
        Self {
            version: text(&now.status, "version"),
            sentence: sentence(&now.status, &attacks, &rules, &exporters),
            notes: notes.filter_map(|line| line.as_str().map(str::to_owned)).collect(),
            rates: before.and_then(|before| Rates::of(now, before)),
            attacks,
            targets: targets.into_values().collect(),
            rules,
            exporters,
        }
    }
}

fn sentence(status: &Value, attacks: &[Attack], rules: &[Rule], exporters: &[Exporter]) -> String {
    let heard = exporters.iter().filter(|one| one.heard != "silent").count();
    if status.get("ready").and_then(Value::as_bool) == Some(false) {
        return "Not watching traffic yet.".to_owned();
    }
    let real = attacks.iter().filter(|one| one.severity != "suspicious").count();
    let acting = rules.iter().filter(|one| one.state == "active").count();
    let odd = attacks.len() - real;
    let odd = match odd {
        0 => String::new(),
        1 => ", one more is suspicious".to_owned(),
        odd => format!(", {odd} more are suspicious"),
    };
    match (real, attacks.iter().find(|one| one.severity != "suspicious")) {
        (0, _) if exporters.is_empty() => {
            "Nobody has told of traffic yet; `spillway doctor` says why.".to_owned()
        }
        (0, _) => format!("No attack{odd}; {heard} of {} exporters are heard.", exporters.len()),
        (1, Some(one)) => {
            format!(
                "An attack on {} ({}){odd}; {acting} of {} filters act.",
                one.target,
                one.vectors,
                rules.len()
            )
        }
        _ => format!("{real} attacks{odd}; {acting} of {} filters act.", rules.len()),
    }
}

impl Rates {
    /// `None`: there is nothing to compare, or the daemon began anew in between.
    fn of(now: &Answers, before: &Answers) -> Option<Self> {
        let took = now.at_ms.checked_sub(before.at_ms).filter(|took| *took > 0)?;
        let seconds = std::time::Duration::from_millis(took).as_secs_f64();
        let count = |name: &str| {
            let (now, before) = (metric(&now.metrics, name)?, metric(&before.metrics, name)?);
            (now >= before).then_some((now - before) / seconds)
        };
        let has_plane = metric(&now.metrics, "spillway_dataplane_rules_actual").is_some();
        let dropped =
            |answers: &Answers| items(&answers.rules).map(|rule| whole(rule, "dropped_packets")).sum::<u64>();
        // A rule that ended takes its counter with it: then nothing can be said for once.
        let dropped = dropped(now).checked_sub(dropped(before)).map(|count| float(count) / seconds);
        let arriving_pps = count("spillway_ingest_packets_total").unwrap_or(0.0);
        let dropped_pps = dropped.filter(|_| has_plane);
        Some(Self {
            arriving_pps,
            arriving_bps: count("spillway_ingest_bytes_total").unwrap_or(0.0) * 8.0,
            dropped_pps,
            passed_pps: dropped_pps.map(|dropped| (arriving_pps - dropped).max(0.0)),
            records: count("spillway_ingest_flows_total")?,
            datagrams: count("spillway_ingest_datagrams_total")?,
            kernel_drops: count("spillway_ingest_socket_drops_total").unwrap_or(0.0),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
const fn float(count: u64) -> f64 {
    count as f64
}

impl Attack {
    fn of(document: &Value) -> Self {
        let vectors = document.get("vectors").and_then(Value::as_array).into_iter().flatten();
        let vectors: Vec<String> = vectors.map(|vector| text(vector, "name")).collect();
        let sources = document.get("sources").cloned().unwrap_or_default();
        let rules: Vec<&Value> =
            document.get("rules").and_then(Value::as_array).into_iter().flatten().collect();
        let acting = rules.iter().filter(|rule| text(rule, "state") == "active").count();
        Self {
            id: text(document, "id"),
            severity: text(document, "severity"),
            direction: text(document, "direction"),
            target: text(document, "target"),
            vectors: vectors.join(", "),
            peak_pps: number(document, "peak_pps"),
            peak_bps: number(document, "peak_bps"),
            sources: whole(&sources, "count"),
            nature: text(&sources, "nature"),
            started_at: text(document, "started_at"),
            rules: (rules.len(), acting),
        }
    }
}

impl Rule {
    fn of(document: &Value) -> Self {
        Self {
            state: text(document, "state"),
            text: text(document, "text"),
            attack: text(document, "attack"),
            dropped: document.get("dropped_packets").and_then(Value::as_u64),
            reason: document.get("reason").and_then(Value::as_str).map(str::to_owned),
        }
    }
}

impl Exporter {
    fn of(document: &Value) -> Self {
        Self {
            address: text(document, "address"),
            heard: text(document, "heard"),
            sampling: document.get("sampling_rate").and_then(Value::as_u64),
            records: whole(document, "flows"),
            lost: whole(document, "sequence_lost"),
            last_seen: document.get("last_seen").and_then(Value::as_str).map(str::to_owned),
        }
    }
}
