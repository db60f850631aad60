//! What the keys have chosen.

use super::sample::{QueueRow, Snapshot};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::cmp::Ordering;

/// Lines that PageUp and PageDown go.
const PAGE: isize = 10;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    Name,
    Sent,
    Received,
    Fill,
    Lag,
    Members,
    Dead,
}

/// Sorts, with their keys and titles.
pub const SORTS: [(Sort, char, &str); 7] = [
    (Sort::Name, 'n', "name"),
    (Sort::Sent, 's', "sent"),
    (Sort::Received, 'r', "received"),
    (Sort::Fill, 'f', "fill"),
    (Sort::Lag, 'l', "lag"),
    (Sort::Members, 'm', "members"),
    (Sort::Dead, 'd', "dead letters"),
];

pub struct State {
    pub sort: Sort,
    /// Not as one expects it: names from the first, figures from the largest.
    pub reversed: bool,
    /// Shows the groups and members of the selected queue.
    pub details: bool,
    pub coloured: bool,
    selected: Option<String>,
    /// Where the selected one was, for when it is gone.
    place: usize,
}

impl State {
    pub fn new(coloured: bool) -> Self {
        let (sort, selected) = (Sort::Name, None);
        Self { sort, reversed: false, details: false, coloured, selected, place: 0 }
    }

    /// The queues in the order chosen; equal ones by name.
    pub fn order<'s>(&self, snapshot: &'s Snapshot) -> Vec<&'s QueueRow> {
        let mut queues: Vec<&QueueRow> = snapshot.queues.iter().collect();
        queues.sort_by(|left, right| {
            let order = self.compare(left, right);
            (if self.reversed { order.reverse() } else { order }).then(left.name.cmp(&right.name))
        });
        queues
    }

    fn compare(&self, left: &QueueRow, right: &QueueRow) -> Ordering {
        let figure = |queue: &QueueRow| {
            let Some(figures) = &queue.figures else { return -1.0 };
            match self.sort {
                Sort::Name => 0.0,
                Sort::Sent => figures.sent_rate.unwrap_or(0.0),
                Sort::Received => figures.received_rate.unwrap_or(0.0),
                Sort::Fill => figures.used as f64 / figures.capacity.max(1) as f64,
                Sort::Lag => figures.lag.0 as f64,
                Sort::Members => figures.members.len() as f64,
                Sort::Dead => figures.dead as f64,
            }
        };
        match self.sort {
            Sort::Name => left.name.cmp(&right.name),
            _ => figure(right).total_cmp(&figure(left)),
        }
    }

    /// The selected queue's place in the order.
    pub fn selected(&self, order: &[&QueueRow]) -> Option<usize> {
        let found = order.iter().position(|queue| Some(&queue.name) == self.selected.as_ref());
        found.or_else(|| order.len().checked_sub(1).map(|last| self.place.min(last)))
    }

    /// Whoever takes the place of a queue that is gone is selected now.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let order = self.order(snapshot);
        let selected = self.selected(&order);
        self.select(selected, &order);
    }

    fn select(&mut self, place: Option<usize>, order: &[&QueueRow]) {
        self.selected = place.and_then(|place| order.get(place)).map(|queue| queue.name.clone());
        self.place = place.unwrap_or(0);
    }

    /// Does what a key says. Is it to quit?
    pub fn press(&mut self, key: &KeyEvent, snapshot: &Snapshot) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if control => return true,
            KeyCode::Up | KeyCode::Char('k') => self.go(-1, snapshot),
            KeyCode::Down | KeyCode::Char('j') => self.go(1, snapshot),
            KeyCode::PageUp => self.go(-PAGE, snapshot),
            KeyCode::PageDown => self.go(PAGE, snapshot),
            KeyCode::Home => self.go(isize::MIN, snapshot),
            KeyCode::End => self.go(isize::MAX, snapshot),
            KeyCode::Enter | KeyCode::Char(' ') => self.details = !self.details,
            KeyCode::Char(letter) => {
                let sort = SORTS.iter().find(|(_, key, _)| *key == letter);
                if let Some(&(sort, ..)) = sort {
                    self.reversed = self.sort == sort && !self.reversed;
                    self.sort = sort;
                    self.follow(snapshot);
                }
            }
            _ => {}
        }
        false
    }

    fn go(&mut self, lines: isize, snapshot: &Snapshot) {
        let order = self.order(snapshot);
        let last = order.len().saturating_sub(1);
        let place = self.selected(&order).map(|at| at.saturating_add_signed(lines).min(last));
        self.select(place, &order);
    }
}
