//! The plan for all attacks and what it counts on, for people.

use std::io::{self, Write};

use serde_json::Value;

use crate::output::Paint;
use crate::routing::order::Played;

pub(super) fn show(out: &mut impl Write, paint: Paint, planned: &Value) -> io::Result<()> {
    if planned.is_null() {
        return writeln!(out, "nothing is attacked that is met by itself, so nothing is planned");
    }
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| planned.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    writeln!(out, "planned at {}, to {}", text(planned, "at"), text(planned, "mode"))?;
    for one in list("targets") {
        let is_lost = one.get("sacrificed") == Some(&Value::Bool(true));
        let what = if is_lost { paint.red("given up") } else { paint.green("kept") };
        writeln!(out, "{} {what}: {}", paint.bold(text(one, "target")), text(one, "why"))?;
    }
    for why in list("left_out").iter().filter_map(Value::as_str) {
        writeln!(out, "{}", paint.yellow(why))?;
    }
    Ok(())
}

pub(super) fn playbook(out: &mut impl Write, paint: Paint, all: &[Played]) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(
            out,
            "nothing was measured yet: drill a diversion in peace (`spillway drill --class diversion`), to an absorber that counts"
        );
    }
    for one in all {
        writeln!(out, "{} {}", paint.bold(&one.announcement), paint.dim(&one.measured))?;
        for shift in &one.shifts {
            writeln!(out, "  {} % of {} to {}", shift.percent, shift.entry, shift.absorber)?;
        }
    }
    Ok(())
}
