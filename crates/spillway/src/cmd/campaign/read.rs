//! Attacks to be compared, in the forms that they come in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use intel::Rules;
use intel::campaign::Trace;
use intel::export::ddosch;
use serde_json::Value;

use crate::cmd::asked::Daemon;
use crate::config::DEFAULT_PATH;
use crate::dossier::document::TRACE_KEY;
use crate::witness::Place;

/// Octets of a file; a dossier's own document has no list of sources.
const FILE_MAX: u64 = 64 << 20;

/// What was read.
pub(super) struct Known {
    /// As it was named.
    pub(super) name: String,
    /// `trace`, or `fingerprint`.
    pub(super) kind: &'static str,
    pub(super) trace: Trace,
}

/// Knows where own attacks are.
pub(super) struct Reader {
    state_dir: Option<PathBuf>,
    rules: Rules,
}

impl Reader {
    pub(super) fn new(daemon: &Daemon) -> anyhow::Result<Self> {
        // Files are compared without a daemon's configuration, where none is named.
        let config = crate::cmd::ledger::config(daemon);
        let state_dir = match config {
            Ok(config) => Some(config.state_dir),
            Err(_) if daemon.config == Path::new(DEFAULT_PATH) => None,
            Err(wrong) => return Err(wrong),
        };
        Ok(Self { state_dir, rules: Rules::embedded()? })
    }

    /// Own attacks whose evidence is kept.
    pub(super) fn own(&self) -> anyhow::Result<Vec<Known>> {
        let Some(state_dir) = &self.state_dir else {
            bail!(
                "there is no configuration, so no own attacks are known: name another attack, or the configuration with -c"
            );
        };
        // One that goes on has no trace yet, and one that is damaged hides no other.
        Ok(Place::all(state_dir)
            .into_iter()
            .filter_map(|(id, place)| Some(Known { name: id, ..self.read(place.path()).ok()? }))
            .collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// It is not there, or not what it should be, with the place.
    pub(super) fn read(&self, named: &Path) -> anyhow::Result<Known> {
        let own = self.state_dir.as_ref().and_then(|state| Place::of(state, named.to_str()?));
        let path = own
            .map(|place| place.path().to_owned())
            .filter(|path| path.is_dir())
            .unwrap_or_else(|| named.to_owned());
        let path = if path.is_dir() { path.join("attack.json") } else { path };
        let shown = path.display();
        let length = std::fs::metadata(&path)
            .with_context(|| {
                format!("{shown}: no attack; name its id, its folder, a trace or a fingerprint")
            })?
            .len();
        if length > FILE_MAX {
            bail!("{shown}: {length} octets, at most {FILE_MAX} are read");
        }
        let octets = std::fs::read(&path).with_context(|| format!("{shown}: cannot be read"))?;
        let value: Value = serde_json::from_slice(&octets).map_err(|wrong| anyhow!("{shown}: {wrong}"))?;
        let name = named.display().to_string();
        if value.get("attack_vectors").is_some() {
            let fingerprint = ddosch::read(&octets).map_err(|wrong| anyhow!("{shown}: {wrong}"))?;
            let trace = ddosch::trace(&fingerprint, &self.rules, TRACE_KEY)
                .map_err(|wrong| anyhow!("{shown}: {wrong}"))?;
            return Ok(Known { name, kind: "fingerprint", trace });
        }
        let (place, trace) = match value.get("trace") {
            Some(inside) => ("trace: ", inside.clone()),
            None if value.get("reflectors").is_some() => ("", value),
            None => bail!("{shown}: has no trace, and is no fingerprint of a Clearing House"),
        };
        let trace: Trace =
            serde_json::from_value(trace).map_err(|wrong| anyhow!("{shown}: {place}{wrong}"))?;
        trace.check().map_err(|wrong| anyhow!("{shown}: {place}{wrong}"))?;
        Ok(Known { name, kind: "trace", trace })
    }
}
