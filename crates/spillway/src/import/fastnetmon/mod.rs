//! FastNetMon's folder: `fastnetmon.conf`, the list of networks and the list of those that are never banned.

mod conf;
mod known;
mod limits;
mod listen;
mod networks;

use std::path::Path;

use base::Prefix;

use self::conf::Conf;
use self::known::Told;
use self::networks::Listed;
use super::Imported;
use super::draft::{Draft, quoted};
use super::source::Source;
use crate::config::{self, Config, Problem};

/// Carries a folder over. `own` is asked for this machine's networks where FastNetMon would have looked for them.
pub fn folder(dir: &Path, own: impl FnOnce() -> Vec<Prefix>) -> Result<Imported, Vec<Problem>> {
    let path = if dir.is_file() { dir.to_path_buf() } else { dir.join("fastnetmon.conf") };
    let remedy = "name the folder that holds fastnetmon.conf, /etc on most systems";
    let source = Source::read(&path, remedy).map_err(|problem| vec![problem])?;
    let folder = path.parent().unwrap_or(dir);
    let (mut problems, mut left) = (Vec::new(), Vec::new());
    let conf = Conf::new(&source, &mut problems);
    let listed = listed(folder, &conf, own, &mut problems, &mut left);
    let never = never(folder, &conf, &mut problems, &mut left);
    let networks: Vec<Prefix> = listed.iter().map(|(prefix, _)| *prefix).collect();

    let mut draft = Draft::default();
    draft.comment(format_args!(
        "Spillway, from FastNetMon's {}. Behind each value stands where it came from.",
        source.name()
    ));
    draft.comment("What else there is: `spillway init -c -`. What is right: `spillway check -c FILE`.");
    draft.line("");
    draft.list("networks", listed.into_iter().map(|(prefix, from)| (prefix.to_string(), from)));
    draft.line("");
    draft.comment("Watch first; \"enforce\" acts, and only then is the program of [notify.exec] called.");
    draft.line("mode = \"observe\"");
    listen::write(&mut draft, &conf, &mut problems, &mut left);
    rules(&mut draft, &conf, never, &mut problems, &mut left);
    limits::write(&mut draft, &conf, &networks, &mut problems, &mut left);
    notify(&mut draft, &conf, &mut left);
    if conf.get("logging_level").is_some_and(|entry| entry.value == "debug") {
        draft.section("log");
        draft.value(
            "level",
            "\"debug\"",
            conf.get("logging_level").map_or_else(String::new, conf::Entry::from),
        );
    }
    tell(&conf, &mut left);
    if !problems.is_empty() {
        return Err(problems);
    }
    left.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let text = draft.finish();
    match Config::parse(Path::new("spillway.toml"), &text) {
        Ok(_) => Ok(Imported { text, networks, left }),
        Err(wrong) => Err(wrong
            .into_iter()
            .map(|problem| Problem::of_file(&path, format!("came out wrong, please report this: {problem}")))
            .collect()),
    }
}

fn listed(
    folder: &Path,
    conf: &Conf<'_>,
    own: impl FnOnce() -> Vec<Prefix>,
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) -> Vec<Listed> {
    let path = networks::path(folder, conf, "networks_list_path", "/etc/networks_list");
    let source = match Source::read(&path, "put the list of your networks there, a prefix a line") {
        Ok(source) => source,
        Err(problem) => {
            problems.push(problem);
            return Vec::new();
        }
    };
    let before = problems.len();
    let listed = networks::read(&source, problems);
    let local = conf.is_on("monitor_local_ip_addresses", true);
    if listed.is_empty() && problems.len() == before {
        if !local {
            problems.push(
                source.problem("lists no network; write a prefix a line, like 198.51.100.0/24".to_owned()),
            );
            return Vec::new();
        }
        left.push(source.problem(
            "lists no network, so this machine's own are taken; write yours into `networks`".to_owned(),
        ));
        return own()
            .into_iter()
            .map(|prefix| (prefix, format!("this machine's; {} is empty", source.name())))
            .collect();
    }
    if let Some(entry) = conf.get("monitor_local_ip_addresses").filter(|_| local) {
        let message =
            "this machine's own addresses are not looked for; add them to `networks` if they are not inside";
        left.push(entry.problem(message.to_owned()));
    }
    networks::outermost(listed, &source, left)
}

