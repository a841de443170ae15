//! How it looks: from the screen's state to cells. Nothing is said by colour alone.

use base::units::{BitRate, PacketRate};
use ratatui::backend::TestBackend;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Sparkline, Table, Wrap};
use ratatui::{Frame, Terminal};

use super::press::{Page, Screen};
use super::view::View;
use crate::progress::grouped;

/// One row of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// By which it is sorted.
    pub(super) size: f64,
    /// Likewise: RFC 3339.
    pub(super) age: String,
    /// Which attack Enter explains.
    pub(super) attack: Option<String>,
    /// It is bad, or odd.
    mark: Mark,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    Plain,
    Odd,
    Bad,
}

const HELP: &str = "\
1 2 3 4, Tab   attacks, targets, rules, exporters
up down, k j   choose a row
Enter          have the chosen attack explained
s              sort by size, age, name
/              filter; Enter keeps it, Esc clears it
?              this
q, Ctrl-C      end";

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let area = frame.area();
    let notes = screen.view.as_ref().map_or(0, |view| view.notes.len().min(3));
    let notes = u16::try_from(notes).unwrap_or(0);
    let curve = if area.height >= 16 { 3 } else { 0 };
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(notes),
        Constraint::Length(2),
        Constraint::Length(curve),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ]);
    let [head, sentence, notes, totals, curve, tabs, list, foot] = parts.areas(area);
    let strong = Style::new().add_modifier(Modifier::BOLD);
    let version = screen.view.as_ref().map_or("", |view| view.version.as_str());
    frame.render_widget(Paragraph::new(format!("spillway {version}  {}", screen.api)), head);
    let said = match (&screen.trouble, &screen.view) {
        (Some(why), Some(_)) => format!("NOT ANSWERING, the last answer is shown, asking again: {why}"),
        (Some(why), None) => format!("NOT ANSWERING, asking again: {why}"),
        (None, Some(view)) => view.sentence.clone(),
        (None, None) => "asking ...".to_owned(),
    };
    let bad = screen.trouble.is_some();
    frame.render_widget(
        Paragraph::new(plain(&said)).style(tint(screen, strong, bad.then_some(Color::Red))),
        sentence,
    );
    if let Some(view) = &screen.view {
        let lines: Vec<Line<'_>> =
            view.notes.iter().take(3).map(|note| Line::from(format!("! {}", plain(note)))).collect();
        frame.render_widget(
            Paragraph::new(lines).style(tint(screen, Style::new(), Some(Color::Yellow))),
            notes,
        );
        frame.render_widget(Paragraph::new(rates(view)), totals);
    }
    let newest = usize::from(curve.width);
    let from = screen.curve.len().saturating_sub(newest);
    let bars: Vec<u64> = screen.curve.iter().skip(from).copied().collect();
    frame.render_widget(
        Sparkline::default().data(&bars).style(tint(screen, Style::new(), Some(Color::Cyan))),
        curve,
    );
    frame.render_widget(Paragraph::new(title(screen)).style(strong), tabs);
    table(frame, screen, list);
    let foot_text = if screen.typing {
        format!("filter: {}_   Enter keeps it, Esc clears it", screen.filter)
    } else {
        "q end  ? help  Tab page  s sort  / filter  Enter explain".to_owned()
    };
    frame.render_widget(Paragraph::new(foot_text).style(Style::new().add_modifier(Modifier::REVERSED)), foot);
    if screen.help {
        over(frame, area, "help", &HELP.lines().map(str::to_owned).collect::<Vec<_>>(), 0);
    } else if let Some((lines, from)) = &screen.explained {
        over(frame, area, "explained; any key goes back", lines, *from);
    }
}

fn tint(screen: &Screen, style: Style, colour: Option<Color>) -> Style {
    match colour {
        Some(colour) if screen.colour => style.fg(colour),
        _ => style,
    }
}

