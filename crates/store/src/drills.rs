//! Fire drills beside the journal of mitigations: the last one of each kind at each neighbour.

use base::{Span, Timestamp};
use rusqlite::params;

use crate::writer::{nanos, time};
use crate::{Journal, StoreError};

/// Drills that are kept; the oldest go first.
const DRILLS_MAX: u32 = 512;

/// How a drill went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drilled {
    /// At which neighbour.
    pub neighbor: String,
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// Whether its prefix is one of IPv4.
    pub ipv4: bool,
    /// What was announced.
    pub prefix: String,
    /// When it was over.
    pub at: Timestamp,
    /// Who saw it act.
    pub witness: String,
    /// What went wrong; `None`: it passed.
    pub wrong: Option<String>,
    /// Time until it acted, where it did.
    pub acted: Option<Span>,
    /// Time until it was gone, where it was.
    pub cleared: Option<Span>,
}

impl Journal {
    /// A drill is over: it takes the place of the last one of its kind.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn drilled(&mut self, one: &Drilled) -> Result<(), StoreError> {
        let span = |span: Option<Span>| span.map(|span| i64::try_from(span.nanos()).unwrap_or(i64::MAX));
        let tx = self.db.transaction()?;
        tx.execute(
            "INSERT OR REPLACE INTO drills (neighbor, class, ipv4, prefix, at, witness, wrong, acted, cleared)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                one.neighbor,
                one.class,
                one.ipv4,
                one.prefix,
                nanos(one.at),
                one.witness,
                one.wrong,
                span(one.acted),
                span(one.cleared)
            ],
        )?;
        tx.execute(
            "DELETE FROM drills WHERE (neighbor, class, ipv4) NOT IN
             (SELECT neighbor, class, ipv4 FROM drills ORDER BY at DESC LIMIT ?1)",
            [DRILLS_MAX],
        )?;
        Ok(tx.commit()?)
    }

    /// The last drills, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn drills(&self) -> Result<Vec<Drilled>, StoreError> {
        let mut query = self.db.prepare(
            "SELECT neighbor, class, ipv4, prefix, at, witness, wrong, acted, cleared FROM drills
             ORDER BY at DESC, neighbor, class, ipv4",
        )?;
        let span =
            |nanos: Option<i64>| nanos.map(|nanos| Span::from_nanos(u64::try_from(nanos).unwrap_or(0)));
        let rows = query.query_map([], |row| {
            Ok(Drilled {
                neighbor: row.get(0)?,
                class: row.get(1)?,
                ipv4: row.get(2)?,
                prefix: row.get(3)?,
                at: time(row.get(4)?),
                witness: row.get(5)?,
                wrong: row.get(6)?,
                acted: span(row.get(7)?),
                cleared: span(row.get(8)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
