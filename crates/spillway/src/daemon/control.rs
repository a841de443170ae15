//! What changes something: one JSON line in, one JSON line out, through a Unix socket that only its owner may open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use ::ledger::entry::{Act, By};
use access::{Access, Actor, Outcome, Role, Via};
use anyhow::{Context as _, bail};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Event;
use super::clock::Clock;
use crate::dns;
use crate::ledger::{Deed, Pen};
use crate::policy;
use crate::routing::Door;
use crate::routing::order::{self, Caller};

/// Name of the socket inside the state folder.
const SOCKET: &str = "control.sock";
/// A caller that says nothing for so long is sent away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a caller waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
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
    /// Who asks, by their own word: whoever may open the socket is believed.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
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
    /// Likewise, about what holds for whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
}

/// Where orders go.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    /// About routes.
    pub(super) routes: Door,
    /// About names.
    pub(super) names: dns::Door,
    /// About what holds for whom.
    pub(super) policy: policy::Desk,
    /// Where it is written down who asked.
    pub(super) access: Arc<Access>,
    /// Likewise.
    pub(super) pen: Pen,
}

impl Reply {
    /// It is done.
    pub(super) const fn done() -> Self {
        Self { ok: true, error: None, answer: None, names: None, policy: None }
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
pub(super) fn start(folder: &Path, events: Sender<Event>, doors: Doors) -> anyhow::Result<()> {
    let path = folder.join(SOCKET);
    // The folder's lock is ours, so a socket that lies here belongs to a process that is gone.
    let _ = std::fs::remove_file(&path);
    // Nobody else may enter the folder (mode 0700), so there is no moment at which the socket stands open.
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot open {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            if let Err(cause) = answer(stream, &events, &doors) {
                tracing::debug!(%cause, "control socket");
            }
        }
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(serve)?;
    Ok(())
}

fn answer(stream: UnixStream, events: &Sender<Event>, doors: &Doors) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?.take(LINE_MAX)).read_line(&mut line)?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(Request { order: Some(order), .. }) => {
            let (reply, answered) = channel();
            events.send(Event::Order(order, reply))?;
            answered.recv_timeout(ANSWER_MAX)?
        }
        Ok(Request { route: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => match doors.routes.ask(caller, order) {
                Ok(answer) => Reply { answer: Some(answer), ..Reply::done() },
                Err(why) => Reply::refused(why),
            },
            Err(why) => Reply::refused(why),
        },
        Ok(Request { dns: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => return wait_for_names(stream, doors.names.clone(), caller, order),
            Err(why) => Reply::refused(why),
        },
        Ok(Request { policy: Some(order), name, .. }) => match caller(&stream, name) {
            Ok(caller) => match decide(doors, &caller.name(), order) {
                Ok(answer) => Reply { policy: Some(answer), ..Reply::done() },
                Err(why) => Reply::refused(why),
            },
            Err(why) => Reply::refused(why),
        },
        Ok(_) => Reply::refused("not a command: it asks for nothing".to_owned()),
        Err(wrong) => Reply::refused(format!("not a command: {wrong}")),
    };
    reply.send(stream)
}

/// Asks the desk for what holds for whom. What changes something is in the audit trail before, and with what came of it after; then
/// in the ledger.
fn decide(doors: &Doors, who: &str, order: policy::Order) -> Result<Value, String> {
    let Some(reason) = order.reason().map(str::to_owned) else { return doors.policy.take(who, order) };
    order::fits(&reason)?;
    let (action, object) = order.deed();
    let about = order.about();
    // whoever may open the socket may do everything
    let actor = Actor::new(who.to_owned(), Via::Local, Role::Admin, Vec::new());
    let deed = access::Deed {
        address: "local".to_owned(),
        action: action.to_owned(),
        object: object.clone(),
        reason: reason.clone(),
        before: None,
    };
    let now = || Clock::start().now();
    let number = doors.access.about_to(&actor, &deed, now()).map_err(|why| why.to_string())?;
    let done = doors.policy.take(who, order);
    let (said, after) = match &done {
        Ok(answer) => (None, Some(answer.to_string())),
        Err(why) => (Some(why.clone()), None),
    };
    let outcome = Outcome { at: now(), done: done.is_ok(), said: said.clone(), after };
    if let Err(cause) = doors.access.came_of(number, &outcome) {
        tracing::error!(%cause, number, "what came of it is missing in the audit trail");
    }
    let content = json!({
        "audit": number, "actor": who, "via": "local", "action": action, "object": object, "reason": reason,
        "after": done.as_ref().ok(), "refused": said,
    });
    let counts = [("done".to_owned(), u64::from(done.is_ok()))].into();
    doors.pen.write(Deed { at: now(), act: Act::Operation, by: By::Person, about, content, counts });
    done
}

/// A DNS server may take its time, and nobody else shall wait for it: the answer is waited for beside.
fn wait_for_names(
    stream: UnixStream,
    names: dns::Door,
    caller: Caller,
    order: dns::order::Order,
) -> anyhow::Result<()> {
    let wait = move || {
        let reply = match names.ask(caller, order) {
            Ok(answer) => Reply { names: Some(answer), ..Reply::done() },
            Err(why) => Reply::refused(why),
        };
        if let Err(cause) = reply.send(stream) {
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

/// Sends an order to the daemon of this state folder.
pub fn send(folder: &Path, order: Order) -> anyhow::Result<()> {
    ask(folder, &Request { order: Some(order), ..Request::default() }).map(drop)
}

/// Sends an order about routes, in this person's name.
pub fn route(folder: &Path, order: order::Order, name: Option<String>) -> anyhow::Result<order::Answer> {
    let reply = ask(folder, &Request { route: Some(order), name, ..Request::default() })?;
    reply.answer.context("the daemon's answer is empty")
}

/// Sends an order about what holds for whom, in this person's name.
pub(crate) fn decided(folder: &Path, order: policy::Order, name: Option<String>) -> anyhow::Result<Value> {
    let reply = ask(folder, &Request { policy: Some(order), name, ..Request::default() })?;
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

fn ask(folder: &Path, request: &Request) -> anyhow::Result<Reply> {
    let path: PathBuf = folder.join(SOCKET);
    let mut stream = UnixStream::connect(&path).with_context(|| {
        format!("no daemon answers at {}; is `spillway run` up, and are you its user?", path.display())
    })?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
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
