//! The engine that reads rules from maps, and single rules beside a set.

use std::time::Instant;

use dataplane::{Engine, Plane, Policy};
use rules::{Rule, parse};

use crate::driver::Driver;
use crate::measure::{fixed, policy};
use crate::mix::{Packet, rules};

/// Single rules added one after the other, each then removed.
const ADDS: usize = 1000;

type Row<'r> = &'r mut dyn FnMut(&str, String, &str, String);

/// Their rows alone.
pub(crate) fn alone() -> anyhow::Result<()> {
    let begun = Instant::now();
    let plane = Plane::load()?;
    println!("loaded in {} ms: {:?}", begun.elapsed().as_millis(), plane.programs());
    rows(&Driver::load()?, &plane, &mut |what, ours, aim, _| println!("| {what} | {ours} | {aim} |"))
}

/// Rows of the table.
pub(crate) fn rows(driver: &Driver, plane: &Plane, row: Row<'_>) -> anyhow::Result<()> {
    for count in [10, 100, 1000, 5000] {
        let (text, packets) = rules(count);
        let policy = Policy { engine: Engine::Maps, ..policy(&text)? };
        let begun = Instant::now();
        plane.install(&policy)?;
        let took = begun.elapsed().as_millis();
        let ours = format!(
            "{} / {} (in force after {took} ms)",
            fixed(plane, &Packet::FIXED)?,
            driver.run(plane.entry(), &packets)?
        );
        row(&format!("{count} rules read from maps, fixed / random"), ours, "", String::new());
    }
    let (text, packets) = rules(1000);
    let base = policy(&text)?;
    let singles = |count: usize| -> anyhow::Result<Vec<Rule>> {
        let (text, _) = rules(1000 + count);
        let all = parse::rules(&text).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        Ok(all.into_iter().skip(1000).collect())
    };
    for count in [0, 1, 16, 64] {
        plane.install(&base)?;
        singles(count)?.iter().try_for_each(|rule| plane.add(rule))?;
        let ours = format!("{} / {}", fixed(plane, &Packet::FIXED)?, driver.run(plane.entry(), &packets)?);
        row(
            &format!("1000 rules as a tree and {count} single ones, fixed / random"),
            ours,
            "",
            String::new(),
        );
    }
    plane.install(&base)?;
    // A few of them stand there when the next one comes.
    let mut microseconds: Vec<u128> = Vec::new();
    let rules = singles(ADDS)?;
    for (turn, rule) in rules.iter().enumerate() {
        if let Some(old) = turn.checked_sub(16).and_then(|old| rules.get(old)) {
            plane.remove(&old.id)?;
        }
        let begun = Instant::now();
        plane.add(rule)?;
        microseconds.push(begun.elapsed().as_micros());
    }
    microseconds.sort_unstable();
    let at = |place: usize| microseconds.get(place).copied().unwrap_or(0);
    let ours = format!("{} µs / {} µs / {} µs", at(ADDS / 2), at(ADDS * 99 / 100), at(ADDS - 1));
    row(
        "one rule more beside 1000, in force after: median / 99 of 100 / longest of 1000",
        ours,
        "1 ms",
        String::new(),
    );
    Ok(())
}
