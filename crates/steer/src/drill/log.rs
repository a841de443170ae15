//! The last drill of each kind at each neighbour, dated.

use std::collections::BTreeMap;

use base::{Prefix, Span, Timestamp};

use crate::rails::Class;

/// Drills remembered: one for each neighbour, class and address family. The oldest goes first, counted in
/// [`Log::forgotten`].
const RECORDS_MAX: usize = 512;

/// Who saw that a measure acted, and that it was gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// Our own end of the session: it was sent, and the session lived. That is no effect.
    Session,
    /// A router told the route back, over BMP or its session: it was taken. That is no effect yet.
    View,
    /// Probes.
    Probe,
}

impl Witness {
    /// All, the weakest first.
    pub const ALL: [Self; 3] = [Self::Session, Self::View, Self::Probe];

    /// As people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::View => "view",
            Self::Probe => "probe",
        }
    }
}

/// How a drill went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// At which neighbour.
    pub neighbor: String,
    /// Which kind of announcement.
    pub class: Class,
    /// What was announced.
    pub prefix: Prefix,
    /// Who saw it.
    pub witness: Witness,
    /// When it was over.
    pub at: Timestamp,
    /// What went wrong first; `None`: it passed.
    pub wrong: Option<String>,
    /// Time from the announcement until it acted, where it did.
    pub acted: Option<Span>,
    /// Time from the withdrawal until it was gone, where it was.
    pub cleared: Option<Span>,
}

/// How one line of it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The last one failed.
    Failed,
    /// There was none, the last one is too long ago, or nobody looked whether it acted.
    Untried,
    /// The last one passed, within the days asked for.
    Passed,
}

/// The last drills.
#[derive(Clone, Debug, Default)]
pub struct Log {
    last: BTreeMap<(String, Class, bool), Record>,
    /// Records that went for want of room.
    pub forgotten: u64,
}

impl Log {
    /// A drill is over.
    pub fn note(&mut self, record: Record) {
        let key = (record.neighbor.clone(), record.class, record.prefix.is_ipv4());
        self.last.insert(key, record);
        if self.last.len() > RECORDS_MAX
            && let Some(oldest) =
                self.last.iter().min_by_key(|(_, record)| record.at).map(|(key, _)| key.clone())
        {
            self.last.remove(&oldest);
            self.forgotten += 1;
        }
    }

    /// The last drill of a class at a neighbour, for IPv4 or IPv6.
    pub fn last(&self, neighbor: &str, class: Class, ipv4: bool) -> Option<&Record> {
        self.last.get(&(neighbor.to_owned(), class, ipv4))
    }

    /// How a class stands at a neighbour, of drills within this time.
    pub fn standing(
        &self,
        now: Timestamp,
        within: Span,
        neighbor: &str,
        class: Class,
        ipv4: bool,
    ) -> Standing {
        match self.last(neighbor, class, ipv4) {
            None => Standing::Untried,
            Some(record) if record.wrong.is_some() => Standing::Failed,
            Some(record) if record.witness == Witness::Probe && now.since(record.at) <= within => {
                Standing::Passed
            }
            Some(_) => Standing::Untried,
        }
    }

    /// All, by neighbour and class.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.last.values()
    }
}
