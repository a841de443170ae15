//! A thread that speaks BGP with all neighbours. It waits in `poll`, for sockets, for orders and for the next deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::{Span, Timestamp};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use steer::bgp::out::{Key, NotTaken, Suspicion};
use steer::bgp::step::State;
use steer::bgp::{Input, Output, Pacing, Peer, Route, Settings};
use steer::learn::Feed;

use super::learned::Learned;
use super::link::{Finished, Link, Seen, Way};

/// A farewell has this long to leave.
const FAREWELL: Duration = Duration::from_millis(500);

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

struct One {
    /// What it was made from.
    made_from: Neighbor,
    /// It is no neighbour any more, and only its farewell is waited for.
    leaves: bool,
    name: String,
    way: Way,
    peer: Peer,
    link: Option<Link>,
    /// A connection on which all is said, and until when its end is waited for.
    closing: Option<(Link, Instant)>,
    learns: Option<Learns>,
}

/// A neighbour's place among those who tell routes.
struct Learns {
    to: Arc<Learned>,
    /// While the session is up; `None` also where there is no room for one more.
    feed: Option<Feed>,
}

struct Core {
    all: Vec<One>,
    orders: Receiver<Order>,
    wake: Arc<EventFd>,
    /// When this began; the cores' time counts from an arbitrary moment, and never goes back.
    began: Instant,
}

impl Core {
    fn new(neighbors: Vec<Neighbor>, orders: Receiver<Order>, wake: Arc<EventFd>) -> Self {
        Self { all: neighbors.into_iter().map(One::of).collect(), orders, wake, began: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_secs(1_000_000).plus(Span::from_nanos(passed))
    }

    fn run(&mut self) {
        let now = self.now();
        for one in &mut self.all {
            one.peer.handle(now, Input::Start);
            one.drain(now);
        }
        let text = loop {
            self.wait();
            match self.orders() {
                None => {}
                Some(Order::Stop(text)) => break text,
                Some(_) => return,
            }
        };
        let now = self.now();
        for one in &mut self.all {
            one.peer.handle(now, Input::Stop(&text));
            one.drain(now);
        }
        while self.all.iter().any(|one| one.closing.is_some()) {
            self.wait();
        }
    }

    /// Waits for something, and deals with it.
    fn wait(&mut self) {
        let now = self.now();
        let next = self.all.iter().filter_map(|one| one.peer.poll_timeout()).min();
        let pause =
            next.map_or(Duration::from_secs(60), |next| Duration::from_nanos(next.since(now).nanos()));
        let closing = self.all.iter().filter_map(|one| one.closing.as_ref()).map(|(_, end)| *end).min();
        let pause = closing.map_or(pause, |end| pause.min(end.saturating_duration_since(Instant::now())));
        // Rounded up: a poll that ends too early would spin.
        let millis = u16::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX);
        let seen: Vec<((usize, bool), PollFlags)> = {
            let mut polled = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
            let mut places = vec![];
            for (place, one) in self.all.iter().enumerate() {
                let closing = one.closing.as_ref().map(|(link, _)| (link, true));
                for (link, closes) in one.link.iter().map(|link| (link, false)).chain(closing) {
                    let mut flags = PollFlags::POLLIN;
                    flags.set(PollFlags::POLLOUT, link.wants_to_write());
                    polled.push(PollFd::new(link.fd(), flags));
                    places.push((place, closes));
                }
            }
            let _ = poll(&mut polled, PollTimeout::from(millis));
            let ready = polled.iter().skip(1).map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            places.into_iter().zip(ready).filter(|(_, ready)| !ready.is_empty()).collect()
        };
        let now = self.now();
        for ((place, closes), ready) in seen {
            match self.all.get_mut(place) {
                Some(one) if closes => one.finish(),
                Some(one) => one.ready(now, ready),
                None => {}
            }
        }
        for one in &mut self.all {
            one.closing.take_if(|(_, end)| *end <= Instant::now());
            one.peer.handle_timeout(now);
            one.drain(now);
        }
        self.all.retain(|one| !one.leaves || one.closing.is_some());
    }

