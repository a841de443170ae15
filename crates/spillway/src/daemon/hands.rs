//! What the API may have done: each call goes the way that the control socket and the command line go.

use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use ::ledger::entry::{Act, By};
use anyhow::Context as _;
use api::{Head, Noted, Proven};
use base::{Prefix, Timestamp};
use serde_json::{Value, json};

use super::Event;
use super::clock::Clock;
use super::control::Order;
use super::routes::Routes;
use super::vault;
use crate::capture::Capture;
use crate::config::{Config, HIDDEN, veiled};
use crate::disclosure::Cases;
use crate::ledger::{Deed, View};
use crate::policy;
use crate::routing::order::{self, Caller};

/// How long a reload may take.
const RELOAD_MAX: Duration = Duration::from_secs(10);

/// Hands of the API in this run.
pub(super) struct Hands {
    clock: Clock,
    config: Config,
    routes: Routes,
    events: Mutex<Sender<Event>>,
}

impl Hands {
    pub(super) fn new(clock: Clock, config: &Config, routes: &Routes, events: &Sender<Event>) -> Self {
        Self { clock, config: config.clone(), routes: routes.clone(), events: Mutex::new(events.clone()) }
    }

    fn read(&self) -> Result<String, String> {
        let path = &self.config.path;
        std::fs::read_to_string(path).map_err(|cause| format!("{} cannot be read: {cause}", path.display()))
    }
}

impl api::Operate for Hands {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn networks(&self) -> Vec<Prefix> {
        self.config.networks.clone()
    }

    fn route(&self, who: &str, order: Value) -> Result<Value, String> {
        let order: order::Order =
            serde_json::from_value(order).map_err(|wrong| format!("not an order: {wrong}"))?;
        let answer = self.routes.ask(Caller::Person(who.to_owned()), order)?;
        serde_json::to_value(answer).map_err(|wrong| format!("the answer cannot be said: {wrong}"))
    }

    fn policy(&self, who: &str, order: Value) -> Result<Value, String> {
        let order: policy::Order =
            serde_json::from_value(order).map_err(|wrong| format!("not an order: {wrong}"))?;
        self.routes.policy.take(who, order)
    }

    fn reload(&self) -> Result<(), String> {
        let (reply, answered) = channel();
        let ended = || "the daemon is ending".to_owned();
        let events = self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        events.send(Event::Order(Order::Reload, None, reply)).map_err(|_| ended())?;
        let reply = answered.recv_timeout(RELOAD_MAX).map_err(|_| ended())?;
        match reply.error {
            Some(error) if !reply.ok => Err(error),
            _ => Ok(()),
        }
    }

    fn configuration(&self) -> Result<String, String> {
        self.read().map(|text| veiled(&text))
    }

    fn in_force(&self) -> Result<String, String> {
        Ok(veiled(&self.config.written.0))
    }

