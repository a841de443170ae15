//! Questions that sums can answer.

use std::path::Path;

use base::{Prefix, Timestamp};

use super::HOST;
use super::book::{Line, Reader};
use super::minutes::Shelf;
use super::plan::plan;
use crate::batch::DIRECTIONS;
use crate::chunk::{Cells, Chunk};
use crate::column::{Column, Field};
use crate::error::HistoryError;
use crate::filter::{Bounds, Known, Left, Missing, Node, Test, ranges};
use crate::query::{Answer, Groups, Kept, Question, Scanned, Sum, Work};
use crate::sample::Direction;

/// What a line has, besides its sums.
const COLUMNS: [Column; 4] = [Column::Target, Column::Direction, Column::Proto, Column::Class];
/// Lines that are added up at once.
const AT_ONCE: usize = 8_192;
/// More ranges of targets than this are found by reading all lines.
const RANGES_MAX: usize = 32;
const ALL: (u128, u128) = (0, u128::MAX);

/// Where sums are.
#[derive(Clone, Copy, Debug)]
pub struct Rollups<'a> {
    /// The file.
    pub file: &'a Path,
    /// What is in memory; `None`: this is not the process that writes.
    pub shelf: Option<&'a Shelf>,
    /// The own networks: nothing that left went there.
    pub networks: &'a [Prefix],
}

/// Why sums cannot answer a question; `None`: they can.
pub fn why_not(question: &Question, networks: &[Prefix]) -> Option<String> {
    narrowed(question, networks).err()
}

/// What is left of the filter, where it asks for what lines have.
fn narrowed(question: &Question, networks: &[Prefix]) -> Result<Left, String> {
    let has = |column: &Column| COLUMNS.contains(column);
    let by = question.by.iter().find(|field| !matches!(field, Field::Of(column) if has(column)));
    if let Some(field) = by {
        return Err(format!("sums are by target, direction, proto and class, not by {}", field.name()));
    }
    if question.step.is_some_and(|step| step.nanos() % super::MINUTE.nanos() != 0) {
        return Err("sums are by minute: ask in steps of whole minutes".to_owned());
    }
    let left = question.filter.root().reduce(&Home(networks.iter().flat_map(ranges).collect()));
    if let Left::Some(node) = &left {
        let mut columns = Vec::new();
        node.columns(&mut columns);
        if let Some(other) = columns.iter().find(|column| !has(column)) {
            let name = other.name().replace('_', "-");
            return Err(format!("sums are by target, direction, proto and class: they know no {name}"));
        }
    }
    Ok(left)
}

/// Nothing that left went to these.
struct Home(Vec<(u128, u128)>);

impl Bounds for Home {
    fn known(&self, column: Column) -> (Known, Missing) {
        match column {
            Column::Foreign => (Known::Home(self.0.clone()), Missing::Never),
            column if column.is_always_there() => (Known::Nothing, Missing::Never),
            _ => (Known::Nothing, Missing::Perhaps),
        }
    }
}

impl Bounds for Line {
    fn known(&self, column: Column) -> (Known, Missing) {
        let known = match column {
            Column::Target => {
                let free = u32::from(HOST.saturating_sub(self.bits));
                let last = self.target | 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
                Known::Numbers(self.target, last)
            }
            Column::Proto => Known::Numbers(u128::from(self.protocol), u128::from(self.protocol)),
            Column::Class => Known::Texts(self.class.clone(), self.class.clone()),
            Column::Direction => {
                Known::Texts(self.direction.name().to_owned(), self.direction.name().to_owned())
            }
            _ => Known::Nothing,
        };
        (known, Missing::Never)
    }
}

/// Answers from sums alone.
///
/// # Errors
/// The question makes no sense, sums cannot answer it, or the file cannot be read.
pub fn ask(rollups: Rollups<'_>, question: &Question, work: &mut Work<'_>) -> Result<Answer, HistoryError> {
    question.check()?;
    let left = narrowed(question, rollups.networks).map_err(HistoryError::Question)?;
    let (reader, marks, memory) = {
        // While this is held, nothing goes from memory into the file.
        let _still = rollups.shelf.map(Shelf::still);
        let reader = Reader::open(rollups.file)?;
        let marks = reader.marks()?;
        (reader, marks, rollups.shelf.map(|shelf| shelf.minutes().lines()).unwrap_or_default())
    };
    let plan = plan((question.from, question.to), question.step, &marks);
    let question = Question { from: plan.from, to: plan.to, ..question.clone() };
    question.check()?;
    let mut scanned = Scanned { partial: plan.partial.clone(), ..Scanned::default() };
    let seeks = match &left {
        Left::Some(node) => targets(node).filter(|ranges| ranges.len() <= RANGES_MAX),
        _ => None,
    };
    let seeks = seeks.unwrap_or_else(|| vec![ALL]);
    let mut tally = Tally::new(&question, left, work.groups_max);
    for (minute, lines) in memory {
        let at = Timestamp::ZERO.plus(super::MINUTE.times(minute));
        if at < plan.from || at >= plan.to {
            continue;
        }
        for (key, sum) in lines {
            scanned.memory += 1;
            tally.take(
                at,
                Line {
                    target: key.target,
                    bits: key.bits,
                    direction: key.direction,
                    protocol: key.protocol,
                    class: key.class.to_owned(),
                    sum,
                },
            );
        }
    }
    // The newest first, as samples are read.
    let minutes = plan.minutes.iter().rev().map(|at| (false, *at));
    let hours = plan.hours.iter().rev().map(|at| (true, *at));
    let mut instants: Vec<(bool, Timestamp)> = minutes.chain(hours).collect();
    instants.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    let (mut by_minute, mut by_hour) = (reader.cursor(false)?, reader.cursor(true)?);
    for (is_hour, at) in instants {
        let over = (work.stop)();
        if over || scanned.rows >= work.rows_max {
            let why = if over {
                "its time is over".to_owned()
            } else {
                format!("{} sums were looked at", scanned.rows)
            };
            scanned.partial =
                Some(format!("{why}: nothing before {at} is in it; ask for less time or narrower"));
            break;
        }
        let cursor = if is_hour { &mut by_hour } else { &mut by_minute };
        cursor.lines(at, &seeks, &mut |line| {
            scanned.rows += 1;
            tally.take(at, line);
        })?;
    }
    scanned.rows += scanned.memory;
    Ok(tally.answer(&question, scanned))
}

