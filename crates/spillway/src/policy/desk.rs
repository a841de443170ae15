//! Takes orders, writes them down before they hold, and hands out views.

mod general;
mod made;

pub(crate) use made::parsed as bare_rule;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ::ledger::entry::{Act, By};
use base::{Prefix, Span, Timestamp};
use serde_json::{Value, json};
use store::Policies;

use super::allow::{self, Allowed, Ceiling};
use super::book::{Book, Entry, Held, What};
use super::layers::Layers;
use super::order::{self, Order};
use super::view::View;
use super::{before, profile, show, stance};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::ledger::{Deed, Pen};
use crate::routing::order::fits;

/// Prefixes with a mode that a person gave them, and what was taken back, at once; of each.
const DECISIONS_MAX: usize = 1_024;
/// Allowed sources of one customer.
const OF_CUSTOMER_MAX: usize = 64;
/// The highest ceiling that a customer gives a source, in packets/s and bits/s.
const CUSTOMERS_CEILING: (f64, f64) = (10_000.0, 100e6);
/// How long what was taken back is not set again, where nobody says how long.
const TAKEN_BACK: Span = Span::from_secs(3_600);
/// The longest time that can be asked for: a year.
const HOLD_MAX: u64 = 366 * 86_400;
/// How long it is asked for that an attack is over that was closed: also where the daemon is down meanwhile.
const CLOSED: Span = Span::from_secs(86_400);
/// Between two looks for what has ended.
const SWEEP: Duration = Duration::from_secs(1);

/// A rule of the engine, of an attack that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) attack: String,
    pub(crate) target: Prefix,
    pub(crate) until: Timestamp,
}

/// The desk, shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    layers: RwLock<Arc<Layers>>,
    book: RwLock<Arc<Book>>,
    /// `None`: nothing can be written, so nothing can be decided.
    file: Mutex<Option<Policies>>,
    live: RwLock<Arc<Vec<Live>>>,
    /// Attacks that go on, by id, with their targets.
    active: RwLock<Arc<Vec<(String, Prefix)>>>,
    pen: Mutex<Pen>,
}

impl Desk {
    /// Takes up what was decided, and looks from now on for what ends.
    pub(crate) fn open(&self, folder: &Path, pen: Pen) -> anyhow::Result<()> {
        let file = Policies::open(folder)?;
        let mut book = Book::default();
        for (id, document) in file.all()? {
            match serde_json::from_str::<Entry>(&document) {
                Ok(entry) => book.0.push(Held::new(id, entry)),
                Err(cause) => tracing::warn!(id, %cause, "a decision is not understood and left aside"),
            }
        }
        self.put(book);
        *self.file() = Some(file);
        *self.0.pen.lock().unwrap_or_else(PoisonError::into_inner) = pen;
        let desk = Arc::downgrade(&self.0);
        let sweep = move || {
            while let Some(inner) = desk.upgrade() {
                let desk = Self(inner);
                desk.sweep(time());
                drop(desk);
                std::thread::sleep(SWEEP);
            }
        };
        std::thread::Builder::new().name("policy".to_owned()).spawn(sweep)?;
        Ok(())
    }

    /// From now on this configuration is below what people decide; `api` is the port that is served.
    pub(crate) fn adapt(&self, config: &Config, api: u16) {
        let mut layers = Layers::of(config);
        layers.api = api;
        *self.0.layers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(layers);
        // a mode for all is over when the file says another one
        self.sweep(time());
    }

    /// What holds at a time.
    pub(crate) fn view(&self, now: Timestamp) -> View {
        let layers = Arc::clone(&self.0.layers.read().unwrap_or_else(PoisonError::into_inner));
        View { layers, book: self.book(), now }
    }

    /// What holds now.
    pub(crate) fn now(&self) -> View {
        self.view(time())
    }

    /// These attacks go on from now on, and these are the engine's rules.
    pub(crate) fn know(&self, active: Vec<(String, Prefix)>, live: Vec<Live>) {
        *self.0.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(active);
        *self.0.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
    }

