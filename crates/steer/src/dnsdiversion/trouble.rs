//! What can be wrong with a server or a name, each with its remedy.

use wire::dns::rcode;

/// Why a look or an update came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nothing came back.
    #[error(
        "the server does not answer: is `server` right, and does a firewall let UDP and TCP port 53 through?"
    )]
    NoAnswer,
    /// The system says why not.
    #[error("the server cannot be reached: {0}; see that it runs and that `server` is right")]
    Unreachable(String),
    /// A response code.
    #[error("the server says {}: {}", rcode::name(*.0), remedy(*.0))]
    Rcode(u8),
    /// The key is not known there.
    #[error(
        "the server says BADKEY: it does not know the key, or (Knot) no `acl` of the zone names it; compare `key_name` and `algorithm` with its configuration"
    )]
    BadKey,
    /// The MAC is wrong.
    #[error("the server says BADSIG: the secrets differ; write the server's own into `key_file`")]
    BadSignature,
    /// The clocks differ.
    #[error("the server says BADTIME: its clock and ours differ{}; set both by NTP", between(*.apart))]
    BadTime {
        /// By so much, seconds.
        apart: Option<u64>,
    },
    /// Another error of RFC 8945.
    #[error("the server refuses the signature with error {0}; see its log")]
    Signature(u16),
    /// The answer may be anybody's.
    #[error(
        "the server's answer is not signed with our key: it does not check signatures, or somebody else answers"
    )]
    Unsigned,
    /// Not the zone's.
    #[error("the server is not authoritative for the zone; `server` has to be its primary")]
    NotAuthoritative,
    /// It cannot be read.
    #[error("the server's answer cannot be read: {0}")]
    Malformed(String),
    /// The name is an alias.
    #[error(
        "the name is an alias (CNAME) of {0}; list that name, if it is in your zone, or give this one addresses"
    )]
    Alias(String),
    /// Nothing to be diverted.
    #[error("the name has no address, so there is nothing to divert; is it spelt right?")]
    Nothing,
    /// It has them already.
    #[error(
        "the name has the absorber's addresses already; what is to come back is not known, so set it by hand"
    )]
    Already,
    /// Too many.
    #[error("the name has {0} addresses, more than are kept")]
    Crowded(usize),
    /// A prerequisite failed.
    #[error(
        "the records are not what they were when we looked: somebody else changes them, or a wildcard or a view answers for the name; give it records of its own"
    )]
    Changed,
    /// The server took it and does not show it.
    #[error("the server took the update, but does not serve it; see its log")]
    NotServed,
}

/// What to do about a response code.
const fn remedy(code: u8) -> &'static str {
    match code {
        rcode::REFUSED => {
            "it does not let this key update the zone, or does not serve it; compare `server` and `zone`, and allow the key there (Knot: `acl` with `action: update`; BIND: `allow-update` or `update-policy`)"
        }
        rcode::NOTAUTH => {
            "it is not the zone's primary or does not know our key; compare `server`, `zone` and `key_name`"
        }
        rcode::NOTZONE => "the name is not in the zone; correct `zone`",
        rcode::SERVFAIL => "it failed, often because it cannot write the zone's file or journal; see its log",
        rcode::NOTIMP => "it does not take dynamic updates (RFC 2136)",
        rcode::FORMERR => "it could not read the message; please report it with the server's version",
        _ => "see its log",
    }
}

fn between(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(" by {seconds} s"))
}

impl Trouble {
    /// Whether it is the name's own state, not a failure that may pass.
    pub const fn is_lasting(&self) -> bool {
        matches!(self, Self::Alias(_) | Self::Nothing | Self::Already | Self::Crowded(_))
    }
}
