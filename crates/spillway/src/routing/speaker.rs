//! A thread that speaks BGP with all neighbours, and how it is told what to say.

mod core;
mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::bgp::out::{Key, NotTaken, Suspicion};
use steer::bgp::step::State;
use steer::bgp::{Pacing, Route, Settings};

use self::core::Core;
use super::learned::Learned;

/// A router to speak with.
#[derive(Clone, Debug)]
pub struct Neighbor {
    /// What people call it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Our address, where it matters.
    pub local: Option<IpAddr>,
    /// The session.
    pub settings: Settings,
    /// How fast and how many.
    pub pacing: Pacing,
    /// Key of RFC 2385.
    pub md5: Option<Vec<u8>>,
    /// Hops to it at most (RFC 5082); `None`: not checked.
    pub hops: Option<u8>,
    /// We were here before: it may hold routes of ours.
    pub restarting: bool,
    /// Where that is kept which it announces, to know whose addresses are whose.
    pub learned: Option<Arc<Learned>>,
}

impl Neighbor {
    /// Whether a session with one is a session with the other.
    fn is_as(&self, other: &Self) -> bool {
        let all = |one: &Self| {
            let (settings, pacing) = (one.settings.clone(), one.pacing);
            (one.name.clone(), one.address, one.local, settings, pacing, one.md5.clone(), one.hops)
        };
        all(self) == all(other) && self.learned.is_some() == other.learned.is_some()
    }
}

/// How a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Where it stands.
    pub state: State,
    /// Seconds for which it has said nothing, if that is longer than the agreed hold time.
    pub silent: Option<u64>,
    /// Sessions that came up.
    pub ups: u64,
    /// Why the last one ended.
    pub last_down: Option<String>,
    /// How many ended, or did not come up after the handshake began.
    pub falls: u64,
    /// Routes that it shall have.
    pub wanted: usize,
    /// Routes that it has, by our knowledge.
    pub held: usize,
    /// Of these, still to be proven.
    pub unproven: usize,
    /// Routes that it did not survive.
    pub quarantine: Vec<(Key, Suspicion)>,
    /// Routes that it announced or ended; they are not kept.
    pub heard: u64,
    /// Of its messages, those with something wrong that the session survived (RFC 7606).
    pub faults: u64,
}

/// What a neighbour is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// A route.
    Announce(Box<Route>),
    /// That it is over; `true`: the neighbour may hold it though this speaker never sent it.
    Withdraw(Key, bool),
}

enum Order {
    Announce(String, Box<Route>, Sender<Result<(), Refused>>),
    Withdraw(String, Key, bool, Sender<Result<(), Refused>>),
    Release(String, Key, Sender<Result<(), Refused>>),
    Status(Sender<BTreeMap<String, PeerStatus>>),
    Held(Sender<BTreeMap<String, BTreeSet<Key>>>),
    Stop(String),
    AnnounceAll(String, Vec<Route>, Sender<Result<NotTakenRoutes, Refused>>),
    Adapt(Vec<Neighbor>, Vec<(String, Say)>, Sender<Vec<(usize, Refused)>>),
    /// As after a kill: no word to anybody.
    Fall,
}

/// Routes that a neighbour does not take, and why.
pub type NotTakenRoutes = Vec<(Key, NotTaken)>;

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The peer takes no more, or has no words for it.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// There is no such neighbour.
    #[error("there is no BGP neighbour `{0}`")]
    Unknown(String),
    /// Nothing of that name is in quarantine.
    #[error("that route is not in quarantine")]
    NotThere,
    /// The thread is gone.
    #[error("the BGP speaker is not running")]
    Gone,
}

