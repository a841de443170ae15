//! One session with one peer: what the table says, done.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use base::{Span, Timestamp};
use wire::bgp::{
    Capability, Family, Frame, GracefulRestart, Handling, Kind, MESSAGE_MAX, Notification, Open, Update,
    frame, keepalive, route_refresh,
};

use super::dialect::Dialect;
use super::step::{Action, Event, State, misplaced, step};

/// How long OPEN is waited for (RFC 4271 §8.2.2 suggests four minutes; a peer that is there answers sooner).
const OPEN_HOLD: Span = Span::from_secs(60);
/// Tries to connect begin this far apart, and double.
const RETRY_FIRST: Span = Span::from_secs(1);
/// …up to this. A peer that accepts again is met within it.
const RETRY_MOST: Span = Span::from_secs(5);
/// Octets that wait for the rest of their message.
const WAITING_MAX: usize = MESSAGE_MAX * 16;

/// What a session is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our AS.
    pub local_as: u32,
    /// Theirs.
    pub peer_as: u32,
    /// Our BGP identifier.
    pub id: Ipv4Addr,
    /// Families that are offered.
    pub families: Vec<Family>,
    /// Seconds; 0 or 3 and more.
    pub hold_time: u16,
    /// Seconds without a word for which a session that is up is kept where the agreed hold time is shorter; 0: RFC 4271 as it
    /// stands. Our silence ends what we announced, the peer's only tells that the link is full; and of a peer that is gone,
    /// TCP tells at our next KEEPALIVE.
    pub patience: u16,
    /// What the peer does when we are gone without a word: for so many seconds it keeps our routes (RFC 4724). `None`:
    /// they end at once.
    pub restart_time: Option<u16>,
    /// What the peer does when we stop.
    pub on_stop: Farewell,
    /// How it reads FlowSpec.
    pub dialect: Dialect,
}

/// What becomes of our routes when we stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// They end: the session ends with a NOTIFICATION.
    Withdraw,
    /// They stay for the restart time: the connection closes without a word.
    Keep,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A session is wanted.
    Start,
    /// None is wanted any more; the text is for the people on the other side (RFC 9003).
    Stop(&'a str),
    /// The connection stands.
    Connected,
    /// The connection failed or ended.
    Closed,
    /// Octets came.
    Received(&'a [u8]),
    /// The connection ended while some of what was said last had not reached the peer.
    Lost,
}

/// What is to be done or known.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open the TCP connection, or wait for it.
    Dial,
    /// Send these octets.
    Send(Vec<u8>),
    /// Close the connection.
    Close,
    /// Routes can flow.
    Up(Negotiated),
    /// They cannot any more.
    Down(Down),
    /// What the peer announced or withdrew.
    Routes(Box<Update>),
    /// The peer wants to hear all of a family again.
    Refresh(Family),
}

/// What both sides can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Families that both speak.
    pub families: Vec<Family>,
    /// AS numbers of four octets.
    pub four_octets: bool,
    /// Seconds without a word after which the session ends; 0: never.
    pub hold_time: u16,
    /// Families whose routes the peer keeps when we are gone, and for how long by our own word.
    pub kept: Vec<Family>,
    /// It keeps them over a NOTIFICATION too (RFC 8538).
    pub kept_over_notification: bool,
    /// The peer's AS is ours.
    pub internal: bool,
    /// The peer's BGP identifier.
    pub peer_id: Ipv4Addr,
}

/// Why a session is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// We stopped.
    Stopped,
    /// The peer said why.
    Notified(Notification),
    /// We said why.
    Refused(Notification),
    /// The connection ended without a word.
    Closed,
    /// Nothing was heard for the hold time.
    Silent,
    /// The connection ended before all that was said had reached the peer.
    Lost,
}

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped here"),
            Self::Notified(why) => write!(f, "the peer ended it: {why}"),
            Self::Refused(why) => write!(f, "ended here: {why}"),
            Self::Closed => f.write_str("the connection ended without a word"),
            Self::Silent => f.write_str("nothing was heard for the hold time"),
            Self::Lost => f.write_str("the connection ended before all that was said had reached the peer"),
        }
    }
}

