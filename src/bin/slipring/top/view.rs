//! The screen: what is drawn follows from the figures and from what was chosen, and from nothing else.

use super::sample::{Figures, GroupRow, MemberRow, QueueRow, Snapshot};
use super::state::{SORTS, State};
use crate::units::{self, human};
use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, StatefulWidget, Table, TableState, Widget};

pub fn draw(area: Rect, buffer: &mut Buffer, snapshot: &Snapshot, state: &State) {
    let order = state.order(snapshot);
    let selected = state.selected(&order);
    let shown = selected.and_then(|at| order.get(at)).filter(|_| state.details);
    let details = shown.map_or(0, |_| area.height / 2);
    let [head, list, below, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(details),
        Constraint::Length(1),
    ])
    .areas(area);
    Line::styled(headline(snapshot, state), BOLD).render(head, buffer);
    let mut place = TableState::default().with_selected(selected);
    StatefulWidget::render(queues(&order, state), list, buffer, &mut place);
    if let Some(queue) = shown {
        draw_details(below, buffer, queue, state);
    }
    let keys = "q quit  up/down select  Enter groups and members  sort: n s r f l m d";
    Line::styled(keys, Style::new().add_modifier(Modifier::DIM)).render(foot, buffer);
}

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

fn headline(snapshot: &Snapshot, state: &State) -> String {
    let order = SORTS.iter().find(|(sort, ..)| *sort == state.sort).map_or("", |(.., title)| title);
    let reversed = if state.reversed { ", reversed" } else { "" };
    match &snapshot.error {
        Some(error) => format!("slipring  {error}"),
        None => {
            let count = snapshot.queues.len();
            let s = if count == 1 { "" } else { "s" };
            format!("slipring  {}  {count} queue{s}, by {order}{reversed}", snapshot.directory)
        }
    }
}

/// Columns: titles, widths, and whether figures stand in them.
type Columns = &'static [(&'static str, Constraint, bool)];

const QUEUES: Columns = &[
    ("QUEUE", Constraint::Min(10), false),
    ("STATE", Constraint::Length(7), false),
    ("SENT/S", Constraint::Length(7), true),
    ("RECV/S", Constraint::Length(7), true),
    ("FILL", Constraint::Length(11), true),
    ("LAG", Constraint::Length(7), true),
    ("GRP", Constraint::Length(3), true),
    ("MEMB", Constraint::Length(4), true),
    ("DEAD", Constraint::Length(6), true),
];

const GROUPS: Columns = &[
    ("GROUP", Constraint::Min(10), false),
    ("MODE", Constraint::Length(9), false),
    ("RECV/S", Constraint::Length(7), true),
    ("MEMB", Constraint::Length(4), true),
    ("LAG", Constraint::Length(7), true),
    ("BYTES", Constraint::Length(10), true),
    ("REDELIV", Constraint::Length(7), true),
    ("DEAD", Constraint::Length(6), true),
];

const MEMBERS: Columns = &[
    ("MEMBER", Constraint::Min(10), false),
    ("ROLE", Constraint::Length(9), false),
    ("GROUP", Constraint::Length(16), false),
    ("MSG/S", Constraint::Length(7), true),
    ("COUNT", Constraint::Length(8), true),
    ("STATE", Constraint::Length(6), false),
];

fn table(columns: Columns, rows: Vec<Row<'static>>) -> Table<'static> {
    let titles = columns.iter().map(|&(title, _, figures)| cell(title, figures));
    let widths: Vec<Constraint> = columns.iter().map(|&(_, width, _)| width).collect();
    Table::new(rows, widths).header(Row::new(titles).style(BOLD))
}

fn cell(text: impl Into<Text<'static>>, figures: bool) -> Cell<'static> {
    let side = if figures { Alignment::Right } else { Alignment::Left };
    Cell::from(text.into().alignment(side))
}

fn row(columns: Columns, cells: Vec<String>) -> Row<'static> {
    Row::new(cells.into_iter().zip(columns).map(|(text, &(_, _, figures))| cell(text, figures)))
}

fn queues(order: &[&QueueRow], state: &State) -> Table<'static> {
    let rows = order.iter().map(|queue| match &queue.figures {
        None => row(QUEUES, vec![queue.name.clone(), queue.state.into()]).style(alarm(state)),
        Some(figures) => {
            let full = figures.used >= figures.capacity / 10 * 9;
            let row = row(QUEUES, queue_cells(queue, figures));
            if full || figures.dead_members() > 0 { row.style(alarm(state)) } else { row }
        }
    });
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    table(QUEUES, rows.collect()).row_highlight_style(chosen).highlight_symbol("> ")
}

