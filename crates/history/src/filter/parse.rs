//! From a text to a tree.

use std::sync::Arc;

use super::lex::{Piece, Token, tokens};
use super::value::{Value, value};
use super::{Filter, Node, Test, Word};
use crate::column::{Column, Field, Kind};
use crate::sample::Direction;

/// Octets of a filter.
const TEXT_MAX: usize = 16_384;
/// Parentheses and `not` within each other.
const DEPTH_MAX: usize = 64;
/// Values in one filter.
const VALUES_MAX: usize = 1_024;

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at octet {at}: {message}")]
pub struct BadFilter {
    /// In octets from the beginning of the text.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl BadFilter {
    pub(super) fn at(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl std::str::FromStr for Filter {
    type Err = BadFilter;

    /// Reads a filter; an empty one is every sample.
    fn from_str(text: &str) -> Result<Self, BadFilter> {
        if text.len() > TEXT_MAX {
            return Err(BadFilter::at(TEXT_MAX, format!("a filter has at most {TEXT_MAX} octets")));
        }
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Ok(Self::ALL);
        }
        let mut parser = Parser { tokens: &tokens, end: text.len(), depth: 0, values: 0 };
        let root = parser.any()?;
        match parser.tokens.first() {
            None => Ok(Self { root }),
            Some(token) => Err(BadFilter::at(token.at, "expected `and`, `or` or the end here")),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    end: usize,
    depth: usize,
    values: usize,
}

/// What a comparison asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Same,
    Less { or_same: bool },
    More { or_same: bool },
    Has,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Node, BadFilter> {
        let mut parts = vec![self.all()?];
        while self.takes("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Node::Or))
    }

    fn all(&mut self) -> Result<Node, BadFilter> {
        let mut parts = vec![self.one()?];
        while self.takes("and") {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Node::And))
    }

    fn one(&mut self) -> Result<Node, BadFilter> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(BadFilter::at(
                self.here(),
                format!("more than {DEPTH_MAX} levels; write it flatter"),
            ));
        }
        let node = if self.takes("not") {
            Node::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let node = self.any()?;
            if !self.sign(")") {
                return Err(BadFilter::at(self.here(), "expected `)` here"));
            }
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, BadFilter> {
        let (at, name) = match self.next() {
            Some(Token { at, what: Piece::Word(name) }) => (at, name),
            other => {
                let at = other.map_or(self.end, |token| token.at);
                return Err(BadFilter::at(at, "expected a field here, like `dst`, `proto` or `bytes`"));
            }
        };
        let Some(field) = Field::named(name) else {
            let hint = Field::nearest(name).map_or(String::new(), |near| format!("did you mean `{near}`? "));
            let known = Field::names().join(", ");
            return Err(BadFilter::at(at, format!("there is no field `{name}`; {hint}fields are {known}")));
        };
        let (asked, negated, many) = self.comparison(name)?;
        let values = if many { self.list(field, name)? } else { vec![self.value(field, name)?] };
        let node = of_field(field, &|column| of_column(column, asked, &values));
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    /// The sign, whether it is to be negated, and whether a list may follow.
    fn comparison(&mut self, name: &str) -> Result<(Asked, bool, bool), BadFilter> {
        let at = self.here();
        let wrong =
            || BadFilter::at(at, format!("expected =, !=, <, <=, >, >=, in, not in or has behind `{name}`"));
        match self.next().map(|token| token.what) {
            Some(Piece::Sign("=")) => Ok((Asked::Same, false, false)),
            Some(Piece::Sign("!=")) => Ok((Asked::Same, true, false)),
            Some(Piece::Sign("<")) => Ok((Asked::Less { or_same: false }, false, false)),
            Some(Piece::Sign("<=")) => Ok((Asked::Less { or_same: true }, false, false)),
            Some(Piece::Sign(">")) => Ok((Asked::More { or_same: false }, false, false)),
            Some(Piece::Sign(">=")) => Ok((Asked::More { or_same: true }, false, false)),
            Some(Piece::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "in" => Ok((Asked::Same, false, true)),
                "has" => Ok((Asked::Has, false, false)),
                "not" if self.takes("in") => Ok((Asked::Same, true, true)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
        .and_then(|(asked, negated, many)| {
            let field = Field::named(name).map(Field::kind);
            let ordered = matches!(field, Some(Kind::Number(_) | Kind::Time));
            match asked {
                Asked::Less { .. } | Asked::More { .. } if !ordered => {
                    Err(BadFilter::at(at, format!("`{name}` has no order; it takes =, !=, in and not in")))
                }
                Asked::Has if Field::named(name) != Some(Field::Of(Column::TcpFlags)) => {
                    Err(BadFilter::at(at, "only `tcp-flags` has flags"))
                }
                _ => Ok((asked, negated, many)),
            }
        })
    }

    fn list(&mut self, field: Field, name: &str) -> Result<Vec<Value>, BadFilter> {
        if !self.sign("(") {
            return Ok(vec![self.value(field, name)?]);
        }
        let mut values = vec![self.value(field, name)?];
        while self.sign(",") {
            values.push(self.value(field, name)?);
        }
        if !self.sign(")") {
            return Err(BadFilter::at(self.here(), "expected `,` or `)` here"));
        }
        Ok(values)
    }

    fn value(&mut self, field: Field, name: &str) -> Result<Value, BadFilter> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(BadFilter::at(
                self.here(),
                format!("more than {VALUES_MAX} values; use prefixes or ranges"),
            ));
        }
        match self.next() {
            Some(Token { at, what: Piece::Word(word) }) => {
                value(field, name, word, false).map_err(|message| BadFilter::at(at, message))
            }
            Some(Token { at, what: Piece::Quoted(word) }) => {
                value(field, name, word, true).map_err(|message| BadFilter::at(at, message))
            }
            other => {
                let at = other.map_or(self.end, |token| token.at);
                Err(BadFilter::at(at, format!("expected a value for `{name}` here")))
            }
        }
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(*first)
    }

    fn here(&self) -> usize {
        self.tokens.first().map_or(self.end, |token| token.at)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = matches!(self.tokens.first(), Some(Token { what: Piece::Word(next), .. })
            if next.eq_ignore_ascii_case(word));
        is_next && self.next().is_some()
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is_next =
            matches!(self.tokens.first(), Some(Token { what: Piece::Sign(next), .. }) if *next == sign);
        is_next && self.next().is_some()
    }
}

fn one_or(mut parts: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match parts.len() {
        1 => parts.pop().unwrap_or(Node::Every),
        _ => many(parts),
    }
}

/// A test of a field is one of its column, or of two by the direction.
fn of_field(field: Field, test: &dyn Fn(Column) -> Node) -> Node {
    let going = |direction: Direction, column| {
        let word = Test::Words(vec![Word::Whole(direction.name().to_owned())]);
        Node::And(vec![Node::Test(Column::Direction, Arc::new(word)), test(column)])
    };
    match field {
        Field::Of(column) => test(column),
        Field::Either(a, b) => Node::Or(vec![test(a), test(b)]),
        Field::Source(when_in, when_out) => {
            Node::Or(vec![going(Direction::In, when_in), going(Direction::Out, when_out)])
        }
        Field::Destination(when_out, when_in) => {
            Node::Or(vec![going(Direction::In, when_in), away(going(Direction::Out, when_out))])
        }
    }
}

/// Tests of the other end are such of where packets went that left.
fn away(node: Node) -> Node {
    match node {
        Node::And(parts) => Node::And(parts.into_iter().map(away).collect()),
        Node::Or(parts) => Node::Or(parts.into_iter().map(away).collect()),
        Node::Test(Column::Foreign, test) => match &*test {
            Test::Within(ranges) => Node::Test(Column::Foreign, Arc::new(Test::Away(ranges.clone()))),
            _ => Node::Test(Column::Foreign, test),
        },
        other => other,
    }
}

fn of_column(column: Column, asked: Asked, values: &[Value]) -> Node {
    let (mut ranges, mut words, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        match (value, asked) {
            (Value::None, _) => parts.push(Node::Test(column, Arc::new(Test::Missing))),
            (Value::Word(word), _) => words.push(word.clone()),
            (Value::Ranges(more), Asked::Same) => ranges.extend(more.iter().copied()),
            (Value::Ranges(more), Asked::Has) => {
                let bits = more.first().map_or(0, |(bits, _)| u64::try_from(*bits).unwrap_or(u64::MAX));
                parts.push(Node::Test(column, Arc::new(Test::Has(bits))));
            }
            (Value::Ranges(more), Asked::Less { or_same }) => {
                let limit = more.first().map_or(0, |(low, _)| *low);
                let last = if or_same { Some(limit) } else { limit.checked_sub(1) };
                ranges.extend(last.map(|last| (0, last)));
                parts.extend(last.is_none().then(never));
            }
            (Value::Ranges(more), Asked::More { or_same }) => {
                let limit = more.last().map_or(0, |(_, high)| *high);
                let first = if or_same { Some(limit) } else { limit.checked_add(1) };
                ranges.extend(first.map(|first| (first, u128::MAX)));
            }
        }
    }
    if !ranges.is_empty() {
        ranges.sort_unstable();
        parts.push(Node::Test(column, Arc::new(Test::Within(ranges))));
    }
    if !words.is_empty() {
        parts.push(Node::Test(column, Arc::new(Test::Words(words))));
    }
    one_or(parts, Node::Or)
}

/// No sample.
fn never() -> Node {
    Node::Not(Box::new(Node::Every))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, String) {
        let bad = text.parse::<Filter>().unwrap_err();
        (bad.at, bad.message)
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_a_remedy() {
        let (at, message) = wrong("proto = udp and src-prot = 53");
        assert_eq!(at, 16);
        assert!(
            message.starts_with("there is no field `src-prot`; did you mean `src-port`? fields are src,"),
            "{message}"
        );
        for (text, at, says) in [
            ("bytes >", 7, "expected a value for `bytes`"),
            ("bytes ~ 5", 6, "`~` has no meaning"),
            ("bytes = abc", 8, "a whole number"),
            ("dst = 198.51.100.0/33", 6, "address or a prefix"),
            ("src < 10.0.0.1", 4, "`src` has no order"),
            ("proto has syn", 6, "only `tcp-flags` has flags"),
            ("(proto = udp", 12, "expected `)`"),
            ("proto = udp proto = tcp", 12, "expected `and`, `or` or the end"),
            ("src-port = 70000", 11, "at most 65535"),
            ("class = \"a", 8, "this quote has no end"),
            ("and", 0, "there is no field `and`"),
            ("", 0, ""),
        ] {
            if text.is_empty() {
                assert!(text.parse::<Filter>().is_ok());
                continue;
            }
            let (found, message) = wrong(text);
            assert_eq!(found, at, "{text}: {message}");
            assert!(message.contains(says), "{text}: {message}");
        }
    }

    #[test]
    fn hostile_texts_end_in_an_error_not_in_the_stack() {
        assert!(wrong(&"(".repeat(10_000)).1.contains("levels"));
        assert!(wrong(&"not ".repeat(4_000)).1.contains("levels"));
        assert!(wrong(&format!("asn in ({}1)", "1,".repeat(2_000))).1.contains("values"));
        assert!(wrong(&"x".repeat(20_000)).1.contains("octets"));
    }
}
