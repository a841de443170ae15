//! What the tables that read the file ask for, found by letting them read made-up values: there is no second description of
//! the file that could differ from the first.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::de::value::{BorrowedStrDeserializer, Error, StrDeserializer, U64Deserializer};
use serde::de::{DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// What stands at a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A section with these keys.
    Section(&'static [&'static str]),
    /// Names that the operator gives, each with one of `PLACE.*`.
    Named,
    /// Any number of `PLACE.[]`.
    List,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number within this.
    Whole(i128, i128),
    /// A number.
    Number,
    /// `true` or `false`.
    Truth,
    /// A text.
    Text,
    /// What this sentence says, which may be of more than one type.
    Form(String),
}

/// Something that is tried where a value is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Made {
    Text(&'static str),
    Whole(i64),
    Number(f64),
    Truth,
}

/// What is tried, in this order, until somebody takes it.
pub(super) const MADE: [Made; 31] = [
    Made::Text("name"),
    Made::Text("198.51.100.0/24"),
    Made::Text("192.0.2.1"),
    Made::Text("192.0.2.1:179"),
    Made::Text("15m"),
    Made::Text("1 Gbps"),
    Made::Text("1 kpps"),
    Made::Text("1 per week"),
    Made::Text("16 MiB"),
    Made::Text("1:1000"),
    Made::Text("host"),
    Made::Text("automatic"),
    Made::Text("blackhole"),
    Made::Text("64512:666"),
    Made::Text("http://192.0.2.1/"),
    Made::Text("flowspec"),
    Made::Text("ipv4"),
    Made::Text("address"),
    Made::Text("next-hop"),
    Made::Text("kernel"),
    Made::Text("ietf"),
    Made::Text("none"),
    Made::Text("off"),
    Made::Text("sha256:0000000000000000000000000000000000000000000000000000000000000000"),
    Made::Text("/path"),
    Made::Text("www.example.net"),
    Made::Text("2030-01-01T00:00:00Z"),
    Made::Whole(1),
    Made::Whole(64_512),
    Made::Number(0.5),
    Made::Truth,
];

/// A section whose names are given, but for these.
const FIXED: [(&str, &str); 1] = [("notify", "exec")];

/// What is tried where; the rest is as above.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) choice: BTreeMap<String, usize>,
    /// A key that is left out.
    pub(super) without: Option<String>,
}

/// One reading.
#[derive(Debug)]
pub(super) struct Run {
    plan: Plan,
    seen: RefCell<BTreeMap<String, Node>>,
    /// The last place where something was tried: if the reading fails, there.
    last: RefCell<String>,
}

impl Run {
    /// Reads by this plan: what stood where, or the place that was refused.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(
        plan: Plan,
    ) -> Result<BTreeMap<String, Node>, (String, String)> {
        let run = Self { plan, seen: RefCell::default(), last: RefCell::default() };
        match T::deserialize(Place { path: String::new(), run: &run }) {
            Ok(_) => Ok(run.seen.into_inner()),
            Err(why) => Err((run.last.into_inner(), why.to_string())),
        }
    }
}

/// A place in the file.
struct Place<'a> {
    path: String,
    run: &'a Run,
}

impl<'a> Place<'a> {
    fn below(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, run: self.run }
    }

    fn is(&self, node: Node) {
        self.run.seen.borrow_mut().insert(self.path.clone(), node);
    }

    fn made<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        self.path.clone_into(&mut self.run.last.borrow_mut());
        let choice = self.run.plan.choice.get(&self.path).copied().unwrap_or(0);
        match MADE.get(choice) {
            Some(Made::Text(text)) => visitor.visit_str(text),
            Some(Made::Whole(number)) => visitor.visit_i64(*number),
            Some(Made::Number(number)) => visitor.visit_f64(*number),
            Some(Made::Truth) => visitor.visit_bool(true),
            None => Err(serde::de::Error::custom("nothing that is known is taken here")),
        }
    }

    fn whole<'de, V: Visitor<'de>>(&self, least: i128, most: i128, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Whole(least, most));
        self.path.clone_into(&mut self.run.last.borrow_mut());
        visitor.visit_i64(1)
    }
}

macro_rules! whole {
    ($($name:ident $type:ty;)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.whole(i128::from(<$type>::MIN), i128::from(<$type>::MAX), visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Place<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Form((&visitor as &dyn Expected).to_string()));
        self.made(visitor)
    }

    whole! {
        deserialize_i8 i8;
        deserialize_i16 i16;
        deserialize_i32 i32;
        deserialize_i64 i64;
        deserialize_u8 u8;
        deserialize_u16 u16;
        deserialize_u32 u32;
        deserialize_u64 u64;
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Number);
        visitor.visit_f64(0.5)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Truth);
        visitor.visit_bool(true)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Text);
        self.made(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::List);
        visitor.visit_seq(Items { item: Some(self.below("[]")) })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.is(Node::Named);
        let fixed = FIXED.iter().filter(|(place, _)| *place == self.path).map(|(_, name)| *name);
        visitor.visit_map(Keys { keys: std::iter::once("*").chain(fixed).collect(), at: 0, place: &self })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let ([start, end, value], true) = (fields, name.starts_with(SPANNED)) {
            return visitor.visit_map(Span { names: [start, end, value], at: 0, place: Some(self) });
        }
        self.is(Node::Section(fields));
        let keys = fields.iter().copied().filter(|key| self.run.plan.without != Some(self.below(key).path));
        visitor.visit_map(Keys { keys: keys.collect(), at: 0, place: &self })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.is(Node::Words(variants));
        let first: StrDeserializer<'_, Error> =
            variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    forward_to_deserialize_any! {
        f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any i128 u128
    }
}

/// How the reader of TOML asks for a value with its place in the text.
const SPANNED: &str = "$__serde_spanned";

struct Items<'a> {
    item: Option<Place<'a>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.item.take().map(|item| seed.deserialize(item)).transpose()
    }
}

struct Keys<'a, 'b> {
    keys: Vec<&'static str>,
    at: usize,
    place: &'b Place<'a>,
}

impl<'de> MapAccess<'de> for Keys<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(key) = self.keys.get(self.at) else { return Ok(None) };
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let key = self.keys.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        seed.deserialize(self.place.below(key))
    }
}

/// The name of a key, which may be asked for with its place, too.
struct Key(&'static str);

impl<'de> Deserializer<'de> for Key {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(if self.0 == "*" { "name" } else { self.0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match fields {
            [start, end, value] => {
                visitor.visit_map(Span { names: [start, end, value], at: 0, place: Some(self) })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A value behind its place in the text.
struct Span<T> {
    names: [&'static str; 3],
    at: usize,
    place: Option<T>,
}

impl<'de, T: Deserializer<'de, Error = Error>> MapAccess<'de> for Span<T> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.get(self.at) else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.at += 1;
        match (self.at, self.place.take()) {
            (3, Some(place)) => seed.deserialize(place),
            (_, place) => {
                self.place = place;
                let none: U64Deserializer<Error> = 0u64.into_deserializer();
                seed.deserialize(none)
            }
        }
    }
}
