//! Into the ledger, and out.

use std::path::PathBuf;

use ::ledger::commitment::{CustomerTag, Salt};
use ::ledger::disclosure::{Bundle, Disclosure, Ledgered, Reviewed, SendError, Sender};
use ::ledger::entry::{Entry, Unsealed, What};
use ::ledger::opening::Opening;
use ::ledger::{Hash, Proof};
use anyhow::{Context as _, anyhow, bail};
use base::Timestamp;

use super::case::{Case, Cases};
use super::eml;
use crate::config::Config;
use crate::ledger::{Item, Store, View};

/// How it leaves.
#[derive(Clone, Debug)]
pub enum Route {
    /// As files into a folder.
    Folder(PathBuf),
    /// As a mail, in a file that a mail program takes.
    Eml(PathBuf),
}

/// Writes it into the ledger, if it does not stand there yet, and sends it. Without the entry nothing leaves.
///
/// # Errors
/// Nothing was sent, and why.
pub fn send(
    config: &Config,
    cases: &Cases,
    case: &mut Case,
    route: &Route,
    now: Timestamp,
) -> anyhow::Result<()> {
    if case.sent.is_some() {
        bail!("`{}` was sent already", case.draft.id);
    }
    cases.look(case).context("nothing is sent")?;
    let policy =
        ::ledger::disclosure::ReviewPolicy { automatic_abuse_reports: config.ledger.automatic_abuse_reports };
    let reviewed = cases.reviewed(case, policy).context("nothing is sent")?;
    if now >= case.draft.expires {
        bail!("nothing is sent: it expired at {}; begin another one", case.draft.expires);
    }
    let (ledgered, opening) = enter(config, cases, case, reviewed, now).context("nothing is sent")?;
    let mut post = Post { route: route.clone(), opening, policy: policy_text(config)?, now };
    let sent = ledgered.send(&mut post, now).map_err(|refused| match refused {
        SendError::Refused(why) => anyhow!(why),
        SendError::Sender(why) => why,
    });
    let sent = sent.context("it stands in the ledger and was not sent: try again")?;
    case.sent = Some(sent.sent_at());
    cases.keep(case)
}

/// The entry and its receipt.
fn enter(
    config: &Config,
    cases: &Cases,
    case: &mut Case,
    reviewed: Disclosure<Reviewed>,
    now: Timestamp,
) -> anyhow::Result<(Disclosure<Ledgered>, Opening)> {
    let place = config.ledger_place();
    let mut store = Store::open(&place)?;
    let customer = tag(&mut store, case)?;
    let index = match case.ledgered {
        Some(index) => index,
        None => {
            let salt = Salt::new(crate::ledger::random()?);
            let entry = reviewed.entry(now, salt, customer)?;
            // what a sealed entry hides is kept beside the log, for the day on which it may be opened
            let sealed = matches!(entry.what, What::Sealed(_));
            let record = sealed.then(|| reviewed.record(salt, customer)).transpose()?;
            let index = store.append(&[Item { entry, salt, content: None, record }])?.start;
            case.ledgered = Some(index);
            cases.keep(case)?;
            index
        }
    };
    receipt(config, index, customer, &store, reviewed)
}

fn receipt(
    config: &Config,
    index: u64,
    customer: Option<CustomerTag>,
    store: &Store,
    reviewed: Disclosure<Reviewed>,
) -> anyhow::Result<(Disclosure<Ledgered>, Opening)> {
    let secret = View::at(&config.ledger_place())?.secret(index)?;
    let secret = secret
        .with_context(|| format!("the salt of entry {index} was destroyed: begin another disclosure"))?;
    let salt = Salt::from_hex(&secret.salt).context("its salt is damaged")?;
    let receipt = store.receipt(index)?;
    let opening = Opening::new(Entry::parse(receipt.entry())?, salt, secret.record);
    Ok((reviewed.ledgered(salt, customer, receipt)?, opening))
}

/// One that stands in the ledger, from there.
pub(super) fn ledgered(
    config: &Config,
    case: &Case,
    reviewed: Disclosure<Reviewed>,
) -> anyhow::Result<Disclosure<Ledgered>> {
    let mut store = Store::open(&config.ledger_place())?;
    let customer = tag(&mut store, case)?;
    let index = case.ledgered.with_context(|| format!("`{}` does not stand in the ledger", case.draft.id))?;
    Ok(receipt(config, index, customer, &store, reviewed)?.0)
}

fn tag(store: &mut Store, case: &Case) -> anyhow::Result<Option<CustomerTag>> {
    Ok(case.draft.customer.as_deref().map(|name| store.tag(name)).transpose()?)
}

fn policy_text(config: &Config) -> anyhow::Result<Vec<u8>> {
    let path = config.ledger_place().policy();
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Opens a sealed entry once its embargo is over.
///
/// # Errors
/// It is not sealed, or not yet to be opened.
pub fn unseal(config: &Config, cases: &Cases, case: &mut Case, now: Timestamp) -> anyhow::Result<u64> {
    let (Some(until), Some(index)) = (case.draft.embargo_until, case.ledgered) else {
        bail!("`{}` has no sealed entry", case.draft.id);
    };
    if now < until {
        bail!("`{}` stays sealed until {until}", case.draft.id);
    }
    if let Some(done) = case.unsealed {
        bail!("`{}` was opened by entry {done}", case.draft.id);
    }
    let place = config.ledger_place();
    let mut store = Store::open(&place)?;
    let secret = View::at(&place)?.secret(index)?.context("its salt was destroyed: it cannot be opened")?;
    let record = secret.record.context("what it hides is not kept")?;
    let unsealed = Unsealed { index, salt: secret.salt, record };
    let entry = Entry::new(now, What::Unsealed(unsealed));
    let salt = Salt::new(crate::ledger::random()?);
    let at = store.append(&[Item { entry, salt, content: None, record: None }])?.start;
    case.unsealed = Some(at);
    cases.keep(case)?;
    Ok(at)
}

/// Senders that need no network.
struct Post {
    route: Route,
    opening: Opening,
    policy: Vec<u8>,
    now: Timestamp,
}

impl Sender for Post {
    type Error = anyhow::Error;

    fn send(&mut self, bundle: &Bundle<'_>) -> anyhow::Result<()> {
        // The recipient checks what he got, and not only that something was logged.
        let proof =
            Proof::parse(bundle.receipt().proof_text()).map_err(|why| anyhow!("the receipt: {why}"))?;
        let proof = self.opening.attach(proof)?.to_string();
        let id = &bundle.draft().id;
        match &self.route {
            Route::Folder(folder) => {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
                let file = |name: &str, content: &[u8]| {
                    let path = folder.join(name);
                    std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
                };
                file(&format!("{id}.tlog-proof"), proof.as_bytes())?;
                file(&format!("{id}.policy"), &self.policy)?;
                // last, so that who waits for it finds the rest
                file(id, bundle.payload())
            }
            Route::Eml(path) => {
                let mail = eml::mail(bundle, &proof, &Hash::of(bundle.payload()).to_string(), self.now);
                std::fs::write(path, mail).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }
}