    fn check(&self, text: &str) -> Vec<String> {
        match Config::parse(&self.config.path, text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    fn apply(&self, text: &str) -> Result<(), String> {
        if text.contains(HIDDEN) {
            return Err(format!(
                "`{HIDDEN}` stands where a secret belongs: write it out, or name a file that holds it"
            ));
        }
        let new = Config::parse(&self.config.path, text)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let program = |config: &Config| config.notify.as_ref().map(|notify| notify.path.clone());
        if program(&new) != program(&self.config) {
            return Err(
                "which program is run (`notify.exec.path`) is said in the file on this machine alone"
                    .to_owned(),
            );
        }
        let old = self.read()?;
        let path = &self.config.path;
        let put = |text: &str| replace(path, text).map_err(|why| format!("{why:#}"));
        put(text)?;
        self.reload().map_err(|why| match put(&old) {
            Ok(()) => format!("it is not taken, and the old file is back: {why}"),
            Err(worse) => format!("it is not taken: {why}; and the old file cannot be put back: {worse}"),
        })
    }

    fn backup(&self) -> Result<api::Backup, String> {
        let made =
            crate::backup::create_in(&self.config, self.clock.now()).map_err(|why| format!("{why:#}"))?;
        Ok(api::Backup { file: made.file.display().to_string(), bytes: made.bytes, files: made.files })
    }

    fn note(&self, noted: Noted) {
        self.routes.pen.write(Deed {
            at: noted.at,
            act: Act::Operation,
            by: By::Person,
            about: noted.about,
            content: noted.content,
            counts: [("done".to_owned(), u64::from(noted.done))].into(),
        });
    }

    fn head(&self) -> Result<Head, String> {
        let view = View::at(&self.config.ledger_place()).map_err(|why| why.to_string())?;
        Ok(Head {
            size: view.checkpoint().size,
            checkpoint: view.note().to_owned(),
            policy: std::fs::read_to_string(self.config.ledger_place().policy()).unwrap_or_default(),
        })
    }

    fn entry(&self, index: u64) -> Result<Option<Proven>, String> {
        let view = View::at(&self.config.ledger_place()).map_err(|why| why.to_string())?;
        if index >= view.checkpoint().size {
            return Ok(None);
        }
        let entry = view.entry(index).map_err(|why| why.to_string())?;
        let entry = String::from_utf8(entry).map_err(|_| format!("entry {index} is not text"))?;
        let proof = view.prove(index).map_err(|why| why.to_string())?.to_string();
        Ok(Some(Proven { entry, proof }))
    }

    fn doctor(&self) -> Vec<api::Finding> {
        self.routes.clinic.get().map(|clinic| clinic.examine()).unwrap_or_default()
    }

    fn has_stage(&self) -> bool {
        self.config.api.stage.is_some()
    }

    fn stage(&self, order: Value) -> Option<Result<Value, String>> {
        let socket = self.config.api.stage.as_ref()?;
        Some(
            crate::demo::ask(socket, &order)
                .map_err(|why| format!("the world does not answer: {why:#}"))
                .flatten(),
        )
    }

    fn preview(
        &self,
        rules: &[::rules::Rule],
        capture: Box<dyn std::io::Read + Send>,
    ) -> Result<api::CapturePreview, String> {
        let capture = Capture::read("the capture", capture).map_err(|cause| cause.to_string())?;
        crate::preview::of_capture(rules, capture)
    }

    fn evidence(&self, after: Option<&str>, most: usize) -> Result<Vec<api::Evidence>, String> {
        Ok(vault::list(&self.config.state_dir, after, most))
    }

    fn evidence_of(&self, attack: &str) -> Result<Option<api::EvidenceShown>, String> {
        Ok(vault::show(&self.config.state_dir, attack))
    }

    fn verify_evidence(&self, attack: &str) -> Result<Value, String> {
        vault::verify(&self.config.state_dir, attack)
    }

    fn hold_evidence(&self, attack: &str, who: &str, reason: Option<&str>) -> Result<(), String> {
        vault::keep(&self.config.state_dir, attack, who, self.clock.now(), reason)
    }

    fn note_copy(&self, noted: Noted) -> Result<(), String> {
        self.routes.pen.write_through(Deed {
            at: noted.at,
            act: Act::Copy,
            by: By::Person,
            about: noted.about,
            content: noted.content,
            counts: [("done".to_owned(), u64::from(noted.done))].into(),
        })
    }

    fn pack_evidence(&self, attack: &str, beside: &str, out: &mut dyn std::io::Write) -> Result<(), String> {
        vault::pack(&self.config.state_dir, attack, beside, out)
    }

    fn disclosures(&self) -> Result<Vec<Value>, String> {
        let cases = Cases::new(&self.config.state_dir);
        let all = cases.all().map_err(|why| format!("{why:#}"))?;
        let shown = all.iter().map(|case| self.shown(&cases, case));
        shown.collect::<Result<_, _>>().map_err(|why| format!("{why:#}"))
    }

    fn disclosure_payload(&self, id: &str) -> Result<Option<api::PayloadShown>, String> {
        let cases = Cases::new(&self.config.state_dir);
        if !cases.is_there(id) {
            return Ok(None);
        }
        let payload =
            cases.get(id).and_then(|case| cases.payload(&case)).map_err(|why| format!("{why:#}"))?;
        Ok(Some(crate::disclosure::glance(&payload)))
    }

    fn approve_disclosure(&self, id: &str, who: &str, sha256: &str) -> Result<Option<Value>, String> {
        let cases = Cases::new(&self.config.state_dir);
        if !cases.is_there(id) {
            return Ok(None);
        }
        let case = cases
            .approve(id, who.to_owned(), Some(sha256), self.clock.now())
            .map_err(|why| format!("{why:#}"))?;
        self.shown(&cases, &case).map(Some).map_err(|why| format!("{why:#}"))
    }

    fn disclosed(&self) -> Result<Vec<api::Disclosed>, String> {
        let (now, cases) = (self.clock.now(), Cases::new(&self.config.state_dir));
        let policy = ::ledger::disclosure::ReviewPolicy {
            automatic_abuse_reports: self.config.ledger.automatic_abuse_reports,
        };
        let all = cases.all().map_err(|why| format!("{why:#}"))?;
        let told = all.iter().filter_map(|case| {
            let sealed = case.draft.embargo_until.is_some_and(|until| now < until);
            let sent = case.sent.filter(|_| !sealed)?;
            let customer = case.draft.customer.as_ref()?;
            let about = self.config.customers.iter().find(|(name, _)| name == customer)?.1.clone();
            let step = cases.step(case, policy, now).map_or("sent", |step| step.word());
            Some(api::Disclosed { about, told: disclosed(case, sent, step) })
        });
        Ok(told.collect())
    }

    fn bounds(&self) -> api::Bounds {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let enforces = !self.config.dataplane.interfaces.is_empty();
        let limits = self.config.routing.as_ref().map(|routing| &routing.limits);
        api::Bounds {
            kernel_rules: enforces.then(|| count(self.config.dataplane.rules_max)),
            routes: limits.map(|limits| count(limits.routes)),
            flowspec: limits.map(|limits| count(limits.rules)),
        }
    }

    fn channels(&self) -> Result<Vec<api::Channel>, String> {
        crate::channels::listed(&self.config).map_err(|why| format!("{why:#}"))
    }

    fn try_channel(&self, name: &str) -> Result<api::Tried, String> {
        crate::channels::tried(&self.config, name).map_err(|why| format!("{why:#}"))
    }
}

impl Hands {
    /// A disclosure, as its files have it, with how far it has come and what would leave.
    fn shown(&self, cases: &Cases, case: &crate::disclosure::Case) -> anyhow::Result<Value> {
        let policy = ::ledger::disclosure::ReviewPolicy {
            automatic_abuse_reports: self.config.ledger.automatic_abuse_reports,
        };
        let standing = cases.standing(case, policy, self.clock.now())?;
        let mut document = serde_json::to_value(case)?;
        if let Some(document) = document.as_object_mut() {
            document.insert("id".to_owned(), json!(case.draft.id));
            document.insert("step".to_owned(), json!(standing.step.word()));
            document.insert("missing".to_owned(), json!(standing.missing));
            document.insert("due".to_owned(), json!(case.due()));
            document.insert("payload_sha256".to_owned(), json!(standing.payload));
        }
        Ok(document)
    }
}

/// What a customer is told of a disclosure: its own words for kinds, and no names.
fn disclosed(case: &crate::disclosure::Case, sent: Timestamp, step: &str) -> api::Told {
    let draft = serde_json::to_value(&case.draft).unwrap_or_default();
    let word = |key: &str| match draft.get(key) {
        Some(Value::String(word)) => word.clone(),
        Some(other) if !other.is_null() => other.to_string(),
        _ => String::new(),
    };
    let data = draft.get("data").and_then(Value::as_array).into_iter().flatten();
    api::Told {
        sent: sent.to_string(),
        recipient_class: word("recipient_class"),
        purpose: word("purpose"),
        basis: word("basis"),
        jurisdiction: word("jurisdiction"),
        data: data.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        retention_days: case.draft.retention_days,
        approvals: u64::try_from(case.approvals.len()).unwrap_or(u64::MAX),
        ledgered: case.ledgered,
        step: step.to_owned(),
    }
}

/// In one step, with the mode that the old file has.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        std::fs::write(&new, text)?;
        std::fs::set_permissions(&new, std::fs::metadata(path)?.permissions())?;
        std::fs::File::open(&new)?.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("cannot write {shown}: let the daemon's user own it and its folder"))
}
