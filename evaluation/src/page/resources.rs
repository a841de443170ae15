//! What it costs.

use super::{Rows, head, line};
use crate::plan::{Job, Row};
use crate::resources::{Cost, Load};

pub(super) fn write(rows: &Rows) -> String {
    let mut text = format!(
        "{}\n\nCPU time of decoding, counting and deciding, as the kernel counts it for the thread; the world's making is left out.\n\n",
        peers::machine::line()
    );
    text.push_str(&head(&["what", "records", "CPU s per million records", "resident at most"]));
    let (mut records, mut cpu) = (0, 0.0);
    for (_, outcome) in rows.trials().filter(|(trial, _)| trial.priced) {
        (records, cpu) = (records + outcome.records, cpu + outcome.cpu);
    }
    text.push_str(&line(["sFlow 1:1000, all events", &records.to_string(), &rate(cpu, records), "–"]));
    let (mut records, mut cpu) = (0, 0.0);
    for (_, peace) in rows.quiet() {
        (records, cpu) = (records + peace.records, cpu + peace.cpu);
    }
    if records > 0 {
        text.push_str(&line(["quiet days", &records.to_string(), &rate(cpu, records), "–"]));
    }
    let load = |wanted: Load| {
        rows.0.iter().find_map(|pair| match pair {
            (Job::Load(load), Row::Load(cost)) if *load == wanted => Some(cost),
            _ => None,
        })
    };
    if let (Some(alone), Some(Cost { records, cpu, resident })) = (load(Load::Generate), load(Load::Detect)) {
        text.push_str(&line([
            "NetFlow v9 1:100, 65,536 hosts, in a process of its own",
            &records.to_string(),
            &rate(*cpu, *records),
            &format!("{resident:.0} MB, of which the world {:.0} MB", alone.resident),
        ]));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(cpu: f64, records: u64) -> String {
    format!("{:.2}", cpu / (records.max(1) as f64 / 1e6))
}
