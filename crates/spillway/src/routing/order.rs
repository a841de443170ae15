//! What can be asked of the desk, and what it answers: the same words on the control socket and in `-o json`.

mod change;

use serde::{Deserialize, Serialize};
use steer::absorb::Lost;
use steer::absorb::word::Load;
use steer::book::Actor;
use steer::rails::Class;

/// The longest reason that is taken, in octets.
const REASON_MAX: usize = 1000;

/// Whether a reason is one.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fits(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("an order that changes something needs a reason: add --reason TEXT".to_owned());
    }
    if reason.len() > REASON_MAX {
        return Err(format!("a reason has at most {REASON_MAX} octets: shorten it"));
    }
    Ok(())
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person, by name.
    Person(String),
    /// The engine, by itself: it agrees to nothing, and what it alone wanted ends with it.
    Engine,
}

impl Caller {
    /// As it stands in a journal.
    pub(crate) fn name(&self) -> String {
        self.actor().to_string()
    }

    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Person(name) => Actor::Person(name.clone()),
            Self::Engine => Actor::Engine,
        }
    }
}

/// What is to be announced, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// A prefix, or a rule.
    pub what: String,
    /// At these neighbours; empty: at all that carry the class and speak the family.
    pub peers: Vec<String>,
    /// Seconds; `None`: the rule's own, else the configured lease.
    pub hold: Option<u64>,
    /// Why.
    pub reason: String,
    /// Nothing is done: only what would be.
    pub dry_run: bool,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// How the sessions are.
    Peers,
    /// How those are that take what is diverted.
    Absorbers,
    /// The plan for all attacks that go on.
    Plan,
    /// What diversions were measured to move.
    Playbook,
    /// How those are that tell us of routes and of the RPKI.
    Status,
    /// To whom an address belongs, by the routes that were told.
    Origin {
        /// The address.
        address: std::net::IpAddr,
    },
    /// What is proposed and what holds.
    List,
    /// What was done, newest first: of one mitigation or of all.
    History {
        /// Number of the mitigation.
        id: Option<u64>,
        /// Lines at most.
        limit: u32,
    },
    /// Announce.
    Announce(Request),
    /// End it.
    Withdraw {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Agree to it.
    Approve {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Do not agree: the proposal is gone.
    Reject {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// It shall go on for so long from now.
    Renew {
        /// Number of the mitigation.
        id: u64,
        /// Seconds; `None`: the configured lease.
        hold: Option<u64>,
        /// Why.
        reason: String,
    },
    /// All is well with it: it does not revert.
    Confirm {
        /// Number of the mitigation.
        id: u64,
        /// Why.
        reason: String,
    },
    /// Let the routes of a mitigation out of quarantine at a neighbour.
    Release {
        /// Number of the mitigation.
        id: u64,
        /// The neighbour; `None`: all.
        peer: Option<String>,
        /// Why.
        reason: String,
    },
    /// Run fire drills.
    Drill(Drills),
    /// How they go: lines since this one.
    DrillProgress {
        /// Lines that are known.
        after: usize,
    },
    /// End them.
    DrillStop {
        /// Why.
        reason: String,
    },
    /// How the last drill of each kind went.
    DrillList,
    /// Withdraw everything, and begin nothing.
    Panic {
        /// Why.
        reason: String,
    },
    /// Things may begin again.
    Resume {
        /// Why.
        reason: String,
    },
}

/// A neighbour's session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Its AS.
    pub asn: u32,
    /// `established`, or where the session stands.
    pub state: String,
    /// Seconds for which an established peer has said nothing, if that is longer than the agreed hold time.
    #[serde(default)]
    pub silent_secs: Option<u64>,
    /// Sessions that came up since the start.
    pub ups: u64,
    /// Why the last one ended.
    pub last_down: Option<String>,
    /// What it is told.
    pub carries: Vec<String>,
    /// Families that are offered.
    pub families: Vec<String>,
    /// What is known of its kind.
    pub profile: String,
    /// Routes that it shall have.
    pub wanted: usize,
    /// Routes that it has by our knowledge.
    pub held: usize,
    /// Of these, sent too recently to be sure that it lives with them.
    pub unproven: usize,
    /// Routes that it did not survive.
    pub quarantined: usize,
    /// The last fire drill of each kind.
    pub drills: Vec<Drilled>,
}

/// An absorber that is spoken with, or an upstream that discards what it is told to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absorber {
    /// Its name here.
    pub name: String,
    /// Where it listens.
    pub control: String,
    /// Its key; an upstream has none.
    pub fingerprint: String,
    /// `up`, `down`, or `distrusted`: what it says of its load is not true.
    pub state: String,
    /// Why it is not up.
    pub reason: Option<String>,
    /// Its own name.
    pub says: Option<String>,
    /// `scrub`, `null`, or `upstream`.
    pub kind: Option<String>,
    /// What comes in there at most, by its own word.
    pub capacity: Option<Load>,
    /// What could come beside what comes, by its own word.
    pub free: Option<Load>,
    /// Rules of ours that are in force there.
    pub rules: Option<usize>,
    /// Rules that would find room.
    pub rules_free: Option<usize>,
    /// Prefixes that it takes at most.
    #[serde(default)]
    pub prefixes_max: Option<usize>,
    /// Prefixes that would find room.
    pub prefixes_free: Option<usize>,
    /// Links behind an upstream: what comes by these it can discard.
    #[serde(default)]
    pub links: Vec<String>,
    /// What is not known of it.
    #[serde(default)]
    pub note: Option<String>,
    /// Milliseconds since it said something.
    pub heard_ms_ago: Option<u64>,
    /// What it takes.
    pub prefixes: Vec<AbsorberPrefix>,
}

