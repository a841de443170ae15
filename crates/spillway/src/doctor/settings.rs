//! What the configuration lacks.

use engine::Mode;

use super::facts::Facts;
use super::{error, note, ok, warning};
use api::Finding;

/// Whether what is asked for can be done at all.
pub(super) fn enforcement(facts: &Facts) -> Vec<Finding> {
    let config = &facts.config;
    let filters = !config.dataplane.interfaces.is_empty();
    let any = filters || config.compat.is_some() || config.routing.is_some();
    let said = facts.running.as_ref().map(|running| &running.mode);
    let (mode, why) = said.map_or((config.mode, None), |(mode, why)| (*mode, why.clone()));
    let told = |finding: Finding| match &why {
        Some(why) => finding.why(why.clone()),
        None => finding,
    };
    match mode {
        Mode::Enforce if !any => vec![
            error("enforcement", "the mode is enforce, but nothing that could enforce is configured")
                .why("attacks are seen and filters derived, but none of them ever acts")
                .cure("name `dataplane.interfaces`, routers below [routing], or `compat = \"fastnetmon\"`"),
        ],
        Mode::Observe => {
            vec![told(note("enforcement", "the mode is observe: attacks are told, and nothing acts"))]
        }
        Mode::Suggest => {
            vec![told(note("enforcement", "the mode is suggest: filters wait for a person"))]
        }
        Mode::Enforce => vec![told(ok("enforcement", "the mode is enforce"))],
    }
}

/// Whether anything is kept from being cut.
pub(super) fn never(facts: &Facts) -> Vec<Finding> {
    let config = &facts.config;
    let routed = config.routing.as_ref().is_some_and(|routing| !routing.never.is_empty());
    if routed || !config.rules.never.is_empty() {
        return vec![ok("never-list", "what must never be cut is named")];
    }
    let what = "nothing is named that must never be cut";
    let found =
        if config.mode == Mode::Enforce { warning("never-list", what) } else { note("never-list", what) };
    vec![
        found
            .why("a filter or an announcement could cut a resolver, a monitor or your own way in")
            .cure("`rules.never = [\"ADDRESS/32\"]` with those that everything depends on"),
    ]
}

/// Whether anybody is told.
pub(super) fn told(facts: &Facts) -> Vec<Finding> {
    let config = &facts.config;
    if config.channels.is_empty() && config.notify.is_none() {
        return vec![
            note("notifications", "nobody is told of attacks")
                .why("they are only seen by who looks")
                .cure("add a section [notify.NAME]; `spillway notify test NAME` tries it"),
        ];
    }
    let several = config.channels.len() + usize::from(config.notify.is_some());
    vec![ok("notifications", format!("attacks are told by {several} channels"))]
}

/// Whether the daemon runs under the file that is there.
pub(super) fn reloaded(facts: &Facts) -> Vec<Finding> {
    let Some(running) = &facts.running else { return Vec::new() };
    let path = facts.config.path.display();
    if !running.metrics.reload_ok {
        return vec![
            error("configuration", "the last configuration was not taken; the one before is in force")
                .about(path.to_string())
                .why("what was changed in the file does not hold, and a restart would fail")
                .cure(format!("`spillway check -c {path}` says what is wrong; mend it, then `spillway control reload -c {path}`")),
        ];
    }
    if running.edited.is_some() {
        return vec![
            warning("configuration", "the file was changed after it was taken")
                .about(path.to_string())
                .why("what it says now does not hold yet")
                .cure(format!("`spillway check -c {path} && spillway control reload -c {path}`")),
        ];
    }
    vec![ok("configuration", "the file is the one that is in force").about(path.to_string())]
}
