//! `spillway ledger record`: decisions that were taken elsewhere.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};

use ::ledger::commitment::Salt;
use ::ledger::entry::{Act, By, Decision, Entry, What};
use anyhow::Context as _;
use serde_json::json;

use super::super::asked::{self, Daemon};
use crate::cli::Context;
use crate::daemon::clock::Clock;
use crate::ledger::{Item, Store};
use crate::output;

/// Lines of one append.
const AT_ONCE_MAX: usize = 1_024;

/// Write down decisions that were taken elsewhere, one a line from standard input; each answer means that it is on the disk
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of what kind: mitigation, mitigation-end, announcement, withdrawal, approval, depseudonymisation, configuration
    #[arg(value_parser = act)]
    act: Act,
    /// Whom they concern: a customer's name
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// In whose name [default: who called `sudo`]
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    daemon: Daemon,
}

fn act(text: &str) -> Result<Act, String> {
    let known = [
        Act::Mitigation,
        Act::MitigationEnd,
        Act::Announcement,
        Act::Withdrawal,
        Act::Approval,
        Act::Depseudonymisation,
        Act::Configuration,
    ];
    let found = known.into_iter().find(|act| act.name() == text);
    found.ok_or_else(|| format!("one of: {}", known.map(Act::name).join(", ")))
}

pub(super) fn run(args: Args, _: &Context) -> anyhow::Result<()> {
    let mut store = Store::open(&super::place(&args.daemon)?)?;
    let customer = args.customer.as_deref().map(|name| store.tag(name)).transpose()?;
    let person = asked::person(args.person);
    let clock = Clock::start();
    let (send, lines) = sync_channel(AT_ONCE_MAX);
    // What is typed while the disk is busy goes with the next append.
    let read =
        move || std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| send.send(line));
    std::thread::Builder::new().name("lines".to_owned()).spawn(read).context("cannot start a thread")?;
    let mut out = output::stdout();
    while let Some(lines) = some(&lines) {
        let mut items = Vec::with_capacity(lines.len());
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let salt = Salt::new(crate::ledger::random()?);
            let content = json!({"decision": line, "person": person}).to_string();
            let commitment = salt.commit(content.as_bytes());
            let decision =
                Decision { act: args.act, by: By::Person, customer, commitment, counts: [].into() };
            let entry = Entry::new(clock.now(), What::Decision(decision));
            items.push(Item { entry, salt, content: Some(content), record: None });
        }
        for index in store.append(&items)? {
            output::line(&mut out, &json!({"index": index}))?;
        }
        out.flush()?;
    }
    Ok(())
}

/// What is there, at least one; `None` at the end.
fn some(lines: &Receiver<String>) -> Option<Vec<String>> {
    let first = lines.recv().ok()?;
    Some(std::iter::once(first).chain(lines.try_iter().take(AT_ONCE_MAX - 1)).collect())
}
