//! The speaker's thread: it waits in `poll`, for sockets, for orders and for the next deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use base::{Span, Timestamp};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use steer::bgp::Input;
use steer::bgp::out::Key;

use super::one::One;
use super::{Neighbor, Order, PeerStatus, Refused, Say};

/// All neighbours.
pub(super) struct Core {
    all: Vec<One>,
    orders: Receiver<Order>,
    wake: Arc<EventFd>,
    /// When this began; the cores' time counts from an arbitrary moment, and never goes back.
    began: Instant,
}

impl Core {
    pub(super) fn new(neighbors: Vec<Neighbor>, orders: Receiver<Order>, wake: Arc<EventFd>) -> Self {
        Self { all: neighbors.into_iter().map(One::of).collect(), orders, wake, began: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Timestamp::from_secs(1_000_000).plus(Span::from_nanos(passed))
    }

    pub(super) fn run(&mut self) {
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
    pub(super) fn say_all(&mut self, says: Vec<(String, Say)>) -> Vec<(usize, Refused)> {
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