/// Things that were survived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// UPDATEs whose routes count as withdrawn (RFC 7606).
    pub treated_as_withdraw: u64,
    /// Attributes that were left out.
    pub attributes_discarded: u64,
    /// Messages for families that are not believed any more.
    pub families_disabled: u64,
    /// Sessions that came up.
    pub ups: u64,
    /// Routes that the peer announced or ended.
    pub routes_heard: u64,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
    negotiated: Option<Negotiated>,
    /// The peer's OPEN, until both sides' abilities are compared.
    open: Option<Open>,
    waiting: Vec<u8>,
    disabled: Vec<Family>,
    /// We were here before this start: the peer may hold routes of ours (RFC 4724 §4.1).
    restarting: bool,
    hold: Option<Timestamp>,
    /// When it was heard last, while routes flow.
    heard: Option<Timestamp>,
    keepalive: Option<Timestamp>,
    retry: Option<Timestamp>,
    retry_next: Span,
    /// Why it ends, while it does.
    why: Down,
    text: String,
    outputs: VecDeque<Output>,
    counts: Counts,
}

impl Session {
    /// A session that is not wanted yet. `restarting`: this speaker was here before.
    pub const fn new(settings: Settings, restarting: bool) -> Self {
        Self {
            settings,
            state: State::Idle,
            negotiated: None,
            open: None,
            waiting: Vec::new(),
            disabled: Vec::new(),
            restarting,
            hold: None,
            heard: None,
            keepalive: None,
            retry: None,
            retry_next: RETRY_FIRST,
            why: Down::Closed,
            text: String::new(),
            outputs: VecDeque::new(),
            counts: Counts {
                treated_as_withdraw: 0,
                attributes_discarded: 0,
                families_disabled: 0,
                ups: 0,
                routes_heard: 0,
            },
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What both sides can do, while routes flow.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref().filter(|_| self.state == State::Established)
    }

    /// Since when an established peer has said nothing, if that is longer than the agreed hold time.
    pub fn silent_since(&self, now: Timestamp) -> Option<Timestamp> {
        let hold = u64::from(self.negotiated()?.hold_time);
        self.heard.filter(|heard| hold > 0 && now.since(*heard) > Span::from_secs(hold))
    }

    /// What was survived.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        match input {
            Input::Start => self.event(now, Event::Start),
            Input::Stop(text) => {
                self.why = Down::Stopped;
                text.clone_into(&mut self.text);
                self.event(now, Event::Stop);
                self.retry = None;
            }
            Input::Connected => self.event(now, Event::Connected),
            Input::Closed => {
                self.why = Down::Closed;
                self.event(now, Event::ClosedTcp);
            }
            Input::Received(octets) => self.received(now, octets),
            Input::Lost => {
                self.why = Down::Lost;
                self.event(now, Event::ClosedTcp);
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.hold.is_some_and(|due| due <= now) {
            self.hold = None;
            self.why = Down::Silent;
            self.event(now, Event::HoldExpired);
        }
        if self.keepalive.is_some_and(|due| due <= now) {
            self.keepalive = None;
            self.event(now, Event::KeepaliveDue);
        }
        if self.retry.is_some_and(|due| due <= now) {
            self.retry = None;
            self.event(now, Event::RetryDue);
        }
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.hold, self.keepalive, self.retry].into_iter().flatten().min()
    }

    /// What is to be done or known next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Sends a message of a higher floor, while routes flow.
    pub(super) fn send(&mut self, message: Vec<u8>) {
        if self.state == State::Established {
            self.outputs.push_back(Output::Send(message));
        }
    }

