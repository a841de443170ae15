//! The playbook in the state folder: what diversions were measured to move, for the plans after them.

use std::path::{Path, PathBuf};

use base::{Span, Timestamp};
use steer::planner::playbook::{Move, Playbook};

/// In the state folder.
const FILE: &str = "playbook.toml";

/// The file, and what it says.
#[derive(Debug, Default)]
pub(super) struct Plays {
    at: PathBuf,
    book: Playbook,
    /// What could not be written down.
    pub(super) left_out: u64,
}

impl Plays {
    /// What earlier runs measured.
    pub(super) fn read(folder: &Path) -> Self {
        let at = folder.join(FILE);
        let book = std::fs::read_to_string(&at).ok().map(|text| {
            Playbook::read(&text).unwrap_or_else(|wrong| {
                tracing::warn!(%wrong, "{FILE} is not understood and left aside: nothing measured is counted on");
                Playbook::default()
            })
        });
        Self { at, book: book.unwrap_or_default(), left_out: 0 }
    }

    /// Writes a measurement down, instead of an older one of the same announcement.
    pub(super) fn note(&mut self, measured: Move) {
        if let Err(refusal) = self.book.note(measured) {
            self.left_out += 1;
            tracing::warn!(%refusal, left_out = self.left_out, "a measurement finds no place in {FILE}");
            return;
        }
        let fresh = self.at.with_extension("toml.new");
        let written =
            std::fs::write(&fresh, self.book.write()).and_then(|()| std::fs::rename(&fresh, &self.at));
        if let Err(cause) = written {
            self.left_out += 1;
            tracing::warn!(%cause, left_out = self.left_out, "{FILE} cannot be written: a restart forgets what was measured");
        }
    }

    /// All that was measured.
    pub(super) const fn all(&self) -> &Playbook {
        &self.book
    }

    /// What was measured within this time.
    pub(super) fn within(&self, now: Timestamp, span: Span) -> Playbook {
        let is_young = |one: &&Move| {
            let at = one.measured.parse::<Timestamp>();
            at.is_ok_and(|at| now.since(at) <= span)
        };
        Playbook { moves: self.book.moves.iter().filter(is_young).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steer::planner::playbook::Shift;

    #[test]
    fn what_was_measured_outlives_a_restart_and_does_not_count_for_ever() {
        let folder = std::env::temp_dir().join(format!("spillway-plays-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let now = Timestamp::from_secs(1_800_000_000);
        let one = |announcement: &str, at: Timestamp| Move {
            announcement: announcement.to_owned(),
            measured: at.to_string(),
            shifts: vec![Shift { entry: "north".to_owned(), absorber: "a".to_owned(), share: 0.1 }],
        };
        let mut plays = Plays::read(&folder);
        plays.note(one("2001:db8:1::/48 to a at edge", now.minus(Span::from_secs(100))));
        plays.note(one("198.51.100.0/24 to a at edge", now));
        let plays = Plays::read(&folder);
        assert_eq!(plays.all().moves.len(), 2);
        let young = plays.within(now, Span::from_secs(50));
        assert_eq!(young.moves, [one("198.51.100.0/24 to a at edge", now)]);
        assert!(young.doubts("north", "a", 0.5) && !young.doubts("north", "b", 0.5));
        std::fs::write(folder.join(FILE), "move = 1").unwrap();
        assert_eq!(Plays::read(&folder).all(), &Playbook::default());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
