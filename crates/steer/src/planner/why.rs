//! Why a target is sacrificed, in a sentence whose figures can be computed again from the document and the plan.

use std::fmt;

use base::units::{BitRate, PacketRate};

use super::document::Document;
use super::draft::Draft;
use super::finish::Rival;
use super::fit;
use super::model::{Goal, Model, Part};
use super::room::{Room, at};
use super::work::Work;

/// Absorbers named in a sentence.
const NAMED_MAX: usize = 4;
/// Looks for a sentence.
const LOOKS: usize = 100_000;

/// What the sentences are about.
pub(super) struct Story<'a> {
    pub(super) document: &'a Document,
    pub(super) model: &'a Model,
    pub(super) draft: &'a Draft,
}

impl Story<'_> {
    /// The sentence on one target.
    pub(super) fn why(&self, place: usize, rival: Rival) -> String {
        let (Some(goal), Some(target)) = (self.model.goals.get(place), self.document.targets.get(place))
        else {
            return String::new();
        };
        let total: f64 = self.document.targets.iter().map(|target| target.value).sum();
        let who =
            format!("{} is sacrificed (value {} of {})", goal.prefix, Plain(target.value), Plain(total));
        let alone = self.model.limits.clone();
        if let Some(obstacle) = self.obstacle(goal, &alone) {
            return format!("{who}: it could not be kept even alone: {obstacle}");
        }
        let left = self.left();
        let Some(obstacle) = self.obstacle(goal, &left) else {
            return format!("{who}: there is room for it, but it is not worth what it would cost");
        };
        let instead = rival.place_of.and_then(|other| self.document.targets.get(other));
        let rejected = match instead {
            Some(other) => {
                format!("; keeping it would cost {} (value {})", other.prefix, Plain(other.value))
            }
            None if rival.all_asked => "; no single kept target makes room for it".to_owned(),
            None => String::new(),
        };
        format!("{who}: {obstacle}{rejected}")
    }

    /// What is left of the limits as they were given.
    fn left(&self) -> Room {
        let mut left = self.model.limits.clone();
        for (goal, ways) in self.model.goals.iter().zip(&self.draft.kept) {
            let ways = ways.as_deref().unwrap_or_default();
            super::draft::loads(self.model, goal, ways).for_each(|load| left.take(&load));
        }
        left.each_mut().for_each(|number| *number = number.max(0.0));
        left
    }

    /// What keeps a target from fitting into this room; `None`: nothing.
    fn obstacle(&self, goal: &Goal, room: &Room) -> Option<String> {
        let nothing = Room::empty(room);
        let mut work = Work::new(LOOKS);
        if fit::fit(self.model, goal, &mut room.clone(), &nothing, &mut work).is_some() {
            return None;
        }
        let stuck =
            goal.parts.iter().find(|part| fit::all(self.model, goal, part, room, &nothing).is_empty());
        if let Some(part) = stuck {
            return Some(self.stuck(goal, part, room));
        }
        let entries: Vec<&str> = goal.parts.iter().filter_map(|part| self.entry(part.entry)).collect();
        Some(format!("what comes at {} fits one by one, but not together", entries.join(", ")))
    }

    /// Why one part can be treated in no way.
    fn stuck(&self, goal: &Goal, part: &Part, room: &Room) -> String {
        let entry = self.entry(part.entry).unwrap_or_default();
        let slots = at(&room.slots, part.entry);
        let link = at(&room.link, part.entry);
        let mut reasons = Vec::new();
        let open = || part.open.iter().filter(|open| open.slots <= slots);
        let least = open().map(|open| open.link).fold(f64::INFINITY, f64::min);
        let fewest = open().map(|open| open.pps).fold(f64::INFINITY, f64::min);
        if least > goal.max_bps {
            reasons.push(format!(
                "undiverted, {} would reach it of at most {}",
                BitRate(least),
                BitRate(goal.max_bps)
            ));
        } else if least > link {
            reasons.push(format!(
                "undiverted, {} do not fit into the {} left on its link",
                BitRate(least),
                BitRate(link)
            ));
        } else if fewest > goal.max_pps {
            reasons.push(format!(
                "undiverted, {} would reach it of at most {}",
                PacketRate(fewest),
                PacketRate(goal.max_pps)
            ));
        } else {
            reasons
                .push("undiverted, no rules that fit are enough for its link and for it at once".to_owned());
        }
        reasons.push(self.unabsorbed(goal, part, room));
        format!("at {entry}, {}", reasons.join("; "))
    }

    /// Why no absorber takes a part.
    fn unabsorbed(&self, goal: &Goal, part: &Part, room: &Room) -> String {
        let slots = at(&room.slots, part.entry);
        let link = at(&room.link, part.entry).min(goal.max_bps);
        if part.reach.is_empty() {
            let entry = self.entry(part.entry).unwrap_or_default();
            let reached = |one: &super::document::Absorber| one.reaches.iter().any(|name| name == entry);
            return if self.document.absorbers.iter().any(reached) {
                "none of the absorbers that are reached from there may take it".to_owned()
            } else {
                "no absorber is reached from there".to_owned()
            };
        }
        if part.legit > link {
            return format!(
                "its legitimate {} alone are more than the {} that fit",
                BitRate(part.legit),
                BitRate(link)
            );
        }
        let fitting = part.diverted.iter().rfind(|diverted| diverted.slots <= slots);
        let (received, pps) = fitting.map_or((0.0, 0.0), |diverted| (diverted.received, diverted.pps));
        let roomiest = part.reach.iter().map(|k| at(&room.bps, *k)).fold(0.0, f64::max);
        let names: Vec<&str> = part.reach.iter().filter_map(|k| self.absorber(*k)).collect();
        let shown = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let shown = match names.len() {
            0 | 1 => format!("absorber {shown}"),
            n if n <= NAMED_MAX => format!("any of the absorbers {shown}"),
            n => format!("any of {n} absorbers ({shown} …)"),
        };
        if received > roomiest {
            let over = BitRate(received - roomiest);
            return format!("diverted, {} are {over} over what {shown} can still take", BitRate(received));
        }
        let most = part.reach.iter().filter(|k| received <= at(&room.bps, **k));
        let most = most.map(|k| at(&room.pps, *k)).fold(0.0, f64::max);
        let over = PacketRate(pps - most);
        format!("diverted, {} are {over} over what {shown} can still take of it", PacketRate(pps))
    }

    fn entry(&self, place: usize) -> Option<&str> {
        self.document.entries.get(place).map(|entry| entry.name.as_str())
    }

    fn absorber(&self, place: usize) -> Option<&str> {
        self.document.absorbers.get(place).map(|absorber| absorber.name.as_str())
    }
}

/// A number with at most four digits behind the point.
pub(super) struct Plain(pub(super) f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 != 0.0 && !(1e-3..1e15).contains(&self.0) {
            return write!(f, "{:e}", self.0);
        }
        let text = format!("{:.4}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}