/// A prefix that an absorber takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsorberPrefix {
    /// Which.
    pub prefix: String,
    /// `idle`, `waiting`, `stands` or `refused`; at an upstream as of a mitigation at a neighbour.
    pub state: String,
    /// Why it was refused, or why its newest rules were.
    pub reason: Option<String>,
    /// How what is clean goes back: `routed`, `gre`, `ipip` or `none`.
    pub returns: Option<String>,
    /// Bits per second that it is trusted with at most.
    pub capacity_bps: u64,
    /// What came in the last second.
    pub received: Option<Load>,
    /// What was dropped of it.
    pub dropped: Option<Load>,
    /// What went back: counted on its way into the tunnel, or what its own routes got where it is `routed`.
    pub returned: Option<Load>,
    /// Packets per second that no rule dropped and that did not go back, by why; `None`: nobody counts them.
    #[serde(default)]
    pub lost: Option<Lost>,
    /// What is wrong with the way back, and what to do.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// What one announcement was measured to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// Its name: what, to whom, and where it was announced.
    pub announcement: String,
    /// When it was measured.
    pub measured: String,
    /// How much of each entry's traffic came to which absorber.
    pub shifts: Vec<Shifted>,
}

/// A part of an entry's traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shifted {
    /// From where.
    pub entry: String,
    /// To whom.
    pub absorber: String,
    /// Percent of it.
    pub percent: u8,
}

/// Which fire drills are to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drills {
    /// At these neighbours; empty: at all.
    pub peers: Vec<String>,
    /// Of these classes; empty: of all that a neighbour carries.
    pub classes: Vec<String>,
    /// While attacks go on, too.
    pub anyway: bool,
    /// Why.
    pub reason: String,
}

/// How a fire drill went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// At which neighbour.
    pub peer: String,
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// What was announced.
    pub prefix: String,
    /// When it was over.
    pub at: String,
    /// `passed`: it was seen to act and to end; `taken` by a router, `sent`: it was not seen; `failed`.
    pub result: String,
    /// `probe`: its effect was seen; `view`: a router took it; `session`: it was sent.
    pub seen_by: String,
    /// What went wrong.
    pub wrong: Option<String>,
    /// Milliseconds until it acted, where it did.
    pub acted_after_ms: Option<u64>,
    /// Milliseconds until it was gone, where it was.
    pub gone_after_ms: Option<u64>,
}