/// What others told may hold anything.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn rates(view: &View) -> Vec<Line<'static>> {
    let Some(rates) = &view.rates else { return vec![Line::from("rates: after the second look")] };
    let (pps, bps) = (PacketRate(rates.arriving_pps), BitRate(rates.arriving_bps));
    let here = match (rates.dropped_pps, rates.passed_pps) {
        (Some(dropped), Some(passed)) => {
            format!("   dropped here {}   passed {}", PacketRate(dropped), PacketRate(passed))
        }
        _ => String::new(),
    };
    let drops = if rates.kernel_drops > 0.0 {
        format!("   KERNEL DROPS {:.0} datagrams/s: see `spillway doctor`", rates.kernel_drops)
    } else {
        String::new()
    };
    vec![
        Line::from(format!("arriving {pps}, {bps}{here}")),
        Line::from(format!(
            "told by {:.0} records/s in {:.0} datagrams/s{drops}",
            rates.records, rates.datagrams
        )),
    ]
}

fn title(screen: &Screen) -> String {
    let tabs = Page::ALL.iter().zip(1..).map(|(page, number)| {
        if *page == screen.page {
            format!("[{number} {}]", page.title())
        } else {
            format!(" {number} {} ", page.title())
        }
    });
    let filter = if screen.filter.is_empty() { String::new() } else { format!(", only `{}`", screen.filter) };
    format!("{}  by {}{filter}", tabs.collect::<String>(), screen.sort.name())
}

/// Column heads and widths of a page.
const fn columns(page: Page) -> &'static [(&'static str, u16)] {
    match page {
        Page::Attacks => &[
            ("target", 26),
            ("vectors", 24),
            ("peak", 22),
            ("sources", 18),
            ("rules", 9),
            ("since", 19),
            ("id", 16),
        ],
        Page::Targets => &[("target", 44), ("attacks", 8), ("peak packets", 14), ("peak bits", 14)],
        Page::Rules => &[("state", 10), ("dropped", 14), ("rule", 70), ("why not", 40)],
        Page::Exporters => {
            &[("exporter", 40), ("heard", 8), ("sampling", 10), ("records", 16), ("lost", 10), ("last", 19)]
        }
    }
}

/// `2026-11-26 20:15:37`.
fn moment(at: &str) -> String {
    at.get(..19).unwrap_or(at).replace('T', " ")
}

/// All rows of a page.
pub(super) fn rows(view: &View, page: Page) -> Vec<Row> {
    #[expect(clippy::cast_precision_loss, reason = "for sorting")]
    let float = |count: u64| count as f64;
    match page {
        Page::Attacks => {
            let row = |one: &super::Attack| Row {
                cells: vec![
                    if one.direction == "out" { format!("{} (out)", one.target) } else { one.target.clone() },
                    if one.severity == "suspicious" {
                        format!("? {}", one.vectors)
                    } else {
                        one.vectors.clone()
                    },
                    format!("{}, {}", PacketRate(one.peak_pps), BitRate(one.peak_bps)),
                    format!("{} {}", grouped(one.sources), one.nature),
                    format!("{} of {}", one.rules.1, one.rules.0),
                    moment(&one.started_at),
                    one.id.clone(),
                ],
                size: one.peak_bps,
                age: one.started_at.clone(),
                attack: Some(one.id.clone()),
                mark: if one.severity == "suspicious" { Mark::Odd } else { Mark::Bad },
            };
            view.attacks.iter().map(row).collect()
        }
        Page::Targets => {
            let row = |one: &super::Target| Row {
                cells: vec![
                    one.prefix.clone(),
                    one.attacks.to_string(),
                    PacketRate(one.pps).to_string(),
                    BitRate(one.bps).to_string(),
                ],
                size: one.bps,
                attack: view
                    .attacks
                    .iter()
                    .find(|attack| attack.target == one.prefix)
                    .map(|attack| attack.id.clone()),
                ..Row::default()
            };
            view.targets.iter().map(row).collect()
        }
        Page::Rules => {
            let row = |one: &super::Rule| Row {
                cells: vec![
                    one.state.clone(),
                    one.dropped.map_or_else(|| "-".to_owned(), grouped),
                    one.text.clone(),
                    one.reason.clone().unwrap_or_default(),
                ],
                size: float(one.dropped.unwrap_or(0)),
                attack: Some(one.attack.clone()),
                mark: if one.state == "failed" { Mark::Bad } else { Mark::Plain },
                ..Row::default()
            };
            view.rules.iter().map(row).collect()
        }
        Page::Exporters => {
            let row = |one: &super::Exporter| Row {
                cells: vec![
                    one.address.clone(),
                    one.heard.clone(),
                    one.sampling.map_or_else(|| "unknown".to_owned(), |n| format!("1:{n}")),
                    grouped(one.records),
                    grouped(one.lost),
                    one.last_seen.as_deref().map(moment).unwrap_or_default(),
                ],
                size: float(one.records),
                age: one.last_seen.clone().unwrap_or_default(),
                attack: None,
                mark: match one.heard.as_str() {
                    "silent" => Mark::Bad,
                    "part" => Mark::Odd,
                    _ => Mark::Plain,
                },
            };
            view.exporters.iter().map(row).collect()
        }
    }
}

