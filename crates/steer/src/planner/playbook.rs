//! The playbook: what was measured in peace of announcements, and how much of each entry's traffic they moved where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::document::{Absorber, Refusal};

/// Announcements of a playbook; more are refused.
const MOVES_MAX: usize = 10_000;

/// Measured announcements, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// One for each announcement.
    #[serde(default, rename = "move")]
    pub moves: Vec<Move>,
}

/// What one announcement does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The announcement's name.
    pub announcement: String,
    /// When it was measured, as it was written down.
    pub measured: String,
    /// What it moved.
    #[serde(default, rename = "shift")]
    pub shifts: Vec<Shift>,
}

/// Part of an entry's traffic that comes to an absorber.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// From where.
    pub entry: String,
    /// To whom.
    pub absorber: String,
    /// Which share of it, 0…1.
    pub share: f64,
}

impl Playbook {
    /// Reads TOML, and refuses what contradicts itself.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut book: Self = toml::from_str(text).map_err(|wrong| Refusal {
            place: wrong.span().map_or_else(|| "playbook".to_owned(), |span| format!("octet {}", span.start)),
            what: wrong.message().to_owned(),
        })?;
        book.check()?;
        book.moves.sort_by(|a, b| a.announcement.cmp(&b.announcement));
        Ok(book)
    }

    /// Writes TOML that [`Playbook::read`] reads back.
    pub fn write(&self) -> String {
        let mut out = String::new();
        for one in &self.moves {
            // Writing to a text cannot fail.
            let _ = write!(
                out,
                "[[move]]\nannouncement = {}\nmeasured = {}\n\n",
                quoted(&one.announcement),
                quoted(&one.measured)
            );
            for shift in &one.shifts {
                let (entry, absorber) = (quoted(&shift.entry), quoted(&shift.absorber));
                let share = shift.share;
                let _ = write!(
                    out,
                    "[[move.shift]]\nentry = {entry}\nabsorber = {absorber}\nshare = {share:?}\n\n"
                );
            }
        }
        out
    }

    /// Writes down a measurement; an older one of the same announcement goes.
    pub fn note(&mut self, measured: Move) -> Result<(), Refusal> {
        let mut book = self.clone();
        book.moves.retain(|one| one.announcement != measured.announcement);
        book.moves.push(measured);
        book.moves.sort_by(|a, b| a.announcement.cmp(&b.announcement));
        book.check()?;
        *self = book;
        Ok(())
    }

    /// How much of this traffic (bits/s by entry) an announcement brings to each absorber, and what still enters where;
    /// `None`: it was not measured.
    pub fn predict(&self, announcement: &str, traffic: &BTreeMap<String, f64>) -> Option<Predicted> {
        let one = self.moves.iter().find(|one| one.announcement == announcement)?;
        let mut predicted = Predicted { absorbed: BTreeMap::new(), entering: traffic.clone() };
        for shift in &one.shifts {
            let Some(all) = traffic.get(&shift.entry) else { continue };
            let moved = all * shift.share;
            *predicted.absorbed.entry(shift.absorber.clone()).or_insert(0.0) += moved;
            if let Some(left) = predicted.entering.get_mut(&shift.entry) {
                *left = (*left - moved).max(0.0);
            }
        }
        Some(predicted)
    }

    /// Sets which entries reach which absorbers to what was measured: diversion is all or nothing, so an entry reaches an
    /// absorber if some announcement moved at least this share of its traffic there.
    pub fn reach(&self, absorbers: &mut [Absorber], share: f64) {
        for absorber in absorbers {
            let shifts = self.moves.iter().flat_map(|one| &one.shifts);
            let reached = shifts.filter(|shift| shift.absorber == absorber.name && shift.share >= share);
            let reached: BTreeSet<&str> = reached.map(|shift| shift.entry.as_str()).collect();
            absorber.reaches.retain(|entry| reached.contains(entry.as_str()));
        }
    }

    /// Whether this entry's traffic was led to an absorber, and each time less than this share of it came there.
    pub fn doubts(&self, entry: &str, absorber: &str, share: f64) -> bool {
        let shifts = self.moves.iter().flat_map(|one| &one.shifts);
        let of = shifts.filter(|shift| shift.entry == entry && shift.absorber == absorber);
        of.map(|shift| shift.share).reduce(f64::max).is_some_and(|most| most < share)
    }

    fn check(&self) -> Result<(), Refusal> {
        let refuse = |place: String, what: String| Err(Refusal { place, what });
        if self.moves.len() > MOVES_MAX {
            let what = format!("{} are more than {MOVES_MAX}; keep what is used", self.moves.len());
            return refuse("move".to_owned(), what);
        }
        let mut names = BTreeSet::new();
        for (i, one) in self.moves.iter().enumerate() {
            if !names.insert(&one.announcement) {
                let what = format!("`{}` was measured before; keep the newer one", one.announcement);
                return refuse(format!("move[{i}].announcement"), what);
            }
            let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
            for (j, shift) in one.shifts.iter().enumerate() {
                let place = format!("move[{i}].shift[{j}].share");
                if !(0.0..=1.0).contains(&shift.share) {
                    return refuse(
                        place,
                        format!("{:?} is no share; give a number from 0 to 1", shift.share),
                    );
                }
                let sum = sums.entry(&shift.entry).or_insert(0.0);
                *sum += shift.share;
                if *sum > 1.0 + 1e-9 {
                    let what = format!("more than all of `{}` is moved; measure again", shift.entry);
                    return refuse(place, what);
                }
            }
        }
        Ok(())
    }
}

/// What an announcement is expected to do, bits/s.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    /// By absorber, what comes to it.
    pub absorbed: BTreeMap<String, f64>,
    /// By entry, what still enters there.
    pub entering: BTreeMap<String, f64>,
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
