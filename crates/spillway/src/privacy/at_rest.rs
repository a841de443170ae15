//! The door before the store: what goes through it names nobody but us.

use std::net::IpAddr;

use anyhow::Context as _;
use base::{Day, Prefix};
use engine::report::Attack;
use intel::Clear;
use intel::pseudonym::text;
use serde_json::Value;
use store::{AttackRow, Batch, Snapshot};

use super::days::{Days, Of};
use super::keys::Keys;
use super::seal;
use crate::config::Config;
use crate::daemon::clock::Clock;

/// The key of a document that says: addresses of others in here are pseudonyms, under the key of this day.
pub(crate) const MARK: &str = "pseudonymous";
/// Snapshots that hold addresses of others.
pub(crate) const SEALED: [&str; 2] = ["core", "learned"];

/// Conceals what is stored.
#[derive(Debug)]
pub struct AtRest {
    clear: Clear,
    days: Days,
    clock: Clock,
}

impl AtRest {
    /// As a configuration says.
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        Self {
            clear: clear(config),
            days: Days::new(Keys::new(&config.state_dir), config.privacy.keys),
            clock,
        }
    }

    /// How an address is kept with what happened on this day: as its pseudonym, where it is not one of ours.
    pub fn at_rest(&self, address: IpAddr, day: Day) -> IpAddr {
        self.of(day).conceal(&self.clear, Prefix::host(address)).addr()
    }

    /// An attack as it is kept, with pseudonyms of the day on which it began.
    pub(crate) fn attack(&self, attack: &Attack) -> Attack {
        if attack.pseudonymous.is_some() {
            return attack.clone();
        }
        let day = Day::of(attack.started_at);
        let concealed = serde_json::to_value(attack).and_then(|mut document| {
            self.conceal(&self.of(day), &mut document);
            serde_json::from_value::<Attack>(document)
        });
        // It comes from what it goes to; were it not so, nothing of others would be kept.
        let mut concealed = concealed.unwrap_or_else(|_| Attack {
            sources: engine::report::Sources { top: Vec::new(), ..attack.sources.clone() },
            rules: Vec::new(),
            explain: Vec::new(),
            withdrawn: Vec::new(),
            culprits: Vec::new(),
            ..attack.clone()
        });
        concealed.pseudonymous = Some(day.to_string());
        concealed
    }

    /// Rows and states as they are written.
    ///
    /// # Errors
    /// A state cannot be sealed, for there is no key.
    pub(crate) fn batch(&self, batch: &Batch) -> anyhow::Result<Batch> {
        let attacks = batch.attacks.iter().map(|row| self.row(row)).collect();
        let snapshots = batch.snapshots.iter().map(|one| self.seal(one)).collect::<anyhow::Result<_>>()?;
        Ok(Batch { attacks, snapshots })
    }

    /// A state as it was before it was written.
    ///
    /// # Errors
    /// Its key is gone, or it is damaged.
    pub(crate) fn open(&self, saved: &Snapshot) -> anyhow::Result<Vec<u8>> {
        let Some(day) = seal::day(&saved.body) else { return Ok(saved.body.clone()) };
        let key = self.days.kept(day)?;
        let key = key.with_context(|| {
            format!("it was saved on {day}, and the key of that day is gone: it begins anew")
        })?;
        seal::open(&key, &saved.name, &saved.body)
    }

    /// A row as it is written.
    pub(crate) fn row(&self, row: &AttackRow) -> AttackRow {
        let day = Day::of(row.started_at);
        let of = self.of(day);
        let Ok(mut document) = serde_json::from_str::<Value>(&row.document) else { return row.clone() };
        if document.get(MARK).is_some() {
            return row.clone();
        }
        self.conceal(&of, &mut document);
        mark(&mut document, day);
        let mut row = AttackRow { document: document.to_string(), ..row.clone() };
        row.target = self.words(&of, &row.target);
        for rule in &mut row.rules {
            rule.text = self.words(&of, &rule.text);
            let document = serde_json::from_str::<Value>(&rule.document);
            let mut document = document.unwrap_or_default();
            self.conceal(&of, &mut document);
            mark(&mut document, day);
            rule.document = document.to_string();
        }
        row
    }

    fn seal(&self, snapshot: &Snapshot) -> anyhow::Result<Snapshot> {
        if !SEALED.contains(&snapshot.name.as_str()) {
            return Ok(snapshot.clone());
        }
        let day = Day::of(snapshot.taken_at);
        let body = seal::seal(&self.days.key(day)?, day, &snapshot.name, &snapshot.body)?;
        let Snapshot { name, taken_at, build, .. } = snapshot;
        Ok(Snapshot { name: name.clone(), taken_at: *taken_at, build: build.clone(), body })
    }

    fn of(&self, day: Day) -> std::sync::Arc<Of> {
        self.days.of(day, self.clock.now())
    }

    fn words(&self, of: &Of, words: &str) -> String {
        text::replaced(words, |prefix| of.conceal(&self.clear, prefix))
    }

    /// All texts of a document, whatever their keys.
    fn conceal(&self, of: &Of, document: &mut Value) {
        match document {
            Value::String(words) => *words = self.words(of, words),
            Value::Array(all) => all.iter_mut().for_each(|one| self.conceal(of, one)),
            Value::Object(all) => all.values_mut().for_each(|one| self.conceal(of, one)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn mark(document: &mut Value, day: Day) {
    if let Some(document) = document.as_object_mut() {
        document.insert(MARK.to_owned(), day.to_string().into());
    }
}

/// Whose addresses stay: own networks, this machine, and whoever the configuration names (in lists of prefixes: from /16 and /32 on).
pub(crate) fn clear(config: &Config) -> Clear {
    // Whoever lets half the Internet send flow export knows nobody of it by that.
    let named = config.rules.never.iter().chain(&config.listen.allow);
    let named = named.filter(|prefix| prefix.bits() >= if prefix.is_ipv4() { 16 } else { 32 });
    let listed = config.networks.iter().chain(named).copied();
    let exporters = config.exporters.iter().map(|(address, _)| *address);
    let listeners = config.listen.addresses.iter().map(|(_, address)| address.ip());
    let routers =
        config.routing.iter().flat_map(|routing| &routing.routers).map(|router| router.address.ip());
    let own = crate::enforce::own().into_iter();
    let hosts = exporters.chain(listeners).chain(routers).chain(own);
    Clear::new(listed.chain(hosts.filter(|address| !address.is_unspecified()).map(Prefix::host)))
}