/// Ranges of targets without which nothing is asked for.
fn targets(node: &Node) -> Option<Vec<(u128, u128)>> {
    match node {
        Node::And(parts) => parts.iter().find_map(targets),
        Node::Test(Column::Target, test) => match &**test {
            Test::Within(ranges) => Some(ranges.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Lines on their way into groups.
struct Tally {
    groups: Groups,
    left: Left,
    by_target: bool,
    /// To be asked of the filter, and such that are all asked for.
    lines: [Vec<(Timestamp, Line)>; 2],
    /// Of which it cannot be told whether they are asked for.
    unclear: Sum,
}

impl Tally {
    fn new(question: &Question, left: Left, groups_max: usize) -> Self {
        Self {
            groups: Groups::new(question, groups_max),
            left,
            by_target: question.by.contains(&Field::Of(Column::Target)),
            lines: [Vec::new(), Vec::new()],
            unclear: Sum::default(),
        }
    }

    fn take(&mut self, at: Timestamp, line: Line) {
        let sure = if line.bits == HOST {
            false
        } else {
            let left = match &self.left {
                Left::Some(node) => node.reduce(&line),
                other => other.clone(),
            };
            match left {
                Left::Never => return,
                Left::Some(_) => return self.unclear.add(line.sum),
                Left::Always if self.by_target => return self.groups.add_rest(at, line.sum),
                Left::Always => true,
            }
        };
        let [asked, all] = &mut self.lines;
        let lines = if sure { all } else { asked };
        lines.push((at, line));
        if lines.len() >= AT_ONCE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let [asked, all] = self.lines.each_mut().map(std::mem::take);
        if !all.is_empty() {
            self.groups.add(&chunk(&all), None);
        }
        if asked.is_empty() {
            return;
        }
        let chunk = chunk(&asked);
        match &self.left {
            Left::Never => {}
            Left::Always => self.groups.add(&chunk, None),
            Left::Some(node) => self.groups.add(&chunk, Some(&node.mask(&chunk))),
        }
    }

    fn answer(mut self, question: &Question, mut scanned: Scanned) -> Answer {
        self.flush();
        if self.unclear.samples > 0 && scanned.partial.is_none() {
            scanned.partial = Some(format!(
                "{} octets of hosts that were too many to be told apart are not in it; ask for their /24 or /48",
                self.unclear.bytes
            ));
        }
        let mut answer = self.groups.answer(question, scanned);
        answer.kept = Kept::Rollups;
        answer
    }
}

fn chunk(lines: &[(Timestamp, Line)]) -> Chunk {
    let mut chunk = Chunk::weighing(lines.len(), lines.iter().map(|(_, line)| line.sum.samples).collect());
    let numbers = |of: &dyn Fn(&(Timestamp, Line)) -> u64| Cells::Numbers(lines.iter().map(of).collect());
    chunk.put(Column::Time, numbers(&|(at, _)| at.nanos()));
    chunk.put(Column::Proto, numbers(&|(_, line)| u64::from(line.protocol)));
    chunk.put(Column::Packets, numbers(&|(_, line)| line.sum.packets));
    chunk.put(Column::Bytes, numbers(&|(_, line)| line.sum.bytes));
    let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let targets = lines.iter().map(|(_, line)| line.target).collect();
    chunk.put(Column::Target, Cells::Addresses((0..lines.len()).map(place).collect(), targets));
    let ways = lines.iter().map(|(_, line)| u32::from(line.direction == Direction::Out)).collect();
    chunk.put(Column::Direction, Cells::Texts(ways, DIRECTIONS.iter().map(|name| (*name).into()).collect()));
    // Few classes.
    let mut classes: Vec<Box<str>> = Vec::new();
    let keys = lines.iter().map(|(_, line)| {
        let known = classes.iter().position(|class| **class == *line.class);
        place(known.unwrap_or_else(|| {
            classes.push(line.class.as_str().into());
            classes.len() - 1
        }))
    });
    let keys = keys.collect();
    chunk.put(Column::Class, Cells::Texts(keys, classes));
    chunk
}
