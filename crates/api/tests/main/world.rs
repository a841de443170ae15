//! A daemon's other side, made up: what the API asks, and what it is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ::access::Access;
use api::metrics::{Exporter, Hearing, Histogram, Listener, Metrics};
use api::{
    Events, Flows, FlowsError, Head, Live, LiveAttack, Noted, Operate, Parts, Proven, Settings, Source,
};
use base::{Prefix, Timestamp};
use history::rollup::{Wanted, answer};
use history::{Answer, Archive, Filter, Question, Sample, Scanned, Work, walk};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{AttackRow, Batch, Writer};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

pub(crate) struct Fixed {
    live: Arc<Live>,
    ready: bool,
}

impl Source for Fixed {
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    fn metrics(&self) -> Metrics {
        let counts = BTreeMap::from([(("sflow".into(), "sflow5".into()), (7, 21))]);
        Metrics {
            version: "0.1.0".into(),
            listeners: vec![Listener { name: "sflow".into(), socket_drops: 3, ..Listener::default() }],
            exporters: vec![
                Exporter { address: "192.0.2.1".into(), counts, ..Exporter::default() },
                Exporter {
                    address: "192.0.2.9".into(),
                    hearing: Some(Hearing::Silent),
                    ..Exporter::default()
                },
            ],
            tick: Histogram::new(&[0.001, 0.01]),
            ..Metrics::default()
        }
    }

    fn brief(&self) -> api::Brief {
        let rules = self.live.rules.len() as u64;
        api::Brief { version: "0.1.0".into(), rules, ..api::Brief::default() }
    }

    fn sources(&self, attack: &str) -> Option<Arc<api::Sources>> {
        let item = |n: u32| {
            let document = json!({
                "address": format!("192.0.2.{n}"), "verdict": "reflector", "confidence": 0.97, "reasons": ["P1"],
                "packets": 100 - n, "asn": 64_500, "country": null, "bytes": 1, "first": "", "last": "", "vectors": [],
                "prefix": null, "city": null, "reflects": "dns", "tool": null,
            });
            RawValue::from_string(document.to_string()).unwrap()
        };
        (attack == "d").then(|| {
            Arc::new(api::Sources {
                attack: "d".into(),
                as_of: "2025-06-01T00:00:00Z".into(),
                over: false,
                nature: "reflectors".into(),
                confidence: 0.97,
                count: 5,
                verdicts: json!({"reflector": {"sources": 5, "packets": 490}}),
                countries: json!([{"name": null, "sources": 5, "packets": 490}]),
                networks: json!([{"name": 64_500, "sources": 5, "packets": 490}]),
                prefixes: json!([]),
                items: (0..5).map(item).collect(),
            })
        })
    }

    fn packets(&self, attack: &str) -> Option<Arc<api::Packets>> {
        let one = |n: usize| api::SamplePacket {
            at: format!("2025-06-01T00:00:0{n}Z"),
            src: if n == 3 { "198.18.2.7".to_owned() } else { format!("203.0.113.{n}") },
            dst: "198.18.1.7".to_owned(),
            exporter: Some("192.0.2.1".to_owned()),
            input_if: Some(7),
            headers: Some("45".to_owned()),
            ..api::SamplePacket::default()
        };
        let items = (0..6).map(one).collect();
        (attack == "d1")
            .then(|| Arc::new(api::Packets { as_of: "2025-06-01T00:00:09Z".to_owned(), seen: 600, items }))
    }

    fn origins(&self, attack: &str) -> Option<Arc<api::Origins>> {
        let share = api::Share { sources: 3, packets: 30, pps: 1.5 };
        let place = api::Origin {
            city: Some(attack.to_owned()),
            country: Some("QM".to_owned()),
            latitude: Some(51.5),
            longitude: Some(9.1),
            all: share,
            verdicts: [("bot".to_owned(), share)].into(),
        };
        let followed = ["ours", "shared", "theirs", "past"].contains(&attack);
        followed.then(|| Arc::new(api::Origins { places: vec![place] }))
    }

