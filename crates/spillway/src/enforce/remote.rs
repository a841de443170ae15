//! An enforcer in another process: the privileged helper, as the daemon sees it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::rules::Rule;
use anyhow::{Context as _, bail};

use super::protocol::{Kind, PART, Reply, Request, VERSION, hear, pair, patience, say};
use super::{Counted, Done, Enforcer, Wanted};

/// The helper answers within this, or something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The helper's process, from this end. It ends when this is dropped; what is in the kernel stays.
#[derive(Clone, Debug)]
pub(crate) struct Helper {
    talk: Arc<Mutex<Talk>>,
    ear: Arc<UnixDatagram>,
}

#[derive(Debug)]
struct Talk {
    end: OwnedFd,
    number: u64,
}

impl Helper {
    /// Starts it with the privileges that this process has.
    pub(crate) fn start(config: &Path) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find this program to start its helper")?;
        let path = std::path::absolute(config)?;
        let (ours, theirs) = pair().context("cannot make sockets for the helper")?;
        let (ear, mouth) = UnixDatagram::pair().context("cannot make sockets for the helper")?;
        patience(&ours, PATIENCE)?;
        let mut child = Command::new(own)
            .args(["helper".as_ref(), "-c".as_ref(), path.as_os_str()])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(OwnedFd::from(mouth)))
            // Ctrl-C on the terminal is meant for the daemon.
            .process_group(0)
            .spawn()
            .context("cannot start the helper")?;
        // Reaped when it ends, whenever that is.
        std::thread::Builder::new().name("reap".to_owned()).spawn(move || child.wait())?;
        let talk = Arc::new(Mutex::new(Talk { end: ours, number: 0 }));
        Ok(Self { talk, ear: Arc::new(ear) })
    }

    /// Where it tells of local packets.
    pub(crate) fn ear(&self) -> std::io::Result<UnixDatagram> {
        self.ear.try_clone()
    }

    /// Says something and hears the answers, the last of which is given back.
    fn ask(&self, request: Request, mut each: impl FnMut(&Reply) -> bool) -> anyhow::Result<Reply> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        talk.number += 1;
        let gone =
            "the helper is gone; what it put in the kernel stays until its leases end: restart the daemon";
        say(&talk.end, talk.number, request).context(gone)?;
        loop {
            let heard = hear::<Reply>(&talk.end).context("the helper does not answer")?;
            let Some(reply) = heard else { bail!("{gone}") };
            // An answer that came too late for an earlier question is nobody's.
            if reply.number != talk.number {
                continue;
            }
            if let Reply::Refused { error } = reply.said {
                bail!("{error}");
            }
            if !each(&reply.said) {
                return Ok(reply.said);
            }
        }
    }
}

/// The helper as an enforcer.
#[derive(Debug)]
pub(crate) struct Remote {
    helper: Helper,
    name: &'static str,
    greeted: bool,
    told: (u64, u64),
    counted: Counted,
}

impl Remote {
    /// Of a helper that was started; `name` is its enforcer's.
    pub(crate) fn new(helper: Helper, name: &'static str) -> Self {
        Self { helper, name, greeted: false, told: (0, 0), counted: Counted::default() }
    }
}

impl Enforcer for Remote {
    fn name(&self) -> &'static str {
        self.name
    }

    fn apply(&mut self, wanted: &Wanted) -> anyhow::Result<()> {
        if !self.greeted {
            self.helper.ask(Request::Hello { version: VERSION }, |_| false)?;
            self.greeted = true;
        }
        let kind = |rule: &Rule, instead| Kind {
            dry: wanted.is_dry(rule),
            by_hand: wanted.by_hand.contains(&rule.id),
            instead,
        };
        for (rules, instead) in [(&wanted.rules, false), (&wanted.instead, true)] {
            for alike in rules.chunk_by(|a, b| kind(a, instead) == kind(b, instead)) {
                let Some(kind) = alike.first().map(|rule| kind(rule, instead)) else { continue };
                for part in alike.chunks(PART) {
                    let rules = part.iter().map(ToString::to_string).collect();
                    self.helper.ask(Request::Part { rules, kind }, |_| false)?;
                }
            }
        }
        for part in wanted.allow.chunks(PART) {
            self.helper.ask(Request::Allow { allow: part.to_vec() }, |_| false)?;
        }
        self.helper.ask(Request::Apply { earnest: wanted.earnest }, |_| false).map(|_| ())
    }

    fn actual(&mut self) -> anyhow::Result<BTreeMap<String, Done>> {
        let mut all = BTreeMap::new();
        self.helper.ask(Request::Actual, |reply| {
            let Reply::Actual { rules, more } = reply else { return false };
            let each = rules.iter();
            all.extend(each.map(|(id, packets, dropped, bytes)| {
                (id.clone(), Done { packets: *packets, dropped: *dropped, bytes: *bytes })
            }));
            *more
        })?;
        Ok(all)
    }

    fn beat(&mut self) -> anyhow::Result<()> {
        if !self.greeted {
            return Ok(());
        }
        if let Reply::Told { told, lost, counted } = self.helper.ask(Request::Beat, |_| false)? {
            (self.told, self.counted) = ((told, lost), counted);
        }
        Ok(())
    }

    fn told(&mut self) -> (u64, u64) {
        self.told
    }

    fn counted(&mut self) -> Counted {
        self.counted.clone()
    }

    fn proven(&mut self) -> anyhow::Result<Vec<IpAddr>> {
        let mut all = Vec::new();
        if self.greeted {
            self.helper.ask(Request::Proven, |reply| {
                let Reply::Proven { sources, more } = reply else { return false };
                all.extend_from_slice(sources);
                *more
            })?;
        }
        Ok(all)
    }
}
