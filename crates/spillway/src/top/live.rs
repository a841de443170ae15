//! The terminal, the clock and the questions.

use std::io::{IsTerminal as _, Stdout, Write as _};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossterm::event::{self, Event, KeyEventKind};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui_crossterm::CrosstermBackend;

use super::{Answers, Do, Screen, View, draw, text};
use crate::card;
use crate::client::Api;
use crate::interrupt::Interrupt;
use crate::output::{self, Paint};

/// Between two looks at the keys.
const LOOK: Duration = Duration::from_millis(100);
/// Of a frame for pipes.
const WIDTH: u16 = 140;
const HEIGHT: u16 = 40;

/// What the thread that asks tells.
enum News {
    Answers(Box<Answers>),
    Missed(String),
    Explained(Vec<String>),
}

/// Asks for everything once.
pub(crate) fn ask(api: &Api, since: Instant) -> anyhow::Result<Answers> {
    let status = api.json("/api/v1/status")?;
    let attacks = api.json("/api/v1/attacks?state=active&limit=200")?;
    let (rules, exporters) = (api.json("/api/v1/rules")?, api.json("/api/v1/exporters")?);
    let (code, metrics) = api.get("/metrics")?;
    let metrics = if code == 200 { metrics } else { String::new() };
    let at_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Answers { at_ms, status, attacks, rules, exporters, metrics })
}

/// Two looks, so that there are rates, and one frame.
pub(crate) fn once(api: &Api, interval: Duration) -> anyhow::Result<View> {
    let since = Instant::now();
    let before = ask(api, since)?;
    std::thread::sleep(interval);
    Ok(View::of(&ask(api, since)?, Some(&before)))
}

/// A frame as text.
pub(crate) fn print(api: &Api, view: View) -> anyhow::Result<()> {
    let mut screen = Screen { api: api.url().to_owned(), ..Screen::default() };
    screen.take(view);
    let mut out = output::stdout();
    // What a screen leaves free is of no use in a pipe.
    let frame = text(&screen, WIDTH, HEIGHT);
    for line in frame.lines().filter(|line| !line.is_empty()) {
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

/// The terminal as it was, however this ends.
struct Restored(Terminal<CrosstermBackend<Stdout>>);

impl Restored {
    fn take() -> anyhow::Result<Self> {
        enable_raw_mode()
            .context("this terminal cannot be drawn on; `spillway top --once` prints a frame")?;
        let mut out = std::io::stdout();
        let terminal = execute!(out, EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(std::io::stdout())));
        match terminal {
            Ok(terminal) => Ok(Self(terminal)),
            Err(cause) => {
                let _ = disable_raw_mode();
                Err(cause.into())
            }
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // What cannot be restored cannot be told either.
        let _ = self.0.show_cursor();
        let _ = execute!(std::io::stdout(), LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Draws until somebody wants it to end.
pub(crate) fn run(api: &Api, interval: Duration, interrupt: &Interrupt) -> anyhow::Result<()> {
    interrupt.listen()?;
    let (wish, wishes) = channel::<String>();
    let (tell, news) = channel::<News>();
    let asked = api.clone();
    // It ends with the process, or when nobody listens any more.
    std::thread::Builder::new()
        .name("ask".to_owned())
        .spawn(move || ask_on(&asked, interval, &wishes, &tell))?;
    let mut screen = Screen { api: api.url().to_owned(), colour: colours(), ..Screen::default() };
    let mut before: Option<Answers> = None;
    let mut terminal = Restored::take()?;
    let mut stale = true;
    while !interrupt.asked() {
        stale |= hear(&news, &mut screen, &mut before);
        if std::mem::take(&mut stale) {
            terminal.0.draw(|frame| draw(frame, &screen))?;
        }
        if !event::poll(LOOK)? {
            continue;
        }
        stale = true;
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match screen.press(key) {
                Do::Draw => {}
                Do::Quit => break,
                Do::Explain(id) => {
                    screen.explained = Some((vec!["asking ...".to_owned()], 0));
                    // Gone only where the thread is, and then it was told.
                    let _ = wish.send(id);
                }
            }
        }
    }
    Ok(())
}

/// Takes what was told; whether there was something.
fn hear(news: &Receiver<News>, screen: &mut Screen, before: &mut Option<Answers>) -> bool {
    let mut any = false;
    for one in news.try_iter() {
        any = true;
        match one {
            News::Answers(answers) => {
                screen.take(View::of(&answers, before.as_ref()));
                *before = Some(*answers);
            }
            News::Missed(why) => screen.miss(why),
            // Whoever went back meanwhile does not want it any more.
            News::Explained(lines) if screen.explained.is_some() => screen.explained = Some((lines, 0)),
            News::Explained(_) => {}
        }
    }
    any
}

fn ask_on(api: &Api, interval: Duration, wishes: &Receiver<String>, tell: &Sender<News>) {
    let since = Instant::now();
    loop {
        let told = match ask(api, since) {
            Ok(answers) => News::Answers(Box::new(answers)),
            Err(why) => News::Missed(format!("{why:#}")),
        };
        if tell.send(told).is_err() {
            return;
        }
        let next = Instant::now() + interval;
        while let Ok(id) = wishes.recv_timeout(next.saturating_duration_since(Instant::now())) {
            if tell.send(News::Explained(explain(api, &id))).is_err() {
                return;
            }
        }
    }
}

fn explain(api: &Api, id: &str) -> Vec<String> {
    let asked = api.json(&format!("/api/v1/attacks/{id}/explanation"));
    match asked.and_then(|document| Ok(serde_json::from_value::<api::Explanation>(document)?)) {
        Ok(it) => card::explanation(&it, Paint::plain()).lines().map(str::to_owned).collect(),
        Err(why) => vec![format!("{why:#}")],
    }
}

fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !refused
}