    /// What stands before an order is carried out; `null`: nothing, or it changes nothing.
    pub(crate) fn before(&self, order: &Order) -> Value {
        let live = Arc::clone(&self.0.live.read().unwrap_or_else(PoisonError::into_inner));
        let active = Arc::clone(&self.0.active.read().unwrap_or_else(PoisonError::into_inner));
        before::document(&self.now(), &live, &active, order)
    }

    /// Carries out an order in a person's name.
    ///
    /// # Errors
    /// Why it was not done, in one sentence.
    pub(crate) fn take(&self, who: &str, order: Order) -> Result<Value, String> {
        if let Some(reason) = order.reason() {
            fits(reason)?;
        }
        let now = time();
        let view = self.view(now);
        match order {
            Order::Show { prefix } => Ok(show::target(&view, &prefix)),
            Order::Targets => {
                let mut all: Vec<Prefix> = view.layers.named().chain(view.book.modes(now)).collect();
                all.sort_unstable();
                all.dedup();
                Ok(items(all.iter().map(|prefix| show::named(&view, prefix)).collect()))
            }
            Order::Stance => Ok(stance::document(&view)),
            Order::General { mode, hold, reason } => self.general(&view, who, mode, hold, reason),
            Order::Panic { reason } => Ok(self.panic(&view, who, reason)),
            Order::Resume { .. } => self.resume(&view),
            Order::Profiles => {
                Ok(items(profile::all().map(|(name, wishes)| show::profile_document(name, wishes)).collect()))
            }
            Order::Allowed { source } => Ok(items(show::allowed(&view, source.as_ref()))),
            Order::Exceptions => Ok(items(show::exceptions(&view))),
            Order::Before(order) => Ok(self.before(&order)),
            Order::Rules => {
                let live = Arc::clone(&self.0.live.read().unwrap_or_else(PoisonError::into_inner));
                Ok(items(show::rules(&view, &live)))
            }
            Order::Mode { prefix, mode, hold, reason } => {
                ours(&view, &prefix)?;
                let same =
                    |held: &&Held| matches!(held.entry.what, What::Mode { prefix: of, .. } if of == prefix);
                let gone: Vec<u64> = view.book.0.iter().filter(same).map(|held| held.id).collect();
                let Some(mode) = mode else {
                    if gone.is_empty() {
                        return Err(format!(
                            "there is no mode of its own for {prefix}; `spillway target show {prefix}` tells where its mode comes from"
                        ));
                    }
                    self.end(&gone)?;
                    return Ok(json!({"ended": gone}));
                };
                room(&view, DECISIONS_MAX, |what| matches!(what, What::Mode { .. }))?;
                let until = until(now, hold)?;
                let what = What::Mode { prefix, mode: mode.into() };
                let made = self.add(&gone, Entry { owner: who.to_owned(), reason, at: now, until, what })?;
                Ok(self.noted(made, now, Some(prefix)))
            }
            Order::Allow(asked) => self.allow(&view, who, asked),
            Order::Disallow { id, .. } => {
                let is = |what: &What| matches!(what, What::Allow(_));
                self.remove(
                    &view,
                    id,
                    is,
                    "allowed source",
                    "`spillway allow list` lists them; those of the configuration are removed there",
                )
            }
            Order::Close { attack, reason } => self.close(&view, who, &attack, reason),
            Order::EndException { id, .. } => {
                let is = |what: &What| matches!(what, What::TakenBack { .. } | What::StepBack { .. });
                self.remove(&view, id, is, "exception", "`spillway exception list` lists them")
            }
            Order::MakeRule(made) => self.make(&view, who, made),
            // the audit trail keeps it: see who asks
            Order::Note { attack, text } => Ok(
                json!({"kind": "note", "attack": attack, "actor": who, "text": text, "at": now.to_string()}),
            ),
            Order::ExtendRule { id, hold, .. } => self.extend(&view, &id, hold),
            Order::ConfirmRule { id, .. } => self.confirm(&view, &id),
            Order::TakeBack { rule, hold, reason } => self.take_back(&view, who, &rule, hold, reason),
        }
    }

