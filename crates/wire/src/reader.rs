//! The one place where positions in a byte slice are computed.

use core::fmt;

/// Why bytes were not taken. Bad input is no error of ours: it is counted and the good neighbours survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fewer octets than the field needs.
    Truncated {
        /// The field's name in its RFC.
        what: &'static str,
        /// Where it would have begun.
        at: usize,
        /// How many octets it needs.
        needed: usize,
        /// How many there were.
        had: usize,
    },
    /// A version or type that this decoder does not speak.
    Version {
        /// What was found.
        found: u32,
    },
    /// A length that contradicts its surroundings.
    Length {
        /// The field's name in its RFC.
        what: &'static str,
        /// What it said.
        found: usize,
    },
    /// A value that the format forbids.
    Value {
        /// The field's name in its RFC.
        what: &'static str,
        /// What it said.
        found: u64,
    },
}

impl Fault {
    /// Short stable name for counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::Version { .. } => "version",
            Self::Length { .. } => "length",
            Self::Value { .. } => "value",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, at, needed, had } => {
                write!(f, "{what} at octet {at} needs {needed} octets, {had} are left")
            }
            Self::Version { found } => write!(f, "version {found} is not spoken here"),
            Self::Length { what, found } => write!(f, "{what} says {found}, which cannot be"),
            Self::Value { what, found } => write!(f, "{what} has the forbidden value {found}"),
        }
    }
}

impl core::error::Error for Fault {}

/// Takes fields off the front of a slice, big-endian.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
    taken: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes, taken: 0 }
    }

    /// The next `n` octets.
    #[inline]
    pub fn bytes(&mut self, what: &'static str, n: usize) -> Result<&'a [u8], Fault> {
        match self.left.split_at_checked(n) {
            Some((head, tail)) => {
                self.left = tail;
                self.taken += n;
                Ok(head)
            }
            None => Err(Fault::Truncated { what, at: self.taken, needed: n, had: self.left.len() }),
        }
    }

    /// The next `N` octets as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Fault> {
        match self.left.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.left = tail;
                self.taken += N;
                Ok(*head)
            }
            None => Err(Fault::Truncated { what, at: self.taken, needed: N, had: self.left.len() }),
        }
    }

    /// One octet.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Fault> {
        self.array::<1>(what).map(|[b]| b)
    }

    /// Two octets.
    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Fault> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Four octets.
    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Fault> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Eight octets.
    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Fault> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// Moves on by `n` octets.
    #[inline]
    pub fn skip(&mut self, what: &'static str, n: usize) -> Result<(), Fault> {
        self.bytes(what, n).map(|_| ())
    }

    /// A reader over the next `n` octets alone; its positions count on from here.
    #[inline]
    pub fn sub(&mut self, what: &'static str, n: usize) -> Result<Self, Fault> {
        let taken = self.taken;
        self.bytes(what, n).map(|left| Self { left, taken })
    }

    /// What is left.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.left
    }

    /// How many octets are left.
    #[inline]
    pub const fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether nothing is left.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// How many octets were taken so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_field_and_the_place() {
        let mut r = Reader::new(&[1, 2, 3]);
        assert_eq!(r.u16("length"), Ok(0x0102));
        let fault = r.u32("sysUpTime").unwrap_err();
        assert_eq!(fault, Fault::Truncated { what: "sysUpTime", at: 2, needed: 4, had: 1 });
        assert_eq!(r.u8("still there"), Ok(3));
    }
}
