//! The desk: one thread that takes orders about routes, and the door through which they come.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use api::{Events, metrics};
use base::Prefix;

use super::clerk::{Clerk, Kept};
use super::guards::Guards;
use super::learned::Learned;
use super::lookout::{Lookout, Sight};
use super::order::{Answer, Caller, Order};
use super::pulse::Pulse;
use crate::config::{Config, Routing};
use crate::desk::{self, Alarm, Manners, Place, Reply};
use crate::dossier::places::Home;
use crate::ledger::Pen;

const MANNERS: Manners = Manners {
    waiting_max: 1000,
    patience: Duration::from_secs(8),
    gone: "the desk for routes is gone; see the log",
    late: "no answer in time: the order may still be carried out, see `spillway route list`",
};
/// Handles beside the desk's own and the one in hand: one sight that waits.
const SIGHTS_WAITING_MAX: usize = 2;
/// At the latest after so long the desk looks up.
const TURN: Duration = Duration::from_millis(500);

/// What a desk is made from; a reload that changes it makes a new desk.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The state folder.
    pub(super) folder: PathBuf,
    /// The section of the file.
    pub(super) routing: Routing,
    /// What the rails are made of.
    pub(super) guards: Guards,
    /// Sources that pass at absorbers, whatever else is in force there.
    pub(super) spare: Vec<Prefix>,
    /// Where routers tell over BMP.
    pub(super) bmp: Option<SocketAddr>,
    /// Of whom the paths that are told shall tell who is behind them.
    pub(super) neighbours: Vec<u32>,
}

impl Setup {
    /// As the configuration has it; `None`: no routers are spoken with.
    pub fn of(config: &Config) -> Option<Self> {
        let mut routing = config.routing.clone()?;
        // What is done by itself comes with what the core sees: a change of it leaves sessions alone.
        routing.ladder = None;
        routing.health = Vec::new();
        let guards = Guards::of(config, &routing);
        let (folder, spare) = (config.state_dir.clone(), config.rules.never.clone());
        let neighbours = Home::of(config).neighbours;
        Some(Self { folder, routing, guards, spare, bmp: config.listen.bmp, neighbours })
    }
}

/// What comes to the desk.
pub(super) enum Ask {
    /// An order, and where its answer goes.
    Order(Caller, Order, Reply<Answer>),
    /// What the decision core knows at the moment.
    Look(Box<Sight>, Arc<()>),
    /// An absorber said something.
    Wake,
    /// End.
    Stop,
    /// End, but leave what the next desk goes on with.
    Leave(Sender<Option<Kept>>),
}

/// What others may see without asking.
pub(super) type Board = Arc<Mutex<metrics::Routing>>;

/// The way to the desk, whichever is there at the moment.
#[derive(Clone, Debug, Default)]
pub struct Door(Place<Inside>);

#[derive(Clone, Debug)]
struct Inside {
    asks: Sender<Ask>,
    board: Board,
    waiting: Arc<()>,
    lookout: Lookout,
    learned: Arc<Learned>,
    /// Shared with what the core has told and the desk has not looked at.
    sights: Arc<()>,
}

impl Door {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn ask(&self, caller: Caller, order: Order) -> Result<Answer, String> {
        let Some(Inside { asks, waiting, .. }) = self.0.get() else {
            return Err("no routers are spoken with now: add a section [routing] to the configuration, or try again where it is being reloaded".to_owned());
        };
        desk::ask(&asks, &waiting, MANNERS, |reply| Ask::Order(caller, order, reply))
    }

    /// Tells what the decision core knows, and waits for nothing; what was seen comes back where the desk is behind.
    pub(crate) fn tell(&self, sight: Box<Sight>) -> Option<Box<Sight>> {
        let Inside { asks, sights, .. } = self.0.get()?;
        if Arc::strong_count(&sights) > SIGHTS_WAITING_MAX {
            return Some(sight);
        }
        // A desk that is gone looks at nothing.
        let _ = asks.send(Ask::Look(sight, sights));
        None
    }

    /// What is looked for; `None`: there is no desk.
    pub(crate) fn lookout(&self) -> Option<Lookout> {
        self.0.get().map(|inside| inside.lookout)
    }

    /// Routes that are told; `None`: there is no desk.
    pub(crate) fn learned(&self) -> Option<Arc<Learned>> {
        self.0.get().map(|inside| inside.learned)
    }

    /// Numbers for `/metrics`; `None`: there is no desk.
    pub fn numbers(&self) -> Option<metrics::Routing> {
        Some(desk::seen(&self.0.get()?.board))
    }
}

/// A running desk. Dropped, it ends all sessions as each router's `on_stop` has it.
#[derive(Debug)]
pub struct Desk {
    setup: Setup,
    asks: Sender<Ask>,
    door: Door,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Reads the journal, starts to speak or goes on where another desk has left, and opens the door. `broken` is called if the
    /// thread ends by a panic.
    ///
    /// # Errors
    /// When the journal cannot be read or the system gives no thread.
    pub(crate) fn start(
        setup: Setup,
        door: &Door,
        pulse: Pulse,
        (pen, policy): (Pen, crate::policy::Desk),
        events: Events,
        broken: impl FnOnce() + Send + 'static,
        kept: Option<Kept>,
    ) -> anyhow::Result<Self> {
        let board = Board::default();
        let (asks, asked) = channel();
        let clerk =
            Clerk::start(setup.clone(), Arc::clone(&board), pulse, (pen, events, policy), &asks, kept)?;
        let (lookout, learned) = (clerk.lookout(), clerk.learned());
        let alarm = Alarm(Some(broken));
        let run = move || {
            let _alarm = alarm;
            serve(clerk, &asked);
        };
        let thread = std::thread::Builder::new().name("routing".to_owned()).spawn(run);
        let thread = Some(thread.context("cannot start a thread")?);
        door.0.set(Some(Inside {
            asks: asks.clone(),
            board,
            waiting: Arc::default(),
            lookout,
            learned,
            sights: Arc::default(),
        }));
        Ok(Self { setup, asks, door: door.clone(), thread })
    }

    /// Ends, and leaves its sessions to the next desk; `None`: there are none.
    pub(crate) fn leave(self) -> Option<Kept> {
        self.door.0.set(None);
        let (reply, kept) = channel();
        self.asks.send(Ask::Leave(reply)).ok()?;
        kept.recv().ok()?
    }

    /// What it was made from.
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.door.0.set(None);
        let _ = self.asks.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut clerk: Clerk, asked: &Receiver<Ask>) {
    loop {
        match asked.recv_timeout(clerk.pause().min(TURN)) {
            Ok(Ask::Stop) => return clerk.stop(),
            Ok(Ask::Leave(reply)) => {
                let _ = reply.send(clerk.leave());
                return;
            }
            Ok(Ask::Order(caller, order, reply)) => {
                let answer = clerk.take(&caller, order);
                clerk.defer(answer, reply);
            }
            Ok(Ask::Look(sight, waits)) => {
                drop(waits);
                clerk.look_out(&sight);
            }
            Ok(Ask::Wake) | Err(_) => {}
        }
        clerk.turn();
    }
}
