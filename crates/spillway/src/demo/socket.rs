//! How the daemon's API reaches the stage: a socket in the demonstration's folder, a line of JSON each way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::sender::now;
use super::stage::{Stage, Wish};

/// Octets of a line at most.
const LINE_MAX: u64 = 16 << 10;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers at `path` for as long as the process lives.
pub(super) fn serve(path: &Path, stage: Stage) -> anyhow::Result<()> {
    let listener = UnixListener::bind(path).context("cannot listen for wishes")?;
    let serve = move || {
        for stream in listener.incoming().flatten() {
            // Who asked has gone, or says nothing: the next one.
            let _ = answer(&stream, &stage);
        }
    };
    std::thread::Builder::new().name("stage".into()).spawn(serve).context("cannot start a thread").map(drop)
}

/// Asks the stage behind `path`.
///
/// # Errors
/// The outer one: it cannot be reached. The inner one: why it does not do it.
pub(crate) fn ask(path: &Path, order: &Value) -> anyhow::Result<Result<Value, String>> {
    let stream = UnixStream::connect(path)?;
    patient(&stream)?;
    writeln!(&stream, "{order}")?;
    let told: Value = serde_json::from_str(&line(&stream)?)?;
    Ok(match told.get("error").and_then(Value::as_str) {
        Some(error) => Err(error.to_owned()),
        None => Ok(told),
    })
}

fn answer(stream: &UnixStream, stage: &Stage) -> anyhow::Result<()> {
    patient(stream)?;
    let wish: Result<Wish, _> = serde_json::from_str(&line(stream)?);
    let told = wish.map_err(|wrong| wrong.to_string()).and_then(|wish| stage.take(wish, now()));
    let told = match told {
        Ok(acts) => serde_json::to_value(acts)?,
        Err(error) => json!({ "error": error }),
    };
    let mut stream = stream;
    Ok(writeln!(stream, "{told}")?)
}

fn patient(stream: &UnixStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

fn line(stream: &UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(LINE_MAX)).read_line(&mut line)?;
    Ok(line)
}
