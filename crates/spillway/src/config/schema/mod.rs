//! `spillway config schema`: the file as JSON Schema (2020-12), made from the tables that read it.

mod trace;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::sections::File;
use trace::{MADE, Made, Node, Plan, Run};

/// The dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of the daemon's configuration.
///
/// # Errors
/// A table asks for something that nobody made up for it: the place and what it said. A test sees to it that none does.
pub fn schema() -> Result<Value, String> {
    let mut found = Found::look()?;
    found.types()?;
    let words = words::of(&super::starter(&[base::Prefix::of(std::net::Ipv4Addr::UNSPECIFIED.into(), 0)]));
    let mut root = found.at("", &words);
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".to_owned(), json!(DIALECT));
        root.insert("title".to_owned(), json!("spillway.toml"));
    }
    Ok(root)
}

/// What stands where.
struct Found {
    plan: Plan,
    nodes: BTreeMap<String, Node>,
    /// JSON types of what is of more than one.
    types: BTreeMap<String, Vec<&'static str>>,
}

impl Found {
    /// Tries until everything is taken.
    fn look() -> Result<Self, String> {
        let mut plan = Plan::default();
        loop {
            match Run::read::<File>(plan.clone()) {
                Ok(nodes) => return Ok(Self { plan, nodes, types: BTreeMap::new() }),
                Err((place, why)) => {
                    let choice = plan.choice.entry(place.clone()).or_insert(0);
                    *choice += 1;
                    if *choice >= MADE.len() {
                        return Err(format!("{place}: {why}"));
                    }
                }
            }
        }
    }

    /// Which types are taken where a form is asked for.
    fn types(&mut self) -> Result<(), String> {
        for (place, node) in &self.nodes {
            let Node::Form(_) = node else { continue };
            let mut types = Vec::new();
            for (choice, made) in MADE.iter().enumerate() {
                let kind = match made {
                    Made::Text(_) => "string",
                    Made::Whole(_) => "integer",
                    Made::Number(_) => "number",
                    Made::Truth => "boolean",
                };
                if !types.contains(&kind)
                    && self.reads(|plan| {
                        plan.choice.insert(place.clone(), choice);
                    })
                {
                    types.push(kind);
                }
            }
            if types.is_empty() {
                return Err(format!("{place}: nothing is taken"));
            }
            self.types.insert(place.clone(), types);
        }
        Ok(())
    }

    fn reads(&self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.plan.clone();
        change(&mut plan);
        Run::read::<File>(plan).is_ok()
    }

    fn at(&self, place: &str, words: &words::Words) -> Value {
        let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
        let mut out = match self.nodes.get(place) {
            Some(Node::Section(keys)) => {
                let properties: Map<String, Value> =
                    keys.iter().map(|key| ((*key).to_owned(), self.at(&below(key), words))).collect();
                let required: Vec<&str> = keys
                    .iter()
                    .copied()
                    .filter(|key| !self.reads(|plan| plan.without = Some(below(key))))
                    .collect();
                let mut out =
                    json!({"type": "object", "properties": properties, "additionalProperties": false});
                if let (Some(out), false) = (out.as_object_mut(), required.is_empty()) {
                    out.insert("required".to_owned(), json!(required));
                }
                out
            }
            Some(Node::Named) => {
                let prefix = below("");
                let fixed = self.nodes.keys().filter_map(|key| key.strip_prefix(&prefix));
                let fixed = fixed.filter(|name| !name.contains(['.', '*', '[']));
                let properties: Map<String, Value> =
                    fixed.map(|name| (name.to_owned(), self.at(&below(name), words))).collect();
                let mut out = json!({"type": "object", "additionalProperties": self.at(&below("*"), words)});
                if let (Some(out), false) = (out.as_object_mut(), properties.is_empty()) {
                    out.insert("properties".to_owned(), Value::Object(properties));
                }
                out
            }
            Some(Node::List) => json!({"type": "array", "items": self.at(&below("[]"), words)}),
            Some(Node::Words(known)) => json!({"enum": known}),
            Some(Node::Whole(least, most)) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Some(Node::Number) => json!({"type": "number"}),
            Some(Node::Truth) => json!({"type": "boolean"}),
            Some(Node::Text) => json!({"type": "string"}),
            Some(Node::Form(form)) => {
                let types = self.types.get(place).map_or(&[][..], Vec::as_slice);
                let kind = if let [one] = types { json!(one) } else { json!(types) };
                json!({"type": kind, "description": form})
            }
            None => json!(true),
        };
        if let Some(out) = out.as_object_mut() {
            words.add(place, out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_knows_each_section_its_types_and_what_must_be_there() {
        let schema = schema().unwrap();
        let at = |place: &str| schema.pointer(place).unwrap_or_else(|| panic!("no {place} in {schema:#}"));
        assert_eq!(*at("/required"), json!(["networks"]));
        assert_eq!(*at("/additionalProperties"), json!(false));
        assert_eq!(*at("/properties/mode/enum"), json!(["observe", "suggest", "enforce"]));
        assert_eq!(*at("/properties/listen/properties/workers/type"), json!("integer"));
        assert_eq!(*at("/properties/notify/properties/exec/required"), json!(["path"]));
        assert_eq!(*at("/properties/notify/additionalProperties/required"), json!(["kind"]));
        let sampling = "/properties/exporters/additionalProperties/properties/sampling/type";
        assert_eq!(*at(sampling), json!(["string", "integer"]));
        assert_eq!(*at("/properties/rules/properties/lease/default"), json!("15m"));
        let floor = at("/properties/detection/properties/floor/description").as_str().unwrap();
        assert!(floor.contains("smaller attacks"), "{floor}");
        let peer = at("/properties/routing/properties/peers/additionalProperties/required");
        assert_eq!(*peer, json!(["address", "asn", "carries"]));
    }
}
