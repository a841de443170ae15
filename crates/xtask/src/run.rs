//! Running other programs from the workspace's root.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) use ::peers::Outcome;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `program args…`, in the root.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    command
}

/// `cargo args…`, with the lints as errors and part of the build: the compiler of our own crates is clippy.
pub(crate) fn linting_cargo(args: &[&str]) -> Command {
    linting(command("cargo", args))
}

/// Likewise, for what nobody waits for yet: it takes what others leave of the processors.
pub(crate) fn yielding_cargo(args: &[&str]) -> Command {
    let mut command = command("nice", &["-n", "10", "cargo"]);
    command.args(args);
    linting(command)
}

fn linting(mut command: Command) -> Command {
    command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
    // clippy-driver splits its arguments at this word
    command.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__");
    command
}

/// Runs to the end; anything but success is an error that names the command.
pub(crate) fn finish(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|e| format!("{}: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

/// Standard output of a command that succeeds.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let out = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{}: {e}", shown(command)))?;
    if !out.status.success() {
        return Err(format!("{}: {}", shown(command), out.status));
    }
    String::from_utf8(out.stdout).map_err(|e| format!("{}: {e}", shown(command)))
}

/// Runs to the end, passing on those lines of both outputs that `keep` wants; gives whether it succeeded.
pub(crate) fn filtered(command: &mut Command, keep: impl Fn(&str) -> bool + Sync) -> Outcome<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{}: {e}", shown(command)))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| stdout.map(|pipe| pass_on(pipe, std::io::stdout(), &keep)));
        scope.spawn(|| stderr.map(|pipe| pass_on(pipe, std::io::stderr(), &keep)));
    });
    let status = child.wait().map_err(|e| format!("{}: {e}", shown(command)))?;
    Ok(status.success())
}

/// Whether a program is there.
pub(crate) fn exists(program: &str, probe: &str) -> bool {
    Command::new(program)
        .arg(probe)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn pass_on(from: impl Read, mut to: impl Write, keep: &impl Fn(&str) -> bool) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if keep(&line) {
            // a closed terminal is no reason to stop the tests
            let _ = writeln!(to, "{line}");
        }
    }
}

fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
