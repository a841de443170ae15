//! Each vector at 100 kpps, the same service in peace, and honest traffic that looks like it.

use sim::scenario::{self, Case};

use super::{Rows, head, line, spread};
use crate::plan::WORLDS_VECTOR;
use crate::trial::{Outcome, Which};

pub(super) fn write(rows: &Rows) -> String {
    let mut text = format!(
        "100 kpps (slow attacks 4 kpps, scans 20 kpps) of 20 s after 20 s of 100 kpps, sFlow 1:1000, {}. \"Look-alike\" is honest\n\
         traffic of the same service, to the same host and at the same rate.\n\n",
        super::seeds(1..=WORLDS_VECTOR)
    );
    text.push_str(&head(&[
        "vector",
        "from the first packet, p50 / p95 / p99",
        "named right",
        "alarms in peace",
        "alarms at the look-alike",
        "other alarms",
    ]));
    for vector in scenario::vectors() {
        let of = |wanted: Case| -> Vec<&Outcome> {
            let is = |which: &Which| matches!(which, Which::Vector { name, case } if *name == vector && *case == wanted);
            rows.trials().filter(|(trial, _)| is(&trial.world)).map(|(_, outcome)| outcome).collect()
        };
        let attack = of(Case::Attack);
        let found = attack.iter().filter(|outcome| outcome.delay.is_some()).count();
        let named = attack.iter().filter(|outcome| outcome.delay.is_some() && outcome.named).count();
        let alarmed = |outcomes: &[&Outcome]| {
            let alarmed = outcomes.iter().filter(|outcome| !outcome.strays.is_empty()).count();
            format!("{alarmed} of {}", outcomes.len())
        };
        text.push_str(&line([
            vector.clone(),
            spread(&attack.iter().map(|outcome| outcome.delay).collect()),
            format!("{named} of {found}"),
            alarmed(&of(Case::Peace)),
            alarmed(&of(Case::LookAlike)),
            attack.iter().map(|outcome| outcome.unexplained().len()).sum::<usize>().to_string(),
        ]));
    }
    text
}