fn queue_cells(queue: &QueueRow, figures: &Figures) -> Vec<String> {
    let alive = figures.members.len() - figures.dead_members();
    let members = match figures.dead_members() {
        0 => alive.to_string(),
        dead => format!("{alive}+{dead}"),
    };
    vec![
        queue.name.clone(),
        queue.state.into(),
        rate(figures.sent_rate),
        rate(figures.received_rate),
        bar(figures.used, figures.capacity),
        lag(figures.lag),
        figures.groups.len().to_string(),
        members,
        short(figures.dead as f64),
    ]
}

fn draw_details(area: Rect, buffer: &mut Buffer, queue: &QueueRow, state: &State) {
    let Some(figures) = &queue.figures else {
        let text = format!("{}: {}; `slipring doctor {0}` says more", queue.name, queue.state);
        return Line::raw(text).render(area, buffer);
    };
    let groups = Constraint::Length(u16::try_from(figures.groups.len()).unwrap_or(u16::MAX) + 1);
    let [title, above, below] =
        Layout::vertical([Constraint::Length(1), groups, Constraint::Min(2)]).areas(area);
    let (used, capacity) = (human(figures.used), human(figures.capacity));
    Line::styled(format!("{}: {used} of {capacity} used", queue.name), BOLD).render(title, buffer);
    let rows = figures.groups.iter().map(|group| row(GROUPS, group_cells(group))).collect();
    Widget::render(table(GROUPS, rows), above, buffer);
    let rows = figures.members.iter().map(|member| {
        let row = row(MEMBERS, member_cells(member));
        if member.alive { row } else { row.style(alarm(state)) }
    });
    Widget::render(table(MEMBERS, rows.collect()), below, buffer);
}

fn group_cells(group: &GroupRow) -> Vec<String> {
    vec![
        group.name.clone(),
        group.mode.into(),
        rate(group.rate),
        group.members.to_string(),
        lag(group.lag),
        human(group.lag_bytes),
        short(group.redelivered as f64),
        short(group.dead as f64),
    ]
}

fn member_cells(member: &MemberRow) -> Vec<String> {
    vec![
        format!("pid {}", member.pid),
        member.role.into(),
        if member.role == "producer" { "-".into() } else { member.group.clone() },
        rate(member.rate),
        short(member.count as f64),
        if member.alive { "alive" } else { "dead" }.into(),
    ]
}

/// Something to look at.
fn alarm(state: &State) -> Style {
    if state.coloured { Style::new().fg(Color::Red) } else { BOLD }
}

/// Six cells and a percentage.
fn bar(used: u64, capacity: u64) -> String {
    const CELLS: usize = 6;
    let share = used as f64 / capacity.max(1) as f64;
    let full = (share * CELLS as f64).ceil().clamp(0.0, CELLS as f64) as usize;
    format!("{}{}{:>4.0}%", "█".repeat(full), "░".repeat(CELLS - full), share * 100.0)
}

fn lag(lag: (u64, bool)) -> String {
    units::lag(lag, |lag| short(lag as f64))
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".into(), short)
}

/// At most six characters: `12345`, `123.4k`, `12.3M`.
fn short(value: f64) -> String {
    if value < 99_999.5 {
        return format!("{value:.0}");
    }
    let units = [("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15)];
    let fits = |unit: &&(&str, f64)| value / unit.1 < 999.95;
    let (unit, factor) = units.iter().find(fits).unwrap_or(&("E", 1e18));
    format!("{:.1}{unit}", value / factor)
}
