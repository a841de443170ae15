//! A session and what goes over it.

use base::Timestamp;
use wire::bgp::{Family, Notification};

use super::out::{Blame, Key, NotTaken, Out, Pacing, Route};
use super::session::{Down, Input, Output, Session, Settings};

/// One peer.
#[derive(Debug)]
pub struct Peer {
    session: Session,
    out: Out,
    /// Why the session ended last.
    last_down: Option<Down>,
    quarantined: u64,
    falls: u64,
}

impl Peer {
    /// A peer that is not dialled yet. `restarting`: this speaker was here before.
    pub fn new(settings: Settings, pacing: Pacing, restarting: bool) -> Self {
        Self {
            out: Out::new(pacing, settings.dialect),
            session: Session::new(settings, restarting),
            last_down: None,
            quarantined: 0,
            falls: 0,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        self.session.handle(now, input);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.session.handle_timeout(now);
        self.flush(now);
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.session.poll_timeout(), self.out.poll_timeout()].into_iter().flatten().min()
    }

    /// What is to be done or known next.
    pub fn poll_output(&mut self, now: Timestamp) -> Option<Output> {
        let output = self.session.poll_output()?;
        match &output {
            Output::Up(negotiated) => {
                self.out.up(now, &negotiated.families, negotiated.four_octets);
                self.flush(now);
            }
            Output::Down(why) => {
                let count = self.out.down(now, blames(why));
                self.quarantined += u64::try_from(count).unwrap_or(u64::MAX);
                self.last_down = Some(why.clone());
                self.falls += 1;
            }
            Output::Refresh(family) => self.refresh(now, *family),
            _ => {}
        }
        Some(output)
    }

    /// Wants a route.
    ///
    /// # Errors
    /// When the peer would not take so many, or has no words for it.
    pub fn announce(&mut self, now: Timestamp, route: Route) -> Result<(), NotTaken> {
        self.out.announce(route)?;
        self.flush(now);
        Ok(())
    }

    /// Wants many routes; gives those that are not taken. They go out by rank, and share messages.
    pub fn announce_all(&mut self, now: Timestamp, routes: Vec<Route>) -> Vec<(Key, NotTaken)> {
        let mut refused = Vec::new();
        for route in routes {
            let key = route.key.clone();
            if let Err(why) = self.out.announce(route) {
                refused.push((key, why));
            }
        }
        self.flush(now);
        refused
    }

    /// Wants a route no longer; `forgotten`: the peer may hold it though nothing here says so.
    pub fn withdraw(&mut self, now: Timestamp, key: &Key, forgotten: bool) {
        self.out.withdraw(key, forgotten);
        self.flush(now);
    }

    /// Lets a route out of quarantine.
    pub fn release(&mut self, now: Timestamp, key: &Key) -> bool {
        let was = self.out.release(key);
        self.flush(now);
        was
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// What the peer shall have and has.
    pub const fn out(&self) -> &Out {
        &self.out
    }

    /// Why the session ended last.
    pub const fn last_down(&self) -> Option<&Down> {
        self.last_down.as_ref()
    }

    /// Routes that were ever put into quarantine.
    pub const fn quarantined(&self) -> u64 {
        self.quarantined
    }

    /// Sessions that ended, or did not come up after the handshake began.
    pub const fn falls(&self) -> u64 {
        self.falls
    }

    fn refresh(&mut self, now: Timestamp, family: Family) {
        self.out.refresh(family);
        self.flush(now);
    }

    fn flush(&mut self, now: Timestamp) {
        for message in self.out.messages(now) {
            self.session.send(message);
        }
    }
}

/// Whether what we sent can be the reason. A peer that is shut down, reconfigured or reset says so; silence and our own
/// stop have other reasons.
const fn blames(why: &Down) -> Blame {
    match why {
        Down::Closed => Blame::Perhaps,
        Down::Notified(
            Notification { code: 6, subcode: 2 | 3 | 4 | 6 | 7 | 10, .. } | Notification { code: 4 | 2, .. },
        ) => Blame::None,
        Down::Notified(_) => Blame::Said,
        // What did not reach the peer has not ended it; a kernel acknowledges before its router reads.
        Down::Stopped | Down::Silent | Down::Lost | Down::Refused(_) => Blame::None,
    }
}
