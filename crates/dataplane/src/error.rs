//! What can go wrong between here and the kernel.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

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
    /// A rule needs a fixed program that was refused.
    #[error(
        "rule {rule}: Linux {kernel} does not take the program `{program}`, and without it nothing can {action} ({why}); what was in force stays: take such rules out, or a newer kernel"
    )]
    Lacking {
        /// Its id.
        rule: String,
        /// What it asks for.
        action: &'static str,
        /// The program.
        program: &'static str,
        /// The release of the kernel.
        kernel: String,
        /// What the verifier said.
        why: String,
    },
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
    /// A tunnel has no beginning.
    #[error(
        "rule {rule}: this box has no route to {to}, so its tunnel has no source address: {cause}; see `ip route get {to}`"
    )]
    NoWay {
        /// The rule's id.
        rule: String,
        /// The far end.
        to: IpAddr,
        /// The kernel's error.
        cause: io::Error,
    },
    /// More ends of tunnels than there is room for.
    #[error("{given} {what}, {most} at most; name wider prefixes or fewer tunnels")]
    Peers {
        /// Which end.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many fit.
        most: usize,
    },
    /// A way back that cannot be.
    #[error("the way back of {prefix}: {why}")]
    Return {
        /// Whose.
        prefix: base::Prefix,
        /// What is wrong, and what to write.
        why: String,
    },
    /// A way back that would come back.
    #[error(
        "the way back of {prefix}: the tunnel's end {end} lies within the diverted prefix {around}, so its packets would come back here; name an address outside"
    )]
    Swallowed {
        /// Whose.
        prefix: base::Prefix,
        /// The end.
        end: IpAddr,
        /// Where it lies.
        around: base::Prefix,
    },
    /// Two ways back.
    #[error("{0} is declared twice; give it one way back, or discard it")]
    DeclaredTwice(base::Prefix),
    /// More declared prefixes than there is room for.
    #[error("{given} declared prefixes, {most} at most; join neighbours")]
    Declared {
        /// How many were given.
        given: usize,
        /// How many fit.
        most: usize,
    },
    /// More lengths of prefixes than are looked for.
    #[error(
        "the declared {family} prefixes have {given} different lengths, {most} at most; split the wider ones"
    )]
    Lengths {
        /// Of which.
        family: &'static str,
        /// How many were given.
        given: usize,
        /// How many fit.
        most: usize,
    },
    /// The kernel does not take the program of the way back.
    #[error(
        "Linux {kernel} does not take the program `{program}`, and without it nothing goes back ({why}); what was in force stays: leave the ways back out, or a newer kernel"
    )]
    LackingReturn {
        /// The program.
        program: &'static str,
        /// The release of the kernel.
        kernel: String,
        /// What the verifier said.
        why: String,
    },
    /// The interface does not forward.
    #[error(
        "{sysctl} is {value}: `redirect` and ways back need 1, else the kernel finds no way for its packets; `sysctl -w {sysctl}=1`"
    )]
    Forwarding {
        /// The setting.
        sysctl: String,
        /// What it is.
        value: String,
    },
    /// Another command changes the same interface.
    #[error(
        "another command has been changing this interface for {seconds} s; wait for it, or see `ps -C spillway`"
    )]
    Busy {
        /// How long we waited.
        seconds: u32,
    },
    /// Somebody samples already.
    #[error("another capture is running on this interface; end it first: a sample has one reader")]
    Captured,
    /// A set of before cannot be put in force again.
    #[error("{}: {why}; `spillway dataplane attach` with its files does it", path.display())]
    Past {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no rule of that id.
    #[error("no rule {0} is in force; see `spillway dataplane status`")]
    NoRule(String),
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
        "the kernel does not take the program of the rules ({instructions} instructions): {cause}; {}; what was in force stays: give fewer or simpler rules",
        last(log)
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
    Router,
    /// The kernel's SYN proxy does not come about.
    #[error("the gateway mode cannot be set up: {0}")]
    Gateway(String),
    /// Somebody else's program is on the interface.
    #[error(
        "another XDP program{0} is attached to this interface; see `bpftool net`, detach it first or take another interface"
    )]
    Taken(String),
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
    /// No interface of that name.
    #[error("there is no interface {interface} here ({cause}); see `ip link`")]
    NoInterface {
        /// Its name.
        interface: String,
        /// The kernel's error.
        cause: io::Error,
    },
    /// Not allowed to.
    #[error("{what} needs root, or CAP_BPF and CAP_NET_ADMIN; run it with `sudo`")]
    Privileges {
        /// What was tried.
        what: &'static str,
    },
    /// A pin is something else.
    #[error("{} is not what spillway pins there; look at it with `bpftool`, then `spillway dataplane detach` clears the folder", .0.display())]
    Foreign(PathBuf),
    /// A pin is missing or cannot be opened.
    #[error("the pin {} cannot be opened: {cause}; `spillway dataplane attach` makes the pins anew without a gap", pin.display())]
    Damaged {
        /// Its path.
        pin: PathBuf,
        /// The kernel's error.
        cause: io::Error,
    },
    /// The pins belong to another interface, which had this name before.
    #[error("the programs pinned in {} are attached to another interface, which had this name before; `spillway dataplane detach` takes them off it", .0.display())]
    Elsewhere(PathBuf),
    /// A list is longer than the tables may become.
    #[error("the list of {what} has {entries} entries, {most} at most; join neighbours into prefixes")]
    List {
        /// Which list.
        what: &'static str,
        /// Its entries.
        entries: usize,
        /// Those that fit.
        most: usize,
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

/// The line of the verifier's log that says why: the last, but for its statistics.
pub(crate) fn last(log: &str) -> &str {
    const STATISTICS: [&str; 3] = ["processed ", "verification time", "stack depth"];
    let lines = log.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let mut reasons = lines.filter(|line| !STATISTICS.iter().any(|words| line.starts_with(words)));
    reasons.next().unwrap_or("its verifier does not say why")
}

impl Error {
    pub(crate) const fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => Self::Privileges { what },
            _ => Self::System { what, cause },
        }
    }
}
