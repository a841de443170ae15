//! What this kernel has of what the programs use, found out by asking it.

use crate::way::has_long_jumps;

/// Something that a kernel has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The kernel that brought it.
    pub since: &'static str,
    /// Whether it is here.
    pub here: bool,
    /// What it is used for.
    pub used_for: &'static str,
    /// What becomes of that without it.
    pub without: &'static str,
}

/// How one asks.
enum Ask {
    /// Whether an XDP program may call the helper of this number.
    Helper(u8),
    /// Whether the verifier knows jumps of 32 bits.
    LongJump,
    /// Whether a program may take frames in several buffers.
    Frags,
}

const PASS: [u8; 8] = [0xb7, 0, 0, 0, 2, 0, 0, 0];
const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// What is asked, and what it means: name, kernel, question, use, without.
const FEATURES: [(&str, &str, Ask, &str, &str); 9] = [
    ("fib lookup", "4.18", Ask::Helper(69), "redirect and tunnels", "the programs do not load"),
    (
        "listener lookup",
        "5.2",
        Ask::Helper(99),
        "challenges with the host's own cookies",
        "the programs do not load",
    ),
    ("ring buffer", "5.8", Ask::Helper(131), "samples", "the programs do not load"),
    ("coarse clock", "5.11", Ask::Helper(160), "timestamps in answers to SYNs", "the programs do not load"),
    (
        "packet octets by helper",
        "5.18",
        Ask::Helper(189),
        "payloads, samples, odd headers",
        "the programs do not load",
    ),
    (
        "frames in several buffers",
        "5.18",
        Ask::Frags,
        "packets longer than 3,500 octets",
        "the common path, or a smaller MTU",
    ),
    (
        "raw SYN cookies",
        "6.0",
        Ask::Helper(204),
        "cookies without a listener here",
        "rules that challenge are refused",
    ),
    (
        "long jumps",
        "6.6",
        Ask::LongJump,
        "more than some 3,000 rules in one program",
        "a set that needs them is refused",
    ),
    ("bounded loop", "5.17", Ask::Helper(181), "nothing yet", "nothing is missing"),
];

/// Asks the kernel for each.
pub fn probe() -> Vec<Feature> {
    let feature = |(name, since, ask, used_for, without): &(
        &'static str,
        &'static str,
        Ask,
        &'static str,
        &'static str,
    )| { Feature { name, since, here: ask.here(), used_for, without } };
    FEATURES.iter().map(feature).collect()
}

impl Ask {
    fn here(&self) -> bool {
        match self {
            Self::LongJump => has_long_jumps(),
            Self::Frags => sys::bpf::load_xdp_for(&[PASS, EXIT], "probe", true).is_ok(),
            // Called without arguments it is refused anyway, but for another reason than that it is not known.
            Self::Helper(number) => {
                let call = [0x85, 0, 0, 0, *number, 0, 0, 0];
                sys::bpf::load_xdp(&[call, PASS, EXIT], "probe").map_or_else(
                    |refused| {
                        let unknown = ["invalid func", "unknown func", "cannot use helper"];
                        !unknown.iter().any(|words| refused.log.contains(words))
                    },
                    |_| true,
                )
            }
        }
    }
}

/// The release of the running kernel, as it calls itself.
pub fn release() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}
