//! Screens as they are drawn, compared with those in `tests/cli/top`. `ACCEPT=1 cargo test` writes them anew.

use super::sample::{Figures, GroupRow, MemberRow, QueueRow, Snapshot};
use super::screen::Screen;
use super::state::State;
use super::view::draw;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::path::Path;

fn queue(name: &str, sent: Option<f64>, used: u64, lag: u64) -> QueueRow {
    let figures = Figures {
        sent_rate: sent,
        received_rate: sent.map(|rate| rate / 2.0),
        used,
        capacity: 1 << 20,
        lag: estimate(lag),
        dead: lag / 10,
        groups: vec![
            group("default", lag, None),
            group("workers", 2 * lag, sent.map(|rate| rate / 2.0)),
        ],
        members: vec![member(100, "producer", true), member(200, "consumer", true)],
    };
    QueueRow { name: name.into(), state: "open", figures: Some(figures) }
}

fn group(name: &str, lag: u64, rate: Option<f64>) -> GroupRow {
    GroupRow {
        name: name.into(),
        mode: "shared",
        rate,
        members: 1,
        lag: estimate(lag),
        lag_bytes: lag * 64,
        redelivered: 7,
        dead: lag / 10,
    }
}

/// As it is counted.
fn estimate(lag: u64) -> (u64, bool) {
    (lag, lag > crate::stat::COUNTED)
}

fn member(pid: u64, role: &'static str, alive: bool) -> MemberRow {
    let group = if role == "consumer" { "workers".into() } else { String::new() };
    MemberRow { pid, role, group, rate: Some(12.4), count: 1_234_567, alive }
}

fn snapshot(queues: Vec<QueueRow>) -> Snapshot {
    Snapshot { directory: "/dev/shm/slipring".into(), error: None, queues }
}

fn three() -> Snapshot {
    let mut audit = queue("audit", Some(0.0), 0, 0);
    if let Some(figures) = &mut audit.figures {
        figures.members.push(member(300, "consumer", false));
    }
    let broken = QueueRow { name: "broken".into(), state: "corrupt", figures: None };
    let orders = queue("orders", Some(1_234_567.0), (1 << 20) - 64, 16_383);
    snapshot(vec![audit, broken, orders])
}

fn screen(width: u16, height: u16, snapshot: &Snapshot, state: &State) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut(), snapshot, state)).unwrap();
    terminal.backend().clone()
}

fn press(state: &mut State, keys: &[KeyCode], snapshot: &Snapshot) {
    for &code in keys {
        assert!(!state.press(&KeyEvent::new(code, KeyModifiers::NONE), snapshot), "{code:?} quits");
    }
}

fn compare(name: &str, backend: &TestBackend) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cli/top/{name}.txt"));
    let seen = backend.to_string();
    if std::env::var_os("ACCEPT").is_some() {
        return std::fs::write(path, seen).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(seen == expected, "{name} is\n{seen}and was\n{expected}ACCEPT=1 writes it anew");
}

#[test]
fn queues_at_a_glance() {
    let (snapshot, mut state) = (three(), State::new(true));
    state.follow(&snapshot);
    compare("queues", &screen(80, 10, &snapshot, &state));
}

#[test]
fn groups_and_members() {
    let (snapshot, mut state) = (three(), State::new(true));
    press(&mut state, &[KeyCode::Enter], &snapshot);
    compare("details", &screen(80, 24, &snapshot, &state));
    press(&mut state, &[KeyCode::End], &snapshot);
    compare("details-wide", &screen(120, 20, &snapshot, &state));
    press(&mut state, &[KeyCode::Up], &snapshot);
    compare("details-broken", &screen(80, 12, &snapshot, &state));
}

#[test]
fn nothing_yet_and_no_directory() {
    let state = State::new(true);
    compare("none", &screen(80, 6, &snapshot(Vec::new()), &state));
    let error = Some("/nowhere: permission denied".into());
    compare("error", &screen(80, 6, &Snapshot { error, ..Snapshot::default() }, &state));
    // At first there are no rates.
    compare("first", &screen(80, 6, &snapshot(vec![queue("q", None, 512, 8)]), &state));
}

#[test]
fn a_terminal_of_any_size() {
    let (snapshot, mut state) = (three(), State::new(true));
    press(&mut state, &[KeyCode::Enter], &snapshot);
    for width in (0..100).step_by(7) {
        for height in 0..30 {
            let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
            draw(*buffer.area(), &mut buffer, &snapshot, &state);
        }
    }
    compare("narrow", &screen(40, 8, &snapshot, &state));
}

/// The names in the first column, from the top.
fn names(snapshot: &Snapshot, state: &State) -> Vec<String> {
    let text = screen(80, 60, snapshot, state).to_string();
    let lines = text.lines().skip(2).map(|line| line.trim_start_matches('"'));
    let lines = lines.map(|line| line.trim_start_matches('>').trim_start());
    lines
        .map_while(|line| {
            line.split_whitespace().next().filter(|word| *word != "\"").map(str::to_owned)
        })
        .collect()
}

