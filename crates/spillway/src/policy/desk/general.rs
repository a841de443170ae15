//! What is decided for everybody: how far to go where nothing narrower says it, and that nothing acts at all.

use std::sync::{Arc, PoisonError};

use base::{Prefix, Timestamp};
use serde_json::{Value, json};

use super::super::book::{Book, Entry, Held, What};
use super::super::values::mode_name;
use super::super::view::View;
use super::{Desk, until};
use crate::config::target::ModeWord;
use crate::policy::{show, stance};

impl Desk {
    /// How far to go for all; `None`: as the file has it. It ends by itself when the file says another mode.
    pub(super) fn general(
        &self,
        view: &View,
        who: &str,
        mode: Option<ModeWord>,
        hold: Option<u64>,
        reason: String,
    ) -> Result<Value, String> {
        let same = |held: &&Held| matches!(held.entry.what, What::General { .. });
        let gone: Vec<u64> = view.book.0.iter().filter(same).map(|held| held.id).collect();
        let file = view.layers.mode();
        let was = view.general().value;
        let made = match mode {
            None if gone.is_empty() => {
                return Err(format!(
                    "there is no mode above the file's, which says {}; `spillway mode` shows what holds",
                    mode_name(file)
                ));
            }
            None => {
                self.end(&gone)?;
                json!({"ended": gone})
            }
            Some(mode) => {
                let until = until(view.now, hold)?;
                let what = What::General { mode: mode.into(), file };
                self.add(&gone, Entry { owner: who.to_owned(), reason, at: view.now, until, what })?
            }
        };
        let mut made = self.noted(made, view.now, None);
        if let Some(made) = made.as_object_mut() {
            made.insert("was".to_owned(), mode_name(was).into());
        }
        Ok(made)
    }

    /// A decision about how far to go, with what follows from it.
    pub(super) fn noted(&self, mut made: Value, now: Timestamp, prefix: Option<Prefix>) -> Value {
        let live = Arc::clone(&self.0.live.read().unwrap_or_else(PoisonError::into_inner));
        let notes = stance::notes(&self.view(now), &live, prefix.as_ref());
        if let Some(made) = made.as_object_mut() {
            made.insert("notes".to_owned(), notes.into());
        }
        made
    }

    /// Nothing acts from now on. It waits for no disk: what cannot be written holds until the daemon ends.
    pub(super) fn panic(&self, view: &View, who: &str, reason: String) -> Value {
        if let Some(held) = view.panic() {
            return show::held(held);
        }
        let entry = Entry { owner: who.to_owned(), reason, at: view.now, until: None, what: What::Panic };
        self.add(&[], entry.clone()).unwrap_or_else(|cause| {
            tracing::error!(cause, "nothing acts from now on, but a restart will not know of it");
            let held = Held::new(0, entry);
            let mut book = Book::clone(&self.book());
            book.0.push(held.clone());
            self.put(book);
            show::held(&held)
        })
    }

    /// Things may act again.
    pub(super) fn resume(&self, view: &View) -> Result<Value, String> {
        let held = view.book.0.iter().filter(|held| matches!(held.entry.what, What::Panic));
        let gone: Vec<u64> = held.map(|held| held.id).collect();
        if !gone.is_empty() {
            self.end(&gone)?;
        }
        Ok(self.noted(json!({"ended": gone}), view.now, None))
    }
}
