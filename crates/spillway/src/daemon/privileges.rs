//! Giving up privileges for good, after everything that needs them was started.

use std::path::Path;

use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, User, chown, getuid, setgroups, setresgid, setresuid};

use crate::privacy::Keys;

/// Becomes `name`, with its group alone and without capabilities; the state folder becomes its own.
pub(super) fn drop_to(name: &str, state: &Path) -> anyhow::Result<()> {
    let user = User::from_name(name).context("cannot look users up")?;
    let Some(user) = user else {
        bail!("there is no user `{name}` (`user`); `useradd --system {name}` makes one");
    };
    if getuid() == user.uid {
        return Ok(());
    }
    if !getuid().is_root() {
        bail!("only root can become `{name}` (`user`); start the daemon as root, or leave `user` out");
    }
    own(state, user.uid, user.gid)
        .with_context(|| format!("cannot hand {} over to `{name}`", state.display()))?;
    let refused = || format!("cannot become `{name}` (`user`)");
    setgroups(&[user.gid]).with_context(refused)?;
    setresgid(user.gid, user.gid, user.gid).with_context(refused)?;
    // From root to another user: the kernel takes all capabilities with it.
    setresuid(user.uid, user.uid, user.uid).with_context(refused)?;
    nix::sys::prctl::set_no_new_privs().with_context(refused)?;
    tracing::info!(user = name, "privileges are given up; the helper alone has them");
    Ok(())
}

/// The folder with the keys of its days, and the files in it, which an earlier run may have made as root. Links are not followed anywhere: nobody
/// else may write there (mode 0700), and a link would be a trap.
fn own(folder: &Path, uid: Uid, gid: Gid) -> anyhow::Result<()> {
    chown(folder, Some(uid), Some(gid))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            chown(&entry.path(), Some(uid), Some(gid))?;
        } else if kind.is_dir() && entry.path() == Keys::folder(folder) {
            own(&entry.path(), uid, gid)?;
        }
    }
    Ok(())
}
