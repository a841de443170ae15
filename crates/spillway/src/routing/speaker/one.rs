//! One neighbour at the speaker: its session, its connection, and what passes between the two.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::Timestamp;
use nix::poll::PollFlags;
use steer::bgp::{Input, Output, Peer};
use steer::learn::Feed;

use super::super::learned::Learned;
use super::super::link::{Finished, Link, Seen, Way};
use super::Neighbor;

/// A farewell has this long to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// A neighbour.
pub(super) struct One {
    /// What it was made from.
    pub(super) made_from: Neighbor,
    /// It is no neighbour any more, and only its farewell is waited for.
    pub(super) leaves: bool,
    pub(super) name: String,
    way: Way,
    pub(super) peer: Peer,
    pub(super) link: Option<Link>,
    /// A connection on which all is said, and until when its end is waited for.
    pub(super) closing: Option<(Link, Instant)>,
    learns: Option<Learns>,
}

/// A neighbour's place among those who tell routes.
struct Learns {
    to: Arc<Learned>,
    /// While the session is up; `None` also where there is no room for one more.
    feed: Option<Feed>,
}

impl One {
    pub(super) fn of(made_from: Neighbor) -> Self {
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
    pub(super) fn leave(&mut self, now: Timestamp, again: bool) {
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

    pub(super) fn ready(&mut self, now: Timestamp, ready: PollFlags) {
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

    pub(super) fn finish(&mut self) {
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

    pub(super) fn drain(&mut self, now: Timestamp) {
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
