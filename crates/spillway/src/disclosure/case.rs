//! A disclosure's folder.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use ::ledger::disclosure::{
    Approval, Disclosure, Draft, Drafted, Minimised, ReviewPolicy, Reviewed, Stage, account,
};
use anyhow::{Context as _, bail};
use base::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::known::folders;
use super::look::{Compared, compare};
use crate::config::Config;

/// Octets of what may leave at once.
pub(super) const PAYLOAD_MAX: u64 = 1 << 30;

/// All disclosures of a state folder.
#[derive(Clone, Debug)]
pub struct Cases(PathBuf);

/// One of them, as its files have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is.
    pub draft: Draft,
    /// What can be counted in it.
    pub counts: BTreeMap<String, u64>,
    /// Who agreed.
    pub approvals: Vec<Approval>,
    /// Its entry, once it has one.
    pub ledgered: Option<u64>,
    /// When it was sent.
    pub sent: Option<Timestamp>,
    /// What became of it, one after the other.
    pub outcomes: Vec<Outcome>,
    /// The entry that opened its sealed one.
    pub unsealed: Option<u64>,
    /// With what the payload was compared; `None`: it is what an order asks for.
    #[serde(default)]
    pub compared: Option<Compared>,
}

/// What became of what was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// When.
    pub at: Timestamp,
    /// What.
    pub stage: Step,
    /// Who says so.
    pub by: String,
}

/// Where a disclosure stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// How far it has come.
    pub step: Step,
    /// What it needs before it may leave; `None`: nothing.
    pub missing: Option<String>,
    /// Of what would leave.
    pub payload: ::ledger::Hash,
}

/// Nobody else changes a disclosure while this is there.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "it is held")] Flock<File>);

/// How far a disclosure has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// What would leave is chosen; persons have to agree.
    Minimised,
    /// Agreed to.
    Reviewed,
    /// In the ledger, and not sent.
    Ledgered,
    /// Sent.
    Sent,
    /// The recipient has it.
    Acknowledged,
    /// It did not arrive.
    Bounced,
    /// The recipient was asked to forget it.
    Withdrawn,
    /// It was not sent in time, or the recipient's time with it is over.
    Expired,
}

impl Step {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minimised => "minimised",
            Self::Reviewed => "reviewed",
            Self::Ledgered => "ledgered",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Bounced => "bounced",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }

    /// As what became of something sent.
    pub const fn stage(self) -> Option<Stage> {
        match self {
            Self::Sent => Some(Stage::Sent),
            Self::Acknowledged => Some(Stage::Acknowledged),
            Self::Bounced => Some(Stage::Bounced),
            Self::Withdrawn => Some(Stage::Withdrawn),
            Self::Expired => Some(Stage::Expired),
            Self::Minimised | Self::Reviewed | Self::Ledgered => None,
        }
    }
}

impl Case {
    /// When an order has to be followed.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.draft.basis.time_limit().map(|limit| self.draft.created.plus(limit))
    }

    /// How far it has come, where it is beyond the review.
    fn beyond(&self, now: Timestamp) -> Option<Step> {
        let last = self.outcomes.last().map(|last| last.stage);
        let sent = || self.sent.map(|_| Step::Sent);
        let expired = || (now >= self.draft.expires).then_some(Step::Expired);
        let ledgered = || self.ledgered.map(|_| Step::Ledgered);
        last.or_else(sent).or_else(expired).or_else(ledgered)
    }

    /// When the last thing became of it, where nothing more will by itself; `None`: it is open.
    pub(crate) fn over(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.outcomes.iter().map(|outcome| outcome.at).chain(self.sent).max();
        last.or_else(|| Some(self.draft.expires).filter(|end| *end <= now))
    }
}

impl Cases {
    /// In this state folder.
    pub fn new(state_dir: &Path) -> Self {
        Self(state_dir.join(crate::privacy::DISCLOSURES))
    }