#[test]
fn sorted_by_each_key() {
    let snapshot = snapshot(vec![
        queue("a", Some(1.0), 300, 20),
        queue("b", Some(3.0), 100, 30),
        queue("c", Some(2.0), 200, 10),
    ]);
    let mut state = State::new(false);
    assert_eq!(names(&snapshot, &state), ["a", "b", "c"]);
    for (key, order) in [
        ('n', ["c", "b", "a"]),
        ('s', ["b", "c", "a"]),
        ('s', ["a", "c", "b"]),
        ('r', ["b", "c", "a"]),
        ('f', ["a", "c", "b"]),
        ('l', ["b", "a", "c"]),
        ('m', ["a", "b", "c"]),
        ('d', ["b", "a", "c"]),
        ('d', ["c", "a", "b"]),
        ('n', ["a", "b", "c"]),
        ('x', ["a", "b", "c"]),
    ] {
        press(&mut state, &[KeyCode::Char(key)], &snapshot);
        assert_eq!(names(&snapshot, &state), order, "after {key}");
    }
}

fn selected(snapshot: &Snapshot, state: &State) -> String {
    let text = screen(80, 12, snapshot, state).to_string();
    let line = text.lines().find(|line| line.starts_with("\"> ")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn two_hundred_queues() {
    let all = |skipped: &str| {
        let names = (0..200).map(|number| format!("queue-{number:03}"));
        let names = names.filter(|name| name != skipped);
        snapshot(names.map(|name| queue(&name, Some(1.0), 64, 1)).collect())
    };
    let (snapshot, mut state) = (all(""), State::new(true));
    state.follow(&snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-000");
    press(&mut state, &[KeyCode::PageDown, KeyCode::PageDown, KeyCode::Down], &snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-021");
    press(&mut state, &[KeyCode::End, KeyCode::Down, KeyCode::PageDown], &snapshot);
    compare("many", &screen(80, 12, &snapshot, &state));
    assert_eq!(selected(&snapshot, &state), "queue-199");
    press(&mut state, &[KeyCode::PageUp], &snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-189");
    // It stays selected where it goes, and when it is gone, the one in its place is.
    press(&mut state, &[KeyCode::Char('n')], &snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-189");
    let snapshot = all("queue-189");
    state.follow(&snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-188");
    press(&mut state, &[KeyCode::Home], &snapshot);
    assert_eq!(selected(&snapshot, &state), "queue-199");
}

#[test]
fn keys_that_quit() {
    let mut state = State::new(true);
    let mut press =
        |code, modifiers| state.press(&KeyEvent::new(code, modifiers), &Snapshot::default());
    assert!(press(KeyCode::Char('q'), KeyModifiers::NONE));
    assert!(press(KeyCode::Esc, KeyModifiers::NONE));
    assert!(press(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert!(!press(KeyCode::Char('c'), KeyModifiers::NONE));
}

#[test]
fn colours_are_for_what_needs_a_look() {
    for (coloured, red, bold) in
        [(true, Color::Red, Modifier::empty()), (false, Color::Reset, Modifier::BOLD)]
    {
        let snapshot = three();
        let backend = screen(80, 10, &snapshot, &State::new(coloured));
        // A row with a dead member, one that cannot be read, and a full one; the first is the selected one.
        for line in [3, 4] {
            let cell = &backend.buffer()[(2, line)];
            assert_eq!((cell.fg, cell.modifier), (red, bold), "line {line}");
        }
        let fine =
            screen(80, 10, &self::snapshot(vec![queue("q", None, 0, 0)]), &State::new(coloured));
        assert_eq!(fine.buffer()[(2, 2)].fg, Color::Reset);
    }
}

/// Run by the test below, in a terminal.
#[test]
#[ignore = "needs a terminal, and fails"]
fn panics_with_the_terminal_taken() {
    let mut screen = Screen::enter().unwrap();
    screen.draw(&three(), &State::new(true)).unwrap();
    let other = std::thread::spawn(|| panic!("on purpose"));
    assert!(other.join().is_ok(), "also on purpose");
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let program = std::env::current_exe().unwrap();
    let test = "top::tests::panics_with_the_terminal_taken";
    let line = format!(
        "stty rows 24 cols 80; {} --ignored --exact {test} --nocapture; stty",
        program.display()
    );
    let mut script = std::process::Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    let output = script.env("TERM", "xterm").env_remove("RUST_BACKTRACE").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?} in {text:?}"));
    let (taken, drawn) = (at("\x1b[?1049h"), at("broken"));
    let (given_back, spoken) = (at("\x1b[?1049l"), at("on purpose"));
    assert!(taken < drawn && drawn < given_back && given_back < spoken, "{text:?}");
    assert!(text.contains("\x1b[?25h"), "the cursor is hidden: {text:?}");
    // What stty prints is what differs from a sane terminal.
    let modes = text.rsplit("speed").next().unwrap();
    assert!(!modes.contains("-echo") && !modes.contains("-icanon"), "{modes:?}");
}
