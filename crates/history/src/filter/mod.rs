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

use base::{Prefix, Timestamp};

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

    /// Samples whose target lies in one of these.
    pub fn targets(prefixes: &[Prefix]) -> Self {
        Self::within(Column::Target, prefixes)
    }

    /// Samples whose other end lies in one of these.
    pub fn foreigns(prefixes: &[Prefix]) -> Self {
        Self::within(Column::Foreign, prefixes)
    }

    /// Samples of one attack.
    pub fn attack(id: &str) -> Self {
        let test = Test::Words(vec![Word::Whole(id.to_owned())]);
        Self { root: Node::Test(Column::Attack, Arc::new(test)) }
    }

    fn within(column: Column, prefixes: &[Prefix]) -> Self {
        let mut ranges: Vec<(u128, u128)> = prefixes.iter().flat_map(ranges).collect();
        ranges.sort_unstable();
        Self { root: Node::Test(column, Arc::new(Test::Within(ranges))) }
    }

    /// What both ask for.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.root, other.root) {
            (Node::Every, root) | (root, Node::Every) => Self { root },
            (one, two) => Self { root: Node::And(vec![one, two]) },
        }
    }

    /// The other samples.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { root: Node::Not(Box::new(self.root)) }
    }

    /// Whether a column decides about it.
    pub fn tests(&self, column: Column) -> bool {
        let mut columns = Vec::new();
        self.root.columns(&mut columns);
        columns.contains(&column)
    }

    /// The tree.
    pub(crate) const fn root(&self) -> &Node {
        &self.root
    }

    /// The tree, with a bound in time: from `from`, before `to`.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Node {
        let last = to.nanos().saturating_sub(1);
        let times = Test::Within(vec![(u128::from(from.nanos()), u128::from(last))]);
        Node::And(vec![Node::Test(Column::Time, Arc::new(times)), self.root.clone()])
    }
}

impl Node {
    /// Ranges outside of which no target is asked for; `None`: it may be any.
    pub(crate) fn targets(&self) -> Option<Vec<(u128, u128)>> {
        match self {
            Self::Every | Self::Not(_) => None,
            // The narrowest of them is enough.
            Self::And(parts) => {
                let width = |ranges: &Vec<(u128, u128)>| {
                    let widths = ranges.iter().map(|(low, high)| high.saturating_sub(*low));
                    widths.fold(0, u128::saturating_add)
                };
                parts.iter().filter_map(Self::targets).min_by_key(width)
            }
            Self::Or(parts) => {
                let all: Option<Vec<_>> = parts.iter().map(Self::targets).collect();
                all.map(|all| all.into_iter().flatten().collect())
            }
            Self::Test(Column::Target, test) => match &**test {
                Test::Within(ranges) => Some(ranges.clone()),
                _ => None,
            },
            Self::Test(..) => None,
        }
    }

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
