//! The machine: ports, disk, clock, privileges, interfaces.

use api::Finding;

use super::facts::Facts;
use super::{error, note, ok, warning};

/// `CAP_NET_ADMIN`, `CAP_SYS_ADMIN`, `CAP_BPF`: bits of a set of capabilities.
pub(super) const NET_ADMIN: u64 = 1 << 12;
const SYS_ADMIN: u64 = 1 << 21;
const BPF: u64 = 1 << 39;
/// A kept clock that may be off by more than this, in microseconds, is not kept well.
const CLOCK_OFF_MAX: u64 = 1_000_000;
/// Where no flow samples are kept, this should be free, in octets.
const FREE_MIN: u64 = 1 << 30;

/// Whether it runs.
pub(super) fn daemon(facts: &Facts) -> Vec<Finding> {
    let path = facts.config.path.display();
    match (&facts.running, &facts.unheard) {
        (Some(running), _) => vec![ok(
            "daemon",
            format!("spillway {} watches since {}", running.metrics.version, running.since),
        )],
        (None, Some(why)) => vec![
            warning("daemon", format!("a daemon seems to run, but cannot be asked: {why}"))
                .why("what it knows of exporters, peers and drops is missing here")
                .cure(
                    "be root or the daemon's user, or name its API: `spillway doctor --api URL` with a token",
                ),
        ],
        (None, None) => vec![
            warning("daemon", "it does not run")
                .why("nothing is watched")
                .cure(format!("`systemctl start spillway`, or `spillway run -c {path}`")),
        ],
    }
}

/// Ports that somebody else has.
pub(super) fn ports(facts: &Facts) -> Vec<Finding> {
    let found = facts.host.taken.iter().map(|taken| {
        let (who, cure) = match &taken.by {
            Some((pid, name)) => (
                format!("the process {pid} ({name})"),
                format!("stop it (`ps -p {pid}`), or set another `{}`", taken.key),
            ),
            None => (
                "another process".to_owned(),
                format!("`ss -lnp` as root names it; stop it, or set another `{}`", taken.key),
            ),
        };
        error("port-taken", format!("{} is taken by {who}", taken.address))
            .about(&taken.key)
            .why("the daemon cannot start")
            .cure(cure)
    });
    found.collect()
}

/// The state folder.
pub(super) fn state(facts: &Facts) -> Vec<Finding> {
    let (folder, state) = (facts.config.state_dir.display().to_string(), &facts.host.state);
    if !state.exists {
        return vec![note("state-folder", "it is not there yet; the first start makes it").about(folder)];
    }
    if state.read_only {
        return vec![
            error("state-folder", "its disk is mounted read-only")
                .about(folder)
                .why("attacks, rules and the ledger cannot be written")
                .cure("mount it writable: the kernel's log (`dmesg`) says why it is not"),
        ];
    }
    let Some((owner, mode)) = state.owner else { return Vec::new() };
    if let Some(user) = state.user.filter(|user| *user != owner && *user != 0) {
        return vec![
            error("state-folder", format!("it belongs to user {owner}, and the daemon runs as user {user}"))
                .about(&folder)
                .why("nothing can be written there")
                .cure(format!("`chown -R {user} {folder}`")),
        ];
    }
    if mode & 0o077 != 0 {
        return vec![
            warning("state-folder", format!("others may look into it: its mode is {:03o}", mode & 0o777))
                .about(&folder)
                .why("keys, tokens and addresses of others lie there")
                .cure(format!("`chmod 700 {folder}`")),
        ];
    }
    vec![ok("state-folder", "it is the daemon's alone").about(folder)]
}

/// Room on the disk.
pub(super) fn disk(facts: &Facts) -> Vec<Finding> {
    let Some((free, all)) = facts.host.disk else { return Vec::new() };
    let (folder, history) = (facts.config.state_dir.display().to_string(), &facts.config.history);
    let (free_shown, quota) = (megabytes(free), megabytes(history.quota));
    if history.enabled && free < history.free {
        return vec![
            error(
                "disk",
                format!("{free_shown} are free; `history.min_free` keeps {}", megabytes(history.free)),
            )
            .about(folder)
            .why("the oldest flow samples go, then none are kept")
            .cure("make room, move `state_dir`, or lower `history.quota` and `history.min_free`"),
        ];
    }
    if free < if history.enabled { history.free.saturating_mul(2) } else { FREE_MIN } {
        return vec![
            warning("disk", format!("only {free_shown} of {} are free", megabytes(all)))
                .about(folder)
                .why("when it is full, attacks are still detected, but not remembered")
                .cure("make room, or move `state_dir` to another disk"),
        ];
    }
    if history.enabled && free < history.quota {
        return vec![
            note("disk", format!("{free_shown} are free, less than the {quota} that `history.quota` allows"))
                .about(folder)
                .cure("lower `history.quota`, or make room; the oldest samples go first"),
        ];
    }
    vec![ok("disk", format!("{free_shown} are free")).about(folder)]
}