    fn sites(&self) -> Vec<api::Site> {
        let site = |prefix: &str| api::Site {
            prefix: prefix.to_owned(),
            city: None,
            country: None,
            latitude: 50.0,
            longitude: 8.0,
        };
        vec![site("198.18.1.0/24"), site("198.18.2.0/24")]
    }

    fn notes(&self) -> Vec<String> {
        vec!["exporter 192.0.2.9 is silent since 2025-06-01T00:00:00Z".to_owned()]
    }

    fn ready(&self) -> Result<(), String> {
        if self.ready { Ok(()) } else { Err("listeners are not open yet".into()) }
    }
}

pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spillway-api-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Hands that write down what they are asked for.
#[derive(Default)]
pub(crate) struct Hands {
    pub(crate) mitigations: Vec<Value>,
    /// Prefixes about which something was decided.
    pub(crate) decided: Vec<String>,
    pub(crate) asked: Mutex<Vec<(String, Value)>>,
    pub(crate) noted: Mutex<Vec<Noted>>,
    /// Whether there is a made-up world.
    pub(crate) stage: bool,
}

pub(crate) fn mitigation(id: u64, what: &str) -> Value {
    json!({
        "id": id, "class": "flowspec", "what": what, "state": "active", "effect": "drops", "peers": [{"peer": "edge", "state": "announced", "reason": null}],
        "actor": "alice", "reason": "because 198.18.9.9", "asked_at": "2025-06-01T00:00:00Z", "started_at": null, "until": "2025-06-01T01:00:00Z",
        "approved_by": ["bob"], "approvals_needed": 1,
    })
}

impl Operate for Hands {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn networks(&self) -> Vec<Prefix> {
        vec!["198.18.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()]
    }

    fn route(&self, who: &str, order: Value) -> Result<Value, String> {
        self.asked.lock().unwrap().push((who.to_owned(), order.clone()));
        match &order {
            Value::String(word) if word == "list" => {
                Ok(json!({"list": {"frozen": false, "mitigations": self.mitigations}}))
            }
            Value::String(word) => Ok(json!({ word: [] })),
            _ if order.get("announce").is_some() => Ok(json!({"one": mitigation(7, "198.18.1.1/32")})),
            _ if order.get("history").is_some() => Ok(json!({"history": []})),
            _ if order.pointer("/withdraw/id") == Some(&json!(404)) => {
                Err("there is no mitigation 404".to_owned())
            }
            _ => Ok(json!({"done": 1})),
        }
    }

    fn policy(&self, who: &str, order: Value) -> Result<Value, String> {
        if let Value::String(word) = &order {
            let key = if word == "exceptions" { "target" } else { "prefix" };
            let one = |n: usize, at: &String| json!({"id": n, "kind": "exception", key: at, "owner": "alice", "reason": "beside 198.18.3.7", "attack": "a", "rule": "r"});
            let all: Vec<Value> = self.decided.iter().enumerate().map(|(n, at)| one(n, at)).collect();
            return Ok(json!({ "items": if word == "profiles" { Vec::new() } else { all } }));
        }
        if order.get("before").is_some() {
            return Ok(json!({"id": 1, "kind": "before"}));
        }
        if order.get("allowed").is_some() {
            let one = |(n, at): (usize, &String)| {
                let owner = if n % 2 == 0 { "alice" } else { "c1" };
                json!({"id": n, "kind": "allow", "source": "203.0.113.9/32", "destination": at, "owner": owner, "reason": "why"})
            };
            return Ok(json!({"items": self.decided.iter().enumerate().map(one).collect::<Vec<_>>()}));
        }
        if let Some(show) = order.get("show") {
            let near: Vec<Value> = self
                .decided
                .iter()
                .map(|at| json!({"destination": at, "owner": "alice", "prefix": at, "target": at}))
                .collect();
            let from = json!({"kind": "target", "name": "198.18.0.0/16"});
            return Ok(json!({
                "prefix": show["prefix"], "values": {"mode": {"value": "observe", "from": {"kind": "person", "name": "alice"}},
                "floor_pps": {"value": 1, "from": from}}, "allow": near, "exceptions": near, "inside": near,
                "rules": self.decided.iter().map(|at| json!({"text": format!("m dst {at} -> drop"), "owner": "alice"})).collect::<Vec<_>>(),
            }));
        }
        self.asked.lock().unwrap().push((who.to_owned(), order));
        Ok(json!({"id": 1, "kind": "mode"}))
    }

