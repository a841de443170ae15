//! Profiles, from their data.

use crate::config::target::{Shape, Wishes};
use crate::policy::profile as targets;
use crate::profile as services;

const HEAD: &str = "# Profiles\n\n\
    There are two kinds. A *profile of targets* says what a customer or a prefix is like: `profile = \"web\"` in `[customers.NAME]` or \
    `[target.\"PREFIX\"]`. A *profile of a service* makes rules that let through what its clients send and stop the rest: \
    `spillway rules profile NAME`.\n\n## Of targets\n\n\
    Each value can be overridden in `[target.\"PREFIX\"]`; `spillway target show PREFIX` says each value with where it comes from. What a \
    profile does not say is as in `[detection]` and `[dataplane]`.\n";

/// The page.
pub(super) fn page() -> String {
    let mut out = HEAD.to_owned();
    for (name, wishes) in targets::all() {
        out.push_str(&format!("\n### `{name}`\n\n{}", target(wishes)));
    }
    out.push_str("\n## Of services\n\nIn the order of their names; [Filter a service by its profile](../how-to/service-profile.md) shows their use.\n");
    for name in services::names() {
        out.push_str(&format!("\n### Service `{name}`\n\n"));
        match services::find(name) {
            Ok(profile) => out.push_str(&format!(
                "{}, ordinarily on port {}. Shapes after: {}.\n",
                profile.title, profile.port, profile.source
            )),
            // the table of reflecting protocols is no service
            Err(_) => out.push_str(
                "Answers of the protocols that are misused as reflectors: see [Vectors](vectors.md).\n",
            ),
        }
    }
    out
}

fn target(wishes: &Wishes) -> String {
    let mut out = String::new();
    if let (Some(title), Some(why)) = (&wishes.title, &wishes.why) {
        out.push_str(&format!("{title}: {why}.\n\n"));
    }
    let number = |key: &str, value: Option<f64>, unit: &str| {
        value.map(|value| format!("* `{key}`: {value}{unit}\n")).unwrap_or_default()
    };
    out.push_str(&number("floor", wishes.floor, " packets/s"));
    out.push_str(&number("multiple", wishes.multiple, ""));
    out.push_str(&number("collateral_max", wishes.collateral_max, ""));
    out.push_str(&number("limit", wishes.limit, " packets/s"));
    if let Some(challenge) = wishes.challenge {
        out.push_str(&format!("* `challenge`: {challenge}\n"));
    }
    for (key, shapes) in [("ordinary", &wishes.ordinary), ("never_drop", &wishes.never_drop)] {
        let texts =
            |shapes: &Vec<Shape>| shapes.iter().map(|shape| format!("`{}`", shape.text)).collect::<Vec<_>>();
        match shapes.as_ref().map(texts) {
            Some(shapes) if !shapes.is_empty() => {
                out.push_str(&format!("* `{key}`: {}\n", shapes.join(", ")))
            }
            _ => {}
        }
    }
    out
}