    /// A person ended what the engine had announced: it is not announced again for a while. Number of the exception, and its end.
    pub(crate) fn step_back(
        &self,
        who: &str,
        (target, step): (Prefix, &str),
        announced: String,
        hold: Option<u64>,
        reason: &str,
    ) -> Result<Value, String> {
        let now = time();
        let view = self.view(now);
        room(&view, DECISIONS_MAX, is_exception)?;
        let until = Some(until(now, hold)?.unwrap_or_else(|| now.plus(TAKEN_BACK)));
        let what = What::StepBack { target, step: step.to_owned(), announced };
        self.add(&[], Entry { owner: who.to_owned(), reason: reason.to_owned(), at: now, until, what })
    }

    fn close(&self, view: &View, who: &str, attack: &str, reason: String) -> Result<Value, String> {
        let active = Arc::clone(&self.0.active.read().unwrap_or_else(PoisonError::into_inner));
        let target = active.iter().find(|(id, _)| id == attack).map(|(_, target)| *target);
        let target = target.ok_or_else(|| {
            format!(
                "there is no attack {attack} that goes on; `spillway attack list --state active` lists them"
            )
        })?;
        if view.closed().any(|closed| closed == attack) {
            return Err(format!("attack {attack} is closed already"));
        }
        room(view, DECISIONS_MAX, |what| matches!(what, What::Closed { .. }))?;
        let what = What::Closed { attack: attack.to_owned(), target };
        let until = Some(view.now.plus(CLOSED));
        self.add(&[], Entry { owner: who.to_owned(), reason, at: view.now, until, what })
    }

    fn allow(&self, view: &View, who: &str, asked: order::Allow) -> Result<Value, String> {
        let ceiling = asked.ceiling.unwrap_or(view.layers.allow_ceiling);
        if asked.bounded {
            let (packets, bits) = CUSTOMERS_CEILING;
            let fits = match ceiling {
                Ceiling::Packets(rate) => rate <= packets,
                Ceiling::Bits(rate) => rate <= bits,
                Ceiling::None => false,
            };
            if !fits {
                return Err("a customer gives a source a ceiling of at most 10 kpps or 100 Mbps: ask the operator for more".to_owned());
            }
            let own = |held: &&Held| held.entry.owner == who && matches!(held.entry.what, What::Allow(_));
            if view.book.holding(view.now).filter(own).count() >= OF_CUSTOMER_MAX {
                return Err(format!(
                    "a customer allows at most {OF_CUSTOMER_MAX} sources: remove some, or join prefixes"
                ));
            }
        }
        let until = until(view.now, asked.hold)?;
        let allowed = Allowed {
            source: asked.source,
            destination: asked.destination,
            protocol: asked.protocol,
            port: asked.port,
            ceiling,
            owner: who.to_owned(),
            reason: asked.reason.clone(),
            until,
        };
        allowed.check(&view.layers.networks, view.layers.limits_held)?;
        let others: Vec<Allowed> = view.allowed().cloned().collect();
        allow::room(&others, &allowed)?;
        self.add(
            &[],
            Entry {
                owner: who.to_owned(),
                reason: asked.reason,
                at: view.now,
                until,
                what: What::Allow(allowed),
            },
        )
    }

    fn remove(
        &self,
        view: &View,
        id: u64,
        is: impl Fn(&What) -> bool,
        name: &str,
        hint: &str,
    ) -> Result<Value, String> {
        let held = view.book.get(id).filter(|held| held.holds(view.now) && is(&held.entry.what));
        let held = held.ok_or_else(|| format!("there is no {name} {id}; {hint}"))?;
        let document = show::held(held);
        self.end(&[id])?;
        Ok(document)
    }

    /// Writes an entry, then it holds.
    fn add(&self, gone: &[u64], entry: Entry) -> Result<Value, String> {
        let document = serde_json::to_string(&entry).map_err(|wrong| wrong.to_string())?;
        let until = entry.until;
        let held = self.written(|file| file.add(gone, until, &document), |id| Held::new(*id, entry), gone)?;
        Ok(show::held(&held))
    }

    fn change(&self, id: u64, entry: Entry) -> Result<Value, String> {
        let document = serde_json::to_string(&entry).map_err(|wrong| wrong.to_string())?;
        let until = entry.until;
        let held =
            self.written(|file| file.change(id, until, &document), |()| Held::new(id, entry), &[id])?;
        Ok(show::held(&held))
    }