/// Their whitelist is optional.
fn never(
    folder: &Path,
    conf: &Conf<'_>,
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) -> Vec<Listed> {
    let path = networks::path(folder, conf, "white_list_path", "/etc/networks_whitelist");
    match Source::read(&path, "nothing is excepted; put it there if something should be") {
        Ok(source) => networks::read(&source, problems),
        Err(problem) => {
            left.extend(conf.get("white_list_path").map(|_| problem));
            Vec::new()
        }
    }
}

fn rules(
    draft: &mut Draft,
    conf: &Conf<'_>,
    never: Vec<Listed>,
    problems: &mut Vec<Problem>,
    left: &mut Vec<Problem>,
) {
    draft.section("rules");
    match conf.parsed::<u32>("ban_time", "a whole number of seconds; write it without a unit", problems) {
        Some((0, entry)) => {
            let message = "0 never ends a ban, and every rule ends here; nothing to do, it is renewed while the attack goes on";
            left.push(entry.problem(message.to_owned()));
        }
        Some((seconds, entry)) => draft.value("lease", format_args!("\"{seconds}s\""), entry.from()),
        None => {}
    }
    if !never.is_empty() {
        draft.comment("Never cut; attacks on them are told all the same.");
        draft.list("never", never.into_iter().map(|(prefix, from)| (prefix.to_string(), from)));
    }
}

/// The script is called as before: `PATH ADDRESS incoming|outgoing PPS ban|unban`.
fn notify(draft: &mut Draft, conf: &Conf<'_>, left: &mut Vec<Problem>) {
    let Some(entry) = conf.get("notify_script_path").filter(|entry| !entry.value.is_empty()) else { return };
    let path = Path::new(entry.value);
    if path.is_absolute() && config::runnable(path) {
        draft.section("notify.exec");
        draft.value("path", quoted(entry.value), entry.from());
        draft.comment("Called with the same arguments as before, but attack_details; in enforce mode only.");
        draft.line("compat = \"fastnetmon\"");
        return;
    }
    draft.line("");
    draft.comment(format_args!("{} is not a program here. Once it is:", entry.from()));
    for line in [
        "[notify.exec]".to_owned(),
        format!("path = {}", quoted(entry.value)),
        "compat = \"fastnetmon\"".to_owned(),
    ] {
        draft.comment(format_args!("  {line}"));
    }
    let message = format!(
        "{} is not a program on this machine; put it there and take the # from [notify.exec]",
        entry.value
    );
    left.push(entry.problem(message));
}

/// Every setting that nothing above took.
fn tell(conf: &Conf<'_>, left: &mut Vec<Problem>) {
    let mut told = Vec::new();
    for entry in conf.entries() {
        if let Some((when, why)) = known::known(entry.key) {
            let tell = match when {
                Told::Always => true,
                Told::Never => false,
                Told::On => entry.is_on(),
                Told::Off => !entry.is_on(),
            };
            if tell {
                left.push(entry.problem(why.to_owned()));
            }
            continue;
        }
        match limits::of_group(entry.key) {
            Some((group, _)) if conf.groups.iter().any(|known| known.name == group) => {}
            Some((group, _)) if told.contains(&group) => {}
            Some((group, _)) => {
                told.push(group);
                let message =
                    format!("there is no host group {group}, so its settings say nothing; nothing to do");
                left.push(entry.problem(message));
            }
            None => {
                let message = "is not known as a setting of FastNetMon; look what it did for you";
                left.push(entry.problem(message.to_owned()));
            }
        }
    }
}