    fn reload(&self) -> Result<(), String> {
        Ok(())
    }

    fn configuration(&self) -> Result<String, String> {
        Ok("networks = [\"198.18.0.0/16\"]\n".to_owned())
    }

    fn in_force(&self) -> Result<String, String> {
        self.configuration()
    }

    fn check(&self, text: &str) -> Vec<String> {
        if text.contains("wrong") { vec!["spillway.toml:1:1: wrong".to_owned()] } else { Vec::new() }
    }

    fn apply(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn backup(&self) -> Result<api::Backup, String> {
        Ok(api::Backup { file: "/state/backups/1.tar".to_owned(), bytes: 1024, files: 3 })
    }

    fn note(&self, noted: Noted) {
        self.noted.lock().unwrap().push(noted);
    }

    fn head(&self) -> Result<Head, String> {
        Ok(Head { size: 1, checkpoint: "example/spillway\n1\n".to_owned(), policy: "log x".to_owned() })
    }

    fn entry(&self, index: u64) -> Result<Option<Proven>, String> {
        Ok((index == 0).then(|| Proven { entry: "{}".to_owned(), proof: "proof".to_owned() }))
    }

    fn preview(
        &self,
        rules: &[rules::Rule],
        mut capture: Box<dyn std::io::Read + Send>,
    ) -> Result<api::CapturePreview, String> {
        let mut octets = Vec::new();
        capture.read_to_end(&mut octets).map_err(|cause| cause.to_string())?;
        let packets = u64::try_from(octets.len()).unwrap();
        if !octets.starts_with(b"capture") {
            return Err("it is no capture".to_owned());
        }
        let hit = |rule: &rules::Rule| api::CaptureHit {
            id: rule.id.clone(),
            text: rule.to_string(),
            action: rule.action.as_str().to_owned(),
            matched_packets: packets,
            matched_bytes: 0,
            decided_packets: packets,
            hosts: Vec::new(),
        };
        let rules = rules.iter().map(hit).collect();
        Ok(api::CapturePreview {
            from: None,
            to: None,
            packets,
            bytes: 0,
            unmatched_packets: 0,
            rules,
            partial: None,
        })
    }

    fn evidence(&self, after: Option<&str>, most: usize) -> Result<Vec<api::Evidence>, String> {
        let all = ["1", "2", "3"].into_iter().filter(|id| after.is_none_or(|after| *id > after));
        Ok(all.take(most).map(bag).collect())
    }

    fn evidence_of(&self, attack: &str) -> Result<Option<api::EvidenceShown>, String> {
        let shown = |id: &&str| api::EvidenceShown { evidence: bag(id), info: Vec::new(), files: Vec::new() };
        Ok(["1", "2", "3"].iter().find(|id| **id == attack).map(shown))
    }

    fn verify_evidence(&self, _: &str) -> Result<Value, String> {
        Ok(json!({"valid": true}))
    }

    fn hold_evidence(&self, _: &str, _: &str, _: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn note_copy(&self, noted: Noted) -> Result<(), String> {
        if noted.content["reason"] == "no ledger" {
            return Err("there is no ledger".to_owned());
        }
        self.noted.lock().unwrap().push(noted);
        Ok(())
    }

    fn pack_evidence(&self, attack: &str, beside: &str, out: &mut dyn std::io::Write) -> Result<(), String> {
        assert!(beside.contains("disclosed to nobody") && beside.contains(attack), "{beside}");
        // that it is taken stands in the ledger before the first octet
        let noted = self.noted.lock().unwrap().iter().any(|noted| noted.content["attack"] == attack);
        if !noted {
            return Err("nothing was noted".to_owned());
        }
        let part = vec![attack.as_bytes()[0]; 100_000];
        (0..10).try_for_each(|_| out.write_all(&part)).map_err(|broke| broke.to_string())
    }

    fn doctor(&self) -> Vec<api::Finding> {
        vec![
            api::Finding::new("kernel-drops", api::Gravity::Error, "the kernel dropped 3 datagrams")
                .about("sflow")
                .cure("sysctl -w net.core.rmem_max=33554432"),
            api::Finding::new("clock", api::Gravity::Ok, "the clock is kept"),
        ]
    }

    fn has_stage(&self) -> bool {
        self.stage
    }

    fn stage(&self, order: Value) -> Option<Result<Value, String>> {
        if !self.stage {
            return None;
        }
        let left = match order["start"].as_str() {
            Some("udp-flood") => json!(30),
            Some(other) => return Some(Err(format!("there is no act {other}"))),
            None => Value::Null,
        };
        let act = json!({"name": "udp-flood", "title": "UDP flood", "attack": true, "secs": 30, "left": left, "target": null});
        Some(Ok(json!({ "acts": [act] })))
    }

    fn disclosures(&self) -> Result<Vec<Value>, String> {
        Ok(Vec::new())
    }

    fn disclosure_payload(&self, id: &str) -> Result<Option<api::PayloadShown>, String> {
        Ok((id == "d-1").then(|| api::PayloadShown {
            payload_sha256: "0f".repeat(32),
            octets: 2,
            kind: "text".to_owned(),
            text: Some("{}".to_owned()),
            files: Vec::new(),
            cut: false,
        }))
    }

    fn approve_disclosure(&self, id: &str, who: &str, sha256: &str) -> Result<Option<Value>, String> {
        if sha256.starts_with("ff") {
            return Err("what would leave is not what you looked at".to_owned());
        }
        Ok((id == "d-1").then(|| json!({"id": id, "approvals": [{"by": who, "payload": sha256}]})))
    }

    fn disclosed(&self) -> Result<Vec<api::Disclosed>, String> {
        let told = |n: u32| api::Told {
            sent: format!("2025-06-0{n}T00:00:00Z"),
            recipient_class: "network-operator".to_owned(),
            purpose: "stop-abuse".to_owned(),
            basis: "legitimate-interest".to_owned(),
            jurisdiction: "EU".to_owned(),
            data: vec!["ip-addresses".to_owned()],
            retention_days: 30,
            approvals: 1,
            ledgered: Some(n.into()),
            step: "sent".to_owned(),
        };
        let of =
            |(n, prefix): (u32, &str)| api::Disclosed { about: vec![prefix.parse().unwrap()], told: told(n) };
        Ok([(1, "198.18.1.0/24"), (2, "198.18.2.0/24"), (3, "198.18.1.0/24")].map(of).to_vec())
    }

    fn bounds(&self) -> api::Bounds {
        api::Bounds { kernel_rules: Some(1000), routes: Some(100), flowspec: Some(500) }
    }

    fn channels(&self) -> Result<Vec<api::Channel>, String> {
        Ok(vec![api::Channel {
            name: "noc".to_owned(),
            kind: "webhook".to_owned(),
            to: "https://hooks.example".to_owned(),
            fallback: None,
            waiting: 0,
            dead: 1,
            last_failure: Some("status 500".to_owned()),
        }])
    }

    fn try_channel(&self, name: &str) -> Result<api::Tried, String> {
        let (channel, id) = (name.to_owned(), "test-1".to_owned());
        Ok(api::Tried { channel, id, arrived: false, answer: "status 500".to_owned() })
    }
}

/// Flow samples in a folder, if there is one.
pub(crate) struct Samples(pub(crate) PathBuf);

impl Samples {
    fn folder(&self) -> Result<Archive<'_>, FlowsError> {
        let absent = || FlowsError::Absent("no flow samples are kept".to_owned());
        if self.0.is_dir() { Ok(Archive { folder: &self.0, recent: None }) } else { Err(absent()) }
    }
}

impl Flows for Samples {
    fn ask(
        &self,
        question: &Question,
        wanted: Wanted,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<Answer, FlowsError> {
        let asked = answer(self.folder()?, None, question, wanted, &mut Work::until(stop));
        asked.map_err(|wrong| FlowsError::Wrong(wrong.to_string()))
    }

    fn walk(
        &self,
        filter: &Filter,
        range: (Timestamp, Timestamp),
        stop: &mut dyn FnMut() -> bool,
        show: &mut dyn FnMut(&Sample<'_>),
    ) -> Result<Scanned, FlowsError> {
        let mut each = |sample: &Sample<'_>| {
            show(sample);
            Ok::<(), history::HistoryError>(())
        };
        let walked = walk(self.folder()?, filter, range, &mut Work::until(stop), &mut each);
        walked.map_err(|wrong| FlowsError::Wrong(wrong.to_string()))
    }
}

/// A served API and all that is behind it.
pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) router: axum::Router,
    pub(crate) access: Arc<Access>,
    pub(crate) events: Events,
    pub(crate) hands: Arc<Hands>,
}

impl World {
    pub(crate) fn of(folder: Folder, writer: Writer, live: Live, settings: Settings, ready: bool) -> Self {
        Self::with(folder, writer, live, settings, ready, Hands::default())
    }

