//! Which samples are asked for: `dst in 198.51.100.0/24 and proto = udp and not src-port in (53, 123)`.
//!
//! A text becomes a tree of tests of single columns ([`parse`]); the tree is asked of whole chunks ([`eval`]) and, before that, of
//! what statistics say of a row group ([`reduce`]), so that most of them are never read. What is missing (`asn` of a private address)
//! is neither equal to, less nor greater than anything but `none`; `!=` and `not` are the exact opposites of what they stand before.

mod eval;
mod lex;
mod parse;
mod reduce;
mod value;

use std::sync::Arc;

use base::Timestamp;

use crate::column::Column;

pub use parse::BadFilter;
pub(crate) use reduce::{Bounds, Known, Left, Missing};
pub(crate) use value::ranges;

/// Which samples are asked for.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
}

/// A tree of tests.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Every sample.
    Every,
    /// All of these hold.
    And(Vec<Self>),
    /// One of these holds.
    Or(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// A column passes a test.
    Test(Column, Arc<Test>),
}

/// A test of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// A number or address is in one of these inclusive ranges.
    Within(Vec<(u128, u128)>),
    /// As `Within`, of the other end of samples that went out, which is never in an own network.
    Away(Vec<(u128, u128)>),
    /// A text is one of these.
    Words(Vec<Word>),
    /// All of these bits are set.
    Has(u64),
    /// Nothing stands there.
    Missing,
}

/// What a text is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// All of it.
    Whole(String),
    /// How it begins: written with a star at its end.
    Front(String),
}

impl Filter {
    /// Every sample.
    pub const ALL: Self = Self { root: Node::Every };

    /// The tree, with a bound in time: from `from`, before `to`.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Node {
        let last = to.nanos().saturating_sub(1);
        let times = Test::Within(vec![(u128::from(from.nanos()), u128::from(last))]);
        Node::And(vec![Node::Test(Column::Time, Arc::new(times)), self.root.clone()])
    }
}

impl Node {
    /// The columns it needs.
    pub(crate) fn columns(&self, into: &mut Vec<Column>) {
        match self {
            Self::Every => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.columns(into)),
            Self::Not(part) => part.columns(into),
            Self::Test(column, _) => {
                if !into.contains(column) {
                    into.push(*column);
                }
            }
        }
    }
}
