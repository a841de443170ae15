//! An answer that goes on: server-sent events (WHATWG HTML, section 9.2.6), one after the other, over breaks and ends of the stream.

use std::io::{BufRead as _, BufReader, Read as _};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{ANSWER_MAX, Api};

/// The daemon says something at least four times in this.
const SILENCE: Duration = Duration::from_secs(60);
/// Between an end of the stream and the next beginning.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest line of an event.
const LINE_MAX: u64 = 16 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// `attack`, `rule`, `mitigation`, or `reset`: something was missed.
    pub(crate) kind: String,
    /// Its document.
    pub(crate) data: String,
    id: Option<String>,
}

/// Gives each event from now on to `each`, until that says `false`. A stream that ended or broke off goes on behind the last event;
/// only who cannot begin at all is told why.
///
/// # Errors
/// Nobody answers at the beginning, or this may not be heard; or what `each` says.
pub(crate) fn follow(
    api: &Api,
    path: &str,
    mut each: impl FnMut(Event) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let (mut last, mut begun) = (None, false);
    loop {
        match once(api, path, &mut last, &mut begun, &mut each) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(Broken::Said(error)) => return Err(error),
            Err(Broken::Off(error)) if !begun => return Err(error),
            Err(Broken::Off(_)) => {}
        }
        std::thread::sleep(PAUSE);
    }
}

/// Why a stream ended.
enum Broken {
    /// `each` wants no more, or the daemon does not give more.
    Said(anyhow::Error),
    /// The line broke.
    Off(anyhow::Error),
}

/// One stream to its end; `false`: no more is wanted.
fn once(
    api: &Api,
    path: &str,
    last: &mut Option<String>,
    begun: &mut bool,
    each: &mut impl FnMut(Event) -> anyhow::Result<bool>,
) -> Result<bool, Broken> {
    let off = |cause: std::io::Error| Broken::Off(anyhow::anyhow!("{}{path}: broken off: {cause}", api.url));
    let mut stream = api.connect(SILENCE).map_err(Broken::Off)?;
    let more = last.as_ref().map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    api.request(&mut stream, path, &more).map_err(off)?;
    let mut lines = BufReader::new(stream);
    let mut line = || -> std::io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let count = lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        Ok((count > 0).then_some(text))
    };
    let first = line().map_err(off)?.unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
    while line().map_err(off)?.is_some_and(|header| !header.is_empty()) {}
    match status {
        Some(200) => *begun = true,
        Some(status) => {
            let mut body = Vec::new();
            let _ = lines.take(ANSWER_MAX).read_to_end(&mut body);
            let refused = api.understand(path, status, &String::from_utf8_lossy(&body));
            return Err(Broken::Said(
                refused.err().context("an answer without an error").unwrap_or_else(|it| it),
            ));
        }
        None => {
            let error = || -> anyhow::Result<()> { bail!("{} does not speak HTTP", api.url) };
            return Err(Broken::Said(error().err().context("no answer").unwrap_or_else(|it| it)));
        }
    }
    let mut event = Event::default();
    while let Some(text) = line().map_err(off)? {
        if text.is_empty() {
            let whole = std::mem::take(&mut event);
            if whole.id.is_some() {
                last.clone_from(&whole.id);
            }
            if !whole.kind.is_empty() && !each(whole).map_err(Broken::Said)? {
                return Ok(false);
            }
            continue;
        }
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.kind),
            "id" => event.id = Some(value.to_owned()),
            "data" => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            _ => {}
        }
    }
    Ok(true)
}
