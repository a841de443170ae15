//! The data section of a MaxMind DB file: values that may point to values.

use super::mmdb::{Corrupt, corrupt};

/// Values within values.
const DEPTH_MAX: u32 = 32;
/// Values looked at for one network: a city has some fifty names.
const VALUES_MAX: u32 = 4096;

/// Octets of values, and where they stand in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data<'a> {
    octets: &'a [u8],
    base: usize,
}

/// What stands at a place: a kind, how much of it, and where its content begins.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    size: usize,
    content: usize,
}

const POINTER: u8 = 1;
const TEXT: u8 = 2;
const DOUBLE: u8 = 3;
const MAP: u8 = 7;
const ARRAY: u8 = 11;
const BOOLEAN: u8 = 14;
const FLOAT: u8 = 15;

impl<'a> Data<'a> {
    pub(super) const fn new(octets: &'a [u8], base: usize) -> Self {
        Self { octets, base }
    }

    /// Whether all of the value at a place can be read.
    pub(super) fn check(&self, at: usize) -> Result<(), Corrupt> {
        let mut left = VALUES_MAX;
        self.end(at, 0, &mut left, true).map(drop)
    }

    /// The place of a value within maps.
    pub(super) fn find(&self, at: usize, path: &[&str]) -> Option<usize> {
        let mut at = self.resolved(at)?;
        for name in path {
            let map = self.head(at).ok().filter(|head| head.kind == MAP)?;
            let mut place = map.content;
            let mut found = None;
            for _ in 0..map.size.min(VALUES_MAX as usize) {
                let key = self.text(place)?;
                let value = self.after(place)?;
                if key == *name {
                    found = Some(value);
                    break;
                }
                place = self.after(value)?;
            }
            at = self.resolved(found?)?;
        }
        Some(at)
    }

    /// A text.
    pub(super) fn text(&self, at: usize) -> Option<String> {
        let head = self.head(self.resolved(at)?).ok().filter(|head| head.kind == TEXT)?;
        let octets = self.octets.get(head.content..head.content.checked_add(head.size)?)?;
        String::from_utf8(octets.to_vec()).ok()
    }

    /// A number without sign.
    pub(super) fn number(&self, at: usize) -> Option<u64> {
        let head = self.head(self.resolved(at)?).ok().filter(|head| matches!(head.kind, 5 | 6 | 9))?;
        let octets = self.octets.get(head.content..head.content.checked_add(head.size)?)?;
        (octets.len() <= 8).then(|| word(octets))
    }

    /// A number with a fraction, of either length.
    pub(super) fn real(&self, at: usize) -> Option<f64> {
        let head = self.head(self.resolved(at)?).ok().filter(|head| matches!(head.kind, DOUBLE | FLOAT))?;
        let octets = self.octets.get(head.content..head.content.checked_add(head.size)?)?;
        match head.kind {
            DOUBLE => octets.try_into().ok().map(f64::from_be_bytes),
            _ => octets.try_into().ok().map(f32::from_be_bytes).map(f64::from),
        }
    }

    /// Where a pointer leads; a value itself where there is none. A pointer to a pointer is none.
    fn resolved(&self, at: usize) -> Option<usize> {
        let head = self.head(at).ok()?;
        if head.kind == POINTER { Some(head.size) } else { Some(at) }
    }

    /// The place behind a value.
    fn after(&self, at: usize) -> Option<usize> {
        let mut left = VALUES_MAX;
        self.end(at, 0, &mut left, false).ok()
    }

    /// The place behind a value, whose parts are all there; `follow` looks behind pointers too.
    fn end(&self, at: usize, depth: u32, left: &mut u32, follow: bool) -> Result<usize, Corrupt> {
        let broken = |what: &str| corrupt(self.base + at, what);
        if depth > DEPTH_MAX {
            return Err(broken("values nested too deep"));
        }
        *left = left.checked_sub(1).ok_or_else(|| broken("too many values for one network"))?;
        let head = self.head(at)?;
        match head.kind {
            POINTER => {
                if follow {
                    let to = self.head(head.size)?;
                    if to.kind == POINTER {
                        return Err(broken("a pointer to a pointer"));
                    }
                    self.end(head.size, depth + 1, left, true)?;
                }
                Ok(head.content)
            }
            MAP | ARRAY => {
                let parts = if head.kind == MAP { head.size.saturating_mul(2) } else { head.size };
                let mut place = head.content;
                for part in 0..parts {
                    if head.kind == MAP && part % 2 == 0 && self.text(place).is_none() {
                        return Err(corrupt(self.base + place, "a name in a map is no text"));
                    }
                    place = self.end(place, depth + 1, left, follow)?;
                }
                Ok(place)
            }
            BOOLEAN => Ok(head.content),
            _ => {
                let end = head.content.saturating_add(head.size);
                if end > self.octets.len() {
                    return Err(broken("a value is cut"));
                }
                if follow && head.kind == TEXT && self.text(at).is_none() {
                    return Err(broken("a text is not UTF-8"));
                }
                Ok(end)
            }
        }
    }

    fn head(&self, at: usize) -> Result<Head, Corrupt> {
        let cut = || corrupt(self.base.saturating_add(at), "a value is cut");
        let octet = |place: usize| self.octets.get(place).copied().ok_or_else(cut);
        let control = octet(at)?;
        let mut content = at + 1;
        let mut kind = control >> 5;
        if kind == POINTER {
            let size = usize::from(control >> 3 & 3) + 1;
            let octets = self.octets.get(content..content + size).ok_or_else(cut)?;
            let high = if size == 4 { 0 } else { u64::from(control & 7) << (8 * size) };
            let add = [0u64, 2048, 526_336, 0].get(size - 1).copied().unwrap_or(0);
            let to = usize::try_from((high | word(octets)) + add).unwrap_or(usize::MAX);
            if to >= self.octets.len() {
                return Err(corrupt(self.base + at, "a pointer leads out of the file"));
            }
            return Ok(Head { kind, size: to, content: content + size });
        }
        if kind == 0 {
            kind = octet(content)?.saturating_add(7);
            content += 1;
            if !(8..=15).contains(&kind) {
                return Err(corrupt(self.base + at, "a value of unknown kind"));
            }
        }
        let (more, add) = match control & 31 {
            size @ 0..=28 => return Ok(Head { kind, size: size.into(), content }),
            29 => (1, 29),
            30 => (2, 285),
            _ => (3, 65_821),
        };
        let octets = self.octets.get(content..content + more).ok_or_else(cut)?;
        let size = usize::try_from(word(octets)).unwrap_or(usize::MAX).saturating_add(add);
        Ok(Head { kind, size, content: content + more })
    }
}

fn word(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet))
}
