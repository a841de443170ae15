//! Giving up privileges for good, after everything that needs them was started.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown, lchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, User, getuid, setgroups, setresgid, setresuid};

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
    own(state, (user.uid, user.gid), DEPTH_MAX)
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

/// The folder and everything in it: a service manager hands all of it to root whenever it starts us, and an earlier run may have made some as
/// root. Links are not followed anywhere, and a file that has a second name stays whose it is: nobody else may write there (mode 0700), and
/// either would be a trap.
fn own(path: &Path, owner: (Uid, Gid), depth: u32) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
        .open(path)?;
    // By what was opened, whatever stands at the path meanwhile.
    let folder = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    take(&opened.metadata()?, owner, |uid, gid| fchown(&opened, uid, gid))?;
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        let data = match entry.metadata() {
            Err(cause) if cause.kind() == ErrorKind::NotFound => continue,
            data => data?,
        };
        if data.is_dir() && depth > 0 {
            own(&entry.path(), owner, depth - 1)?;
        } else if !data.is_dir() && data.nlink() == 1 {
            take(&data, owner, |uid, gid| lchown(entry.path(), uid, gid))?;
        }
    }
    Ok(())
}

fn take(
    data: &Metadata,
    (uid, gid): (Uid, Gid),
    chown: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    if (data.uid(), data.gid()) == (uid.as_raw(), gid.as_raw()) {
        return Ok(());
    }
    chown(Some(uid.as_raw()), Some(gid.as_raw()))
}

/// Folders in folders of the state folder; what is deeper is none of ours.
const DEPTH_MAX: u32 = 16;
