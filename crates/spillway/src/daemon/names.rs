//! The desk for names beside the daemon's runs: a reload that does not change it leaves it alone.

use std::sync::mpsc::Sender;

use super::Event;
use crate::config::Config;
use crate::dns::desk::Setup;
use crate::dns::{Desk, Door};
use crate::ledger::Pen;

/// The desk that this configuration wants: the old one, where nothing that concerns it changed.
pub(super) fn adapt(
    old: Option<Desk>,
    config: &Config,
    door: &Door,
    pen: &Pen,
    events: &Sender<Event>,
) -> anyhow::Result<Option<Desk>> {
    let wanted = Setup::of(config);
    if old.as_ref().map(Desk::setup) == wanted.as_ref() {
        return Ok(old);
    }
    // The journal has one writer: the old desk ends first.
    drop(old);
    let events = events.clone();
    let broken = move || drop(events.send(Event::Broken("dns")));
    wanted.map(|setup| Desk::start(setup, door, pen.clone(), broken)).transpose()
}
