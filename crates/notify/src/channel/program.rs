//! A program that gets the document on its standard input.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::{Span, Timestamp};

use super::{Channel, Failure, duration};
use crate::Message;

/// How often is looked whether it ended.
const LOOK: Duration = Duration::from_millis(20);

/// Calls a program.
pub(super) struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    timeout: Span,
}

impl Program {
    pub(super) const fn new(path: PathBuf, arguments: Vec<String>, timeout: Span) -> Self {
        Self { path, arguments, timeout }
    }

    fn wait(&self, child: &mut Child) -> Result<String, Failure> {
        let looks = duration(self.timeout).as_nanos() / LOOK.as_nanos() + 1;
        for _ in 0..looks {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(status.to_string()),
                Ok(Some(status)) => return Err(Failure::passing(status.to_string())),
                Ok(None) => std::thread::sleep(LOOK),
                Err(cause) => return Err(Failure::passing(cause.to_string())),
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(Failure::passing(format!("ended after {}", self.timeout)))
    }
}

impl Channel for Program {
    fn send(&mut self, message: &Message, body: &str, _: Timestamp) -> Result<String, Failure> {
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .env("SPILLWAY_NOTIFICATION_ID", &message.id)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|cause| Failure::passing(format!("{}: {cause}", self.path.display())))?;
        // One that does not read must not hold us up: the pipe is filled by a thread that ends with the program.
        if let Some(mut stdin) = child.stdin.take() {
            let document = body.to_owned();
            let writing = std::thread::Builder::new().name("notify-stdin".to_owned());
            // One that closes its input early has its reasons.
            let _ = writing.spawn(move || stdin.write_all(document.as_bytes()));
        }
        self.wait(&mut child)
    }
}
