//! Profiles of targets: `profiles/targets.toml`, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::config::target::{self, Section, Wishes};

/// What holds for those of which nobody says what they are like.
pub(crate) const DEFAULT: &str = "default";

const TEXT: &str = include_str!("../../../../profiles/targets.toml");

/// All of them by name.
static ALL: LazyLock<Result<BTreeMap<String, Wishes>, String>> = LazyLock::new(|| {
    let sections: BTreeMap<String, Section> = toml::from_str(TEXT).map_err(|wrong| wrong.to_string())?;
    sections
        .into_iter()
        .map(|(name, section)| {
            target::wishes(section)
                .map(|wishes| (name.clone(), wishes))
                .map_err(|why| format!("{name}: {why}"))
        })
        .collect()
});

/// All profiles with their names.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static Wishes)> {
    ALL.iter().flatten().map(|(name, wishes)| (name.as_str(), wishes))
}

/// The profile of this name.
///
/// # Errors
/// There is none; says which name is nearest.
pub(crate) fn find(name: &str) -> Result<&'static Wishes, String> {
    match &*ALL {
        Err(why) => Err(format!("profiles/targets.toml: {why}")),
        Ok(all) => all.get(name).ok_or_else(|| {
            let known: Vec<&str> = all.keys().map(String::as_str).collect();
            format!("there is no profile `{name}`; {}", target::nearest(name, &known))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dozen_profiles_say_what_is_ordinary_what_is_liked_and_what_is_never_dropped() {
        let names: Vec<&str> = all().map(|(name, _)| name).collect();
        assert!(ALL.is_ok(), "{:?}", *ALL);
        for name in [
            "web",
            "dns",
            "game-udp",
            "vpn",
            "mail",
            "voice",
            "transit",
            "cgnat",
            "ssh",
            "cdn-origin",
            "streaming",
            "quic",
            "default",
        ] {
            assert!(names.contains(&name), "{name}");
        }
        for (name, wishes) in all() {
            assert!(wishes.title.is_some() && wishes.why.is_some() && wishes.ordinary.is_some(), "{name}");
            assert!(
                wishes.mode.is_none() && wishes.blind.is_none(),
                "{name}: how far to go is for people to say"
            );
            let spared = wishes.never_drop.as_ref().unwrap();
            let v6 = |text: &str| text.contains("icmp6");
            assert!(
                name == DEFAULT || spared.iter().any(|shape| v6(&shape.text)),
                "{name}: IPv6 beside IPv4"
            );
            if name != DEFAULT {
                assert!(
                    wishes.multiple.is_some()
                        && wishes.challenge.is_some()
                        && wishes.collateral_max.is_some(),
                    "{name}"
                );
            }
        }
        assert_eq!(find("wbe").unwrap_err(), "there is no profile `wbe`; did you mean `web`?");
    }
}
