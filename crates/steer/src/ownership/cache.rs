//! The router's side of a conversation with an RPKI cache (RFC 8210): octets and time in, payloads out.

use std::collections::VecDeque;

use base::{Prefix, Span, Timestamp};
use wire::rtr::{self, Pdu, Vrp};

use super::{Payloads, Strictness};
use crate::rails::Refusal;

/// Octets that wait for the rest of their PDU.
const WAITING_MAX: usize = 2 * rtr::PDU_MAX;
/// A cache that begins an answer finishes it within this time.
const ANSWER: Span = Span::from_secs(60);
/// A cache that told nothing yet is dialled again after so many seconds.
const RETRY_FIRST: u32 = 2;
/// Bounds and defaults of the intervals in seconds (RFC 8210 §6): refresh, retry, expire.
const BOUNDS: [(u32, u32); 3] = [(1, 86_400), (1, 7200), (600, 172_800)];
const DEFAULTS: [u32; 3] = [3600, 600, 7200];

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The connection stands.
    Connected,
    /// It failed or ended.
    Closed,
    /// Octets came.
    Received(&'a [u8]),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open the connection.
    Dial,
    /// Send these octets.
    Send(Vec<u8>),
    /// Close the connection.
    Close,
}

#[derive(Debug)]
enum State {
    /// No connection; the next one is due then.
    Away(Timestamp),
    /// It is being opened.
    Dialled,
    /// Asked, and the answer has not begun.
    Asked { whole: bool, since: Timestamp },
    /// The answer comes in.
    Answering { whole: bool, since: Timestamp, changes: Vec<(bool, Vrp)> },
    /// Nothing is open; the next question is due then.
    Fresh(Timestamp),
}

/// One cache.
#[derive(Debug)]
pub struct Cache {
    state: State,
    version: u8,
    /// Session and serial number of what is known.
    known: Option<(u16, u32)>,
    timing: [u32; 3],
    /// From then on what is known is too old.
    expires: Option<Timestamp>,
    payloads: Payloads,
    most: usize,
    waiting: Vec<u8>,
    outputs: VecDeque<Output>,
    left_out: u64,
    /// What was told found room, all of it.
    complete: bool,
    trouble: Option<String>,
}

impl Cache {
    /// A cache that is dialled at once; of its payloads so many are kept.
    pub fn new(now: Timestamp, most: usize) -> Self {
        Self {
            state: State::Away(now),
            version: 1,
            known: None,
            timing: DEFAULTS,
            expires: None,
            payloads: Payloads::new(most),
            most,
            waiting: Vec::new(),
            outputs: VecDeque::new(),
            left_out: 0,
            complete: true,
            trouble: None,
        }
    }

    /// What is known, unless it is too old, was never told, or found no room: what is missing could be what allows us.
    pub fn payloads(&self, now: Timestamp) -> Option<&Payloads> {
        let fresh = self.expires.is_some_and(|then| now < then);
        (fresh && self.complete).then_some(&self.payloads)
    }

    /// Whether this origin may announce that prefix; without data nothing is refused, for an RPKI cache that is away must not take
    /// the defence away.
    ///
    /// # Errors
    /// What the RPKI says, and what to do.
    pub fn judge(
        &self,
        now: Timestamp,
        prefix: Prefix,
        origin: u32,
        strictness: Strictness,
    ) -> Result<(), Refusal> {
        self.payloads(now).map_or(Ok(()), |payloads| payloads.judge(prefix, origin, strictness))
    }

    /// Payloads that found no room.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Why the conversation ended last.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// When something is due next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Away(then) | State::Fresh(then) => Some(*then),
            State::Dialled => None,
            State::Asked { since, .. } | State::Answering { since, .. } => Some(since.plus(ANSWER)),
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.poll_timeout().is_none_or(|then| now < then) {
            return;
        }
        match self.state {
            State::Away(_) => {
                self.state = State::Dialled;
                self.outputs.push_back(Output::Dial);
            }
            State::Fresh(_) => self.ask(now),
            State::Asked { .. } | State::Answering { .. } => self.end(now, "the cache does not answer"),
            State::Dialled => {}
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        match input {
            Input::Connected => {
                self.waiting.clear();
                self.ask(now);
            }
            Input::Closed => self.away(now),
            Input::Received(octets) => self.received(now, octets),
        }
    }

    fn received(&mut self, now: Timestamp, octets: &[u8]) {
        self.waiting.extend_from_slice(octets);
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut taken = 0;
        loop {
            if matches!(self.state, State::Away(_) | State::Dialled) {
                return;
            }
            match rtr::read(waiting.get(taken..).unwrap_or_default()) {
                Ok(Some((version, pdu, length))) => {
                    taken += length;
                    self.take(now, version, pdu);
                }
                Ok(None) => break,
                Err(fault) => return self.refuse(now, rtr::error::CORRUPT_DATA, &fault.to_string()),
            }
        }
        waiting.drain(..taken.min(waiting.len()));
        self.waiting = waiting;
        if self.waiting.len() > WAITING_MAX {
            self.refuse(now, rtr::error::CORRUPT_DATA, "more than a PDU waits");
        }
    }