fn table(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let rows = screen.rows();
    if rows.is_empty() {
        let none = if screen.filter.is_empty() { "none" } else { "none that the filter leaves" };
        let text = if screen.view.is_some() { none } else { "" };
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let columns = columns(screen.page);
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let from = screen.chosen.saturating_sub(room - 1);
    let shown = rows.iter().enumerate().skip(from).take(room).map(|(at, row)| {
        let colour = match row.mark {
            Mark::Bad => Some(Color::Red),
            Mark::Odd => Some(Color::Yellow),
            Mark::Plain => None,
        };
        let style = tint(screen, Style::new(), colour);
        let style = if at == screen.chosen { style.add_modifier(Modifier::REVERSED) } else { style };
        let front = if at == screen.chosen { ">" } else { " " };
        let cells =
            row.cells.iter().enumerate().map(|(column, cell)| {
                if column == 0 { format!("{front}{}", plain(cell)) } else { plain(cell) }
            });
        ratatui::widgets::Row::new(cells.collect::<Vec<_>>()).style(style)
    });
    let widths = columns.iter().map(|(_, width)| Constraint::Length(*width));
    let head = columns
        .iter()
        .enumerate()
        .map(|(at, (name, _))| if at == 0 { format!(" {name}") } else { (*name).to_owned() });
    let head = ratatui::widgets::Row::new(head.collect::<Vec<_>>())
        .style(Style::new().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(shown.collect::<Vec<_>>(), widths).header(head).column_spacing(1), area);
}

/// A sheet over everything.
fn over(frame: &mut Frame<'_>, area: Rect, name: &str, lines: &[String], from: usize) {
    let inset = u16::from(area.width > 20) * 2;
    let sheet = Rect {
        x: area.x + inset,
        y: area.y + u16::from(area.height > 8),
        width: area.width.saturating_sub(2 * inset),
        height: area.height.saturating_sub(2 * u16::from(area.height > 8)),
    };
    let shown: Vec<Line<'_>> = lines.iter().skip(from).map(|line| Line::from(plain(line))).collect();
    frame.render_widget(Clear, sheet);
    let block = Block::bordered().title(format!(" {name} "));
    frame.render_widget(Paragraph::new(shown).wrap(Wrap { trim: false }).block(block), sheet);
}

/// The frame as lines of text, for pipes.
pub fn text(screen: &Screen, width: u16, height: u16) -> String {
    // Writing into memory cannot fail.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, screen));
    let buffer = terminal.backend().buffer();
    let mut out = String::new();
    for y in 0..height {
        let line: String = (0..width).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol()).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