    pub(crate) fn with(
        folder: Folder,
        writer: Writer,
        live: Live,
        settings: Settings,
        ready: bool,
        hands: Hands,
    ) -> Self {
        let access = Arc::new(Access::open(&folder.0).unwrap());
        let (events, hands) = (Events::new(7), Arc::new(hands));
        let router = api::router(Parts {
            source: Arc::new(Fixed { live: Arc::new(live), ready }),
            operate: Arc::<Hands>::clone(&hands),
            history: writer.reader().unwrap(),
            flows: Arc::new(Samples(folder.0.join("flows"))),
            access: Arc::clone(&access),
            events: events.clone(),
            settings,
            manual: book,
        });
        Self { folder, router, access, events, hands }
    }
}

/// A store that holds attacks `a` (1 s), `b` (2 s) and `c` (3 s), all over; the core holds `c` and `d` (4 s), both active.
pub(crate) fn served(name: &str, ready: bool) -> (Folder, axum::Router) {
    let folder = Folder::new(name);
    let mut writer = Writer::open(&folder.0).expect("a fresh store opens");
    let row = |(id, at): (&str, u64)| AttackRow {
        id: id.into(),
        state: "over".into(),
        severity: "attack".into(),
        target: "198.18.0.1/32".into(),
        direction: "in".into(),
        started_at: Timestamp::from_secs(at),
        ended_at: None,
        updated_at: Timestamp::from_secs(at),
        document: format!(r#"{{"id":"{id}","from":"store"}}"#),
        rules: Vec::new(),
    };
    let attacks = [("a", 1), ("b", 2), ("c", 3)].map(row).to_vec();
    writer.commit(&Batch { attacks, ..Batch::default() }).expect("a fresh store takes rows");
    let live = |id: &str, at| LiveAttack {
        id: id.into(),
        started_at: Timestamp::from_secs(at),
        over: false,
        document: RawValue::from_string(format!(r#"{{"id":"{id}","from":"core"}}"#)).expect("it is JSON"),
    };
    let live = Live { attacks: vec![live("c", 3), live("d", 4)], ..Live::default() };
    let world = World::of(folder, writer, live, Settings::default(), ready);
    (world.folder, world.router)
}

/// The written pages of the manual.
fn book() -> &'static manual::Book {
    static BOOK: std::sync::LazyLock<manual::Book> = std::sync::LazyLock::new(|| manual::Book::new(&[]));
    &BOOK
}

fn bag(id: &str) -> api::Evidence {
    api::Evidence {
        attack: id.to_owned(),
        state: if id == "3" { "open" } else { "sealed" }.to_owned(),
        octets: 1_000_000,
        target: Some("198.18.1.1/32".to_owned()),
        started_at: None,
        ended_at: None,
        seal: None,
        hold: None,
    }
}
