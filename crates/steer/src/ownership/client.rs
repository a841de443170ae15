//! The router's side of the RPKI to router protocol (RFC 8210), without a socket.
//!
//! What a cache tells is taken over when its answer is whole; until then what was told before holds, and no longer than the
//! cache allows.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{Span, Timestamp};
use wire::rtr::{PDU_MAX, Pdu, Timing, VERSION, Vrp, error, read};

use super::{VRPS_MAX, Vrps};

/// Seconds that the cache may ask for (RFC 8210 §6): refresh, retry, expire.
const TIMING: [(u32, u32); 3] = [(1, 86_400), (1, 7200), (600, 172_800)];

/// A cache that told nothing yet is dialled again after so long.
const RETRY_FIRST: Span = Span::from_secs(2);

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// VRPs kept at most. A cache that tells more is not believed: a part of them would make valid routes invalid.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { most: VRPS_MAX }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Send(Vec<u8>),
    /// Close the connection, for this reason; another one may be tried at the next timeout.
    Close(String),
    /// Connect.
    Connect,
    /// What [`Client::vrps`] has is new.
    Changed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no connection.
    Down,
    /// Asked, not answered.
    Asked,
    /// An answer comes in: to a question for all, or for news.
    Receiving { all: bool },
    /// All is told.
    Idle,
}

/// One cache.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    phase: Phase,
    version: u8,
    /// Session and serial of what holds.
    known: Option<(u16, u32)>,
    vrps: Arc<Vrps>,
    /// What an answer brought so far, in its order.
    incoming: Vec<(bool, Vrp)>,
    buffer: Vec<u8>,
    timing: Timing,
    /// When all was told last.
    told: Option<Timestamp>,
    next: Option<Timestamp>,
    outputs: VecDeque<Output>,
    /// Connections that ended because of what the cache sent.
    pub faults: u64,
}