    /// Carries out what was asked, up to an order that ends all.
    fn orders(&mut self) -> Option<Order> {
        let mut before = [0; 8];
        // Nothing to read is no fault: the next write wakes us.
        let _ = nix::unistd::read(self.wake.as_fd(), &mut before);
        let mut touched = false;
        while let Ok(order) = self.orders.try_recv() {
            touched = true;
            let now = self.now();
            match order {
                Order::Stop(_) | Order::Fall => return Some(order),
                Order::Status(reply) => drop(reply.send(self.status())),
                Order::Held(reply) => {
                    let held = |one: &One| one.peer.out().held().map(|route| route.key.clone()).collect();
                    let all = self.stay().map(|one| (one.name.clone(), held(one)));
                    let _ = reply.send(all.collect());
                }
                Order::Announce(name, route, reply) => {
                    let _ = reply.send(self.say(&name, Say::Announce(route)));
                }
                Order::AnnounceAll(name, routes, reply) => {
                    let mut refused = Vec::new();
                    let done = self.with(&name, |one| {
                        refused = one.peer.announce_all(now, routes);
                        Ok(())
                    });
                    let _ = reply.send(done.map(|()| refused));
                }
                Order::Adapt(neighbors, says, reply) => {
                    let _ = reply.send(self.adapt(neighbors, says));
                }
                Order::Withdraw(name, key, forgotten, reply) => {
                    let _ = reply.send(self.say(&name, Say::Withdraw(key, forgotten)));
                }
                Order::Release(name, key, reply) => {
                    let done = self.with(&name, |one| match one.peer.release(now, &key) {
                        true => Ok(()),
                        false => Err(Refused::NotThere),
                    });
                    let _ = reply.send(done);
                }
            }
        }
        if touched {
            let now = self.now();
            self.all.iter_mut().for_each(|one| one.drain(now));
        }
        None
    }

    fn say(&mut self, name: &str, say: Say) -> Result<(), Refused> {
        let now = self.now();
        self.with(name, |one| match say {
            Say::Announce(route) => Ok(one.peer.announce(now, *route)?),
            Say::Withdraw(key, forgotten) => {
                one.peer.withdraw(now, &key, forgotten);
                Ok(())
            }
        })
    }

    /// Gives what was refused, by place.
    fn say_all(&mut self, says: Vec<(String, Say)>) -> Vec<(usize, Refused)> {
        let said = says.into_iter().enumerate();
        said.filter_map(|(place, (name, say))| self.say(&name, say).err().map(|why| (place, why))).collect()
    }

    fn adapt(&mut self, neighbors: Vec<Neighbor>, says: Vec<(String, Say)>) -> Vec<(usize, Refused)> {
        let now = self.now();
        let mut before = std::mem::take(&mut self.all);
        let mut new = BTreeSet::new();
        for neighbor in neighbors {
            match before.iter().position(|one| !one.leaves && one.made_from.is_as(&neighbor)) {
                Some(place) => self.all.push(before.swap_remove(place)),
                None => {
                    let restarting =
                        neighbor.restarting || before.iter().any(|one| one.name == neighbor.name);
                    new.insert(neighbor.name.clone());
                    self.all.push(One::of(Neighbor { restarting, ..neighbor }));
                }
            }
        }
        let wanted: BTreeSet<(&str, &Key)> = says
            .iter()
            .filter_map(|(name, say)| match say {
                Say::Announce(route) => Some((name.as_str(), &route.key)),
                Say::Withdraw(..) => None,
            })
            .collect();
        for one in &mut self.all {
            let over = one.peer.out().wanted().map(|route| route.key.clone());
            let over: Vec<Key> = over.filter(|key| !wanted.contains(&(one.name.as_str(), key))).collect();
            over.iter().for_each(|key| one.peer.withdraw(now, key, false));
        }
        let refused = self.say_all(says);
        for one in self.all.iter_mut().filter(|one| new.contains(&one.name)) {
            one.peer.handle(now, Input::Start);
        }
        for mut one in before {
            one.leave(now, new.contains(&one.name));
            self.all.push(one);
        }
        refused
    }

    fn stay(&self) -> impl Iterator<Item = &One> {
        self.all.iter().filter(|one| !one.leaves)
    }

    fn with(&mut self, name: &str, act: impl FnOnce(&mut One) -> Result<(), Refused>) -> Result<(), Refused> {
        match self.all.iter_mut().find(|one| one.name == name && !one.leaves) {
            Some(one) => act(one),
            None => Err(Refused::Unknown(name.into())),
        }
    }

