//! Values with where they come from: the answer to "why this policy?".

use base::Prefix;
use engine::Mode;
use serde_json::{Value, json};

use crate::config::target::Shape;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody: this build.
    BuiltIn,
    /// The configuration, for the whole installation.
    Configuration,
    /// A profile.
    Profile,
    /// A customer in the configuration.
    Customer,
    /// A target in the configuration.
    Target,
    /// A person, while the daemon runs.
    Person,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Configuration => "configuration",
            Self::Profile => "profile",
            Self::Customer => "customer",
            Self::Target => "target",
            Self::Person => "person",
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct From {
    kind: Kind,
    name: String,
    /// The number of the decision, and its end.
    entry: Option<(u64, Option<base::Timestamp>)>,
}

impl From {
    /// Said by this one.
    pub(crate) const fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, entry: None }
    }

    /// Said by a person in this decision.
    pub(crate) const fn person(name: String, id: u64, until: Option<base::Timestamp>) -> Self {
        Self { kind: Kind::Person, name, entry: Some((id, until)) }
    }

    /// Who says it.
    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn document(&self) -> Value {
        let mut out = json!({"kind": self.kind.name()});
        if let Some(out) = out.as_object_mut() {
            if !self.name.is_empty() {
                out.insert("name".to_owned(), self.name.clone().into());
            }
            if let Some((id, until)) = self.entry {
                out.insert("entry".to_owned(), id.into());
                out.insert("until".to_owned(), until.map(|until| until.to_string()).into());
            }
        }
        out
    }
}

/// A value and who says it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traced<T> {
    pub(crate) value: T,
    pub(crate) from: From,
}

impl<T> Traced<T> {
    pub(super) fn document(&self, show: impl Fn(&T) -> Value) -> Value {
        json!({"value": show(&self.value), "from": self.from.document()})
    }
}

/// What holds for a prefix.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    pub(crate) prefix: Prefix,
    pub(crate) customer: Option<String>,
    pub(crate) profile: Traced<String>,
    pub(crate) mode: Traced<Mode>,
    pub(crate) floor: Traced<f64>,
    pub(crate) multiple: Traced<f64>,
    pub(crate) collateral_max: Traced<f64>,
    pub(crate) blind: Traced<bool>,
    pub(crate) challenge: Traced<bool>,
    pub(crate) limit: Traced<Option<f64>>,
    pub(crate) ordinary: Traced<Vec<Shape>>,
    pub(crate) never_drop: Traced<Vec<Shape>>,
}

/// As it is written in configurations.
pub(crate) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Suggest => "suggest",
        Mode::Enforce => "enforce",
    }
}

impl Values {
    /// One object for each value, by its key in the configuration.
    pub(crate) fn document(&self) -> Value {
        let shapes = |shapes: &Vec<Shape>| Value::from_iter(shapes.iter().map(|shape| shape.text.clone()));
        json!({
            "profile": self.profile.document(|name| name.clone().into()),
            "mode": self.mode.document(|mode| mode_name(*mode).into()),
            "floor_pps": self.floor.document(|rate| (*rate).into()),
            "multiple": self.multiple.document(|times| (*times).into()),
            "collateral_max": self.collateral_max.document(|share| (*share).into()),
            "blind": self.blind.document(|yes| (*yes).into()),
            "challenge": self.challenge.document(|yes| (*yes).into()),
            "limit_pps": self.limit.document(|rate| (*rate).into()),
            "ordinary": self.ordinary.document(shapes),
            "never_drop": self.never_drop.document(shapes),
        })
    }
}