/// How fire drills go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whether some are left.
    pub running: bool,
    /// What happened since.
    pub lines: Vec<String>,
    /// Those that are over.
    pub records: Vec<Drilled>,
    /// Those that proved nothing, for a reason that is not the neighbour's.
    pub unfinished: usize,
}

/// An RPKI cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// Where it listens.
    pub address: String,
    /// Validated ROA payloads that it told; `None`: nothing that holds now.
    pub payloads: Option<usize>,
    /// Conversations that ended because of what it sent.
    pub faults: u64,
}

/// Who tells us of routes and of the RPKI, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// RPKI caches, the most trusted first.
    pub caches: Vec<Cache>,
    /// Where routers tell over BMP; `None`: nowhere.
    pub bmp: Option<String>,
    /// Routers that are connected there.
    pub routers: usize,
    /// Messages of theirs that could not be read, and streams that had to be closed.
    pub faults: u64,
    /// Routers and peers beyond what is taken at once.
    pub turned_away: u64,
    /// Prefixes whose origin is known.
    pub prefixes: usize,
    /// Routes that found no room.
    pub left_out: u64,
    /// Updates of which a part could not be believed.
    pub damaged: u64,
    /// Whether one of them tells all of IPv4.
    pub whole_ipv4: bool,
    /// And of IPv6.
    pub whole_ipv6: bool,
}

/// To whom an address belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address.
    pub address: String,
    /// The longest prefix that holds it.
    pub prefix: Option<String>,
    /// The ASes that originate that prefix.
    pub origins: Vec<u32>,
    /// Whether anybody routes it; `None`: nobody who would know has told us.
    pub routed: Option<bool>,
}

/// A mitigation at one neighbour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The neighbour.
    pub peer: String,
    /// `announced`, `waiting` (for the session, or its turn), `quarantined` or `refused`.
    pub state: String,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// A mitigation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mitigation {
    /// Its number; `None`: it was only asked what would be.
    pub id: Option<u64>,
    /// `blackhole`, `diversion` or `flowspec`.
    pub class: String,
    /// A prefix, or a rule.
    pub what: String,
    /// `proposed`, `starting` or `active`.
    pub state: String,
    /// What it does to traffic.
    pub effect: String,
    /// Where.
    pub peers: Vec<At>,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub asked_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ends by itself; of a proposal, when it is forgotten.
    pub until: String,
    /// Who agreed.
    pub approved_by: Vec<String>,
    /// How many have to.
    pub approvals_needed: u8,
    /// When it reverts unless a person confirms it.
    #[serde(default)]
    pub confirm_by: Option<String>,
    /// How the service does since.
    #[serde(default)]
    pub outcome: Option<Doing>,
}

/// How a service does since a measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    /// `better`, `same`, `worse` or `unknown`.
    pub is: String,
    /// Which signal says so, with its figures; or why nothing can be said.
    pub reason: String,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub number: u64,
    /// When.
    pub at: String,
    /// Number of the mitigation.
    pub mitigation: Option<u64>,
    /// What happened.
    pub event: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// To what.
    pub what: String,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Sessions.
    Peers(Vec<Peer>),
    /// Who takes what is diverted.
    Absorbers(Vec<Absorber>),
    /// The plan; `null`: nothing is attacked.
    Plan(serde_json::Value),
    /// Measured announcements.
    Playbook(Vec<Played>),
    /// Who tells us.
    Status(Status),
    /// Where an address belongs.
    Origin(Origin),
    /// How drills go.
    Drill(Progress),
    /// How drills went, newest first.
    Drills(Vec<Drilled>),
    /// Mitigations, and whether announcements are frozen.
    List {
        /// Since the panic button.
        frozen: bool,
        /// By number.
        mitigations: Vec<Mitigation>,
    },
    /// One mitigation.
    One(Box<Mitigation>),
    /// What was done.
    History(Vec<Past>),
    /// It is done; so many mitigations were concerned.
    Done(usize),
    /// It is done, and by this exception the engine does not do it again for a while.
    TakenBack(serde_json::Value),
}

/// The class of this name.
pub(super) fn class(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.as_str() == name)
}
