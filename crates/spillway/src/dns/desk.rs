//! The desk: one thread that takes orders about names and keeps their journal, and the door through which they come.
//!
//! Servers are asked by threads of their own, one exchange per name at a time, so one that does not answer delays no other.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use api::metrics;
use steer::dnsdiversion::Heard;
use wire::dns::Name;

use super::clerk::Clerk;
use super::order::{Answer, Order};
use crate::config::{Config, DnsZone};
use crate::desk::{self, Alarm, Manners, Place, Reply};
use crate::ledger::Pen;
use crate::routing::order::Caller;

/// Name of the journal inside the state folder.
pub(crate) const FILE: &str = "dns.db";
/// The clerk gives an answer before it is too late.
const MANNERS: Manners = Manners {
    waiting_max: 64,
    patience: Duration::from_secs(9),
    gone: "the desk for names is gone; see the log",
    late: "no answer in time: the order may still be carried out, see `spillway dns status`",
};
/// At the latest after so long the desk looks up.
pub(super) const TURN: Duration = Duration::from_millis(500);

/// What a desk is made from; a reload that changes it makes a new desk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The state folder.
    pub(super) folder: PathBuf,
    /// The sections of the file.
    pub(super) zones: Vec<DnsZone>,
}

impl Setup {
    /// As the configuration has it; `None`: no name may be diverted, and none is.
    pub fn of(config: &Config) -> Option<Self> {
        let folder = config.state_dir.clone();
        // A journal that is there may tell of a name that is still diverted.
        let any = !config.dns.is_empty() || folder.join(FILE).exists();
        any.then(|| Self { folder, zones: config.dns.clone() })
    }
}

/// What comes to the desk.
pub(super) enum Ask {
    /// An order, and where its answer goes.
    Order(Caller, Order, Reply<Answer>),
    /// What a server answered about a name.
    Heard(Name, Heard),
    /// End.
    Stop,
}

/// What others may see without asking.
pub(super) type Board = Arc<Mutex<metrics::Dns>>;

/// The way to the desk, whichever is there at the moment.
#[derive(Clone, Debug, Default)]
pub struct Door(Place<Inside>);

#[derive(Clone, Debug)]
struct Inside {
    asks: Sender<Ask>,
    board: Board,
    waiting: Arc<()>,
}

impl Door {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn ask(&self, caller: Caller, order: Order) -> Result<Answer, String> {
        let Some(Inside { asks, waiting, .. }) = self.0.get() else {
            return Err("no name may be diverted: add a section [dns.NAME] to the configuration, or try again where it is being reloaded".to_owned());
        };
        desk::ask(&asks, &waiting, MANNERS, |reply| Ask::Order(caller, order, reply))
    }

    /// Numbers for `/metrics`; `None`: there is no desk.
    pub fn numbers(&self) -> Option<metrics::Dns> {
        Some(desk::seen(&self.0.get()?.board))
    }
}

/// A running desk. Dropped, it leaves names as they are: the next one takes the journal up.
#[derive(Debug)]
pub struct Desk {
    setup: Setup,
    asks: Sender<Ask>,
    door: Door,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Takes up the journal where it ended, and opens the door. `broken` is called if the thread ends by a panic.
    ///
    /// # Errors
    /// When the journal cannot be read or the system gives no thread.
    pub(crate) fn start(
        setup: Setup,
        door: &Door,
        pen: Pen,
        broken: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (asks, asked) = channel();
        let board = Board::default();
        let clerk = Clerk::start(&setup, asks.clone(), Arc::clone(&board), pen)?;
        let alarm = Alarm(Some(broken));
        let run = move || {
            let _alarm = alarm;
            serve(clerk, &asked);
        };
        let thread = std::thread::Builder::new().name("dns".to_owned()).spawn(run);
        let thread = Some(thread.context("cannot start a thread")?);
        door.0.set(Some(Inside { asks: asks.clone(), board, waiting: Arc::default() }));
        Ok(Self { setup, asks, door: door.clone(), thread })
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
        clerk.turn();
        match asked.recv_timeout(clerk.pause().min(TURN)) {
            Ok(Ask::Order(caller, order, reply)) => clerk.take(&caller, order, reply),
            Ok(Ask::Heard(name, heard)) => clerk.hear(&name, heard),
            Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return clerk.stop(asked),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
