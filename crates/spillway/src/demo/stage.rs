//! The stage: acts that go on, and wishes for more of them, from the story, the terminal and the dashboard alike.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Prefix, Span, Timestamp};
use serde::{Deserialize, Serialize};
use sim::population::Population;
use sim::rng::Rng;
use sim::{Event, World};

use super::repertoire::{Act, REPERTOIRE, SECS};
use super::script::Script;

/// Acts at the same time at most: the world has few routers.
const AT_ONCE_MAX: usize = 4;

/// What the API asks, in its words.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wish {
    /// What can be asked for, and what goes on.
    List,
    /// This, now.
    Start(String),
}

/// One act, as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    name: &'static str,
    title: &'static str,
    attack: bool,
    secs: u64,
    left: Option<u64>,
    target: Option<Prefix>,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(super) struct Acts {
    acts: Vec<Shown>,
}

/// One that goes on.
#[derive(Clone, Copy, Debug)]
struct Running {
    act: usize,
    target: Prefix,
    end: Timestamp,
}

/// Shared by all who wish.
#[derive(Clone, Debug)]
pub(super) struct Stage(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    people: Population,
    seed: u64,
    /// Acts begun so far: each finds other victims.
    begun: u64,
    running: Vec<Running>,
    /// To the world.
    events: Sender<Event>,
    /// What the teller has not said yet.
    untold: Vec<String>,
}

impl Stage {
    /// Over a world that takes `events`.
    pub(super) fn new(script: &Script, events: Sender<Event>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            people: World::population(script.config()),
            seed: script.seed,
            begun: 0,
            running: Vec::new(),
            events,
            untold: Vec::new(),
        })))
    }

    /// What somebody asked for.
    ///
    /// # Errors
    /// Why it is not done, and what could be.
    pub(super) fn take(&self, wish: Wish, now: Timestamp) -> Result<Acts, String> {
        if let Wish::Start(name) = wish {
            self.start(&name, now)?;
        }
        Ok(self.acts(now))
    }

    /// Begins an act.
    ///
    /// # Errors
    /// There is none of this name, it goes on already, or too much does.
    pub(super) fn start(&self, name: &str, now: Timestamp) -> Result<(), String> {
        let names = || REPERTOIRE.iter().map(|act| act.name).collect::<Vec<_>>().join(", ");
        let (at, act) =
            Act::find(name).ok_or_else(|| format!("there is no act {name}; there are {}", names()))?;
        let mut inner = self.inner(now);
        if let Some(running) = inner.running.iter().find(|running| running.act == at) {
            return Err(format!("{} hits {} already; it ends by itself", act.title, running.target));
        }
        if inner.running.len() >= AT_ONCE_MAX {
            return Err(format!("{AT_ONCE_MAX} acts go on; wait until one of them is over"));
        }
        inner.begun += 1;
        let mut rng = Rng::part(inner.seed, 0x7374_6167_0000 + inner.begun);
        let rank = rng.range(400, 4_000) / if act.is_attack() { 1 } else { 40 };
        let host = inner.people.find(
            rank,
            act.victim.0,
            act.victim.1.is_some() || !act.is_attack() || rng.chance(0.8),
        );
        let target = act.target(host);
        let pps = f64::from(rng.range(act.kpps.0, act.kpps.1)) * 1_000.0;
        let span = Span::from_secs(SECS);
        let event = Event::new(act.kind(), target, now, span, pps).shape(act.shape());
        let event = match act.port {
            Some(port) => event.port(port),
            None => event,
        };
        inner.events.send(event).map_err(|_| "the world has ended".to_owned())?;
        inner.running.push(Running { act: at, target, end: now.plus(span) });
        inner.untold.push(act.announcement.to_owned());
        Ok(())
    }

    /// What is to be told.
    pub(super) fn untold(&self, now: Timestamp) -> Vec<String> {
        std::mem::take(&mut self.inner(now).untold)
    }

    fn acts(&self, now: Timestamp) -> Acts {
        let inner = self.inner(now);
        let shown = |(at, act): (usize, &Act)| {
            let running = inner.running.iter().find(|running| running.act == at);
            Shown {
                name: act.name,
                title: act.title,
                attack: act.is_attack(),
                secs: SECS,
                left: running.map(|running| running.end.since(now).nanos().div_ceil(1_000_000_000)),
                target: running.map(|running| running.target),
            }
        };
        Acts { acts: REPERTOIRE.iter().enumerate().map(shown).collect() }
    }

    /// Without what is over.
    fn inner(&self, now: Timestamp) -> MutexGuard<'_, Inner> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running.retain(|running| running.end > now);
        inner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_become_events_each_with_a_victim_of_its_own_and_a_cap() {
        let (send, events) = std::sync::mpsc::channel();
        let stage = Stage::new(&Script::new(7, true), send);
        let at = |secs: u64| Timestamp::from_secs(1_800_000_000 + secs);
        assert!(stage.start("earthquake", at(0)).unwrap_err().contains("dns-amplification"));
        stage.start("udp-flood", at(0)).unwrap();
        assert!(stage.start("udp-flood", at(1)).unwrap_err().contains("already"));
        for name in ["syn-flood", "flash-crowd", "carpet-bombing"] {
            stage.start(name, at(1)).unwrap();
        }
        assert!(stage.start("ack-flood", at(2)).unwrap_err().contains("go on"));
        assert_eq!(stage.untold(at(2)).len(), 4);
        let shown = serde_json::to_value(stage.acts(at(2))).unwrap();
        let left: Vec<_> = shown["acts"].as_array().unwrap().iter().map(|act| act["left"].as_u64()).collect();
        assert_eq!(left, [None, Some(29), Some(29), Some(29), None, None, None, Some(28)]);
        // it ends by itself, and hits somebody else the next time
        stage.start("udp-flood", at(30)).unwrap();
        let all: Vec<Event> = events.try_iter().collect();
        assert_ne!(all[0].target, all[4].target);
        assert_eq!(all[3].target.bits(), 24);
    }
}
