//! A loopback of one's own: what is sent there reaches nobody else.

use std::ffi::OsStr;
use std::process::Command;

use crate::Outcome;

/// Whether this process may have one.
pub fn available() -> bool {
    Command::new("unshare")
        .args(["--net", "ip", "link", "set", "lo", "up"])
        .status()
        .is_ok_and(|status| status.success())
}

/// This program again with `args`, in a network namespace with nothing but a loopback.
pub fn inside<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome<Command> {
    let myself = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]).arg(myself).args(args);
    Ok(command)
}
