//! What is said: requests of the brain, answers and reports of the absorber.

use base::Prefix;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Lost;

/// Both ends must speak the same one.
pub const VERSION: u32 = 1;
/// Prefixes that an absorber declares, or holds, at most.
pub const PREFIXES_MAX: usize = 256;
/// Rules for one prefix at most.
pub const RULES_MAX: usize = 1024;
/// Rules whose counters one report has at most; the first ones, and the others are left out and counted.
pub const REPORTED_MAX: usize = 512;
/// Octets of a name at most.
pub const NAME_MAX: usize = 64;
/// How ids of the absorber's own rules begin; nobody else's may.
pub const RESERVED: &str = "absorber-";
/// The longest lease, in seconds.
pub const LEASE_MAX: u64 = 3600;

/// What becomes of traffic at an absorber.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It filters by rules and returns what is clean.
    #[default]
    Scrub,
    /// It counts and discards.
    Null,
}

impl Kind {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scrub => "scrub",
            Self::Null => "null",
        }
    }
}

/// How clean traffic goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Back {
    /// By the absorber's own routes.
    #[default]
    Routed,
    /// In GRE (RFC 2784).
    Gre,
    /// In IP (RFC 2003, RFC 2473).
    Ipip,
    /// Nothing goes back.
    None,
}

impl Back {
    /// As people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Routed => "routed",
            Self::Gre => "gre",
            Self::Ipip => "ipip",
            Self::None => "none",
        }
    }
}

/// Traffic per second on layer 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Bits per second.
    pub bps: u64,
    /// Packets per second.
    pub pps: u64,
}

impl Load {
    /// Both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { bps: self.bps.saturating_add(other.bps), pps: self.pps.saturating_add(other.pps) }
    }

    /// What is left of it beside the other.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self { bps: self.bps.saturating_sub(other.bps), pps: self.pps.saturating_sub(other.pps) }
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { bps: self.bps.max(other.bps), pps: self.pps.max(other.pps) }
    }

    /// Whether the other has room in it.
    pub const fn fits(self, other: Self) -> bool {
        other.bps <= self.bps && other.pps <= self.pps
    }
}

/// What an absorber's owner lets it take for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// What becomes of it.
    pub kind: Kind,
    /// Prefixes, and how what is clean goes back to each.
    pub prefixes: Vec<(Prefix, Back)>,
    /// What comes in at most.
    pub capacity: Load,
    /// Rules at one time, for all prefixes together.
    pub rules: usize,
    /// Prefixes at one time.
    pub held: usize,
    /// What comes is counted there: its reports say what a diversion moves.
    #[serde(default)]
    pub counts: bool,
}

/// What the brain says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Ask {
    /// The first word.
    Hello {
        /// Of who speaks.
        version: u32,
        /// Who.
        name: String,
    },
    /// Accept a prefix with these rules; where it is held, these are its rules from now on.
    Take {
        /// The answer has the same.
        number: u64,
        /// What will be led here.
        prefix: Prefix,
        /// Its rules as text, without leases.
        rules: Vec<String>,
        /// What the brain thinks will come.
        expects: Load,
        /// Seconds.
        lease: u64,
    },
    /// These go on, where their rules are what the brain thinks.
    Renew {
        /// The answer has the same.
        number: u64,
        /// Seconds from now.
        lease: u64,
        /// Prefixes, and the digest of each one's rules.
        holds: Vec<(Prefix, String)>,
    },
    /// Let go of it.
    Release {
        /// The answer has the same.
        number: u64,
        /// Of what.
        prefix: Prefix,
    },
}

/// A prefix that an absorber holds for the brain that it speaks with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Which.
    pub prefix: Prefix,
    /// Of its rules: [`digest`].
    pub digest: String,
    /// Milliseconds until its lease ends.
    pub left_ms: u64,
}

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The owner of the absorber did not declare it.
    NotDeclared,
    /// There is no room.
    Full,
    /// Another brain has it.
    Held,
    /// What is clean would not come back.
    NoReturn,
    /// A rule cannot be in force here.
    Rule,
    /// The kernel did not take it.
    Kernel,
    /// It is no sensible request.
    Request,
}

/// What one prefix gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// What came.
    pub received: Load,
    /// What rules dropped of it.
    pub dropped: Load,
    /// What went back: counted on its way into the tunnel where `measured`, else what no rule dropped and the machine's own routes got.
    pub returned: Load,
    /// What did neither, where it is counted.
    #[serde(default, skip_serializing_if = "Lost::is_none")]
    pub lost: Lost,
    /// Whether what went back is counted on its way out.
    #[serde(default)]
    pub measured: bool,
}

impl Traffic {
    /// What is wrong with the way back, and what to do, where more than a little is lost on it.
    pub fn trouble(&self) -> Option<String> {
        self.lost.trouble(self.received.less(self.dropped).pps)
    }
}

/// How an absorber is, once a second.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What each prefix of the brain gets. One of which nothing was measured since it is held, or since the absorber was started, is
    /// not among them: no word is not the word that nothing comes.
    pub prefixes: Vec<(Prefix, Traffic)>,
    /// What could come beside what comes and is promised, for all brains together.
    pub free: Load,
    /// Rules that would find room.
    pub rules_free: usize,
    /// Prefixes that would find room.
    pub prefixes_free: usize,
    /// Rules in force: id, packets decided, packets dropped, since they are there.
    pub rules: Vec<(String, u64, u64)>,
    /// Rules that are not among these.
    pub left_out: usize,
}

/// What the absorber says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "tell")]
pub enum Tell {
    /// The answer to the first word.
    Welcome {
        /// Of who speaks.
        version: u32,
        /// Who.
        name: String,
        /// What it may take.
        declared: Declared,
        /// What it holds of this brain's.
        holds: Vec<Hold>,
    },
    /// It is in force.
    Taken {
        /// Of the request.
        number: u64,
        /// Which.
        prefix: Prefix,
        /// Of the rules that are in force.
        digest: String,
        /// Seconds that were granted.
        lease: u64,
    },
    /// It is not; what was is.
    Refused {
        /// Of the request.
        number: u64,
        /// Which.
        prefix: Prefix,
        /// Why.
        why: Reason,
        /// Why, for people.
        text: String,
    },
    /// All that is held of this brain's, after a renewal or a release.
    Holds {
        /// Of the request.
        number: u64,
        /// Each.
        holds: Vec<Hold>,
    },
    /// Its lease ended.
    Ended {
        /// Which.
        prefix: Prefix,
    },
    /// How it is.
    Report(Report),
    /// It cannot be spoken with; the conversation ends.
    Wrong {
        /// Why.
        text: String,
    },
}

/// What a set of rules is, whatever its lease: both ends come to the same.
pub fn digest(prefix: &Prefix, rules: &[String]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("{prefix}\n"));
    for rule in rules {
        digest.update(format!("{rule}\n"));
    }
    let octets = digest.finalize();
    octets.iter().take(16).fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}
