//! What changes something: one JSON line in, one JSON line out, through a Unix socket that only its owner may open.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use access::Access;
use anyhow::{Context as _, bail};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Event;
use super::audited;
use super::lifecycle;
use super::routes::Routes;
use crate::dns;
use crate::history::order::{Answered, Query};
use crate::policy;
use crate::routing::order::{self, Caller};

/// Name of the socket inside the state folder.
const SOCKET: &str = "control.sock";
/// A caller that says nothing for so long is sent away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a caller waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long one waits who has many samples looked through.
const PREVIEW_MAX: Duration = Duration::from_secs(60);
/// No command is longer: a rule of FlowSpec's greatest length has room.
const LINE_MAX: u64 = 65_536;
/// The longest name that a caller may give itself.
const NAME_MAX: usize = 64;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// End cleanly, as SIGTERM does
    Shutdown,
    /// Check the configuration, then take it, as SIGHUP does
    Reload,
    /// Say the configuration that is in force.
    #[value(skip)]
    Show,
}

/// One of both.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Request {
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<order::Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<policy::Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<dns::order::Order>,
    /// What is wrong?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    doctor: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Query>,
    /// What would these rules have hit?
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Preview>,
    /// Why, where an order of the process is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Who asks, by their own word: whoever may open the socket is believed.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Rules, and the seconds up to now that are looked at.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Preview {
    rules: String,
    last: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it is done.
    pub ok: bool,
    /// What was wrong.
    pub error: Option<String>,
    /// What was asked for, where it was about routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<order::Answer>,
    /// Likewise, about names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<dns::order::Answer>,
    /// What was found, where it was asked what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<api::Finding>>,
    /// The configuration in force, secrets and all, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// Likewise, about what holds for whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
    /// Likewise, about flow samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flows: Option<Answered>,
}

impl Reply {
    /// It is done.
    pub(super) const fn done() -> Self {
        Self {
            ok: true,
            error: None,
            answer: None,
            names: None,
            findings: None,
            configuration: None,
            policy: None,
            flows: None,
        }
    }

    fn send(&self, mut stream: UnixStream) -> anyhow::Result<()> {
        serde_json::to_writer(&mut stream, self)?;
        Ok(stream.write_all(b"\n")?)
    }

    fn refused(why: String) -> Self {
        Self { error: Some(why), ok: false, ..Self::done() }
    }
}