fn megabytes(octets: u64) -> String {
    format!("{} MiB", octets >> 20)
}

/// The clock of this machine.
pub(super) fn clock(facts: &Facts) -> Vec<Finding> {
    match facts.host.clock {
        Some((true, off)) if off <= CLOCK_OFF_MAX => {
            vec![ok("clock", "the clock is kept by NTP or its like")]
        }
        Some((kept, off)) => {
            let what = if kept {
                format!("the clock may be off by {} ms", off / 1_000)
            } else {
                "nothing keeps the clock of this machine right".to_owned()
            };
            vec![
                warning("clock", what)
                    .why("times in evidence and reports cannot be relied upon, and delays of exporters are measured wrong")
                    .cure("`apt install chrony`, or `timedatectl set-ntp true`; in a container the host has to do it"),
            ]
        }
        None => Vec::new(),
    }
}

/// What the kernel lets us do.
pub(super) fn privileges(facts: &Facts) -> Vec<Finding> {
    let config = &facts.config;
    // With `user`, a helper with privileges does what needs them.
    if config.dataplane.interfaces.is_empty() || (config.user.is_some() && facts.running.is_some()) {
        return Vec::new();
    }
    let Some(has) = facts.host.capabilities else { return Vec::new() };
    if has & SYS_ADMIN != 0 || has & (BPF | NET_ADMIN) == BPF | NET_ADMIN {
        return vec![ok("privileges", "filters may be put into the kernel")];
    }
    let who = if facts.running.is_some() { "the daemon lacks" } else { "whoever asks here lacks" };
    let mut missing = Vec::new();
    for (bit, name) in [(BPF, "CAP_BPF"), (NET_ADMIN, "CAP_NET_ADMIN")] {
        if has & bit == 0 {
            missing.push(name);
        }
    }
    let what = format!("{who} {}", missing.join(" and "));
    let found = if facts.running.is_some() { error("privileges", what) } else { note("privileges", what) };
    vec![
        found
            .why("`dataplane.interfaces` is set, and filters cannot be put into the kernel without them")
            .cure("run it by the unit that comes with it, or as root with `user = \"spillway\"`"),
    ]
}

/// Interfaces that shall be filtered.
pub(super) fn interfaces(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    for interface in &facts.host.interfaces {
        let name = &interface.name;
        let xdp = facts.config.dataplane.engine == crate::config::Engine::Xdp;
        if !interface.exists {
            all.push(
                error("interface", "there is no such interface")
                    .about(name)
                    .why("nothing is filtered there")
                    .cure("`ip link` lists them; correct `dataplane.interfaces`"),
            );
            continue;
        }
        if xdp {
            all.push(match interface.xdp {
                Some("generic") => warning("interface", "filters run in generic mode")
                    .about(name)
                    .why("each packet costs the kernel its buffer before it is dropped: a fifth or less of what native mode bears")
                    .cure("a driver with XDP (ixgbe, i40e, ice, mlx5, virtio_net with enough queues); `ethtool -i` names yours"),
                Some(mode) => ok("interface", format!("filters run in {mode} mode")).about(name),
                None if facts.running.is_some() => note("interface", "no XDP program is attached now")
                    .about(name)
                    .why("there is no rule in force, or the mode is not enforce"),
                None => note("interface", "no XDP program is attached").about(name),
            });
        }
        if interface.lro {
            all.push(
                warning("offload", "its card joins packets (LRO)")
                    .about(name)
                    .why("lengths and counts are not those of the packets that came, and most drivers take no XDP with it")
                    .cure(format!("`ethtool -K {name} lro off`")),
            );
        }
    }
    all
}
