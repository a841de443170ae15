//! What the kernel wants to see before it takes programs.

use crate::error::Error;

/// `CAP_NET_ADMIN`, `CAP_SYS_ADMIN`, `CAP_BPF`: bits of a set of capabilities.
const NET_ADMIN: u64 = 1 << 12;
const SYS_ADMIN: u64 = 1 << 21;
const BPF: u64 = 1 << 39;

/// Says at once what would else be refused in many ways.
pub(crate) fn check() -> Result<(), Error> {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return Ok(()) };
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(has) = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()) else {
        return Ok(());
    };
    let enough = has & SYS_ADMIN != 0 || has & (BPF | NET_ADMIN) == BPF | NET_ADMIN;
    if enough { Ok(()) } else { Err(Error::Privileges { what: "filtering in the kernel" }) }
}
