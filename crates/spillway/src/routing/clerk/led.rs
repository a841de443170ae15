//! Who has, or shall have, what is diverted; it outlives a restart, for the journal says only what is diverted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::Prefix;

/// In the state folder.
const FILE: &str = "led.json";
/// Prefixes at most; further ones go to the first absorber that is prepared for them.
const LED_MAX: usize = 4096;

/// Absorbers by prefix.
#[derive(Debug, Default)]
pub(super) struct Led {
    at: PathBuf,
    all: BTreeMap<Prefix, String>,
}

impl Led {
    /// What an earlier run knew.
    pub(super) fn read(folder: &Path) -> Self {
        let at = folder.join(FILE);
        let all = std::fs::read(&at).ok().map(|text| {
            serde_json::from_slice::<BTreeMap<String, String>>(&text).unwrap_or_else(|cause| {
                tracing::warn!(%cause, "{FILE} is not understood and left aside: what is diverted goes to the first absorber that is prepared for it");
                BTreeMap::new()
            })
        });
        let all = all.unwrap_or_default().into_iter().take(LED_MAX);
        Self { all: all.filter_map(|(prefix, name)| Some((prefix.parse().ok()?, name))).collect(), at }
    }

    /// Who has it.
    pub(super) fn of(&self, prefix: &Prefix) -> Option<&str> {
        self.all.get(prefix).map(String::as_str)
    }

    /// It goes there from now on.
    pub(super) fn set(&mut self, prefix: Prefix, name: &str) {
        let room = self.all.len() < LED_MAX || self.all.contains_key(&prefix);
        if room && self.of(&prefix) != Some(name) {
            self.all.insert(prefix, name.to_owned());
            self.write();
        }
    }

    /// It is not diverted any more.
    pub(super) fn end(&mut self, prefix: &Prefix) {
        if self.all.remove(prefix).is_some() {
            self.write();
        }
    }

    /// Whole, or as it was.
    fn write(&self) {
        let fresh = self.at.with_extension("json.new");
        let all: BTreeMap<String, &String> =
            self.all.iter().map(|(prefix, name)| (prefix.to_string(), name)).collect();
        let text = serde_json::to_vec(&all).unwrap_or_default();
        let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.at));
        if let Err(cause) = written {
            tracing::warn!(%cause, "{FILE} cannot be written: after a restart what is diverted goes to the first absorber that is prepared for it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Led;

    #[test]
    fn who_has_what_is_diverted_outlives_a_restart() {
        let folder = std::env::temp_dir().join(format!("spillway-led-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (v4, v6) = ("198.51.100.0/24".parse().unwrap(), "2001:db8:1::/48".parse().unwrap());
        let mut led = Led::read(&folder);
        led.set(v4, "a");
        led.set(v6, "b");
        led.set(v4, "c");
        let mut led = Led::read(&folder);
        assert_eq!((led.of(&v4), led.of(&v6)), (Some("c"), Some("b")));
        led.end(&v4);
        assert_eq!(Led::read(&folder).of(&v4), None);
        std::fs::write(folder.join("led.json"), b"[").unwrap();
        assert_eq!(Led::read(&folder).of(&v6), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
