//! What was pressed, and what the screen is for it.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::View;

/// Looks that the curve shows at most.
pub(super) const CURVE_MAX: usize = 240;
/// The longest filter.
const FILTER_MAX: usize = 60;

/// What is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// Attacks that go on.
    #[default]
    Attacks,
    /// What is attacked.
    Targets,
    /// Filters.
    Rules,
    /// Who tells of traffic.
    Exporters,
}

impl Page {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 4] = [Self::Attacks, Self::Targets, Self::Rules, Self::Exporters];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Attacks => "attacks",
            Self::Targets => "targets",
            Self::Rules => "rules",
            Self::Exporters => "exporters",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or(0);
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The most.
    #[default]
    Size,
    /// The youngest, or the last in the alphabet where nothing has an age.
    Age,
    /// By name.
    Name,
}

impl Sort {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Age => "age",
            Self::Name => "name",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Size => Self::Age,
            Self::Age => Self::Name,
            Self::Name => Self::Size,
        }
    }
}

/// What has to be done for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Do {
    /// Draw.
    Draw,
    /// End.
    Quit,
    /// Have this attack explained.
    Explain(String),
}

/// Everything that is on the screen.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// Who is asked.
    pub api: String,
    /// The last answer; `None`: none came yet.
    pub view: Option<View>,
    /// Why there is no newer one.
    pub trouble: Option<String>,
    /// Bits that arrived per second, the newest last.
    pub curve: VecDeque<u64>,
    /// What is listed.
    pub page: Page,
    /// What comes first.
    pub sort: Sort,
    /// Only rows that have this in them.
    pub filter: String,
    /// The filter is being written.
    pub typing: bool,
    /// The row that is chosen.
    pub chosen: usize,
    /// Help is shown.
    pub help: bool,
    /// An explanation is shown: its lines, and the first of them that is seen.
    pub explained: Option<(Vec<String>, usize)>,
    /// Colours may be used.
    pub colour: bool,
}

impl Screen {
    /// A newer answer.
    pub fn take(&mut self, view: View) {
        if let Some(rates) = &view.rates {
            if self.curve.len() >= CURVE_MAX {
                self.curve.pop_front();
            }
            self.curve.push_back(whole(rates.arriving_bps));
        }
        self.trouble = None;
        self.view = Some(view);
        self.chosen = self.chosen.min(self.rows().len().saturating_sub(1));
    }

    /// No answer came: the last one stays, and it is said.
    pub fn miss(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// A key.
    pub fn press(&mut self, key: KeyEvent) -> Do {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(key.code, KeyCode::Char('c' | 'd')) { Do::Quit } else { Do::Draw };
        }
        if self.typing {
            self.type_filter(key.code);
            return Do::Draw;
        }
        if let Some((lines, from)) = &mut self.explained {
            match key.code {
                KeyCode::Down | KeyCode::Char('j') => *from = (*from + 1).min(lines.len().saturating_sub(1)),
                KeyCode::Up | KeyCode::Char('k') => *from = from.saturating_sub(1),
                KeyCode::PageDown | KeyCode::Char(' ') => {
                    *from = (*from + 10).min(lines.len().saturating_sub(1))
                }
                KeyCode::PageUp => *from = from.saturating_sub(10),
                _ => self.explained = None,
            }
            return Do::Draw;
        }
        if self.help {
            self.help = false;
            return Do::Draw;
        }
        match key.code {
            KeyCode::Char('q') => return Do::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Tab => self.turn(self.page.next()),
            KeyCode::Char(digit @ '1'..='4') => {
                let at = usize::try_from(u32::from(digit) - u32::from('1')).unwrap_or(0);
                self.turn(Page::ALL.get(at).copied().unwrap_or_default());
            }
            KeyCode::Down | KeyCode::Char('j') => {
                self.chosen = (self.chosen + 1).min(self.rows().len().saturating_sub(1));
            }
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Enter => {
                if let Some(id) = self.attack() {
                    return Do::Explain(id);
                }
            }
            _ => {}
        }
        Do::Draw
    }

    fn turn(&mut self, page: Page) {
        (self.page, self.chosen) = (page, 0);
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if !c.is_control() && self.filter.chars().count() < FILTER_MAX => {
                self.filter.push(c)
            }
            _ => {}
        }
        self.chosen = 0;
    }

    /// The attack of the chosen row.
    fn attack(&self) -> Option<String> {
        let row = self.rows().into_iter().nth(self.chosen)?;
        row.attack
    }

    /// The rows of this page, filtered and sorted.
    pub(super) fn rows(&self) -> Vec<super::draw::Row> {
        let Some(view) = &self.view else { return Vec::new() };
        let mut rows = super::draw::rows(view, self.page);
        let wanted = self.filter.to_lowercase();
        rows.retain(|row| {
            wanted.is_empty() || row.cells.iter().any(|cell| cell.to_lowercase().contains(&wanted))
        });
        match self.sort {
            Sort::Size => rows.sort_by(|a, b| b.size.total_cmp(&a.size).then_with(|| a.cells.cmp(&b.cells))),
            Sort::Age => rows.sort_by(|a, b| b.age.cmp(&a.age).then_with(|| a.cells.cmp(&b.cells))),
            Sort::Name => rows.sort_by(|a, b| a.cells.cmp(&b.cells)),
        }
        rows
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that is shown as a bar")]
fn whole(rate: f64) -> u64 {
    rate.max(0.0) as u64
}