    fn written<T>(
        &self,
        write: impl FnOnce(&mut Policies) -> Result<T, store::StoreError>,
        make: impl FnOnce(&T) -> Held,
        gone: &[u64],
    ) -> Result<Held, String> {
        let mut file = self.file();
        let told = write(file.as_mut().ok_or_else(closed)?).map_err(|cause| unwritten(&cause))?;
        let held = make(&told);
        let mut book = Book::clone(&self.book());
        book.0.retain(|other| !gone.contains(&other.id));
        book.0.push(held.clone());
        book.0.sort_by_key(|held| held.id);
        self.put(book);
        Ok(held)
    }

    fn end(&self, gone: &[u64]) -> Result<(), String> {
        let mut file = self.file();
        file.as_mut().ok_or_else(closed)?.remove(gone).map_err(|cause| unwritten(&cause))?;
        let mut book = Book::clone(&self.book());
        book.0.retain(|other| !gone.contains(&other.id));
        self.put(book);
        Ok(())
    }

    /// Lets go of what has ended, and writes that down.
    fn sweep(&self, now: Timestamp) {
        let book = self.book();
        let file = self.0.layers.read().unwrap_or_else(PoisonError::into_inner).configured();
        let over = |held: &&Held| !held.holds(now) || outdated(&held.entry.what, file);
        let ended: Vec<&Held> = book.0.iter().filter(over).collect();
        let ids: Vec<u64> = ended.iter().map(|held| held.id).collect();
        // what cannot be written ended all the same, and is tried again
        if ids.is_empty() || self.end(&ids).is_err() {
            return;
        }
        let pen = self.0.pen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for held in ended {
            let unconfirmed = held.end() != held.entry.until;
            tracing::info!(entry = held.id, owner = held.entry.owner, unconfirmed, "a decision has ended");
            let content =
                json!({"action": "policy.ended", "entry": show::held(held), "unconfirmed": unconfirmed});
            pen.write(Deed {
                at: now,
                act: Act::Operation,
                by: By::Product,
                about: held.about(),
                content,
                counts: [("done".to_owned(), 1)].into(),
            });
        }
    }

    fn book(&self) -> Arc<Book> {
        Arc::clone(&self.0.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, book: Book) {
        *self.0.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }

    fn file(&self) -> MutexGuard<'_, Option<Policies>> {
        self.0.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Now, also where the clock was set since the start.
fn time() -> Timestamp {
    Clock::start().now()
}

/// It was said beside a configuration that says something else now.
fn outdated(what: &What, file: Option<engine::Mode>) -> bool {
    matches!(what, What::General { file: of, .. } if file.is_some_and(|file| *of != file))
}

const fn is_exception(what: &What) -> bool {
    matches!(what, What::TakenBack { .. } | What::StepBack { .. })
}

fn items(items: Vec<Value>) -> Value {
    json!({ "items": items })
}

fn closed() -> String {
    "the daemon is starting or ending: ask again".to_owned()
}

fn unwritten(cause: &store::StoreError) -> String {
    format!("it cannot be written down, so it does not hold: {cause}")
}

fn ours(view: &View, prefix: &Prefix) -> Result<(), String> {
    if view.layers.networks.iter().any(|own| own.covers(prefix)) {
        return Ok(());
    }
    Err(format!("{prefix} is not inside `networks`; name a prefix that is yours"))
}

fn room(view: &View, most: usize, is: impl Fn(&What) -> bool) -> Result<(), String> {
    if view.book.0.iter().filter(|held| is(&held.entry.what)).count() < most {
        return Ok(());
    }
    Err(format!("as many of these as there can be ({most}) hold: end some first"))
}

fn until(now: Timestamp, hold: Option<u64>) -> Result<Option<Timestamp>, String> {
    match hold {
        None => Ok(None),
        Some(secs) if (1..=HOLD_MAX).contains(&secs) => Ok(Some(now.plus(Span::from_secs(secs)))),
        Some(_) => Err("a time is 1 second to a year".to_owned()),
    }
}
