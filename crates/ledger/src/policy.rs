//! Whose word counts: the logs and witnesses that a reader trusts, and how many of them it takes (`c2sp.org/tlog-policy`).

use crate::checkpoint::{Checkpoint, NoCheckpoint};
use crate::note::{self, Note, Role, VerifierKey};

/// Logs in a policy.
pub const LOGS_MAX: usize = 64;
/// Witnesses and groups in a policy, each.
pub const NAMES_MAX: usize = 64;
/// Octets of a policy's file.
pub const FILE_MAX: usize = 64 << 10;

/// The name that asks for no witness.
const NONE: &str = "none";

/// What a checkpoint needs in order to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    /// Witnesses and groups in the order of the file: a group names only what stands before it.
    members: Vec<Member>,
    /// Place of the member that has to agree; `None`: no witness is asked for.
    quorum: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Witness(VerifierKey),
    /// So many of these have to agree.
    Group {
        least: usize,
        of: Vec<usize>,
    },
}

/// A file that is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct NoPolicy {
    /// From 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbelieved {
    /// It has not the form, or a signature is forged.
    #[error(transparent)]
    Note(#[from] note::Refused),
    /// The signed text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] NoCheckpoint),
    /// No log of the policy signed it.
    #[error(
        "{0} has not signed it with a key that the policy names; ask its operator for the policy file, by another way than the proof came"
    )]
    Log(String),
    /// Too few witnesses.
    #[error("too few witnesses have signed it: the policy asks for {0}")]
    Quorum(String),
}

impl Policy {
    /// One log, no witnesses.
    pub fn of_log(log: VerifierKey) -> Self {
        Self { logs: vec![log], members: Vec::new(), quorum: None }
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// It is none, and where.
    pub fn parse(file: &str) -> Result<Self, NoPolicy> {
        if file.len() > FILE_MAX {
            return Err(NoPolicy { line: 1, what: "too long to be a policy".to_owned() });
        }
        let mut draft = Draft::default();
        for (text, line) in file.split('\n').zip(1..) {
            draft.line(text).map_err(|what| NoPolicy { line, what })?;
        }
        let quorum = draft.quorum.ok_or_else(|| NoPolicy {
            line: file.split('\n').count(),
            what: "no quorum line; write `quorum none` where no witness is asked for".to_owned(),
        })?;
        Ok(Self { logs: draft.logs, members: draft.members, quorum })
    }

    /// The logs that are trusted.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The checkpoint of a note, when this policy believes it.
    ///
    /// # Errors
    /// It does not, and why.
    pub fn believe(&self, note: &str) -> Result<Checkpoint, Unbelieved> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text)?;
        let mut signed = false;
        for log in self.logs.iter().filter(|log| log.name() == checkpoint.origin) {
            signed |= log.has_signed(&note)?;
        }
        if !signed {
            return Err(Unbelieved::Log(checkpoint.origin));
        }
        let mut agree: Vec<bool> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let agrees = match &member.kind {
                Kind::Witness(key) => key.has_signed(&note)?,
                Kind::Group { least, of } => {
                    of.iter().filter(|place| agree.get(**place) == Some(&true)).count() >= *least
                }
            };
            agree.push(agrees);
        }
        match self.quorum {
            Some(place) if agree.get(place) != Some(&true) => {
                let name = self.members.get(place).map_or_else(String::new, |member| member.name.clone());
                Err(Unbelieved::Quorum(name))
            }
            _ => Ok(checkpoint),
        }
    }
}

/// As a file.
impl core::fmt::Display for Policy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let name = |place: &usize| self.members.get(*place).map_or(NONE, |member| member.name.as_str());
        for log in &self.logs {
            writeln!(f, "log {log}")?;
        }
        for member in &self.members {
            match &member.kind {
                Kind::Witness(key) => writeln!(f, "witness {} {key}", member.name)?,
                Kind::Group { least, of } => {
                    let names = of.iter().map(name).collect::<Vec<_>>();
                    writeln!(f, "group {} {least} {}", member.name, names.join(" "))?;
                }
            }
        }
        writeln!(f, "quorum {}", self.quorum.as_ref().map_or(NONE, name))
    }
}

#[derive(Default)]
struct Draft {
    logs: Vec<VerifierKey>,
    members: Vec<Member>,
    grouped: Vec<usize>,
    quorum: Option<Option<usize>>,
}

impl Draft {
    fn line(&mut self, text: &str) -> Result<(), String> {
        if text.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err("a control character in it".to_owned());
        }
        let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, count, members @ ..] if !members.is_empty() => self.group(name, count, members),
            ["quorum", name] => self.quorum(name),
            [first, ..] => Err(format!(
                "`{first}` is not how a line of a policy begins, or words are missing or too many: \
                                        log KEY, witness NAME KEY, group NAME all|any|COUNT NAME…, quorum NAME"
            )),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key = key_for(key, Role::Log)?;
        if self.logs.iter().any(|log| log.public() == key.public()) {
            return Err("this key is a log's already".to_owned());
        }
        if self.logs.len() == LOGS_MAX {
            return Err(format!("more than {LOGS_MAX} logs"));
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key = key_for(key, Role::Witness)?;
        let known =
            |member: &Member| matches!(&member.kind, Kind::Witness(other) if other.public() == key.public());
        if self.members.iter().any(known) {
            return Err("this key is a witness's already".to_owned());
        }
        self.add(name, Kind::Witness(key))
    }

    fn group(&mut self, name: &str, count: &str, members: &[&str]) -> Result<(), String> {
        let mut of = Vec::new();
        for member in members {
            let place = self.place(member)?;
            if self.grouped.contains(&place) {
                return Err(format!("`{member}` is in a group already"));
            }
            self.grouped.push(place);
            of.push(place);
        }
        let least = match count {
            "all" => of.len(),
            "any" => 1,
            count => count.parse().map_err(|_| "write all, any or how many".to_owned())?,
        };
        if least == 0 || least > of.len() {
            return Err(format!("{least} of {} cannot be asked for", of.len()));
        }
        self.add(name, Kind::Group { least, of })
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("a second quorum line".to_owned());
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.place(name)?) });
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, String> {
        let found = self.members.iter().position(|member| member.name == name);
        found.ok_or_else(|| format!("`{name}` is neither a witness nor a group of a line above"))
    }

    fn add(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        if name == NONE || self.members.iter().any(|member| member.name == name) {
            return Err(format!("the name `{name}` is taken"));
        }
        if self.members.len() == 2 * NAMES_MAX {
            return Err(format!("more than {} witnesses and groups", 2 * NAMES_MAX));
        }
        self.members.push(Member { name: name.to_owned(), kind });
        Ok(())
    }
}

fn key_for(text: &str, role: Role) -> Result<VerifierKey, String> {
    let key = VerifierKey::parse(text).map_err(|refused| refused.to_string())?;
    if key.role() == role { Ok(key) } else { Err("a log's key has type 1, a witness's type 4".to_owned()) }
}