    fn status(&self) -> BTreeMap<String, PeerStatus> {
        let now = self.now();
        let status = |one: &One| {
            let out = one.peer.out();
            let held = out.held().count();
            let counts = one.peer.session().counts();
            let status = PeerStatus {
                state: one.peer.session().state(),
                silent: one.peer.session().silent_since(now).map(|since| now.since(since).secs()),
                ups: counts.ups,
                last_down: one.peer.last_down().map(ToString::to_string),
                falls: one.peer.falls(),
                wanted: out.wanted().count(),
                held,
                unproven: out.held().filter(|route| !out.is_proven(&route.key)).count(),
                quarantine: out.quarantine().map(|(key, why)| (key.clone(), why)).collect(),
                heard: counts.routes_heard,
                faults: counts.treated_as_withdraw + counts.attributes_discarded + counts.families_disabled,
            };
            (one.name.clone(), status)
        };
        self.stay().map(status).collect()
    }
}

impl One {
    fn of(made_from: Neighbor) -> Self {
        let n = made_from.clone();
        Self {
            made_from,
            leaves: false,
            learns: n.learned.map(|to| Learns { to, feed: None }),
            way: Way {
                to: n.address,
                from: n.local,
                md5: n.md5,
                hops: n.hops,
                patience: Duration::from_secs(u64::from(n.settings.patience.max(n.settings.hold_time))),
            },
            peer: Peer::new(n.settings, n.pacing, n.restarting),
            name: n.name,
            link: None,
            closing: None,
        }
    }

    /// It is no neighbour any more; `again`: another session with it begins, over which it shall keep our routes if it can.
    fn leave(&mut self, now: Timestamp, again: bool) {
        if !std::mem::replace(&mut self.leaves, true) {
            if again && self.made_from.settings.restart_time.is_some() {
                self.link = None;
                self.peer.handle(now, Input::Closed);
            } else {
                self.peer.handle(now, Input::Stop("the configuration changed"));
            }
            self.drain(now);
        }
    }

    fn ready(&mut self, now: Timestamp, ready: PollFlags) {
        let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
        if ready.intersects(PollFlags::POLLOUT | ended) {
            let seen = self.link.as_mut().and_then(Link::writable);
            self.take(now, seen);
        }
        if ready.intersects(PollFlags::POLLIN | ended) {
            let seen = self.link.as_mut().and_then(Link::readable);
            self.take(now, seen);
        }
        self.drain(now);
    }

    fn finish(&mut self) {
        self.closing.take_if(|(link, _)| link.finish() == Finished::Yes);
    }

    fn take(&mut self, now: Timestamp, seen: Option<Seen>) {
        match seen {
            None => {}
            Some(Seen::Connected) => self.peer.handle(now, Input::Connected),
            Some(Seen::Octets(octets)) => self.peer.handle(now, Input::Received(&octets)),
            Some(Seen::Closed) => {
                let behind = self.link.take().is_some_and(|link| link.is_behind());
                self.peer.handle(now, if behind { Input::Lost } else { Input::Closed });
            }
        }
    }

    fn drain(&mut self, now: Timestamp) {
        while let Some(output) = self.peer.poll_output(now) {
            match output {
                Output::Dial => match Link::dial(&self.way) {
                    Ok(link) => self.link = Some(link),
                    Err(cause) => {
                        tracing::warn!(neighbor = self.name, %cause, "cannot connect");
                        self.peer.handle(now, Input::Closed);
                    }
                },
                Output::Send(octets) => {
                    if self.link.as_mut().is_some_and(|link| link.send(&octets).is_err()) {
                        self.link = None;
                        self.peer.handle(now, Input::Closed);
                    }
                }
                Output::Close => {
                    self.closing = self.link.take().map(|link| (link, Instant::now() + FAREWELL));
                    self.finish();
                }
                Output::Up(negotiated) => {
                    tracing::info!(neighbor = self.name, id = %negotiated.peer_id, "the BGP session is up");
                    if let Some(Learns { to, feed }) = &mut self.learns {
                        *feed = feed.take().or_else(|| to.open());
                    }
                }
                Output::Down(why) => {
                    tracing::warn!(neighbor = self.name, %why, "the BGP session is down");
                    if let Some(Learns { to, feed }) = &mut self.learns
                        && let Some(feed) = feed.take()
                    {
                        to.with(|routes| routes.forget(feed));
                    }
                }
                Output::Routes(update) => {
                    if let Some(Learns { to, feed: Some(feed) }) = &self.learns {
                        to.with(|routes| routes.update(*feed, &update));
                    }
                }
                Output::Refresh(_) => {}
            }
        }
    }
}
