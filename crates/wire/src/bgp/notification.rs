//! NOTIFICATION (RFC 4271 §4.5, §6; RFC 4486; RFC 9003): why a session ends, in words.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Kind, message};

/// Octets of a shutdown text that are sent at most (RFC 9003 §2).
const TEXT_MAX: usize = 255;

/// Code, subcode and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// 1 header, 2 OPEN, 3 UPDATE, 4 hold timer, 5 state machine, 6 cease, 7 ROUTE-REFRESH.
    pub code: u8,
    /// What exactly.
    pub subcode: u8,
    /// What it is about.
    pub data: Vec<u8>,
}

impl Notification {
    /// Hold timer expired.
    pub const HOLD_TIMER_EXPIRED: Self = Self::new(4, 0);
    /// Cease: connection collision resolution (RFC 4486).
    pub const COLLISION: Self = Self::new(6, 7);

    /// Without data.
    pub const fn new(code: u8, subcode: u8) -> Self {
        Self { code, subcode, data: Vec::new() }
    }

    /// With data.
    pub fn with(code: u8, subcode: u8, data: &[u8]) -> Self {
        Self { code, subcode, data: data.to_vec() }
    }

    /// Cease, administrative shutdown, with a text for the people on the other side (RFC 9003).
    pub fn shutdown(text: &str) -> Self {
        let end = (0..=TEXT_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = text.get(..end).unwrap_or_default();
        let mut data = alloc::vec![u8::try_from(text.len()).unwrap_or(0)];
        data.extend(text.as_bytes());
        Self { code: 6, subcode: 2, data }
    }

    /// Of a message's body; `None` where it is too short.
    pub fn read(body: &[u8]) -> Option<Self> {
        let [code, subcode, data @ ..] = body else { return None };
        Some(Self::with(*code, *subcode, data))
    }

    /// The message.
    pub fn write(&self) -> Vec<u8> {
        let body = [&[self.code, self.subcode], self.data.as_slice()].concat();
        message(Kind::Notification, &body).unwrap_or_default()
    }

    /// What the peer's people wrote (RFC 9003), made fit for one line.
    pub fn text(&self) -> Option<String> {
        if self.code != 6 || !matches!(self.subcode, 2 | 4) {
            return None;
        }
        let (length, rest) = self.data.split_first()?;
        let text = rest.get(..usize::from(*length))?;
        let clean: String =
            String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        (!clean.trim().is_empty()).then_some(clean)
    }

    /// Ends the session though both sides agreed to keep routes over a NOTIFICATION (RFC 8538 §3.1).
    pub const fn is_hard_reset(&self) -> bool {
        self.code == 6 && self.subcode == 9
    }

    /// The name of code and subcode, as the registries have it.
    pub fn name(&self) -> Cow<'static, str> {
        let name = match (self.code, self.subcode) {
            (1, 1) => "connection not synchronized",
            (1, 2) => "bad message length",
            (1, 3) => "bad message type",
            (2, 1) => "unsupported version number",
            (2, 2) => "bad peer AS",
            (2, 3) => "bad BGP identifier",
            (2, 4) => "unsupported optional parameter",
            (2, 6) => "unacceptable hold time",
            (2, 7) => "unsupported capability",
            (2, 11) => "role mismatch",
            (3, 1) => "malformed attribute list",
            (3, 2) => "unrecognized well-known attribute",
            (3, 3) => "missing well-known attribute",
            (3, 4) => "attribute flags error",
            (3, 5) => "attribute length error",
            (3, 6) => "invalid ORIGIN",
            (3, 8) => "invalid NEXT_HOP",
            (3, 9) => "optional attribute error",
            (3, 10) => "invalid network field",
            (3, 11) => "malformed AS_PATH",
            (4, _) => "hold timer expired",
            (5, _) => "state machine error",
            (6, 1) => "cease: maximum number of prefixes reached",
            (6, 2) => "cease: administrative shutdown",
            (6, 3) => "cease: peer de-configured",
            (6, 4) => "cease: administrative reset",
            (6, 5) => "cease: connection rejected",
            (6, 6) => "cease: other configuration change",
            (6, 7) => "cease: connection collision resolution",
            (6, 8) => "cease: out of resources",
            (6, 9) => "cease: hard reset",
            (6, 10) => "cease: BFD down",
            (6, _) => "cease",
            (7, _) => "ROUTE-REFRESH error",
            (code, subcode) => return alloc::format!("error {code}/{subcode}").into(),
        };
        name.into()
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name(), self.code, self.subcode)?;
        match self.text() {
            Some(text) => write!(f, ": “{text}”"),
            None => Ok(()),
        }
    }
}