impl Client {
    /// Connects at once.
    pub fn new(now: Timestamp, settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Down,
            version: VERSION,
            known: None,
            vrps: Arc::default(),
            incoming: Vec::new(),
            buffer: Vec::new(),
            timing: Timing::default(),
            told: None,
            next: Some(now),
            outputs: VecDeque::new(),
            faults: 0,
        }
    }

    /// A connection stands.
    pub fn connected(&mut self, now: Timestamp) {
        self.buffer.clear();
        self.ask(now);
    }

    /// It ended, or did not come to stand.
    pub fn disconnected(&mut self, now: Timestamp) {
        self.phase = Phase::Down;
        self.incoming = Vec::new();
        self.buffer = Vec::new();
        self.next = Some(now.plus(self.retry()));
    }

    /// The cache sent this.
    pub fn receive(&mut self, now: Timestamp, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        while self.phase != Phase::Down {
            match read(rest) {
                Ok(Some((pdu, version, length))) => {
                    rest = rest.get(length..).unwrap_or_default();
                    self.take(now, pdu, version);
                }
                Ok(None) if rest.len() <= PDU_MAX => {
                    self.buffer = rest.to_vec();
                    return;
                }
                Ok(None) => return self.close(now, "a PDU is longer than any may be"),
                Err(fault) => return self.close(now, &fault.to_string()),
            }
        }
    }

    /// Asks again, connects again, or forgets what is too old.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.expires().is_some_and(|expires| now >= expires) {
            self.told = None;
            self.known = None;
            self.vrps = Arc::default();
            self.outputs.push_back(Output::Changed);
        }
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        match self.phase {
            Phase::Down => {
                self.next = Some(now.plus(self.retry()));
                self.outputs.push_back(Output::Connect);
            }
            Phase::Idle => self.ask(now),
            Phase::Asked | Phase::Receiving { .. } => {
                self.close(now, "it did not answer in time");
            }
        }
    }

    /// When something is to be done next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.next, self.expires()].into_iter().flatten().min()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What holds; `None`: the cache has not told all yet, or too long ago.
    pub const fn vrps(&self) -> Option<&Arc<Vrps>> {
        match self.told {
            Some(_) => Some(&self.vrps),
            None => None,
        }
    }

    fn retry(&self) -> Span {
        let asked = seconds(self.timing.retry);
        if self.told.is_none() { asked.min(RETRY_FIRST) } else { asked }
    }

    fn take(&mut self, now: Timestamp, pdu: Pdu, version: u8) {
        if version != self.version && !matches!(pdu, Pdu::Error { .. }) {
            // A cache of an earlier version answers in its own (RFC 8210 §7).
            match self.phase {
                Phase::Asked if version < self.version => self.version = version,
                _ => return self.close(now, "it changed its version"),
            }
        }
        match (self.phase, pdu) {
            // A cache that ends an answer to our question for news begins one for all where we have nothing.
            (Phase::Asked, Pdu::CacheResponse { session }) => {
                let all = self.known.is_none_or(|(known, _)| known != session);
                if all && self.known.take().is_some() {
                    self.close(now, "it answers in another session");
                    self.next = Some(now);
                    return;
                }
                self.incoming.clear();
                self.phase = Phase::Receiving { all };
            }
            (Phase::Receiving { .. }, Pdu::Prefix { announce, vrp }) => {
                if self.incoming.len() >= self.settings.most {
                    return self.close(now, "it tells more than there is room for: raise the limit");
                }
                self.incoming.push((announce, vrp));
            }
            (Phase::Receiving { all }, Pdu::EndOfData { session, serial, timing }) => {
                self.commit(now, all, (session, serial), timing);
            }
            (Phase::Asked, Pdu::CacheReset) => {
                self.known = None;
                self.ask(now);
            }
            (Phase::Idle, Pdu::SerialNotify { session, serial }) => {
                if self.known != Some((session, serial)) {
                    self.ask(now);
                }
            }
            (_, Pdu::Error { code: error::UNSUPPORTED_VERSION, .. }) if version < self.version => {
                self.version = version;
                self.close(now, "it speaks an earlier version");
                self.next = Some(now);
            }
            (_, Pdu::Error { code: error::NO_DATA, .. }) => {
                self.phase = Phase::Idle;
                self.next = Some(now.plus(self.retry()));
            }
            (_, Pdu::Error { code, text }) => self.close(now, &format!("it says error {code}: {text}")),
            // A notification while it answers, and keys that are not kept.
            (_, Pdu::SerialNotify { .. } | Pdu::RouterKey) => {}
            (_, other) => {
                let mut refusal = Vec::new();
                let text = "not expected now".to_owned();
                Pdu::Error { code: error::CORRUPT_DATA, text }.write(&mut refusal, self.version);
                self.outputs.push_back(Output::Send(refusal));
                self.close(now, &format!("it sends what was not asked for: {other:?}"));
            }
        }
    }

    fn commit(&mut self, now: Timestamp, all: bool, known: (u16, u32), timing: Option<Timing>) {
        let mut vrps = if all { Arc::default() } else { std::mem::take(&mut self.vrps) };
        let told = Arc::make_mut(&mut vrps);
        let mut fits = true;
        for (announce, vrp) in std::mem::take(&mut self.incoming) {
            fits &= if announce { told.insert(vrp) } else { told.remove(vrp) };
        }
        self.vrps = vrps;
        if !fits || self.vrps.len() > self.settings.most {
            // What was kept is not what the cache has (RFC 8210 §12, errors 6 and 7): all of it again.
            (self.known, self.told, self.vrps) = (None, None, Arc::default());
            self.outputs.push_back(Output::Changed);
            return self.close(now, "its news do not fit what it told before");
        }
        if let Some(Timing { refresh, retry, expire }) = timing {
            let [refreshes, retries, expires] = TIMING;
            self.timing = Timing {
                refresh: refresh.clamp(refreshes.0, refreshes.1),
                retry: retry.clamp(retries.0, retries.1),
                expire: expire.clamp(expires.0, expires.1),
            };
        }
        self.known = Some(known);
        self.told = Some(now);
        self.phase = Phase::Idle;
        self.next = Some(now.plus(seconds(self.timing.refresh)));
        self.outputs.push_back(Output::Changed);
    }

    fn ask(&mut self, now: Timestamp) {
        let mut octets = Vec::new();
        match self.known {
            Some((session, serial)) => Pdu::SerialQuery { session, serial }.write(&mut octets, self.version),
            None => Pdu::ResetQuery.write(&mut octets, self.version),
        }
        self.outputs.push_back(Output::Send(octets));
        self.phase = Phase::Asked;
        self.next = Some(now.plus(self.retry()));
    }

    fn close(&mut self, now: Timestamp, why: &str) {
        self.faults += 1;
        self.outputs.push_back(Output::Close(why.to_owned()));
        self.disconnected(now);
    }

    fn expires(&self) -> Option<Timestamp> {
        self.told.map(|told| told.plus(seconds(self.timing.expire)))
    }
}

fn seconds(count: u32) -> Span {
    Span::from_secs(u64::from(count))
}