    /// Begins one: a draft, and what would leave, which is compared with the sources of `attack`, an id or a path; of all attacks
    /// that are kept where none is named.
    ///
    /// # Errors
    /// The draft lacks something, it names somebody who must not leave, or the files cannot be written.
    pub fn begin(
        &self,
        draft: Draft,
        counts: BTreeMap<String, u64>,
        payload: Vec<u8>,
        attack: Option<&str>,
    ) -> anyhow::Result<Case> {
        // refused before anything is written
        Disclosure::<Drafted>::new(draft.clone())?.minimise(payload.clone(), counts.clone())?;
        let compared = compare(self.state_dir(), &draft, attack, &payload)?;
        let folder = self.folder(&draft.id)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        self.give(&self.0);
        self.give(&folder);
        let path = folder.join("payload");
        write(&path, &payload)?;
        self.give(&path);
        let case = Case {
            draft,
            counts,
            approvals: Vec::new(),
            ledgered: None,
            sent: None,
            outcomes: Vec::new(),
            unsealed: None,
            compared,
        };
        self.keep(&case)?;
        Ok(case)
    }

    /// One of them.
    ///
    /// # Errors
    /// It is not there, or damaged.
    pub fn get(&self, id: &str) -> anyhow::Result<Case> {
        let path = self.folder(id)?.join("case.json");
        let text = std::fs::read(&path)
            .with_context(|| format!("no disclosure `{id}`; `spillway disclosure list` shows them"))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// One of them, to change it: whoever else would waits until it is kept, here and in other processes, so that nobody's word is
    /// lost and nothing is sent twice.
    ///
    /// # Errors
    /// It is not there, or damaged, or cannot be locked.
    pub fn take(&self, id: &str) -> anyhow::Result<(Held, Case)> {
        // A name that is none is told as such, and makes no lock.
        self.get(id)?;
        let path = self.folder(id)?.join("lock");
        let what = || format!("cannot lock {}", path.display());
        let open = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = open.with_context(what)?;
        self.give(&path);
        let held =
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, cause)| cause).with_context(what)?;
        Ok((Held(held), self.get(id)?))
    }

    /// Whether there is one of this name, also where it cannot be read.
    pub fn is_there(&self, id: &str) -> bool {
        self.folder(id).is_ok_and(|folder| folder.is_dir())
    }

    /// All of them, by their names.
    ///
    /// # Errors
    /// One is damaged.
    pub fn all(&self) -> anyhow::Result<Vec<Case>> {
        let mut names: Vec<String> = match std::fs::read_dir(&self.0) {
            Ok(entries) => {
                // What is being removed has a point in its name.
                let names = entries.flatten().map(|one| one.file_name().to_string_lossy().into_owned());
                names.filter(|name| !name.contains('.')).collect()
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(cause).with_context(|| format!("cannot read {}", self.0.display())),
        };
        names.sort();
        names.iter().map(|name| self.get(name)).collect()
    }

    /// Writes what changed, in one step.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, case: &Case) -> anyhow::Result<()> {
        let path = self.folder(&case.draft.id)?.join("case.json");
        let new = path.with_extension("new");
        write(&new, &serde_json::to_vec_pretty(case)?)?;
        self.give(&new);
        std::fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What would leave.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn payload(&self, case: &Case) -> anyhow::Result<Vec<u8>> {
        let path = self.payload_path(case)?;
        let what = || format!("cannot read {}", path.display());
        if std::fs::metadata(&path).with_context(what)?.len() > PAYLOAD_MAX {
            bail!("{}: more than {PAYLOAD_MAX} octets", path.display());
        }
        std::fs::read(&path).with_context(what)
    }

    /// Where that is.
    ///
    /// # Errors
    /// The name is none.
    pub fn payload_path(&self, case: &Case) -> anyhow::Result<PathBuf> {
        Ok(self.folder(&case.draft.id)?.join("payload"))
    }

    /// Somebody agrees to exactly what would leave now; `seen` is the SHA-256 of what was looked at.
    ///
    /// # Errors
    /// It stands in the ledger already, is not what was looked at, or names somebody who must not leave.
    pub fn approve(&self, id: &str, by: String, seen: Option<&str>, now: Timestamp) -> anyhow::Result<Case> {
        let (_held, mut case) = self.take(id)?;
        if case.ledgered.is_some() {
            bail!("`{id}` stands in the ledger already");
        }
        let payload = self.minimised(&case)?.payload_hash();
        if seen.is_some_and(|seen| seen != payload.to_string()) {
            bail!("what would leave is {payload}, not what you looked at: look again");
        }
        self.look(&mut case)?;
        // an earlier word of the same person was for what it was then
        case.approvals.retain(|one| account(&one.by) != account(&by) && one.payload == payload);
        case.approvals.push(Approval { by, at: now, payload });
        self.keep(&case)?;
        Ok(case)
    }

    /// What root makes belongs to whose the state is, so that the daemon can read it, too.
    fn give(&self, path: &Path) {
        if let Ok(state) = std::fs::metadata(self.state_dir())
            && nix::unistd::geteuid().is_root()
            && state.uid() != 0
        {
            // Who cannot has said so by then: the daemon does, when it cannot read it.
            let _ = chown(path, Some(state.uid()), Some(state.gid()));
        }
    }

    /// Looks into what would leave once more: files change, and more may be known of an attack by now. Where what is known of it was
    /// let go of meanwhile, what was looked into then holds for the same octets.
    ///
    /// # Errors
    /// It names somebody who must not leave.
    pub fn look(&self, case: &mut Case) -> anyhow::Result<()> {
        let payload = self.payload(case)?;
        let before = case.compared.as_ref();
        let attack = before.and_then(|compared| compared.attack.clone());
        let same = before.is_some_and(|compared| compared.payload == ::ledger::Hash::of(&payload));
        if same && attack.is_some() && folders(self.state_dir(), attack.as_deref()).is_err() {
            return Ok(());
        }
        case.compared = compare(self.state_dir(), &case.draft, attack.as_deref(), &payload)?;
        Ok(())
    }

    /// Takes the steps up to what would leave.
    ///
    /// # Errors
    /// One is refused.
    pub fn minimised(&self, case: &Case) -> anyhow::Result<Disclosure<Minimised>> {
        let drafted = Disclosure::<Drafted>::new(case.draft.clone())?;
        Ok(drafted.minimise(self.payload(case)?, case.counts.clone())?)
    }

    /// And through the review.
    ///
    /// # Errors
    /// One is refused.
    pub fn reviewed(&self, case: &Case, policy: ReviewPolicy) -> anyhow::Result<Disclosure<Reviewed>> {
        Ok(self.minimised(case)?.review(&case.approvals, policy)?)
    }

    /// How far it has come, and what it needs: what would leave is read once.
    ///
    /// # Errors
    /// Its files are damaged.
    pub fn standing(&self, case: &Case, policy: ReviewPolicy, now: Timestamp) -> anyhow::Result<Standing> {
        let minimised = self.minimised(case)?;
        let payload = minimised.payload_hash();
        let missing = minimised.review(&case.approvals, policy).err().map(|why| why.to_string());
        let open = if missing.is_none() { Step::Reviewed } else { Step::Minimised };
        Ok(Standing { step: case.beyond(now).unwrap_or(open), missing, payload })
    }

    /// How far it has come.
    ///
    /// # Errors
    /// Its files are damaged.
    pub fn step(&self, case: &Case, policy: ReviewPolicy, now: Timestamp) -> anyhow::Result<Step> {
        case.beyond(now).map_or_else(|| Ok(self.standing(case, policy, now)?.step), Ok)
    }

    /// Writes down what became of what was sent.
    ///
    /// # Errors
    /// It cannot become that from where it is.
    pub fn mark(
        &self,
        config: &Config,
        case: &mut Case,
        what: Step,
        by: String,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let Some(to) = what.stage().filter(|to| *to != Stage::Sent) else {
            bail!(
                "`{}` is not what becomes of something sent: acknowledged, bounced, withdrawn, expired are",
                what.word()
            );
        };
        let Some(at) = case.sent else { bail!("`{}` was not sent", case.draft.id) };
        let policy = ReviewPolicy { automatic_abuse_reports: config.ledger.automatic_abuse_reports };
        let mut sent = super::send::ledgered(config, case, self.reviewed(case, policy)?)?.sent(at);
        for stage in case.outcomes.iter().filter_map(|one| one.stage.stage()) {
            sent = sent.becomes(stage)?;
        }
        sent.becomes(to)?;
        case.outcomes.push(Outcome { at: now, stage: what, by });
        self.keep(case)
    }

    fn state_dir(&self) -> &Path {
        self.0.parent().unwrap_or(&self.0)
    }

    /// Where they all are.
    pub(crate) fn folder_of_all(&self) -> &Path {
        &self.0
    }

    fn folder(&self, id: &str) -> anyhow::Result<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
            bail!("`{id}` is not the name of a disclosure; `spillway disclosure list` shows them");
        }
        Ok(self.0.join(id))
    }
}

/// A file for nobody else, on the disk.
fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(path).with_context(what)?;
    file.write_all(content).and_then(|()| file.sync_all()).with_context(what)
}