/// Opens the socket and serves it until the process ends.
pub(super) fn start(
    folder: &Path,
    events: Sender<Event>,
    routes: &Routes,
    access: Arc<Access>,
) -> anyhow::Result<()> {
    let path = folder.join(SOCKET);
    // The folder's lock is ours, so a socket that lies here belongs to a process that is gone.
    let _ = std::fs::remove_file(&path);
    // Nobody else may enter the folder (mode 0700), so there is no moment at which the socket stands open.
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot open {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let routes = routes.clone();
    let serve = move || {
        for stream in listener.incoming().flatten() {
            if let Err(cause) = answer(stream, &events, &routes, &access) {
                tracing::debug!(%cause, "control socket");
            }
        }
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(serve)?;
    Ok(())
}

fn answer(
    stream: UnixStream,
    events: &Sender<Event>,
    routes: &Routes,
    access: &Arc<Access>,
) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?.take(LINE_MAX)).read_line(&mut line)?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(Request { order: Some(order), name, why, .. }) => {
            match caller(&stream, name).and_then(|caller| {
                why.as_deref().map_or(Ok(()), order::fits)?;
                let word = clap::ValueEnum::to_possible_value(&order);
                let word = word.map(|word| word.get_name().to_owned()).unwrap_or_default();
                Ok(lifecycle::Order::person(&caller, why, &word))
            }) {
                Ok(by) => {
                    let (reply, answered) = channel();
                    events.send(Event::Order(order, Some(by), reply))?;
                    answered.recv_timeout(ANSWER_MAX)?
                }
                Err(why) => Reply::refused(why),
            }
        }
        Ok(Request { route: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => match audited::route(routes, access, &caller, order) {
                Ok(answer) => Reply { answer: Some(answer), ..Reply::done() },
                Err(why) => Reply::refused(why),
            },
            Err(why) => Reply::refused(why),
        },
        Ok(Request { dns: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => {
                let (routes, access) = (routes.clone(), Arc::clone(access));
                return beside(stream, move || {
                    let answer = audited::names(&routes, &access, &caller, order)?;
                    Ok(Reply { names: Some(answer), ..Reply::done() })
                });
            }
            Err(why) => Reply::refused(why),
        },
        Ok(Request { flows: Some(query), .. }) => {
            let flows = routes.flows.clone();
            return beside(stream, move || {
                flows.answer(&query).map(|answer| Reply { flows: Some(answer), ..Reply::done() })
            });
        }
        Ok(Request { preview: Some(asked), .. }) => {
            let flows = routes.flows.clone();
            return beside(stream, move || {
                let last = asked.last.map(base::Span::from_secs);
                flows.preview(&asked.rules, last).map(|found| Reply { policy: Some(found), ..Reply::done() })
            });
        }
        Ok(Request { policy: Some(policy::Order::MakeRule(made)), name, .. }) if made.dry_run => {
            match caller(&stream, name) {
                Ok(caller) => {
                    let (routes, who) = (routes.clone(), caller.name());
                    return beside(stream, move || tried(&routes, &who, made));
                }
                Err(why) => Reply::refused(why),
            }
        }
        Ok(Request { policy: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => match audited::decide(routes, access, &caller.name(), order) {
                Ok(answer) => Reply { policy: Some(answer), ..Reply::done() },
                Err(why) => Reply::refused(why),
            },
            Err(why) => Reply::refused(why),
        },
        Ok(Request { doctor: true, .. }) => {
            let clinic = routes.clinic.clone();
            let early = "the daemon is about to begin, or to end: ask again";
            return beside(stream, move || {
                let clinic = clinic.get().ok_or_else(|| early.to_owned())?;
                Ok(Reply { findings: Some(clinic.examine()), ..Reply::done() })
            });
        }
        Ok(_) => Reply::refused("not a command: it asks for nothing".to_owned()),
        Err(wrong) => Reply::refused(format!("not a command: {wrong}")),
    };
    reply.send(stream)
}

/// What a rule would be, and what it would have hit in the last hour.
fn tried(routes: &Routes, who: &str, made: policy::order::Made) -> Result<Reply, String> {
    let mut would = routes.policy.take(who, policy::Order::MakeRule(made))?;
    let text = would.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (found, why) = match routes.flows.preview(&text, None) {
        Ok(found) => (found, Value::Null),
        Err(why) => (Value::Null, why.into()),
    };
    if let Some(would) = would.as_object_mut() {
        would.insert("preview".to_owned(), found);
        would.insert("no_preview".to_owned(), why);
    }
    Ok(Reply { policy: Some(would), ..Reply::done() })
}

/// A DNS server, a look at many samples or a look around may take its time, and nobody else shall wait for it.
fn beside(
    stream: UnixStream,
    work: impl FnOnce() -> Result<Reply, String> + Send + 'static,
) -> anyhow::Result<()> {
    let wait = move || {
        if let Err(cause) = work().unwrap_or_else(Reply::refused).send(stream) {
            tracing::debug!(%cause, "control socket");
        }
    };
    std::thread::Builder::new().name("control-wait".to_owned()).spawn(wait)?;
    Ok(())
}

/// Who is at the other end: the user that the kernel names, and the name that they give themselves.
fn caller(stream: &UnixStream, name: Option<String>) -> Result<Caller, String> {
    let credentials = getsockopt(stream, PeerCredentials).map_err(|cause| format!("who asks? {cause}"))?;
    let user = User::from_uid(Uid::from_raw(credentials.uid()))
        .ok()
        .flatten()
        .map_or_else(|| format!("user {}", credentials.uid()), |user| user.name);
    let Some(name) = name.filter(|name| *name != user) else { return Ok(Caller::Person(user)) };
    let odd = |c: char| c.is_control() || matches!(c, '(' | ')');
    if name.is_empty() || name.len() > NAME_MAX || name.contains(odd) {
        return Err(format!("`{name}` is no name: use 1 to {NAME_MAX} characters without parentheses"));
    }
    Ok(Caller::Person(format!("{name} ({user})")))
}

/// Sends an order to the daemon of this state folder, in this person's name, and why where it is said.
pub fn send(folder: &Path, order: Order, name: Option<String>, why: Option<String>) -> anyhow::Result<()> {
    ask(folder, &Request { order: Some(order), name, why, ..Request::default() }).map(drop)
}

/// The configuration that is in force, as it was read.
pub fn running(folder: &Path) -> anyhow::Result<String> {
    let reply = ask(folder, &Request { order: Some(Order::Show), ..Request::default() })?;
    reply.configuration.context("the daemon's answer is empty; it may be of an older build")
}

/// Sends an order about routes, in this person's name.
pub fn route(folder: &Path, order: order::Order, name: Option<String>) -> anyhow::Result<order::Answer> {
    let reply = ask(folder, &Request { route: Some(order), name, ..Request::default() })?;
    reply.answer.context("the daemon's answer is empty")
}

/// Sends an order about what holds for whom, in this person's name.
pub(crate) fn decided(folder: &Path, order: policy::Order, name: Option<String>) -> anyhow::Result<Value> {
    let patience = match &order {
        policy::Order::MakeRule(made) if made.dry_run => PREVIEW_MAX,
        _ => ANSWER_MAX,
    };
    let request = Request { policy: Some(order), name, ..Request::default() };
    let reply = ask_for(folder, &request, patience)?;
    reply.policy.context("the daemon's answer is empty")
}

/// What these rules would have hit, by the samples of so many seconds up to now.
pub(crate) fn preview(folder: &Path, rules: String, last: Option<u64>) -> anyhow::Result<Value> {
    let request = Request { preview: Some(Preview { rules, last }), ..Request::default() };
    let reply = ask_for(folder, &request, PREVIEW_MAX)?;
    reply.policy.context("the daemon's answer is empty")
}

/// Sends an order about names, in this person's name.
pub fn names(
    folder: &Path,
    order: dns::order::Order,
    name: Option<String>,
) -> anyhow::Result<dns::order::Answer> {
    let reply = ask(folder, &Request { dns: Some(order), name, ..Request::default() })?;
    reply.names.context("the daemon's answer is empty")
}

/// What the daemon finds wrong; `Ok(None)`: there is no daemon at this state folder.
///
/// # Errors
/// There seems to be one, and it does not answer.
pub fn doctor(folder: &Path) -> anyhow::Result<Option<Vec<api::Finding>>> {
    match UnixStream::connect(folder.join(SOCKET)) {
        Err(gone) if matches!(gone.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(cause) => Err(cause).with_context(|| format!("{}", folder.join(SOCKET).display())),
        Ok(there) => {
            // One caller after the other: this one is done.
            drop(there);
            let reply = ask(folder, &Request { doctor: true, ..Request::default() })?;
            reply.findings.map(Some).context("the daemon's answer is empty; is it another version?")
        }
    }
}

/// Asks about flow samples; `None`: no daemon answers there.
pub(crate) fn flows(folder: &Path, query: Query) -> anyhow::Result<Option<Answered>> {
    let patience = ANSWER_MAX + Duration::from_nanos(query.within.nanos());
    let Ok(stream) = UnixStream::connect(folder.join(SOCKET)) else { return Ok(None) };
    let reply = ask_through(stream, &Request { flows: Some(query), ..Request::default() }, patience)?;
    reply.flows.context("the daemon's answer is empty").map(Some)
}

fn ask(folder: &Path, request: &Request) -> anyhow::Result<Reply> {
    ask_for(folder, request, ANSWER_MAX)
}

fn ask_for(folder: &Path, request: &Request, patience: Duration) -> anyhow::Result<Reply> {
    let path: PathBuf = folder.join(SOCKET);
    let stream = UnixStream::connect(&path).with_context(|| {
        format!("no daemon answers at {}; is `spillway run` up, and are you its user?", path.display())
    })?;
    ask_through(stream, request, patience)
}

fn ask_through(mut stream: UnixStream, request: &Request, patience: Duration) -> anyhow::Result<Reply> {
    stream.set_read_timeout(Some(patience))?;
    serde_json::to_writer(&mut stream, request)?;
    stream.write_all(b"\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let reply: Reply = serde_json::from_str(&line).context("the daemon's answer cannot be read")?;
    match &reply.error {
        Some(error) if !reply.ok => bail!("{error}"),
        _ => Ok(reply),
    }
}
