//! What changes something: one JSON line in, one JSON line out, through a Unix socket that only its owner may open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::Event;

/// Name of the socket inside the state folder.
const SOCKET: &str = "control.sock";
/// A caller that says nothing for so long is sent away.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a caller waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// No command is longer.
const LINE_MAX: u64 = 4096;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// End cleanly, as SIGTERM does
    Shutdown,
    /// Check the configuration, then take it, as SIGHUP does
    Reload,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    #[serde(rename = "do")]
    order: Order,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether it is done.
    pub ok: bool,
    /// What was wrong.
    pub error: Option<String>,
}

/// Opens the socket and serves it until the process ends.
pub(super) fn start(folder: &Path, events: Sender<Event>) -> anyhow::Result<()> {
    let path = folder.join(SOCKET);
    // The folder's lock is ours, so a socket that lies here belongs to a process that is gone.
    let _ = std::fs::remove_file(&path);
    // Nobody else may enter the folder (mode 0700), so there is no moment at which the socket stands open.
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot open {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            if let Err(cause) = answer(stream, &events) {
                tracing::debug!(%cause, "control socket");
            }
        }
    };
    std::thread::Builder::new().name("control".to_owned()).spawn(serve)?;
    Ok(())
}

fn answer(mut stream: UnixStream, events: &Sender<Event>) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?.take(LINE_MAX)).read_line(&mut line)?;
    let reply = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            let (reply, answered) = channel();
            events.send(Event::Order(request.order, reply))?;
            answered.recv_timeout(ANSWER_MAX)?
        }
        Err(wrong) => Reply { ok: false, error: Some(format!("not a command: {wrong}")) },
    };
    serde_json::to_writer(&mut stream, &reply)?;
    Ok(stream.write_all(b"\n")?)
}

/// Sends an order to the daemon of this state folder.
pub fn send(folder: &Path, order: Order) -> anyhow::Result<()> {
    let path: PathBuf = folder.join(SOCKET);
    let mut stream = UnixStream::connect(&path).with_context(|| {
        format!("no daemon answers at {}; is `spillway run` up, and are you its user?", path.display())
    })?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    serde_json::to_writer(&mut stream, &Request { order })?;
    stream.write_all(b"\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let reply: Reply = serde_json::from_str(&line).context("the daemon's answer cannot be read")?;
    match reply.error {
        Some(error) if !reply.ok => bail!("{error}"),
        _ => Ok(()),
    }
}
