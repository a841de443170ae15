//! What can go wrong between here and the kernel.

use std::io;

/// Why the kernel does not filter as it was told. The old rules stay.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// clang was missing when this was built.
    #[error(
        "this binary was built without kernel programs; build it where clang and libbpf-dev are installed"
    )]
    NotBuilt,
    /// The fixed programs were refused.
    #[error("the kernel does not take the fixed programs: {0}")]
    Fixed(String),
    /// More rules than there is room for.
    #[error("{rules} rules, the kernel's tables hold {most}")]
    TooMany {
        /// Rules given.
        rules: usize,
        /// Rules that fit.
        most: usize,
    },
    /// A rule asks for something that the programs do not do.
    #[error("rule {rule}: the kernel programs do not {action}; use pass, drop, rate or challenge")]
    Action {
        /// Its id.
        rule: String,
        /// What it asks for.
        action: &'static str,
    },
    /// They did not become a program.
    #[error(transparent)]
    Compile(#[from] rules::compile::bpf::Error),
    /// They do not fit into the tables of the engine that interprets them.
    #[error(transparent)]
    Tables(#[from] rules::compile::bpf::tables::Error),
    /// Neither way.
    #[error("{tree}; and as tables: {tables}")]
    Neither {
        /// Why they became no program.
        tree: Box<Self>,
        /// Why they do not fit into tables.
        tables: rules::compile::bpf::tables::Error,
    },
    /// A single rule, and a set that another process has put in force.
    #[error("this process does not know the rules in force; put a whole set in force first")]
    NotOurs,
    /// A single rule whose id is taken.
    #[error("rule {0} is in force already; remove it first or choose another id")]
    Twice(String),
    /// No rule has this id.
    #[error("no rule {0} is in force; see `spillway dataplane status`")]
    Unknown(String),
    /// Too many single rules.
    #[error(
        "{most} single rules are in force beside their set, or its table is full; put a whole set in force"
    )]
    Added {
        /// So many at most.
        most: usize,
    },
    /// The program of the rules was refused.
    #[error(
        "the kernel does not take the program of the rules ({instructions} instructions): {cause}; {log}"
    )]
    Refused {
        /// Its size.
        instructions: usize,
        /// The kernel's error.
        cause: io::Error,
        /// What its verifier said last.
        log: String,
    },
    /// Cookies would be answered with a reset.
    #[error(
        "net.ipv4.tcp_syncookies is {0}: `challenge` needs 2, else the kernel does not know the cookies when they come back; `sysctl -w net.ipv4.tcp_syncookies=2`"
    )]
    Cookies(String),
    /// Nothing is forwarded here.
    #[error(
        "net.ipv4.ip_forward is 0, and so is net.ipv6.conf.all.forwarding: the gateway mode protects what this machine forwards; take `--challenge host` for its own listeners"
    )]
    Forwarding,
    /// The kernel's SYN proxy does not come about.
    #[error("the gateway mode cannot be set up: {0}")]
    Gateway(String),
    /// Somebody else's program is on the interface.
    #[error(
        "another XDP program is attached to this interface; see `ip link`, detach it first or take another interface"
    )]
    Taken,
    /// Too many entries with a scope or ceiling.
    #[error(
        "{source_prefix}: a source may stand in a list with {} scopes at most, and all lists together with {}; merge some of them",
        crate::scope::CHAIN_MAX,
        crate::scope::SCOPES_MAX
    )]
    Scopes {
        /// The source.
        source_prefix: base::Prefix,
    },
    /// A source and a destination that no packet has.
    #[error("{source_prefix}: the destination is of the other address family; no packet has both")]
    Families {
        /// The source.
        source_prefix: base::Prefix,
    },
    /// A system call failed.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The kernel's error.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    pub(crate) const fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}