/// The running speaker. Dropped, it says farewell as each neighbour's settings have it; dropped by a panic it says nothing,
/// for that is a crash, and what shall become of routes after a crash is negotiated.
#[derive(Debug)]
pub struct Speaker {
    orders: Sender<Order>,
    wake: Arc<EventFd>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Speaker {
    /// Starts to speak.
    ///
    /// # Errors
    /// When the system gives no thread or descriptor.
    pub fn start(neighbors: Vec<Neighbor>) -> io::Result<Self> {
        Self::start_with(neighbors, Vec::new()).map(|(speaker, _)| speaker)
    }

    /// Likewise, with what is to be said before anything else: it stands before the first session comes up, so that it goes
    /// out before End-of-RIB. Gives what was refused, by place.
    ///
    /// # Errors
    /// Likewise.
    pub fn start_with(
        neighbors: Vec<Neighbor>,
        first: Vec<(String, Say)>,
    ) -> io::Result<(Self, Vec<(usize, Refused)>)> {
        let wake =
            Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (orders, received) = channel();
        let mut core = Core::new(neighbors, received, wake.clone());
        let refused = core.say_all(first);
        let thread = std::thread::Builder::new().name("bgp".into()).spawn(move || core.run())?;
        Ok((Self { orders, wake, thread: Mutex::new(Some(thread)) }, refused))
    }

    /// From now on these are the neighbours, and they shall have these routes and no others. Sessions with those of which nothing
    /// changed go on; one that changed is begun anew, and keeps our routes meanwhile where it helps restarts; others end. Gives
    /// what was refused, by place.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn adapt(
        &self,
        neighbors: Vec<Neighbor>,
        says: Vec<(String, Say)>,
    ) -> Result<Vec<(usize, Refused)>, Refused> {
        self.ask(|reply| Order::Adapt(neighbors, says, reply))
    }

    /// Wants a route at a neighbour. It is on its way when this returns, if the session is up and its pace allows.
    ///
    /// # Errors
    /// When there is no such neighbour, or it takes no more.
    pub fn announce(&self, neighbor: &str, route: Route) -> Result<(), Refused> {
        self.ask(|reply| Order::Announce(neighbor.into(), Box::new(route), reply))?
    }

    /// Wants many routes at a neighbour, and gives those that it does not take. They go out by rank and share messages.
    ///
    /// # Errors
    /// When there is no such neighbour.
    pub fn announce_all(&self, neighbor: &str, routes: Vec<Route>) -> Result<NotTakenRoutes, Refused> {
        self.ask(|reply| Order::AnnounceAll(neighbor.into(), routes, reply))?
    }

    /// Wants a route no longer; `forgotten`: the neighbour may hold it though this speaker never sent it.
    ///
    /// # Errors
    /// When there is no such neighbour.
    pub fn withdraw(&self, neighbor: &str, key: Key, forgotten: bool) -> Result<(), Refused> {
        self.ask(|reply| Order::Withdraw(neighbor.into(), key, forgotten, reply))?
    }

    /// Lets a route out of quarantine.
    ///
    /// # Errors
    /// When it is not there.
    pub fn release(&self, neighbor: &str, key: Key) -> Result<(), Refused> {
        self.ask(|reply| Order::Release(neighbor.into(), key, reply))?
    }

    /// How all sessions are, by name.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn status(&self) -> Result<BTreeMap<String, PeerStatus>, Refused> {
        self.ask(Order::Status)
    }

    /// Which routes the neighbours have by our knowledge, by name.
    ///
    /// # Errors
    /// When the thread is gone.
    pub fn held(&self) -> Result<BTreeMap<String, BTreeSet<Key>>, Refused> {
        self.ask(Order::Held)
    }

    /// Ends all sessions; the text is for the people on the other side (RFC 9003).
    pub fn stop(&self, text: &str) {
        self.end(Order::Stop(text.into()));
    }

    fn end(&self, order: Order) {
        let _ = self.orders.send(order);
        let _ = self.wake.write(1);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn ask<T>(&self, order: impl FnOnce(Sender<T>) -> Order) -> Result<T, Refused> {
        let (reply, answer) = channel();
        self.orders.send(order(reply)).map_err(|_| Refused::Gone)?;
        let _ = self.wake.write(1);
        answer.recv().map_err(|_| Refused::Gone)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        match std::thread::panicking() {
            true => self.end(Order::Fall),
            false => self.stop("spillway stops"),
        }
    }
}
