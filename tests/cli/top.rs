//! `slipring top` in a real terminal (tmux), while a load runs.

use crate::shell::Shell;
use slipring::Queue;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// A terminal of our own, with a shell in it, on a tmux server of its own.
struct Screen<'s> {
    shell: &'s Shell,
}

impl<'s> Screen<'s> {
    fn new(shell: &'s Shell) -> Self {
        let screen = Self { shell };
        let size = ["-x", "80", "-y", "24"];
        screen.tmux(&[&["new-session", "-d"], &size[..], &["sh"]].concat());
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        // The socket lies beside the queues, under a name that is none of a queue.
        tmux.args(["-f", "/dev/null", "-S", &self.shell.path(".tmux")]).args(args);
        tmux.env("SLIPRING_DIR", self.shell.dir()).env_remove("NO_COLOR");
        let output = tmux.env("LC_ALL", "C.UTF-8").env_remove("TMUX").output().unwrap();
        assert!(output.status.success(), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the shell is ready: what is typed before stands where its answers should begin.
    fn prompt(&self) {
        let last = |text: &str| text.trim_end().lines().next_back().map(str::to_owned);
        self.until("the shell", |text| matches!(last(text).as_deref(), Some("$" | "#")));
    }

    /// Starts `top` and waits for its first screen.
    fn top(&self) {
        self.prompt();
        let line = format!("{} top --interval 100ms", env!("CARGO_BIN_EXE_slipring"));
        self.keys(&[&line, "Enter"]);
        self.until("the first screen", |text| text.contains("QUEUE ") && text.contains("q quit"));
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn until(&self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let text = self.text();
            if so(&text) {
                return text;
            }
            assert!(Instant::now() < end, "waited too long for {what}:\n{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process id of `top`.
    fn id(&self) -> String {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let output = Command::new("pgrep").args(["-P", shell.trim()]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The shell is there again, and the terminal as it was.
    fn is_given_back(&self, code: &str) {
        self.prompt();
        // Sane again: what is typed is seen, and a line ends with Enter.
        self.keys(&[
            "echo code $?; stty -a | tr ' ;' '\\n\\n' | grep -cx -e echo -e icanon",
            "Enter",
        ]);
        let text =
            self.until("an answer", |text| text.contains("\ncode ") && text.contains("\n2\n"));
        assert!(
            text.contains(&format!("\ncode {code}\n")) && text.contains("echo code $?"),
            "{text}"
        );
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ =
            Command::new("tmux").args(["-S", &self.shell.path(".tmux"), "kill-server"]).output();
    }
}

/// A queue's line: its cells.
fn line(text: &str, queue: &str) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> {
        line.trim_start_matches('>').split_whitespace().map(str::to_owned).collect()
    };
    let lines = text.lines().map(cells);
    lines
        .into_iter()
        .find(|cells| cells.first().is_some_and(|name| name == queue))
        .unwrap_or_default()
}

fn create(shell: &Shell, name: &str) -> Queue {
    Queue::options().capacity(64 << 10).max_members(8).create(&shell.path(name)).unwrap()
}

/// Sends and receives, some messages each millisecond, while something else is done.
fn under_load(queue: &Queue, act: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut producer, consumer) =
                (queue.producer().unwrap(), queue.consumer("default").unwrap());
            while !over.load(Ordering::Relaxed) {
                for _ in 0..5 {
                    producer.send(b"load").unwrap();
                    consumer.recv().unwrap().ack().unwrap();
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        load.join().unwrap();
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn figures_move_under_load() {
    let shell = Shell::new();
    let (busy, _idle) = (create(&shell, "busy"), create(&shell, "idle"));
    let screen = Screen::new(&shell);
    screen.top();
    under_load(&busy, || {
        let rate = |text: &str| line(text, "busy").get(2).and_then(|cell| cell.parse::<u64>().ok());
        let first = screen.until("a rate", |text| rate(text).is_some_and(|rate| rate > 0));
        assert_eq!(line(&first, "idle")[2..4], ["0", "0"]);
        assert_eq!(line(&first, "busy")[8], "2", "{first}");
        screen.until("another rate", |text| {
            rate(text).is_some_and(|new| new > 0 && Some(new) != rate(&first))
        });
        // Its groups and members, whose counts grow.
        screen.keys(&["Enter"]);
        let count = |text: &str| {
            let member = text.lines().find(|line| line.contains(" consumer ")).map(str::to_owned);
            member.and_then(|line| {
                line.split_whitespace().nth(5).and_then(|cell| cell.parse::<u64>().ok())
            })
        };
        let first = screen.until("members", |text| count(text).is_some());
        assert!(first.contains("GROUP ") && first.contains("busy: "), "{first}");
        screen.until("another count", |text| count(text) > count(&first));
        // The busiest first; once more the other way round.
        screen.keys(&["s"]);
        let order = |text: &str| text.find(" busy ") < text.find(" idle ");
        screen.until("the busy one above", |text| text.contains("by sent") && order(text));
        screen.keys(&["s"]);
        screen.until("the busy one below", |text| text.contains("reversed") && !order(text));
    });
    screen.until("rest", |text| line(text, "busy").get(2).is_some_and(|cell| cell == "0"));
    screen.keys(&["q"]);
    screen.is_given_back("0");
}

#[test]
fn queues_come_and_go() {
    let shell = Shell::new();
    let _queues = [create(&shell, "first"), create(&shell, "second")];
    let screen = Screen::new(&shell);
    screen.top();
    screen.keys(&["Enter"]);
    screen.until("details", |text| text.contains("first: 0 B of 64 KiB used"));
    shell.ok(&["rm", "first"]);
    screen
        .until("the other one", |text| text.contains("second: ") && line(text, "first").is_empty());
    // One of the same name is another one.
    create(&shell, "second.new").producer().unwrap().send(b"x").unwrap();
    shell.ok(&["rm", "second"]);
    std::fs::rename(shell.path("second.new"), shell.path("second")).unwrap();
    screen.until("the new one", |text| text.contains("second: 64 B of"));
    std::fs::write(shell.path("junk"), "no queue").unwrap();
    screen.until("junk", |text| {
        line(text, "junk").get(1).is_some_and(|state| state.starts_with("incom"))
    });
    shell.ok(&["rm", "junk", "second"]);
    screen.until("nothing", |text| text.contains("  0 queues"));
    screen.keys(&["q"]);
    screen.is_given_back("0");
}

#[test]
fn two_hundred_queues_in_windows_of_all_sizes() {
    let shell = Shell::new();
    let small = Queue::options().capacity(1024).max_groups(2).max_members(2);
    for number in 0..200 {
        small.create(&shell.path(&format!("q{number:03}"))).unwrap();
    }
    let screen = Screen::new(&shell);
    screen.top();
    screen.until("all", |text| text.contains("200 queues") && text.contains("q000"));
    screen.keys(&["End"]);
    screen.until("the last", |text| text.contains("> q199") && !text.contains("q000"));
    for (x, y) in [("40", "10"), ("200", "50"), ("1", "1"), ("120", "5"), ("80", "24")] {
        screen.tmux(&["resize-window", "-x", x, "-y", y]);
        thread::sleep(Duration::from_millis(100));
    }
    screen.until("the selected one", |text| text.contains("> q199") && text.contains("q quit"));
    screen.tmux(&["resize-window", "-x", "200", "-y", "220"]);
    let text = screen.until("all of them", |text| text.contains("q000") && text.contains("q199"));
    assert!((0..200).all(|number| !line(&text, &format!("q{number:03}")).is_empty()), "{text}");
    screen.keys(&["C-c"]);
    screen.is_given_back("0");
}

#[test]
fn signals_give_the_terminal_back() {
    for signal in ["TERM", "INT"] {
        let shell = Shell::new();
        let _queue = create(&shell, "q");
        let screen = Screen::new(&shell);
        screen.top();
        assert!(
            Command::new("kill").args(["-s", signal, &screen.id()]).status().unwrap().success()
        );
        screen.is_given_back("0");
    }
}

#[test]
fn without_a_terminal_it_says_what_else_there_is() {
    let shell = Shell::new();
    let said = shell.run(&["top"]);
    assert_eq!((said.code, said.out.len()), (Some(1), 0));
    assert!(said.err.contains("`slipring stat NAME --interval 1s`"), "{}", said.err);
}