    fn take(&mut self, now: Timestamp, version: u8, pdu: Pdu) {
        if let Pdu::Error { code, text } = pdu {
            return self.told_off(now, version, code, &text);
        }
        // A cache that speaks an older version says so in its first answer (RFC 8210 §7).
        if version < self.version && matches!(self.state, State::Asked { .. }) {
            self.version = version;
        }
        if version != self.version {
            return self.refuse(now, rtr::error::UNEXPECTED_VERSION, "not the version we agreed upon");
        }
        match (&mut self.state, pdu) {
            (State::Fresh(_), Pdu::SerialNotify { .. }) => self.ask(now),
            // It is asked already.
            (_, Pdu::SerialNotify { .. } | Pdu::Other(_)) => {}
            (State::Asked { whole, since }, Pdu::CacheResponse { session }) => {
                let (whole, since) = (*whole, *since);
                if !whole && self.known.is_none_or(|(known, _)| known != session) {
                    // What it would add belongs to another history (§5.1).
                    self.known = None;
                    return self.end(now, "the cache began a new session");
                }
                self.complete |= whole;
                self.state = State::Answering { whole, since, changes: Vec::new() };
            }
            (State::Asked { .. }, Pdu::CacheReset) => {
                self.known = None;
                self.ask(now);
            }
            (State::Answering { changes, since, .. }, Pdu::Prefix { announce, vrp }) => {
                // Each piece of the answer is a sign of life.
                *since = now;
                if changes.len() < self.most {
                    changes.push((announce, vrp));
                } else {
                    self.left_out = self.left_out.saturating_add(1);
                    self.complete = false;
                }
            }
            (State::Answering { whole, changes, .. }, Pdu::EndOfData { session, serial, timing }) => {
                let (whole, changes) = (*whole, std::mem::take(changes));
                self.apply(whole, changes);
                self.known = Some((session, serial));
                for ((slot, (least, most)), told) in
                    self.timing.iter_mut().zip(BOUNDS).zip(timing.unwrap_or(DEFAULTS))
                {
                    *slot = told.clamp(least, most);
                }
                let [refresh, _, expire] = self.timing;
                self.expires = Some(now.plus(Span::from_secs(u64::from(expire))));
                self.state = State::Fresh(now.plus(Span::from_secs(u64::from(refresh))));
                self.trouble = None;
            }
            _ => self.refuse(now, rtr::error::INVALID_REQUEST, "this was not asked"),
        }
    }

    fn apply(&mut self, whole: bool, changes: Vec<(bool, Vrp)>) {
        if whole {
            self.payloads = Payloads::new(self.most);
        }
        for (announce, vrp) in changes {
            match announce {
                true if !self.payloads.insert(vrp) => {
                    self.left_out = self.left_out.saturating_add(1);
                    self.complete = false;
                }
                true => {}
                false => self.payloads.remove(&vrp),
            }
        }
    }

    fn told_off(&mut self, now: Timestamp, version: u8, code: u16, text: &str) {
        match code {
            rtr::error::UNSUPPORTED_VERSION if version < self.version => self.version = version,
            rtr::error::UNSUPPORTED_VERSION if self.version > 0 => self.version -= 1,
            _ => {}
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        self.end(now, &format!("the cache says error {code}: {text}"));
    }

    fn ask(&mut self, now: Timestamp) {
        let question = match self.known {
            Some((session, serial)) => rtr::serial_query(self.version, session, serial),
            None => rtr::reset_query(self.version),
        };
        self.outputs.push_back(Output::Send(question));
        self.state = State::Asked { whole: self.known.is_none(), since: now };
    }

    fn refuse(&mut self, now: Timestamp, code: u16, why: &str) {
        self.outputs.push_back(Output::Send(rtr::error_report(self.version, code, why)));
        self.end(now, why);
    }

    fn end(&mut self, now: Timestamp, why: &str) {
        self.trouble = Some(why.to_owned());
        self.outputs.push_back(Output::Close);
        self.away(now);
    }

    fn away(&mut self, now: Timestamp) {
        let [_, retry, _] = self.timing;
        self.waiting.clear();
        // A history that broke off is asked for from the start, and soon.
        let wait = if self.known.is_none() { retry.min(RETRY_FIRST) } else { retry };
        self.state = State::Away(now.plus(Span::from_secs(u64::from(wait))));
    }
}