    fn received(&mut self, now: Timestamp, octets: &[u8]) {
        if matches!(self.state, State::Idle | State::Connect) {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend_from_slice(octets.get(..WAITING_MAX.min(octets.len())).unwrap_or_default());
        let mut left = waiting.as_slice();
        loop {
            match frame(left) {
                Ok(None) => break,
                Ok(Some(message)) => {
                    left = left.get(message.length..).unwrap_or_default();
                    self.message(now, message);
                }
                Err(why) => self.refuse(now, why),
            }
            if self.state == State::Idle {
                return;
            }
        }
        self.waiting = left.to_vec();
    }

    fn message(&mut self, now: Timestamp, message: Frame<'_>) {
        let Frame { kind, body, .. } = message;
        match kind {
            Kind::Open if self.state == State::OpenSent => match self.check(body) {
                Ok(open) => {
                    self.open = Some(open);
                    self.event(now, Event::Opened);
                }
                Err(why) => self.refuse(now, why),
            },
            Kind::Keepalive if matches!(self.state, State::OpenConfirm | State::Established) => {
                self.event(now, Event::Keepalive);
            }
            Kind::Update if self.state == State::Established => self.update(now, body),
            Kind::RouteRefresh if self.state == State::Established => {
                if let Some(family) = route_refresh(body) {
                    self.outputs.push_back(Output::Refresh(family));
                }
                self.event(now, Event::Updated);
            }
            Kind::Notification => {
                self.why = Down::Notified(Notification::read(body).unwrap_or(Notification::new(0, 0)));
                self.event(now, Event::Notified);
            }
            _ => self.refuse(now, Notification::new(5, misplaced(self.state))),
        }
    }

    fn check(&self, body: &[u8]) -> Result<Open, Notification> {
        let open = Open::read(body)?;
        if open.asn != self.settings.peer_as {
            return Err(Notification::new(2, 2));
        }
        // RFC 6286 §2.2: within an AS, identifiers differ.
        if open.asn == self.settings.local_as && open.id == self.settings.id {
            return Err(Notification::new(2, 3));
        }
        Ok(open)
    }

    fn update(&mut self, now: Timestamp, body: &[u8]) {
        let four = self.negotiated.as_ref().is_some_and(|n| n.four_octets);
        let mut update = match Update::read(body, four) {
            Ok(update) => update,
            Err(why) => return self.refuse(now, why),
        };
        match &update.handling {
            Handling::Fine => {}
            Handling::AttributeDiscard(count) => self.counts.attributes_discarded += u64::from(*count),
            Handling::TreatAsWithdraw(_) => {
                self.counts.treated_as_withdraw += 1;
                update.withdrawn.append(&mut update.announced);
                update.flowspec.iter_mut().for_each(|flows| flows.ended = true);
            }
            Handling::DisableFamily(family, _) => {
                self.counts.families_disabled += 1;
                if !self.disabled.contains(family) && self.disabled.len() < Family::ALL.len() {
                    self.disabled.push(*family);
                }
            }
        }
        let believed = |prefix: &base::Prefix| {
            let family = if prefix.is_ipv4() { Family::IPV4 } else { Family::IPV6 };
            !self.disabled.contains(&family)
        };
        let heard = u64::try_from(update.announced.len() + update.withdrawn.len()).unwrap_or(u64::MAX);
        self.counts.routes_heard = self.counts.routes_heard.saturating_add(heard);
        update.announced.retain(believed);
        self.outputs.push_back(Output::Routes(Box::new(update)));
        self.event(now, Event::Updated);
    }

    fn refuse(&mut self, now: Timestamp, why: Notification) {
        self.why = Down::Refused(why);
        self.event(now, Event::Wrong);
    }

    fn event(&mut self, now: Timestamp, event: Event) {
        let (next, actions) = step(self.state, event);
        let before = std::mem::replace(&mut self.state, next);
        for action in actions {
            self.act(now, *action, before);
        }
    }

    fn act(&mut self, now: Timestamp, action: Action, before: State) {
        match action {
            Action::Dial => {
                self.retry = None;
                self.outputs.push_back(Output::Dial);
            }
            Action::SendOpen => {
                let message = self.our_open().write();
                self.outputs.push_back(Output::Send(message));
            }
            Action::SendKeepalive => self.outputs.push_back(Output::Send(keepalive())),
            Action::SendNotification => {
                let why = match &self.why {
                    Down::Refused(why) => why.clone(),
                    Down::Silent => Notification::HOLD_TIMER_EXPIRED,
                    _ => Notification::new(5, misplaced(before)),
                };
                if !self.goes_silently() {
                    self.outputs.push_back(Output::Send(why.write()));
                }
            }
            Action::SendFarewell => {
                let keeps = self.settings.on_stop == Farewell::Keep && self.negotiated.is_some();
                if !keeps {
                    self.outputs.push_back(Output::Send(self.farewell().write()));
                }
            }
            Action::Close => self.outputs.push_back(Output::Close),
            Action::Negotiate => self.negotiate(),
            Action::ArmOpenHold => self.hold = Some(now.plus(OPEN_HOLD)),
            Action::ArmHold => self.arm_hold(now),
            Action::ArmKeepalive => self.keepalive = self.after(now, 3),
            Action::ArmRetry => {
                self.retry = Some(now.plus(self.retry_next));
                self.retry_next = self.retry_next.times(2).min(RETRY_MOST);
            }
            Action::TellUp => {
                self.retry_next = RETRY_FIRST;
                self.counts.ups += 1;
                // From the next time on we have been here before.
                self.restarting = false;
                if let Some(negotiated) = &self.negotiated {
                    self.outputs.push_back(Output::Up(negotiated.clone()));
                }
            }
            Action::TellDown => {
                let why = std::mem::replace(&mut self.why, Down::Closed);
                if before == State::Established || why != Down::Closed {
                    self.outputs.push_back(Output::Down(why));
                }
            }
        }
        if self.state == State::Idle {
            (self.hold, self.heard, self.keepalive) = (None, None, None);
            (self.open, self.waiting, self.disabled) = (None, Vec::new(), Vec::new());
            if action == Action::TellDown {
                self.negotiated = None;
            }
        }
    }

    /// A cease that ends our routes though the peer would keep them over a NOTIFICATION: a hard reset then (RFC 8538).
    fn farewell(&self) -> Notification {
        let shutdown = Notification::shutdown(&self.text);
        if !self.negotiated.as_ref().is_some_and(|n| n.kept_over_notification) {
            return shutdown;
        }
        let data = [&[shutdown.code, shutdown.subcode], shutdown.data.as_slice()].concat();
        Notification::with(6, 9, &data)
    }

    /// When nothing is heard through a full uplink, the peer shall keep our routes: one that helps restarts does for a
    /// connection that ends without a word, and over a NOTIFICATION only with RFC 8538.
    fn goes_silently(&self) -> bool {
        let keeps = |n: &Negotiated| !n.kept.is_empty() && !n.kept_over_notification;
        self.why == Down::Silent && self.negotiated.as_ref().is_some_and(keeps)
    }

    fn arm_hold(&mut self, now: Timestamp) {
        self.hold = self.after(now, 1);
        self.heard = Some(now);
        if self.state == State::Established {
            let patient = now.plus(Span::from_secs(u64::from(self.settings.patience)));
            self.hold = self.hold.map(|hold| hold.max(patient));
        }
    }

    /// A part of the hold time from now; `None` where there is no hold timer.
    fn after(&self, now: Timestamp, part: u64) -> Option<Timestamp> {
        let hold = self.negotiated.as_ref().map_or(0, |n| n.hold_time);
        (hold > 0).then(|| now.plus(Span::from_nanos(Span::from_secs(u64::from(hold)).nanos() / part)))
    }

    fn our_open(&self) -> Open {
        let settings = &self.settings;
        let mut capabilities: Vec<Capability> =
            settings.families.iter().map(|family| Capability::Multiprotocol(*family)).collect();
        capabilities.push(Capability::RouteRefresh);
        capabilities.push(Capability::FourOctetAs(settings.local_as));
        if let Some(time) = settings.restart_time {
            capabilities.push(Capability::GracefulRestart(GracefulRestart {
                restarting: self.restarting,
                notification: true,
                time,
                // What we announced acts at the peer, whether we are there or not.
                families: settings.families.iter().map(|family| (*family, true)).collect(),
            }));
        }
        Open { asn: settings.local_as, hold_time: settings.hold_time, id: settings.id, capabilities }
    }

    fn negotiate(&mut self) {
        let Some(open) = self.open.take() else { return };
        let theirs = open.families();
        let families: Vec<Family> =
            self.settings.families.iter().copied().filter(|family| theirs.contains(family)).collect();
        let restart = open.graceful_restart().filter(|_| self.settings.restart_time.is_some());
        // A peer that says graceful restart at all helps those who restart (RFC 4724 §4.2).
        let kept = if restart.is_some() { families.clone() } else { Vec::new() };
        self.negotiated = Some(Negotiated {
            four_octets: open.capabilities.iter().any(|c| matches!(c, Capability::FourOctetAs(_))),
            hold_time: open.hold_time.min(self.settings.hold_time),
            kept_over_notification: restart.is_some_and(|r| r.notification),
            kept,
            families,
            internal: open.asn == self.settings.local_as,
            peer_id: open.id,
        });
    }
}
